/*
 * fold.c - a window becomes a commit.
 *
 *   folding    overlay -> trees -> commit -> ref, and the records retire
 *   cost       what a fold took decides how soon the next may be
 *   when       full and due windows, all windows, a change of the rule
 *
 * A fold is a function of the head and the window's records alone: the commit carries the
 * time of the last record, its message is given or made from the edits.  Records that cancel
 * out leave the head as it is.  When a window is closed depends on clocks and costs; which records
 * are one window does not: each carries its window's number, so a crash changes no id.
 */
#include "repo/commit_inner.h"
#include "repo/edit_inner.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/tree_inner.h"
#include "repo/txn_inner.h"

/* Who and when, as the window's records say. */
static enum bough_err fold_info(struct bough_repo__head *h, struct bough_info *info)
{
    enum bough_err err = bough_repo__who_get(bough_buf_view(&h->who), info);

    info->author.time = h->author_time;
    info->committer.time = h->committer_time;
    return err;
}

/* The commit itself, when the root changed. */
static enum bough_err fold_commit(struct bough_repo__head *h, struct bough_txn *txn,
    const struct bough_oid *root, const struct bough_info *info)
{
    size_t parents_n = bough_oid_is_zero(&h->commit) ? 0 : 1;
    struct bough_event event = {
        .kind = BOUGH_EVENT_HEAD, .ref = bough_repo__head_name(h), .folded = true};
    enum bough_err err;

    event.old = h->commit;
    err = bough_repo__commit_put(h->r, txn, root, &h->commit, parents_n, info, &event.now);
    if (err == BOUGH_OK)
        err = bough_repo__ref_move(h->r, event.ref, &event.old, &event.now, NULL);
    if (err == BOUGH_OK)
        err = bough_repo__event(h->r, &event);
    if (err == BOUGH_OK)
        bough_history__moved(h->r, &event.old, &event.now, 1);
    if (err == BOUGH_OK)
        h->commit = event.now;
    return err;
}

/* ---- Cost ---- */

enum {
    REST = 4,           /* times what folding took pass before it is done again */
    REST_MAX_MS = 5000, /* and then it is done again, whatever it costs */
    OPS_MAX = 65536,    /* writes of a window that grows */
    VALUES_MAX = 64 << 20,
    JOURNAL_MAX = 16 << 20, /* bytes of its records: the store keeps them in memory */
};

static int64_t ms_between(const struct bough_time *from, const struct bough_time *to)
{
    return (to->sec - from->sec) * 1000 + ((int64_t)to->nsec - (int64_t)from->nsec) / 1000000;
}

/* A fold that began at `start` is over. */
static void fold_took(struct bough_repo__head *h, const struct bough_time *start)
{
    struct bough_time now = bough_env_now(h->r->store->env);
    int64_t rest = ms_between(start, &now) * REST;

    rest = rest < 0 ? 0 : rest > REST_MAX_MS ? REST_MAX_MS : rest;
    h->rest_ms = (uint32_t)rest > h->rest_ms ? (uint32_t)rest : (h->rest_ms + (uint32_t)rest) / 2;
}

bool bough_repo__head_full(const struct bough_repo__head *h)
{
    const struct bough_window *said = h->own_window ? &h->window : &h->r->window;
    struct bough_window w = bough_repo__head_window(h);
    bool ops = h->ops > w.ops, bytes = h->bytes >= w.bytes;
    struct bough_time now;

    if (!ops && !bytes)
        return h->journal >= JOURNAL_MAX;
    if (h->rest_ms == 0 || (ops && said->ops != 0) || (bytes && said->bytes != 0))
        return true;
    if (h->ops > OPS_MAX || h->bytes >= VALUES_MAX || h->journal >= JOURNAL_MAX)
        return true;
    now = bough_env_now(h->r->store->env);
    return ms_between(&h->opened, &now) >= (int64_t)h->rest_ms;
}

/*
 * Whether half of a SHA-1 collision is in a tree shows when it is written, which is too late to refuse
 * what was acknowledged.  A block of an attack has 64 bytes; at most 27 of them stand between two names.
 */
enum bough_err bough_repo__must_fold(struct bough_repo__head *h, struct bough_view path, bool *out)
{
    enum { NAME_MIN = 64 - 27 };
    size_t name = 0, longest = 0;
    struct bough_repo__change is;
    enum bough_err err;

    *out = false;
    if (h->r->algo != BOUGH_SHA1 || path.len < NAME_MIN)
        return BOUGH_OK;
    for (size_t i = 0; i < path.len; i++) {
        name = path.ptr[i] == '/' ? 0 : name + 1;
        longest = name > longest ? name : longest;
    }
    if (longest < NAME_MIN)
        return BOUGH_OK;
    err = bough_repo__tree_look(&h->tree, path, &is, NULL);
    *out = err == BOUGH_OK && is.kind == BOUGH_NODE_NONE;
    return err;
}

/* ---- Folding ---- */

static enum bough_err fold_window(struct bough_repo__head *h)
{
    struct bough_oid before = h->tree.root, root;
    struct bough_buf message;
    struct bough_info info;
    struct bough_txn *txn;
    enum bough_err err;

    bough_repo__touch(h);
    bough_buf_init(&message, h->r->mem);
    err = bough_repo__txn(h->r, &txn);
    if (err == BOUGH_OK) {
        txn->urgent = true; /* a full device must not keep it from being read by commit */
        err = fold_info(h, &info);
    }
    if (err == BOUGH_OK && info.message.ptr == NULL) {
        err = bough_repo__message_edits(&h->tree, &message);
        info.message = bough_buf_view(&message);
    }
    if (err == BOUGH_OK)
        err = bough_tree_write(&h->tree, txn, &root);
    if (err == BOUGH_OK && !bough_oid_eq(&root, &before)) {
        err = fold_commit(h, txn, &root, &info);
        if (err == BOUGH_EFORMAT &&
            message.len > 0) { /* what paths say there looks like an attack */
            info.message = bough_view_str("changes\n");
            err = fold_commit(h, txn, &root, &info);
        }
    }
    if (err == BOUGH_OK && h->seq > 0)
        err = bough_txn_retire(txn, bough_repo__head_name(h), h->seq);
    if (h->r->txn != NULL)
        h->r->txn->urgent = false;
    bough_buf_fini(&message);
    if (err == BOUGH_OK)
        bough_repo__head_shut(h);
    return err;
}

enum bough_err bough_repo__fold(struct bough_repo__head *h)
{
    struct bough_time start;
    enum bough_err err;

    if (h->ops == 0)
        return BOUGH_OK;
    start = bough_env_now(h->r->store->env);
    err = fold_window(h);
    fold_took(h, &start);
    return err;
}

/* ---- When ---- */

/* Where nothing may be written, overlays stay what they are and heads are those stored. */
static bool may_fold(const struct bough_repo *r)
{
    return !r->store->read_only;
}

enum bough_err bough_repo__fold_now(struct bough_repo__head *h)
{
    enum bough_err err;

    if (h->ops == 0 || !may_fold(h->r))
        return BOUGH_OK;
    err = bough_repo__begin(h->r);
    if (err)
        return err;
    return bough_repo__end(h->r, bough_repo__fold(h));
}

enum bough_err bough_repo_fold_all(struct bough_repo *r)
{
    enum bough_err err = bough_repo__heads_refresh(r);

    while (err == BOUGH_OK && r->open != NULL && may_fold(r))
        err = bough_repo__fold_now(r->open);
    return err;
}

/* Milliseconds until the window of `h` is due; 0: it is. */
static uint32_t head_due(const struct bough_repo__head *h, const struct bough_time *now)
{
    uint32_t due = bough_repo__head_window(h).time_ms;
    int64_t age = ms_between(&h->opened, now);

    if (due > 0 && due < h->rest_ms)
        due = h->rest_ms;
    if (age < 0) /* the clock was set back */
        return due;
    return age >= (int64_t)due ? 0 : due - (uint32_t)age;
}

enum bough_err bough_repo_tick(struct bough_repo *r, struct bough_time now, uint32_t *next_ms)
{
    enum bough_err err = bough_repo__heads_refresh(r);
    struct bough_repo__head *h = r->open, *next;

    *next_ms = UINT32_MAX;
    for (; err == BOUGH_OK && h != NULL; h = next) {
        uint32_t left = head_due(h, &now);

        next = h->open_next;
        if (left == 0)
            err = bough_repo__fold_now(h);
        else if (left < *next_ms)
            *next_ms = left;
    }
    return err;
}

enum bough_err bough_repo_window(
    struct bough_repo *r, struct bough_view branch, const struct bough_window *w)
{
    struct bough_branch *b;
    enum bough_err err;

    if (branch.len == 0) {
        err = bough_repo_fold_all(r);
        if (err == BOUGH_OK)
            r->window = *w;
        return err;
    }
    err = bough_branch_open(r, branch, &b);
    if (err)
        return err;
    err = bough_repo__fold_now(b->h);
    if (err == BOUGH_OK) {
        b->h->own_window = true;
        b->h->window = *w;
    }
    bough_branch_close(b);
    return err;
}
