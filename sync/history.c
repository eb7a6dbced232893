/*
 * history.c - reading commits and tags, and the queue that orders commits by date.
 *
 *   reading   commits, tags
 *   lists     row numbers
 *   queue     a heap
 */
#include "sync/inner.h"

/* ---- Reading ---- */

/* What should be there and is not is damage: a store is closed. */
static enum bough_err damage(
    struct bough_store *store, const struct bough_oid *id, const char *what)
{
    char hex[BOUGH_HEX_MAX];
    return BOUGH_WHY(&store->why, BOUGH_ECORRUPT, what, hex, bough_oid_hex(store->algo, id, hex));
}

static enum bough_err read_as(struct bough_store *store, const struct bough_oid *id,
    enum bough_type type, struct bough_buf *body)
{
    enum bough_type found;
    bough_buf_clear(body);
    enum bough_err err = bough_store_read(store, id, &found, body);
    if (err == BOUGH_ENOENT)
        return damage(store, id, "object is missing");
    if (!err && found != type)
        return damage(store, id, "object has another type than expected");
    return err;
}

enum bough_err bough_sync__commit_read(struct bough_store *store, const struct bough_oid *id,
    struct bough_buf *body, struct bough_commit *out, int64_t *date)
{
    struct bough_ident who;
    enum bough_err err = read_as(store, id, BOUGH_COMMIT, body);
    if (err)
        return err;
    if (bough_commit_parse(store->algo, bough_buf_view(body), out))
        return damage(store, id, "bad commit");
    *date = bough_ident_parse(out->committer, &who) ? 0 : who.time.sec;
    err = out->parents_n > 0 ? bough_store_boundary(store, id) : BOUGH_ENOENT;
    if (!err)
        out->parents_n = 0;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_sync__tag_read(struct bough_store *store, const struct bough_oid *id,
    struct bough_buf *body, struct bough_tag *out)
{
    enum bough_err err = read_as(store, id, BOUGH_TAG, body);
    if (!err && bough_tag_parse(store->algo, bough_buf_view(body), out))
        err = damage(store, id, "bad tag");
    return err;
}

/* ---- Lists ---- */

void bough_sync__list_fini(struct bough_sync__list *l)
{
    bough_mem_free(l->mem, l->items, l->cap * sizeof *l->items);
    *l = (struct bough_sync__list){.mem = l->mem};
}

enum bough_err bough_sync__list_add(struct bough_sync__list *l, uint32_t item)
{
    if (l->n == l->cap) {
        void *items = l->items;
        enum bough_err err = bough_mem_grow(l->mem, &items, &l->cap, l->n + 1, sizeof *l->items);
        l->items = items;
        if (err)
            return err;
    }
    l->items[l->n++] = item;
    return BOUGH_OK;
}

/* ---- Queue ---- */

void bough_sync__queue_init(struct bough_sync__queue *q, struct bough_mem *mem)
{
    *q = (struct bough_sync__queue){.mem = mem};
}

void bough_sync__queue_fini(struct bough_sync__queue *q)
{
    bough_mem_free(q->mem, q->heap, q->cap * sizeof *q->heap);
    bough_sync__queue_init(q, q->mem);
}

/* Does `a` come before `b`? */
static bool queued_before(const struct bough_sync__queued *a, const struct bough_sync__queued *b)
{
    return a->date > b->date || (a->date == b->date && a->turn < b->turn);
}

static void queued_swap(struct bough_sync__queued *a, struct bough_sync__queued *b)
{
    struct bough_sync__queued keep = *a;
    *a = *b;
    *b = keep;
}

enum bough_err bough_sync__queue_push(struct bough_sync__queue *q, int64_t date, uint32_t item)
{
    void *heap = q->heap;
    enum bough_err err = bough_mem_grow(q->mem, &heap, &q->cap, q->n + 1, sizeof *q->heap);
    q->heap = heap;
    if (err)
        return err;
    q->heap[q->n] = (struct bough_sync__queued){date, q->turns++, item};
    for (size_t at = q->n++; at > 0; at = (at - 1) / 2) {
        if (!queued_before(&q->heap[at], &q->heap[(at - 1) / 2]))
            break;
        queued_swap(&q->heap[at], &q->heap[(at - 1) / 2]);
    }
    return BOUGH_OK;
}

uint32_t bough_sync__queue_pop(struct bough_sync__queue *q)
{
    BOUGH_ASSERT(q->n > 0);
    uint32_t item = q->heap[0].item;
    q->heap[0] = q->heap[--q->n];
    for (size_t at = 0, child; (child = 2 * at + 1) < q->n; at = child) {
        if (child + 1 < q->n && queued_before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!queued_before(&q->heap[child], &q->heap[at]))
            break;
        queued_swap(&q->heap[at], &q->heap[child]);
    }
    return item;
}
