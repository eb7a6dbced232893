/*
 * fuzz_history.c - an index of history that lies.
 *
 * A small history with a merge is made; the input is rows of an index over it, which name commits and
 * paths of that history at places of the input's choosing, and whole blobs of any bytes beside them.
 * Then every question is asked that the index may answer, the index is checked, and upkeep goes on.
 * An answer may well be wrong, since rows are missing; nothing may crash, hang or keep memory, and who
 * forgets the index gets the answers of a walk.
 */
#include <stdlib.h>

#include "repo/history_inner.h"
#include "repo/inner.h"
#include "tests/unit/repo_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMITS = 14, SEGMENTS = 6, ROWS = 48, STEPS = 40 };

static const char *const paths[] = {"a/x", "a/y", "a", "b", "c/d/e", "c/d", "nix"};
enum { PATHS = sizeof paths / sizeof *paths };
enum asking { NOTE, LISTEN, CHECK };

struct world {
    struct bed bed;
    struct bough_branch *branch;
    struct bough_oid made[COMMITS];
};

/* ---- The history ---- */

/* The index is asked from the first step on. */
static void world_reopen(struct world *w)
{
    struct bough_repo_opts opts = {.history_batch = 1};

    bough_repo_close(w->bed.repo);
    w->bed.repo = NULL;
    BOUGH_ASSERT(bough_repo_open(w->bed.store, &opts, &w->bed.repo) == BOUGH_OK);
}

static void world_make(struct world *w)
{
    static const char *const put[] = {"a/x", "a/y", "b", "c/d/e"};

    bed_open(&w->bed, BOUGH_SHA1, 0, 0);
    world_reopen(w);
    BOUGH_ASSERT(bough_branch_open(w->bed.repo, V("main"), &w->branch) == BOUGH_OK);
    for (int i = 0; i < COMMITS; i++) {
        char text[2] = {(char)('A' + i), '\0'};

        BOUGH_ASSERT(bed_put(w->branch, put[i * 5 % 7 % 4], text, 1000 + i) == BOUGH_OK);
        BOUGH_ASSERT(bough_branch_head(w->branch, &w->made[i]) == BOUGH_OK);
    }
}

/* Every question; NOTE the answers of a walk; CHECK that they are the same. */
static void ask(struct world *w, enum asking how)
{
    static struct bough_oid truth[COMMITS][PATHS];

    for (int i = COMMITS - 1; i >= 0; i -= 3) {
        for (int k = 0; k < PATHS; k++) {
            struct bough_oid id = {{0}};
            enum bough_err err =
                bough_history_last_change(w->bed.repo, &w->made[i], V(paths[k]), &id, NULL);

            BOUGH_ASSERT(how == LISTEN || err == BOUGH_OK || err == BOUGH_ENOENT);
            BOUGH_ASSERT(how != CHECK || bough_oid_eq(&id, &truth[i][k]));
            if (how == NOTE)
                truth[i][k] = id;
        }
    }
}

/* ---- Lies ---- */

struct bytes {
    const uint8_t *p;
    size_t left;
};

static uint8_t byte(struct bytes *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static struct bough_oid commit_id(const struct world *w, uint8_t n)
{
    struct bough_oid id = {{n, 1, 2}};

    return n < COMMITS * 8 ? w->made[n % COMMITS] : id;
}

static void place_put(uint8_t *out, struct bytes *in)
{
    struct bough_history__place at = {byte(in) % 4, BOUGH_HISTORY__MIDDLE - 128u + byte(in)};

    bough_history__place_put(out, at);
}

static void row_make(
    const struct world *w, enum bough_history__kind kind, struct bytes *in, uint8_t *row)
{
    struct bough_oid id;
    uint8_t what = byte(in);

    memset(row, 0, BOUGH_HISTORY__ROW_MAX);
    if (kind == BOUGH_HISTORY__COMMITS) {
        id = commit_id(w, what);
        place_put(row, in);
        memcpy(row + 8, id.bytes, 20);
        return;
    }
    id = commit_id(w, what / 2);
    if (kind == BOUGH_HISTORY__ENDS) {
        memcpy(row, id.bytes, 20);
        place_put(row + 20, in);
        return;
    }
    if (what % 2 == 0)
        bough_history__path_key(w->bed.repo, V(paths[what / 2 % PATHS]), row);
    else
        memcpy(row, id.bytes, 8);
    place_put(row + 8, in);
}

static int row_cmp(const void *a, const void *b)
{
    return memcmp(a, b, BOUGH_HISTORY__ROW_MAX);
}

/* A blob of any bytes at any name. */
static void blob_make(struct bytes *in, struct bough_history__writer *to)
{
    static const char tables[] = "pcex";
    char path[64], bytes[256];
    size_t n = byte(in), len = byte(in) % sizeof bytes;

    snprintf(path, sizeof path, "%c/%02x%014x/%02x%014x", tables[n % 4], byte(in), 0, byte(in), 0);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)byte(in);
    (void)!bough_tree_set(to->tree, V(path), 0100644, NULL, bough_view(bytes, len));
}

/* So many rows of each table, in order; a byte of the input may say that they stay as they came. */
static void segment_make(struct world *w, struct bytes *in)
{
    static uint8_t rows[ROWS][BOUGH_HISTORY__ROW_MAX];
    struct bough_history__writer to;

    BOUGH_ASSERT(bough_history__writer_init(&to, w->bed.repo) == BOUGH_OK);
    for (int kind = 0; kind < BOUGH_HISTORY__TABLES; kind++) {
        uint8_t head = byte(in);
        size_t n = head % ROWS;

        BOUGH_ASSERT(bough_history__writer_kind(&to, (enum bough_history__kind)kind) == BOUGH_OK);
        for (size_t i = 0; i < n; i++)
            row_make(w, (enum bough_history__kind)kind, in, rows[i]);
        if (head < 5 * ROWS)
            qsort(rows, n, sizeof rows[0], row_cmp);
        for (size_t i = 0; i < n; i++)
            BOUGH_ASSERT(bough_history__writer_put(&to, rows[i]) == BOUGH_OK);
    }
    for (int n = byte(in) % 4; n > 0; n--)
        blob_make(in, &to);
    to.rows += byte(in) % 2 ? 0 : 5000;
    (void)!bough_history__writer_write(&to, true, NULL, 0);
    bough_history__writer_fini(&to);
}

/* ---- What is done with them ---- */

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    BOUGH_ASSERT(err && what != NULL && (key.ptr != NULL || key.len == 0));
}

static void use(struct world *w)
{
    struct bough_history_stats stats;
    bool more = true;

    ask(w, LISTEN);
    (void)!bough_history_stat(w->bed.repo, 1000, &stats);
    (void)!bough_history_check(w->bed.repo, report, NULL);
    for (int i = 0; i < STEPS && more; i++)
        (void)!bough_repo_maintain(w->bed.repo, 2000, &more);
    ask(w, LISTEN);
    BOUGH_ASSERT(bough_history_forget(w->bed.repo) == BOUGH_OK);
    w->bed.repo->history->off = true;
    ask(w, CHECK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool known;
    struct bytes in = {data, size};
    struct world w;

    world_make(&w);
    if (!known)
        ask(&w, NOTE); /* by walking: there is no index yet */
    known = true;
    for (int i = 0; i < SEGMENTS && in.left > 0; i++)
        segment_make(&w, &in);
    bough_branch_close(w.branch);
    world_reopen(&w);
    use(&w);
    bed_close(&w.bed);
    return 0;
}
