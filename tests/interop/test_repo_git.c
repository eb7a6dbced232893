/*
 * test_repo_git.c - histories made here, questioned by stock git.
 *
 * Goal: what branches, trees and walks make and answer is what git makes and answers.
 * Method: random histories with merges in a store in memory or on a log, SHA-1 and SHA-256; every object
 * is written as a loose one into a scratch repository; then fsck, log, diff-tree and rev-parse
 * of git are compared with ours; the last change of every path is asked without the index of
 * history, with a part of it and with all of it.  A failure names the seed.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zip.h"
#include "block/block.h"
#include "store/log/log.h"
#include "tests/lib/shell.h"
#include "tests/unit/repo_bed.h"

enum { COMMITS = 50, BRANCHES = 4, PATHS = 14, TEXT_MAX = 1 << 16, DEVICE = 16 << 20 };

static struct bed bed;
static struct bough_ramblk ram;
static uint8_t device[DEVICE];
static char dir[64];
static uint64_t seed;
static int64_t clock_sec;
static struct bough_oid made[2 * COMMITS];
static size_t made_n;

static const char *const paths[PATHS] = {"a", "a/b", "a/b/c", "a/d", "a-b", "a.c", "e/f/g/h",
    "e/f/i", "e/j", "k", "k0", "l/m", "e/f", "l"};

static uint64_t pick(uint64_t n)
{
    return test_random(&seed) % n;
}

/* ---- Git ---- */

/* What `git ARGS` prints, sorted if wanted. */
static void git(char out[TEXT_MAX], const char *sort, const char *fmt, ...)
{
    char args[1024], cmd[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(cmd, sizeof cmd, "git %s 2>&1 %s", args, sort);
    shell_run(dir, out, TEXT_MAX, cmd);
}

static enum bough_err export_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct bough_buf body, raw, packed;
    char hex[65], path[256];
    FILE *f;

    (void)ctx;
    hex_of(bed.repo, id, hex);
    bough_buf_init(&body, bed.env.env.mem);
    bough_buf_init(&raw, bed.env.env.mem);
    bough_buf_init(&packed, bed.env.env.mem);
    assert_int_equal(bough_store_read(bed.store, id, NULL, &body), BOUGH_OK);
    bough_buf_put_str(&raw, bough_type_name(found->type));
    bough_buf_put_u8(&raw, ' ');
    bough_buf_put_udec(&raw, body.len);
    bough_buf_put_u8(&raw, 0);
    bough_buf_put_view(&raw, bough_buf_view(&body));
    bough_deflate(&packed, bough_buf_view(&raw), 1);
    assert_int_equal(packed.err, BOUGH_OK);
    snprintf(path, sizeof path, "%s/.git/objects/%.2s", dir, hex);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/.git/objects/%.2s/%s", dir, hex, hex + 2);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(packed.ptr, 1, packed.len, f), packed.len);
    fclose(f);
    bough_buf_fini(&body);
    bough_buf_fini(&raw);
    bough_buf_fini(&packed);
    return BOUGH_OK;
}

static void export_all(const char *format)
{
    static char out[TEXT_MAX];
    struct bough_view after = {NULL, 0};
    struct bough_ref ref;
    char name[256] = "", hex[65], cmd[256];

    snprintf(dir, sizeof dir, "/tmp/bough-repo-git-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(cmd, sizeof cmd, "git init -q -b b0 --object-format=%s %s 2>/dev/null", format, dir);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(bough_store_each(bed.store, export_object, NULL), BOUGH_OK);
    while (bough_repo_ref_next(bed.repo, V("refs/"), after, &ref) == BOUGH_OK) {
        snprintf(name, sizeof name, "%.*s", (int)ref.name.len, (const char *)ref.name.ptr);
        hex_of(bed.repo, &ref.id, hex);
        git(out, "", "update-ref %s %s", name, hex);
        after = V(name);
    }
}

/* ---- Making ---- */

static void random_info(struct bough_info *info)
{
    *info = bed_info(clock_sec);
    info->author.time.zone_min = (int16_t)((int)pick(5) * 90 - 180);
    clock_sec += (int64_t)pick(3); /* sometimes the same second */
    if (pick(4) == 0)
        info->message = V("given\n\nwith a body\n");
    if (pick(4) == 0) {
        info->committer = info->author;
        info->committer.name = V(" Some <One>, ");
    }
}

static void remember(struct bough_branch *b)
{
    assert_int_equal(bough_branch_head(b, &made[made_n]), BOUGH_OK);
    if (!bough_oid_is_zero(&made[made_n]))
        made_n++;
}

static void random_write(struct bough_branch *b)
{
    struct bough_write w = {.path = V(paths[pick(PATHS)]), .mode = 0100644};
    struct bough_info info;
    char text[8];

    snprintf(text, sizeof text, "%d", (int)pick(3));
    w.bytes = V(text);
    w.remove = pick(5) == 0;
    random_info(&info);
    (void)bough_branch_write(b, &w, 1, &info);
}

/* The tree of one side, of the other, or something new. */
static void random_merge(struct bough_branch *b, struct bough_branch *from)
{
    struct bough_oid ours, theirs, root;
    struct bough_commit_opts opts = {.parents = &theirs, .parents_n = 1};
    struct bough_info info;
    struct bough_tree *t;
    uint64_t how = pick(3);

    assert_int_equal(bough_branch_head(b, &ours), BOUGH_OK);
    assert_int_equal(bough_branch_head(from, &theirs), BOUGH_OK);
    if (bough_oid_is_zero(&ours) || bough_oid_is_zero(&theirs) || bough_oid_eq(&ours, &theirs))
        return;
    random_info(&info);
    assert_int_equal(bough_repo_root_of(bed.repo, how == 0 ? &theirs : &ours, &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(bed.repo, &root, &t), BOUGH_OK);
    if (how == 2)
        bed_edit_some(t, 1 + pick(4), paths, PATHS, &seed);
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, NULL), BOUGH_OK);
    bough_tree_close(t);
}

static void random_commit(struct bough_branch *b)
{
    struct bough_oid head, root;
    struct bough_info info;
    struct bough_tree *t;

    assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
    if (!bough_oid_is_zero(&head))
        assert_int_equal(bough_repo_root_of(bed.repo, &head, &root), BOUGH_OK);
    assert_int_equal(
        bough_tree_open(bed.repo, bough_oid_is_zero(&head) ? NULL : &root, &t), BOUGH_OK);
    bed_edit_some(t, 1 + pick(4), paths, PATHS, &seed);
    random_info(&info);
    assert_int_equal(bough_branch_commit(b, t, &info, NULL, NULL), BOUGH_OK);
    bough_tree_close(t);
}

static void make_history(void)
{
    struct bough_branch *b[BRANCHES];
    char name[16];

    made_n = 0;
    clock_sec = 1700000000;
    for (int i = 0; i < BRANCHES; i++) {
        snprintf(name, sizeof name, "b%d", i);
        b[i] = bed_branch(&bed, name);
    }
    for (int i = 0; i < COMMITS; i++) {
        uint64_t on = i < 5 ? 0 : pick(BRANCHES), from = pick(BRANCHES);
        struct bough_ref_update u = {.name = V("refs/heads/b1")};

        if (i == 5 || i == 6) { /* two branches begin on the first */
            u.name = i == 5 ? V("refs/heads/b1") : V("refs/heads/b2");
            assert_int_equal(bough_branch_head(b[0], &u.now), BOUGH_OK);
            assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
            assert_int_equal(u.err, BOUGH_OK);
        }
        if (pick(3) == 0)
            random_merge(b[on], b[from]);
        else if (pick(2) == 0)
            random_commit(b[on]);
        else
            random_write(b[on]);
        remember(b[on]);
    }
    for (int i = 0; i < BRANCHES; i++)
        bough_branch_close(b[i]);
}

/* ---- Questions ---- */

static void expect_text(const char *what, const char *ours, const char *gits)
{
    if (strcmp(ours, gits) != 0)
        fail_msg("%s in %s\nours:\n%s\ngit's:\n%s", what, dir, ours, gits);
}

static void ask_last_change(const struct bough_oid *c, const char *path)
{
    static char want[TEXT_MAX];
    char hex[65], got[80];
    struct bough_oid id;
    struct bough_time when;
    enum bough_err err = bough_history_last_change(bed.repo, c, V(path), &id, &when);

    if (err == BOUGH_ENOENT)
        return;
    assert_int_equal(err, BOUGH_OK);
    hex_of(bed.repo, c, hex);
    git(want, "", "log -1 --format='%%H %%ct' %s -- %s", hex, *path != 0 ? path : ".");
    hex_of(bed.repo, &id, hex);
    snprintf(got, sizeof got, "%s %lld\n", hex, (long long)when.sec);
    expect_text(path, got, want);
}

static void ask_log(
    const struct bough_oid *c, const struct bough_oid *hide, const char *path, bool first_parent)
{
    static char want[TEXT_MAX], got[TEXT_MAX];
    struct bough_walk_opts opts = {.tips = c, .tips_n = 1, .hide = hide, .path = V(path)};
    struct bough_walk *w;
    struct bough_oid id;
    char hex[65], hidden[70] = "", what[256];
    size_t n = 0;

    opts.hide_n = hide != NULL;
    opts.first_parent = first_parent;
    assert_int_equal(bough_walk_open(bed.repo, &opts, &w), BOUGH_OK);
    got[0] = 0;
    while (bough_walk_next(w, &id) == BOUGH_OK) {
        hex_of(bed.repo, &id, hex);
        n += (size_t)snprintf(got + n, sizeof got - n, "%s\n", hex);
    }
    bough_walk_close(w);
    hex_of(bed.repo, c, hex);
    if (hide != NULL) {
        hidden[0] = '^';
        hex_of(bed.repo, hide, hidden + 1);
    }
    git(want, "", "log --format=%%H %s %s %s -- %s", first_parent ? "--first-parent" : "", hex,
        hidden, path);
    snprintf(what, sizeof what, "log%s %s %s -- %s", first_parent ? " --first-parent" : "", hex,
        hidden, path);
    expect_text(what, got, want);
}

static int line_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ask_diff(const struct bough_oid *a, const struct bough_oid *b, const char *prefix)
{
    static char want[TEXT_MAX], got[TEXT_MAX], lines[256][256];
    char ha[65], hb[65];
    struct bough_oid ra, rb;
    struct bough_diff_entry e;
    struct bough_diff *d;
    size_t n = 0, at = 0;

    assert_int_equal(bough_repo_root_of(bed.repo, a, &ra), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(bed.repo, b, &rb), BOUGH_OK);
    assert_int_equal(bough_diff_open(bed.repo, &ra, &rb, V(prefix), &d), BOUGH_OK);
    while (bough_diff_next(d, &e) == BOUGH_OK) {
        hex_of(bed.repo, &e.old_id, ha);
        hex_of(bed.repo, &e.new_id, hb);
        snprintf(lines[n++], sizeof lines[0], ":%06o %06o %s %s %c\t%.*s\n", e.old_mode, e.new_mode,
            ha, hb,
            e.kind == BOUGH_DIFF_ADDED     ? 'A'
            : e.kind == BOUGH_DIFF_REMOVED ? 'D'
                                           : 'M',
            (int)e.path.len, (const char *)e.path.ptr);
    }
    bough_diff_close(d);
    qsort(lines, n, sizeof lines[0], line_cmp);
    got[0] = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%s", lines[i]);
    hex_of(bed.repo, a, ha);
    hex_of(bed.repo, b, hb);
    git(want, "| LC_ALL=C sort", "diff-tree -r --no-renames %s %s -- %s", ha, hb, prefix);
    expect_text("diff", got, want);
}

static void ask_resolve(const char *rev)
{
    static char want[TEXT_MAX];
    char got[80] = "";
    struct bough_oid id;

    git(want, "", "rev-parse -q --verify '%s' 2>/dev/null || true", rev);
    if (bough_repo_resolve(bed.repo, V(rev), &id) == BOUGH_OK) {
        hex_of(bed.repo, &id, got);
        strcat(got, "\n");
    }
    expect_text(rev, got, want);
}

static void ask_ancestor(const struct bough_oid *a, const struct bough_oid *b)
{
    static char want[TEXT_MAX];
    char ha[65], hb[65];
    bool is;

    hex_of(bed.repo, a, ha);
    hex_of(bed.repo, b, hb);
    assert_int_equal(bough_history_is_ancestor(bed.repo, a, b, &is), BOUGH_OK);
    git(want, "", "merge-base --is-ancestor %s %s && echo yes || echo no", ha, hb);
    expect_text("ancestor", is ? "yes\n" : "no\n", want);
}

static void ask_everything(void)
{
    static const char *const revs[] = {"b0", "b0~1", "b1^2", "b1~3", "b0^{tree}", "b2:a", "b0:e/f",
        "refs/heads/b1^0", "heads/b2~2^{}", "b3^", "b0~1000", "b1^3", "nix", "b0^{commit}",
        "b0^{blob}", "b1~2:", "b1:a/b/", "b1^{tag}"};
    static char out[TEXT_MAX];
    char hex[65];

    git(out, "| grep -v ^dangling || true", "fsck --strict --no-progress");
    expect_text("fsck", out, "");
    for (int i = 0; i < 25; i++) {
        const struct bough_oid *a = &made[pick(made_n)], *b = &made[pick(made_n)];
        const char *path = paths[pick(PATHS)];

        ask_last_change(a, pick(8) == 0 ? "" : path);
        ask_log(a, pick(2) == 0 ? b : NULL, pick(3) == 0 ? "" : path, pick(4) == 0);
        ask_diff(a, b, pick(2) == 0 ? "" : path);
        ask_ancestor(a, b);
    }
    for (size_t i = 0; i < sizeof revs / sizeof *revs; i++)
        ask_resolve(revs[i]);
    for (int i = 0; i < 5; i++) {
        hex_of(bed.repo, &made[pick(made_n)], hex);
        hex[6 + pick(6)] = 0;
        ask_resolve(hex);
    }
}

/* Every path at some commits, while the index grows by `steps` of upkeep. */
static void ask_changes(int steps)
{
    bool more = true;

    for (int i = 0; i < steps && more; i++)
        assert_int_equal(bough_repo_maintain(bed.repo, 2000, &more), BOUGH_OK);
    for (int i = 0; i < 4; i++) {
        const struct bough_oid *c = &made[pick(made_n)];

        for (int p = 0; p < PATHS; p++)
            ask_last_change(c, paths[p]);
        ask_log(c, NULL, paths[pick(PATHS)], pick(2) == 0);
    }
}

static void ask_index(void)
{
    struct bough_repo_opts opts = {.history_batch = 1};

    bough_repo_close(bed.repo);
    assert_int_equal(bough_repo_open(bed.store, &opts, &bed.repo), BOUGH_OK);
    ask_changes(0);
    ask_changes(6);
    ask_changes(INT32_MAX);
}

/* The same bed over the log engine. */
static void open_log(enum bough_algo algo)
{
    struct bough_log_format_opts opts = {.algo = algo};

    memset(&bed, 0, sizeof bed);
    test_env_init(&bed.env);
    bough_ramblk_init(&ram, device, DEVICE / 512, 512);
    assert_int_equal(bough_log_format(&ram.blk, &bed.env.env, &opts, NULL), BOUGH_OK);
    assert_int_equal(bough_log_open(&ram.blk, &bed.env.env, NULL, &bed.store, NULL), BOUGH_OK);
    bed_reopen(&bed, 0, 0);
}

static void run(enum bough_algo algo, const char *format, uint64_t first)
{
    char cmd[128];

    seed = first;
    print_message("seed %llu, %s\n", (unsigned long long)first, format);
    if (first % 2 == 0)
        open_log(algo);
    else
        bed_open(&bed, algo, 0, 0);
    make_history();
    export_all(format);
    ask_everything();
    ask_index();
    bed_close(&bed);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

static void test_repo_git__random_histories_answer_as_git_does(void **state)
{
    const char *more = getenv("BOUGH_SEEDS");

    (void)state;
    for (uint64_t s = 1; s <= (more != NULL ? strtoull(more, NULL, 10) : 4); s++)
        run(s % 4 == 0 ? BOUGH_SHA256 : BOUGH_SHA1, s % 4 == 0 ? "sha256" : "sha1", s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_git__random_histories_answer_as_git_does),
    };

    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    return cmocka_run_group_tests_name("repo/git", tests, NULL, NULL);
}
