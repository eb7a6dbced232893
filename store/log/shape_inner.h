/*
 * shape_inner.h - how a store is laid out: its measures, and locators, which say where an entry lies.
 */
#ifndef BOUGH_LOG_SHAPE_INNER_H
#define BOUGH_LOG_SHAPE_INNER_H

#include "git/oid.h"

enum {
    BOUGH_LOG__BLOCK = 4096, /* bytes of a table's block */
    BOUGH_LOG__ZONE_MIN = 32 * 1024,
    BOUGH_LOG__ZONE_MAX = 64 * 1024 * 1024,
    BOUGH_LOG__ZONES_MIN = 16,
    BOUGH_LOG__ZONES_MAX = 1 << 24,
    BOUGH_LOG__SLOTS = 8, /* of a ring */
    BOUGH_LOG__FRAME_MAX = 1024 * 1024,
    BOUGH_LOG__SEGMENT_MAX = (1 << 24) - 1,
    BOUGH_LOG__TABLES_MAX = 64,    /* oid tables of a checkpoint */
    BOUGH_LOG__TABLES_WANTED = 12, /* more are merged */
    BOUGH_LOG__FRESH_MAX = 16,     /* adopted between checkpoints */
    BOUGH_LOG__AHEAD_MAX = 8,      /* written ahead by a transaction; more are merged */
    BOUGH_LOG__REFTABLES_MAX = 16,
    BOUGH_LOG__REFTABLES_WANTED = 4,
    BOUGH_LOG__ROOT_ZONES_MAX = 64,
    BOUGH_LOG__CHAIN_MAX = 4096, /* deltas followed to a whole object */
    BOUGH_LOG__DEVICE_ID = 16,   /* bytes */
};

struct bough_log__geo {
    enum bough_algo algo;
    uint32_t id_len;    /* 20 or 32 */
    uint32_t granule;   /* bytes */
    uint32_t zone;      /* bytes */
    uint32_t zones;     /* how many */
    uint32_t frame_max; /* bytes */
    uint32_t align;     /* of tables: a block or a granule, whichever is more */
    uint8_t device[BOUGH_LOG__DEVICE_ID];
};

static inline uint64_t bough_log__up(uint64_t x, uint64_t n) /* n is a power of two */
{
    return (x + n - 1) & ~(n - 1);
}

static inline uint64_t bough_log__where(uint32_t segment, uint64_t offset)
{
    return (uint64_t)segment << 40 | offset;
}

static inline uint32_t bough_log__where_segment(uint64_t where)
{
    return (uint32_t)(where >> 40);
}

static inline uint64_t bough_log__where_offset(uint64_t where)
{
    return where & (((uint64_t)1 << 40) - 1);
}

#endif
