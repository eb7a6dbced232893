/*
 * merge_bed.h - histories of any shape, for tests of walks over them.
 *
 *   struct dag    commits by number, their parents and dates; put into a store
 *   dag_random()  branches, criss-crosses, octopuses, several roots, dates that lie
 */
#ifndef MERGE_BED_H
#define MERGE_BED_H

#include "tests/unit/repo_bed.h"

enum { DAG_MAX = 64, DAG_PARENTS = 5 };

struct dag {
    int n;
    int64_t date[DAG_MAX];
    int parents[DAG_MAX][DAG_PARENTS], parents_n[DAG_MAX]; /* of lesser number */
    struct bough_oid id[DAG_MAX];
    struct bough_buf text[DAG_MAX]; /* the commits' bytes, after dag_put() */
};

/* A commit with a date and up to two parents (-1: none). */
static inline int dag_add(struct dag *d, int64_t date, int one, int two)
{
    int i = d->n++;

    d->date[i] = date;
    d->parents_n[i] = 0;
    if (one >= 0)
        d->parents[i][d->parents_n[i]++] = one;
    if (two >= 0)
        d->parents[i][d->parents_n[i]++] = two;
    return i;
}

/* How dates go: as they should, all equal, a few lie, nothing but lies. */
enum dag_dates { DATES_GOOD, DATES_EQUAL, DATES_SKEWED, DATES_WILD, DATES_KINDS };

/* `near`: parents are among so many commits before, so that sides meet again and again. */
static inline void dag_random(
    struct dag *d, int n, enum dag_dates dates, uint64_t near, uint64_t *seed)
{
    memset(d, 0, sizeof *d);
    while (d->n < n) {
        uint64_t roll = test_random(seed) % 16, want = roll < 8 ? 1 : roll < 13 ? 2 : 3 + roll % 3;
        int i = dag_add(d, 1000 + 10 * d->n, -1, -1);

        if (dates == DATES_EQUAL)
            d->date[i] = 1000;
        else if (dates == DATES_WILD)
            d->date[i] = (int64_t)(test_random(seed) % 50);
        else if (dates == DATES_SKEWED && test_random(seed) % 4 == 0)
            d->date[i] += (int64_t)(test_random(seed) % 400) - 200;
        if (test_random(seed) % 20 == 0)
            want = 0; /* another root */
        for (uint64_t k = 0; k < want && i > 0; k++) {
            int p = i - 1 - (int)(test_random(seed) % near), j = 0;

            while (j < d->parents_n[i] && d->parents[i][j] != p)
                j++;
            if (p >= 0 && j == d->parents_n[i])
                d->parents[i][d->parents_n[i]++] = p;
        }
    }
}

static inline void dag_put(struct dag *d, struct bed *b)
{
    struct bough_mem *mem = b->env.env.mem;
    struct bough_txn *txn;

    assert_int_equal(bough_txn_begin(b->store, &txn), BOUGH_OK);
    for (int i = 0; i < d->n; i++) {
        enum bough_algo algo = b->store->algo;
        struct bough_buf *t = &d->text[i];

        bough_buf_init(t, mem);
        bough_buf_put_str(t, "tree ");
        bough_buf_put_hex(t, bough_oid_empty_tree(algo)->bytes, bough_algo_len(algo));
        for (int k = 0; k < d->parents_n[i]; k++) {
            bough_buf_put_str(t, "\nparent ");
            bough_buf_put_hex(t, d->id[d->parents[i][k]].bytes, bough_algo_len(algo));
        }
        for (int k = 0; k < 2; k++) {
            bough_buf_put_str(t, k == 0 ? "\nauthor A <a@x> " : "\ncommitter C <c@x> ");
            bough_buf_put_dec(t, d->date[i]);
            bough_buf_put_str(t, " +0000");
        }
        bough_buf_put_str(t, "\n\n");
        bough_buf_put_dec(t, i);
        bough_buf_put_u8(t, '\n');
        assert_int_equal(bough_txn_put(txn, BOUGH_COMMIT, bough_buf_view(t), &d->id[i]), BOUGH_OK);
    }
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
}

static inline void dag_fini(struct dag *d)
{
    for (int i = 0; i < d->n; i++)
        bough_buf_fini(&d->text[i]);
}

#endif
