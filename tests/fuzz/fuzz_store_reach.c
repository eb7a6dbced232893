/*
 * fuzz_store_reach.c - reachability bitmaps and sums of stretches that lie, behind checksums that hold.
 *
 * A store is made once with two lines of history, a long value in a pack segment with sums and deltas
 * on it, and collected, so that it has bitmaps.  The input is a list of patches (lies.h); the first byte
 * chooses where they may lie: anywhere, or about the bitmaps, or the sums.  Then everything is asked that
 * bitmaps answer, and long values are read in parts.  Nothing may crash, hang or take more than bounded
 * memory; without a patch the answers must be right.
 */
#include "tests/fuzz/lies.h"
#include "tests/lib/history.h"
#include "tests/lib/mem.h"

#include "store/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 64, BYTES = ZONES * ZONE, LONG = 300 * 1024 };
enum { COMMITS = 24, VALUES = 3, STEPS = 4000 };

static uint8_t fresh[BYTES], device[BYTES];
static struct bough_oid tip[2], value[VALUES];
static uint64_t reached; /* by both tips, and not by the first alone */

/* ---- The store ---- */

/* A value of 300 KB, and two deltas, one on the other. */
static void values_put(struct bough_store *s)
{
    static uint8_t body[LONG];
    struct bough_txn *t;
    uint64_t seed = 7;

    for (size_t i = 0; i < LONG; i += 8)
        bough_put64le(body + i, test_random(&seed));
    BOUGH_ASSERT(bough_txn_begin(s, &t) == BOUGH_OK);
    BOUGH_ASSERT(bough_txn_put(t, BOUGH_BLOB, bough_view(body, LONG), &value[0]) == BOUGH_OK);
    for (int i = 1; i < VALUES; i++) {
        struct bough_delta_builder d;
        struct bough_buf delta;

        bough_buf_init(&delta, bough_posix_mem());
        bough_delta_begin(&d, &delta, LONG, LONG);
        bough_delta_copy(&d, 0, (size_t)i * 1000);
        bough_delta_insert(&d, bough_view("other", 5));
        bough_delta_copy(&d, (uint64_t)i * 1000 + 5, LONG - (size_t)i * 1000 - 5);
        bough_delta_end(&d);
        memcpy(body + (size_t)i * 1000, "other", 5);
        value[i] = bough_oid_of(s->algo, BOUGH_BLOB, bough_view(body, LONG));
        BOUGH_ASSERT(bough_txn_put_delta(t, BOUGH_BLOB, &value[i], &value[i - 1],
                         bough_buf_view(&delta), bough_view(body, LONG)) == BOUGH_OK);
        bough_buf_fini(&delta);
    }
    for (int i = 0; i < VALUES; i++) {
        char name[] = "refs/x/0";

        name[7] = (char)('0' + i);
        BOUGH_ASSERT(history_ref(t, name, &value[i]) == BOUGH_OK);
    }
    BOUGH_ASSERT(bough_txn_commit(t, BOUGH_DURABLE_NOW) == BOUGH_OK);
}

static void lines_make(struct bough_store *s)
{
    static const char *const names[] = {"main", "side"};
    struct history h;

    for (uint32_t k = 0; k < 2; k++) {
        history_init(&h, names[k]);
        h.time += k;
        for (uint32_t i = 0; i < COMMITS; i++)
            BOUGH_ASSERT(history_commit(&h, s, i, 1000 * k + i + 1) == BOUGH_OK);
        tip[k] = h.head;
        history_fini(&h);
    }
}

static enum bough_err reach_all(struct bough_store *s, uint64_t *n);

static void store_make(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.reach_rows = 1, .reach_every = 4};
    struct bough_collect_opts collect = {.grace = 0};
    struct test_env env;
    struct bough_ramblk ram;
    struct bough_store *s;

    test_env_init(&env);
    bough_ramblk_init(&ram, fresh, BYTES / UNIT, UNIT);
    BOUGH_ASSERT(bough_log_format(&ram.blk, &env.env, &format, NULL) == BOUGH_OK);
    BOUGH_ASSERT(bough_log_open(&ram.blk, &env.env, &opts, &s, NULL) == BOUGH_OK);
    lines_make(s);
    values_put(s);
    BOUGH_ASSERT(history_collect(s, &collect, 1 << 20) == BOUGH_OK);
    BOUGH_ASSERT(reach_all(s, &reached) == BOUGH_OK && reached >= COMMITS * 2);
    bough_store_close(s);
    test_env_done(&env);
}

/* ---- What is done with it ---- */

/* Where patches may lie: 0: anywhere; 1: about the bitmaps; 2: about sums. */
static void lies_about(struct lies *l, uint32_t what)
{
    for (size_t at = 2 * ZONE; what > 0 && at < BYTES; at += UNIT) {
        const uint8_t *p = fresh + at;
        bool sums = at % LIES_BLOCK == 0 && bough_get16le(p + 14) == 4 &&
                    bough_get32le(p) == bough_crc32(0, p + 4, LIES_BLOCK - 4);

        if (what == 1 ? memcmp(p, "BgBm", 4) == 0 : sums) {
            l->first = at / UNIT;
            l->units = 12;
            return;
        }
    }
    BOUGH_ASSERT(what == 0);
}

static enum bough_err side_add(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id)
{
    enum bough_err err = BOUGH_ENOENT;

    if (bough_reach_covers(r, id)) {
        do
            err = bough_reach_add(r, side, id);
        while (err == BOUGH_EAGAIN);
    }
    return err;
}

static void entry_look(struct bough_reach *r, const struct bough_reached *e)
{
    uint8_t piece[64];
    struct bough_oid base;
    uint32_t sides;

    (void)!bough_reach_read(
        r, e, e->len / 2, piece, e->len / 2 < sizeof piece ? (size_t)(e->len / 2) : sizeof piece);
    if (bough_entry_is_delta(e->head.type))
        (void)!bough_reach_base(r, e, &base, &sides);
}

/* What the second tip reaches and the first does not. */
static enum bough_err reach_all(struct bough_store *s, uint64_t *n)
{
    struct bough_reached e = {.where = 0};
    struct bough_reach *r;
    uint32_t sides;
    enum bough_err err = bough_store_reach(s, &r);

    *n = 0;
    if (err)
        return err;
    err = side_add(r, BOUGH_REACH_HAVE, &tip[0]);
    if (!err)
        err = side_add(r, BOUGH_REACH_WANT, &tip[1]);
    (void)!bough_reach_put(r, BOUGH_REACH_WANT, &value[1], NULL);
    (void)!bough_reach_sides(r, &value[2], &sides);
    if (!err)
        *n = bough_reach_count(r);
    for (int i = 0; i < STEPS && !err; i++) {
        err = bough_reach_next(r, &e);
        if (!err)
            entry_look(r, &e);
        err = err == BOUGH_EAGAIN ? BOUGH_OK : err;
    }
    bough_reach_close(r);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err values_read(struct bough_store *s)
{
    enum bough_err err, worst = BOUGH_OK;
    uint8_t piece[9000];
    size_t got;

    for (int i = 0; i < VALUES; i++) {
        for (uint64_t at = 100; at < LONG; at += 50000) {
            err = bough_store_read_part(s, &value[i], at, piece, sizeof piece, &got);
            worst = err ? err : worst;
        }
    }
    return worst;
}

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    BOUGH_ASSERT(err && what != NULL && (key.ptr != NULL || key.len == 0));
}

static void use(struct bough_store *s, bool sound)
{
    struct bough_store_stats stats;
    uint64_t n;
    enum bough_err err = reach_all(s, &n);

    BOUGH_ASSERT(!sound || (!err && n == reached));
    err = values_read(s);
    BOUGH_ASSERT(!sound || !err);
    err = bough_store_check(s, report, NULL);
    BOUGH_ASSERT(!sound || !err);
    (void)!bough_store_stat(s, &stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_log_open_opts opts = {.cache = 64 * 1024, .read_only = true};
    struct lies lies = {fresh, device, BYTES, ZONE, 0, BYTES / UNIT};
    static bool made;
    struct test_mem m;
    struct bough_env env = {.mem = &m.mem};
    struct bough_ramblk ram;
    struct bough_store *s;

    if (size == 0)
        return 0;
    if (!made)
        store_make();
    made = true;
    memcpy(device, fresh, BYTES);
    lies_about(&lies, data[0] % 3);
    lies_patch(&lies, data + 1, size - 1);
    lies_seal(&lies);
    test_mem_init(&m);
    m.limit = 64 << 20;
    bough_ramblk_init(&ram, device, BYTES / UNIT, UNIT);
    if (!bough_log_open(&ram.blk, &env, &opts, &s, NULL)) {
        s->object_max = 1 << 20;
        use(s, memcmp(fresh, device, BYTES) == 0);
        bough_store_close(s);
    }
    test_mem_done(&m);
    return 0;
}
