/*
 * sort.c - natural merge sort of indices.
 *
 *   run_end             where the ascending run ends
 *   runs_merge          two runs into one
 *   bough_repo__sort    merge neighbours until one run is left
 *
 * Entries of trees come almost sorted: directories stand a little after their
 * place in byte order.  Such input is a few runs and costs little more than a look.
 */
#include "repo/name_inner.h"

static size_t run_end(
    const uint32_t *items, size_t at, size_t n, bough_repo__cmp_fn *cmp, const void *ctx)
{
    do
        at++;
    while (at < n && cmp(ctx, items[at - 1], items[at]) <= 0);
    return at;
}

/* Merge [at, mid) and [mid, end); the left run goes through `tmp`. */
static void runs_merge(uint32_t *items, uint32_t *tmp, size_t at, size_t mid, size_t end,
    bough_repo__cmp_fn *cmp, const void *ctx)
{
    size_t left = 0, left_n = mid - at;

    memcpy(tmp, items + at, left_n * sizeof *tmp);
    while (left < left_n && mid < end) {
        if (cmp(ctx, tmp[left], items[mid]) <= 0)
            items[at++] = tmp[left++];
        else
            items[at++] = items[mid++];
    }
    memcpy(items + at, tmp + left, (left_n - left) * sizeof *tmp);
}

void bough_repo__sort(
    uint32_t *items, uint32_t *tmp, size_t n, bough_repo__cmp_fn *cmp, const void *ctx)
{
    size_t merged;

    do {
        merged = 0;
        for (size_t at = 0; at < n;) {
            size_t mid = run_end(items, at, n, cmp, ctx);
            size_t end = mid;

            if (mid < n) {
                end = run_end(items, mid, n, cmp, ctx);
                runs_merge(items, tmp, at, mid, end, cmp, ctx);
                merged++;
            }
            at = end;
        }
    } while (merged > 0);
}
