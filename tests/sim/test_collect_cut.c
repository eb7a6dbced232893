/*
 * test_collect_cut.c - a collection survives a power cut at any point, and gives room for ever.
 *
 * Goal: whatever call the power fails at while space is collected - marking, copying, the new
 * table, the swap, the checkpoint that lets the zones go, and what is written into those zones
 * afterwards - the store opens, all that it holds is closed and what was acknowledged is there,
 * and the next collection ends well.  And: writers on a small device never run out of space while
 * what lives fits, with snapshots open and the power failing again and again.
 * Method: a history with a dropped branch, collected in small steps between commits, on a device
 * whose power fails (cutblk.h) at every call, with every fate of what was not flushed; then many
 * lives of random writers.
 */
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"
#include "tests/sim/cutblk.h"

enum { UNIT = 512, ZONE = 32 * 1024, WINDOW = 4, HEADS = 200 };
enum { LITTLE = 6 * 1024, MUCH = 64 * 1024 }; /* bytes after which a change has settled */

struct fix {
    struct log_bed b;
    struct history keep;
    const struct bough_store_keeper *keeper; /* NULL: all is kept */
    struct bough_oid acked;                  /* the head that is promised, and one that may be */
    struct bough_oid tried;
    struct {
        struct bough_oid id;
        uint64_t written; /* bytes, when it was committed */
    } head[HEADS];        /* of this life, the first one before it */
    size_t heads;
    struct cutblk *cut;
    uint64_t written; /* bytes in this life */
};

static const struct bough_collect_opts now = {.grace = 0};

static struct fix *fix_new(size_t zones, uint64_t settle)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.table_rows = 60,
        .log_max = 24 * 1024,
        .cache = 64 * 1024,
        .prepare = 1,
        .reach_rows = 1,
        .reach_every = 4,
        .settle_bytes = settle};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, zones * ZONE, format, opts);
    log_bed_close(&f->b);
    history_init(&f->keep, "keep");
    return f;
}

static void fix_free(struct fix *f)
{
    history_fini(&f->keep);
    log_bed_end(&f->b);
    free(f);
}

static void head_note(struct fix *f, uint64_t written)
{
    assert_true(f->heads < HEADS);
    f->head[f->heads].id = f->keep.head;
    f->head[f->heads++].written = written;
}

static enum bough_err commit(struct fix *f, uint64_t seed)
{
    enum bough_err err = history_commit(&f->keep, f->b.s, (uint32_t)(seed % 20), seed);

    f->tried = f->keep.head;
    if (!err)
        f->acked = f->keep.head;
    if (!err && f->cut != NULL)
        head_note(f, f->cut->written);
    return err;
}

/* ---- Every cut ---- */

static enum bough_err window_of(void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    (void)ctx;
    (void)ref;
    out->commits = WINDOW;
    return BOUGH_OK;
}

static const struct bough_store_keeper windows = {.retention = window_of};

/* What is there before: a branch that lives, one that was dropped, some of it in tables; where less
   is kept, a boundary that is to move. */
static void past(struct fix *f)
{
    struct history drop;

    log_bed_open(&f->b);
    history_init(&drop, "drop");
    for (uint64_t i = 1; i <= 30; i++) {
        OK(commit(f, i));
        OK(history_commit(&drop, f->b.s, (uint32_t)i, 1000 + i));
        if (i == 20 && f->keeper != NULL) {
            bough_store_keep(f->b.s, f->keeper);
            OK(history_collect(f->b.s, &now, 1 << 20));
        }
    }
    OK(history_drop(&drop, f->b.s));
    history_fini(&drop);
    log_bed_keep(&f->b);
}

/* Collect in steps, with commits between them, then let the zones go and write into them. */
static enum bough_err collect_and_go_on(struct fix *f)
{
    bool more = true;
    uint64_t seed = 100;
    enum bough_err err;

    bough_store_keep(f->b.s, f->keeper);
    err = bough_store_collect(f->b.s, &now);
    for (uint32_t i = 0; !err && more; i++) {
        err = bough_store_maintain(f->b.s, 6000, &more);
        if (!err && i % 8 == 7)
            err = commit(f, ++seed);
    }
    for (uint32_t i = 0; !err && i < 24; i++)
        err = commit(f, ++seed);
    return err;
}

/* It is what was promised, or what was in flight; without flush: nothing older than what has settled. */
static bool is_promised(const struct fix *f, const struct bough_oid *id)
{
    bool found = bough_oid_eq(id, &f->acked) || bough_oid_eq(id, &f->tried);

    for (size_t i = f->heads; f->b.opts.settle_bytes > 0 && i > 0 && !found; i--) {
        found = bough_oid_eq(id, &f->head[i - 1].id);
        if (f->written >= f->head[i - 1].written + f->b.opts.settle_bytes)
            break;
    }
    return found;
}

/* The store opens, is closed, holds what it must, and collects well. */
static void recovered(struct fix *f)
{
    struct bough_ref ref;
    uint64_t n;

    if (log_bed_open_on(&f->b, &f->b.ram.blk) != BOUGH_OK)
        fail_msg("open: %s", f->b.why.what);
    OK(bough_store_ref(f->b.s, bough_view_str(f->keep.name), &ref));
    assert_true(is_promised(f, &ref.id));
    (void)history_closed(f->b.s);
    bough_store_keep(f->b.s, f->keeper);
    OK(history_collect(f->b.s, &now, 1 << 20));
    n = history_closed(f->b.s);
    f->keep.head = ref.id;
    memset(f->keep.file, 0, sizeof f->keep.file); /* what was in flight may not be there */
    f->keep.tree_body.len = 0;
    OK(commit(f, 77777));
    assert_true(history_closed(f->b.s) > n);
    log_bed_close(&f->b);
}

static void cut_begin(struct fix *f, struct cutblk *cut, uint64_t left)
{
    cutblk_init(cut, &f->b.ram.blk, NULL, left);
    if (f->b.opts.settle_bytes > 0)
        cutblk_settle(cut, f->b.opts.settle_bytes);
    f->cut = cut;
}

static void life(struct fix *f, const struct history *was, uint64_t left, enum cut_fate fate)
{
    struct cutblk cut;
    enum bough_err err;

    log_bed_again(&f->b);
    history_again(&f->keep, was);
    f->acked = f->tried = was->head;
    cut_begin(f, &cut, left);
    cut.fate = fate;
    cut.seed = left;
    f->heads = 0;
    head_note(f, 0); /* it lies on the medium */
    err = log_bed_open_on(&f->b, &cut.blk);
    if (!err)
        err = collect_and_go_on(f);
    log_bed_close(&f->b);
    if (err && !cut.dead)
        fail_msg("%s at %d", bough_err_name(err), (int)left);
    if (f->b.opts.settle_bytes > 0 && !cut.dead)
        cutblk_cut(&cut);
    f->written = cut.written;
    f->cut = NULL;
    cutblk_fini(&cut);
}

static uint64_t calls_of(struct fix *f, const struct history *was)
{
    struct cutblk cut;
    uint64_t calls;

    log_bed_again(&f->b);
    f->heads = 0;
    cut_begin(f, &cut, CUT_NEVER);
    OK(log_bed_open_on(&f->b, &cut.blk));
    OK(collect_and_go_on(f));
    log_bed_close(&f->b);
    calls = cut.calls;
    f->cut = NULL;
    cutblk_fini(&cut);
    f->keep.head = was->head;
    return calls;
}

static void every_cut(const struct bough_store_keeper *keeper, uint64_t settle)
{
    static const enum cut_fate fates[] = {
        CUT_LOST, CUT_KEPT, CUT_TORN, CUT_HOLES, CUT_SEEDED, CUT_SOME};
    size_t n = sizeof fates / sizeof *fates - (settle == 0);
    struct fix *f = fix_new(settle > 0 ? 60 : 40, settle);
    struct history was;
    uint64_t calls;

    f->keeper = keeper;
    past(f);
    was = f->keep; /* but for its tree's body */
    calls = calls_of(f, &was);
    for (uint64_t left = 0; left <= calls; left++) {
        for (size_t i = 0; i < n; i++) {
            life(f, &was, left, fates[i]);
            recovered(f);
        }
    }
    print_message("%d calls\n", (int)calls);
    fix_free(f);
}

static void test_collect__survives_every_cut(void **state)
{
    (void)state;
    every_cut(NULL, 0);
}

static void test_collect__survives_every_cut_while_history_is_cut(void **state)
{
    (void)state;
    every_cut(&windows, 0);
}

/* On a device that cannot flush. */
static void test_collect__survives_every_cut_without_flush(void **state)
{
    (void)state;
    every_cut(NULL, LITTLE);
    every_cut(&windows, MUCH);
}

/* ---- For ever ---- */

enum { SMALL = 48, VALUES = 60, VALUE = 2400 };

/* Writers of values whose old versions go: each branch keeps a few commits. */
struct writers {
    struct fix *f;
    const struct cutblk *cut; /* of this life; NULL: its power does not fail */
    struct bough_store_keeper keeper;
    struct bough_store_pin pin; /* a snapshot of some commit, now and then */
    struct bough_oid pinned;
    uint64_t value[VALUES], acked_value[VALUES]; /* seeds */
    struct {
        uint64_t seed;
        struct bough_oid id;
    } known[VALUES]; /* ids that were made */
    uint64_t seed, written, expired, lives;
    uint32_t most; /* writes of a life */
};

static struct bough_view value_of(uint8_t body[VALUE], uint64_t seed)
{
    for (size_t at = 0; at < VALUE; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(body + at, &x, 8);
    }
    return bough_view(body, VALUE);
}

static const struct bough_oid *value_id(struct writers *w, enum bough_algo algo, uint32_t i)
{
    uint8_t body[VALUE];

    if (w->known[i].seed != w->value[i]) {
        w->known[i].seed = w->value[i];
        w->known[i].id = bough_oid_of(algo, BOUGH_BLOB, value_of(body, w->value[i]));
    }
    return &w->known[i].id;
}

static enum bough_err values_put(struct writers *w, struct bough_txn *t, uint32_t i)
{
    enum bough_algo algo = t->store->algo;
    struct bough_commit_parts parts = {.parents = &w->f->acked};
    struct bough_oid id;
    struct bough_buf tree, text;
    uint8_t body[VALUE];
    enum bough_err err = bough_txn_put(t, BOUGH_BLOB, value_of(body, w->value[i]), &id);

    bough_buf_init(&tree, bough_posix_mem());
    bough_buf_init(&text, bough_posix_mem());
    for (uint32_t k = 0; k < VALUES; k++) {
        char name[8];
        if (w->value[k] == 0)
            continue;
        bough_tree_entry_put(&tree, algo, BOUGH_FILEMODE_BLOB,
            bough_view(name, (size_t)snprintf(name, sizeof name, "f%02u", k)),
            value_id(w, algo, k));
    }
    if (!err)
        err = bough_txn_put(t, BOUGH_TREE, bough_buf_view(&tree), &parts.tree);
    parts.parents_n = bough_oid_is_zero(&w->f->acked) ? 0 : 1;
    parts.author.name = parts.author.mail = bough_view_str("a");
    parts.author.time.sec = (int64_t)++w->f->keep.time;
    parts.committer = parts.author;
    bough_commit_put(&text, algo, &parts);
    if (!err)
        err = bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&text), &w->f->tried);
    if (!err)
        err = history_ref(t, "refs/heads/keep", &w->f->tried);
    bough_buf_fini(&tree);
    bough_buf_fini(&text);
    return err;
}

static enum bough_err value_write(struct writers *w)
{
    uint32_t i = (uint32_t)(test_random(&w->seed) % VALUES);
    struct bough_txn *t;
    enum bough_err err;

    memcpy(w->value, w->acked_value, sizeof w->value);
    w->value[i] = test_random(&w->seed) | 1;
    err = bough_txn_begin(w->f->b.s, &t);
    if (err)
        return err;
    err = values_put(w, t, i);
    if (err) {
        bough_txn_abort(t);
        return err;
    }
    err = bough_txn_commit(t, BOUGH_DURABLE_NOW);
    if (err)
        return err;
    w->f->acked = w->f->tried;
    memcpy(w->acked_value, w->value, sizeof w->value);
    w->written += VALUE;
    return BOUGH_OK;
}

/* A snapshot that is open reads what it was made of, or is told that it has gone. */
static void snapshot_look(struct writers *w)
{
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&body, bough_posix_mem());
    err = bough_store_read(w->f->b.s, &w->pinned, &type, &body);
    if (w->pin.expired)
        w->expired++;
    else if (!bough_oid_is_zero(&w->pinned))
        assert_true(err == BOUGH_OK ||
                    (w->cut != NULL && w->cut->dead)); /* now, at a discard: a hint may fail */
    bough_buf_fini(&body);
    bough_store_unpin(w->f->b.s, &w->pin);
    w->pinned = w->f->acked;
    bough_store_pin(w->f->b.s, &w->pin, &w->pinned);
}

static enum bough_err write_on(struct writers *w, bool maintain)
{
    enum bough_err err = BOUGH_OK;
    bool more;

    bough_store_keep(w->f->b.s, &w->keeper);
    w->pinned = w->f->acked;
    bough_store_pin(w->f->b.s, &w->pin, &w->pinned);
    for (uint32_t i = 0; i < w->most && !err; i++) {
        err = value_write(w);
        if (!err && maintain)
            err = bough_store_maintain(w->f->b.s, 16 * 1024, &more);
        if (!err && i % 60 == 59)
            snapshot_look(w);
    }
    return err;
}

/* After a cut: what was acknowledged, or what was in flight. */
static void look_again(struct writers *w)
{
    struct fix *f = w->f;
    struct bough_ref ref;
    enum bough_err err = log_bed_open_on(&f->b, &f->b.ram.blk);

    if (err)
        fail_msg("open: %s", f->b.why.what);
    err = bough_store_ref(f->b.s, bough_view_str("refs/heads/keep"), &ref);
    if (err == BOUGH_ENOENT)
        assert_true(bough_oid_is_zero(&f->acked));
    else if (!bough_oid_eq(&ref.id, &f->acked)) {
        assert_true(bough_oid_eq(&ref.id, &f->tried));
        f->acked = ref.id;
        memcpy(w->acked_value, w->value, sizeof w->value);
    }
    if (w->lives % 8 == 0)
        (void)history_closed(f->b.s);
    log_bed_close(&f->b);
}

static void for_ever(bool maintain)
{
    struct fix *f = fix_new(SMALL, 0);
    struct writers w = {.f = f, .keeper = windows, .seed = 1, .most = 500};

    while (w.written < 3 * f->b.bytes) {
        struct cutblk cut;
        enum bough_err err;

        cutblk_init(&cut, &f->b.ram.blk, NULL, 1 + w.lives * 7 % 611);
        cut.fate = w.lives % 5 == 0 ? CUT_LOST : CUT_SEEDED;
        cut.seed = w.lives++;
        w.cut = &cut;
        err = log_bed_open_on(&f->b, &cut.blk);
        if (!err)
            err = write_on(&w, maintain);
        if (err && !cut.dead)
            fail_msg(
                "%s (%s) after %d bytes", bough_err_name(err), f->b.s->why.what, (int)w.written);
        log_bed_close(&f->b);
        w.cut = NULL;
        cutblk_fini(&cut);
        look_again(&w);
    }
    print_message("%d lives, %d snapshots given up\n", (int)w.lives, (int)w.expired);
    fix_free(f);
}

static void test_collect__writers_never_run_out_of_space(void **state)
{
    (void)state;
    for_ever(false);
    for_ever(true);
}

/* One life that writes three times the device, unless the power fails at call number `left`.  Returns
   how many calls it took. */
static uint64_t whole_life(struct fix *f, uint64_t left, enum cut_fate fate)
{
    struct writers w = {.f = f, .keeper = windows, .seed = 1};
    struct cutblk cut;
    uint64_t calls;
    enum bough_err err;

    w.most = (uint32_t)(3 * f->b.bytes / VALUE);
    log_bed_again(&f->b);
    f->acked = f->tried = (struct bough_oid){{0}};
    f->keep.time = 1000000000;
    cutblk_init(&cut, &f->b.ram.blk, NULL, left);
    cut.fate = fate;
    cut.seed = left;
    w.cut = &cut;
    err = log_bed_open_on(&f->b, &cut.blk);
    if (!err)
        err = write_on(&w, left % 2 == 0);
    if (err && !cut.dead)
        fail_msg("%s (%s) at %d", bough_err_name(err), f->b.s->why.what, (int)left);
    log_bed_close(&f->b);
    calls = cut.calls;
    w.cut = NULL;
    cutblk_fini(&cut);
    look_again(&w);
    w.most = 20; /* and it goes on */
    log_bed_open(&f->b);
    OK(write_on(&w, false));
    log_bed_close(&f->b);
    return calls;
}

/* LONG=1: at every call; else at some. */
static void test_collect__gives_room_whatever_call_the_power_fails_at(void **state)
{
    struct fix *f = fix_new(SMALL, 0);
    uint64_t by = getenv("LONG") != NULL ? 1 : 331, runs = 0, calls;

    (void)state;
    log_bed_keep(&f->b);
    calls = whole_life(f, CUT_NEVER, CUT_KEPT);
    for (uint64_t left = 1; left < calls; left += by, runs++)
        (void)whole_life(f, left, left % 3 == 0 ? CUT_LOST : CUT_SEEDED);
    print_message("%d calls, %d lives\n", (int)calls, (int)runs);
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect__writers_never_run_out_of_space),
        cmocka_unit_test(test_collect__gives_room_whatever_call_the_power_fails_at),
        cmocka_unit_test(test_collect__survives_every_cut),
        cmocka_unit_test(test_collect__survives_every_cut_while_history_is_cut),
        cmocka_unit_test(test_collect__survives_every_cut_without_flush),
    };

    return cmocka_run_group_tests_name("sim/collect cut", tests, NULL, NULL);
}
