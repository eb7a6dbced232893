/*
 * test_repo_update.c - refs are moved as asked, or it is said why not; who listens hears of it.
 *
 * Goal: each update is checked by itself, sees what was written before, and may not name what is
 * not there; the first branch becomes HEAD's; events come when what they tell of can be seen.
 * Method: a store in memory.
 */
#include "tests/unit/repo_bed.h"

static struct bed bed;

/* ---- Updates ---- */

static struct bough_ref_update change(const char *name, const struct bough_oid *now)
{
    struct bough_ref_update u = {.name = V(name)};

    if (now != NULL)
        u.now = *now;
    return u;
}

static void test_repo_branch__updates_are_checked_one_by_one(void **state)
{
    struct bough_oid head, blob = *bough_oid_empty_blob(test_algo());
    struct bough_ref_update u[9];
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "", 100), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
    u[0] = change("refs/heads/dev", &head);
    u[1] = change("refs/heads/dev/x", &head); /* clash with the one before */
    u[2] = change("refs/heads/..", &head);    /* bad name */
    u[3] = change("refs/heads/dev", &head);   /* twice */
    u[4] = change("refs/heads/blob", &blob);  /* no commit */
    u[5] = change("refs/tags/blob", &blob);   /* fine */
    u[6] = change("refs/heads/main", NULL);   /* the current branch */
    u[7] = change("refs/heads/new", &head);
    u[7].check = true;
    u[7].old = head;                             /* not there */
    u[8] = change("refs/heads/main/sub", &head); /* clash with a stored one */
    assert_int_equal(bough_repo_update(bed.repo, u, 9, 0, NULL), BOUGH_OK);
    assert_int_equal(u[0].err, BOUGH_OK);
    assert_int_equal(u[1].err, BOUGH_EKEY);
    assert_int_equal(u[2].err, BOUGH_EKEY);
    assert_int_equal(u[3].err, BOUGH_EINVAL);
    assert_int_equal(u[4].err, BOUGH_EINVAL);
    assert_int_equal(u[5].err, BOUGH_OK);
    assert_int_equal(u[6].err, BOUGH_EDENIED);
    assert_int_equal(u[7].err, BOUGH_ETEST);
    assert_string_equal(u[7].why, "fetch first");
    assert_int_equal(u[8].err, BOUGH_EKEY);
    u[0] = change("refs/heads/dev/x", &head); /* in place of dev, which goes in the same step */
    u[1] = change("refs/heads/dev", NULL);
    assert_int_equal(bough_repo_update(bed.repo, u, 2, BOUGH_UPDATE_ATOMIC, NULL), BOUGH_OK);
    assert_int_equal(u[0].err, BOUGH_OK);
    assert_int_equal(u[1].err, BOUGH_OK);
    u[0] = change("refs/heads/q", &head);
    u[1] = change("refs/heads/dev", &head);
    assert_int_equal(bough_repo_update(bed.repo, u, 2, BOUGH_UPDATE_ATOMIC, NULL), BOUGH_OK);
    assert_int_equal(u[0].err, BOUGH_ETEST);
    assert_int_equal(u[1].err, BOUGH_EKEY);
    bough_branch_close(b);
    bed_close(&bed);
}

/* A push compares with what was acknowledged, and handles see it at once. */
static void test_repo_branch__an_update_folds_first(void **state)
{
    struct bough_oid first;
    struct bough_ref_update u;
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &first), BOUGH_OK);
    assert_int_equal(bed_put(b, "x", "2", 101), BOUGH_OK);
    u = change("refs/heads/main", &first);
    u.check = true;
    u.old = first;
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    assert_int_equal(u.err, BOUGH_ETEST);
    u.check = false;
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    assert_int_equal(u.err, BOUGH_OK);
    bed_sees(bed.repo, b, "x", "1");
    u.now = (struct bough_oid){{0}};
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL), BOUGH_OK);
    assert_int_equal(u.err, BOUGH_OK);
    bed_sees(bed.repo, b, "x", NULL);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__the_first_branch_becomes_heads(void **state)
{
    struct bough_oid head;
    struct bough_ref_update u[2];
    struct bough_branch *b;
    struct bough_view name;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
    u[0] = change("refs/heads/main", NULL);
    assert_int_equal(bough_repo_update(bed.repo, u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL), BOUGH_OK);
    assert_int_equal(bough_repo_head_branch(bed.repo, &name), BOUGH_OK);
    assert_true(bough_view_eq(name, V("main")));
    u[0] = change("refs/heads/trunk", &head);
    u[1] = change("refs/heads/other", &head);
    assert_int_equal(bough_repo_update(bed.repo, u, 2, 0, NULL), BOUGH_OK);
    assert_int_equal(bough_repo_head_branch(bed.repo, &name), BOUGH_OK);
    assert_true(bough_view_eq(name, V("trunk")));
    bough_branch_close(b);
    bed_close(&bed);
}

/* A blob is named that nobody put: then nothing of the write happens, in a window or not. */
static void test_repo_branch__what_is_named_must_be_there(void **state)
{
    struct bough_oid id = {{1, 2, 3}}, head;
    struct bough_write w[] = {{.path = V("a"), .mode = 0100644, .bytes = V("1")},
        {.path = V("b"), .mode = 0100644, .id = &id}};
    struct bough_info info = bed_info(100);

    (void)state;
    for (uint32_t ms = 0; ms <= 60000; ms += 60000) {
        struct bough_branch *b;

        bed_open(&bed, test_algo(), ms, 0);
        b = bed_branch(&bed, "main");
        assert_int_equal(bough_branch_write(b, w, 2, &info), BOUGH_ENOENT);
        assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
        assert_true(bough_oid_is_zero(&head));
        w[1].mode = 0160000; /* a submodule's commit lives elsewhere */
        assert_int_equal(bough_branch_write(b, w, 2, &info), BOUGH_OK);
        w[1].mode = 0100644;
        bough_branch_close(b);
        bed_close(&bed);
    }
}

/* ---- Events ---- */

struct heard {
    char text[512];
};

static void hear(void *ctx, const struct bough_event *e)
{
    struct heard *h = ctx;
    size_t n = strlen(h->text);

    if (e->kind == BOUGH_EVENT_PATH)
        snprintf(h->text + n, sizeof h->text - n, "%c%.*s ", e->removed ? '-' : '+',
            (int)e->path.len, (const char *)e->path.ptr);
    else
        snprintf(h->text + n, sizeof h->text - n, "%.*s%s ", (int)e->ref.len,
            (const char *)e->ref.ptr, e->folded ? "(folded)" : "");
}

static void test_repo_branch__tells_what_happened_when_it_did(void **state)
{
    struct heard heard = {""};
    struct bough_listener l = {.fn = hear, .ctx = &heard};
    struct bough_branch *b;
    struct bough_oid id;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    bough_repo_listen(bed.repo, &l);
    b = bed_branch(&bed, "main");
    assert_int_equal(bough_repo_gather_begin(bed.repo), BOUGH_OK);
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    assert_string_equal(heard.text, "");
    assert_int_equal(bough_repo_gather_end(bed.repo), BOUGH_OK);
    assert_string_equal(heard.text, "+x ");
    assert_int_equal(bed_put(b, "x", NULL, 100), BOUGH_OK);
    assert_int_equal(bed_put(b, "y", "1", 100), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    assert_string_equal(heard.text, "+x -x +y refs/heads/main(folded) ");
    bough_repo_unlisten(bed.repo, &l);
    bough_branch_close(b);
    bed_close(&bed);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_branch__what_is_named_must_be_there),
        cmocka_unit_test(test_repo_branch__tells_what_happened_when_it_did),
        cmocka_unit_test(test_repo_branch__updates_are_checked_one_by_one),
        cmocka_unit_test(test_repo_branch__an_update_folds_first),
        cmocka_unit_test(test_repo_branch__the_first_branch_becomes_heads),
    };

    return cmocka_run_group_tests_name("repo/update", tests, NULL, NULL);
}
