/*
 * test_model.c - random commands on a store, beside the same on SQLite.
 *
 * Goal: whatever is done to branches of a store on the log engine, and whenever the power fails,
 * every answer is that of the model, and after a crash the store is in one of the model's states, no
 * older than the newest that was acknowledged to be durable.
 * Method: from a seed: a shape of device and store, SHA-1 or SHA-256; then commands from the table
 * at the end, each checked against the model (model.h).  The device cuts, loses and tears what no
 * flush made durable.  Runs follow one another until the time is up: some seconds; LONG=1: SIM_SECONDS,
 * 600 if not set.  SEED=n replays one run; what failed prints its commands.
 */
#include <time.h>

#include "store/collect.h"
#include "tests/sim/model_keys.h"

enum { COMMANDS = 300, MOST = 2500, SHORT_SECONDS = 4 };

/* ---- Commands: branches, history ---- */

/* The head of a branch that holds something, and note it with the state. */
static enum bough_err head_of(struct world *w, const char *branch, struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX + 1];
    enum bough_err err;

    if (!kv_open(w, branch))
        return BOUGH_EGONE;
    err = bough_branch_head(bough_kv_branch(w->kv), id);
    if (err)
        return err;
    hex[bough_oid_hex(w->m.algo, id, hex)] = '\0';
    model_sql(&w->m, "INSERT INTO seen VALUES(%Q, %Q, %lld)", hex, branch, w->m.state);
    return BOUGH_OK;
}

static void cmd_head(struct world *w)
{
    const char *branch = draw_branch(w, true);
    struct bough_oid id;
    enum bough_err err;

    if (branch == NULL)
        return;
    SAY(w, "head of %s", branch);
    err = head_of(w, branch, &id);
    expect(w, err == BOUGH_ENOSPC ? BOUGH_OK : err, BOUGH_OK);
}

static void update(struct world *w, const char *branch, const struct bough_oid *now)
{
    struct bough_ref_update u = {.check = now != NULL};
    char name[32];
    enum bough_err err;

    snprintf(name, sizeof name, "refs/heads/%s", branch);
    u.name = text(name);
    if (now != NULL)
        u.now = *now;
    err = bough_repo_update(w->r, &u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL);
    changed(w, err ? err : u.err, BOUGH_OK);
}

static void cmd_branch(struct world *w)
{
    const char *from = draw_branch(w, true), *to = branches[draw(w->tape, BRANCHES)];
    struct bough_oid id;
    enum bough_err err;

    if (from == NULL || model_has_branch(&w->m, to, LATEST))
        return;
    SAY(w, "branch %s from %s", to, from);
    err = head_of(w, from, &id);
    if (err) {
        changed(w, err, BOUGH_OK);
        return;
    }
    model_copy_branch(&w->m, from, to);
    update(w, to, &id);
}

static void cmd_delete(struct world *w)
{
    const char *branch = draw_branch(w, true);

    if (branch == NULL || draw(w->tape, 2))
        return;
    SAY(w, "delete %s", branch);
    model_drop_branch(&w->m, branch);
    update(w, branch, NULL);
}

/* May what only this branch's history reaches be collected?  Not while it is there and keeps all. */
static bool is_kept(struct world *w, const char *branch, int64_t state)
{
    return !w->collected ||
           (!w->cut_short && model_number(model_query(&w->m,
                                 "SELECT 1 FROM branch WHERE name=%Q AND born<=%lld"
                                 " AND died=" NEVER,
                                 branch, state)) == 1);
}

/* A commit that was a head once, whatever has become of its branch. */
static void cmd_old(struct world *w)
{
    sqlite3_stmt *q = model_query(&w->m, "SELECT id, branch, state FROM seen LIMIT 1 OFFSET %u",
        draw(w->tape, 1 + (uint32_t)model_number(model_query(&w->m, "SELECT count(*) FROM seen"))));
    struct bough_kv *old;
    struct bough_oid id;
    enum bough_err err;

    if (sqlite3_step(q) == SQLITE_ROW) {
        const char *hex = (const char *)sqlite3_column_text(q, 0);
        const char *branch = (const char *)sqlite3_column_text(q, 1);
        int64_t state = sqlite3_column_int64(q, 2);
        bool kept = is_kept(w, branch, state);

        assert_true(bough_oid_parse(w->m.algo, text(hex), &id) == BOUGH_OK);
        SAY(w, "commit %.10s, of %s in state %lld", hex, branch, (long long)state);
        err = bough_kv_commit_open(w->r, &id, &old);
        expect(w, !kept && err == BOUGH_ENOENT ? BOUGH_OK : err, BOUGH_OK);
        if (!err && kept)
            assert_values(w, old, branch, state);
        if (!err)
            bough_kv_close(old);
    }
    sqlite3_finalize(q);
}

/* Given up, because the device was about to be full? */
static bool is_expired(struct bough_kv *snapshot)
{
    struct bough_oid id;
    enum bough_err err = bough_kv_digest(snapshot, text("a"), &id);

    sum.expired += err == BOUGH_EEXPIRED;
    return err == BOUGH_EEXPIRED;
}

static void cmd_snapshot(struct world *w)
{
    uint32_t i = draw(w->tape, SNAPSHOTS);
    enum bough_err err;

    if (w->snapshot[i].kv != NULL) {
        SAY(w, "snapshot %u, of state %lld\n", i, (long long)w->snapshot[i].state);
        if (draw(w->tape, 2) && !is_expired(w->snapshot[i].kv)) {
            assert_values(w, w->snapshot[i].kv, w->snapshot[i].branch, w->snapshot[i].state);
            return;
        }
        bough_kv_close(w->snapshot[i].kv);
        w->snapshot[i].kv = NULL;
        return;
    }
    if (!kv_open(w, draw_branch(w, false)))
        return;
    SAY(w, "snapshot %u of %s", i, w->branch);
    err = bough_kv_snapshot(w->kv, &w->snapshot[i].kv);
    if (err)
        w->snapshot[i].kv = NULL;
    if (err == BOUGH_ENOSPC) {
        SAY(w, " -> no space\n");
        return;
    }
    expect(w, err, BOUGH_OK);
    w->snapshot[i].branch = w->branch;
    w->snapshot[i].state = w->m.state;
}

/* ---- Commands: the store ---- */

static void cmd_maintain(struct world *w)
{
    uint32_t steps = draw(w->tape, 4) == 0 ? 100000 : draw(w->tape, 20);
    uint64_t budget = (uint64_t)1 << (8 + draw(w->tape, 12));
    bool more = true;
    enum bough_err err = BOUGH_OK;

    SAY(w, "maintain, %u steps of %llu", steps, (unsigned long long)budget);
    for (uint32_t n = 0; n < steps && more && !err; n++)
        err = bough_repo_maintain(w->r, budget, &more);
    expect(w, err == BOUGH_ENOSPC ? BOUGH_OK : err, BOUGH_OK);
}

/* What nothing reaches may go from now on; maintain does it. */
static void cmd_collect(struct world *w)
{
    struct bough_collect_opts opts = {.whole = draw(w->tape, 3) == 0,
        .dry_run = draw(w->tape, 6) == 0,
        .grace = draw(w->tape, 3) == 0 ? 20 : 0};
    enum bough_err err;

    w->collected |= !opts.dry_run;
    SAY(w, "collect%s%s", opts.whole ? ", whole" : "", opts.dry_run ? ", dry run" : "");
    err = bough_repo_collect(w->r, &opts, draw(w->tape, 2) ? UINT64_MAX : 0);
    expect(w, err == BOUGH_ENOSPC ? BOUGH_OK : err, BOUGH_OK);
}

/* Less of the history of a branch is kept. */
static void cmd_keep(struct world *w)
{
    struct bough_keep k = {.commits = 1 + draw(w->tape, 5)};
    const char *branch = draw_branch(w, false);
    enum bough_err err;

    k.refs = text(branch);
    w->cut_short = true;
    SAY(w, "keep %u commits of %s", k.commits, branch);
    err = bough_repo_keep_set(w->r, &k);
    expect(w, err == BOUGH_ENOSPC ? BOUGH_OK : err, BOUGH_OK);
}

static void cmd_fold(struct world *w)
{
    enum bough_err err;

    SAY(w, "fold");
    err = bough_repo_fold_all(w->r);
    expect(w, err == BOUGH_ENOSPC ? BOUGH_OK : err, BOUGH_OK);
}

static void cmd_sync(struct world *w)
{
    enum bough_err err;

    SAY(w, "sync");
    err = bough_store_sync(w->s);
    expect(w, err, BOUGH_OK);
    if (!err && !dead(w))
        w->m.acked = w->m.state;
}

static void take_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    struct world *w = ctx;

    SAY(w, "  %s: %s: %.*s\n", bough_err_name(err), what, (int)key.len, (const char *)key.ptr);
}

static void cmd_check(struct world *w)
{
    SAY(w, "check\n");
    expect(w, bough_store_check(w->s, take_report, w), BOUGH_OK);
}

static void cmd_reopen(struct world *w)
{
    SAY(w, "close; ");
    world_close(w);
    if (dead(w))
        return;           /* the power failed while it ended cleanly */
    cutblk_fini(&w->cut); /* all that was written stays */
    if (world_open(w) && dead(w))
        return;
    w->m.acked = w->m.state;
}

static void cmd_cut(struct world *w)
{
    SAY(w, "cut\n");
    cutblk_cut(&w->cut);
}

/* What can be done, how often, and how often it was.  New commands of the store go here. */
static struct command {
    const char *name;
    void (*run)(struct world *w);
    uint32_t weight;
    uint64_t done;
} commands[] = {
    {"set", cmd_set, 40, 0},
    {"remove", cmd_remove, 10, 0},
    {"rename", cmd_rename, 8, 0},
    {"mode", cmd_mode, 4, 0},
    {"stream", cmd_stream, 4, 0},
    {"get", cmd_get, 12, 0},
    {"exists", cmd_exists, 6, 0},
    {"digest", cmd_digest, 8, 0},
    {"list", cmd_list, 8, 0},
    {"read all", cmd_read_all, 3, 0},
    {"gather", cmd_gather, 10, 0},
    {"batch", cmd_batch, 10, 0},
    {"race", cmd_race, 4, 0},
    {"head", cmd_head, 6, 0},
    {"branch", cmd_branch, 6, 0},
    {"delete", cmd_delete, 2, 0},
    {"old commit", cmd_old, 4, 0},
    {"snapshot", cmd_snapshot, 6, 0},
    {"maintain", cmd_maintain, 8, 0},
    {"collect", cmd_collect, 3, 0},
    {"keep", cmd_keep, 1, 0},
    {"fold", cmd_fold, 3, 0},
    {"sync", cmd_sync, 3, 0},
    {"check", cmd_check, 1, 0},
    {"reopen", cmd_reopen, 3, 0},
    {"cut", cmd_cut, 2, 0},
};
enum { KINDS = sizeof commands / sizeof *commands };

static void command(struct world *w)
{
    uint32_t all = 0, x;
    struct command *c = commands;

    for (int i = 0; i < KINDS; i++)
        all += commands[i].weight;
    x = draw(w->tape, all);
    while (x >= c->weight)
        x -= c++->weight;
    c->done++;
    c->run(w);
    kv_close(w);
    if (dead(w))
        recover(w);
}

/* ---- Runs ---- */

static void world_init(struct world *w)
{
    bool tiny = draw(w->tape, 2);

    test_env_init(&w->t);
    w->t.step_sec = 1;
    w->bytes = tiny ? (uint64_t)(1 + draw(w->tape, 3)) << 20 : 16 << 20;
    w->format = (struct bough_log_format_opts){
        .algo = draw(w->tape, 2) ? BOUGH_SHA1 : BOUGH_SHA256,
        .granule = tiny ? 512 : 4096,
        .zone = tiny ? 32 * 1024 : 128 * 1024,
    };
    w->opts = (struct bough_log_open_opts){
        .cache = 64 * 1024,
        .table_rows = tiny ? 16 + draw(w->tape, 100) : 1000,
        .log_max = tiny ? (uint64_t)16384 << draw(w->tape, 4) : 1 << 20,
    };
    model_open(&w->m, w->format.algo);
    w->device = calloc(1, w->bytes);
    w->value = malloc(VALUE_MAX);
    w->trace = open_memstream(&w->text, &w->text_len);
    assert_true(w->device != NULL && w->value != NULL && w->trace != NULL);
    bough_ramblk_init(&w->ram, w->device, w->bytes / 512, 512);
    OK(bough_log_format(&w->ram.blk, &w->t.env, &w->format, &w->why));
    SAY(w, "%s, zones of %llu, %llu bytes\n", w->m.algo == BOUGH_SHA1 ? "sha1" : "sha256",
        (unsigned long long)w->format.zone, (unsigned long long)w->bytes);
}

static void world_fini(struct world *w)
{
    world_close(w);
    cutblk_fini(&w->cut);
    test_env_done(&w->t);
    model_close(&w->m);
    fclose(w->trace);
    free(w->text);
    free(w->device);
    free(w->value);
}

static struct world now; /* where teardown finds it */

static void run(struct tape *tape)
{
    struct world *w = &now;

    *w = (struct world){.tape = tape, .running = true};
    world_init(w);
    while (world_open(w) && dead(w)) {
        world_close(w);
        cutblk_fini(&w->cut);
    }
    for (uint32_t i = draw(tape, 8) == 0 ? 0 : MOST - COMMANDS; i < MOST; i++) {
        SAY(w, "%u: ", i);
        command(w);
    }
    cutblk_cut(&w->cut);
    do
        recover(w);
    while (dead(w));
    w->cut.left = CUT_NEVER;
    OK(bough_store_check(w->s, take_report, w));
    for (int i = 0; i < BRANCHES; i++) {
        assert_true(kv_open(w, branches[i]));
        assert_values(w, w->kv, branches[i], w->m.state);
        kv_close(w);
    }
    world_fini(w);
    w->running = false;
    sum.runs++;
}

/* Of a run that failed: what it did. */
static int say_trace(void **state)
{
    (void)state;
    if (now.running) {
        fflush(now.trace);
        fprintf(stderr, "%s\n", now.text);
    }
    return 0;
}

static void test_model__branches_hold_what_sqlite_holds(void **state)
{
    const char *text = getenv("SIM_SECONDS");
    time_t limit = text != NULL ? atol(text) : getenv("LONG") != NULL ? 600 : SHORT_SECONDS;
    time_t begin = time(NULL);
    struct tape tape;

    (void)state;
    tape_seeded(&tape, 1, 1000000);
    while (time(NULL) - begin < limit && tape_next(&tape)) {
        run(&tape);
        tape_pause(&tape);
    }
    for (int i = 0; i < KINDS; i++)
        print_message("%-10s %8llu\n", commands[i].name, (unsigned long long)commands[i].done);
    print_message("%llu runs, %llu states, %llu crashes (%llu states not acknowledged were lost), "
                  "%llu times full, %llu snapshots and batches expired\n",
        (unsigned long long)sum.runs, (unsigned long long)sum.states,
        (unsigned long long)sum.crashes, (unsigned long long)sum.lost, (unsigned long long)sum.full,
        (unsigned long long)sum.expired);
    assert_true(sum.runs > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_model__branches_hold_what_sqlite_holds, say_trace),
    };

    return cmocka_run_group_tests_name("sim/model", tests, NULL, NULL);
}
