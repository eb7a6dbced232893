/*
 * test_repo_small.c - a small decoded tree says what a decoded tree says.
 *
 * Goal: one block or several, the same entries in the same order, the same answers to every name,
 * the same refusals.  Method: trees of random names, in any order and with equal ones among them,
 * decoded both ways; every way to cut a tree short; names whose tags are equal.
 */
#include "repo/inner.h"
#include "repo/node_inner.h"
#include "tests/unit/repo_bed.h"

static uint32_t draw(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % n;
}

/* The tree as one block, and as several; NULL, NULL: neither way. */
static void both(struct bough_repo *r, struct bough_view body, struct bough_repo__node **small,
    struct bough_repo__node **plain)
{
    struct bough_oid id = {{1}};
    struct bough_repo__node *n = bough_mem_zalloc(r->mem, 1, sizeof *n);
    enum bough_err err;

    *small = *plain = NULL;
    n->id = id;
    bough_buf_init(&n->raw, r->mem);
    bough_buf_put_view(&n->raw, body);
    err = bough_repo__node_parse(r, n);
    assert_int_equal(bough_repo__small_new(r, &id, body, small), err);
    if (err)
        bough_repo__node_free(r, n);
    else
        *plain = n;
}

static void entry(struct bough_repo *r, struct bough_buf *out, uint32_t *seed)
{
    static const char *const modes[] = {"100644", "40000", "100755", "120000", "0100644"};

    bough_buf_put_str(out, modes[draw(seed, 5)]);
    bough_buf_put_u8(out, ' ');
    for (uint32_t left = 1 + draw(seed, draw(seed, 4) == 0 ? 30 : 3); left > 0; left--)
        bough_buf_put_u8(out, (uint8_t)("ab/.-\xff"[draw(seed, 6)]));
    bough_buf_put_u8(out, 0);
    for (uint32_t i = 0; i < r->hash_len; i++)
        bough_buf_put_u8(out, (uint8_t)draw(seed, 256));
}

static void same_node(
    struct bough_repo *r, struct bough_repo__node *small, struct bough_repo__node *plain)
{
    assert_true(small->small);
    assert_false(plain->small);
    assert_int_equal(small->n, plain->n);
    for (uint32_t i = 0; i < plain->n; i++) {
        struct bough_view name = bough_repo__node_name(plain, i);
        struct bough_oid a = bough_repo__node_id(r, small, i);
        struct bough_oid b = bough_repo__node_id(r, plain, i);
        uint32_t first = 0;

        while (!bough_view_eq(bough_repo__node_name(plain, first), name))
            first++;
        assert_true(bough_view_eq(bough_repo__node_name(small, i), name));
        assert_true(bough_oid_eq(&a, &b));
        assert_int_equal(bough_repo__node_mode(small, i), bough_repo__node_mode(plain, i));
        assert_int_equal(bough_repo__node_nth(small, i), bough_repo__node_nth(plain, i));
        assert_int_equal(bough_repo__node_find(r, small, name), first);
        if (name.len > 1 &&
            bough_repo__node_find(r, plain, bough_view(name.ptr, name.len - 1)) == UINT32_MAX)
            assert_int_equal(
                bough_repo__node_find(r, small, bough_view(name.ptr, name.len - 1)), UINT32_MAX);
        assert_int_equal(bough_repo__node_where(small, i), 0);
        bough_repo__node_learn(r, small, i, i + 1);
    }
    for (uint32_t i = 0; i < plain->n; i++)
        assert_int_equal(bough_repo__node_where(small, i), i + 1);
    assert_int_equal(bough_repo__node_find(r, small, V("")), UINT32_MAX);
}

static void test_small__is_the_same_tree_in_one_block(void **state)
{
    struct bough_repo__node *small, *plain;
    uint32_t seed = 7;
    struct bough_buf body;
    struct bed bed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    bough_buf_init(&body, bed.repo->mem);
    for (int i = 0; i < 500; i++) {
        uint32_t size = draw(&seed, i % 2 == 0 ? 200 : BOUGH_REPO__SMALL_MAX);

        bough_buf_clear(&body);
        while (body.len < size)
            entry(bed.repo, &body, &seed);
        if (body.len > BOUGH_REPO__SMALL_MAX)
            continue;
        both(bed.repo, bough_buf_view(&body), &small, &plain);
        same_node(bed.repo, small, plain);
        bough_repo__node_free(bed.repo, small);
        bough_repo__node_free(bed.repo, plain);
    }
    bough_buf_fini(&body);
    bed_close(&bed);
}

/* The most entries that fit with names of their own: of two bytes. */
static void test_small__holds_as_many_entries_as_fit(void **state)
{
    struct bough_repo__node *small, *plain;
    struct bough_buf body;
    struct bed bed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    bough_buf_init(&body, bed.repo->mem);
    for (int i = 0; body.len + 5 + bed.repo->hash_len <= BOUGH_REPO__SMALL_MAX; i++) {
        bough_buf_put_str(&body, "1 ");
        bough_buf_put_u8(&body, (uint8_t)(1 + i / 255));
        bough_buf_put_u8(&body, (uint8_t)(1 + i % 255));
        bough_buf_put_fill(&body, 0, 1 + (size_t)bed.repo->hash_len);
    }
    both(bed.repo, bough_buf_view(&body), &small, &plain);
    same_node(bed.repo, small, plain);
    bough_repo__node_free(bed.repo, small);
    bough_repo__node_free(bed.repo, plain);
    bough_buf_fini(&body);
    bed_close(&bed);
}

static void test_small__refuses_a_tree_cut_short(void **state)
{
    struct bough_repo__node *small, *plain;
    uint32_t seed = 9;
    struct bough_buf body;
    struct bed bed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    bough_buf_init(&body, bed.repo->mem);
    for (int i = 0; i < 3; i++)
        entry(bed.repo, &body, &seed);
    for (size_t len = 0; len <= body.len; len++) {
        uint8_t *cut = bough_mem_alloc(bed.repo->mem, len + (len == 0));

        memcpy(cut, body.ptr, len); /* nothing may be read behind it */
        both(bed.repo, bough_view(cut, len), &small, &plain);
        assert_int_equal(small == NULL, plain == NULL);
        if (small != NULL) {
            bough_repo__node_free(bed.repo, small);
            bough_repo__node_free(bed.repo, plain);
        }
        bough_mem_free(bed.repo->mem, cut, len + (len == 0));
    }
    bough_buf_fini(&body);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small__is_the_same_tree_in_one_block),
        cmocka_unit_test(test_small__holds_as_many_entries_as_fit),
        cmocka_unit_test(test_small__refuses_a_tree_cut_short),
    };

    return cmocka_run_group_tests_name("small", tests, NULL, NULL);
}
