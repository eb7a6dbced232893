/*
 * test_collect_window.c - what is promised while history is being cut is kept.
 *
 * Goal: a ref that keeps all, a tag, a pin, or a policy that keeps more, set at any moment of a
 * collection that cuts the history of a branch: if that collection is not over by then, all that the
 * promise says is there after it; in any case what is stored is closed, and the next collection cuts
 * what may be cut.
 * Method: a branch that keeps four commits of thirty; the promise comes after each number of small
 * steps; commits beside it, so that the branch's head is old or young.
 */
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 60, COMMITS = 30, WINDOW = 4, MORE = 12, TAGS = 70 };

enum promise { KEPT_REF, KEPT_TAG, LIMITED_REF, PIN, POLICY_ALL, POLICY_MORE, PROMISES };

struct fix {
    struct log_bed b;
    struct bough_store_keeper keeper;
    struct history main;
    uint32_t window; /* commits that the branch keeps; 0: all */
    struct bough_store_pin pin;
};

static enum bough_err retention(void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    struct fix *f = ctx;

    if (ref->name.len > 11 && memcmp(ref->name.ptr, "refs/heads/", 11) == 0)
        out->commits = f->window;
    return BOUGH_OK;
}

static void open_it(struct fix *f)
{
    log_bed_open(&f->b);
    f->keeper = (struct bough_store_keeper){.retention = retention, .ctx = f};
    f->window = WINDOW;
    bough_store_keep(f->b.s, &f->keeper);
}

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {
        .table_rows = 60, .log_max = 24 * 1024, .cache = 64 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, (size_t)ZONES * ZONE, format, opts);
    history_init(&f->main, "main");
    for (uint64_t i = 1; i <= COMMITS; i++)
        OK(history_commit(&f->main, f->b.s, (uint32_t)i, i));
    log_bed_keep(&f->b);
    return f;
}

static void fix_free(struct fix *f)
{
    history_fini(&f->main);
    log_bed_end(&f->b);
    free(f);
}

/* `ref` names a chain of so many tags (0: none) on `id`. */
static void ref_put(
    struct fix *f, const char *ref, uint32_t tags, enum bough_type type, struct bough_oid id)
{
    struct bough_txn *t;

    OK(bough_txn_begin(f->b.s, &t));
    for (uint32_t i = 0; i < tags; i++) {
        char hex[BOUGH_HEX_MAX], text[256];
        int n, len = (int)bough_oid_hex(f->b.s->algo, &id, hex);

        n = snprintf(text, sizeof text, "object %.*s\ntype %s\ntag t\ntagger a <b> 1 +0000\n\nm\n",
            len, hex, i == 0 && type == BOUGH_COMMIT ? "commit" : "tag");
        OK(bough_txn_put(t, BOUGH_TAG, bough_view(text, (size_t)n), &id));
    }
    OK(history_ref(t, ref, &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

/* Returns how many commits from the head on it promises. */
static uint32_t promise(struct fix *f, enum promise p)
{
    switch (p) {
    case KEPT_REF:
        ref_put(f, "refs/kept/one", 0, BOUGH_COMMIT, f->main.head);
        return UINT32_MAX;
    case KEPT_TAG:
        ref_put(f, "refs/tags/one", 2, BOUGH_COMMIT, f->main.head);
        return UINT32_MAX;
    case LIMITED_REF:
        ref_put(f, "refs/heads/two", 0, BOUGH_COMMIT, f->main.head);
        return WINDOW;
    case PIN:
        bough_store_pin(f->b.s, &f->pin, &f->main.head);
        return UINT32_MAX;
    case POLICY_ALL:
        f->window = 0;
        bough_store_keep(f->b.s, &f->keeper);
        return UINT32_MAX;
    default:
        f->window = MORE;
        bough_store_keep(f->b.s, &f->keeper);
        return MORE;
    }
}

/* Commits from `id` on that are there. */
static uint32_t depth(struct fix *f, struct bough_oid id)
{
    uint32_t n = 1;

    for (;; n++) {
        struct bough_commit c;
        struct bough_buf body;
        enum bough_type type;

        bough_buf_init(&body, bough_posix_mem());
        OK(bough_store_read(f->b.s, &id, &type, &body));
        OK(bough_commit_parse(f->b.s->algo, bough_buf_view(&body), &c));
        if (c.parents_n > 0)
            id = bough_commit_parent(&c, 0);
        bough_buf_fini(&body);
        if (c.parents_n == 0 || bough_store_has(f->b.s, &id) != BOUGH_OK)
            return n;
    }
}

static uint64_t collections(struct fix *f)
{
    struct bough_collect_progress p;

    bough_store_collection(f->b.s, &p);
    return p.collections;
}

/* The promise after `steps` small steps.  False: the collection was over before. */
static bool run(struct fix *f, const struct history *was, enum promise p, uint32_t steps, bool busy)
{
    static const struct bough_collect_opts now = {.grace = 0};
    uint32_t want, all;
    bool more = true, early;

    log_bed_again(&f->b);
    history_again(&f->main, was);
    open_it(f);
    OK(bough_store_collect(f->b.s, &now));
    if (busy)
        OK(history_commit(&f->main, f->b.s, 3, 555));
    for (uint32_t i = 0; i < steps && more; i++)
        OK(bough_store_maintain(f->b.s, 1000, &more));
    early = collections(f) == 0;
    if (busy)
        OK(history_commit(&f->main, f->b.s, 4, 556));
    want = promise(f, p);
    all = early ? COMMITS + (busy ? 2 : 0) : WINDOW;
    while (more)
        OK(bough_store_maintain(f->b.s, 1000, &more));
    (void)history_closed(f->b.s);
    if (depth(f, f->main.head) < (want < all ? want : all))
        fail_msg("promise %d after %u steps: %u commits of %u", (int)p, steps,
            depth(f, f->main.head), want < all ? want : all);
    bough_store_unpin(f->b.s, &f->pin);
    log_bed_close(&f->b);
    open_it(f);
    (void)history_closed(f->b.s);
    OK(history_collect(f->b.s, &now, 1 << 20));
    (void)history_closed(f->b.s);
    if (p != KEPT_REF && p != KEPT_TAG)
        assert_int_equal(depth(f, f->main.head), WINDOW);
    log_bed_close(&f->b);
    return early;
}

static void test_collect__keeps_what_is_promised_meanwhile(void **state)
{
    struct fix *f = fix_new();
    struct history was = f->main;
    uint32_t runs = 0;

    (void)state;
    for (int p = 0; p < PROMISES; p++) {
        for (uint32_t k = 0; run(f, &was, (enum promise)p, k, false); k++)
            runs++;
        for (uint32_t k = 0; run(f, &was, (enum promise)p, k, true); k++)
            runs++;
    }
    print_message("%u runs\n", runs);
    fix_free(f);
}

/* Tags of tags, ever so many: what they lead to is kept. */
static void test_collect__follows_tags_of_tags(void **state)
{
    static const struct bough_collect_opts now = {.grace = 0};
    struct fix *f = fix_new();

    (void)state;
    open_it(f);
    ref_put(f, "refs/heads/deep", TAGS, BOUGH_COMMIT, f->main.head);
    OK(history_collect(f->b.s, &now, 1 << 20));
    assert_int_equal(collections(f), 1);
    (void)history_closed(f->b.s);
    log_bed_close(&f->b);
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect__keeps_what_is_promised_meanwhile),
        cmocka_unit_test(test_collect__follows_tags_of_tags),
    };

    return cmocka_run_group_tests_name("sim/collect window", tests, NULL, NULL);
}
