/*
 * inner.h - what the files of git/ share.
 *
 *   text    prefixes, lines, code points
 *   names   parts of the rules of git/name.h
 *   fsck    between the rules
 */
#ifndef BOUGH_GIT_INNER_H
#define BOUGH_GIT_INNER_H

#include "git/fsck.h"
#include "git/name.h"

/* Take `text` off the front of `left`, if it is there. */
bool bough_git__skip(struct bough_view *left, const char *text);

/* Take what is before the next LF off the front of `left`, and the LF; false: no LF, nothing taken. */
bool bough_git__line(struct bough_view *left, struct bough_view *line);

/* Where `byte` is first found in `v`; v.len: nowhere. */
size_t bough_git__index(struct bough_view v, uint8_t byte);

/* How many bytes at the beginning are the same. */
size_t bough_git__same(struct bough_view a, struct bough_view b);

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

/* Is `name` that name to NTFS? */
bool bough_git__name_is_ntfs_dot(struct bough_view name, enum bough_name_dot dot);

/* Can this be the name of a tag, that is, be a ref behind refs/tags/? */
bool bough_git__tagname_ok(struct bough_view name);

/* Begin with an object; how it ended. */
void bough_git__fsck_begin(struct bough_fsck *f, struct bough_view body);
enum bough_err bough_git__fsck_end(const struct bough_fsck *f);

/* A rule is broken at `at`, in f->body; true: it is an error. */
bool bough_git__fsck_report(
    struct bough_fsck *f, enum bough_fsck_id id, const uint8_t *at, struct bough_view key);

void bough_git__fsck_tree(struct bough_fsck *f, struct bough_view body);

/* May a submodule be called so, or come from there? */
bool bough_git__submodule_name_ok(struct bough_view name);
bool bough_git__submodule_url_ok(struct bough_view url);

#endif
