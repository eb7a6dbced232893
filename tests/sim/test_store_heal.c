/*
 * test_store_heal.c - what is damaged and put again is whole from then on.
 *
 * Goal: an object of which every copy is damaged, in the log, behind a table or in a pack, is read well as
 * soon as it is put again or comes with a pack, and so is what stands upon it as a delta; it stays so while
 * tables are merged, collections run and the store is opened again.  And however often objects are put
 * again, as a whole or as deltas of each other, following bases never goes round.
 * Method: small objects that lie on the device as they are, so that their bytes are found there; then
 * random puts, damage and upkeep from a seed.
 */
#include "git/pack.h"
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 200, OBJECTS = 12, BODY_MAX = 6000, MARK = 24 };

struct fix {
    struct log_bed b;
    uint8_t body[OBJECTS][BODY_MAX];
    struct bough_oid id[OBJECTS];
    bool there[OBJECTS];
    size_t len;
    uint64_t fill; /* seed of objects that only fill tables */
};

static struct fix *fix_new(size_t len)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {
        .table_rows = 24, .log_max = 32 * 1024, .cache = 64 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, (size_t)ZONES * ZONE, format, opts);
    f->len = len;
    for (uint64_t i = 0; i < OBJECTS; i++) {
        uint64_t seed = i + 1;
        for (size_t k = 0; k < len; k += 4) {
            uint32_t x = (uint32_t)test_random(&seed);
            memcpy(f->body[i] + k, &x, 4);
        }
        OK(bough_oid_make(f->b.s->algo, BOUGH_BLOB, bough_view(f->body[i], len), &f->id[i], NULL));
    }
    return f;
}

static void fix_free(struct fix *f)
{
    log_bed_end(&f->b);
    free(f);
}

static struct bough_view body_of(const struct fix *f, uint32_t i)
{
    return bough_view(f->body[i], f->len);
}

/* Time goes by: what is put again is written again. */
static struct bough_txn *begin(struct fix *f)
{
    struct bough_txn *t;

    f->b.t.time.sec += 2;
    OK(bough_txn_begin(f->b.s, &t));
    return t;
}

static void commit(struct bough_txn *t, const struct bough_oid *id, const char *kind, uint64_t no)
{
    char name[40];

    (void)snprintf(name, sizeof name, "refs/%s/%llu", kind, (unsigned long long)no);
    OK(history_ref(t, name, id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

static void put(struct fix *f, uint32_t i)
{
    struct bough_txn *t = begin(f);
    struct bough_oid id;

    OK(bough_txn_put(t, BOUGH_BLOB, body_of(f, i), &id));
    assert_true(bough_oid_eq(&id, &f->id[i]));
    commit(t, &id, "o", i);
    f->there[i] = true;
}

static void varint(struct bough_buf *b, size_t n)
{
    for (; n >= 128; n >>= 7)
        bough_buf_put_u8(b, (uint8_t)(n | 128));
    bough_buf_put_u8(b, (uint8_t)n);
}

/* A delta of anything that says all of it. */
static void delta_put(const struct fix *f, uint32_t i, struct bough_buf *delta)
{
    varint(delta, f->len);
    varint(delta, f->len);
    for (size_t at = 0; at < f->len; at += 100) {
        size_t n = f->len - at < 100 ? f->len - at : 100;
        bough_buf_put_u8(delta, (uint8_t)n);
        bough_buf_put(delta, f->body[i] + at, n);
    }
    OK(delta->err);
}

/* As a delta of object `j`. */
static void put_on(struct fix *f, uint32_t i, uint32_t j)
{
    struct bough_txn *t = begin(f);
    struct bough_buf delta;

    bough_buf_init(&delta, bough_posix_mem());
    delta_put(f, i, &delta);
    OK(bough_txn_put_delta(
        t, BOUGH_BLOB, &f->id[i], &f->id[j], bough_buf_view(&delta), body_of(f, i)));
    bough_buf_fini(&delta);
    commit(t, &f->id[i], "o", i);
    f->there[i] = true;
}

static void pack_take(struct fix *f, uint32_t i, struct bough_view pack)
{
    struct bough_intake *in;
    struct bough_txn *t;
    size_t used;
    enum bough_err err;

    OK(bough_store_intake(f->b.s, NULL, &in));
    for (size_t at = 0; at < pack.len; at += used)
        OK(bough_intake_feed(in, bough_view(pack.ptr + at, pack.len - at), &used));
    while ((err = bough_intake_step(in, 100000)) == BOUGH_EAGAIN)
        continue;
    OK(err);
    t = begin(f);
    OK(bough_txn_adopt(t, in));
    commit(t, &f->id[i], "o", i);
}

/* In a pack, whole. */
static void push(struct fix *f, uint32_t i)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = f->len};
    struct bough_pack_writer w;
    struct bough_buf pack;

    bough_buf_init(&pack, bough_posix_mem());
    bough_pack_writer_init(&w, &pack, f->b.s->algo, 1);
    bough_pack_writer_put(&w, &head, body_of(f, i), 1);
    bough_pack_writer_finish(&w);
    pack_take(f, i, bough_buf_view(&pack));
    bough_buf_fini(&pack);
}

/* In a pack of `more` others, too, as a delta of one of them. */
static void push_on(struct fix *f, uint32_t i, uint32_t more)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = f->len},
                            on = {.type = BOUGH_REF_DELTA};
    uint8_t body[BODY_MAX];
    struct bough_pack_writer w;
    struct bough_buf pack, delta;

    bough_buf_init(&pack, bough_posix_mem());
    bough_buf_init(&delta, bough_posix_mem());
    delta_put(f, i, &delta);
    on.size = delta.len;
    bough_pack_writer_init(&w, &pack, f->b.s->algo, more + 1);
    for (uint64_t k = 0; k < more; k++) {
        uint64_t seed = 1000 + k;
        for (size_t at = 0; at < f->len; at += 4) {
            uint32_t x = (uint32_t)test_random(&seed);
            memcpy(body + at, &x, 4);
        }
        on.base = bough_oid_of(f->b.s->algo, BOUGH_BLOB, bough_view(body, f->len));
        bough_pack_writer_put(&w, &head, bough_view(body, f->len), 1);
    }
    bough_pack_writer_put(&w, &on, bough_buf_view(&delta), 1);
    bough_pack_writer_finish(&w);
    pack_take(f, i, bough_buf_view(&pack));
    bough_buf_fini(&delta);
    bough_buf_fini(&pack);
}

static void push_delta(struct fix *f, uint32_t i)
{
    push_on(f, i, 1);
}

static void push_delta_of_many(struct fix *f, uint32_t i)
{
    push_on(f, i, 200); /* too many to be copied into the log */
}

/* Every copy of it on the device; what is remembered of it goes.  A mount knows that all before it was flushed,
   so that this is not a torn write. */
static uint32_t damage(struct fix *f, uint32_t i)
{
    uint8_t *at = f->b.device, *end = f->b.device + f->b.bytes;
    uint32_t n = 0;

    log_bed_reopen(&f->b);
    log_bed_close(&f->b);
    while ((at = memmem(at, (size_t)(end - at), f->body[i], MARK)) != NULL) {
        at[MARK / 2] ^= 1;
        n++;
    }
    log_bed_open(&f->b);
    return n;
}

static enum bough_err look(struct fix *f, uint32_t i)
{
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&body, bough_posix_mem());
    err = bough_store_read(f->b.s, &f->id[i], &type, &body);
    if (!err)
        assert_true(body.len == f->len && memcmp(body.ptr, f->body[i], f->len) == 0);
    bough_buf_fini(&body);
    return err;
}

static void all_well(struct fix *f, const char *when)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct bough_found found;
        enum bough_err err = f->there[i] ? look(f, i) : BOUGH_OK;

        if (err)
            fail_msg("%s: object %u: %s (%s)", when, i, bough_err_name(err), f->b.s->why.what);
        if (f->there[i]) {
            OK(bough_store_find(f->b.s, &f->id[i], &found));
            assert_int_equal(found.size, f->len);
        }
    }
}

/* Enough for a checkpoint, and for tables to be merged. */
static void fill(struct fix *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct bough_txn *t = begin(f);
        struct bough_oid id;

        f->fill++;
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(&f->fill, sizeof f->fill), &id));
        commit(t, &id, "fill", f->fill % 40);
    }
}

static void upkeep(struct fix *f)
{
    bool more = true;

    while (more)
        OK(bough_store_maintain(f->b.s, 1 << 20, &more));
}

static void collect(struct fix *f)
{
    struct bough_collect_opts now = {.grace = 0};

    OK(history_collect(f->b.s, &now, 1 << 20));
}

static void grow_old(struct fix *f)
{
    static const char *const when[] = {
        "at once", "opened again", "a checkpoint", "merged", "collected", "opened at last"};

    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < sizeof when / sizeof *when; i++) {
            if (i == 1 || i == 5)
                log_bed_reopen(&f->b);
            if (i == 2)
                fill(f, 30);
            for (uint32_t k = 0; i == 3 && k < 8; k++) {
                fill(f, 30);
                upkeep(f);
            }
            if (i == 4)
                collect(f);
            all_well(f, when[i]);
        }
    }
}

/* Where the damaged copy lies: in the log, behind tables, in a pack. */
static void heal(size_t len, uint32_t life, void (*again)(struct fix *f, uint32_t i), bool looked)
{
    struct fix *f = fix_new(len);

    put(f, 0);
    put_on(f, 1, 0);
    put_on(f, 2, 1);
    put(f, 3);
    if (life > 0)
        fill(f, 30);
    if (life > 1)
        collect(f);
    assert_true(damage(f, 0) > 0);
    assert_int_equal(look(f, 3), BOUGH_OK);
    if (looked) {
        assert_int_equal(look(f, 0), BOUGH_ECORRUPT);
        assert_int_equal(look(f, 2), BOUGH_ECORRUPT);
    }
    again(f, 0);
    grow_old(f);
    fix_free(f);
}

static void test_heal__what_is_put_again_stays_whole(void **state)
{
    (void)state;
    for (uint32_t life = 0; life < 3; life++) {
        heal(300, life, put, true);
        heal(300, life, put, false);
        heal(BODY_MAX, life, put, true);
        heal(BODY_MAX, life, put, false);
    }
}

static void test_heal__what_comes_with_a_pack_stays_whole(void **state)
{
    (void)state;
    for (uint32_t life = 0; life < 3; life++) {
        heal(300, life, push, true);
        heal(BODY_MAX, life, push, false);
        heal(300, life, push_delta, false);
        heal(BODY_MAX, life, push_delta, true);
        heal(300, life, push_delta_of_many, true);
        heal(BODY_MAX, life, push_delta_of_many, false);
    }
}

/* A whole object, one that stands upon it, and the first again as a delta of the second. */
static void test_heal__a_delta_of_what_stands_upon_it_goes_nowhere(void **state)
{
    (void)state;
    for (uint32_t life = 0; life < 3; life++) {
        struct fix *f = fix_new(300);

        put(f, 0);
        put_on(f, 1, 0);
        if (life > 0)
            fill(f, 30);
        if (life > 1)
            collect(f);
        put_on(f, 0, 1);
        grow_old(f);
        put_on(f, 1, 0);
        grow_old(f);
        assert_true(damage(f, 0) > 0);
        assert_int_equal(look(f, 0), BOUGH_ECORRUPT);
        put(f, 0);
        grow_old(f);
        fix_free(f);
    }
}

static void step(struct fix *f, uint64_t *seed)
{
    uint32_t i = (uint32_t)(test_random(seed) % OBJECTS),
             j = (uint32_t)(test_random(seed) % OBJECTS);

    switch (test_random(seed) % 16) {
    case 0:
        log_bed_reopen(&f->b);
        break;
    case 1:
        fill(f, 30);
        break;
    case 2:
        upkeep(f);
        break;
    case 3:
        collect(f);
        break;
    case 4:
    case 5:
        if (f->there[i])
            (void)damage(f, i);
        put(f, i);
        break;
    case 6:
        put(f, i);
        break;
    default:
        if (i != j && f->there[j])
            put_on(f, i, j);
        break;
    }
}

static void test_heal__at_random(void **state)
{
    uint64_t seeds = getenv("LONG") != NULL ? 400 : 12;

    (void)state;
    for (uint64_t first = 1; first <= seeds; first++) {
        struct fix *f = fix_new(300);
        uint64_t seed = first;
        char when[40];

        for (uint32_t n = 0; n < 120; n++) {
            (void)snprintf(when, sizeof when, "seed %u, step %u", (unsigned)first, n);
            step(f, &seed);
            all_well(f, when);
        }
        fix_free(f);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heal__what_is_put_again_stays_whole),
        cmocka_unit_test(test_heal__what_comes_with_a_pack_stays_whole),
        cmocka_unit_test(test_heal__a_delta_of_what_stands_upon_it_goes_nowhere),
        cmocka_unit_test(test_heal__at_random),
    };

    return cmocka_run_group_tests_name("sim/store heal", tests, NULL, NULL);
}
