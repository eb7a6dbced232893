/*
 * pool.c - memory for the edits of one tree.
 *
 *   pieces     up to 512 bytes: out of blocks, by sixteens; what is given back is used again
 *   large      from the heap, in a list
 *   the pool   begins in its first block; all goes at once
 *
 * Edits come in any order of names and go together, a hundred thousand of them in one commit.  So
 * they lie close together, and to let go of them is to let go of some blocks.  What a pool holds is
 * bounded by the most that its edits took at any time, and one block of at most 64 KiB.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"

enum { GRAIN = 16, CLASSES = 33, BLOCK_FIRST = 2048, BLOCK_MAX = 64 * 1024 };
enum { PIECE_MAX = GRAIN * (CLASSES - 1) };

struct block {
    struct block *next;
    size_t size;
};

/* In front of a large one. */
struct large {
    struct large *next, **at;
    size_t size; /* with this */
    size_t pad;  /* what follows is aligned as this is */
};

struct piece {
    struct piece *next;
};

struct pool {
    struct bough_repo__pool pool; /* what others see */
    struct bough_mem *under;
    struct block *blocks; /* newest first; the last one holds this */
    uint8_t *at, *end;    /* of what is left of the newest */
    struct large *large;
    struct piece *given[CLASSES];
};

/* ---- Pieces ---- */

static void piece_give(struct pool *p, void *ptr, size_t size)
{
    struct piece *one = ptr;
    size_t class = (size + GRAIN - 1) / GRAIN;

    one->next = p->given[class];
    p->given[class] = one;
}

static bool block_add(struct pool *p)
{
    size_t size = p->blocks->size < BLOCK_MAX ? p->blocks->size * 2 : BLOCK_MAX;
    struct block *b = bough_mem_alloc(p->under, size);

    if (b == NULL)
        return false;
    if (p->end - p->at >= GRAIN)
        piece_give(p, p->at, (size_t)(p->end - p->at) / GRAIN * GRAIN);
    *b = (struct block){p->blocks, size};
    p->blocks = b;
    p->at = (uint8_t *)(b + 1);
    p->end = (uint8_t *)b + size;
    return true;
}

static void *piece_take(struct pool *p, size_t size)
{
    size_t class = (size + GRAIN - 1) / GRAIN;
    struct piece *one = p->given[class];
    uint8_t *at;

    if (one != NULL) {
        p->given[class] = one->next;
        return one;
    }
    if ((size_t)(p->end - p->at) < class * GRAIN && !block_add(p))
        return NULL;
    at = p->at;
    p->at += class * GRAIN;
    return at;
}

/* ---- Large ---- */

static void *large_take(struct pool *p, size_t size)
{
    struct large *l =
        size > SIZE_MAX - sizeof *l ? NULL : bough_mem_alloc(p->under, sizeof *l + size);

    if (l == NULL)
        return NULL;
    *l = (struct large){p->large, &p->large, sizeof *l + size, 0};
    if (l->next != NULL)
        l->next->at = &l->next;
    p->large = l;
    return l + 1;
}

static void large_give(struct pool *p, struct large *l)
{
    *l->at = l->next;
    if (l->next != NULL)
        l->next->at = l->at;
    bough_mem_free(p->under, l, l->size);
}

/* ---- The pool ---- */

static void *pool_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    struct pool *p = (struct pool *)mem; /* the first field of the first field */
    void *to = NULL;

    if (size > 0) {
        to = size > PIECE_MAX ? large_take(p, size) : piece_take(p, size);
        if (to == NULL)
            return NULL;
    }
    if (ptr != NULL && to != NULL)
        memcpy(to, ptr, old < size ? old : size);
    if (ptr != NULL && old > PIECE_MAX)
        large_give(p, (struct large *)ptr - 1);
    else if (ptr != NULL)
        piece_give(p, ptr, old);
    return to;
}

struct bough_repo__pool *bough_repo__pool_new(struct bough_mem *under)
{
    struct block *b = bough_mem_alloc(under, BLOCK_FIRST);
    struct pool *p;

    if (b == NULL)
        return NULL;
    *b = (struct block){NULL, BLOCK_FIRST};
    p = (struct pool *)(void *)(b + 1);
    *p = (struct pool){.under = under, .blocks = b};
    p->pool.mem.resize = pool_resize;
    p->at = (uint8_t *)b + (sizeof *b + sizeof *p + GRAIN - 1) / GRAIN * GRAIN;
    p->end = (uint8_t *)b + BLOCK_FIRST;
    return &p->pool;
}

void bough_repo__pool_free(struct bough_repo__pool *pool)
{
    struct pool *p = (struct pool *)pool; /* its first field */
    struct bough_mem *under = p->under;
    struct block *b = p->blocks, *next;

    while (p->large != NULL)
        large_give(p, p->large);
    for (; b != NULL; b = next) {
        next = b->next;
        bough_mem_free(under, b, b->size);
    }
}
