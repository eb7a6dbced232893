/*
 * test_collect_steps.c - a collection goes in small steps.
 *
 * Goal: no step of maintain() takes long, however large an object, a tree or a delta is: a server
 * does it between requests.  Checkpoints are left out: their size is bounded by the options of open.
 * Method: large trees, large blobs, and large deltas that lose their base, collected with the
 * smallest budget; for each step the least processor time of some equal runs, and its device bytes.
 */
#include <time.h>

#include "store/log/log.h"
#include "tests/lib/history.h"
#include "tests/sim/recblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 10 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif
#else
enum { SLOWER = 1 };
#endif

enum { UNIT = 4096, ZONE = 1024 * 1024, ZONES = 64, RUNS = 3, STEPS_MAX = 200 * 1000 };
enum { LARGE = 800 * 1000, MIDDLE = 250 * 1000, ENTRIES = 20 * 1000 };
enum { STEP_US = 8000, STEP_BYTES = 1024 * 1024 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    struct recblk rec;
    uint8_t *device, *fresh;
    struct bough_store *s;
    struct bough_why why;
    uint32_t *least; /* of each step, microseconds */
    uint32_t steps;
};

static void open_on(struct fix *f, struct bough_block *dev)
{
    struct bough_log_open_opts opts = {.cache = 1024 * 1024, .prepare = 1};

    OK(bough_log_open(dev, &f->t.env, &opts, &f->s, &f->why));
}

/* Words: they can be made smaller, and that takes time. */
static void text_of(struct bough_buf *out, size_t len, uint64_t seed)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    bough_buf_clear(out);
    while (out->len < len) {
        uint64_t x = test_random(&seed);
        bough_buf_put(out, &letters[x % 20], 1 + (x >> 8) % 6);
    }
    out->len = len;
    OK(out->err);
}

/* A value, and one that is a delta on it; the tree keeps the second alone. */
static void pair_put(
    struct bough_txn *t, struct bough_buf *tree, const char *name, size_t len, uint64_t seed)
{
    enum bough_algo algo = t->store->algo;
    struct bough_oid base, id;
    struct bough_buf was, is, delta;

    bough_buf_init(&was, bough_posix_mem());
    bough_buf_init(&is, bough_posix_mem());
    bough_buf_init(&delta, bough_posix_mem());
    text_of(&was, len, seed);
    text_of(&is, len, seed);
    memcpy(is.ptr + len / 2, "changed", 7);
    history_delta(bough_buf_view(&was), bough_buf_view(&is), 0, &delta);
    OK(bough_txn_put(t, BOUGH_BLOB, bough_buf_view(&was), &base));
    id = bough_oid_of(algo, BOUGH_BLOB, bough_buf_view(&is));
    OK(bough_txn_put_delta(t, BOUGH_BLOB, &id, &base, bough_buf_view(&delta), bough_buf_view(&is)));
    bough_tree_entry_put(tree, algo, BOUGH_FILEMODE_BLOB, bough_view_str(name), &id);
    bough_buf_fini(&was);
    bough_buf_fini(&is);
    bough_buf_fini(&delta);
}

static void past(struct fix *f)
{
    struct bough_commit_parts parts = {.parents_n = 0};
    struct bough_oid id;
    struct bough_buf many, tree, text;
    struct bough_txn *t;

    open_on(f, &f->ram.blk);
    bough_buf_init(&many, bough_posix_mem());
    bough_buf_init(&tree, bough_posix_mem());
    bough_buf_init(&text, bough_posix_mem());
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view_str("one of many"), &id));
    for (uint32_t i = 0; i < ENTRIES; i++) {
        char name[16];
        bough_tree_entry_put(&many, f->s->algo, BOUGH_FILEMODE_BLOB,
            bough_view(name, (size_t)snprintf(name, sizeof name, "f%06u", i)), &id);
    }
    pair_put(t, &tree, "large", LARGE, 11);
    OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&many), &id));
    bough_tree_entry_put(&tree, f->s->algo, BOUGH_FILEMODE_TREE, bough_view_str("many"), &id);
    for (uint32_t i = 0; i < 6; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "middle%u", i);
        pair_put(t, &tree, name, MIDDLE, 20 + i / 3);
    }
    text_of(&text, LARGE, 5);
    OK(bough_txn_put(t, BOUGH_BLOB, bough_buf_view(&text), &id));
    bough_tree_entry_put(&tree, f->s->algo, BOUGH_FILEMODE_BLOB, bough_view_str("whole"), &id);
    OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&tree), &parts.tree));
    bough_buf_clear(&text);
    parts.author.name = parts.author.mail = bough_view_str("a");
    parts.author.time.sec = 1000000000;
    parts.committer = parts.author;
    bough_commit_put(&text, f->s->algo, &parts);
    OK(bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&text), &id));
    OK(history_ref(t, "refs/heads/main", &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_buf_fini(&many);
    bough_buf_fini(&tree);
    bough_buf_fini(&text);
    bough_store_close(f->s);
    memcpy(f->fresh, f->device, (size_t)ZONES * ZONE);
}

static uint64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t bytes_of(const struct recblk *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->call_n; i++)
        n += r->call[i].what == 'w' || r->call[i].what == 'r' ? r->call[i].n * UNIT : 0;
    return n;
}

static void run(struct fix *f, bool whole, uint32_t number)
{
    struct bough_collect_opts opts = {.grace = 0, .whole = whole};
    bool more = true;
    uint32_t n = 0;

    memcpy(f->device, f->fresh, (size_t)ZONES * ZONE);
    recblk_init(&f->rec, &f->ram.blk);
    f->rec.reads = true;
    open_on(f, &f->rec.blk);
    OK(bough_store_collect(f->s, &opts));
    for (; more; n++) {
        uint64_t start, took;

        assert_true(n < STEPS_MAX);
        recblk_clear(&f->rec);
        start = now_us();
        OK(bough_store_maintain(f->s, 1, &more));
        took = now_us() - start;
        if (recblk_count(&f->rec, 's') > 0) /* a checkpoint */
            took = 0;
        else if (bytes_of(&f->rec) > STEP_BYTES)
            fail_msg("step %u: %d bytes", n, (int)bytes_of(&f->rec));
        if (number == 0 || took < f->least[n])
            f->least[n] = (uint32_t)took;
    }
    assert_true(number == 0 || n == f->steps);
    f->steps = n;
    (void)history_closed(f->s);
    bough_store_close(f->s);
    recblk_fini(&f->rec);
}

static void small_steps(bool whole)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);
    uint32_t longest = 0;

    assert_non_null(f);
    f->device = calloc(ZONES, ZONE);
    f->fresh = calloc(ZONES, ZONE);
    f->least = calloc(STEPS_MAX, sizeof *f->least);
    assert_true(f->device != NULL && f->fresh != NULL && f->least != NULL);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, (uint64_t)ZONES * ZONE / UNIT, UNIT);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    past(f);
    for (uint32_t i = 0; i < RUNS; i++)
        run(f, whole, i);
    for (uint32_t i = 0; i < f->steps; i++)
        longest = f->least[i] > longest ? f->least[i] : longest;
    print_message("%u steps, the longest %u us\n", f->steps, longest);
    assert_true(longest < STEP_US * SLOWER);
    test_env_done(&f->t);
    free(f->device);
    free(f->fresh);
    free(f->least);
    free(f);
}

static void test_collect__goes_in_small_steps(void **state)
{
    (void)state;
    small_steps(false);
}

static void test_collect__packs_anew_in_small_steps(void **state)
{
    (void)state;
    small_steps(true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect__goes_in_small_steps),
        cmocka_unit_test(test_collect__packs_anew_in_small_steps),
    };

    return cmocka_run_group_tests_name("sim/collect steps", tests, NULL, NULL);
}
