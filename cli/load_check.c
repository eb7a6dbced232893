/*
 * load_check.c - what git's fsck says of names that git itself reads, before they come into a tree.
 *
 *   paths    each segment as the one entry of a tree
 *   values   .gitmodules and .gitattributes, by their content
 *
 * A push is refused for the same reasons by the same rules (git/fsck.h).
 */
#include <string.h>

#include "cli/load.h"

enum { NAME_MAX_LEN = 255 }; /* longer ones mean nothing to git */

static void on_special(void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob)
{
    unsigned *kinds = ctx;

    (void)blob;
    *kinds |= 1u << kind;
}

void load_check_init(struct load_check *c, enum bough_algo algo)
{
    *c = (struct load_check){.kinds = 0};
    bough_fsck_init(&c->fsck, algo);
    c->fsck.why = &c->why;
    c->fsck.ctx = &c->kinds;
    c->fsck.special = on_special;
}

/* A tree of one entry; which object it names plays no part. */
static enum bough_err entry_check(struct load_check *c, const char *mode, struct bough_view name)
{
    size_t mode_len = strlen(mode), id_len = bough_algo_len(c->fsck.algo);
    uint8_t body[16 + NAME_MAX_LEN + BOUGH_DIGEST_MAX];

    if (name.len > NAME_MAX_LEN)
        return BOUGH_OK;
    memcpy(body, mode, mode_len);
    body[mode_len] = ' ';
    memcpy(body + mode_len + 1, name.ptr, name.len);
    body[mode_len + 1 + name.len] = 0;
    memset(body + mode_len + 2 + name.len, 1, id_len);
    return bough_fsck_object(
        &c->fsck, BOUGH_TREE, bough_view(body, mode_len + 2 + name.len + id_len));
}

enum bough_err load_check_path(struct load_check *c, const char *mode, struct bough_view path)
{
    static const char *const blobs[] = {"gitmodulesBlob: non-blob found at .gitmodules",
        "gitattributesBlob: non-blob found at .gitattributes"};
    const uint8_t *slash;
    enum bough_err err = BOUGH_OK;

    c->kinds = 0;
    while (!err && c->kinds == 0 && (slash = memchr(path.ptr, '/', path.len)) != NULL) {
        size_t n = (size_t)(slash - path.ptr);
        err = entry_check(c, "40000", bough_view(path.ptr, n));
        path = bough_view(slash + 1, path.len - n - 1);
    }
    if (!err && c->kinds == 0) {
        err = entry_check(c, mode, path);
        if (err || strcmp(mode, "160000") != 0)
            return err;
    }
    if (!err && c->kinds != 0)
        err = BOUGH_WHY(&c->why, BOUGH_EFORMAT,
            blobs[(c->kinds & 1u << BOUGH_FSCK_BLOB_GITMODULES) == 0], NULL, 0);
    return err;
}

enum bough_err load_check_value(struct load_check *c, struct bough_view body)
{
    enum bough_err err = BOUGH_OK;

    if ((c->kinds & 1u << BOUGH_FSCK_BLOB_GITMODULES) != 0)
        err = bough_fsck_gitmodules(&c->fsck, body);
    if (!err && (c->kinds & 1u << BOUGH_FSCK_BLOB_GITATTRIBUTES) != 0)
        err = bough_fsck_gitattributes(&c->fsck, body);
    return err;
}
