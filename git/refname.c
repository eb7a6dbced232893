/*
 * refname.c - the rules of `git check-ref-format`, part by part.
 */
#include "git/inner.h"
#include "git/name.h"

/* The rule that the character `c`, after `last` in its part, breaks. */
static const char *char_fault(uint8_t last, uint8_t c, uint32_t flags)
{
    if (c < 0x20 || c == 0x7f)
        return "control character";
    switch (c) {
    case ' ':
    case '~':
    case '^':
    case ':':
    case '?':
    case '[':
    case '\\':
        return "one of space ~ ^ : ? * [ backslash";
    case '*':
        return flags & BOUGH_REFNAME_PATTERN ? NULL : "one of space ~ ^ : ? * [ backslash";
    case '.':
        return last == '.' ? "two dots in a row" : NULL;
    case '{':
        return last == '@' ? "@{" : NULL;
    default:
        return NULL;
    }
}

static const char *part_fault(struct bough_view part, uint32_t flags)
{
    static const char lock[5] = {'.', 'l', 'o', 'c', 'k'};
    uint8_t last = 0;

    if (part.len == 0)
        return "empty part";
    if (part.ptr[0] == '.')
        return "a part begins with a dot";
    for (size_t i = 0; i < part.len; i++) {
        const char *fault = char_fault(last, part.ptr[i], flags);

        if (fault != NULL)
            return fault;
        last = part.ptr[i];
    }
    if (part.len >= sizeof lock &&
        memcmp(part.ptr + part.len - sizeof lock, lock, sizeof lock) == 0)
        return "a part ends in .lock";
    return NULL;
}

static size_t stars(struct bough_view v)
{
    size_t n = 0;

    for (size_t i = 0; i < v.len; i++)
        n += v.ptr[i] == '*';
    return n;
}

/* The rule that a ref name breaks, static text; NULL: none. */
static const char *refname_fault(struct bough_view name, uint32_t flags)
{
    struct bough_view left = name;
    size_t parts = 0, len;

    if (bough_view_eq(name, bough_view_str("@")))
        return "@ alone";
    do {
        const char *fault;

        len = bough_git__index(left, '/');
        fault = part_fault(bough_view(left.ptr, len), flags);
        if (fault != NULL)
            return fault;
        parts++;
        if (len == left.len)
            break;
        left = bough_git__after(left, len + 1);
    } while (true);
    if (name.ptr[name.len - 1] == '.')
        return "a dot at the end";
    if (stars(name) > 1)
        return "more than one *";
    if (parts < 2 && (flags & BOUGH_REFNAME_ONELEVEL) == 0)
        return "no slash";
    return NULL;
}

enum bough_err bough_refname_check(struct bough_view name, uint32_t flags, struct bough_why *why)
{
    const char *fault = refname_fault(name, flags);

    return fault == NULL ? BOUGH_OK : BOUGH_WHY(why, BOUGH_EKEY, fault, name.ptr, name.len);
}

bool bough_git__tagname_ok(struct bough_view name)
{
    return bough_view_eq(name, bough_view_str("@")) || /* refs/tags/@ is fine */
           refname_fault(name, BOUGH_REFNAME_ONELEVEL) == NULL;
}

bool bough_refname_clash(struct bough_view a, struct bough_view b)
{
    struct bough_view dir = a.len < b.len ? a : b, name = a.len < b.len ? b : a;

    return dir.len < name.len && name.ptr[dir.len] == '/' &&
           (dir.len == 0 || memcmp(dir.ptr, name.ptr, dir.len) == 0);
}
