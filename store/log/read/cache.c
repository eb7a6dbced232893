/*
 * cache.c - the device, read through a bounded cache of pages.
 *
 *   pages     four to a set, the one unused for longest goes
 *   reading   small reads through pages, long ones straight from the device
 *   writing   straight to the device; pages that were cached are forgotten
 *
 * Nothing here knows what the bytes mean: whoever asks checks them.
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/reader_inner.h"
#include "store/log/shape_inner.h"

enum { WAYS = 4, STRAIGHT = 16 * 1024 }; /* bytes from which a read goes straight */

static struct bough_log__page_slot *set_of(struct bough_log__pages *p, uint64_t no)
{
    uint64_t mixed = no * 0x9e3779b97f4a7c15u;

    return p->slot + ((mixed >> 32) * p->sets >> 32) * WAYS;
}

static uint8_t *page_bytes(struct bough_log__pages *p, const struct bough_log__page_slot *slot)
{
    return p->bytes + (size_t)(slot - p->slot) * p->size;
}

enum bough_err bough_log__pages_init(struct bough_log *l, size_t room)
{
    struct bough_log__pages *p = &l->pages;
    size_t n;

    p->size = l->dev->unit > BOUGH_LOG__BLOCK ? l->dev->unit : BOUGH_LOG__BLOCK;
    n = room / (WAYS * (size_t)p->size);
    p->sets = n < 1 ? 1 : n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    n = (size_t)p->sets * WAYS;
    p->slot = bough_mem_alloc(l->mem, n * sizeof *p->slot);
    p->bytes = bough_mem_alloc(l->mem, n * p->size);
    if (p->slot == NULL || p->bytes == NULL)
        return BOUGH_ENOMEM;
    bough_log__pages_drop(l);
    return BOUGH_OK;
}

void bough_log__pages_drop(struct bough_log *l)
{
    for (size_t i = 0; i < (size_t)l->pages.sets * WAYS; i++)
        l->pages.slot[i] = (struct bough_log__page_slot){UINT64_MAX, 0, 0};
}

void bough_log__pages_fini(struct bough_log *l)
{
    struct bough_log__pages *p = &l->pages;
    size_t n = (size_t)p->sets * WAYS;

    bough_mem_free(l->mem, p->slot, n * sizeof *p->slot);
    bough_mem_free(l->mem, p->bytes, n * p->size);
    p->slot = NULL;
    p->bytes = NULL;
}

static enum bough_err device_read(struct bough_log *l, uint64_t at, void *dst, size_t n)
{
    enum bough_err err;

    l->pages.read_bytes += n;
    err = bough_block_read(l->dev, at / l->dev->unit, (uint32_t)(n / l->dev->unit), dst);
    if (err == BOUGH_ERANGE) /* as superblocks and checkpoints say, there should be more of it */
        err = bough_log__corrupt(l, "behind the end of the device", at);
    if (!err && bough_log__reader_expired(l))
        err = BOUGH_WHY(&l->store.why, BOUGH_EEXPIRED, "others needed the space", NULL, 0);
    return err;
}

const uint8_t *bough_log__page_here(struct bough_log *l, uint64_t at, size_t *len)
{
    struct bough_log__pages *p = &l->pages;
    uint64_t no = at / p->size;
    size_t in = (size_t)(at - no * p->size);
    struct bough_log__page_slot *set = set_of(p, no);

    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].no == no) {
            set[i].used = p->clock;
            *len = p->size - in;
            return page_bytes(p, set + i) + in;
        }
    }
    return NULL;
}

enum bough_err bough_log__page(
    struct bough_log *l, uint64_t at, struct bough_view *out, uint32_t **checked)
{
    struct bough_log__pages *p = &l->pages;
    uint64_t no = at / p->size;
    struct bough_log__page_slot *set = set_of(p, no), *slot = set;
    enum bough_err err;

    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].no == no) {
            slot = set + i;
            break;
        }
        if (p->clock - set[i].used > p->clock - slot->used)
            slot = set + i;
    }
    if (slot->no != no) {
        p->misses++;
        slot->no = UINT64_MAX;
        err = device_read(l, no * p->size, page_bytes(p, slot), p->size);
        if (err)
            return err;
        slot->no = no;
        slot->checked = 0;
    }
    if (checked != NULL)
        *checked = &slot->checked;
    slot->used = ++p->clock;
    *out = bough_view(page_bytes(p, slot) + at % p->size, p->size - (size_t)(at % p->size));
    return BOUGH_OK;
}

enum bough_err bough_log__read(struct bough_log *l, uint64_t at, void *dst, size_t n)
{
    uint8_t *to = dst;
    size_t page = l->pages.size;

    while (n > 0) {
        struct bough_view v;
        enum bough_err err;
        size_t k;

        if (n >= STRAIGHT && at % page == 0) {
            k = (n < (1u << 30) ? n : (1u << 30)) / page * page;
            err = device_read(l, at, to, k);
        } else {
            err = bough_log__page(l, at, &v, NULL);
            if (err)
                return err;
            k = n < v.len ? n : v.len;
            memcpy(to, v.ptr, k);
        }
        if (err)
            return err;
        at += k;
        to += k;
        n -= k;
    }
    return BOUGH_OK;
}

/* Whatever becomes of the write, what was read before it is not believed any more. */
static void pages_forget(struct bough_log__pages *p, uint64_t at, size_t n)
{
    for (uint64_t no = at / p->size; no * p->size < at + n; no++) {
        struct bough_log__page_slot *set = set_of(p, no);
        for (uint32_t i = 0; i < WAYS; i++) {
            if (set[i].no == no)
                set[i] = (struct bough_log__page_slot){UINT64_MAX, 0, 0};
        }
    }
}

enum bough_err bough_log__ready(struct bough_log *l, uint64_t at, size_t n)
{
    pages_forget(&l->pages, at, n);
    return bough_block_prepare(l->dev, at / l->dev->unit, n / l->dev->unit);
}

enum bough_err bough_log__write(
    struct bough_log *l, uint64_t at, const void *src, size_t n, bool sync)
{
    uint32_t unit = l->dev->unit;

    BOUGH_ASSERT(at % l->geo.granule == 0 && n % l->geo.granule == 0);

    pages_forget(&l->pages, at, n);
    l->pages.written_bytes += n;
    if (!sync)
        return bough_block_write(l->dev, at / unit, (uint32_t)(n / unit), src);
    l->syncs++;
    return bough_block_write_sync(l->dev, at / unit, (uint32_t)(n / unit), src);
}

enum bough_err bough_log__flush(struct bough_log *l)
{
    l->syncs++;
    return bough_block_sync(l->dev);
}
