/*
 * fsck_tree.c - the rules for trees.
 *
 *   order    sorted, and no name twice: as file and directory not even with others between
 *   modes    git's five, others that git once wrote, bogus ones
 *   names    what no tree may hold, and the files that git itself reads
 */
#include "git/inner.h"
#include "git/name.h"

enum { BIT_WORDS = BOUGH_TREE_NAME_MAX / 64 + 1 };

/*
 * What has been seen of a tree.
 *
 * `a` and `a/` may have others between them: a, a-b, a/.  In a sorted tree
 * those begin with `a`; so every file that can still be met again as a
 * directory is a beginning of the last name, and a set of lengths holds
 * them all.
 */
struct tree_run {
    struct bough_fsck *f;
    struct bough_tree_entry last; /* name empty: none yet */
    uint64_t files[BIT_WORDS];    /* bit n: the first n bytes of last.name were a file */
    size_t files_max;             /* no bit above this is set */
    uint32_t n;
};

static bool is_tree(uint32_t mode)
{
    return (mode & 0170000) == BOUGH_FILEMODE_TREE;
}

static void report(struct tree_run *r, enum bough_fsck_id id, struct bough_view name)
{
    bough_git__fsck_report(r->f, id, name.ptr, name);
}

/* ---- Order ---- */

/* Forget the files whose names are longer than `n` bytes. */
static void files_cut(struct tree_run *r, size_t n)
{
    for (; r->files_max / 64 > n / 64; r->files_max -= r->files_max % 64 + 1)
        r->files[r->files_max / 64] = 0;
    if (r->files_max > n) {
        r->files[n / 64] &= UINT64_MAX >> (63 - n % 64);
        r->files_max = n;
    }
}

static bool files_has(const struct tree_run *r, size_t n)
{
    return n <= r->files_max && (r->files[n / 64] >> n % 64 & 1) != 0;
}

static void files_add(struct tree_run *r, size_t n)
{
    if (n > BOUGH_TREE_NAME_MAX)
        return; /* largePathname was told */
    r->files[n / 64] |= (uint64_t)1 << n % 64;
    r->files_max = n > r->files_max ? n : r->files_max;
}

static void order_check(struct tree_run *r, const struct bough_tree_entry *e)
{
    struct bough_view last = r->last.name;
    size_t same = bough_git__same(last, e->name);
    bool tree = is_tree(e->mode);

    files_cut(r, same);
    if (last.len > 0) {
        if (same == last.len && same == e->name.len)
            report(r, BOUGH_FSCK_DUPLICATE_ENTRIES, e->name);
        else if (bough_tree_name_cmp(last, is_tree(r->last.mode), e->name, tree) >= 0)
            report(r, BOUGH_FSCK_TREE_NOT_SORTED, e->name);
        if (tree && files_has(r, e->name.len))
            report(r, BOUGH_FSCK_DUPLICATE_ENTRIES, e->name);
    }
    if (!tree)
        files_add(r, e->name.len);
    r->last = *e;
}

/* ---- Modes ---- */

static void mode_check(struct tree_run *r, const uint8_t *text, const struct bough_tree_entry *e)
{
    if (text[0] == '0')
        report(r, BOUGH_FSCK_ZERO_PADDED_FILEMODE, e->name);
    if (e->mode != 0 && bough_filemode(e->mode) == e->mode)
        return;
    if ((e->mode & ~(uint32_t)0777) == 0100000) /* old tools wrote 100664 and kin */
        report(r, BOUGH_FSCK_BAD_FILEMODE, e->name);
    else
        report(r, BOUGH_FSCK_BOGUS_FILEMODE, e->name);
}

/* ---- Names ---- */

/* A file that git reads by its name: not through a link, and a blob. */
static void special_check(
    struct tree_run *r, const struct bough_tree_entry *e, enum bough_fsck_blob kind)
{
    bool modules = kind == BOUGH_FSCK_BLOB_GITMODULES;
    uint32_t mode = bough_filemode(e->mode);

    if (mode == BOUGH_FILEMODE_LINK)
        report(
            r, modules ? BOUGH_FSCK_GITMODULES_SYMLINK : BOUGH_FSCK_GITATTRIBUTES_SYMLINK, e->name);
    else if (mode != BOUGH_FILEMODE_BLOB && mode != BOUGH_FILEMODE_EXEC)
        report(r, modules ? BOUGH_FSCK_GITMODULES_BLOB : BOUGH_FSCK_GITATTRIBUTES_BLOB, e->name);
    else if (r->f->special != NULL)
        r->f->special(r->f->ctx, kind, &e->id);
}

/* Behind each backslash NTFS sees a name of its own. */
static void backslash_check(struct tree_run *r, const struct bough_tree_entry *e)
{
    struct bough_view rest = e->name;
    size_t at;

    while ((at = bough_git__index(rest, '\\')) < rest.len) {
        rest = bough_git__after(rest, at + 1);
        if (bough_git__name_is_ntfs_dot(rest, BOUGH_DOT_GIT))
            report(r, BOUGH_FSCK_HAS_DOTGIT, e->name);
        if (bough_git__name_is_ntfs_dot(rest, BOUGH_DOT_GITMODULES))
            special_check(r, e, BOUGH_FSCK_BLOB_GITMODULES);
    }
}

/* Names that begin otherwise are none of those that git knows, nor their short names. */
static bool may_be_special(uint8_t c)
{
    return c == '.' || c == '~' || c == 'g' || c == 'G' || c == 'm' || c == 'M' || c >= 0x80;
}

static void dots_check(struct tree_run *r, const struct bough_tree_entry *e)
{
    bool link = bough_filemode(e->mode) == BOUGH_FILEMODE_LINK;

    if (bough_name_is_dot(e->name, BOUGH_DOT_GIT))
        report(r, BOUGH_FSCK_HAS_DOTGIT, e->name);
    if (bough_name_is_dot(e->name, BOUGH_DOT_GITMODULES))
        special_check(r, e, BOUGH_FSCK_BLOB_GITMODULES);
    if (bough_name_is_dot(e->name, BOUGH_DOT_GITATTRIBUTES))
        special_check(r, e, BOUGH_FSCK_BLOB_GITATTRIBUTES);
    if (link && bough_name_is_dot(e->name, BOUGH_DOT_GITIGNORE))
        report(r, BOUGH_FSCK_GITIGNORE_SYMLINK, e->name);
    if (link && bough_name_is_dot(e->name, BOUGH_DOT_MAILMAP))
        report(r, BOUGH_FSCK_MAILMAP_SYMLINK, e->name);
}

static void name_check(struct tree_run *r, const struct bough_tree_entry *e)
{
    struct bough_view name = e->name;

    if (name.len > BOUGH_TREE_NAME_MAX)
        report(r, BOUGH_FSCK_LARGE_PATHNAME, name);
    if (bough_git__index(name, '/') < name.len)
        report(r, BOUGH_FSCK_FULL_PATHNAME, name);
    if (name.len == 1 && name.ptr[0] == '.')
        report(r, BOUGH_FSCK_HAS_DOT, name);
    if (name.len == 2 && name.ptr[0] == '.' && name.ptr[1] == '.')
        report(r, BOUGH_FSCK_HAS_DOTDOT, name);
    if (may_be_special(name.ptr[0]))
        dots_check(r, e);
    backslash_check(r, e);
}

void bough_git__fsck_tree(struct bough_fsck *f, struct bough_view body)
{
    struct tree_run r = {.f = f};
    struct bough_tree_iter it;
    struct bough_tree_entry e;
    enum bough_err err;
    const uint8_t *text;

    bough_tree_iter_init(&it, f->algo, body, false);
    for (text = it.left.ptr; (err = bough_tree_iter_next(&it, &e)) == BOUGH_OK;
         text = it.left.ptr) {
        if (++r.n > BOUGH_TREE_ENTRIES_MAX) {
            report(&r, BOUGH_FSCK_TOO_MANY_ENTRIES, e.name);
            return;
        }
        order_check(&r, &e);
        mode_check(&r, text, &e);
        name_check(&r, &e);
        if (bough_oid_is_zero(&e.id))
            report(&r, BOUGH_FSCK_NULL_SHA1, e.name);
    }
    if (err != BOUGH_ENOENT)
        bough_git__fsck_report(f, BOUGH_FSCK_BAD_TREE, it.left.ptr, bough_view(NULL, 0));
}
