/*
 * sqlite.c - SQLite: WAL, synchronous = FULL, 24 MiB of pages, the key as primary key.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

struct sqlite_state {
    sqlite3 *db;
    sqlite3_stmt *get, *set;
};

static void sqlite_run(struct peer *p, const char *sql)
{
    struct sqlite_state *s = p->state;

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(p->name, sqlite3_errmsg(s->db));
}

static void sqlite_open(struct peer *p, const char *dir, bool make)
{
    struct sqlite_state *s = state_new(p->name, sizeof *s);
    char path[PATH_LEN];

    (void)make;
    snprintf(path, sizeof path, "%s/sqlite.db", dir);
    p->state = s;
    if (sqlite3_open(path, &s->db) != SQLITE_OK)
        die(p->name, "open");
    sqlite_run(p,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -24576;"
        "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID");
    if (sqlite3_prepare_v2(s->db, "SELECT v FROM kv WHERE k = ?", -1, &s->get, NULL) ||
        sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO kv VALUES(?, ?)", -1, &s->set, NULL))
        die(p->name, sqlite3_errmsg(s->db));
}

static void sqlite_close(struct peer *p)
{
    struct sqlite_state *s = p->state;

    sqlite3_finalize(s->get);
    sqlite3_finalize(s->set);
    sqlite3_close(s->db);
    free(s);
}

static size_t sqlite_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct sqlite_state *s = p->state;
    int n;

    sqlite3_bind_text(s->get, 1, key, (int)len, SQLITE_STATIC);
    if (sqlite3_step(s->get) != SQLITE_ROW)
        die(p->name, "get");
    n = sqlite3_column_bytes(s->get, 0);
    if (n > VALUE_LEN)
        die(p->name, "a value that nobody wrote");
    memcpy(dst, sqlite3_column_blob(s->get, 0), (size_t)n);
    sqlite3_reset(s->get);
    return (size_t)n;
}

static void sqlite_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct sqlite_state *s = p->state;

    sqlite3_bind_text(s->set, 1, key, (int)len, SQLITE_STATIC);
    sqlite3_bind_blob(s->set, 2, value, VALUE_LEN, SQLITE_STATIC);
    if (sqlite3_step(s->set) != SQLITE_DONE)
        die(p->name, sqlite3_errmsg(s->db));
    sqlite3_reset(s->set);
}

static void sqlite_begin(struct peer *p, bool fill)
{
    (void)fill;
    sqlite_run(p, "BEGIN");
}

static void sqlite_commit(struct peer *p)
{
    sqlite_run(p, "COMMIT");
}

const struct peer sqlite_peer = {.name = "SQLite",
    .open = sqlite_open,
    .close = sqlite_close,
    .get = sqlite_get,
    .set = sqlite_put, /* outside of BEGIN and COMMIT it is durable by itself */
    .begin = sqlite_begin,
    .put = sqlite_put,
    .commit = sqlite_commit,
    .slow = 1};
