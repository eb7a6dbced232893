/*
 * tree.c - trees: modes, entries in their order, reading and writing.
 *
 * A tree is entries without anything between: `mode SP name NUL id`, the
 * mode in octal, the id in 20 or 32 raw bytes.
 */
#include "git/inner.h"

uint32_t bough_filemode(uint32_t mode)
{
    switch (mode & 0170000) {
    case 0100000:
        return mode & 0100 ? BOUGH_FILEMODE_EXEC : BOUGH_FILEMODE_BLOB;
    case BOUGH_FILEMODE_TREE:
    case BOUGH_FILEMODE_LINK:
    case BOUGH_FILEMODE_GITLINK:
        return mode & 0170000;
    default:
        return 0;
    }
}

int bough_tree_name_cmp(struct bough_view a, bool a_is_tree, struct bough_view b, bool b_is_tree)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    int a_next, b_next;

    if (c != 0)
        return c;
    a_next = a.len > n ? a.ptr[n] : a_is_tree ? '/' : 0;
    b_next = b.len > n ? b.ptr[n] : b_is_tree ? '/' : 0;
    return a_next - b_next;
}

void bough_tree_iter_init(
    struct bough_tree_iter *it, enum bough_algo algo, struct bough_view raw, bool strict)
{
    *it = (struct bough_tree_iter){.algo = algo, .strict = strict, .left = raw};
}

/* The mode at the front of `left`, up to and with the space behind it. */
static bool mode_take(struct bough_view *left, uint32_t *out)
{
    uint32_t mode = 0;
    size_t i = 0;

    for (; i < left->len && left->ptr[i] != ' '; i++) {
        uint8_t c = left->ptr[i];

        if (c < '0' || c > '7')
            return false;
        if (mode >> 29 != 0) /* where git's wraps */
            return false;
        mode = mode << 3 | (uint32_t)(c - '0');
    }
    if (i == 0 || i == left->len)
        return false;
    *left = bough_git__after(*left, i + 1);
    *out = mode;
    return true;
}

/* A constant length in each branch: the compiler copies in place, without a call. */
static void id_copy(enum bough_algo algo, const uint8_t *raw, struct bough_oid *out)
{
    if (algo == BOUGH_SHA1) {
        memcpy(out->bytes, raw, 20);
        memset(out->bytes + 20, 0, BOUGH_DIGEST_MAX - 20);
    } else {
        memcpy(out->bytes, raw, BOUGH_DIGEST_MAX);
    }
}

/* The entry at the front of `left`, as git reads it. */
static bool entry_take(enum bough_algo algo, struct bough_view *left, struct bough_tree_entry *out)
{
    struct bough_view rest = *left;
    size_t len, id_len = bough_algo_len(algo);

    if (!mode_take(&rest, &out->mode))
        return false;
    len = bough_git__index(rest, 0);
    if (len == 0 || rest.len - len < 1 + id_len)
        return false;
    out->name = bough_view(rest.ptr, len);
    id_copy(algo, rest.ptr + len + 1, &out->id);
    *left = bough_git__after(rest, len + 1 + id_len);
    return true;
}

static bool mode_is_tree(uint32_t mode)
{
    return (mode & 0170000) == BOUGH_FILEMODE_TREE;
}

/* Does the entry keep to what strict reading demands?  `text` begins with its mode. */
static bool entry_is_strict(
    const struct bough_tree_iter *it, const uint8_t *text, const struct bough_tree_entry *e)
{
    const struct bough_tree_entry *last = &it->last;

    if (text[0] == '0' || e->mode == 0 || bough_filemode(e->mode) != e->mode)
        return false;
    if (bough_git__index(e->name, '/') < e->name.len)
        return false;
    return last->name.len == 0 || (!bough_view_eq(last->name, e->name) &&
                                      bough_tree_name_cmp(last->name, mode_is_tree(last->mode),
                                          e->name, mode_is_tree(e->mode)) < 0);
}

enum bough_err bough_tree_iter_next(struct bough_tree_iter *it, struct bough_tree_entry *out)
{
    struct bough_view rest = it->left;

    if (rest.len == 0)
        return BOUGH_ENOENT;
    if (!entry_take(it->algo, &rest, out))
        return BOUGH_EFORMAT;
    if (it->strict) {
        if (!entry_is_strict(it, it->left.ptr, out))
            return BOUGH_EFORMAT;
        it->last = *out;
    }
    it->left = rest;
    return BOUGH_OK;
}

enum bough_err bough_tree_iter_find(
    struct bough_tree_iter *it, struct bough_view name, struct bough_tree_entry *out)
{
    enum bough_err err;

    do
        err = bough_tree_iter_next(it, out);
    while (err == BOUGH_OK && !bough_view_eq(out->name, name));
    return err;
}

void bough_tree_entry_put(struct bough_buf *out, enum bough_algo algo, uint32_t mode,
    struct bough_view name, const struct bough_oid *id)
{
    size_t mode_len = mode == BOUGH_FILEMODE_TREE ? 5 : 6, id_len = bough_algo_len(algo);
    uint8_t *p;

    BOUGH_ASSERT(mode != 0 && bough_filemode(mode) == mode);
    BOUGH_ASSERT(name.len > 0);
    if (name.len > SIZE_MAX - 64) {
        out->err = out->err ? out->err : BOUGH_ETOOBIG;
        return;
    }
    p = bough_buf_room(out, mode_len + 1 + name.len + 1 + id_len);
    if (p == NULL)
        return;
    for (size_t i = mode_len; i-- > 0; mode >>= 3)
        p[i] = (uint8_t)('0' + (mode & 7));
    p[mode_len] = ' ';
    memcpy(p + mode_len + 1, name.ptr, name.len);
    p[mode_len + 1 + name.len] = 0;
    memcpy(p + mode_len + 1 + name.len + 1, id->bytes, id_len);
    out->len += mode_len + 1 + name.len + 1 + id_len;
}
