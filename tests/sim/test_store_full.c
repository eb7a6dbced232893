/*
 * test_store_full.c - a device that gets full at any point.
 *
 * Goal: wherever in a commit, a transaction of many frames, an adoption, a big value or a
 * checkpoint the last zone is taken: the answer is `no space`, nothing of it happened, all else is
 * there, the store opens again, and refs can be deleted.
 * Method: one history of every kind of step, over and over, on stores of every size from the least
 * on and shifted by some small commits, so that the end comes at each step of it; the memory engine is
 * the model.
 */
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024, MOST = 40, BYTES = MOST * ZONE, ROUNDS = 12 };

static const char history[] = "cxdwfcibmlscaxwr";

struct fix {
    struct world w;
    struct bough_ramblk ram;
    uint8_t device[BYTES];
    uint64_t full; /* answers of `no space` */
};

/* One step.  The device may be full: then nothing happened. */
static void try_step(struct fix *f, char kind)
{
    enum bough_err err = step(&f->w, kind, &f->ram.blk);
    struct picture p;

    if (!err)
        return;
    if (err != BOUGH_ENOSPC)
        fail_msg("step %c: %s (%s)", kind, bough_err_name(err), f->w.s->why.what);
    f->full++;
    model_cut(&f->w.m, f->w.seen);
    p = picture_of(f->w.s);
    assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n]));
}

static void delete_one(struct fix *f)
{
    struct bough_ref_change gone = {.kind = BOUGH_REF_NONE};
    struct bough_ref ref;
    struct bough_txn *t;
    char name[128];

    OK(bough_store_ref_next(f->w.s, bough_view("refs/", 5), bough_view("", 0), &ref));
    memcpy(name, ref.name.ptr, ref.name.len);
    gone.name = bough_view(name, ref.name.len);
    OK(bough_txn_begin(f->w.s, &t));
    OK(bough_txn_ref(t, &gone));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    assert_int_equal(bough_store_ref(f->w.s, gone.name, &ref), BOUGH_ENOENT);
}

static void fill(struct fix *f, enum bough_algo algo, uint32_t zones, uint32_t shift)
{
    const struct bough_log_format_opts format = {.algo = algo, .granule = UNIT, .zone = ZONE};

    memset(f, 0, sizeof *f);
    f->w.opts =
        (struct bough_log_open_opts){.cache = 64 * 1024, .table_rows = 12, .log_max = 64 * 1024};
    f->w.m.algo = algo;
    test_env_init(&f->w.t);
    bough_ramblk_init(&f->ram, f->device, (uint64_t)zones * ZONE / UNIT, UNIT);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    model_open(&f->w.m);
    OK(world_open(&f->w, &f->ram.blk));
    while (shift-- > 0)
        OK(step(&f->w, 'c', &f->ram.blk));
    for (int round = 0; round < ROUNDS && f->full < 2 * sizeof history; round++) {
        for (const char *s = history; *s != 0; s++)
            try_step(f, *s);
    }
    if (f->full == 0)
        fail_msg("%u zones did not get full", zones);
    OK(step(&f->w, 's', &f->ram.blk));
    OK(step(&f->w, 'r', &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, f->w.acked);
    delete_one(f);
    world_close(&f->w);
    OK(world_open(&f->w, &f->ram.blk));
    assert_whole(&f->w);
    world_close(&f->w);
    model_close(&f->w.m);
    test_env_done(&f->w.t);
}

static void sizes(enum bough_algo algo)
{
    bool all = getenv("LONG") != NULL;
    struct fix *f = malloc(sizeof *f);

    assert_non_null(f);
    for (uint32_t zones = 16; zones <= MOST; zones += all ? 1 : 3) {
        for (uint32_t shift = 0; shift < (all ? 60 : 1); shift++)
            fill(f, algo, zones, shift);
    }
    free(f);
}

static void test_log__gets_full_anywhere(void **state)
{
    (void)state;
    sizes(BOUGH_SHA1);
}

static void test_log__gets_full_anywhere_with_sha256(void **state)
{
    (void)state;
    sizes(BOUGH_SHA256);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__gets_full_anywhere),
        cmocka_unit_test(test_log__gets_full_anywhere_with_sha256),
    };

    return cmocka_run_group_tests_name("sim/store full", tests, NULL, NULL);
}
