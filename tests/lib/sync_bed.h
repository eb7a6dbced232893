/*
 * sync_bed.h - a repository on a memory store and conversations with it.
 *
 *   the bed     store, repository, a small history made here
 *   talking     feed in pieces of a size, work and pull until nothing moves
 *   requests    packet lines and packs, appended to a buffer
 */
#ifndef SYNC_BED_H
#define SYNC_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/object.h"
#include "git/pack.h"
#include "git/pktline.h"
#include "store/mem.h"
#include "sync/sync.h"
#include "tests/lib/env.h"

#define OK(x)         assert_int_equal((x), BOUGH_OK)
#define VIEW(literal) bough_view(literal, sizeof(literal) - 1)

enum { BED_COMMITS = 6 };

struct sync_bed {
    struct test_env t;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_sync_opts opts;
    struct bough_oid commits[BED_COMMITS], trees[BED_COMMITS], blobs[BED_COMMITS], tag;
    size_t pending_max; /* most output that waited */
};

/* ---- Objects ---- */

static inline void bed_tree(
    struct bough_buf *out, uint32_t mode, const char *name, const struct bough_oid *id)
{
    /* By hand: tests want modes and names that bough_tree_entry_put() would not take. */
    char digits[12];
    int n = snprintf(digits, sizeof digits, "%o ", (unsigned)mode);
    bough_buf_put(out, digits, (size_t)n);
    bough_buf_put_str(out, name);
    bough_buf_put_u8(out, 0);
    bough_buf_put(out, id->bytes, 20);
}

/* A commit's text; `parent` NULL: a root. */
static inline void bed_commit(struct bough_buf *out, const struct bough_oid *tree,
    const struct bough_oid *parent, uint32_t number)
{
    bough_buf_put_str(out, "tree ");
    bough_buf_put_hex(out, tree->bytes, 20);
    if (parent != NULL) {
        bough_buf_put_str(out, "\nparent ");
        bough_buf_put_hex(out, parent->bytes, 20);
    }
    bough_buf_put_str(out, "\nauthor A <a@x> ");
    bough_buf_put_udec(out, 1000000000 + number);
    bough_buf_put_str(out, " +0000\ncommitter C <c@x> ");
    bough_buf_put_udec(out, 1000000000 + number);
    bough_buf_put_str(out, " +0000\n\nnumber ");
    bough_buf_put_udec(out, number);
    bough_buf_put_u8(out, '\n');
}

/* ---- The bed ---- */

static inline void bed_ref(struct bough_txn *txn, const char *name, const struct bough_oid *id,
    const struct bough_oid *peeled)
{
    struct bough_ref_change change = {
        .name = bough_view_str(name), .kind = BOUGH_REF_ID, .id = *id};
    if (peeled != NULL)
        change.peeled = *peeled;
    OK(bough_txn_ref(txn, &change));
}

/* BED_COMMITS commits on main, each a new version of a file beside a directory; a tag on the third. */
static inline void bed_history(struct sync_bed *b)
{
    struct bough_txn *txn;
    struct bough_buf text;
    struct bough_oid dir, same;
    bough_buf_init(&text, &b->t.mem.mem);
    OK(bough_txn_begin(b->store, &txn));
    OK(bough_txn_put(txn, BOUGH_BLOB, VIEW("the same\n"), &same));
    bed_tree(&text, BOUGH_FILEMODE_BLOB, "same", &same);
    OK(bough_txn_put(txn, BOUGH_TREE, bough_buf_view(&text), &dir));
    for (uint32_t i = 0; i < BED_COMMITS; i++) {
        bough_buf_clear(&text);
        bough_buf_put_str(&text, "version ");
        bough_buf_put_udec(&text, i);
        OK(bough_txn_put(txn, BOUGH_BLOB, bough_buf_view(&text), &b->blobs[i]));
        bough_buf_clear(&text);
        bed_tree(&text, BOUGH_FILEMODE_TREE, "dir", &dir);
        bed_tree(&text, BOUGH_FILEMODE_BLOB, "file", &b->blobs[i]);
        OK(bough_txn_put(txn, BOUGH_TREE, bough_buf_view(&text), &b->trees[i]));
        bough_buf_clear(&text);
        bed_commit(&text, &b->trees[i], i == 0 ? NULL : &b->commits[i - 1], i);
        OK(bough_txn_put(txn, BOUGH_COMMIT, bough_buf_view(&text), &b->commits[i]));
    }
    bough_buf_clear(&text);
    bough_buf_put_str(&text, "object ");
    bough_buf_put_hex(&text, b->commits[2].bytes, 20);
    bough_buf_put_str(&text, "\ntype commit\ntag v1\ntagger T <t@x> 1000000100 +0000\n\nt\n");
    OK(bough_txn_put(txn, BOUGH_TAG, bough_buf_view(&text), &b->tag));
    bed_ref(txn, "refs/heads/main", &b->commits[BED_COMMITS - 1], NULL);
    bed_ref(txn, "refs/heads/old", &b->commits[1], NULL);
    bed_ref(txn, "refs/tags/v1", &b->tag, &b->commits[2]);
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    bough_buf_fini(&text);
}

static inline void sync_bed_open(struct sync_bed *b, bool history)
{
    struct bough_repo_opts opts = {0};
    memset(b, 0, sizeof *b);
    test_env_init(&b->t);
    OK(bough_mem_store_open(&b->t.env, BOUGH_SHA1, &b->store));
    OK(bough_repo_open(b->store, &opts, &b->repo));
    if (history)
        bed_history(b);
}

static inline void sync_bed_close(struct sync_bed *b)
{
    bough_repo_close(b->repo);
    bough_store_close(b->store);
    test_env_done(&b->t);
}

/* ---- Talking ---- */

/* Work, and take what is said, until the session wants something else. */
static inline enum bough_err drain(
    struct sync_bed *b, struct bough_sync *s, struct bough_buf *said, size_t max)
{
    enum bough_err err = BOUGH_OK;
    for (;;) {
        if (bough_sync_pending(s) > b->pending_max)
            b->pending_max = bough_sync_pending(s);
        if (bough_sync_pending(s) > 0)
            bough_sync_pull(s, said, max);
        else if (s->state == BOUGH_SYNC_WORK)
            err = bough_sync_step(s, 1 + max % 5000);
        else
            return err == BOUGH_EAGAIN ? BOUGH_OK : err;
    }
}

/* A whole conversation: what the client says in pieces of `step` bytes, then its end. */
static inline enum bough_err talk(struct sync_bed *b, enum bough_service service,
    struct bough_view request, size_t step, struct bough_buf *said)
{
    struct bough_sync *s;
    size_t at = 0;
    OK(bough_sync_open(service, b->repo, &b->opts, &s));
    enum bough_err err = drain(b, s, said, step);
    while (!err && at < request.len) {
        size_t used, n = request.len - at < step ? request.len - at : step;
        err = bough_sync_feed(s, bough_view(request.ptr + at, n), &used);
        at += used;
        if (!err)
            err = drain(b, s, said, step);
    }
    if (!err && s->state != BOUGH_SYNC_DONE) {
        err = bough_sync_eof(s);
        if (!err)
            err = drain(b, s, said, step);
    }
    while (bough_sync_pending(s) > 0)
        bough_sync_pull(s, said, step);
    assert_true(err || s->state == BOUGH_SYNC_DONE);
    assert_true(!err || s->state == BOUGH_SYNC_FAILED);
    bough_sync_close(s);
    return err;
}

/* ---- Requests ---- */

/* A line made of text, an id in hex and more text. */
static inline void say(
    struct bough_buf *out, const char *word, const struct bough_oid *id, const char *rest)
{
    size_t at = bough_pkt_begin(out);
    bough_buf_put_str(out, word);
    if (id != NULL)
        bough_buf_put_hex(out, id->bytes, 20);
    bough_buf_put_str(out, rest);
    bough_pkt_end(out, at);
}

/* A command of a push. */
static inline void say_command(struct bough_buf *out, const struct bough_oid *old,
    const struct bough_oid *now, const char *ref, const char *caps)
{
    size_t at = bough_pkt_begin(out);
    bough_buf_put_hex(out, old->bytes, 20);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_hex(out, now->bytes, 20);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_str(out, ref);
    if (caps != NULL) {
        bough_buf_put_u8(out, 0);
        bough_buf_put_str(out, caps);
    }
    bough_pkt_end(out, at);
}

/* Does `all` hold these bytes? */
static inline bool holds(const struct bough_buf *all, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; n > 0 && i + n <= all->len; i++)
        if (memcmp(all->ptr + i, text, n) == 0)
            return true;
    return n == 0;
}

#endif
