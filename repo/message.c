/*
 * message.c - what a commit says when nobody said it.
 *
 *   "set a/b", "remove a/b", "rename a/b c", else "N changes" and up to 100 paths, a line each
 *
 * Control characters in paths become question marks: a message is text.
 */
#include "repo/commit_inner.h"
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/tree_inner.h"

enum { LISTED_MAX = 100 };

struct teller {
    struct bough_repo *r;
    uint64_t n;
    bool removed[2];        /* of the first two changes */
    struct bough_oid id[2]; /* what was removed, what was set */
    enum bough_repo__mode mode[2];
    size_t end[2];         /* where their paths end in the list */
    struct bough_buf list; /* a path a line */
};

static void tell(struct teller *t, struct bough_view path, bool removed, const struct bough_oid *id,
    enum bough_repo__mode mode)
{
    if (t->n < 2) {
        t->removed[t->n] = removed;
        t->id[t->n] = *id;
        t->mode[t->n] = mode;
    }
    if (t->n < LISTED_MAX) {
        uint8_t *p = bough_buf_room(&t->list, path.len + 1);

        for (size_t i = 0; p != NULL && i < path.len; i++)
            p[i] = path.ptr[i] < ' ' || path.ptr[i] == 127 ? '?' : path.ptr[i];
        if (p != NULL)
            t->list.len += path.len;
        bough_buf_put_u8(&t->list, '\n');
    }
    if (t->n < 2)
        t->end[t->n] = t->list.len;
    t->n++;
}

static bool is_rename(const struct teller *t)
{
    return t->n == 2 && t->removed[0] != t->removed[1] && t->mode[0] == t->mode[1] &&
           bough_oid_eq(&t->id[0], &t->id[1]);
}

/* The message, from what was told. */
static enum bough_err tell_end(struct teller *t, struct bough_buf *out)
{
    struct bough_view list = bough_buf_view(&t->list);

    if (t->list.err) {
        bough_buf_fini(&t->list);
        return BOUGH_ENOMEM;
    }
    if (t->n == 1) {
        bough_buf_put_str(out, t->removed[0] ? "remove " : "set ");
        bough_buf_put_view(out, list);
    } else if (is_rename(t)) {
        struct bough_view a = bough_view(list.ptr, t->end[0] - 1);
        struct bough_view b = bough_view(list.ptr + t->end[0], t->end[1] - t->end[0] - 1);

        bough_buf_put_str(out, "rename ");
        bough_buf_put_view(out, t->removed[0] ? a : b);
        bough_buf_put_u8(out, ' ');
        bough_buf_put_view(out, t->removed[0] ? b : a);
        bough_buf_put_u8(out, '\n');
    } else {
        bough_buf_put_udec(out, t->n);
        bough_buf_put_str(out, t->n == 0 ? " changes\n" : " changes\n\n");
        bough_buf_put_view(out, list);
    }
    bough_buf_fini(&t->list);
    return out->err;
}

static enum bough_err tell_edit(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e)
{
    struct teller *t = (struct teller *)ctx;
    struct bough_repo__change was;

    if (t->n == LISTED_MAX) /* the others are counted */
        return BOUGH_ENOENT;
    if (e->to.dir != NULL)
        return BOUGH_OK;
    if (e->to.kind == BOUGH_NODE_NONE) {
        bough_repo__dir_base(t->r, d, bough_repo__edit_name(e), &was);
        tell(t, path, true, &was.id, was.mode);
    } else {
        tell(t, path, false, &e->to.id, e->to.mode);
    }
    return t->list.err;
}

enum bough_err bough_repo__message_edits(struct bough_tree *tree, struct bough_buf *out)
{
    struct teller t = {.r = tree->r};
    enum bough_err err;

    bough_buf_init(&t.list, tree->r->mem);
    err = bough_repo__tree_edits(tree, tell_edit, &t);
    if (err == BOUGH_ENOENT) {
        t.n = bough_repo__tree_edits_n(tree);
        err = BOUGH_OK;
    }
    if (err) {
        bough_buf_fini(&t.list);
        return err;
    }
    return tell_end(&t, out);
}

enum bough_err bough_repo__message_diff(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_buf *out)
{
    struct teller t = {.r = r};
    struct bough_diff_entry e;
    struct bough_diff *d;
    enum bough_err err = bough_diff_open(r, a, b, bough_view(NULL, 0), &d);

    if (err)
        return err;
    bough_buf_init(&t.list, r->mem);
    while ((err = bough_diff_next(d, &e)) == BOUGH_OK) {
        bool removed = e.kind == BOUGH_DIFF_REMOVED;

        tell(&t, e.path, removed, removed ? &e.old_id : &e.new_id,
            bough_repo__mode_class(removed ? e.old_mode : e.new_mode));
    }
    bough_diff_close(d);
    if (err != BOUGH_ENOENT) {
        bough_buf_fini(&t.list);
        return err;
    }
    return tell_end(&t, out);
}
