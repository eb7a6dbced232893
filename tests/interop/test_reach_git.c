/*
 * test_reach_git.c - clones and fetches by reachability bitmaps bring what git says they must.
 *
 * Goal: with bitmaps, the ids that a clone brings are exactly those of `git rev-list --objects`:
 * after further commits, merges, forced pushes and deleted branches, after another collection,
 * with retention; a fetch brings all that is missing.  A damaged bitmap costs the walk, nothing else,
 * and a check names it.  Who reads by bitmaps while a collection goes on reads to the end.
 * Method: git_bed.h on the log engine, with a bitmap for each third commit.  Histories come from a
 * seed, as streams for git fast-import; git pushes them, clones, and compares.  SEED=n.
 */
#include "base/posix.h"
#include "store/collect.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/reach.h"
#include "sync/sync.h"
#include "tests/interop/git_bed.h"

enum { BRANCHES = 5, FILES = 12 };

struct world {
    struct bed b;
    uint64_t seed, commits;
    uint64_t head[BRANCHES]; /* its mark; 0: there is none */
};

static uint32_t pick(struct world *w, uint32_t n)
{
    return (uint32_t)(test_random(&w->seed) % n);
}

/* ---- Histories ---- */

/* On top of its branch, of another one, or of an older commit; sometimes a merge. */
static void commit_write(struct world *w, FILE *f)
{
    uint32_t b = pick(w, BRANCHES), other = pick(w, BRANCHES), n = 1 + pick(w, 3);
    bool fresh = w->head[b] == 0;

    fprintf(f, "commit refs/heads/b%u\nmark :%llu\n", b, (unsigned long long)++w->commits);
    fprintf(f, "committer C <c@x> %llu +0000\ndata 2\nc\n",
        (unsigned long long)(1000000000 + w->commits * 10 - pick(w, 40)));
    if (w->commits > 1 && (fresh ? pick(w, 8) != 0 : pick(w, 9) == 0))
        fprintf(f, "from :%u\n", 1 + pick(w, (uint32_t)w->commits - 1));
    else if (!fresh)
        fprintf(f, "from :%llu\n", (unsigned long long)w->head[b]);
    if (!fresh && other != b && w->head[other] != 0 && pick(w, 4) == 0)
        fprintf(f, "merge :%llu\n", (unsigned long long)w->head[other]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = pick(w, FILES), value = pick(w, 4) == 0 ? 7 : pick(w, 1u << 30);
        char text[600];
        int len = snprintf(text, sizeof text, "%0*u\n", 20 + (int)pick(w, 500), value);
        if (pick(w, 8) == 0)
            fprintf(f, "D d%u\n", at % 3);
        else
            fprintf(f, "M 100644 inline d%u/e%u/f%u\ndata %d\n%s\n", at % 3, at % 2, at, len, text);
    }
    w->head[b] = w->commits;
}

static void history_grow(struct world *w, uint32_t commits)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/stream", w->b.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    for (uint32_t i = 0; i < commits; i++)
        commit_write(w, f);
    fclose(f);
    must(&w->b, "cd src && touch ../marks && git fast-import --quiet --force "
                "--import-marks=../marks --export-marks=../marks <../stream");
}

static void branch_drop(struct world *w, uint32_t b)
{
    char script[64];

    snprintf(script, sizeof script, "git -C src update-ref -d refs/heads/b%u", b);
    must(&w->b, script);
    w->head[b] = 0;
}

static void world_open(struct world *w, uint64_t seed, enum bough_algo algo)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    bed_open(&w->b, algo, true);
    w->b.opts.limits.walk_max = 3;
    setenv("F", algo == BOUGH_SHA256 ? "--object-format=sha256" : "--object-format=sha1", 1);
    must(&w->b, "git config --global fetch.unpackLimit 1; git config --global gc.auto 0;"
                "git init -q --bare -b b0 $F src");
    while (w->head[0] == 0)
        history_grow(w, 80);
    must(&w->b, "cd src && git tag light b0~1 2>/dev/null; git tag -am t note b0; true");
    must(&w->b, "cd src && git push -q --mirror $URL");
}

/* ---- The store ---- */

static void collect(struct world *w)
{
    struct bough_collect_opts opts = {0};
    bool more = true;

    OK(bough_repo_collect(w->b.repo, &opts, 0));
    while (more)
        OK(bough_repo_maintain(w->b.repo, 64 * 1024, &more));
}

/* For how many commits are there bitmaps? */
static uint32_t mapped(struct world *w)
{
    struct bough_reach *r;
    uint32_t n = 0;

    if (bough_store_reach(w->b.store, &r))
        return 0;
    n = r->commits;
    bough_reach_close(r);
    return n;
}

/* ---- Comparing ---- */

/* Tags of what was asked for may come, too. */
#define IDS     "git cat-file --batch-all-objects --batch-check='%(objecttype) %(objectname)'"
#define NO_TAGS " | grep -v ^tag | cut -d' ' -f2 | sort"

/* What came is what git says is reachable; `old`, a clone of before, has the rest. */
static void compare(struct world *w)
{
    must(&w->b,
        "rm -rf new && git clone -q --mirror $URL new && git -C new fsck --strict && "
        "(cd new && " IDS " | cut -d' ' -f2 | sort) >1 && "
        "(cd src && git rev-list --objects --no-object-names --all | sort -u) >2 && cmp 1 2");
    must(&w->b, "for b in $(git -C src for-each-ref --format='%(refname:short)' refs/heads); do "
                "rm -rf one && git clone -q --bare --no-tags --single-branch -b $b $URL one && "
                "(cd one && " IDS NO_TAGS ") >1 && "
                "(cd src && git rev-list --objects --no-object-names $b | sort -u) >2 && "
                "cmp 1 2; done");
    must(&w->b, "test -d old || cp -r new old; cd old && git remote prune origin && "
                "most=$(git -C ../src rev-list --objects --all "
                "$(git for-each-ref --format='^%(objectname)') | wc -l) && "
                "git fetch --progress origin >../log 2>&1 && "
                "came=$(sed -n 's/.*Total \\([0-9]*\\).*/\\1/p' ../log | head -1) && "
                "test ${came:-0} -le $most && git fsck --strict && "
                "git for-each-ref >../1 && git -C ../src for-each-ref >../2 && cmp ../1 ../2");
}

static void history_run(uint64_t seed, enum bough_algo algo)
{
    struct world w;
    uint32_t n;

    world_open(&w, seed, algo);
    compare(&w);
    assert_int_equal(mapped(&w), 0);
    collect(&w);
    n = mapped(&w);
    assert_true(n > 0);
    compare(&w);
    history_grow(&w, 12);
    branch_drop(&w, 1 + pick(&w, BRANCHES - 1));
    must(&w.b, "cd src && git push -q --mirror $URL");
    assert_int_equal(mapped(&w), n);
    compare(&w);
    collect(&w);
    assert_true(mapped(&w) > 0);
    compare(&w);
    bed_close(&w.b);
}

static void test_reach__clones_bring_what_rev_list_says(void **state)
{
    const char *fixed = getenv("SEED");
    (void)state;

    if (fixed != NULL) {
        history_run(strtoull(fixed, NULL, 10), BOUGH_SHA1);
        return;
    }
    for (uint64_t seed = 1; seed <= (getenv("LONG") != NULL ? 60 : 2); seed++)
        history_run(seed, seed % 2 != 0 ? BOUGH_SHA1 : BOUGH_SHA256);
}

/* ---- Damage ---- */

/* The head of the bitmaps on the device. */
static uint8_t *region(struct world *w)
{
    for (size_t i = 0; i + 96 < DEVICE_BYTES; i += 4096) {
        if (memcmp(w->b.device + i, "BgBm", 4) == 0)
            return w->b.device + i;
    }
    fail_msg("no bitmaps on the device");
    return NULL;
}

static void reopen(struct world *w)
{
    struct bough_log_open_opts open = {.table_rows = 64, .reach_rows = 1, .reach_every = 3};
    struct bough_repo_opts opts = {0};

    bough_repo_close(w->b.repo);
    bough_store_close(w->b.store);
    OK(bough_log_open(&w->b.ram.blk, &w->b.t.env, &open, &w->b.store, NULL));
    OK(bough_repo_open(w->b.store, &opts, &w->b.repo));
}

static void count_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)err;
    (void)key;
    if (strstr(what, "bitmaps") != NULL)
        ++*(uint32_t *)ctx;
}

#define CLONE_IDS                                                                                  \
    "rm -rf new && git clone -q --mirror $URL new && git -C new fsck --strict && "                 \
    "(cd new && " IDS " | sort) >"

static void test_reach__a_flipped_bit_costs_the_walk_and_nothing_else(void **state)
{
    enum { HEAD = 6, BODY = 18 };
    struct world w;
    uint64_t end;
    uint32_t reported = 0, used = 0;
    (void)state;

    world_open(&w, 11, BOUGH_SHA1);
    collect(&w);
    must(&w.b, CLONE_IDS "1");
    end = bough_get64le(region(&w) + 56) + bough_get32le(region(&w) + 64);
    for (uint64_t i = 0; i < HEAD + BODY; i++) {
        uint64_t at = i < HEAD ? i * 80 / HEAD : 4096 + (i - HEAD) * (end - 4096) / BODY;
        uint8_t *byte = region(&w) + at, was = *byte;
        uint32_t reports = 0;

        *byte ^= (uint8_t)(1u << at % 8);
        reopen(&w);
        used += mapped(&w) > 0;
        must(&w.b, CLONE_IDS "2 && cmp 1 2");
        (void)!bough_store_check(w.b.store, count_report, &reports);
        assert_true(reports > 0 || (i < HEAD && mapped(&w) == 0)); /* a bent head is none */
        *byte = was;
    }
    reopen(&w);
    OK(bough_store_check(w.b.store, count_report, &reported));
    assert_true(mapped(&w) > 0);
    assert_int_equal(reported, 0);
    assert_true(used > BODY / 3); /* a bent directory is noticed before */
    bed_close(&w.b);
}

/* ---- Retention ---- */

static void test_reach__where_history_ends_the_walk_and_bitmaps_agree(void **state)
{
    struct world w;
    struct bough_keep keep = {.commits = 4};
    (void)state;

    world_open(&w, 21, BOUGH_SHA1);
    keep.refs = bough_view_str("refs/heads/*");
    OK(bough_repo_keep_set(w.b.repo, &keep));
    collect(&w);
    assert_true(mapped(&w) > 0);
    must(&w.b, CLONE_IDS "1 && test -s new/shallow");
    history_grow(&w, 6);
    must(&w.b, "cd src && git push -q --mirror $URL");
    assert_true(mapped(&w) > 0);
    must(&w.b, CLONE_IDS "1");
    memset(region(&w), 0, 4); /* not there any more */
    reopen(&w);
    assert_int_equal(mapped(&w), 0);
    must(&w.b, CLONE_IDS "2 && cmp 1 2");
    bed_close(&w.b);
}

/* A commit joins the boundary, as with a shallow push, or leaves it. */
static void boundary_move(struct world *w, bool joins)
{
    struct bough_ref ref;
    struct bough_txn *t;

    OK(bough_store_ref(w->b.store, bough_view_str("refs/heads/b0"), &ref));
    OK(bough_txn_begin(w->b.store, &t));
    OK(bough_txn_boundary(t, &ref.id, joins));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

static void test_reach__bitmaps_of_another_boundary_are_not_used(void **state)
{
    struct world w;
    uint32_t n;
    (void)state;

    world_open(&w, 21, BOUGH_SHA1);
    collect(&w);
    n = mapped(&w);
    assert_true(n > 0);
    boundary_move(&w, true);
    assert_int_equal(mapped(&w), 0);
    boundary_move(&w, false);
    assert_int_equal(mapped(&w), n);
    bed_close(&w.b);
}

/* ---- Collections meanwhile ---- */

static void reach_main(struct world *w, struct bough_reach **r)
{
    struct bough_ref ref;
    enum bough_err err;

    OK(bough_store_ref(w->b.store, bough_view_str("refs/heads/b0"), &ref));
    OK(bough_store_reach(w->b.store, r));
    assert_true(bough_reach_covers(*r, &ref.id));
    do
        err = bough_reach_add(*r, BOUGH_REACH_WANT, &ref.id);
    while (err == BOUGH_EAGAIN);
    OK(err);
}

static enum bough_err reach_rest(struct bough_reach *r, uint64_t most, uint64_t *n)
{
    struct bough_reached e;
    enum bough_err err = BOUGH_OK;

    while (*n < most && (err == BOUGH_OK || err == BOUGH_EAGAIN)) {
        err = bough_reach_next(r, &e);
        *n += err == BOUGH_OK;
    }
    return err;
}

static void test_reach__who_reads_meanwhile_reads_to_the_end(void **state)
{
    struct bough_collect_opts opts = {.whole = true};
    struct bough_collect_progress p;
    struct bough_reach *r;
    struct world w;
    uint64_t n = 0, count;
    bool more = true;
    (void)state;

    world_open(&w, 31, BOUGH_SHA1);
    collect(&w);
    reach_main(&w, &r);
    count = bough_reach_count(r);
    assert_int_equal(reach_rest(r, count / 2, &n), BOUGH_OK);
    history_grow(&w, 6);
    must(&w.b, "cd src && git push -q --mirror $URL");
    OK(bough_store_collect(w.b.store, &opts));
    while (more)
        OK(bough_repo_maintain(w.b.repo, 64 * 1024, &more));
    bough_store_collection(w.b.store, &p);
    assert_int_not_equal(p.phase, BOUGH_COLLECT_IDLE); /* it waits */
    assert_int_equal(reach_rest(r, UINT64_MAX, &n), BOUGH_ENOENT);
    assert_int_equal(n, count);
    bough_reach_close(r);
    for (more = true; more;)
        OK(bough_repo_maintain(w.b.repo, 64 * 1024, &more));
    bough_store_collection(w.b.store, &p);
    assert_int_equal(p.phase, BOUGH_COLLECT_IDLE);
    compare(&w);
    bed_close(&w.b);
}

/* ---- Given up meanwhile ---- */

/* It would read what other objects lie in now. */
static void test_reach__who_is_given_up_is_told_so(void **state)
{
    struct bough_collect_opts opts = {.whole = true};
    struct bough_reached first;
    struct bough_reach *r;
    struct bough_oid base;
    struct world w;
    uint32_t sides;
    uint8_t byte;
    enum bough_err err;
    bool more = true;
    (void)state;

    world_open(&w, 31, BOUGH_SHA1);
    collect(&w);
    reach_main(&w, &r);
    (void)bough_reach_count(r);
    while ((err = bough_reach_next(r, &first)) == BOUGH_EAGAIN)
        continue;
    OK(err);
    assert_true(
        bough_log__reach_expire((struct bough_log *)w.b.store)); /* store is its first field */
    OK(bough_store_collect(w.b.store, &opts));
    while (more)
        OK(bough_repo_maintain(w.b.repo, 64 * 1024, &more));
    assert_int_equal(bough_reach_next(r, &first), BOUGH_EEXPIRED);
    assert_int_equal(bough_reach_read(r, &first, 0, &byte, 1), BOUGH_EEXPIRED);
    assert_int_equal(bough_reach_sides(r, &first.id, &sides), BOUGH_EEXPIRED);
    if (bough_entry_is_delta(first.head.type))
        assert_int_equal(bough_reach_base(r, &first, &base, &sides), BOUGH_EEXPIRED);
    bough_reach_close(r);
    compare(&w);
    bed_close(&w.b);
}

/* Ask for a branch, with steps as small as one likes; `expire`: after so many of them bitmaps are given
   up.  Returns how many steps it took; `objects` came. */
static uint32_t ask(struct world *w, uint32_t expire, uint64_t *objects)
{
    enum { NAK = 8 };
    struct bough_log *l = (struct bough_log *)w->b.store; /* store is the first field */
    struct bough_sync_opts opts = {.transport = BOUGH_TRANSPORT_REQUEST};
    struct bough_buf text, out;
    struct bough_sync *s;
    struct bough_ref ref;
    size_t used;
    uint32_t steps = 0; /* before the pack begins */
    bool gone = false;

    OK(bough_store_ref(w->b.store, bough_view_str("refs/heads/b0"), &ref));
    bough_buf_init(&text, bough_posix_mem());
    bough_buf_init(&out, bough_posix_mem());
    bough_buf_put_str(&text, "0032want ");
    bough_buf_put_hex(&text, ref.id.bytes, 20);
    bough_buf_put_str(&text, "\n00000009done\n");
    OK(bough_upload_open(w->b.repo, &opts, &s));
    while (s->state != BOUGH_SYNC_DONE && s->state != BOUGH_SYNC_FAILED) {
        if (s->state == BOUGH_SYNC_INPUT) {
            OK(bough_sync_feed(s, bough_buf_view(&text), &used));
            bough_buf_shift(&text, used);
            continue;
        }
        enum bough_err err = bough_sync_step(s, 600);

        assert_true(err == BOUGH_OK || err == BOUGH_EAGAIN);
        bough_buf_clear(&out);
        bough_sync_pull(s, &out, SIZE_MAX);
        if (!gone && s->out <= NAK && l->reaches != NULL && steps++ == expire)
            gone = bough_log__reach_expire(l);
    }
    assert_int_equal(s->state, BOUGH_SYNC_DONE);
    *objects = s->objects;
    bough_sync_close(s);
    bough_buf_fini(&text);
    bough_buf_fini(&out);
    return steps;
}

static void test_reach__what_is_given_up_while_selecting_costs_the_walk(void **state)
{
    struct world w;
    uint64_t want, got;
    uint32_t steps;
    (void)state;

    world_open(&w, 41, BOUGH_SHA1);
    collect(&w);
    history_grow(&w, 6);
    must(&w.b, "cd src && git push -q --mirror $URL");
    steps = ask(&w, UINT32_MAX, &want);
    assert_true(steps > 4 && want > 0);
    for (uint32_t i = 0; i < steps / 2; i++) { /* the last ones look for what comes first */
        (void)ask(&w, i, &got);
        assert_int_equal(got, want);
    }
    bed_close(&w.b);
}

/* Trees of more than 32 KiB are looked at over many steps. */
static void test_reach__a_large_folder_is_seen_whole(void **state)
{
    struct world w;
    (void)state;

    world_open(&w, 21, BOUGH_SHA1);
    must(&w.b, "cd src && (printf 'commit refs/heads/b0\\ncommitter C <c@x> 1000100000 +0000\\n'; "
               "printf 'data 2\\nc\\nfrom refs/heads/b0^0\\n'; for i in $(seq 2000); do "
               "printf 'M 100644 inline flat/f%d\\ndata %d\\n%d\\n' $i ${#i} $i; done) | "
               "git fast-import --quiet && git push -q --mirror $URL");
    collect(&w);
    assert_true(mapped(&w) > 0);
    compare(&w);
    bed_close(&w.b);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reach__clones_bring_what_rev_list_says),
        cmocka_unit_test(test_reach__a_flipped_bit_costs_the_walk_and_nothing_else),
        cmocka_unit_test(test_reach__where_history_ends_the_walk_and_bitmaps_agree),
        cmocka_unit_test(test_reach__bitmaps_of_another_boundary_are_not_used),
        cmocka_unit_test(test_reach__who_reads_meanwhile_reads_to_the_end),
        cmocka_unit_test(test_reach__who_is_given_up_is_told_so),
        cmocka_unit_test(test_reach__what_is_given_up_while_selecting_costs_the_walk),
        cmocka_unit_test(test_reach__a_large_folder_is_seen_whole),
    };
    return cmocka_run_group_tests_name("reach_git", tests, NULL, NULL);
}
