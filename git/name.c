/*
 * name.c - names in trees: which Bough writes, and what a filesystem would
 * make of them.
 *
 *   HFS+    ignores case and some code points; a name that is not UTF-8 ends
 *           where it breaks
 *   NTFS    ignores case, dots and spaces at the end, what is behind a colon,
 *           and has short names: GIT~1, GITMOD~1, GI7EBA~1
 *   both    bough_name_is_dot()
 */
#include "git/inner.h"
#include "git/name.h"

/* What is special about a name. */
struct dot_name {
    const char *name; /* without the dot, lower case */
    const char *hash; /* NTFS: the short name when ~1 to ~4 are taken; NULL: .git, which has none */
};

static const struct dot_name dot_names[] = {
    [BOUGH_DOT_GIT] = {"git", NULL},
    [BOUGH_DOT_GITMODULES] = {"gitmodules", "gi7eba"},
    [BOUGH_DOT_GITATTRIBUTES] = {"gitattributes", "gi7d29"},
    [BOUGH_DOT_GITIGNORE] = {"gitignore", "gi250a"},
    [BOUGH_DOT_MAILMAP] = {"mailmap", "maba30"},
};

/* HFS+. */

static bool hfs_ignores(int32_t c)
{
    return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x206a && c <= 0x206f) || c == 0xfeff;
}

/* The next code point that HFS+ looks at; 0: the name ends, or is no UTF-8 from here on. */
static int32_t hfs_next(struct bough_view *left)
{
    int32_t c;

    do
        c = bough_git__utf8_next(left);
    while (c >= 0 && hfs_ignores(c));
    return c < 0 || c == 0xfffe || c == 0xffff ? 0 : c;
}

static bool hfs_is_dot(struct bough_view name, const struct dot_name *dot)
{
    int32_t c;

    if (hfs_next(&name) != '.')
        return false;
    for (const char *p = dot->name; *p != 0; p++) {
        c = hfs_next(&name);
        if (c > 127 || bough_git__lower((uint8_t)c) != (uint8_t)*p)
            return false;
    }
    c = hfs_next(&name);
    return c == 0 || c == '/';
}

/* NTFS. */

/* Take `text` (lower case) off the front in any case; at most `n` characters of it are looked at. */
static bool skip_any_case(struct bough_view *left, const char *text, size_t n)
{
    size_t i = 0;

    for (; i < n && text[i] != 0; i++)
        if (i >= left->len || bough_git__lower(left->ptr[i]) != (uint8_t)text[i])
            return false;
    *left = bough_git__after(*left, i);
    return true;
}

/* Is what follows a name something that NTFS does not see? */
static bool ntfs_ends(struct bough_view rest, bool is_git)
{
    for (size_t i = 0; i < rest.len; i++) {
        uint8_t c = rest.ptr[i];

        if (c == ':' || (is_git && (c == '\\' || c == '/')))
            return true;
        if (c != ' ' && c != '.')
            return false;
    }
    return true;
}

/* `~` and a digit from '1' to `last`. */
static bool tilde_take(struct bough_view *left, uint8_t last)
{
    if (left->len < 2 || left->ptr[0] != '~' || left->ptr[1] < '1' || left->ptr[1] > last)
        return false;
    *left = bough_git__after(*left, 2);
    return true;
}

/* The short name made of a hash: as much of it as there is room for before `~digits`, 8 in all. */
static bool ntfs_is_hashed(struct bough_view name, const char *hash)
{
    size_t i = 0;

    if (name.len < 8)
        return false;
    while (i < 6 && bough_git__lower(name.ptr[i]) == (uint8_t)hash[i])
        i++;
    if (name.ptr[i] != '~' || name.ptr[i + 1] < '1' || name.ptr[i + 1] > '9')
        return false;
    for (i += 2; i < 8; i++)
        if (!bough_git__is_digit(name.ptr[i]))
            return false;
    return ntfs_ends(bough_git__after(name, 8), false);
}

static bool ntfs_is_dot(struct bough_view name, const struct dot_name *dot)
{
    bool is_git = dot->hash == NULL;
    struct bough_view rest = name;

    if (rest.len > 0 && rest.ptr[0] == '.') {
        rest = bough_git__after(rest, 1);
        return skip_any_case(&rest, dot->name, SIZE_MAX) && ntfs_ends(rest, is_git);
    }
    if (is_git)
        return skip_any_case(&rest, dot->name, SIZE_MAX) && tilde_take(&rest, '1') &&
               ntfs_ends(rest, true);
    if (skip_any_case(&rest, dot->name, 6) && tilde_take(&rest, '4'))
        return ntfs_ends(rest, false);
    return ntfs_is_hashed(name, dot->hash);
}

bool bough_git__name_is_ntfs_dot(struct bough_view name, enum bough_name_dot dot)
{
    return ntfs_is_dot(name, &dot_names[dot]);
}

/* Both. */

bool bough_name_is_dot(struct bough_view name, enum bough_name_dot dot)
{
    const struct dot_name *d = &dot_names[dot];

    return ntfs_is_dot(name, d) || hfs_is_dot(name, d);
}

/* Is one of the parts that a backslash makes .git to NTFS? */
static bool backslash_hides_git(struct bough_view name)
{
    size_t at;

    while ((at = bough_git__index(name, '\\')) < name.len) {
        name = bough_git__after(name, at + 1);
        if (bough_git__name_is_ntfs_dot(name, BOUGH_DOT_GIT))
            return true;
    }
    return false;
}

/*
 * A name that begins like none that is refused, and has no backslash: what NTFS takes for .git begins so
 * or like a short name of it, and before the dot that HFS+ sees there can only be code points that it
 * ignores, which are not ASCII.
 */
static bool begins_plainly(struct bough_view name)
{
    uint8_t c = bough_git__lower(name.ptr[0]);

    return c != '.' && c != 'g' && c < 0x80;
}

static const char *name_fault(struct bough_view name)
{
    bool backslash = false;

    if (name.len == 0)
        return "empty segment";
    if (bough_view_eq(name, bough_view_str(".")))
        return "segment .";
    if (bough_view_eq(name, bough_view_str("..")))
        return "segment ..";
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == 0)
            return "NUL in a segment";
        if (name.ptr[i] == '/')
            return "slash in a segment";
        backslash |= name.ptr[i] == '\\';
    }
    if (begins_plainly(name) && !backslash)
        return NULL;
    if (bough_name_is_dot(name, BOUGH_DOT_GIT) || backslash_hides_git(name))
        return ".git in a disguise that git refuses";
    return NULL;
}

enum bough_err bough_name_check(struct bough_view name, struct bough_why *why)
{
    const char *fault = name_fault(name);

    return fault == NULL ? BOUGH_OK : BOUGH_WHY(why, BOUGH_EKEY, fault, name.ptr, name.len);
}
