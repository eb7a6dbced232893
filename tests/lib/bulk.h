/*
 * bulk.h - bytes in a store by the hundred kilobytes: a branch of one commit with as many values as told.
 */
#ifndef TEST_BULK_H
#define TEST_BULK_H

#include "tests/lib/history.h"

enum { BULK_VALUE = 3000 };

static inline struct bough_view bulk_value(uint8_t body[BULK_VALUE], uint64_t seed)
{
    for (size_t at = 0; at < BULK_VALUE; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(body + at, &x, 8);
    }
    return bough_view(body, BULK_VALUE);
}

static inline enum bough_err bulk_put(
    struct bough_txn *t, uint64_t seed, uint32_t n, struct bough_oid *commit)
{
    struct bough_commit_parts parts = {.parents_n = 0};
    struct bough_buf tree, text;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&tree, bough_posix_mem());
    bough_buf_init(&text, bough_posix_mem());
    for (uint32_t i = 0; i < n && !err; i++) {
        uint8_t body[BULK_VALUE];
        struct bough_oid id;
        char name[16];

        err = bough_txn_put(t, BOUGH_BLOB, bulk_value(body, (seed << 20) + i), &id);
        bough_tree_entry_put(&tree, t->store->algo, BOUGH_FILEMODE_BLOB,
            bough_view(name, (size_t)snprintf(name, sizeof name, "f%06u", i)), &id);
    }
    if (!err)
        err = bough_txn_put(t, BOUGH_TREE, bough_buf_view(&tree), &parts.tree);
    parts.author.name = parts.author.mail = bough_view_str("a");
    parts.author.time.sec = (int64_t)(1000000000 + seed);
    parts.committer = parts.author;
    bough_commit_put(&text, t->store->algo, &parts);
    if (!err)
        err = bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&text), commit);
    bough_buf_fini(&tree);
    bough_buf_fini(&text);
    return err;
}

/* A branch of one commit with `n` values, in one transaction. */
static inline enum bough_err bulk_branch(
    struct bough_store *s, const char *ref, uint64_t seed, uint32_t n)
{
    struct bough_oid id;
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = bulk_put(t, seed, n, &id);
    if (!err)
        err = history_ref(t, ref, &id);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static inline enum bough_err bulk_drop(struct bough_store *s, const char *ref)
{
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = history_ref(t, ref, NULL);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

#endif
