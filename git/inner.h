/*
 * inner.h - what the files of git/ share about text.
 */
#ifndef BOUGH_GIT_INNER_H
#define BOUGH_GIT_INNER_H

#include "git/object.h"

/* Take `text` off the front of `left`, if it is there. */
bool bough_git__skip(struct bough_view *left, const char *text);

/* Take what is before the next LF off the front of `left`, and the LF; false: no LF, nothing taken. */
bool bough_git__line(struct bough_view *left, struct bough_view *line);

/* Where `byte` is first found in `v`; v.len: nowhere. */
size_t bough_git__index(struct bough_view v, uint8_t byte);

/* `v` without its first `n` bytes; n <= v.len. */
static inline struct bough_view bough_git__after(struct bough_view v, size_t n)
{
    return bough_view(n == 0 ? v.ptr : v.ptr + n, v.len - n); /* NULL + 0 is not allowed */
}

static inline uint8_t bough_git__lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline bool bough_git__is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/*
 * Take one code point off the front of `left`; -1: its first bytes are not
 * UTF-8 (overlong forms, surrogates and what is past U+10FFFF are not), or
 * it is empty; nothing is taken then.
 */
int32_t bough_git__utf8_next(struct bough_view *left);

/* The rule that a ref name breaks, static text; NULL: none. */
const char *bough_git__refname_fault(struct bough_view name, uint32_t flags);

/* Can this be the name of a tag, that is, be a ref behind refs/tags/? */
bool bough_git__tagname_ok(struct bough_view name);

#endif
