/*
 * salvage.c - the values of a branch, as far as they can be read, into a commit.
 *
 *   folders    still to be walked, by name
 *   copying    value by value; what fails is told and left out
 *   branches   each that is not the same in the new store
 */
#include <stdlib.h>
#include <string.h>

#include "cli/repair.h"

/* ---- Folders ---- */

struct folders {
    char **key;
    size_t n, cap;
};

static enum bough_err folder_push(struct folders *f, struct bough_view key)
{
    if (f->n == f->cap) {
        size_t cap = f->cap > 0 ? 2 * f->cap : 64;
        char **grown = realloc(f->key, cap * sizeof *grown);
        if (grown == NULL)
            return BOUGH_ENOMEM;
        f->key = grown;
        f->cap = cap;
    }
    f->key[f->n] = strndup((const char *)key.ptr, key.len);
    return f->key[f->n++] == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

static void folders_fini(struct folders *f)
{
    while (f->n > 0)
        free(f->key[--f->n]);
    free(f->key);
}

/* ---- Copying ---- */

struct salvaging {
    struct repair *x;
    struct bough_kv *src, *batch;
    struct bough_view branch;
    struct folders folders;
    uint64_t lost;
};

static void tell_lost(struct salvaging *s, struct bough_view key)
{
    s->lost++;
    json_item(&s->x->json, "lost");
    json_field(&s->x->json, "branch", s->branch);
    json_field(&s->x->json, "key", key);
    json_item_end(&s->x->json);
    if (s->x->json.on)
        return;
    printf("lost @%.*s:%.*s\n", (int)s->branch.len, (const char *)s->branch.ptr, (int)key.len,
        (const char *)key.ptr);
}

/* An error of the damaged side loses a value; one of the new side ends it all. */
static bool is_loss(enum bough_err err)
{
    return err == BOUGH_ECORRUPT || err == BOUGH_EIO || err == BOUGH_ENOENT || err == BOUGH_EFORMAT;
}

static enum bough_err value_copy(struct salvaging *s, struct bough_view key)
{
    enum bough_err err = bough_kv_copy(s->src, key, s->batch, key, NULL, NULL);

    if (!is_loss(err))
        return err;
    tell_lost(s, key);
    return BOUGH_OK;
}

static enum bough_err folder_copy(struct salvaging *s, struct bough_view key)
{
    struct bough_kv_entry e;
    struct bough_buf name, child;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&name, s->x->src->env.mem);
    bough_buf_init(&child, s->x->src->env.mem);
    while (!err) {
        s->src->why.what = NULL;
        err = bough_kv_next(s->src, key, bough_buf_view(&name), &e);
        if (err)
            break;
        bough_buf_clear(&name);
        bough_buf_put_view(&name, e.name);
        bough_buf_clear(&child);
        bough_buf_put_view(&child, e.key);
        err = name.err ? name.err : child.err;
        if (!err && e.kind == BOUGH_KIND_DICT)
            err = folder_push(&s->folders, bough_buf_view(&child));
        else if (!err)
            err = value_copy(s, bough_buf_view(&child));
    }
    if (err == BOUGH_ENOENT && s->src->why.what != NULL && strcmp(s->src->why.what, "end") == 0)
        err = BOUGH_OK;
    bough_buf_fini(&name);
    bough_buf_fini(&child);
    if (!is_loss(err))
        return err;
    tell_lost(s, key);
    return BOUGH_OK;
}

/* What the branch has so far goes: it is written anew. */
static enum bough_err batch_empty(struct bough_kv *batch)
{
    struct bough_kv_entry e;
    enum bough_err err;

    while (!(err = bough_kv_next(batch, bough_view_str("/"), bough_view(NULL, 0), &e))) {
        char *key = strndup((const char *)e.key.ptr, e.key.len);

        err = key == NULL ? BOUGH_ENOMEM : bough_kv_remove(batch, bough_view_str(key));
        free(key);
        if (err)
            return err;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err all_copy(struct salvaging *s)
{
    enum bough_err err = batch_empty(s->batch);

    if (!err)
        err = folder_push(&s->folders, bough_view_str("/"));
    while (!err && s->folders.n > 0) {
        char *key = s->folders.key[--s->folders.n];

        err = folder_copy(s, bough_view_str(key));
        free(key);
    }
    return err;
}

/* ---- Branches ---- */

static bool is_same(struct bough_kv *a, struct bough_kv *b)
{
    struct bough_oid x, y;

    return !bough_kv_digest(a, bough_view_str("/"), &x) &&
           !bough_kv_digest(b, bough_view_str("/"), &y) && bough_oid_eq(&x, &y);
}

static enum bough_err branch_copy(struct salvaging *s, struct bough_kv *dst)
{
    struct bough_info info;
    enum bough_err err;

    if (cli_info(s->x->dst, &info))
        return BOUGH_EINVAL;
    info.message = bough_view_str("Salvage what can be read\n");
    err = bough_kv_info(dst, &info);
    if (!err)
        err = bough_kv_begin(dst, BOUGH_TEST_AND_SET, &s->batch);
    if (err)
        return err;
    err = all_copy(s);
    folders_fini(&s->folders);
    if (!err)
        return bough_kv_commit(s->batch);
    dst->why = s->batch->why;
    bough_kv_abort(s->batch);
    return err;
}

static enum bough_err branch_salvage(
    struct repair *x, struct bough_view name, struct bough_why *why)
{
    struct salvaging s = {.x = x, .branch = name};
    struct bough_kv *dst = NULL;
    enum bough_err err = bough_kv_branch_open(x->src->repo, name, &s.src);

    if (err)
        return is_loss(err) ? BOUGH_OK : err; /* nothing of it can be read: it was told */
    err = bough_kv_branch_open(x->dst->repo, name, &dst);
    if (!err && !is_same(s.src, dst)) {
        err = branch_copy(&s, dst);
        *why = dst->why;
    }
    x->lost += s.lost;
    bough_kv_close(dst);
    bough_kv_close(s.src);
    return err;
}

enum bough_err salvage(struct repair *x, struct bough_why *why)
{
    struct bough_view heads = bough_view_str("refs/heads/");
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    enum bough_err err;

    while (!(err = bough_store_ref_next(x->src->engine, heads, after, &ref))) {
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        err = branch_salvage(x, bough_view(name + heads.len, after.len - heads.len), why);
        if (err)
            return err;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}
