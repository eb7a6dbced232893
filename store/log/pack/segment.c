/*
 * segment.c - the segments of a store, and the bytes in them.
 *
 * A vector ascending by number: numbers are given out in order and never
 * twice.  Number 0 is the quarantined segment that is looked through, if any.
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"

struct bough_log__segment *bough_log__segment_find(struct bough_log *l, uint32_t number)
{
    size_t lo = 0, hi = l->segments;

    if (number == 0)
        return l->through;
    if (hi > 0 && l->segment[hi - 1].number == number)
        return &l->segment[hi - 1]; /* the newest is asked for most */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->segment[mid].number == number)
            return &l->segment[mid];
        if (l->segment[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static enum bough_err segment_reserve(struct bough_log *l, size_t more)
{
    void *ptr = l->segment;
    enum bough_err err =
        bough_mem_grow(l->mem, &ptr, &l->segment_cap, l->segments + more, sizeof *l->segment);

    l->segment = ptr;
    return err;
}

enum bough_err bough_log__segment_add(struct bough_log *l, struct bough_log__segment *seg)
{
    enum bough_err err = segment_reserve(l, 1);

    if (err)
        return err;
    BOUGH_ASSERT(l->segments == 0 || l->segment[l->segments - 1].number < seg->number);
    l->segment[l->segments++] = *seg;
    if (l->next_segment <= seg->number)
        l->next_segment = seg->number + 1;
    return BOUGH_OK;
}

void bough_log__segment_fini(struct bough_log *l, struct bough_log__segment *seg)
{
    bough_log__run_fini(l, &seg->run);
}

/* Bytes of the frame that is being made are not on the device yet. */
static bool in_making(
    const struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, size_t n)
{
    return !seg->pack && l->store.txn != NULL && seg->number == l->head.segment &&
           at >= l->head.at && at - l->head.at + n <= l->txn.data.len;
}

enum bough_err bough_log__segment_read(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, void *dst, size_t n)
{
    if (seg->pack)
        return bough_log__run_read(l, &seg->run, at, dst, n);
    if (at > l->geo.zone || n > l->geo.zone - at)
        return bough_log__corrupt(l, "an entry leaves its log segment", at);
    if (in_making(l, seg, at, n)) {
        memcpy(dst, l->txn.data.ptr + (at - l->head.at), n);
        return BOUGH_OK;
    }
    return bough_log__read(l, (uint64_t)seg->zone * l->geo.zone + at, dst, n);
}

/* The page on which all of the range lies, if one does: else the view is empty. */
static enum bough_err page_lend(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t at, size_t n, struct bough_view *out)
{
    uint64_t dev = (uint64_t)seg->zone * l->geo.zone + at, left = n;
    enum bough_err err = BOUGH_OK;

    *out = bough_view(NULL, 0);
    if (seg->pack)
        err = bough_log__run_at(l, &seg->run, at, &dev, &left);
    else if (at > l->geo.zone || n > l->geo.zone - at)
        err = bough_log__corrupt(l, "an entry leaves its log segment", at);
    if (err || in_making(l, seg, at, n) || left < n || dev % l->pages.size + n > l->pages.size)
        return err;
    err = bough_log__page(l, dev, out, NULL);
    out->len = n;
    return err;
}

enum bough_err bough_log__segment_lend(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t at, size_t n, struct bough_view *out)
{
    enum bough_err err = page_lend(l, seg, at, n, out);

    if (err || out->ptr != NULL)
        return err;
    bough_buf_clear(&l->scratch);
    if (bough_buf_room(&l->scratch, n) == NULL)
        return l->scratch.err;
    *out = bough_view(l->scratch.ptr, n);
    return bough_log__segment_read(l, seg, at, l->scratch.ptr, n);
}
