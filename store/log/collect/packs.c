/*
 * packs.c - small pack segments become one.
 *
 * A pack that came by a push has zones of its own, and a place in the root of every checkpoint.  Classes
 * by size, each four times the one before: when there are too many of a class maintain() begins a collection
 * that drops nothing, for which all lives; and any collection takes along what there is too much of.  So
 * there are a few for each class, and an entry is copied once for each.
 */
#include "store/log/choose_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"

enum { CLASSES = 6, LEAST = 64 * 1024 }; /* bytes of the first class at most; up to 64 MiB */
enum { DUE = 64, LIKE = 8, ROWS_EACH = 4096, AGAIN = 16 };

static uint32_t class_of(const struct bough_log__segment *seg)
{
    uint32_t class = 0;

    while (class < CLASSES && seg->pack_end > (uint64_t)LEAST << 2 * class)
        class ++;
    return seg->pack ? class : CLASSES;
}

static void count(const struct bough_log *l, uint32_t n[CLASSES + 1])
{
    memset(n, 0, (CLASSES + 1) * sizeof *n);
    for (size_t i = 0; i < l->segments; i++)
        n[class_of(&l->segment[i])]++;
}

/* All rows are written anew by it, so it takes the more of them the more there are. */
static uint64_t wanted(const struct bough_log *l)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < l->tables; i++)
        rows += l->table[i].rows;
    return rows / ROWS_EACH > DUE ? rows / ROWS_EACH : DUE;
}

bool bough_log__packs_due(const struct bough_log *l)
{
    uint32_t n[CLASSES + 1], most = 0;

    if (l->segments < DUE || l->segments < l->packs_tried + AGAIN)
        return false;
    count(l, n);
    for (uint32_t i = 0; i < CLASSES; i++)
        most = n[i] > most ? n[i] : most;
    return most >= DUE && most >= wanted(l);
}

uint32_t bough_log__packs_many(const struct bough_log *l)
{
    uint32_t n[CLASSES + 1], many = 0;

    count(l, n);
    for (uint32_t i = 0; i < CLASSES; i++)
        many |= n[i] >= LIKE ? 1u << i : 0;
    return many;
}

static bool pack_is_of(const struct bough_log__segment *seg, uint32_t many)
{
    return (many >> class_of(seg) & 1) != 0;
}

bool bough_log__is_of_many(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    return pack_is_of(bough_log__segment_find(c->log, y->number), c->many);
}
