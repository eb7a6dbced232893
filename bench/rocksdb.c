/*
 * rocksdb.c - RocksDB through its C interface: writes with sync, 24 MiB of blocks in memory.
 */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { CACHE = 24 << 20 };

struct rocksdb_state {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *batch;
};

static void check(struct peer *p, char *why)
{
    if (why != NULL)
        die(p->name, why);
}

static void rocks_open(struct peer *p, const char *dir, bool make)
{
    struct rocksdb_state *s = state_new(p->name, sizeof *s);
    char path[PATH_LEN], *why = NULL;

    (void)make;
    snprintf(path, sizeof path, "%s/rocksdb", dir);
    p->state = s;
    s->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(s->options, 1);
    s->table = rocksdb_block_based_options_create();
    s->cache = rocksdb_cache_create_lru(CACHE);
    rocksdb_block_based_options_set_block_cache(s->table, s->cache);
    rocksdb_options_set_block_based_table_factory(s->options, s->table);
    s->read = rocksdb_readoptions_create();
    s->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(s->write, 1);
    s->batch = rocksdb_writebatch_create();
    s->db = rocksdb_open(s->options, path, &why);
    check(p, why);
}

static void rocks_close(struct peer *p)
{
    struct rocksdb_state *s = p->state;

    rocksdb_close(s->db);
    rocksdb_writebatch_destroy(s->batch);
    rocksdb_writeoptions_destroy(s->write);
    rocksdb_readoptions_destroy(s->read);
    rocksdb_options_destroy(s->options);
    rocksdb_block_based_options_destroy(s->table);
    rocksdb_cache_destroy(s->cache);
    free(s);
}

static size_t rocks_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct rocksdb_state *s = p->state;
    char *why = NULL;
    size_t n;
    char *v = rocksdb_get(s->db, s->read, key, len, &n, &why);

    check(p, why);
    if (v == NULL || n > VALUE_LEN)
        die(p->name, "get");
    memcpy(dst, v, n);
    rocksdb_free(v);
    return n;
}

static void rocks_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct rocksdb_state *s = p->state;
    char *why = NULL;

    rocksdb_put(s->db, s->write, key, len, value, VALUE_LEN, &why);
    check(p, why);
}

static void rocks_begin(struct peer *p, bool fill)
{
    struct rocksdb_state *s = p->state;

    (void)fill;
    rocksdb_writebatch_clear(s->batch);
}

static void rocks_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct rocksdb_state *s = p->state;

    rocksdb_writebatch_put(s->batch, key, len, value, VALUE_LEN);
}

static void rocks_commit(struct peer *p)
{
    struct rocksdb_state *s = p->state;
    char *why = NULL;

    rocksdb_write(s->db, s->write, s->batch, &why);
    check(p, why);
}

const struct peer rocksdb_peer = {.name = "RocksDB",
    .open = rocks_open,
    .close = rocks_close,
    .get = rocks_get,
    .set = rocks_set,
    .begin = rocks_begin,
    .put = rocks_put,
    .commit = rocks_commit,
    .slow = 1};
