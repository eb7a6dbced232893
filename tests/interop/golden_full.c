/*
 * golden_full.c - repositories that have everything the format has.
 *
 *   device    memory whose free zones become zeros, with flush or without
 *   acts      writes, refs, collections, each at a time of its own
 *   stores    full, harm, settle
 *
 * Which structures an image must have is golden.sh's to say, and golden_census.c counts them.
 */
#include <string.h>

#include "git/object.h"
#include "repo/repo.h"
#include "store/collect.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/log.h"
#include "tests/interop/golden.h"

enum {
    UNIT = 512,
    GRANULE = 1024, /* larger than the unit */
    ZONE = 32 * 1024,
    ZONES = 160,
    MINUTE = 60,
    DAY = 86400,
};

/* ---- Device ---- */

static enum bough_err dev_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    memcpy(dst, golden_device + at * dev->unit, (size_t)n * dev->unit);
    return BOUGH_OK;
}

static enum bough_err dev_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    memcpy(golden_device + at * dev->unit, src, (size_t)n * dev->unit);
    return BOUGH_OK;
}

static enum bough_err dev_sync(struct bough_block *dev)
{
    (void)dev;
    return BOUGH_OK;
}

static enum bough_err dev_discard(struct bough_block *dev, uint64_t at, uint64_t n)
{
    memset(golden_device + at * dev->unit, 0, (size_t)n * dev->unit);
    return BOUGH_OK;
}

static const struct bough_block_class dev_class = {
    .name = "golden",
    .read = dev_read,
    .write = dev_write,
    .sync = dev_sync,
    .discard = dev_discard,
};

static struct bough_block device = {&dev_class, 0, UNIT, BOUGH_BLOCK_SYNC | BOUGH_BLOCK_DISCARD};

void golden_device_has(size_t bytes)
{
    device.count = bytes / UNIT;
}

/* ---- Acts ---- */

void golden_begin(struct golden *g, uint32_t window_ms)
{
    static const struct bough_log_open_opts opts = {.cache = 256 * 1024,
        .table_rows = 256,
        .log_max = 256 * 1024,
        .prepare = 1,
        .settle_bytes = 64 * 1024,
        .reach_rows = 1,
        .reach_every = 8};
    struct bough_repo_opts how = {
        .window = {.time_ms = window_ms}, .cache = 1 << 20, .history_batch = 8};

    golden_must(bough_log_open(&device, &golden_env, &opts, &g->s, NULL), "open");
    golden_must(bough_repo_open(g->s, &how, &g->r), "open");
}

void golden_end(struct golden *g)
{
    bough_repo_close(g->r);
    bough_store_close(g->s);
}

static struct bough_info info_now(void)
{
    struct bough_info info = {.author = {.name = bough_view_str("A U Thor"),
                                  .mail = bough_view_str("author@example.org")}};

    info.author.time.sec = golden_clock += MINUTE;
    info.author.time.zone_min = 90;
    return info;
}

struct bough_branch *golden_branch(struct golden *g, const char *name)
{
    struct bough_branch *b;

    golden_must(bough_branch_open(g->r, bough_view_str(name), &b), "branch");
    return b;
}

/* One change: a text, or a removal where it is NULL. */
static void set(struct golden *g, const char *branch, const char *path, const char *text)
{
    struct bough_branch *b = golden_branch(g, branch);
    struct bough_write w = {
        .path = bough_view_str(path), .remove = text == NULL, .mode = BOUGH_FILEMODE_BLOB};
    struct bough_info info = info_now();

    if (text != NULL)
        w.bytes = bough_view_str(text);
    golden_must(bough_branch_write(b, &w, 1, &info), path);
    bough_branch_close(b);
}

struct bough_oid golden_head(struct golden *g, const char *branch)
{
    struct bough_branch *b = golden_branch(g, branch);
    struct bough_oid id;

    golden_must(bough_branch_head(b, &id), "head");
    bough_branch_close(b);
    return id;
}

static void checkpoint(struct golden *g)
{
    golden_must(bough_log__checkpoint(bough_log__of(g->s)), "checkpoint");
}

static void upkeep(struct golden *g)
{
    bool more = true;

    while (more)
        golden_must(bough_repo_maintain(g->r, 1 << 20, &more), "maintain");
}

static void collect(struct golden *g, bool whole)
{
    const struct bough_collect_opts now = {.grace = 0, .whole = whole};

    golden_must(bough_repo_collect(g->r, &now, UINT64_MAX), "collect");
    upkeep(g);
}

static void move_ref(struct golden *g, const char *name, const struct bough_oid *to)
{
    struct bough_ref_update u = {
        .name = bough_view_str(name), .now = *to, .reason = bough_view_str("moved")};

    golden_must(bough_repo_update(g->r, &u, 1, 0, NULL), name);
    golden_must(u.err, name);
}

static void symbolic(struct golden *g, const char *name)
{
    struct bough_ref_change c = {.name = bough_view_str(name),
        .kind = BOUGH_REF_SYM,
        .target = bough_view_str("refs/heads/main")};
    struct bough_txn *t;

    golden_must(bough_txn_begin(g->s, &t), "begin");
    golden_must(bough_txn_ref(t, &c), "symbolic");
    golden_must(bough_txn_commit(t, BOUGH_DURABLE_NOW), "symbolic");
}

/* An annotated tag of a branch. */
static void tag(struct golden *g, const char *branch)
{
    struct bough_tag_parts parts = {.object = golden_head(g, branch),
        .type = BOUGH_COMMIT,
        .name = bough_view_str("v1"),
        .tagger = info_now().author,
        .message = bough_view_str("one\n")};
    struct bough_buf text;
    struct bough_oid id;
    struct bough_txn *t;

    bough_buf_init(&text, &golden_mem);
    bough_tag_put(&text, g->s->algo, &parts);
    golden_must(text.err, "tag");
    golden_must(bough_txn_begin(g->s, &t), "begin");
    golden_must(bough_txn_put(t, BOUGH_TAG, bough_buf_view(&text), &id), "tag");
    golden_must(bough_txn_commit(t, BOUGH_DURABLE_NOW), "tag");
    move_ref(g, "refs/tags/v1", &id);
    bough_buf_fini(&text);
}

/* A folder of `n` values, numbered in steps, in one commit. */
static void fill(struct golden *g, const char *branch, int n, int step)
{
    struct bough_branch *b = golden_branch(g, branch);
    struct bough_info info = info_now();
    struct bough_tree *t;
    char path[24], text[24];

    golden_must(bough_tree_open(g->r, NULL, &t), "tree");
    for (int i = 0; i < n; i += step) {
        int len = snprintf(text, sizeof text, "%d", i);
        snprintf(path, sizeof path, "flat/%04d", i);
        golden_must(bough_tree_set(t, bough_view_str(path), BOUGH_FILEMODE_BLOB, NULL,
                        bough_view(text, (size_t)len)),
            path);
    }
    golden_must(bough_branch_commit(b, t, &info, NULL, NULL), "fill");
    bough_tree_close(t);
    bough_branch_close(b);
}

/* Some 300 KB that zlib cannot shorten and that a longer memory can. */
static void big(struct golden *g, const char *path, uint64_t pieces)
{
    static uint8_t piece[40 * 1024];
    struct bough_write w = {.path = bough_view_str(path), .mode = BOUGH_FILEMODE_BLOB};
    uint64_t seed = 7;
    struct bough_branch *b = golden_branch(g, "main");
    struct bough_info info = info_now();
    struct bough_blob_writer *to;
    struct bough_oid id;

    golden_body(&seed, piece, sizeof piece, false);
    golden_must(bough_blob_begin(g->s, pieces * sizeof piece, &to), "big");
    for (uint64_t i = 0; i < pieces; i++)
        golden_must(bough_blob_put(to, bough_view(piece, sizeof piece)), "big");
    golden_must(bough_repo_blob(g->r, to, &id), "big");
    w.id = &id;
    golden_must(bough_branch_write(b, &w, 1, &info), "big");
    bough_branch_close(b);
}

/* `from` merged into `into`, whose tree stays but for one value. */
static void merge(struct golden *g, const char *into, const char *from)
{
    struct bough_oid mine = golden_head(g, into), theirs = golden_head(g, from), root;
    struct bough_commit_opts opts = {.parents = &theirs, .parents_n = 1};
    struct bough_branch *b = golden_branch(g, into);
    struct bough_info info = info_now();
    struct bough_tree *t;

    golden_must(bough_repo_root_of(g->r, &mine, &root), "root");
    golden_must(bough_tree_open(g->r, &root, &t), "tree");
    golden_must(bough_tree_set(
                    t, bough_view_str("merged"), BOUGH_FILEMODE_BLOB, NULL, bough_view_str(from)),
        "merged");
    golden_must(bough_branch_commit(b, t, &info, &opts, NULL), "merge");
    bough_tree_close(t);
    bough_branch_close(b);
}

static void history(struct golden *g, const char *branch, int n)
{
    char path[40], text[40];

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "d%d/e%d/k%d", i % 3, i % 4, i % 7);
        snprintf(text, sizeof text, "%s %d", branch, i);
        set(g, branch, path, text);
    }
}

/*
 * A text whose blob, and a tree of it alone called k, have ids near the end of all: of a commit of it a bitmap
 * begins far behind.
 */
static void late_text(enum bough_algo algo, char text[24])
{
    struct bough_oid blob, tree;
    struct bough_buf body;

    bough_buf_init(&body, &golden_mem);
    for (int i = 0;; i++) {
        snprintf(text, 24, "late %d", i);
        blob = bough_oid_of(algo, BOUGH_BLOB, bough_view_str(text));
        bough_buf_clear(&body);
        bough_tree_entry_put(&body, algo, BOUGH_FILEMODE_BLOB, bough_view_str("k"), &blob);
        golden_must(body.err, "tree");
        tree = bough_oid_of(algo, BOUGH_TREE, bough_buf_view(&body));
        if (blob.bytes[0] >= 0xe0 && tree.bytes[0] >= 0xe0)
            break;
    }
    bough_buf_fini(&body);
}

static void roots(struct golden *g, int n)
{
    char name[24], text[24];

    late_text(g->s->algo, text);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "root/%d", i);
        set(g, name, "k", text);
    }
}

static void keep(struct golden *g, const char *branch, const char *policy)
{
    struct bough_keep k;

    golden_must(bough_keep_parse(bough_view_str(policy), &k), policy);
    k.refs = bough_view_str(branch);
    golden_must(bough_repo_keep_set(g->r, &k), branch);
}

/* ---- Stores ---- */

static void format(enum bough_algo algo)
{
    struct bough_log_format_opts opts = {.algo = algo, .granule = GRANULE, .zone = ZONE};

    golden_device_has((size_t)ZONES * ZONE);
    golden_must(bough_log_format(&device, &golden_env, &opts, NULL), "format");
}

/* Left in the middle: windows are open, one of them and a pack in the checkpoint's root, others in the log behind it. */
static void journal(struct golden *g)
{
    golden_end(g);
    golden_begin(g, 60000);
    set(g, "main", "open/in/root", "1");
    set(g, "main", "d1/e1/k1", NULL);
    checkpoint(g);
    big(g, "big in root", 7); /* no row is in memory: its table stays its own */
    checkpoint(g);
    set(g, "main", "open/behind", "2");
    set(g, "side", "open/there", "3");
    big(g, "big behind", 9);
    symbolic(g, "refs/remotes/other/HEAD");
    fill(g, "ahead", 300, 1); /* more rows than are held in memory, in one transaction */
    set(g, "main", "open/last", "4");
}

static void full_make(struct golden *g, int many)
{
    static const struct bough_oid none;
    struct bough_oid old;

    golden_begin(g, 0);
    history(g, "main", 20);
    old = golden_head(g, "main");
    move_ref(g, "refs/heads/side", &old);
    history(g, "side", 12);
    merge(g, "main", "side");
    history(g, "main", 12);
    history(g, "short", 12);
    tag(g, "main");
    roots(g, 30);
    big(g, "big", 8);
    golden_end(g);
    golden_clock += 3 * DAY;
    golden_begin(g, 0);
    fill(g, "many", many, 1);
    fill(g, "half", many, 2);
    move_ref(g, "refs/heads/moved", &old);
    old = golden_head(g, "side");
    move_ref(g, "refs/heads/moved", &old);
    move_ref(g, "refs/heads/root/0", &none);
    symbolic(g, "refs/remotes/origin/HEAD");
    keep(g, "short", "5");
    keep(g, "root/*", "10,30d");
    upkeep(g);
    golden_clock += DAY;
    collect(g, false);
    history(g, "main", 9);
    upkeep(g);
    golden_clock += DAY;
    collect(g, true);
    move_ref(g, "refs/heads/root/1", &none);
    history(g, "late", 3);
    checkpoint(g);
    journal(g);
}

/* A tree that cannot be read, and a collection that keeps what it may have led to; the zones that it left still wait. */
static void harm_make(struct golden *g)
{
    static const struct bough_collect_opts now = {.grace = 0};
    static const char name[] = "a name that is found";
    struct bough_collect_progress p;
    bool more = true;
    size_t at = 0;

    golden_begin(g, 0);
    history(g, "main", 10);
    set(g, "hurt", "sub/a name that is found", "1");
    set(g, "hurt", "sub/another", "2");
    golden_end(g);
    while (memcmp(golden_device + at, name, sizeof name - 1) != 0)
        at++;
    golden_begin(g, 0);
    history(g, "main", 3);
    for (size_t i = at; i + sizeof name < (size_t)ZONES * ZONE; i++) {
        if (memcmp(golden_device + i, name, sizeof name - 1) == 0)
            golden_device[i] ^= 1;
    }
    golden_end(g);
    golden_begin(g, 0);
    golden_clock += DAY;
    golden_must(bough_repo_collect(g->r, &now, UINT64_MAX), "collect");
    for (p.collections = 0; p.collections == 0; bough_store_collection(g->s, &p))
        golden_must(bough_repo_maintain(g->r, 1 << 20, &more), "maintain");
    history(g, "main", 3);
}

/* Where nothing can be flushed. */
static void settle_make(struct golden *g)
{
    golden_begin(g, 0);
    history(g, "main", 30);
    golden_clock += MINUTE;
    upkeep(g);
    golden_end(g);
    golden_clock += DAY;
    golden_begin(g, 0);
    fill(g, "many", 200, 1);
    for (int i = 0; i < 4; i++) {
        history(g, "main", 5);
        golden_clock += MINUTE;
        upkeep(g);
    }
}

size_t golden_full_make(enum bough_algo algo, const char *how)
{
    struct golden g = {.s = NULL};

    if (strcmp(how, "settle") == 0)
        device.caps &= ~(uint32_t)BOUGH_BLOCK_SYNC;
    format(algo);
    if (strcmp(how, "full") == 0)
        full_make(&g, algo == BOUGH_SHA1 ? 3300 : 770);
    else if (strcmp(how, "harm") == 0)
        harm_make(&g);
    else if (strcmp(how, "settle") == 0)
        settle_make(&g);
    else
        return 0;
    return (size_t)ZONES * ZONE; /* as it is now: the power is cut */
}
