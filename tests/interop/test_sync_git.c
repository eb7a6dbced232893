/*
 * test_sync_git.c - stock git clones from, fetches from and pushes to sync/.
 *
 * Goal: whatever is offered works with the real client, in protocol versions 0, 1 and 2, for
 * SHA-1 and SHA-256, and what git fsck says of the results is nothing.  Method: git_bed.h; each
 * test is a short shell script with git as the judge.
 */
#include "tests/interop/git_bed.h"

/* A repository with some history: merges, tags, modes, moves, a link, an empty file. */
static const char make_seed[] =
    "cd $SEED && git init -q -b main $F $V_ALGO && cd $V_ALGO && mkdir -p d/e && echo one >a && "
    "echo two >d/b && "
    "echo three >d/e/c && : >empty && ln -s a link && chmod +x a && git add . && "
    "git commit -qm 1 && git tag light && git mv d/b moved && echo more >>d/e/c && "
    "git commit -qam 2 && git tag -am t1 v1 && git checkout -qb side HEAD~1 && echo s >side && "
    "git add side && git commit -qm s && git checkout -q main && git merge -q --no-edit side && "
    "git tag -am t2 v2 && git tag -am nested v3 v2 && for i in 1 2 3 4 5; do "
    "seq $((i*100)) >n; git add n; git commit -qm n$i; done";
#define SEED "cp -r $SEED/$V_ALGO seed && "

/* `commits FROM N`: a stream for git fast-import, N empty commits on main after FROM. */
#define COMMITS                                                                                    \
    "commits() { for i in $(seq $2); do echo commit refs/heads/main; "                             \
    "echo \"committer C <c@x> $((1000000000 + $3 + i)) +0000\"; echo data 2; echo $((i%9)); "      \
    "test $i = 1 && test -n \"$1\" && echo from $1; echo; done; }; "

static int version;
static enum bough_algo algo;
static bool on_log;

static void setup(struct bed *b)
{
    char text[32];
    bed_open(b, algo, on_log);
    snprintf(text, sizeof text, "%d", version);
    setenv("V", text, 1);
    setenv("V_ALGO", bough_algo_name(algo), 1);
    setenv("F", algo == BOUGH_SHA256 ? "--object-format=sha256" : "--object-format=sha1", 1);
    must(b, "git config --global protocol.version $V; git config --global init.defaultBranch main;"
            "git config --global advice.detachedHead false");
}

/* ---- Clone and fetch ---- */

static void test_clone__gives_back_what_was_pushed(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q --all $URL && git push -q --tags $URL");
    must(&b,
        "git clone -q $URL copy && cd copy && git fsck --strict --no-dangling 2>&1 | tee log &&"
        "! test -s log && git rev-parse HEAD >1 && git -C ../seed rev-parse main >2 && cmp 1 2 "
        "&& git for-each-ref refs/tags >1 && git -C ../seed for-each-ref refs/tags >2 && "
        "cmp 1 2 && test $(git branch --show-current) = main");
    must(&b, "git clone -q --mirror $URL mirror && git -C mirror for-each-ref >1 && "
             "git -C seed for-each-ref >2 && cmp 1 2 && git -C mirror fsck --strict");
    assert_true(b.buffered <= BOUGH_SYNC_OUT_MAX + 70000);
    bed_close(&b);
}

static void test_clone__of_nothing_works(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, "git clone -q $URL copy 2>&1; git -C copy symbolic-ref HEAD; git ls-remote $URL");
    assert_non_null(strstr(b.output, "refs/heads/main"));
    bed_close(&b);
}

static void test_fetch__brings_only_what_is_new(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b,
        SEED "cd seed && git push -q $URL main && git clone -q $URL ../copy && "
             "echo x >>d/e/c && git commit -qam more && git push -q $URL main && cd ../copy && "
             "git fetch -v && git fsck --strict && "
             "test $(git rev-parse origin/main) = $(git -C ../seed rev-parse main) && "
             "git count-objects -v");
    must(&b, "cd copy && git fetch -q && git pull -q && git log --oneline | wc -l");
    bed_close(&b);
}

/* Objects that the last fetch of `copy` received, as the server counted them. */
static void test_fetch__sends_no_tree_that_the_client_has(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q $URL main && git clone -q $URL ../copy && "
                  "git mv moved d/back && git commit -qam back && git push -q $URL main");
    must(&b, "cd copy && git -c fetch.unpackLimit=1 fetch --progress 2>&1");
    /* A commit, the root and d: the blob moved is old. */
    assert_non_null(strstr(b.output, "Total 3 "));
    bed_close(&b);
}

static void test_fetch__follows_tags(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b,
        SEED "cd seed && git push -q $URL main && git clone -q $URL ../copy && "
             "git commit -q --allow-empty -m e && git tag -am t4 v4 && git push -q $URL main v4 && "
             "cd ../copy && git fetch -q && git cat-file -t v4 && git fsck --strict");
    bed_close(&b);
}

static void test_fetch__negotiates_over_long_histories(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b,
        COMMITS "git init -q $F seed && cd seed && commits '' 80 0 | git fast-import --quiet && "
                "git push -q $URL main && git clone -q $URL ../copy && cd ../copy && "
                "commits 'refs/heads/main^0' 150 100 | git fast-import --quiet && cd ../seed && "
                "commits 'refs/heads/main^0' 40 300 | git fast-import --quiet && "
                "git push -q $URL main && cd ../copy && git fetch -q && git fsck --strict && "
                "test $(git rev-parse origin/main) = $(git -C ../seed rev-parse main) && "
                "test $(git rev-list --count origin/main) = 120");
    bed_close(&b);
}

static void test_fetch__gives_a_commit_by_id_that_is_reachable(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q $URL main && id=$(git rev-parse main~3) && "
                  "git init -q $F ../x && cd ../x && git fetch -q $URL $id && git fsck --strict");
    bed_close(&b);
}

static void test_fetch__refuses_what_a_forced_push_left_behind(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must_fail(&b,
        SEED "cd seed && git push -q $URL main && git rev-parse main >../id && "
             "git reset -q --hard HEAD~2 && git push -qf $URL main && "
             "git init -q $F ../x && cd ../x && git fetch $URL $(cat ../id)",
        "not our ref");
    bed_close(&b);
}

/* ---- Shallow ---- */

static void test_shallow__clone_deepen_and_unshallow(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q --all $URL && git push -q --tags $URL");
    must(&b,
        "git clone -q --depth 1 $URL copy && cd copy && test $(git rev-list --count HEAD) = 1 && "
        "git fsck --strict");
    must(&b, "cd copy && git fetch -q --depth 3 && test $(git rev-list --count origin/main) = 3 && "
             "git fsck --strict");
    must(&b,
        "cd copy && git fetch -q --deepen 1 && test $(git rev-list --count origin/main) = 4 && "
        "git fsck --strict");
    must(&b,
        "cd copy && git fetch -q --unshallow && git fsck --strict && "
        "git rev-list origin/main | sort >../1 && git -C ../seed rev-list main | sort >../2 && "
        "cmp ../1 ../2 && ! test -e .git/shallow");
    bed_close(&b);
}

static void test_shallow__since_and_not(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b,
        "git init -q $F seed && cd seed && git checkout -q -b main && for i in 1 2 3 4 5 6; do "
        "GIT_COMMITTER_DATE=\"100000000$i +0000\" git commit -q --allow-empty -m $i; "
        "git tag t$i; done && git push -q $URL main --tags");
    must(&b, "git clone -q --shallow-since='2001-09-09 01:46:44 +0000' $URL copy && cd copy && "
             "git log --format=%s | tr '\\n' ' ' && git fsck --strict");
    assert_non_null(strstr(b.output, "6 5 4 "));
    assert_null(strstr(b.output, "3 "));
    must(&b, "git clone -q --shallow-exclude=t4 $URL copy2 && cd copy2 && "
             "git log --format=%s | tr '\\n' ' ' && git fsck --strict");
    assert_non_null(strstr(b.output, "6 5 "));
    assert_null(strstr(b.output, "4 "));
    bed_close(&b);
}

static void test_shallow__fetches_and_pushes_go_on(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q $URL main && git clone -q --depth 2 $URL ../copy && "
                  "echo new >>a && git commit -qam new && git push -q $URL main && cd ../copy && "
                  "git pull -q && git fsck --strict && echo mine >mine && git add mine && "
                  "git commit -qm mine && git push -q $URL HEAD:main && cd ../seed && "
                  "git pull -q $URL main && git fsck --strict && cat mine");
    bed_close(&b);
}

/* ---- Push ---- */

static void test_push__creates_updates_and_deletes(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push $URL main side v1 v2");
    must(&b, "cd seed && echo x >>a && git commit -qam x && git push $URL main && "
             "git push $URL :side :refs/tags/v1 && git ls-remote $URL");
    assert_null(strstr(b.output, "refs/heads/side\n"));
    assert_non_null(strstr(b.output, "refs/tags/v2^{}"));
    bed_close(&b);
}

static void test_push__is_refused_when_the_branch_moved(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q $URL main && git clone -q $URL ../copy && "
                  "echo x >>a && git commit -qam x && git push -q $URL main");
    must_fail(&b, "cd copy && echo y >>a && git commit -qam y && git push origin main", "rejected");
    must_fail(&b, "cd copy && git push --force-with-lease=main:$(git rev-parse HEAD~1) origin main",
        "stale");
    must(&b, "cd copy && git push -qf origin main");
    bed_close(&b);
}

static void test_push__can_be_told_to_move_forward_only(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    b.opts.flags = BOUGH_SYNC_DENY_NON_FAST_FORWARD | BOUGH_SYNC_DENY_DELETES;
    must(&b, SEED "cd seed && git push -q $URL main side && echo x >>a && git commit -qam x && "
                  "git push -q $URL main");
    must_fail(&b, "cd seed && git reset -q --hard HEAD~3 && git push -f $URL main",
        "remote rejected] main -> main (non-fast-forward)");
    must_fail(&b, "cd seed && git push $URL :side", "(deletion prohibited)");
    bed_close(&b);
}

static void test_push__atomic_is_all_or_nothing(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    b.opts.flags = BOUGH_SYNC_DENY_DELETES;
    must(&b, SEED "cd seed && git push -q $URL main side");
    must_fail(&b, "cd seed && git push --atomic $URL main:new :side", "atomic push failure");
    must(&b, "git ls-remote $URL");
    assert_null(strstr(b.output, "new"));
    assert_non_null(strstr(b.output, "side"));
    must(&b, "cd seed && git push --atomic $URL main:new2 main:new3");
    bed_close(&b);
}

static void test_push__refuses_to_delete_the_branch_of_head(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, SEED "cd seed && git push -q $URL main side");
    must_fail(&b, "cd seed && git push $URL :main", "deletion of the current branch prohibited");
    must(&b, "git ls-remote $URL refs/heads/main | grep main");
    bed_close(&b);
}

static void test_push__bases_of_thin_packs_are_found(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b,
        "git init -q $F seed && cd seed && seq 5000 >big && git add big && git commit -qm 1 && "
        "git push -q $URL HEAD:main && echo x >>big && git commit -qam 2 && "
        "git push --thin $URL HEAD:main && git clone -q $URL ../copy && cmp big ../copy/big && "
        "git -C ../copy fsck --strict");
    bed_close(&b);
}

static void test_push__big_blobs_come_back(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must(&b, "git init -q $F seed && cd seed && head -c 6000000 /dev/urandom >big && git add . && "
             "git commit -qm 1 && git push -q $URL HEAD:main && git clone -q $URL ../copy && "
             "cmp big ../copy/big");
    assert_true(b.buffered <= BOUGH_SYNC_OUT_MAX + 70000);
    bed_close(&b);
}

/* ---- What must not come in ---- */

static void test_push__refuses_bad_trees(void **state)
{
    struct bed b;
    (void)state;
    setup(&b);
    must_fail(&b,
        "git init -q $F seed && cd seed && blob=$(echo x | git hash-object -w --stdin) && "
        "tree=$(printf \"100644 blob $blob\\t.git\\n\" | git mktree) && "
        "git update-ref refs/heads/main $(git commit-tree -m x $tree) && git push $URL main",
        "hasDotgit");
    must(&b, "git ls-remote $URL");
    assert_string_equal(b.output, "");
    must_fail(&b,
        "cd seed && blob=$(printf '[submodule \"x\"]\\n\\turl = -u./evil\\n\\tpath = x\\n' | "
        "git hash-object -w --stdin) && tree=$(printf \"100644 blob $blob\\t.gitmodules\\n\" | "
        "git mktree) && "
        "git update-ref refs/heads/evil $(git commit-tree -m x $tree) && git push $URL evil",
        "gitmodulesUrl");
    bed_close(&b);
}

#define BRIEF                                                                                      \
    cmocka_unit_test(test_clone__gives_back_what_was_pushed),                                      \
        cmocka_unit_test(test_clone__of_nothing_works),                                            \
        cmocka_unit_test(test_fetch__brings_only_what_is_new),                                     \
        cmocka_unit_test(test_push__bases_of_thin_packs_are_found)

static int run_brief(const char *name)
{
    const struct CMUnitTest tests[] = {BRIEF};
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

static int run_all(const char *name)
{
    const struct CMUnitTest tests[] = {
        BRIEF,
        cmocka_unit_test(test_fetch__sends_no_tree_that_the_client_has),
        cmocka_unit_test(test_fetch__follows_tags),
        cmocka_unit_test(test_fetch__negotiates_over_long_histories),
        cmocka_unit_test(test_fetch__gives_a_commit_by_id_that_is_reachable),
        cmocka_unit_test(test_fetch__refuses_what_a_forced_push_left_behind),
        cmocka_unit_test(test_shallow__clone_deepen_and_unshallow),
        cmocka_unit_test(test_shallow__since_and_not),
        cmocka_unit_test(test_shallow__fetches_and_pushes_go_on),
        cmocka_unit_test(test_push__creates_updates_and_deletes),
        cmocka_unit_test(test_push__is_refused_when_the_branch_moved),
        cmocka_unit_test(test_push__can_be_told_to_move_forward_only),
        cmocka_unit_test(test_push__atomic_is_all_or_nothing),
        cmocka_unit_test(test_push__refuses_to_delete_the_branch_of_head),
        cmocka_unit_test(test_push__big_blobs_come_back),
        cmocka_unit_test(test_push__refuses_bad_trees),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

/* The seed is made once for each algorithm and copied from there. */
static void seed(void)
{
    struct bed b;
    setup(&b);
    must(&b, make_seed);
    bed_close(&b);
}

int main(void)
{
    int failed = 0;
    char dir[] = "/tmp/bough-seed-XXXXXX";
    char command[64];
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(dir) == NULL)
        return 1;
    setenv("SEED", dir, 1);
    algo = BOUGH_SHA1;
    version = 0;
    seed();
    failed += run_all("sync_git, version 0");
    version = 1;
    failed += run_brief("sync_git, version 1");
    version = 2;
    on_log = true;
    failed += run_all("sync_git, version 2, on the log engine");
    algo = BOUGH_SHA256;
    seed();
    failed += run_brief("sync_git, version 2, SHA-256, on the log engine");
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) != 0 || failed > 0;
}
