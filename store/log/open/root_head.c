/*
 * root_head.c - what a root says of itself: it is found without a superblock, too; docs/format.md 8.
 *
 * Its crc in the superblock is that of all of it.  The one in it is of the same bytes with that
 * field as zero.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"

enum { MAGIC = 0x74526742 }; /* "BgRt" */
enum {
    AT_ITEMS = 4,
    AT_DEVICE = 8,
    AT_NUMBER = 24,
    AT_LEN = 32,
    AT_CRC = 40,
    AT_GRANULE = 44,
    AT_ZONE = 48,
    AT_ZONES = 52,
    AT_ALGO = 56,
    AT_WRITTEN = 60,
};

void bough_log__root_head_encode(
    const struct bough_log *l, uint64_t number, uint32_t items, struct bough_buf *b)
{
    uint8_t *p = b->ptr;

    bough_put32le(p, MAGIC);
    bough_put32le(p + AT_ITEMS, items);
    memcpy(p + AT_DEVICE, l->geo.device, sizeof l->geo.device);
    bough_put64le(p + AT_NUMBER, number);
    bough_put64le(p + AT_LEN, b->len);
    bough_put32le(p + AT_GRANULE, l->geo.granule);
    bough_put32le(p + AT_ZONE, l->geo.zone);
    bough_put32le(p + AT_ZONES, l->geo.zones);
    bough_put32le(p + AT_ALGO, (uint32_t)l->geo.algo);
    bough_put32le(p + AT_WRITTEN, (uint32_t)bough_env_now(l->store.env).sec);
    bough_log__root_head_blank(p);
    bough_put32le(p + AT_CRC, bough_crc32(0, p, b->len));
}

void bough_log__root_head_blank(uint8_t *head)
{
    bough_put32le(head + AT_CRC, 0);
}

bool bough_log__root_head_fits(
    const struct bough_log__geo *geo, const uint8_t *head, uint64_t number, uint64_t len)
{
    return bough_get32le(head) == MAGIC &&
           memcmp(head + AT_DEVICE, geo->device, sizeof geo->device) == 0 &&
           bough_get64le(head + AT_NUMBER) == number && bough_get64le(head + AT_LEN) == len;
}

bool bough_log__root_head_decode(const uint8_t *head, struct bough_log__root_head *out)
{
    if (bough_get32le(head) != MAGIC ||
        !bough_log__geo_make(bough_get32le(head + AT_ALGO), bough_get32le(head + AT_GRANULE),
            bough_get32le(head + AT_ZONE), bough_get32le(head + AT_ZONES), &out->geo))
        return false;
    memcpy(out->geo.device, head + AT_DEVICE, sizeof out->geo.device);
    out->number = bough_get64le(head + AT_NUMBER);
    out->len = bough_get64le(head + AT_LEN);
    out->crc = bough_get32le(head + AT_CRC);
    out->written = bough_get32le(head + AT_WRITTEN);
    return out->len >= BOUGH_LOG__ROOT_HEAD;
}
