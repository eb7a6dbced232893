/*
 * test_store_log_long.c - long values in a collection that packs all anew.
 *
 * Goal: versions of a long value cost what changed, text is compressed, and every byte of every
 * version is as it was, whole and in part, then and after more collections, also ones that take
 * the base away; what is damaged stays known as damaged; a reader in the middle goes on.
 * Method: noise and text of sizes around the limits, edited, on a device in memory, collected in
 * small steps; the entries' own lengths; memory that counts.
 */
#include "git/entry.h"
#include "git/object.h"
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 4096, ZONE = 1 << 20, BYTES = 320 << 20, VERSIONS = 3, VALUES = 4, STEP = 64 * 1024 };

/* Below and above what is rebuilt in memory; noise but for the second. */
static const size_t sizes[VALUES] = {300000, 3000000, 5000000, 17 << 20};
enum { TEXT = 1, LARGEST = VALUES - 1 };

static struct log_bed f;
static uint8_t *body[VALUES][VERSIONS];
static size_t len[VALUES][VERSIONS];
static struct bough_oid blob[VALUES][VERSIONS];
static const struct bough_collect_opts anew = {.whole = true}, plain = {.grace = 0};

static void fill(uint8_t *p, size_t n, bool text, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15 | 1;

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = text ? (uint8_t) "0123456789abcde\n"[x % 16] : (uint8_t)(x >> 9);
    }
}

/* Each version has 100 bytes more in the middle, and a byte changed. */
static void bodies_make(void)
{
    for (size_t v = 0; v < VALUES; v++) {
        len[v][0] = sizes[v];
        body[v][0] = malloc(sizes[v]);
        assert_non_null(body[v][0]);
        fill(body[v][0], sizes[v], v == TEXT, v + 1);
        for (size_t i = 1; i < VERSIONS; i++) {
            size_t n = len[v][i - 1], half = n / 2 + i * 1000;

            len[v][i] = n + 100;
            body[v][i] = malloc(n + 100);
            assert_non_null(body[v][i]);
            memcpy(body[v][i], body[v][i - 1], half);
            fill(body[v][i] + half, 100, v == TEXT, v * 10 + i);
            memcpy(body[v][i] + half + 100, body[v][i - 1] + half, n - half);
            body[v][i][n / 7 * i % n] ^= 1;
        }
    }
}

/* Trees name the versions of a value alike, so that they come together: a commit each. */
static void commits_make(void)
{
    static const char *const refs[VERSIONS] = {"refs/heads/a", "refs/heads/c", "refs/heads/main"};

    for (size_t i = 0; i < VERSIONS; i++) {
        struct bough_buf tree;
        struct bough_oid id;
        struct bough_txn *t;

        bough_buf_init(&tree, &f.t.mem.mem);
        OK(bough_txn_begin(f.s, &t));
        for (size_t v = 0; v < VALUES; v++) {
            char name[8] = {'v', (char)('0' + v), 0};
            OK(bough_txn_put(t, BOUGH_BLOB, bough_view(body[v][i], len[v][i]), &blob[v][i]));
            bough_tree_entry_put(
                &tree, test_algo(), BOUGH_FILEMODE_BLOB, bough_view_str(name), &blob[v][i]);
        }
        OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&tree), &id));
        OK(history_ref(t, refs[i], &id));
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        bough_buf_fini(&tree);
    }
}

static int setup(void **state)
{
    (void)state;
    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){.cache = 1 << 20});
    commits_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_bed_end(&f);
    return 0;
}

static int group_setup(void **state)
{
    (void)state;
    bodies_make();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    for (size_t v = 0; v < VALUES; v++)
        for (size_t i = 0; i < VERSIONS; i++)
            free(body[v][i]);
    return 0;
}

/* All versions from `first` on, whole and from the middle. */
static void expect_all(size_t first)
{
    for (size_t v = 0; v < VALUES; v++) {
        for (size_t i = first; i < VERSIONS; i++) {
            struct bough_buf out;
            uint8_t part[5000];
            size_t got, at = len[v][i] / 2;
            struct bough_object *o;

            bough_buf_init(&out, &f.t.mem.mem);
            OK(bough_store_read(f.s, &blob[v][i], NULL, &out));
            assert_int_equal(out.len, len[v][i]);
            assert_memory_equal(out.ptr, body[v][i], out.len);
            bough_buf_fini(&out);
            OK(bough_store_object_open(f.s, &blob[v][i], &o));
            OK(bough_object_read(o, at, part, sizeof part, &got));
            assert_true(got > 0);
            assert_memory_equal(part, body[v][i] + at, got);
            bough_object_close(o);
        }
    }
}

static uint64_t packed(size_t v, size_t i)
{
    struct bough_entry e;

    OK(bough_store_entry(f.s, &blob[v][i], &e));
    return e.packed_len;
}

static uint64_t damaged;

static void damage(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)err;
    (void)what;
    (void)key;
    damaged++;
}

static void expect_whole_store(void)
{
    damaged = 0;
    OK(bough_store_check(f.s, damage, NULL));
    assert_int_equal(damaged, 0);
}

static void ref_drop(const char *name)
{
    struct bough_txn *t;

    OK(bough_txn_begin(f.s, &t));
    OK(history_ref(t, name, NULL));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

static void test_long__versions_cost_what_changed(void **state)
{
    (void)state;
    OK(history_collect(f.s, &anew, STEP));
    for (size_t v = 0; v < VALUES; v++) {
        assert_true(packed(v, VERSIONS - 1) <= len[v][VERSIONS - 1] * (v == TEXT ? 6 : 11) / 10);
        for (size_t i = 0; i + 1 < VERSIONS; i++)
            assert_true(packed(v, i) < 2000);
    }
    expect_all(0);
    expect_whole_store();
    log_bed_reopen(&f);
    expect_all(0);
    OK(history_collect(f.s, &anew, STEP)); /* deltas now: they stay */
    for (size_t v = 0; v < VALUES; v++)
        assert_true(packed(v, 0) < 2000);
    expect_all(0);
    expect_whole_store();
}

/* The newest version goes, and with it the base of the others. */
static void test_long__a_base_may_go(void **state)
{
    (void)state;
    OK(history_collect(f.s, &anew, STEP));
    for (size_t round = 0; round < 2; round++) {
        size_t before = VERSIONS - 1 - round;
        char name[] = "refs/heads/c";

        ref_drop(round == 0 ? "refs/heads/main" : name);
        OK(history_collect(f.s, round == 0 ? &plain : &anew, STEP));
        for (size_t v = 0; v < VALUES; v++)
            for (size_t i = 0; i < before; i++) {
                struct bough_buf out;

                bough_buf_init(&out, &f.t.mem.mem);
                OK(bough_store_read(f.s, &blob[v][i], NULL, &out));
                assert_memory_equal(out.ptr, body[v][i], out.len);
                bough_buf_fini(&out);
                assert_int_equal(bough_store_has(f.s, &blob[v][before]), BOUGH_ENOENT);
            }
        expect_whole_store();
    }
}

static void test_long__a_reader_in_the_middle_goes_on(void **state)
{
    struct bough_object *o[VALUES];
    uint8_t part[5000];
    size_t got;

    (void)state;
    for (size_t v = 0; v < VALUES; v++) {
        OK(bough_store_object_open(f.s, &blob[v][1], &o[v]));
        OK(bough_object_read(o[v], 0, part, sizeof part, &got));
    }
    OK(history_collect(f.s, &anew, STEP));
    for (size_t v = 0; v < VALUES; v++) {
        for (size_t at = got; at < len[v][1]; at += got) {
            OK(bough_object_read(o[v], at, part, sizeof part, &got));
            assert_true(got > 0);
            assert_memory_equal(part, body[v][1] + at, got);
        }
        bough_object_close(o[v]);
        got = 1;
    }
}

/* Long as they are, packing takes little memory. */
static void test_long__takes_bounded_memory(void **state)
{
    size_t before = f.t.mem.used;

    (void)state;
    f.t.mem.peak = before;
    OK(history_collect(f.s, &anew, STEP));
    assert_true(f.t.mem.peak - before < 8 << 20);
}

/* An old version of one value rots and the newest of another, before all is packed anew. */
static void test_long__what_is_damaged_is_not_made_to_look_sound(void **state)
{
    static const size_t value[] = {0, 2}, version[] = {0, VERSIONS - 1};

    (void)state;
    OK(history_collect(f.s, &plain, STEP)); /* out of the log */
    for (size_t k = 0; k < 2; k++) {
        size_t last = VERSIONS - 1; /* where the first was cut, in what the last has alone */
        size_t cut = k == 0 ? len[0][0] / 2 + 1000 - 32 : len[2][last - 1] / 2 + last * 1000 + 16;
        const uint8_t *piece = body[value[k]][version[k]] + cut;
        struct bough_entry e;
        size_t hits = 0;

        OK(bough_store_entry(f.s, &blob[value[k]][version[k]], &e));
        for (size_t i = 0; i + 64 < BYTES; i++) {
            if (f.device[i] != piece[0] || memcmp(f.device + i, piece, 64) != 0)
                continue;
            f.device[i + 7] ^= 4;
            hits++;
        }
        assert_true(hits > 0);
    }
    damaged = 0;
    (void)bough_store_check(f.s, damage, NULL);
    assert_true(damaged >= 2);
    OK(history_collect(f.s, &anew, STEP));
    for (size_t k = 0; k < 2; k++) {
        struct bough_buf out;
        enum bough_err err;

        bough_buf_init(&out, &f.t.mem.mem);
        err = bough_store_read(f.s, &blob[value[k]][version[k]], NULL, &out);
        assert_true(err == BOUGH_ECORRUPT);
        bough_buf_fini(&out);
    }
    damaged = 0;
    (void)bough_store_check(f.s, damage, NULL);
    assert_true(damaged >= 2);
}

/* Text but where the writer takes its sample: stored, to be deflated. */
static size_t mixed_make(uint8_t *p, size_t n, bool edited)
{
    fill(p, n, true, 77);
    fill(p + n / 2 - 8192, 16384, false, 78);
    if (edited)
        fill(p + n / 4, 100, true, 79);
    return n / 4;
}

/* The newer version, which the older one becomes a delta on, rots in the log: that does not rot with it. */
static void test_long__what_is_sound_does_not_stand_on_what_is_damaged(void **state)
{
    enum { LEN = 400007 };
    static const char *const refs[] = {"refs/heads/old", "refs/heads/new"};
    uint8_t *p = malloc(LEN);
    struct bough_oid id[2], tree;
    size_t hits = 0;

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 2; i++) {
        struct bough_buf names;
        struct bough_txn *t;
        size_t at = mixed_make(p, LEN, i == 1);

        bough_buf_init(&names, &f.t.mem.mem);
        OK(bough_txn_begin(f.s, &t));
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(p, LEN), &id[i]));
        bough_tree_entry_put(
            &names, test_algo(), BOUGH_FILEMODE_BLOB, bough_view_str("mixed"), &id[i]);
        OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&names), &tree));
        OK(history_ref(t, refs[i], &tree));
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        bough_buf_fini(&names);
        for (size_t k = 0; i == 1 && k + 100 < BYTES; k++) {
            if (f.device[k] != p[at] || memcmp(f.device + k, p + at, 100) != 0)
                continue;
            f.device[k + 7] ^= 1;
            hits++;
        }
    }
    assert_int_equal(hits, 1);
    OK(history_collect(f.s, &anew, STEP));
    log_bed_reopen(&f);
    for (int i = 0; i < 2; i++) {
        struct bough_buf out;

        bough_buf_init(&out, &f.t.mem.mem);
        assert_int_equal(
            bough_store_read(f.s, &id[i], NULL, &out), i == 0 ? BOUGH_OK : BOUGH_ECORRUPT);
        bough_buf_fini(&out);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_long__versions_cost_what_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long__a_base_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long__a_reader_in_the_middle_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long__takes_bounded_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_long__what_is_damaged_is_not_made_to_look_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_long__what_is_sound_does_not_stand_on_what_is_damaged, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log/cold_long", tests, group_setup, group_teardown);
}
