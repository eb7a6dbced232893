/*
 * test_history_cut.c - the index of history, a power cut and flipped bits.
 *
 * Goal: a cut while the index is made or merged takes nothing that was acknowledged, and what is
 * there of the index afterwards answers as a walk does; a flipped bit anywhere on the device never
 * makes an answer wrong.  Method: commits and small steps of upkeep over the log engine, on a
 * device that loses, keeps and tears what no flush made durable; then every answer is compared
 * with that of a walk.  The flips are compared with the answers from before.
 */
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "tests/sim/repo_world.h"

enum { DEVICE = 4 << 20, COMMITS = 60, KEYS = 9, FLIPS = 64 };

static const char *const asked[] = {"d0/e/k0", "d1/e/k1", "d2", "d2/e", "k3", "d1/e/k7", "nix"};
enum { ASKED = sizeof asked / sizeof *asked };

struct world {
    struct repo_world r;
    struct bough_oid made[2 * COMMITS];
    int made_n;
};

static uint8_t device[DEVICE], copy[DEVICE];

static const struct bough_repo_opts opts = {.history_batch = 1};

static enum bough_err commit(struct world *w)
{
    char path[32], text[16];
    int i = w->made_n;
    enum bough_err err;

    if (i % 5 == 3)
        snprintf(path, sizeof path, "k%d", i % KEYS);
    else
        snprintf(path, sizeof path, "d%d/e/k%d", i % 3, i % KEYS);
    snprintf(text, sizeof text, "%d", i);
    err = bed_put(w->r.branch, path, text, 1000 + i);
    if (err == BOUGH_OK)
        err = bough_branch_head(w->r.branch, &w->made[i]);
    if (err == BOUGH_OK)
        w->made_n++;
    return err;
}

static enum bough_err upkeep(struct world *w, uint32_t steps)
{
    bool more = true;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < steps && more && err == BOUGH_OK; i++)
        err = bough_repo_maintain(w->r.repo, 2000, &more);
    return err;
}

static enum bough_err ask(
    struct world *w, const struct bough_oid *at, const char *path, struct bough_oid *out)
{
    memset(out, 0, sizeof *out);
    return bough_history_last_change(w->r.repo, at, V(path), out, NULL);
}

static void ask_all(struct world *w)
{
    for (int i = w->made_n - 1; i >= 0; i -= 9) {
        for (int k = 0; k < ASKED; k++) {
            struct bough_oid id[2];
            enum bough_err err = ask(w, &w->made[i], asked[k], &id[0]);

            assert_false(w->r.repo->history->off);
            w->r.repo->history->off = true;
            assert_int_equal(ask(w, &w->made[i], asked[k], &id[1]), err);
            w->r.repo->history->off = false;
            assert_true(bough_oid_eq(&id[0], &id[1]));
        }
    }
}

static void run(struct tape *t)
{
    static struct world w;
    struct bough_oid head;
    enum bough_err err;

    repo_world_make(&w.r, device, DEVICE);
    w.made_n = 0;
    cutblk_init(&w.r.cut, &w.r.ram.blk, t, draw(t, 160));
    err = repo_world_open(&w.r, &w.r.cut.blk, &opts);
    while (w.made_n < COMMITS && err == BOUGH_OK) {
        err = commit(&w);
        if (err == BOUGH_OK && draw(t, 3) == 0)
            err = upkeep(&w, 1 + draw(t, 30));
    }
    repo_world_cut(&w.r);
    assert_int_equal(repo_world_open(&w.r, &w.r.ram.blk, &opts), BOUGH_OK);
    if (w.made_n > 0) {
        assert_int_equal(bough_store_has(w.r.store, &w.made[w.made_n - 1]), BOUGH_OK);
        assert_int_equal(bough_branch_head(w.r.branch, &head), BOUGH_OK);
        if (!bough_oid_eq(&head, &w.made[w.made_n - 1])) /* the one under way */
            w.made[w.made_n++] = head;
    }
    ask_all(&w);
    assert_int_equal(bough_store_check(w.r.store, NULL, NULL), BOUGH_OK);
    assert_int_equal(bough_history_check(w.r.repo, NULL, NULL), BOUGH_OK);
    assert_int_equal(commit(&w), BOUGH_OK);
    assert_int_equal(upkeep(&w, UINT32_MAX), BOUGH_OK);
    ask_all(&w);
    assert_int_equal(bough_history_check(w.r.repo, NULL, NULL), BOUGH_OK);
    assert_int_equal(bough_store_check(w.r.store, NULL, NULL), BOUGH_OK);
    repo_world_close(&w.r);
    test_env_done(&w.r.env);
}

static void test_history_cut__takes_nothing_and_leaves_truth(void **state)
{
    static struct tape t;

    (void)state;
    tape_seeded(&t, 1, 120);
    while (tape_next(&t))
        run(&t);
}

/* ---- Flips ---- */

enum { IDS_MAX = 2000 };

struct ids {
    struct bough_oid id[IDS_MAX];
    size_t n;
};

static enum bough_err id_note(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct ids *ids = ctx;

    (void)found;
    assert_true(ids->n < IDS_MAX);
    ids->id[ids->n++] = *id;
    return BOUGH_OK;
}

static bool id_in(const struct ids *ids, const struct bough_oid *id)
{
    for (size_t i = 0; i < ids->n; i++) {
        if (bough_oid_eq(&ids->id[i], id))
            return true;
    }
    return false;
}

/* Where the packed bytes of an object lie on the device; SIZE_MAX: a delta, or too few to tell. */
static size_t object_at(struct world *w, const struct bough_oid *id, size_t *len)
{
    uint8_t bytes[64];
    struct bough_entry e;

    assert_int_equal(bough_store_entry(w->r.store, id, &e), BOUGH_OK);
    *len = (size_t)e.packed_len;
    if (e.packed_len < sizeof bytes)
        return SIZE_MAX;
    assert_int_equal(bough_store_entry_read(w->r.store, &e, 0, bytes, sizeof bytes), BOUGH_OK);
    for (size_t at = 0; at + *len <= DEVICE; at++) {
        if (device[at] == bytes[0] && memcmp(device + at, bytes, sizeof bytes) == 0)
            return at;
    }
    return SIZE_MAX;
}

/* The answers after a flip; was the index found to be damaged? */
static bool flipped(struct world *w, const struct bough_oid *want, const enum bough_err *told)
{
    bool broken;

    assert_int_equal(repo_world_open(&w->r, &w->r.ram.blk, &opts), BOUGH_OK);
    for (int k = 0; k < ASKED; k++) {
        struct bough_oid id;

        assert_int_equal(ask(w, &w->made[COMMITS - 1], asked[k], &id), told[k]);
        assert_true(bough_oid_eq(&id, &want[k]));
    }
    broken = w->r.repo->history->broken;
    if (broken) { /* and upkeep mends it */
        assert_int_equal(upkeep(w, UINT32_MAX), BOUGH_OK);
        assert_false(w->r.repo->history->off);
        ask_all(w);
    }
    repo_world_close(&w->r);
    return broken;
}

static void test_history_cut__a_flipped_bit_makes_no_answer_wrong(void **state)
{
    static struct world w;
    static struct ids before, after;
    struct bough_oid want[ASKED];
    enum bough_err told[ASKED];
    size_t at[IDS_MAX], len[IDS_MAX], n = 0;
    uint64_t seed = 7;
    int broken = 0;

    (void)state;
    repo_world_make(&w.r, device, DEVICE);
    w.made_n = 0;
    assert_int_equal(repo_world_open(&w.r, &w.r.ram.blk, &opts), BOUGH_OK);
    while (w.made_n < COMMITS)
        assert_int_equal(commit(&w), BOUGH_OK);
    assert_int_equal(bough_store_each(w.r.store, id_note, &before), BOUGH_OK);
    assert_int_equal(upkeep(&w, UINT32_MAX), BOUGH_OK);
    assert_int_equal(bough_store_each(w.r.store, id_note, &after), BOUGH_OK);
    assert_int_equal(bough_store_sync(w.r.store), BOUGH_OK);
    for (size_t i = 0; i < after.n; i++) {
        if (!id_in(&before, &after.id[i]) &&
            (at[n] = object_at(&w, &after.id[i], &len[n])) != SIZE_MAX)
            n++;
    }
    for (int k = 0; k < ASKED; k++)
        told[k] = ask(&w, &w.made[COMMITS - 1], asked[k], &want[k]);
    repo_world_close(&w.r);
    assert_int_equal(
        repo_world_open(&w.r, &w.r.ram.blk, &opts), BOUGH_OK); /* a mount makes all of it durable */
    repo_world_close(&w.r);
    memcpy(copy, device, sizeof device);
    assert_true(n > 1);
    for (int i = 0; i < FLIPS; i++) {
        size_t which = (size_t)i % n;

        device[at[which] + test_random(&seed) % len[which]] ^= (uint8_t)(1 << i % 8);
        broken += flipped(&w, want, told);
        memcpy(device, copy, sizeof device);
    }
    assert_true(broken > FLIPS / 4);
    test_env_done(&w.r.env);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_cut__takes_nothing_and_leaves_truth),
        cmocka_unit_test(test_history_cut__a_flipped_bit_makes_no_answer_wrong),
    };

    return cmocka_run_group_tests_name("history/cut", tests, NULL, NULL);
}
