/*
 * history.h - small histories in a store, and whether all that is in it is closed.
 *
 *   branches    files by number, each a seed; a commit puts what changed, trees as deltas
 *   closed      each object is what its id says, and what it names is there
 *
 * A body follows from its seed, so a test needs no model of contents.
 */
#ifndef TEST_HISTORY_H
#define TEST_HISTORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/posix.h"
#include "git/delta.h"
#include "git/object.h"
#include "store/collect.h"
#include "tests/lib/env.h"

#define HIST_TRY(x)                                                                                \
    do {                                                                                           \
        enum bough_err hist_err_ = (x);                                                            \
        if (hist_err_)                                                                             \
            return hist_err_;                                                                      \
    } while (0)

enum { HIST_FILES = 24, HIST_BODY = 400 };

struct history {
    char name[32];             /* of the ref */
    uint64_t file[HIST_FILES]; /* seeds; 0: not there */
    struct bough_oid head;     /* zero: no commit yet */
    struct bough_oid tree;
    struct bough_buf tree_body; /* of the last commit */
    uint64_t commits;
    uint64_t time; /* of the next commit */
};

static inline void history_init(struct history *h, const char *name)
{
    memset(h, 0, sizeof *h);
    (void)snprintf(h->name, sizeof h->name, "refs/heads/%s", name);
    bough_buf_init(&h->tree_body, bough_posix_mem());
    h->time = 1000000000;
}

static inline void history_fini(struct history *h)
{
    bough_buf_fini(&h->tree_body);
}

/* Begin again at `was`, a copy made earlier; the body of its tree is read when it is asked for. */
static inline void history_again(struct history *h, const struct history *was)
{
    struct bough_buf body = h->tree_body;

    *h = *was;
    h->tree_body = body;
    bough_buf_clear(&h->tree_body);
}

static inline struct bough_view history_blob(uint8_t body[HIST_BODY], uint64_t seed)
{
    size_t len = 60 + (size_t)(seed % (HIST_BODY - 60));

    for (size_t at = 0; at < HIST_BODY; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(body + at, &x, 8);
    }
    return bough_view(body, len);
}

static inline void history_tree(struct history *h, enum bough_algo algo, struct bough_buf *out)
{
    for (uint32_t i = 0; i < HIST_FILES; i++) {
        uint8_t body[HIST_BODY];
        char name[8];
        struct bough_oid id;

        if (h->file[i] == 0)
            continue;
        id = bough_oid_of(algo, BOUGH_BLOB, history_blob(body, h->file[i]));
        bough_tree_entry_put(out, algo, BOUGH_FILEMODE_BLOB,
            bough_view(name, (size_t)snprintf(name, sizeof name, "f%02u", i)), &id);
    }
}

/* The tree as a delta on the one before: what both begin and end with is copied, at whole entries of that length or anywhere (0). */
static inline void history_delta(
    struct bough_view was, struct bough_view is, size_t entry, struct bough_buf *out)
{
    struct bough_delta_builder d;
    size_t front = 0, back = 0, most = was.len < is.len ? was.len : is.len;

    while (front < most && was.ptr[front] == is.ptr[front])
        front++;
    while (back < most - front && was.ptr[was.len - 1 - back] == is.ptr[is.len - 1 - back])
        back++;
    if (entry > 0) { /* at whole entries, as our own writer's are; all are of one length here */
        front -= front % entry;
        back -= back % entry;
    }
    bough_delta_begin(&d, out, was.len, is.len);
    if (front > 0)
        bough_delta_copy(&d, 0, front);
    if (is.len > front + back)
        bough_delta_insert(&d, bough_view(is.ptr + front, is.len - front - back));
    if (back > 0)
        bough_delta_copy(&d, was.len - back, back);
    bough_delta_end(&d);
}

static inline enum bough_err history_tree_put(
    struct history *h, struct bough_txn *t, struct bough_buf *body)
{
    enum bough_algo algo = t->store->algo;
    struct bough_oid id = bough_oid_of(algo, BOUGH_TREE, bough_buf_view(body));
    struct bough_buf delta;
    enum bough_err err;

    if (h->commits % 8 == 0 || h->tree_body.len == 0 || bough_oid_eq(&id, &h->tree))
        return bough_txn_put(t, BOUGH_TREE, bough_buf_view(body), &h->tree);
    bough_buf_init(&delta, bough_posix_mem());
    history_delta(bough_buf_view(&h->tree_body), bough_buf_view(body),
        h->commits % 3 == 0 ? 0 : sizeof "100644 f00" + bough_algo_len(algo), &delta);
    err = bough_txn_put_delta(
        t, BOUGH_TREE, &id, &h->tree, bough_buf_view(&delta), bough_buf_view(body));
    bough_buf_fini(&delta);
    if (!err)
        h->tree = id;
    return err;
}

static inline enum bough_err history_ref(
    struct bough_txn *t, const char *name, const struct bough_oid *id)
{
    struct bough_ref_change c = {.name = bough_view_str(name), .kind = BOUGH_REF_NONE};

    if (id != NULL) {
        c.kind = BOUGH_REF_ID;
        c.id = *id;
    }
    return bough_txn_ref(t, &c);
}

/* Objects of the next commit: file `i` becomes `seed` (0: goes). */
static inline enum bough_err history_put(
    struct history *h, struct bough_txn *t, uint32_t i, uint64_t seed)
{
    struct bough_commit_parts parts = {.parents = &h->head};
    uint8_t blob[HIST_BODY];
    struct bough_buf body, commit;
    struct bough_oid id;
    enum bough_err err = BOUGH_OK;

    h->file[i % HIST_FILES] = seed;
    if (seed != 0)
        err = bough_txn_put(t, BOUGH_BLOB, history_blob(blob, seed), &id);
    bough_buf_init(&body, bough_posix_mem());
    bough_buf_init(&commit, bough_posix_mem());
    history_tree(h, t->store->algo, &body);
    if (!err)
        err = history_tree_put(h, t, &body);
    bough_buf_clear(&h->tree_body);
    bough_buf_put_view(&h->tree_body, bough_buf_view(&body));
    parts.tree = h->tree;
    parts.parents_n = bough_oid_is_zero(&h->head) ? 0 : 1;
    parts.author.name = bough_view_str("a");
    parts.author.mail = bough_view_str("b");
    parts.author.time.sec = (int64_t)(h->time++);
    parts.committer = parts.author;
    parts.message = bough_view_str("m\n");
    bough_commit_put(&commit, t->store->algo, &parts);
    if (!err)
        err = bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&commit), &h->head);
    h->commits++;
    bough_buf_fini(&body);
    bough_buf_fini(&commit);
    return err;
}

/* A commit on the branch. */
static inline enum bough_err history_commit(
    struct history *h, struct bough_store *s, uint32_t i, uint64_t seed)
{
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = history_put(h, t, i, seed);
    if (!err)
        err = history_ref(t, h->name, &h->head);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static inline enum bough_err history_drop(struct history *h, struct bough_store *s)
{
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (!err)
        err = history_ref(t, h->name, NULL);
    return err ? err : bough_txn_commit(t, BOUGH_DURABLE_NOW);
}

/* What a collection finds: so many commits of `keep`, as many of a branch that was dropped. */
static inline void history_past(struct history *keep, struct bough_store *s, uint64_t commits)
{
    struct history drop;

    history_init(&drop, "drop");
    for (uint64_t i = 1; i <= commits; i++) {
        assert_int_equal(history_commit(keep, s, (uint32_t)i, i), BOUGH_OK);
        assert_int_equal(history_commit(&drop, s, (uint32_t)i, 1000 + i), BOUGH_OK);
    }
    assert_int_equal(history_drop(&drop, s), BOUGH_OK);
    history_fini(&drop);
}

/* Steps of at most `budget` until the collection is over. */
static inline enum bough_err history_collect(
    struct bough_store *s, const struct bough_collect_opts *opts, uint64_t budget)
{
    enum bough_err err = bough_store_collect(s, opts);
    bool more = true;

    while (!err && more)
        err = bough_store_maintain(s, budget, &more);
    return err;
}

/* ---- Closed ---- */

struct history_closed {
    struct bough_store *s;
    uint64_t objects, bad;
};

static inline void history_needs(struct history_closed *c, const struct bough_oid *id)
{
    if (bough_store_has(c->s, id) != BOUGH_OK)
        c->bad++;
}

static inline void history_needs_named(struct history_closed *c, const struct bough_oid *id,
    enum bough_type type, struct bough_view body)
{
    struct bough_tree_entry e;
    struct bough_tree_iter it;
    struct bough_commit commit;

    if (type == BOUGH_TREE) {
        bough_tree_iter_init(&it, c->s->algo, body, false);
        while (!bough_tree_iter_next(&it, &e))
            history_needs(c, &e.id);
    }
    if (type != BOUGH_COMMIT)
        return;
    assert_int_equal(bough_commit_parse(c->s->algo, body, &commit), BOUGH_OK);
    history_needs(c, &commit.tree);
    for (uint32_t i = 0; i < commit.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&commit, i);
        if (bough_store_boundary(c->s, id) == BOUGH_ENOENT)
            history_needs(c, &parent);
    }
}

static inline enum bough_err history_closed_one(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct history_closed *c = ctx;
    struct bough_oid got;
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    (void)found;
    c->objects++;
    bough_buf_init(&body, bough_posix_mem());
    err = bough_store_read(c->s, id, &type, &body);
    if (!err) {
        got = bough_oid_of(c->s->algo, type, bough_buf_view(&body));
        c->bad += !bough_oid_eq(&got, id);
        history_needs_named(c, id, type, bough_buf_view(&body));
    }
    bough_buf_fini(&body);
    return err;
}

/* Objects in the store, all of them closed; refs name what is there. */
static inline uint64_t history_closed(struct bough_store *s)
{
    struct history_closed c = {.s = s};
    char name[128];
    struct bough_view after = {(const uint8_t *)name, 0};
    struct bough_ref ref;

    assert_int_equal(bough_store_each(s, history_closed_one, &c), BOUGH_OK);
    while (!bough_store_ref_next(s, bough_view("", 0), after, &ref)) {
        assert_true(ref.name.len < sizeof name);
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        if (ref.kind == BOUGH_REF_ID)
            history_needs(&c, &ref.id);
    }
    assert_int_equal(c.bad, 0);
    return c.objects;
}

#endif
