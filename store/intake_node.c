/*
 * intake_node.c - the table of a pack's entries.
 *
 *   nodes    in chunks, so that growing copies nothing
 *   refs     REF deltas sorted by base
 *   kids     the deltas on an object, the heaviest last to be taken
 *   sorting  a heap sort that can stop and go on: no stack, no worst case
 *
 * Why the heaviest last: an object whose last delta is being made need not be
 * kept, so at most log2(n) objects with work left lie below any place in the
 * walk, however deep it is (as far as the weights are known: REF deltas
 * bring theirs without what hangs on them by id).
 */
#include "store/intake_inner.h"

static size_t chunk_len(const struct bough_store__intake *in)
{
    return BOUGH_STORE__CHUNK * (sizeof(struct bough_store__node) + in->id_len);
}

enum bough_err bough_store__node_add(struct bough_store__intake *in, uint32_t *out)
{
    if (in->nodes == in->chunk_count * BOUGH_STORE__CHUNK) {
        void *chunks = in->chunks, *nodes;
        enum bough_err err = bough_mem_grow(
            in->mem, &chunks, &in->chunk_cap, in->chunk_count + 1, sizeof *in->chunks);

        if (err)
            return err;
        in->chunks = (struct bough_store__chunk *)chunks;
        nodes = bough_mem_alloc(in->mem, chunk_len(in));
        if (nodes == NULL)
            return BOUGH_ENOMEM;
        in->chunks[in->chunk_count++].nodes = (struct bough_store__node *)nodes;
    }
    *out = in->nodes++;
    *bough_store__node(in, *out) =
        (struct bough_store__node){.kids = BOUGH_STORE__NIL, .next = BOUGH_STORE__NIL};
    return BOUGH_OK;
}

uint32_t bough_store__node_at(const struct bough_store__intake *in, uint64_t at)
{
    uint32_t lo = 0, hi = in->nodes;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (bough_store__node(in, mid)->at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < in->nodes && bough_store__node(in, lo)->at == at ? lo : BOUGH_STORE__NIL;
}

uint64_t bough_store__node_end(const struct bough_store__intake *in, uint32_t i)
{
    if (i + 1 == in->pack_nodes)
        return in->data_end;
    return i + 1 < in->nodes ? bough_store__node(in, i + 1)->at : in->area_len;
}

void bough_store__table_fini(struct bough_store__intake *in)
{
    for (size_t i = 0; i < in->chunk_count; i++)
        bough_mem_free(in->mem, in->chunks[i].nodes, chunk_len(in));
    bough_mem_free(in->mem, in->chunks, in->chunk_cap * sizeof *in->chunks);
    bough_mem_free(in->mem, in->refs, in->ref_cap * sizeof *in->refs);
    bough_mem_free(in->mem, in->perm, in->perm_cap * sizeof *in->perm);
}

/* ---- kids ---- */

void bough_store__kid_add(struct bough_store__intake *in, uint32_t *kids, uint32_t i)
{
    struct bough_store__node *kid = bough_store__node(in, i);
    struct bough_store__node *head;

    if (*kids == BOUGH_STORE__NIL) {
        kid->next = BOUGH_STORE__NIL;
        *kids = i;
        return;
    }
    head = bough_store__node(in, *kids);
    if (kid->order > head->order) {
        kid->next = *kids;
        *kids = i;
    } else {
        kid->next = head->next;
        head->next = i;
    }
}

uint32_t bough_store__kid_take(struct bough_store__intake *in, uint32_t *kids)
{
    uint32_t head = *kids, second;

    if (head == BOUGH_STORE__NIL)
        return head;
    second = bough_store__node(in, head)->next;
    if (second == BOUGH_STORE__NIL) {
        *kids = BOUGH_STORE__NIL;
        return head;
    }
    bough_store__node(in, head)->next = bough_store__node(in, second)->next;
    return second;
}

/* ---- refs ---- */

enum bough_err bough_store__ref_add(
    struct bough_store__intake *in, const struct bough_oid *base, uint32_t node)
{
    void *refs = in->refs;
    enum bough_err err =
        bough_mem_grow(in->mem, &refs, &in->ref_cap, in->ref_count + 1, sizeof *in->refs);

    if (err)
        return err;
    in->refs = (struct bough_store__ref *)refs;
    in->refs[in->ref_count++] = (struct bough_store__ref){*base, node};
    return BOUGH_OK;
}

void bough_store__refs_link(
    struct bough_store__intake *in, const struct bough_oid *base, uint32_t *kids)
{
    size_t lo = 0, hi = in->ref_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (bough_oid_cmp(&in->refs[mid].base, base) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < in->ref_count && bough_oid_eq(&in->refs[lo].base, base); lo++) {
        if (in->refs[lo].node == BOUGH_STORE__NIL)
            break; /* they were linked together */
        bough_store__kid_add(in, kids, in->refs[lo].node);
        in->refs[lo].node = BOUGH_STORE__NIL;
    }
}

/* ---- sorting ---- */

static bool refs_less(const struct bough_store__intake *in, uint32_t a, uint32_t b)
{
    return bough_oid_cmp(&in->refs[a].base, &in->refs[b].base) < 0;
}

static bool rows_less(const struct bough_store__intake *in, uint32_t a, uint32_t b)
{
    uint32_t x = in->perm[a], y = in->perm[b];
    int cmp = memcmp(bough_store__node_id(in, x), bough_store__node_id(in, y), in->id_len);

    if (cmp != 0)
        return cmp < 0;
    return bough_store__node(in, x)->order < bough_store__node(in, y)->order;
}

static bool heap_less(const struct bough_store__intake *in, bool refs, uint32_t a, uint32_t b)
{
    return refs ? refs_less(in, a, b) : rows_less(in, a, b);
}

static void heap_swap(struct bough_store__intake *in, bool refs, uint32_t a, uint32_t b)
{
    if (refs) {
        struct bough_store__ref keep = in->refs[a];
        in->refs[a] = in->refs[b];
        in->refs[b] = keep;
    } else {
        uint32_t keep = in->perm[a];
        in->perm[a] = in->perm[b];
        in->perm[b] = keep;
    }
}

/* Let element `at` sink into the heap of the first `n`. */
static void heap_sift(struct bough_store__intake *in, bool refs, uint32_t at, uint32_t n)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        uint32_t big;

        if (child >= n)
            return;
        big = (uint32_t)child;
        if (big + 1 < n && heap_less(in, refs, big, big + 1))
            big++;
        if (!heap_less(in, refs, at, big))
            return;
        heap_swap(in, refs, at, big);
        at = big;
    }
}

bool bough_store__sort_step(struct bough_store__intake *in, bool refs, uint64_t budget)
{
    struct bough_store__heap *h = &in->heap;

    if (!h->started) {
        uint32_t n = refs ? (uint32_t)in->ref_count : in->nodes;
        *h = (struct bough_store__heap){.n = n, .at = n / 2, .started = true};
    }
    for (; budget > 0 && !h->sifted; budget--) {
        if (h->at == 0) {
            h->sifted = true;
            h->at = h->n;
        } else {
            heap_sift(in, refs, --h->at, h->n);
        }
    }
    for (; budget > 0 && h->at > 1; budget--) {
        heap_swap(in, refs, 0, --h->at);
        heap_sift(in, refs, 0, h->at);
    }
    if (!h->sifted || h->at > 1)
        return false;
    h->started = false;
    return true;
}
