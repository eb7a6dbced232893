/*
 * test_collect_random.c - whatever is done while space is collected, all that can be reached is whole.
 *
 * Goal: branches that grow, merge, go and come back at what they were, retention that changes,
 * snapshots, values by id, duplicates, big values, received packs with deltas by id and by place,
 * reopening, and collections of each kind in small steps between all of that: what a branch holds
 * is what was written, and after each collection the store checks and the repository is whole.
 * Method: random operations from a seed beside a model: for each branch, and for some of the
 * commits that were, a seed for each path, from which the value follows.  A failure names its seed;
 * SEED=n SEEDS=m runs others.
 */
#include "git/delta.h"
#include "git/pack.h"
#include "repo/fsck.h"
#include "store/collect.h"
#include "store/log/log.h"
#include "tests/lib/history.h"

enum { UNIT = 512, ZONE = 32 * 1024, BYTES = 24 * 1024 * 1024, FEW = 56, FEW_MORE = 72 };
enum { BRANCHES = 4, PATHS = 20, PAST = 40, OPS = 400, POOL = 60, SNAPSHOTS = 3 };
enum { FILLERS = 70, FILLER = 4000, BIG_MAX = 150 * 1000 };

/* What a commit holds: a seed for each path; 0: nothing. */
struct state {
    uint64_t value[PATHS];
};

struct past {
    struct bough_oid id;
    struct state state;
};

struct snapshot {
    struct bough_tree *tree; /* NULL: none */
    struct state state;
};

struct world {
    uint64_t first, seed;
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device;
    enum bough_algo algo;
    struct bough_store *s;
    struct bough_repo *r;
    struct state branch[BRANCHES];
    bool born[BRANCHES];
    struct past past[PAST];
    uint32_t pasts;
    struct snapshot snapshot[SNAPSHOTS];
    uint64_t collections, checks, op;
    const char *doing;
};

static uint32_t pick(struct world *w, uint32_t n)
{
    return (uint32_t)(test_random(&w->seed) % n);
}

static void good(struct world *w, enum bough_err err)
{
    if (err)
        fail_msg("seed %llu, step %llu, %s: %s (%s; %s)", (unsigned long long)w->first,
            (unsigned long long)w->op, w->doing, bough_err_name(err),
            w->s != NULL && w->s->why.what != NULL ? w->s->why.what : "",
            w->r != NULL && bough_repo_why(w->r)->what != NULL ? bough_repo_why(w->r)->what : "");
}

static void is_true(struct world *w, bool yes, const char *what)
{
    if (!yes)
        fail_msg("seed %llu, step %llu, %s: %s", (unsigned long long)w->first,
            (unsigned long long)w->op, w->doing, what);
}

/* ---- Names and values ---- */

static struct bough_view path_of(char out[16], uint32_t i)
{
    return bough_view(out, (size_t)snprintf(out, 16, "d%u/e%u/f%u", i % 3, i % 2, i));
}

static struct bough_view branch_of(char out[32], uint32_t b)
{
    return bough_view(out, (size_t)snprintf(out, 32, "refs/heads/b%u", b));
}

/* Seeds below POOL are small values that come again and again; some others are big. */
static struct bough_view value_of(struct bough_buf *out, uint64_t seed)
{
    size_t len = seed < POOL ? 200 + (size_t)seed : 10 + (size_t)(seed >> 8) % 900;
    uint8_t *to;

    if (seed >= POOL && seed % 97 == 0)
        len = 40 * 1000 + (size_t)(seed >> 8) % (BIG_MAX - 40 * 1000);
    bough_buf_clear(out);
    to = bough_buf_room(out, len + 8);
    assert_non_null(to);
    for (size_t at = 0; at < len; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(to + at, &x, 8);
    }
    return bough_view(to, len);
}

static uint64_t new_seed(struct world *w)
{
    return pick(w, 3) == 0 ? 1 + pick(w, POOL - 1) : POOL + (test_random(&w->seed) >> 8);
}

static struct bough_info info_of(struct world *w)
{
    struct bough_info info = {
        .author = {.name = bough_view_str("a"), .mail = bough_view_str("a@b")}};

    info.author.time.sec = w->t.time.sec;
    return info;
}

/* ---- The store ---- */

static void open_all(struct world *w)
{
    struct bough_log_open_opts opts = {.table_rows = 80,
        .log_max = 32 * 1024,
        .cache = 128 * 1024,
        .prepare = 1,
        .reach_rows = 1,
        .reach_every = 4};
    struct bough_repo_opts ropts = {.window = {0, 0, 0}};
    struct bough_why why;

    if (w->first % 3 == 1)
        ropts.window.time_ms = 1000;
    good(w, bough_log_open(&w->ram.blk, &w->t.env, &opts, &w->s, &why));
    good(w, bough_repo_open(w->s, &ropts, &w->r));
    w->collections = 0;
}

static void close_all(struct world *w)
{
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        bough_tree_close(w->snapshot[i].tree);
        w->snapshot[i].tree = NULL;
    }
    bough_repo_close(w->r);
    bough_store_close(w->s);
    w->r = NULL;
    w->s = NULL;
}

/* ---- Looking ---- */

static void tree_is(struct world *w, struct bough_tree *t, const struct state *is, bool may_expire)
{
    struct bough_buf want, got;

    bough_buf_init(&want, bough_posix_mem());
    bough_buf_init(&got, bough_posix_mem());
    for (uint32_t i = 0; i < PATHS; i++) {
        struct bough_node n;
        char name[16];
        enum bough_err err;

        bough_buf_clear(&got);
        err = bough_tree_find(t, path_of(name, i), &n, NULL);
        if (!err && n.kind == BOUGH_NODE_VALUE)
            err = bough_node_read(w->r, &n, &got);
        if (may_expire && err == BOUGH_EEXPIRED)
            break;
        good(w, err);
        is_true(w, (n.kind == BOUGH_NODE_VALUE) == (is->value[i] != 0), "a path is not as written");
        if (is->value[i] != 0)
            is_true(w, bough_view_eq(bough_buf_view(&got), value_of(&want, is->value[i])),
                "a value is not as written");
    }
    bough_buf_fini(&want);
    bough_buf_fini(&got);
}

static void bad_found(void *ctx, const struct bough_fsck_finding *f)
{
    char id[BOUGH_HEX_MAX + 1], commit[BOUGH_HEX_MAX + 1];

    (void)ctx;
    id[bough_oid_hex(BOUGH_SHA1, &f->id, id)] = 0;
    commit[bough_oid_hex(BOUGH_SHA1, &f->commit, commit)] = 0;
    print_error("finding %d, %s in %s, path %.*s, ref %.*s\n", (int)f->kind, id, commit,
        (int)f->path.len, f->path.ptr, (int)f->ref.len, f->ref.ptr);
}

static void bad_told(void *ctx, enum bough_err err, const char *what, struct bough_view at)
{
    (void)ctx;
    print_error("check: %s, %s, %.*s\n", bough_err_name(err), what, (int)at.len, at.ptr);
}

static void look_at_all(struct world *w)
{
    struct bough_fsck *f;

    good(w, bough_store_check(w->s, bad_told, NULL));
    good(w, bough_fsck_open(w->r, &f));
    good(w, bough_fsck_run(f, bad_found, NULL));
    bough_fsck_close(f);
    for (uint32_t b = 0; b < BRANCHES; b++) {
        struct bough_branch *h;
        struct bough_tree *t;
        char name[32];
        struct bough_view full = branch_of(name, b);

        if (!w->born[b])
            continue;
        good(w, bough_branch_open(w->r, bough_view(full.ptr + 11, full.len - 11), &h));
        good(w, bough_branch_tree(h, &t));
        tree_is(w, t, &w->branch[b], false);
        bough_branch_close(h);
    }
    w->checks++;
}

/* ---- Doing ---- */

static struct bough_branch *branch_open(struct world *w, uint32_t b)
{
    struct bough_branch *h;
    char name[32];
    struct bough_view full = branch_of(name, b);

    good(w, bough_branch_open(w->r, bough_view(full.ptr + 11, full.len - 11), &h));
    return h;
}

static void past_note(struct world *w, uint32_t b)
{
    struct bough_branch *h = branch_open(w, b);
    struct past p = {.state = w->branch[b]};

    good(w, bough_branch_head(h, &p.id));
    bough_branch_close(h);
    if (!bough_oid_is_zero(&p.id)) /* a window may have come to nothing */
        w->past[w->pasts < PAST ? w->pasts++ : pick(w, PAST)] = p;
}

/* A value, by its bytes or by the id of a blob that may be old; or none. */
static void do_write(struct world *w)
{
    uint32_t b = pick(w, BRANCHES), i = pick(w, PATHS);
    struct bough_branch *h = branch_open(w, b);
    struct bough_write one = {.mode = 0100644};
    struct bough_info info = info_of(w);
    struct bough_store_pin pin = {.expired = false};
    uint64_t seed = new_seed(w);
    struct bough_oid id;
    struct bough_buf body;
    char name[16];

    bough_buf_init(&body, bough_posix_mem());
    one.path = path_of(name, i);
    one.bytes = value_of(&body, seed);
    id = bough_oid_of(w->algo, BOUGH_BLOB, one.bytes);
    if (pick(w, 2) == 0 && bough_store_has(w->s, &id) == BOUGH_OK)
        one.id = &id;
    if (pick(w, 6) == 0 && w->branch[b].value[i] != 0) {
        one = (struct bough_write){.path = one.path, .remove = true};
        seed = 0;
    }
    bough_store_pin(w->s, &pin, &id); /* who names an id sees that it stays */
    good(w, bough_branch_write(h, &one, 1, &info));
    bough_store_unpin(w->s, &pin);
    w->branch[b].value[i] = seed;
    w->born[b] = true;
    bough_branch_close(h);
    bough_buf_fini(&body);
    if (pick(w, 4) == 0)
        past_note(w, b);
}

static enum bough_err ref_move(struct world *w, struct bough_view name, const struct bough_oid *id)
{
    struct bough_ref_update u = {.name = name};

    if (id != NULL)
        u.now = *id;
    good(w, bough_repo_update(w->r, &u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL));
    return u.err;
}

static void do_branch(struct world *w)
{
    uint32_t b = pick(w, BRANCHES);
    char name[32];
    const struct past *p = &w->past[w->pasts > 0 ? pick(w, w->pasts) : 0];

    if (w->born[b] && pick(w, 2) == 0) {
        past_note(w, b);
        good(w, ref_move(w, branch_of(name, b), NULL));
        w->born[b] = false;
        memset(&w->branch[b], 0, sizeof w->branch[b]);
    } else if (w->pasts > 0 && ref_move(w, branch_of(name, b), &p->id) == BOUGH_OK) {
        w->born[b] = true;
        w->branch[b] = p->state;
    }
}

static void do_tag(struct world *w)
{
    struct bough_view name = bough_view_str(pick(w, 2) == 0 ? "refs/tags/one" : "refs/tags/two");

    if (pick(w, 2) == 0 || w->pasts == 0)
        (void)ref_move(w, name, NULL);
    else
        (void)ref_move(w, name, &w->past[pick(w, w->pasts)].id);
}

static void do_keep(struct world *w)
{
    char name[32];
    struct bough_keep k = {.refs = branch_of(name, pick(w, BRANCHES))};

    k.commits = pick(w, 3) == 0 ? 0 : 1 + pick(w, 6);
    k.days = pick(w, 3) == 0 ? 1 + pick(w, 3) : 0;
    good(w, bough_repo_keep_set(w->r, &k));
}

/* A commit with what another branch has as a further parent. */
static void do_merge(struct world *w)
{
    uint32_t b = pick(w, BRANCHES), from = pick(w, BRANCHES);
    struct bough_branch *h, *other;
    struct bough_oid head, parent, root;
    struct bough_commit_opts opts = {.parents = &parent, .parents_n = 1, .allow_empty = true};
    struct bough_info info = info_of(w);
    struct bough_tree *t;

    if (b == from || !w->born[b] || !w->born[from])
        return;
    h = branch_open(w, b);
    other = branch_open(w, from);
    info.message = bough_view_str("merge\n");
    good(w, bough_branch_head(h, &head));
    good(w, bough_branch_head(other, &parent));
    if (!bough_oid_is_zero(&head) && !bough_oid_is_zero(&parent)) {
        good(w, bough_repo_root_of(w->r, &parent, &root));
        good(w, bough_tree_open(w->r, &root, &t));
        good(w, bough_branch_commit(h, t, &info, &opts, NULL));
        w->branch[b] = w->branch[from];
        bough_tree_close(t);
    }
    bough_branch_close(h);
    bough_branch_close(other);
}

static void do_snapshot(struct world *w)
{
    struct snapshot *x = &w->snapshot[pick(w, SNAPSHOTS)];
    uint32_t b = pick(w, BRANCHES);
    struct bough_oid head, root;
    struct bough_branch *h;

    if (x->tree != NULL) {
        tree_is(w, x->tree, &x->state, true);
        if (pick(w, 2) == 0)
            return;
        bough_tree_close(x->tree);
        x->tree = NULL;
    }
    if (!w->born[b])
        return;
    h = branch_open(w, b);
    good(w, bough_branch_head(h, &head));
    if (!bough_oid_is_zero(&head)) {
        good(w, bough_repo_root_of(w->r, &head, &root));
        good(w, bough_tree_open(w->r, &root, &x->tree));
        x->state = w->branch[b];
    }
    bough_branch_close(h);
}

static void delta_put(struct bough_pack_writer *w, struct bough_view was, struct bough_view is,
    struct bough_entry_head head)
{
    struct bough_buf delta;

    bough_buf_init(&delta, bough_posix_mem());
    history_delta(was, is, 0, &delta);
    head.size = delta.len;
    bough_pack_writer_put(w, &head, bough_buf_view(&delta), 1);
    bough_buf_fini(&delta);
}

/* A pack large enough to stay as it is: values of which two are deltas, one of what the store
   has, if it has it, one of that by its place.  Then the branch holds some of them. */
static void do_pack(struct world *w)
{
    uint64_t base = 1 + pick(w, POOL - 1), x[3];
    uint32_t b = pick(w, BRANCHES);
    struct bough_buf pack, body[3];
    struct bough_oid id[3];
    struct bough_store_pin pin[3] = {{.expired = false}};
    struct bough_pack_writer p;
    struct bough_intake *in;
    struct bough_txn *t;
    size_t at, used;
    enum bough_err err;

    bough_buf_init(&pack, bough_posix_mem());
    for (int i = 0; i < 3; i++)
        bough_buf_init(&body[i], bough_posix_mem());
    x[0] = base;
    for (int i = 1; i < 3; i++)
        x[i] = POOL + 97 * (test_random(&w->seed) >> 16) + 1;
    for (int i = 0; i < 3; i++)
        id[i] = bough_oid_of(w->algo, BOUGH_BLOB, value_of(&body[i], x[i]));
    if (bough_store_has(w->s, &id[0]) == BOUGH_OK) {
        uint8_t fill[FILLER];
        struct bough_info info = info_of(w);
        struct bough_branch *h = branch_open(w, b);
        struct bough_write put[2];
        char name[2][16];
        uint32_t first = pick(w, PATHS - 1), n = 0;

        bough_pack_writer_init(&p, &pack, w->algo, FILLERS + 2);
        for (uint32_t i = 0; i < FILLERS; i++) {
            struct bough_entry_head head = {.type = BOUGH_BLOB, .size = FILLER};

            for (at = 0; at < FILLER; at += 8) {
                uint64_t r = test_random(&w->seed);
                memcpy(fill + at, &r, 8);
            }
            bough_pack_writer_put(&p, &head, bough_view(fill, FILLER), 1);
        }
        at = pack.len;
        delta_put(&p, value_of(&body[0], x[0]), value_of(&body[1], x[1]),
            (struct bough_entry_head){.type = BOUGH_REF_DELTA, .base = id[0]});
        delta_put(&p, value_of(&body[1], x[1]), value_of(&body[2], x[2]),
            (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .back = pack.len - at});
        bough_pack_writer_finish(&p);
        good(w, pack.err);
        good(w, bough_store_intake(w->s, NULL, &in));
        good(w, bough_intake_feed(in, bough_buf_view(&pack), &used));
        while ((err = bough_intake_step(in, 64 * 1024)) == BOUGH_EAGAIN) {
            bool more;
            good(w, bough_store_maintain(w->s, 2000, &more));
        }
        good(w, err);
        good(w, bough_txn_begin(w->s, &t));
        good(w, bough_txn_adopt(t, in));
        good(w, bough_txn_commit(t, BOUGH_DURABLE_NOW));
        for (uint32_t i = 1; i < 3; i++)
            bough_store_pin(w->s, &pin[i], &id[i]); /* who names ids sees that they stay */
        for (uint32_t i = 1; i < 3; i++) {
            if (i == 1 && pick(w, 2) == 0)
                continue;
            put[n] = (struct bough_write){.mode = 0100644, .id = &id[i]};
            put[n].path = path_of(name[n], first + n);
            w->branch[b].value[first + n++] = x[i];
        }
        good(w, bough_branch_write(h, put, n, &info));
        for (uint32_t i = 1; i < 3; i++)
            bough_store_unpin(w->s, &pin[i]);
        w->born[b] = true;
        bough_branch_close(h);
    }
    bough_buf_fini(&pack);
    for (int i = 0; i < 3; i++)
        bough_buf_fini(&body[i]);
}

static void do_collect(struct world *w)
{
    struct bough_collect_opts opts = {
        .grace = pick(w, 4) == 0 ? 3600 : 0, .dry_run = pick(w, 12) == 0, .whole = pick(w, 5) == 0};

    good(w, bough_repo_collect(w->r, &opts, pick(w, 3) == 0 ? 100000 : 0));
}

static void do_maintain(struct world *w, bool all)
{
    struct bough_collect_progress p;
    uint32_t n = 1 + pick(w, 12), turns = 0;
    bool more = true;

    for (uint32_t i = 0; more && (all || i < n); i++) {
        good(w, bough_repo_maintain(w->r, all ? 50000 : 1 + pick(w, 20000), &more));
        is_true(w, ++turns < 100000, "a collection that never ends");
    }
    bough_store_collection(w->s, &p);
    if (p.collections != w->collections) {
        w->collections = p.collections;
        look_at_all(w);
    }
}

static void op(struct world *w)
{
    static const struct {
        const char *name;
        void (*fn)(struct world *w);
        uint32_t share;
    } ops[] = {{"write", do_write, 40}, {"branch", do_branch, 6}, {"tag", do_tag, 2},
        {"keep", do_keep, 2}, {"merge", do_merge, 3}, {"snapshot", do_snapshot, 4},
        {"pack", do_pack, 2}, {"collect", do_collect, 4}};
    uint32_t x = pick(w, 100);

    w->t.time.sec += pick(w, 4000);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (x < ops[i].share) {
            w->doing = ops[i].name;
            ops[i].fn(w);
            return;
        }
        x -= ops[i].share;
    }
    w->doing = x < 2 ? "reopen" : "maintain";
    if (x < 2) {
        close_all(w);
        open_all(w);
        look_at_all(w);
    } else
        do_maintain(w, x < 5);
}

static uint64_t run(uint64_t seed)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct world *w = calloc(1, sizeof *w);
    struct bough_why why;
    uint64_t checks;

    assert_non_null(w);
    w->first = w->seed = seed;
    w->doing = "begin";
    w->algo = seed % 4 == 3 ? BOUGH_SHA256 : BOUGH_SHA1;
    format.algo = w->algo;
    w->device = calloc(1, BYTES);
    assert_non_null(w->device);
    test_env_init(&w->t);
    bough_ramblk_init(&w->ram, w->device,
        (seed % 5 == 0 ? (FEW + seed / 5 % FEW_MORE) * ZONE : BYTES) / UNIT, UNIT);
    good(w, bough_log_format(&w->ram.blk, &w->t.env, &format, &why));
    open_all(w);
    for (w->op = 0; w->op < OPS; w->op++)
        op(w);
    w->doing = "end";
    do_collect(w);
    do_maintain(w, true);
    close_all(w);
    open_all(w);
    look_at_all(w);
    close_all(w);
    checks = w->checks;
    test_env_done(&w->t);
    free(w->device);
    free(w);
    return checks;
}

static void test_collect__what_can_be_reached_is_whole_whatever_is_done(void **state)
{
    static const uint64_t once[] = {134, 263, 309, 1576}; /* they found something once */
    const char *seed = getenv("SEED"), *seeds = getenv("SEEDS");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1, checks = 0;
    uint64_t n = seeds != NULL ? strtoull(seeds, NULL, 10) : getenv("LONG") != NULL ? 300 : 12;

    (void)state;
    for (size_t i = 0; seed == NULL && i < sizeof once / sizeof *once; i++)
        checks += run(once[i]);
    for (uint64_t i = first; i < first + n; i++)
        checks += run(i);
    print_message("%llu looks at all\n", (unsigned long long)checks);
    assert_true(checks >= n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect__what_can_be_reached_is_whole_whatever_is_done),
    };

    return cmocka_run_group_tests_name("sim/collect random", tests, NULL, NULL);
}
