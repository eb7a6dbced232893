/*
 * refs.c - refs as they are now: the store's, with what a transaction moved on top.
 *
 *   moved      the ordered map of what moved
 *   reading    one, the next one
 *   HEAD       the branch that it names
 *   folding    what readers of commit ids would miss
 */
#include "git/name.h"
#include "repo/edit_inner.h"
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/txn_inner.h"

#define HEADS "refs/heads/"

/* ---- Moved ---- */

enum bough_err bough_repo__moved_put(struct bough_repo *r, struct bough_repo__dir **map,
    struct bough_view name, const struct bough_oid *id, const struct bough_oid *peeled)
{
    struct bough_repo__change to = {.kind = BOUGH_NODE_VALUE, .id = *id};
    enum bough_err err;

    to.mode = bough_oid_is_zero(id) ? BOUGH_REPO__SUB : BOUGH_REPO__FILE;
    if (*map == NULL) {
        err = bough_repo__dir_new(r, NULL, NULL, map);
        if (err)
            return err;
    }
    if (peeled != NULL && !bough_oid_is_zero(peeled)) {
        err = bough_repo__value_own(
            (*map)->pool, &to, bough_view(peeled->bytes, sizeof peeled->bytes));
        if (err)
            return err;
    }
    err = bough_repo__dir_put(r, *map, name, &to);
    if (err)
        bough_repo__value_drop((*map)->pool, &to);
    return err;
}

void bough_repo__moved_drop(struct bough_repo *r)
{
    bough_repo__dir_free(r, r->moved);
    bough_repo__dir_free(r, r->trial);
    r->moved = r->trial = NULL;
}

enum bough_err bough_repo__ref_move(struct bough_repo *r, struct bough_view name,
    const struct bough_oid *old, const struct bough_oid *now, const struct bough_oid *peeled)
{
    struct bough_ref_change change = {.name = name, .check = true, .old = *old, .id = *now};
    struct bough_txn *txn;
    enum bough_err err = bough_repo__txn(r, &txn);

    if (err)
        return err;
    change.kind = bough_oid_is_zero(now) ? BOUGH_REF_NONE : BOUGH_REF_ID;
    if (peeled != NULL)
        change.peeled = *peeled;
    err = bough_txn_ref(txn, &change);
    if (err)
        r->why = r->store->why;
    if (err || !r->gathering)
        return err;
    return bough_repo__moved_put(r, &r->moved, name, now, peeled);
}

struct bough_oid bough_repo__moved_peeled(const struct bough_repo__edit *e)
{
    struct bough_oid peeled = {{0}};

    if (e->to.value != NULL)
        memcpy(peeled.bytes, e->to.value->bytes.ptr, sizeof peeled.bytes);
    return peeled;
}

static void moved_say(const struct bough_repo__edit *e, struct bough_ref *out)
{
    *out = (struct bough_ref){.name = bough_repo__edit_name(e), .kind = BOUGH_REF_ID};
    out->id = e->to.id;
    out->peeled = bough_repo__moved_peeled(e);
}

static bool moved_gone(const struct bough_repo__edit *e)
{
    return e->to.mode == BOUGH_REPO__SUB;
}

/* ---- Reading ---- */

enum bough_err bough_repo__ref_now(
    struct bough_repo *r, struct bough_view name, struct bough_ref *out)
{
    struct bough_repo__edit *e = NULL;
    enum bough_err err;

    if (r->trial != NULL)
        e = bough_repo__dir_edit(r, r->trial, name);
    if (e == NULL && r->moved != NULL)
        e = bough_repo__dir_edit(r, r->moved, name);
    if (e != NULL && moved_gone(e))
        return BOUGH_ENOENT;
    if (e != NULL) {
        moved_say(e, out);
        return BOUGH_OK;
    }
    err = bough_store_ref(r->store, name, out);
    if (err && err != BOUGH_ENOENT)
        r->why = r->store->why;
    return err;
}

/* The lesser of two edits; of equals the first. */
static struct bough_repo__edit *edit_first(struct bough_repo__edit *a, struct bough_repo__edit *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    return bough_view_cmp(bough_repo__edit_name(a), bough_repo__edit_name(b)) <= 0 ? a : b;
}

static bool begins_with(struct bough_view name, struct bough_view prefix)
{
    return name.len >= prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

/* The first moved ref behind `after` that begins with `prefix`, or NULL. */
static struct bough_repo__edit *moved_after(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after)
{
    struct bough_repo__edit *e[2] = {NULL, NULL}, *first;
    struct bough_repo__dir *maps[2] = {r->trial, r->moved};
    struct bough_view from = bough_view_cmp(after, prefix) < 0 ? prefix : after;

    for (int i = 0; i < 2; i++) {
        if (maps[i] == NULL)
            continue;
        e[i] = bough_view_eq(from, after) ? NULL : bough_repo__dir_edit(r, maps[i], from);
        if (e[i] == NULL)
            e[i] = bough_repo__dir_after(maps[i], from);
    }
    first = edit_first(e[0], e[1]);
    return first != NULL && begins_with(bough_repo__edit_name(first), prefix) ? first : NULL;
}

enum bough_err bough_repo__ref_after(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    for (;;) {
        enum bough_err err = bough_store_ref_next(r->store, prefix, after, out);
        struct bough_repo__edit *e = moved_after(r, prefix, after);

        if (err && err != BOUGH_ENOENT)
            r->why = r->store->why;
        if (e == NULL || (err && err != BOUGH_ENOENT))
            return err;
        if (err == BOUGH_OK && bough_view_cmp(bough_repo__edit_name(e), out->name) > 0)
            return BOUGH_OK;
        if (!moved_gone(e)) {
            moved_say(e, out);
            return BOUGH_OK;
        }
        after = bough_repo__edit_name(e);
    }
}

/* ---- Folding ---- */

enum bough_err bough_repo_ref(struct bough_repo *r, struct bough_view name, struct bough_ref *out)
{
    struct bough_repo__head *h;
    enum bough_err err = bough_repo__head_known(r, name, &h);

    if (err == BOUGH_OK && h != NULL)
        err = bough_repo__fold_now(h);
    return err ? err : bough_repo__ref_now(r, name, out);
}

enum bough_err bough_repo_ref_next(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    struct bough_repo__head *h, *next;
    enum bough_err err = bough_repo__heads_refresh(r);

    for (h = r->open; h != NULL && err == BOUGH_OK; h = next) {
        next = h->open_next;
        if (begins_with(bough_repo__head_name(h), prefix))
            err = bough_repo__fold_now(h);
    }
    return err ? err : bough_repo__ref_after(r, prefix, after, out);
}

/* ---- HEAD ---- */

/* Servers ask for each request.  Only a transaction changes it, where nobody else writes to the store. */
enum bough_err bough_repo_head_branch(struct bough_repo *r, struct bough_view *out)
{
    struct bough_view heads = bough_view_str(HEADS);
    struct bough_ref ref;
    enum bough_err err;

    *out = bough_buf_view(&r->home);
    if (r->home_known)
        return BOUGH_OK;
    err = bough_store_ref(r->store, bough_view_str("HEAD"), &ref);
    if (err)
        return err;
    if (ref.kind != BOUGH_REF_SYM || !begins_with(ref.target, heads))
        return BOUGH_WHY(&r->why, BOUGH_ENOENT, "HEAD names no branch", NULL, 0);
    bough_buf_clear(&r->home);
    bough_buf_put(&r->home, ref.target.ptr + heads.len, ref.target.len - heads.len);
    *out = bough_buf_view(&r->home);
    r->home_known = r->home.err == BOUGH_OK && (r->store->caps & BOUGH_STORE_SHARED) == 0;
    return r->home.err;
}

enum bough_err bough_repo_set_head_branch(struct bough_repo *r, struct bough_view name)
{
    struct bough_ref_change change = {.name = bough_view_str("HEAD"), .kind = BOUGH_REF_SYM};
    struct bough_txn *txn;
    struct bough_buf full;
    enum bough_err err = bough_repo__begin(r);

    if (err)
        return err;
    bough_buf_init(&full, r->mem);
    bough_buf_put_str(&full, HEADS);
    bough_buf_put_view(&full, name);
    change.target = bough_buf_view(&full);
    err = full.err ? full.err : bough_refname_check(change.target, 0, &r->why);
    if (err == BOUGH_OK)
        err = bough_repo__txn(r, &txn);
    if (err == BOUGH_OK)
        err = bough_txn_ref(txn, &change);
    err = bough_repo__end(r, err);
    bough_buf_fini(&full);
    return err;
}
