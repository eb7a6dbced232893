/*
 * super.c - superblocks: two rings of eight slots; docs/format.md 3.
 *
 *   encode, decode
 *   find     all that there are, whatever the granule and the zone size
 *
 * How they are written: super_write.c.
 */
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"

static const uint8_t magic[8] = {0x42, 0x4f, 0x55, 0x47, 0x48, 0x0d, 0x0a, 0x1a};

enum {
    AT_CRC = 8,
    AT_VERSION = 12,
    AT_COMPAT = 16,
    AT_RO_COMPAT = 20,
    AT_INCOMPAT = 24,
    AT_ALGO = 28,
    AT_DEVICE = 32,
    AT_GRANULE = 48,
    AT_ZONE = 52,
    AT_ZONES = 56,
    AT_GENERATION = 64,
    AT_EPOCH = 72,
    AT_MOUNT_SEQ = 80,
    AT_NONCE = 88,
    AT_CHECKPOINT = 96,
    AT_ROOT_LEN = 104,
    AT_ROOT_CRC = 112,
    AT_ROOT_START = 116,
    AT_ROOT_ZONES = 120,
    AT_ROOT_ZONE = 124,
    AT_WRITTEN = 380,
    AT_BEFORE = 388,
    AT_DURABLE = 500,
};

static uint32_t slot_crc(const uint8_t *slot)
{
    return bough_crc32(0, slot + AT_VERSION, BOUGH_LOG__SUPER_LEN - AT_VERSION);
}

void bough_log__super_encode(const struct bough_log__geo *geo, const struct bough_log__super *s,
    uint8_t dst[BOUGH_LOG__SUPER_LEN])
{
    memset(dst, 0, BOUGH_LOG__SUPER_LEN);
    memcpy(dst, magic, sizeof magic);
    bough_put32le(dst + AT_VERSION, BOUGH_LOG_FORMAT);
    bough_put32le(dst + AT_COMPAT, s->compat);
    bough_put32le(dst + AT_RO_COMPAT, s->ro_compat);
    bough_put32le(dst + AT_INCOMPAT, s->incompat);
    bough_put32le(dst + AT_ALGO, (uint32_t)geo->algo);
    memcpy(dst + AT_DEVICE, geo->device, sizeof geo->device);
    bough_put32le(dst + AT_GRANULE, geo->granule);
    bough_put32le(dst + AT_ZONE, geo->zone);
    bough_put64le(dst + AT_ZONES, geo->zones);
    bough_put64le(dst + AT_GENERATION, s->generation);
    bough_put64le(dst + AT_EPOCH, s->epoch);
    bough_put64le(dst + AT_MOUNT_SEQ, s->mount_seq);
    bough_put64le(dst + AT_NONCE, s->nonce);
    bough_put64le(dst + AT_CHECKPOINT, s->checkpoint);
    bough_put64le(dst + AT_ROOT_LEN, s->root_len);
    bough_put32le(dst + AT_ROOT_CRC, s->root_crc);
    bough_put32le(dst + AT_ROOT_START, s->root_start);
    bough_put32le(dst + AT_ROOT_ZONES, s->root_zones);
    for (uint32_t i = 0; i < s->root_zones; i++)
        bough_put32le(dst + AT_ROOT_ZONE + (size_t)i * 4, s->zone[i]);
    bough_put64le(dst + AT_WRITTEN, (uint64_t)s->written);
    for (size_t i = 0; i < BOUGH_LOG__MOUNTS; i++) {
        bough_put64le(dst + AT_BEFORE + 16 * i, s->before[i].epoch);
        bough_put64le(dst + AT_BEFORE + 16 * i + 8, s->before[i].seq);
    }
    bough_put64le(dst + AT_DURABLE, s->durable);
    bough_put32le(dst + AT_CRC, slot_crc(dst));
}

static bool is_power(uint64_t x, uint64_t min, uint64_t max)
{
    return x >= min && x <= max && (x & (x - 1)) == 0;
}

bool bough_log__geo_make(
    uint32_t algo, uint32_t granule, uint32_t zone, uint64_t zones, struct bough_log__geo *out)
{
    if (algo != BOUGH_SHA1 && algo != BOUGH_SHA256)
        return false;
    if (!is_power(granule, BOUGH_UNIT_MIN, BOUGH_UNIT_MAX) ||
        !is_power(zone, BOUGH_LOG__ZONE_MIN, BOUGH_LOG__ZONE_MAX) ||
        zone < granule * BOUGH_LOG__SLOTS)
        return false;
    if (zones < BOUGH_LOG__ZONES_MIN || zones > BOUGH_LOG__ZONES_MAX)
        return false;
    *out = (struct bough_log__geo){.algo = (enum bough_algo)algo,
        .granule = granule,
        .zone = zone,
        .zones = (uint32_t)zones,
        .frame_max = zone < BOUGH_LOG__FRAME_MAX ? zone : BOUGH_LOG__FRAME_MAX,
        .align = granule > BOUGH_LOG__BLOCK ? granule : BOUGH_LOG__BLOCK};
    out->id_len = bough_algo_len(out->algo);
    return true;
}

static bool geo_decode(const uint8_t *src, struct bough_log__geo *geo)
{
    if (!bough_log__geo_make(bough_get32le(src + AT_ALGO), bough_get32le(src + AT_GRANULE),
            bough_get32le(src + AT_ZONE), bough_get64le(src + AT_ZONES), geo))
        return false;
    memcpy(geo->device, src + AT_DEVICE, sizeof geo->device);
    return true;
}

enum bough_err bough_log__super_decode(
    const uint8_t src[BOUGH_LOG__SUPER_LEN], struct bough_log__geo *geo, struct bough_log__super *s)
{
    if (memcmp(src, magic, sizeof magic) != 0 || bough_get32le(src + AT_CRC) != slot_crc(src))
        return BOUGH_ENOENT;
    s->compat = bough_get32le(src + AT_COMPAT);
    s->ro_compat = bough_get32le(src + AT_RO_COMPAT);
    s->incompat = bough_get32le(src + AT_INCOMPAT);
    if (bough_get32le(src + AT_VERSION) != BOUGH_LOG_FORMAT || s->incompat != 0)
        return BOUGH_ENOTSUP;
    s->generation = bough_get64le(src + AT_GENERATION);
    s->epoch = bough_get64le(src + AT_EPOCH);
    s->mount_seq = bough_get64le(src + AT_MOUNT_SEQ);
    s->nonce = bough_get64le(src + AT_NONCE);
    s->checkpoint = bough_get64le(src + AT_CHECKPOINT);
    s->root_len = bough_get64le(src + AT_ROOT_LEN);
    s->root_crc = bough_get32le(src + AT_ROOT_CRC);
    s->root_start = bough_get32le(src + AT_ROOT_START);
    s->root_zones = bough_get32le(src + AT_ROOT_ZONES);
    s->written = (int64_t)bough_get64le(src + AT_WRITTEN);
    for (size_t i = 0; i < BOUGH_LOG__MOUNTS; i++) {
        s->before[i].epoch = bough_get64le(src + AT_BEFORE + 16 * i);
        s->before[i].seq = bough_get64le(src + AT_BEFORE + 16 * i + 8);
    }
    s->durable = bough_get64le(src + AT_DURABLE);
    if (!geo_decode(src, geo) || s->root_zones == 0 || s->root_zones > BOUGH_LOG__ROOT_ZONES_MAX)
        return BOUGH_ENOENT;
    if (s->root_start >= geo->zone || s->root_len > (uint64_t)geo->zone * s->root_zones)
        return BOUGH_ENOENT;
    for (uint32_t i = 0; i < s->root_zones; i++) {
        s->zone[i] = bough_get32le(src + AT_ROOT_ZONE + (size_t)i * 4);
        if (s->zone[i] < 2 || s->zone[i] >= geo->zones)
            return BOUGH_ENOENT;
    }
    return BOUGH_OK;
}

/* What mounts before those wrote has an older epoch, if nobody knows which. */
bool bough_log__super_epoch_fits(const struct bough_log__super *s, uint64_t seq, uint64_t epoch)
{
    uint64_t oldest = s->epoch;

    if (seq >= s->mount_seq)
        return epoch == s->epoch;
    for (size_t i = 0; i < BOUGH_LOG__MOUNTS && s->before[i].epoch > 0; i++) {
        oldest = s->before[i].epoch;
        if (seq >= s->before[i].seq)
            return epoch == oldest;
    }
    return epoch < oldest;
}

void bough_log__super_mounts(struct bough_log__super *to, const struct bough_log__super *last)
{
    size_t n = 0;

    memset(to->before, 0, sizeof to->before);
    if (last->mount_seq < to->mount_seq && last->epoch > 0) {
        to->before[n].epoch = last->epoch;
        to->before[n++].seq = last->mount_seq;
    }
    for (size_t i = 0; n < BOUGH_LOG__MOUNTS && i < BOUGH_LOG__MOUNTS; i++) {
        if (last->before[i].epoch > 0 && last->before[i].seq < to->mount_seq)
            to->before[n++] = last->before[i];
    }
}

void bough_log__super_root(struct bough_log__super *to, const struct bough_log__super *from)
{
    to->checkpoint = from->checkpoint;
    to->root_len = from->root_len;
    to->root_crc = from->root_crc;
    to->root_start = from->root_start;
    to->root_zones = from->root_zones;
    memcpy(to->zone, from->zone, from->root_zones * sizeof *to->zone);
}

/* ---- Finding ---- */

uint32_t bough_log__slot_of(uint64_t generation)
{
    return (uint32_t)(generation % BOUGH_LOG__ALL_SLOTS);
}

uint64_t bough_log__slot_at(const struct bough_log__geo *geo, uint64_t generation)
{
    uint64_t ring = generation % BOUGH_LOG__RINGS;
    uint64_t slot = generation / BOUGH_LOG__RINGS % BOUGH_LOG__SLOTS;

    return ring * geo->zone + slot * geo->granule;
}

/* Without flush generations may be left out, but not before all slots were written. */
uint64_t bough_log__slot_generation(uint32_t slot, uint64_t newest)
{
    return newest < slot ? 0 : newest - (newest - slot) % BOUGH_LOG__ALL_SLOTS;
}

bool bough_log__geo_same(const struct bough_log__geo *a, const struct bough_log__geo *b)
{
    return a->algo == b->algo && a->granule == b->granule && a->zone == b->zone &&
           memcmp(a->device, b->device, sizeof a->device) == 0;
}

/* Keep them newest first; the shape is the newest one's. */
static void supers_add(struct bough_log__supers *all, const struct bough_log__geo *geo,
    const struct bough_log__super *s)
{
    uint32_t i = all->n;

    if (all->n > 0 && !bough_log__geo_same(geo, &all->geo))
        return; /* left over from another store */
    while (i > 0 && all->s[i - 1].generation < s->generation)
        i--;
    if (i > 0 && all->s[i - 1].generation == s->generation)
        return;
    if (all->n == BOUGH_LOG__ALL_SLOTS)
        return;
    memmove(&all->s[i + 1], &all->s[i], (all->n - i) * sizeof *s);
    all->s[i] = *s;
    all->n++;
    if (i == 0)
        all->geo = *geo;
}

/* What every format has in common: the magic and the version; others may have their checksum elsewhere. */
static void note_magic(const uint8_t *slot, enum bough_err err, struct bough_log__supers *all)
{
    uint32_t version = bough_get32le(slot + AT_VERSION);
    bool known = version == BOUGH_LOG_FORMAT;

    if (memcmp(slot, magic, sizeof magic) != 0)
        return;
    all->magic = true;
    if (known && err == BOUGH_ENOTSUP)
        (void)bough_log__other_features(&all->unread, bough_get32le(slot + AT_INCOMPAT));
    else if (!known && (err == BOUGH_ENOTSUP || all->unread.err == BOUGH_OK))
        (void)bough_log__other_format(&all->unread, version);
}

/* Look at one place; `page` has room for a granule of the largest size. */
static enum bough_err look_at(
    struct bough_block *dev, uint64_t at, uint8_t *page, struct bough_log__supers *all)
{
    struct bough_log__geo geo;
    struct bough_log__super s;
    uint64_t unit = at / dev->unit;
    enum bough_err err;

    if (unit >= dev->count)
        return BOUGH_OK;
    err = all->fresh ? bough_block_read_fresh(dev, unit, 1, page)
                     : bough_block_read(dev, unit, 1, page);
    if (err)
        return err;
    err = bough_log__super_decode(page + at % dev->unit, &geo, &s);
    note_magic(page + at % dev->unit, err, all);
    if (err == BOUGH_ENOTSUP)
        return err;
    if (!err && bough_log__slot_at(&geo, s.generation) == at) {
        supers_add(all, &geo, &s);
        if (bough_log__geo_same(&geo, &all->geo))
            all->held |= 1u << bough_log__slot_of(s.generation);
    }
    return BOUGH_OK;
}

static bool is_empty(const uint8_t *slot)
{
    uint32_t any = 0;

    for (uint32_t i = 0; i < BOUGH_LOG__SUPER_LEN; i++)
        any |= slot[i];
    return any == 0;
}

static enum bough_err ring_look(struct bough_block *dev, uint64_t at, uint32_t granule,
    uint8_t *page, struct bough_log__supers *all)
{
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < BOUGH_LOG__SLOTS && !err; i++) {
        err = look_at(dev, at + (uint64_t)i * granule, page, all);
        if (!err && !is_empty(page + (at + (uint64_t)i * granule) % dev->unit))
            all->other |= 1u << (i * BOUGH_LOG__RINGS + (at > 0));
    }
    return err;
}

/* What the newest generation says that there should be, and what should not. */
static uint32_t slots_damaged(const struct bough_log__supers *all)
{
    uint32_t wanted = 0;

    for (uint32_t i = 0; i < BOUGH_LOG__ALL_SLOTS; i++) {
        if (bough_log__slot_generation(i, all->s[0].generation) > 0)
            wanted |= 1u << i;
    }
    return (wanted | all->other) & ~all->held;
}

/* With a known shape both rings are read; without one, every shape is tried. */
static enum bough_err supers_look(
    struct bough_block *dev, uint8_t *page, struct bough_log__supers *all)
{
    enum bough_err err = BOUGH_OK;
    uint32_t g;
    uint64_t z;

    for (g = BOUGH_UNIT_MIN; g <= BOUGH_UNIT_MAX && all->n == 0 && !err; g *= 2)
        err = ring_look(dev, 0, g, page, all);
    for (z = BOUGH_LOG__ZONE_MIN; z <= BOUGH_LOG__ZONE_MAX && all->n == 0 && !err; z *= 2) {
        for (g = BOUGH_UNIT_MIN; g <= z / BOUGH_LOG__SLOTS && all->n == 0 && !err; g *= 2) {
            if (g <= BOUGH_UNIT_MAX)
                err = ring_look(dev, z, g, page, all);
        }
    }
    if (err || all->n == 0)
        return err;
    g = all->geo.granule;
    z = all->geo.zone;
    all->held = all->other = 0; /* of this shape, that is */
    err = ring_look(dev, 0, g, page, all);
    if (!err)
        err = ring_look(dev, z, g, page, all);
    all->damaged = slots_damaged(all);
    return err;
}

enum bough_err bough_log__supers_find(
    struct bough_block *dev, struct bough_mem *mem, struct bough_log__supers *out)
{
    uint8_t *page = bough_mem_alloc(mem, dev->unit);
    enum bough_err err;

    out->n = 0;
    out->held = out->other = out->damaged = 0;
    out->unread = (struct bough_why){.err = BOUGH_OK};
    out->magic = false;
    if (page == NULL)
        return BOUGH_ENOMEM;
    err = supers_look(dev, page, out);
    bough_mem_free(mem, page, dev->unit);
    if (err)
        return err;
    if (out->n > 0)
        return BOUGH_OK;
    return out->unread.err != BOUGH_OK ? BOUGH_ENOTSUP : out->magic ? BOUGH_ECORRUPT : BOUGH_ENOENT;
}
