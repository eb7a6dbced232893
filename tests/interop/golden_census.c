/*
 * golden_census.c - counts the structures of an image, as a reader would who has docs/format.md and nothing else.
 *
 *   counting      a name and how often
 *   runs          bytes over zones
 *   superblock    the newest
 *   items         of roots and frames
 *   tables        blocks by kind; rows of refs
 *   bitmaps       their directory and chunks
 *   log           the chain of frames
 *
 * Numbers in brackets are sections of docs/format.md.  Images are trusted here: golden.sh made them.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/interop/golden.h"

/* ---- Counting ---- */

enum count {
    RING_A,
    RING_B,
    OLDER_MOUNTS,
    ITEM_OBJECT,
    ITEM_REF,
    ITEM_REF_GONE,
    ITEM_REF_PEELED,
    ITEM_REF_SYMBOLIC,
    ITEM_RECORD,
    ITEM_RETIRE,
    ITEM_ADOPT,
    ITEM_TABLE_AHEAD,
    FRAME,
    FRAME_OF_SEVERAL,
    FRAME_NEXT_ZONE,
    FRAME_DELTA,
    ROOT_RECORD,
    ROOT_ADOPTED,
    ROOT_ADOPTED_WHOLE,
    ROOT_ADOPTED_SUMS,
    ROOT_LOG_SEGMENT,
    ROOT_OID_TABLE,
    ROOT_OID_TABLE_IN_SEGMENT,
    ROOT_REF_TABLE,
    ROOT_COLLECTED,
    ROOT_HELD,
    ROOT_BIRTHS,
    ROOT_HELD_BY_DAMAGE,
    BLOCK_OID,
    BLOCK_OID_SPILLED,
    BLOCK_OID_ALONE,
    BLOCK_REVERSE,
    BLOCK_REF,
    BLOCK_SUMS,
    REF_GONE,
    REF_ID,
    REF_PEELED,
    REF_SYMBOLIC,
    REF_HEAD,
    REF_SHALLOW,
    REF_KEEP,
    REF_HISTORY,
    REF_LOGS,
    BITMAP,
    BITMAP_ADDS,
    CHUNK_RUNS,
    CHUNK_BITS,
    CHUNKS_CLEAR,
    COUNTS,
};

static const char *const names[COUNTS] = {"ring-a", "ring-b", "older-mounts", "item-object",
    "item-ref", "item-ref-gone", "item-ref-peeled", "item-ref-symbolic", "item-record",
    "item-retire", "item-adopt", "item-table-ahead", "frame", "frame-of-several",
    "frame-in-next-zone", "frame-with-delta", "root-record", "root-adopted", "root-adopted-whole",
    "root-adopted-sums", "root-log-segment", "root-oid-table", "root-oid-table-in-segment",
    "root-ref-table", "root-collected", "root-held", "root-births", "root-held-by-damage",
    "block-oid", "block-oid-spilled", "block-oid-alone", "block-reverse", "block-ref", "block-sums",
    "ref-gone", "ref-id", "ref-peeled", "ref-symbolic", "ref-HEAD", "ref-shallow", "ref-keep",
    "ref-history", "ref-logs", "bitmap", "bitmap-that-adds", "chunk-runs", "chunk-bits",
    "chunks-clear"};

struct census {
    const uint8_t *image;
    size_t len;
    uint32_t granule, zone, id_len;
    const uint8_t *super;
    unsigned long n[COUNTS];
};

static uint32_t u32(const uint8_t *p)
{
    return bough_get32le(p);
}

static uint64_t u64(const uint8_t *p)
{
    return bough_get64le(p);
}

static uint32_t u16(const uint8_t *p)
{
    return bough_get16le(p);
}

static void expect(bool holds, const char *what)
{
    if (!holds) {
        printf("census: not as docs/format.md has it: %s\n", what);
        exit(1);
    }
}

/* ---- Runs (2) ---- */

/* `len` bytes at byte `at` of a run that begins `start` bytes into the first zone of these extents. */
static uint8_t *run_read(
    const struct census *c, const uint8_t *extents, uint32_t n, uint64_t start, size_t len)
{
    uint8_t *out = malloc(len + 1);
    size_t got = 0;

    expect(out != NULL, "memory");
    while (got < len) {
        uint64_t zone = (start + got) / c->zone, in = (start + got) % c->zone;
        size_t piece = (size_t)(c->zone - in);
        uint32_t i = 0;
        while (i < n && zone >= u32(extents + 8 * i + 4))
            zone -= u32(extents + 8 * i++ + 4);
        expect(i < n, "a run ends");
        zone += u32(extents + 8 * i);
        piece = piece < len - got ? piece : len - got;
        expect(zone * c->zone + in + piece <= c->len, "a run within the device");
        memcpy(out + got, c->image + zone * c->zone + in, piece);
        got += piece;
    }
    return out;
}

/* ---- Superblock (3) ---- */

static const uint8_t *super_at(const struct census *c, size_t at)
{
    const uint8_t *p = c->image + at;

    if (at + 512 > c->len || memcmp(p, "BOUGH\r\n\x1a", 8) != 0 ||
        bough_crc32(0, p + 12, 500) != u32(p + 8))
        return NULL;
    return p;
}

static void super_find(struct census *c)
{
    const uint8_t *first = NULL, *p;

    for (size_t at = 0; first == NULL && at < 8 * 65536; at += 512)
        first = super_at(c, at);
    expect(first != NULL, "a superblock");
    c->granule = u32(first + 48);
    c->zone = u32(first + 52);
    c->id_len = u32(first + 28) == 1 ? 20 : 32;
    for (uint32_t ring = 0; ring < 2; ring++) {
        for (uint32_t i = 0; i < 8; i++) {
            p = super_at(c, (size_t)ring * c->zone + (size_t)i * c->granule);
            c->n[RING_A + ring] += p != NULL;
            if (p != NULL && (c->super == NULL || u64(p + 64) > u64(c->super + 64)))
                c->super = p;
        }
    }
    for (uint32_t i = 0; i < 7; i++)
        c->n[OLDER_MOUNTS] += u64(c->super + 388 + 16 * i) != 0;
}

/* ---- Bitmaps (18) ---- */

static void chunks_count(struct census *c, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        uint32_t head = u16(p);
        p += 2 + (head <= 512 ? head : 0);
        c->n[head < 512 ? CHUNK_RUNS : head == 512 ? CHUNK_BITS : CHUNKS_CLEAR]++;
    }
    expect(p == end, "a bitmap is whole chunks");
}

static bool bitmaps_at(struct census *c, const uint8_t *extents, uint32_t n, uint64_t start)
{
    uint8_t *head = run_read(c, extents, n, start, 96), *all;
    uint32_t rows = u32(head + 44), dir_len = u32(head + 64), row = c->id_len + 28;
    uint64_t dir = u64(head + 56);
    bool found = u32(head) == 0x6d426742 && bough_crc32(0, head + 8, 88) == u32(head + 4);

    free(head);
    if (!found)
        return false;
    all = run_read(c, extents, n, start, (size_t)dir + dir_len);
    expect(dir_len == rows * row, "a directory of bitmaps");
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *r = all + dir + i * row + c->id_len, *body = all + u64(r);
        expect(bough_crc32(0, body, u32(r + 8)) == u32(r + 12), "the crc of a bitmap");
        c->n[BITMAP]++;
        c->n[BITMAP_ADDS] += u32(r + 16) != 0;
        chunks_count(c, body, body + u32(r + 8));
    }
    free(all);
    return true;
}

static uint32_t zones_of(const uint8_t *extents, uint32_t n)
{
    uint32_t zones = 0;

    for (uint32_t i = 0; i < n; i++)
        zones += u32(extents + 8 * i + 4);
    return zones;
}

/* Behind the blocks of a table, at either place. */
static void bitmaps_count(
    struct census *c, const uint8_t *extents, uint32_t n, uint64_t start, uint32_t blocks)
{
    uint64_t step = c->granule > 4096 ? c->granule : 4096, end = start + (uint64_t)blocks * 4096;
    uint64_t room = (uint64_t)zones_of(extents, n) * c->zone;
    uint64_t near = (end + step - 1) / step * step;
    uint64_t far = (end + c->zone - 1) / c->zone * c->zone;

    if ((near + 96 > room || !bitmaps_at(c, extents, n, near)) && far + 96 <= room)
        (void)bitmaps_at(c, extents, n, far);
}

/* ---- Tables (7) ---- */

static bool begins(const uint8_t *name, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(name, with, strlen(with)) == 0;
}

static void ref_name_count(struct census *c, const uint8_t *name, size_t len)
{
    c->n[REF_HEAD] += len == 4 && begins(name, len, "HEAD");
    c->n[REF_SHALLOW] += begins(name, len, "shallow/");
    c->n[REF_KEEP] += begins(name, len, "keep/");
    c->n[REF_HISTORY] += begins(name, len, "history/1/");
    c->n[REF_LOGS] += begins(name, len, "logs/");
}

static void ref_rows_count(struct census *c, const uint8_t *p, uint32_t rows)
{
    uint8_t name[1000];

    for (uint32_t i = 0; i < rows; i++) {
        uint32_t shared = u16(p), further = u16(p + 2), kind = p[4], flags = p[5];
        uint32_t target = u16(p + 22);
        p += 24;
        expect(shared + further <= sizeof name, "a name");
        memcpy(name + shared, p, further);
        p += further + (kind == 1 ? c->id_len * (flags & 1 ? 2 : 1) : target);
        ref_name_count(c, name, shared + further);
        c->n[REF_GONE + (kind == 2 ? 3 : kind)]++;
        c->n[REF_PEELED] += kind == 1 && (flags & 1);
    }
}

static void oid_block_count(struct census *c, const uint8_t *block, uint32_t at, uint32_t homes)
{
    uint32_t rows = u16(block + 12), row = c->id_len + 12, home = 0;

    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *id = block + 16 + i * row;
        uint64_t top = (uint64_t)bough_get32be(id) << 32 | bough_get32be(id + 4);
        /* top * homes >> 64, in halves */
        home = (uint32_t)(((top >> 32) * homes + ((top & 0xffffffff) * homes >> 32)) >> 32);
        c->n[BLOCK_OID_SPILLED] += home != at;
        c->n[BLOCK_OID_ALONE] += block[4080 + i / 8] >> i % 8 & 1;
        expect(home <= at, "a row lies in its home or behind it");
    }
}

/* Blocks of a table of `kind`; `homes` counts for oid tables. */
static void blocks_count(struct census *c, const uint8_t *extents, uint32_t extents_n,
    uint64_t start, uint32_t blocks, uint32_t homes, uint32_t kind)
{
    uint8_t *all = run_read(c, extents, extents_n, start, (size_t)blocks * 4096);

    for (uint32_t i = 0; i < blocks; i++) {
        const uint8_t *b = all + (size_t)i * 4096;
        expect(bough_crc32(0, b + 4, 4092) == u32(b), "the crc of a block");
        expect(u32(b + 8) == i && u16(b + 14) == kind, "number and kind of a block");
        c->n[kind == 1   ? BLOCK_OID
             : kind == 2 ? BLOCK_REVERSE
             : kind == 3 ? BLOCK_REF
                         : BLOCK_SUMS]++;
        if (kind == 1)
            oid_block_count(c, b, i, homes);
        if (kind == 3)
            ref_rows_count(c, b + 16, u16(b + 12));
    }
    free(all);
}

/* ---- Items (5) ---- */

static void adopt_count(struct census *c, const uint8_t *p, bool root)
{
    uint32_t flags = u32(p + 4), extents_n = u32(p + 68);
    const uint8_t *extents = p + 72;

    c->n[root ? ROOT_ADOPTED : ITEM_ADOPT]++;
    c->n[ROOT_ADOPTED_WHOLE] += flags & 1;
    c->n[ROOT_ADOPTED_SUMS] += flags >> 1 & 1;
    if (u32(p + 40) > 0)
        blocks_count(c, extents, extents_n, u64(p + 52), u32(p + 40), u32(p + 36), 1);
    blocks_count(c, extents, extents_n, u64(p + 60), u32(p + 48), 0, 2);
    if (flags & 2)
        blocks_count(c, extents, extents_n, u64(extents + 8 * extents_n + 4),
            u32(extents + 8 * extents_n), 0, 4);
}

/* An oid or ref table; `first`: of the root's list, which may have bitmaps. */
static void table_count(struct census *c, const uint8_t *p, uint32_t kind, bool first)
{
    uint32_t homes = u32(p + 16), blocks = u32(p + 20), extents_n = u32(p + 32);

    if (u32(p + 4) != 0) {
        c->n[ROOT_OID_TABLE_IN_SEGMENT]++;
        return; /* counted with its segment */
    }
    blocks_count(c, p + 36, extents_n, u64(p + 24), blocks, homes, kind);
    if (first)
        bitmaps_count(c, p + 36, extents_n, u64(p + 24), blocks);
}

static void ref_count(struct census *c, const uint8_t *p)
{
    c->n[ITEM_REF]++;
    c->n[ITEM_REF_GONE] += p[0] == 0;
    c->n[ITEM_REF_SYMBOLIC] += p[0] == 2;
    c->n[ITEM_REF_PEELED] += p[0] == 1 && (p[1] & 1);
}

static void root_item_count(struct census *c, uint32_t kind, const uint8_t *p, uint32_t len)
{
    if (kind == 3)
        c->n[ROOT_RECORD]++;
    else if (kind == 5)
        adopt_count(c, p, true);
    else if (kind == 17)
        c->n[ROOT_LOG_SEGMENT]++;
    else if (kind == 18)
        table_count(c, p, 1, c->n[ROOT_OID_TABLE]++ == 0);
    else if (kind == 19)
        c->n[ROOT_REF_TABLE]++, table_count(c, p, 3, false);
    else if (kind == 20)
        c->n[ROOT_COLLECTED] += len >= 32 && u32(p + 24) != 0;
    else if (kind == 128)
        c->n[ROOT_HELD] += len / 8;
    else if (kind == 129)
        c->n[ROOT_BIRTHS] += len / 16;
    else if (kind == 130)
        c->n[ROOT_HELD_BY_DAMAGE]++, table_count(c, p, 1, false);
}

static void frame_item_count(
    struct census *c, const uint8_t *frame, uint32_t kind, const uint8_t *p)
{
    if (kind == 1) {
        c->n[ITEM_OBJECT]++;
        c->n[FRAME_DELTA] += (frame[u32(p + c->id_len)] >> 4 & 7) == 7;
    } else if (kind == 2) {
        ref_count(c, p);
    } else if (kind == 3) {
        c->n[ITEM_RECORD]++;
    } else if (kind == 4) {
        c->n[ITEM_RETIRE]++;
    } else if (kind == 5) {
        adopt_count(c, p, false);
    } else if (kind == 6) {
        c->n[ITEM_TABLE_AHEAD]++;
        table_count(c, p + 8, 1, false);
    }
}

/* ---- The log (4) ---- */

struct place {
    uint64_t seq;
    uint32_t crc, zone, at, next;
};

static const uint8_t *frame_at(const struct census *c, uint32_t zone, uint32_t at, struct place *w)
{
    const uint8_t *p = c->image + (size_t)zone * c->zone + at;

    if (at + 96 > c->zone || ((size_t)zone + 1) * c->zone > c->len || u32(p) != 0x72466742 ||
        bough_crc32(0, p + 8, 88) != u32(p + 4) || memcmp(p + 8, c->super + 32, 16) != 0 ||
        u64(p + 32) != w->seq || u32(p + 48) != w->crc || u32(p + 80) != zone || u32(p + 84) != at)
        return NULL;
    return p;
}

static void log_count(struct census *c, struct place w)
{
    const uint8_t *f;

    while (true) {
        f = frame_at(c, w.zone, w.at, &w);
        if (f == NULL && w.next != 0) {
            f = frame_at(c, w.next, 0, &w);
            c->n[FRAME_NEXT_ZONE] += f != NULL;
        }
        if (f == NULL)
            return;
        const uint8_t *p = f + 96 + u32(f + 64);
        expect(bough_crc32(0, p, u32(f + 68)) == u32(f + 72), "the crc of an index");
        c->n[FRAME]++;
        c->n[FRAME_OF_SEVERAL] += u32(f + 52) != 3;
        for (uint32_t i = 0; i < u32(f + 76); i++) {
            frame_item_count(c, f, u32(p) & 255, p + 4);
            p += 4 + (u32(p) >> 8);
        }
        w.seq++;
        w.crc = u32(f + 4);
        w.zone = u32(f + 80);
        w.next = u32(f + 60);
        w.at = u32(f + 84) +
               (96 + u32(f + 64) + u32(f + 68) + c->granule - 1) / c->granule * c->granule;
    }
}

void golden_census(const uint8_t *image, size_t bytes)
{
    struct census c = {.image = image, .len = bytes};
    struct place w = {.seq = 0};
    uint8_t zones[64 * 8], *root;
    const uint8_t *p;

    super_find(&c);
    for (uint32_t i = 0; i < u32(c.super + 120); i++) {
        memcpy(zones + 8 * i, c.super + 124 + 4 * i, 4);
        bough_put32le(zones + 8 * i + 4, 1);
    }
    root = run_read(&c, zones, u32(c.super + 120), u32(c.super + 116), (size_t)u64(c.super + 104));
    expect(bough_crc32(0, root, (size_t)u64(c.super + 104)) == u32(c.super + 112),
        "the crc of a root");
    p = root + 64;
    for (uint32_t i = 0; i < u32(root + 4); i++) {
        uint32_t kind = u32(p) & 255, len = u32(p) >> 8;
        root_item_count(&c, kind, p + 4, len);
        if (kind == 16)
            w = (struct place){u64(p + 4), u32(p + 12), u32(p + 20), u32(p + 24), u32(p + 28)};
        p += 4 + len;
    }
    log_count(&c, w);
    free(root);
    for (int i = 0; i < COUNTS; i++)
        printf("census %s %lu\n", names[i], c.n[i]);
}
