/*
 * test_merge_git.c - merge bases, as stock git finds them.
 *
 * Goal: bough_merge_bases() is `git merge-base --all`, order included.
 * Method: random histories, SHA-1 and SHA-256, with several roots, octopuses, criss-crosses,
 * equal dates and dates that lie; every commit is given to git as a loose object; then many
 * pairs are asked of both.  A failure names the seed; BOUGH_SEEDS=n runs more of them.
 */
#include <stdlib.h>

#include "merge/merge.h"
#include "tests/lib/git.h"
#include "tests/unit/merge_bed.h"

enum { PAIRS = 40, LINE = 160, TEXT_MAX = 1 << 17 };

static struct bed bed;
static struct test_git git;

static void give_to_git(const struct dag *d)
{
    char hex[65];

    free(test_git_run(&git, NULL, "git hash-object -w -t tree --stdin"));
    for (int i = 0; i < d->n; i++) {
        hex_of(bed.repo, &d->id[i], hex);
        test_git_put(&git, "commit", hex, bough_buf_view(&d->text[i]));
    }
}

/* Ours, in git's words: a line for the pair, a line a base. */
static size_t ask_us(const struct dag *d, int a, int b, char *out, size_t room)
{
    struct bough_bases got;
    char ha[65], hb[65];
    size_t n;

    assert_int_equal(bough_merge_bases(bed.repo, &d->id[a], &d->id[b], 0, &got), BOUGH_OK);
    hex_of(bed.repo, &d->id[a], ha);
    hex_of(bed.repo, &d->id[b], hb);
    n = (size_t)snprintf(out, room, "%s %s\n", ha, hb);
    for (size_t i = 0; i < got.n; i++) {
        hex_of(bed.repo, &got.ids[i], ha);
        n += (size_t)snprintf(out + n, room - n, "%s\n", ha);
    }
    assert_true(n < room);
    bough_bases_fini(&got);
    return n;
}

static void run(enum bough_algo algo, uint64_t first)
{
    static char ours[TEXT_MAX], pairs[PAIRS * LINE];
    uint64_t seed = first;
    size_t n = 0, pairs_n = 0;
    struct bough_view in;
    struct dag d;
    char *gits;

    print_message("seed %llu, %s\n", (unsigned long long)first, bough_algo_name(algo));
    bed_open(&bed, algo, 0, 0);
    test_git_init(&git, algo);
    dag_random(&d, 20 + (int)(first * 7 % 44), (enum dag_dates)(first % DATES_KINDS), 2 + first % 6,
        &seed);
    dag_put(&d, &bed);
    give_to_git(&d);
    for (int i = 0; i < PAIRS; i++) {
        int a = d.n - 1 - (int)(test_random(&seed) % (uint64_t)d.n * (uint64_t)(i % 2));
        int b = (int)(test_random(&seed) % (uint64_t)d.n);
        char *line = pairs + pairs_n;

        n += ask_us(&d, a, b, ours + n, sizeof ours - n);
        hex_of(bed.repo, &d.id[a], line);
        pairs_n += strlen(line);
        pairs[pairs_n++] = ' ';
        hex_of(bed.repo, &d.id[b], pairs + pairs_n);
        pairs_n += strlen(pairs + pairs_n);
        pairs[pairs_n++] = '\n';
    }
    in = bough_view(pairs, pairs_n);
    gits = test_git_run(&git, &in,
        "while read a b; do echo $a $b; git merge-base --all $a $b || [ $? = 1 ] || echo bad; "
        "done");
    if (strcmp(ours, gits) != 0)
        fail_msg("bases\nours:\n%s\ngit's:\n%s", ours, gits);
    free(gits);
    test_git_done(&git);
    dag_fini(&d);
    bed_close(&bed);
}

static void test_merge_git__bases_are_those_of_git(void **state)
{
    const char *more = getenv("BOUGH_SEEDS");

    (void)state;
    for (uint64_t s = 1; s <= (more != NULL ? strtoull(more, NULL, 10) : 12); s++)
        run(s % 5 == 0 ? BOUGH_SHA256 : BOUGH_SHA1, s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_git__bases_are_those_of_git),
    };

    return cmocka_run_group_tests_name("merge/git", tests, NULL, NULL);
}
