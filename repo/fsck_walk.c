/*
 * fsck_walk.c - everything that an object reaches, children before parents.
 *
 *   blobs      are there
 *   trees      on a stack of open ones; a second time for the paths of what is bad
 *   commits    on a stack of steps: first the parents, then the commit with its tree
 *   tags       one after the other
 *
 * No recursion: histories and folders may be as deep as they like.
 */
#include "repo/fsck_inner.h"
#include "repo/inner.h"

enum { S_KIND = 0170000, S_TREE = 0040000, S_SUBMODULE = 0160000 };

struct bough_fsck__tree {
    struct bough_oid id;
    struct bough_buf raw;
    struct bough_tree_iter it;
    size_t path; /* bytes of f->path above it */
    bool tainted;
};

struct bough_fsck__step {
    struct bough_oid id;
    bool again; /* its parents were done */
};

/* A read that fails for good is a finding, not an error of ours. */
static bool is_finding(enum bough_err err)
{
    return err == BOUGH_ENOENT || err == BOUGH_ECORRUPT || err == BOUGH_EFORMAT ||
           err == BOUGH_EINVAL || err == BOUGH_EIO;
}

static enum bough_err bad(struct bough_fsck *f, const struct bough_oid *id, enum bough_err err,
    enum bough_repo__mark *out)
{
    if (!is_finding(err))
        return err;
    *out = BOUGH_REPO__BAD;
    bough_repo__fsck_tell(f, err == BOUGH_ENOENT ? BOUGH_FSCK_MISSING : BOUGH_FSCK_DAMAGED, id);
    return bough_repo__mark_set(&f->marks, id, BOUGH_REPO__BAD);
}

/* ---- Blobs ---- */

static enum bough_err blob_look(
    struct bough_fsck *f, const struct bough_oid *id, enum bough_repo__mark *out)
{
    struct bough_oid *there = &f->there[bough_get32le(id->bytes + 8) % BOUGH_REPO__THERE];
    enum bough_err err;

    *out = bough_repo__mark_of(&f->marks, id); /* only bad ones are marked */
    if (*out == BOUGH_REPO__BAD) {
        bough_repo__fsck_tell(f, BOUGH_FSCK_DAMAGED, id);
        return BOUGH_OK;
    }
    *out = BOUGH_REPO__WHOLE;
    if (bough_oid_eq(there, id))
        return BOUGH_OK;
    err = bough_store_has(f->r->store, id);
    if (err)
        return bad(f, id, err, out);
    *there = *id;
    return BOUGH_OK;
}

/* ---- Trees ---- */

static enum bough_err tree_push(struct bough_fsck *f, const struct bough_oid *id, size_t path)
{
    void *ptr = f->trees;
    struct bough_fsck__tree *t;
    enum bough_type type;
    enum bough_err err =
        bough_mem_grow(f->r->mem, &ptr, &f->depth_cap, f->depth + 1, sizeof *f->trees);

    f->trees = ptr;
    if (err)
        return err;
    t = &f->trees[f->depth];
    *t = (struct bough_fsck__tree){.id = *id, .path = path};
    bough_buf_init(&t->raw, f->r->mem);
    err = bough_store_read(f->r->store, id, &type, &t->raw);
    if (!err && type != BOUGH_TREE)
        err = BOUGH_EFORMAT;
    if (err) {
        bough_buf_fini(&t->raw);
        return err;
    }
    bough_tree_iter_init(&t->it, f->r->algo, bough_buf_view(&t->raw), false);
    f->depth++;
    return BOUGH_OK;
}

static enum bough_err tree_pop(struct bough_fsck *f, enum bough_repo__mark *out)
{
    struct bough_fsck__tree *t = &f->trees[--f->depth];

    *out = t->tainted ? BOUGH_REPO__TAINTED : BOUGH_REPO__WHOLE;
    f->path.len = t->path;
    bough_buf_fini(&t->raw);
    return f->lost ? BOUGH_OK : bough_repo__mark_set(&f->marks, &t->id, *out);
}

/* What a tree entry leads to; `*open`: a tree that is to be walked now. */
static enum bough_err entry_mark(
    struct bough_fsck *f, const struct bough_tree_entry *e, enum bough_repo__mark *out, bool *open)
{
    bool tree = (e->mode & S_KIND) == S_TREE;

    *out = bough_repo__mark_of(&f->marks, &e->id);
    if (f->lost) { /* everything is marked: only what is bad is told */
        *open = tree && *out == BOUGH_REPO__TAINTED;
        if (*out == BOUGH_REPO__BAD)
            bough_repo__fsck_tell(f, BOUGH_FSCK_PATH, &e->id);
        return BOUGH_OK;
    }
    if (!tree)
        return blob_look(f, &e->id, out);
    *open = *out == BOUGH_REPO__UNSEEN;
    if (*out == BOUGH_REPO__BAD)
        bough_repo__fsck_tell(f, BOUGH_FSCK_DAMAGED, &e->id);
    return BOUGH_OK;
}

/* One entry of the topmost tree; the path of one that is opened stays until it is closed. */
static enum bough_err entry_walk(
    struct bough_fsck *f, const struct bough_tree_entry *e, bool *tainted)
{
    size_t path = f->path.len;
    enum bough_repo__mark mark;
    bool open = false;
    enum bough_err err;

    if ((e->mode & S_KIND) == S_SUBMODULE) /* its commit lives elsewhere */
        return BOUGH_OK;
    if (path > 0)
        bough_buf_put_u8(&f->path, '/');
    bough_buf_put_view(&f->path, e->name);
    err = f->path.err ? f->path.err : entry_mark(f, e, &mark, &open);
    if (!err && open) {
        err = tree_push(f, &e->id, path);
        if (!err)
            return BOUGH_OK;
        err = bad(f, &e->id, err, &mark);
    }
    f->path.len = path;
    *tainted = !err && mark != BOUGH_REPO__WHOLE;
    return err;
}

/* Until all trees on the stack are closed. */
static enum bough_err trees_walk(struct bough_fsck *f, enum bough_repo__mark *out)
{
    enum bough_err err = BOUGH_OK;

    while (f->depth > 0 && !err) {
        struct bough_fsck__tree *t = &f->trees[f->depth - 1];
        struct bough_tree_entry e;
        size_t depth = f->depth;
        bool tainted = false;

        err = bough_tree_iter_next(&t->it, &e);
        if (!err)
            err = entry_walk(f, &e, &tainted);
        else if (err == BOUGH_EFORMAT) {
            bough_repo__fsck_tell(f, BOUGH_FSCK_DAMAGED, &t->id);
            t->it.left.len = 0;
            tainted = true;
            err = BOUGH_OK;
        } else if (err == BOUGH_ENOENT) {
            err = tree_pop(f, out);
            tainted = *out != BOUGH_REPO__WHOLE;
            depth--;
        }
        if (depth > 0)
            f->trees[depth - 1].tainted |= tainted;
    }
    while (f->depth > 0)
        bough_buf_fini(&f->trees[--f->depth].raw);
    return err;
}

/* Walk all that a tree of `f->commit` reaches and mark it. */
static enum bough_err tree_check(
    struct bough_fsck *f, const struct bough_oid *id, enum bough_repo__mark *out)
{
    enum bough_err err;

    *out = bough_repo__mark_of(&f->marks, id);
    if (*out != BOUGH_REPO__UNSEEN)
        return BOUGH_OK;
    f->path.len = 0;
    err = tree_push(f, id, 0);
    return err ? bad(f, id, err, out) : trees_walk(f, out);
}

static enum bough_err commit_read(
    struct bough_fsck *f, const struct bough_oid *id, struct bough_commit *c)
{
    enum bough_type type;
    enum bough_err err;

    bough_buf_clear(&f->raw);
    err = bough_store_read(f->r->store, id, &type, &f->raw);
    if (!err && type != BOUGH_COMMIT)
        err = BOUGH_EFORMAT;
    if (!err)
        err = bough_commit_parse(f->r->algo, bough_buf_view(&f->raw), c);
    if (!err && bough_store_boundary(f->r->store, id) == BOUGH_OK)
        c->parents_n = 0;
    return err;
}

enum bough_err bough_repo__fsck_lost(struct bough_fsck *f, const struct bough_oid *commit)
{
    enum bough_repo__mark mark;
    struct bough_commit c;
    enum bough_err err = commit_read(f, commit, &c);

    f->commit = *commit;
    f->path.len = 0;
    f->lost = true;
    if (!err && bough_repo__mark_of(&f->marks, &c.tree) == BOUGH_REPO__BAD)
        bough_repo__fsck_tell(f, BOUGH_FSCK_PATH, &c.tree);
    else if (!err && bough_repo__mark_of(&f->marks, &c.tree) == BOUGH_REPO__TAINTED)
        err = tree_push(f, &c.tree, 0);
    if (!err)
        err = trees_walk(f, &mark);
    f->lost = false;
    return is_finding(err) ? BOUGH_OK : err;
}

void bough_repo__fsck_stacks_fini(struct bough_fsck *f)
{
    bough_mem_free(f->r->mem, f->trees, f->depth_cap * sizeof *f->trees);
    bough_mem_free(f->r->mem, f->steps, f->steps_cap * sizeof *f->steps);
}

/* ---- Commits ---- */

static enum bough_err step_push(struct bough_fsck *f, const struct bough_oid *id, bool again)
{
    void *ptr = f->steps;
    enum bough_err err =
        bough_mem_grow(f->r->mem, &ptr, &f->steps_cap, f->steps_n + 1, sizeof *f->steps);

    f->steps = ptr;
    if (!err)
        f->steps[f->steps_n++] = (struct bough_fsck__step){*id, again};
    return err;
}

/* First time: the commit again, and before it the parents that were not seen. */
static enum bough_err commit_first(struct bough_fsck *f, const struct bough_oid *id)
{
    enum bough_repo__mark mark;
    struct bough_commit c;
    enum bough_err err = commit_read(f, id, &c);

    if (err) {
        f->commit = *id;
        f->path.len = 0;
        return bad(f, id, err, &mark);
    }
    err = step_push(f, id, true);
    for (uint32_t i = 0; i < c.parents_n && !err; i++) {
        struct bough_oid parent = bough_commit_parent(&c, i);
        if (bough_repo__mark_of(&f->marks, &parent) == BOUGH_REPO__UNSEEN)
            err = step_push(f, &parent, false);
    }
    return err;
}

static enum bough_err commit_again(struct bough_fsck *f, const struct bough_oid *id)
{
    enum bough_repo__mark mark = BOUGH_REPO__WHOLE;
    struct bough_commit c;
    bool tainted = false;
    enum bough_err err = commit_read(f, id, &c);

    for (uint32_t i = 0; !err && i < c.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&c, i);
        tainted |= bough_repo__mark_of(&f->marks, &parent) != BOUGH_REPO__WHOLE;
    }
    f->commit = *id;
    if (!err)
        err = tree_check(f, &c.tree, &mark);
    if (err)
        return err;
    tainted |= mark != BOUGH_REPO__WHOLE;
    return bough_repo__mark_set(&f->marks, id, tainted ? BOUGH_REPO__TAINTED : BOUGH_REPO__WHOLE);
}

static enum bough_err commits_walk(struct bough_fsck *f, const struct bough_oid *id)
{
    enum bough_err err = step_push(f, id, false);

    while (f->steps_n > 0 && !err) {
        struct bough_fsck__step s = f->steps[--f->steps_n];

        if (s.again)
            err = commit_again(f, &s.id);
        else if (bough_repo__mark_of(&f->marks, &s.id) == BOUGH_REPO__UNSEEN)
            err = commit_first(f, &s.id);
    }
    f->steps_n = 0;
    return err;
}

/* ---- Anything ---- */

/* The object that a tag is of, or the object itself. */
static enum bough_err tag_peel(struct bough_fsck *f, struct bough_oid *id, enum bough_type *type)
{
    struct bough_found found;
    struct bough_tag tag;
    enum bough_err err;

    for (;;) {
        err = bough_store_find(f->r->store, id, &found);
        *type = found.type;
        if (err || found.type != BOUGH_TAG)
            return err;
        bough_buf_clear(&f->raw);
        err = bough_store_read(f->r->store, id, type, &f->raw);
        if (!err)
            err = bough_tag_parse(f->r->algo, bough_buf_view(&f->raw), &tag);
        if (err)
            return err;
        *id = tag.object; /* an id cannot be part of itself: there are no circles */
    }
}

enum bough_err bough_repo__fsck_walk(
    struct bough_fsck *f, const struct bough_oid *id, enum bough_repo__mark *out)
{
    struct bough_oid at = *id;
    enum bough_type type = BOUGH_NONE;
    enum bough_err err;

    *out = bough_repo__mark_of(&f->marks, id);
    if (*out != BOUGH_REPO__UNSEEN)
        return BOUGH_OK;
    f->commit = (struct bough_oid){{0}};
    f->path.len = 0;
    err = tag_peel(f, &at, &type);
    if (err)
        return bad(f, &at, err, out);
    if (type == BOUGH_COMMIT)
        err = commits_walk(f, &at);
    else if (type == BOUGH_TREE)
        err = tree_check(f, &at, out);
    else
        err = blob_look(f, &at, out);
    if (!err && type == BOUGH_COMMIT)
        *out = bough_repo__mark_of(&f->marks, &at);
    return err;
}
