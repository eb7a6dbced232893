/*
 * model_world.h - a store on a device whose power fails, and its model beside it.
 *
 *   words      paths, values, branches, drawn from the tape
 *   outcomes   an answer that must be the model's; what a change does to it
 *   comparing  a branch with its state
 *   lives      open, and after a crash: in which state is it?
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include "kv/kv.h"
#include "store/log/log.h"
#include "tests/lib/env.h"
#include "tests/sim/cutblk.h"
#include "tests/sim/model.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { SNAPSHOTS = 3, VALUE_MAX = 200 * 1024 };

static const char *const branches[] = {"main", "b1", "b2", "b3"};
enum { BRANCHES = sizeof branches / sizeof *branches };

struct world {
    struct test_env t;
    struct model m;
    struct tape *tape;
    struct bough_ramblk ram;
    struct cutblk cut;
    uint8_t *device;
    uint64_t bytes;
    struct bough_log_format_opts format;
    struct bough_log_open_opts opts;
    struct bough_repo_opts repo_opts;
    struct bough_why why;
    struct bough_store *s;
    struct bough_repo *r;
    struct bough_kv *kv; /* of the branch that the command is about */
    const char *branch;
    bool gathering;
    bool collected, cut_short; /* once in this run: a collection was begun, less history is kept */
    struct {
        struct bough_kv *kv;
        const char *branch;
        int64_t state;
    } snapshot[SNAPSHOTS];
    uint8_t *value; /* VALUE_MAX bytes */
    FILE *trace;
    char *text; /* of the trace */
    size_t text_len;
    bool running;
};

static struct {
    uint64_t runs, crashes, lost, full, states, expired;
} sum;

/* ---- Words ---- */

#define SAY(w, ...) fprintf((w)->trace, __VA_ARGS__)

static struct bough_view text(const char *s)
{
    return bough_view(s, strlen(s));
}

/* One to three segments out of few, so that values and dictionaries meet. */
static inline void draw_path(struct world *w, char path[64])
{
    static const char *const names[] = {"a", "b", "c", "a-b", "d"};
    uint32_t depth = 1 + draw(w->tape, 3);
    size_t len = 0;

    for (uint32_t i = 0; i < depth; i++)
        len += (size_t)snprintf(
            path + len, 64 - len, "%s%s", i > 0 ? "/" : "", names[draw(w->tape, 5)]);
}

static struct bough_view draw_value(struct world *w)
{
    static const uint32_t sizes[] = {1, 20, 20, 100, 100, 100, 1000, 6000, 40000, VALUE_MAX};
    uint64_t seed = draw(w->tape, 1u << 30);
    size_t len = draw(w->tape, sizes[draw(w->tape, draw(w->tape, 8) == 0 ? 10 : 7)]);
    bool plain = draw(w->tape, 2);

    for (size_t i = 0; i < len; i++)
        w->value[i] = plain ? (uint8_t) "abcdefg "[i % 8] : (uint8_t)test_random(&seed);
    return bough_view(w->value, len);
}

static inline bool dead(const struct world *w)
{
    return w->cut.dead;
}

/* A branch to work on; `born`: one that is there and holds something, or NULL. */
static const char *draw_branch(struct world *w, bool born)
{
    const char *b = branches[draw(w->tape, draw(w->tape, 3) == 0 ? BRANCHES : 1)];

    return !born || model_count(&w->m, b, LATEST) > 0 ? b : NULL;
}

/* The place of the branch; false when the power has failed. */
static inline bool kv_open(struct world *w, const char *branch)
{
    enum bough_err err;

    w->branch = branch;
    err = bough_kv_branch_open(w->r, text(branch), &w->kv);
    if (err && !dead(w))
        fail_msg("%s cannot be opened: %s (%s, %s at %llu)", branch, bough_err_name(err),
            bough_repo_why(w->r)->what, w->s->why.what, (unsigned long long)w->s->why.at);
    if (err)
        w->kv = NULL;
    return !err;
}

static inline void kv_close(struct world *w)
{
    bough_kv_close(w->kv);
    w->kv = NULL;
}

/* ---- Outcomes ---- */

/* An answer that must be `want`, unless the power has failed. */
static inline void expect(struct world *w, enum bough_err err, enum bough_err want)
{
    SAY(w, " -> %s\n", bough_err_name(err));
    if (err != want && !dead(w))
        fail_msg("it answered %s, not %s", bough_err_name(err), bough_err_name(want));
}

/* The same for a change, that the model has made already where `want` is BOUGH_OK.  A full device
   undoes it; one of several (do_any) by itself. */
static inline void changed(struct world *w, enum bough_err err, enum bough_err want)
{
    if (err == BOUGH_ENOSPC || err == BOUGH_EEXPIRED) {
        SAY(w, " -> %s\n", bough_err_name(err));
        sum.full += err == BOUGH_ENOSPC;
        sum.expired += err == BOUGH_EEXPIRED; /* a batch, when space ran short */
        if (w->gathering)
            model_sql(&w->m, "ROLLBACK TO one");
        else
            model_undo(&w->m);
        return;
    }
    expect(w, err, want);
    if (err || dead(w) || w->gathering)
        return;
    model_done(&w->m);
    sum.states++;
    if (w->repo_opts.durable == BOUGH_DURABLE_NOW)
        w->m.acked = w->m.state;
}

/* ---- Comparing ---- */

static inline bool digest_is(
    struct world *w, struct bough_kv *kv, const char *branch, int64_t state)
{
    struct bough_oid want = model_digest(&w->m, branch, "", state), have;
    enum bough_err err = bough_kv_digest(kv, text(""), &have);

    if (err && !dead(w))
        fail_msg("digest of %s: %s (%s)", branch, bough_err_name(err), kv->why.what);
    return !err && bough_oid_eq(&have, &want);
}

/* Every value of the branch as of `state`, and no other. */
static inline void assert_values(
    struct world *w, struct bough_kv *kv, const char *branch, int64_t state)
{
    sqlite3_stmt *q = model_below(&w->m, branch, "", state);
    struct bough_buf out;

    bough_buf_init(&out, &w->t.mem.mem);
    while (sqlite3_step(q) == SQLITE_ROW && !dead(w)) {
        const char *path = (const char *)sqlite3_column_text(q, 0);
        struct bough_view want = {sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)};
        enum bough_err err;

        bough_buf_clear(&out);
        err = bough_kv_get(kv, text(path), &out);
        if (!dead(w) && (err || !bough_view_eq(bough_buf_view(&out), want)))
            fail_msg("%s: %s has another value (%s)", branch, path, bough_err_name(err));
    }
    sqlite3_finalize(q);
    bough_buf_fini(&out);
    if (!digest_is(w, kv, branch, state) && !dead(w))
        fail_msg("%s is not what it was in state %lld", branch, (long long)state);
}

/* Is the branch as in this state?  One that holds nothing may be unborn: its writes cancel out. */
static inline bool branch_is(struct world *w, const char *branch, int64_t state)
{
    struct bough_ref ref;
    char name[32];
    bool same;
    enum bough_err err;

    snprintf(name, sizeof name, "refs/heads/%s", branch);
    err = bough_repo_ref(w->r, text(name), &ref);
    if (err == BOUGH_ENOENT)
        return model_count(&w->m, branch, state) == 0;
    if (err)
        return false; /* the power has failed, or the caller will see that no state fits */
    if (!model_has_branch(&w->m, branch, state))
        return false;
    if (!kv_open(w, branch))
        return false;
    same = digest_is(w, w->kv, branch, state);
    kv_close(w);
    return same;
}

static inline bool state_is(struct world *w, int64_t state)
{
    for (int i = 0; i < BRANCHES; i++) {
        if (!branch_is(w, branches[i], state))
            return false;
    }
    return true;
}

/* ---- Lives ---- */

static inline void world_close(struct world *w)
{
    for (int i = 0; i < SNAPSHOTS; i++) {
        bough_kv_close(w->snapshot[i].kv);
        w->snapshot[i].kv = NULL;
    }
    kv_close(w);
    bough_repo_close(w->r);
    bough_store_close(w->s);
    w->r = NULL;
    w->s = NULL;
    w->gathering = false;
}

static inline enum bough_err world_open(struct world *w)
{
    enum bough_err err;

    cutblk_init(&w->cut, &w->ram.blk, NULL,
        draw(w->tape, 3) == 0 ? CUT_NEVER : draw(w->tape, draw(w->tape, 4) == 0 ? 12 : 400));
    w->cut.fate = draw(w->tape, 8) == 0 ? CUT_LOST : CUT_SEEDED;
    w->cut.seed = draw(w->tape, UINT32_MAX);
    w->repo_opts.durable = draw(w->tape, 3) == 0 ? BOUGH_DURABLE_LATER : BOUGH_DURABLE_NOW;
    w->repo_opts.window = (struct bough_window){0};
    if (draw(w->tape, 2))
        w->repo_opts.window = (struct bough_window){.time_ms = 1000, .ops = 1 + draw(w->tape, 20)};
    SAY(w, "open, %s, window of %u", w->repo_opts.durable == BOUGH_DURABLE_NOW ? "now" : "later",
        w->repo_opts.window.ops);
    err = bough_log_open(&w->cut.blk, &w->t.env, &w->opts, &w->s, &w->why);
    if (!err)
        err = bough_repo_open(w->s, &w->repo_opts, &w->r);
    SAY(w, " -> %s\n", bough_err_name(err));
    if (err && !dead(w) && err != BOUGH_ENOSPC)
        fail_msg("open: %s (%s)", bough_err_name(err), w->why.what);
    return err;
}

/* The power failed, perhaps while state + 1 was made: find out which state it is now. */
static inline void recover(struct world *w)
{
    int64_t s;

    do {
        world_close(w);
        cutblk_fini(&w->cut);
        sum.crashes++;
        SAY(w, "crash; ");
    } while (world_open(w) && dead(w));
    for (s = w->m.state + 1; s >= w->m.acked && !state_is(w, s);) {
        if (dead(w)) {
            recover(w);
            return;
        }
        s--;
    }
    if (dead(w)) {
        recover(w);
        return;
    }
    if (s < w->m.acked)
        fail_msg("the store is in none of the states %lld..%lld", (long long)w->m.acked,
            (long long)w->m.state + 1);
    SAY(w, "state %lld of %lld..%lld\n", (long long)s, (long long)w->m.acked,
        (long long)w->m.state + 1);
    sum.lost += s < w->m.state ? (uint64_t)(w->m.state - s) : 0;
    model_back(&w->m, s);
    w->m.acked = s; /* opening for writing makes it durable */
}

#endif
