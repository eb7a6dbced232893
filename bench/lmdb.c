/*
 * lmdb.c - LMDB, which reads from the page cache and syncs at every commit.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/bench.h"

struct lmdb_state {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader, *writer; /* one of them is open */
};

static void lmdb_read(struct peer *p)
{
    struct lmdb_state *s = p->state;

    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader) != 0)
        die(p->name, "reader");
}

static void lmdb_open(struct peer *p, const char *dir, bool make)
{
    struct lmdb_state *s = state_new(p->name, sizeof *s);
    char path[PATH_LEN];
    MDB_txn *txn;

    (void)make;
    snprintf(path, sizeof path, "%s/lmdb", dir);
    mkdir(path, 0700);
    p->state = s;
    if (mdb_env_create(&s->env) || mdb_env_set_mapsize(s->env, (size_t)4 << 30) ||
        mdb_env_open(s->env, path, 0, 0600) || mdb_txn_begin(s->env, NULL, 0, &txn) ||
        mdb_dbi_open(txn, NULL, 0, &s->dbi) || mdb_txn_commit(txn))
        die(p->name, "open");
    lmdb_read(p);
}

static void lmdb_close(struct peer *p)
{
    struct lmdb_state *s = p->state;

    mdb_txn_abort(s->reader);
    mdb_env_close(s->env);
    free(s);
}

static size_t lmdb_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct lmdb_state *s = p->state;
    MDB_val k = {len, (void *)(uintptr_t)key}, v;

    if (mdb_get(s->reader, s->dbi, &k, &v) != 0 || v.mv_size > VALUE_LEN)
        die(p->name, "get");
    memcpy(dst, v.mv_data, v.mv_size);
    return v.mv_size;
}

static void lmdb_begin(struct peer *p, bool fill)
{
    struct lmdb_state *s = p->state;

    (void)fill;
    mdb_txn_reset(s->reader); /* an old one keeps pages from being used again */
    if (mdb_txn_begin(s->env, NULL, 0, &s->writer) != 0)
        die(p->name, "begin");
}

static void lmdb_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct lmdb_state *s = p->state;
    MDB_val k = {len, (void *)(uintptr_t)key}, v = {VALUE_LEN, (void *)(uintptr_t)value};

    if (mdb_put(s->writer, s->dbi, &k, &v, 0) != 0)
        die(p->name, "put");
}

static void lmdb_commit(struct peer *p)
{
    struct lmdb_state *s = p->state;

    if (mdb_txn_commit(s->writer) != 0 || mdb_txn_renew(s->reader) != 0)
        die(p->name, "commit");
}

static void lmdb_set(struct peer *p, const char *key, size_t len, const char *value)
{
    lmdb_begin(p, false);
    lmdb_put(p, key, len, value);
    lmdb_commit(p);
}

const struct peer lmdb_peer = {.name = "LMDB",
    .open = lmdb_open,
    .close = lmdb_close,
    .get = lmdb_get,
    .set = lmdb_set,
    .begin = lmdb_begin,
    .put = lmdb_put,
    .commit = lmdb_commit,
    .slow = 1};
