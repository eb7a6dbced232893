/*
 * ids.c - a set of ids with a number on each.
 *
 *   rows     chunks of a fixed number, which never move
 *   shards   open addressing over row numbers, picked by the top bits of a keyed hash
 */
#include "sync/inner.h"

enum { SHARD_BITS = 6, SHARD_MIN = 16 };

static size_t row_len(const struct bough_sync__ids *s)
{
    return bough_algo_len(s->algo) + sizeof(uint64_t);
}

static uint8_t *row_at(const struct bough_sync__ids *s, uint32_t row)
{
    BOUGH_ASSERT(row < s->n);
    return s->chunks[row / BOUGH_SYNC__CHUNK_ROWS] + row % BOUGH_SYNC__CHUNK_ROWS * row_len(s);
}

static uint64_t id_hash(const struct bough_sync__ids *s, const uint8_t *id)
{
    return bough_mix64(s->key, id, bough_algo_len(s->algo));
}

void bough_sync__ids_init(
    struct bough_sync__ids *s, const struct bough_env *env, enum bough_algo algo)
{
    *s = (struct bough_sync__ids){.mem = env->mem, .algo = algo};
    bough_env_random(env, &s->key, sizeof s->key);
}

void bough_sync__ids_fini(struct bough_sync__ids *s)
{
    for (size_t i = 0; i < s->chunks_n; i++)
        bough_mem_free(s->mem, s->chunks[i], BOUGH_SYNC__CHUNK_ROWS * row_len(s));
    bough_mem_free(s->mem, s->chunks, s->chunks_cap * sizeof *s->chunks);
    for (size_t i = 0; i < BOUGH_SYNC__SHARDS; i++)
        bough_mem_free(s->mem, s->shards[i].slots, s->shards[i].cap * sizeof *s->shards[i].slots);
    *s = (struct bough_sync__ids){.mem = s->mem, .algo = s->algo, .key = s->key};
}

/* The slot that holds `id`, or the free one where it would go; the shard has a free slot. */
static uint32_t *shard_slot(const struct bough_sync__ids *s, const struct bough_sync__shard *shard,
    const uint8_t *id, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (shard->cap - 1);
    while (shard->slots[at] != 0 &&
           memcmp(row_at(s, shard->slots[at] - 1), id, bough_algo_len(s->algo)) != 0)
        at = (at + 1) & (shard->cap - 1);
    return &shard->slots[at];
}

/* Make room for one more id at three quarters full. */
static enum bough_err shard_grow(struct bough_sync__ids *s, struct bough_sync__shard *shard)
{
    if (shard->n + 1 <= shard->cap / 4 * 3)
        return BOUGH_OK;
    struct bough_sync__shard bigger = {
        .n = shard->n, .cap = shard->cap == 0 ? SHARD_MIN : shard->cap * 2};
    bigger.slots = bough_mem_zalloc(s->mem, bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i < shard->cap; i++) {
        if (shard->slots[i] == 0)
            continue;
        const uint8_t *id = row_at(s, shard->slots[i] - 1);
        *shard_slot(s, &bigger, id, id_hash(s, id)) = shard->slots[i];
    }
    bough_mem_free(s->mem, shard->slots, shard->cap * sizeof *shard->slots);
    *shard = bigger;
    return BOUGH_OK;
}

/* A place for row number s->n. */
static enum bough_err chunk_grow(struct bough_sync__ids *s)
{
    if (s->n == UINT32_MAX)
        return BOUGH_ETOOBIG;
    if (s->n / BOUGH_SYNC__CHUNK_ROWS < s->chunks_n)
        return BOUGH_OK;
    void *chunks = s->chunks;
    enum bough_err err =
        bough_mem_grow(s->mem, &chunks, &s->chunks_cap, s->chunks_n + 1, sizeof *s->chunks);
    s->chunks = chunks;
    if (err)
        return err;
    uint8_t *chunk = bough_mem_zalloc(s->mem, BOUGH_SYNC__CHUNK_ROWS, row_len(s));
    if (chunk == NULL)
        return BOUGH_ENOMEM;
    s->chunks[s->chunks_n++] = chunk;
    return BOUGH_OK;
}

enum bough_err bough_sync__ids_add(
    struct bough_sync__ids *s, const struct bough_oid *id, uint32_t *row)
{
    uint64_t hash = id_hash(s, id->bytes);
    struct bough_sync__shard *shard = &s->shards[hash >> (64 - SHARD_BITS)];
    enum bough_err err = shard_grow(s, shard);
    if (!err)
        err = chunk_grow(s);
    if (err)
        return err;
    uint32_t *slot = shard_slot(s, shard, id->bytes, hash);
    if (*slot == 0) {
        *slot = ++s->n;
        shard->n++;
        memcpy(row_at(s, s->n - 1), id->bytes, bough_algo_len(s->algo));
    }
    *row = *slot - 1;
    return BOUGH_OK;
}

bool bough_sync__ids_find(
    const struct bough_sync__ids *s, const struct bough_oid *id, uint32_t *row)
{
    uint64_t hash = id_hash(s, id->bytes);
    const struct bough_sync__shard *shard = &s->shards[hash >> (64 - SHARD_BITS)];
    if (shard->cap == 0)
        return false;
    const uint32_t *slot = shard_slot(s, shard, id->bytes, hash);
    if (*slot != 0)
        *row = *slot - 1;
    return *slot != 0;
}

struct bough_oid bough_sync__ids_at(const struct bough_sync__ids *s, uint32_t row)
{
    return bough_oid_raw(s->algo, row_at(s, row));
}

uint64_t bough_sync__ids_get(const struct bough_sync__ids *s, uint32_t row)
{
    uint64_t number;
    memcpy(&number, row_at(s, row) + bough_algo_len(s->algo), sizeof number);
    return number;
}

void bough_sync__ids_set(struct bough_sync__ids *s, uint32_t row, uint64_t number)
{
    memcpy(row_at(s, row) + bough_algo_len(s->algo), &number, sizeof number);
}
