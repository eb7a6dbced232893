/*
 * model.h - what branches must hold, kept by SQLite in memory.
 *
 *   states     every change makes the next one; a row says from which state to which it is there
 *   asking     kinds, values, listings, tree ids as of any state
 *   changing   put, remove, move, copy a branch: all into the state under way
 *   deciding   it happened, or it did not; after a crash: back to the state that was found
 *
 * The state under way is m->state + 1 until model_done() or model_undo().  A row is there in state
 * s when born <= s < died.  Tree ids are worked out here from paths and values, not by the store.
 */
#ifndef MODEL_H
#define MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "git/object.h"
#include "git/oid.h"

#define NEVER  "9000000000000000"
#define LATEST ((int64_t)8000000000000000)

struct model {
    sqlite3 *db;
    enum bough_algo algo;
    int64_t state, acked; /* the newest, and the newest that must survive */
};

enum kind { KIND_NONE, KIND_VALUE, KIND_DICT };

/* ---- SQL ---- */

static inline void model_sql(struct model *m, const char *format, ...)
{
    char *text, *why = NULL;
    va_list args;

    va_start(args, format);
    text = sqlite3_vmprintf(format, args);
    va_end(args);
    if (sqlite3_exec(m->db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("sqlite: %s in %s", why, text);
    sqlite3_free(text);
}

static inline sqlite3_stmt *model_query(struct model *m, const char *format, ...)
{
    sqlite3_stmt *q = NULL;
    va_list args;
    char *text;

    va_start(args, format);
    text = sqlite3_vmprintf(format, args);
    va_end(args);
    if (sqlite3_prepare_v2(m->db, text, -1, &q, NULL) != SQLITE_OK)
        fail_msg("sqlite: %s in %s", sqlite3_errmsg(m->db), text);
    sqlite3_free(text);
    return q;
}

/* The number in the first row; -1: no row. */
static inline int64_t model_number(sqlite3_stmt *q)
{
    int64_t n = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;

    sqlite3_finalize(q);
    return n;
}

static inline void model_open(struct model *m, enum bough_algo algo)
{
    *m = (struct model){.algo = algo};
    assert_int_equal(sqlite3_open(":memory:", &m->db), SQLITE_OK);
    model_sql(m,
        "CREATE TABLE kv(branch TEXT, path TEXT, value BLOB, mode INT, born INT, died INT);"
        "CREATE INDEX kv_path ON kv(branch, died, path);"
        "CREATE TABLE branch(name TEXT, born INT, died INT);"
        "CREATE TABLE seen(id TEXT, branch TEXT, state INT);");
}

static inline void model_close(struct model *m)
{
    sqlite3_close(m->db);
    m->db = NULL;
}

/* ---- Asking; without a state: the one under way ---- */

static inline bool model_has_branch(struct model *m, const char *branch, int64_t state)
{
    return model_number(
               model_query(m, "SELECT 1 FROM branch WHERE name=%Q AND born<=%lld AND died>%lld",
                   branch, state, state)) == 1;
}

static inline int64_t model_count(struct model *m, const char *branch, int64_t state)
{
    return model_number(
        model_query(m, "SELECT count(*) FROM kv WHERE branch=%Q AND born<=%lld AND died>%lld",
            branch, state, state));
}

static inline enum kind model_kind(struct model *m, const char *branch, const char *path)
{
    if (model_number(model_query(
            m, "SELECT 1 FROM kv WHERE branch=%Q AND path=%Q AND died=" NEVER, branch, path)) == 1)
        return KIND_VALUE;
    if (path[0] == '\0' ||
        model_number(model_query(m,
            "SELECT 1 FROM kv WHERE branch=%Q AND died=" NEVER " AND path>'%q/' AND path<'%q0'",
            branch, path, path)) == 1)
        return KIND_DICT;
    return KIND_NONE;
}

/* Is something on the way to `path` a value? */
static inline bool model_blocked(struct model *m, const char *branch, const char *path)
{
    char part[64];

    for (size_t i = 1; path[i] != '\0'; i++) {
        if (path[i] == '/') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (model_kind(m, branch, part) == KIND_VALUE)
                return true;
        }
    }
    return false;
}

static inline uint32_t model_mode(struct model *m, const char *branch, const char *path)
{
    int64_t mode = model_number(model_query(
        m, "SELECT mode FROM kv WHERE branch=%Q AND path=%Q AND died=" NEVER, branch, path));

    return mode < 0 ? 0100644 : (uint32_t)mode;
}

/* Rows {path, value, mode} below `dir` ("": all) in the order of kv.h, by segments. */
static inline sqlite3_stmt *model_below(
    struct model *m, const char *branch, const char *dir, int64_t state)
{
    return model_query(m,
        "SELECT path, value, mode FROM kv WHERE branch=%Q AND born<=%lld AND died>%lld"
        " AND (%Q='' OR path=%Q OR (path>'%q/' AND path<'%q0')) ORDER BY replace(path,'/',char(1))",
        branch, state, state, dir, dir, dir, dir);
}

/* ---- Tree ids ---- */

struct model_entry { /* of a tree */
    char name[32];
    uint32_t mode;
    struct bough_oid id;
};

struct model_row {
    char path[64];
    uint32_t mode;
    struct bough_oid id;
};

/* Git's order: a dictionary's name ends with a slash. */
static inline int model_entry_cmp(const void *a, const void *b)
{
    const struct model_entry *x = a, *y = b;
    char p[40], q[40];

    snprintf(p, sizeof p, "%s%s", x->name, x->mode == 040000 ? "/" : "");
    snprintf(q, sizeof q, "%s%s", y->name, y->mode == 040000 ? "/" : "");
    return strcmp(p, q);
}

static inline struct bough_oid model_tree_of(
    enum bough_algo algo, struct model_entry *entry, size_t n)
{
    uint8_t bytes[64 * 80];
    size_t len = 0;

    qsort(entry, n, sizeof *entry, model_entry_cmp);
    for (size_t i = 0; i < n; i++) {
        assert_true(len + 80 < sizeof bytes);
        len += (size_t)sprintf((char *)bytes + len, "%o %s", entry[i].mode, entry[i].name) + 1;
        memcpy(bytes + len, entry[i].id.bytes, bough_algo_len(algo));
        len += bough_algo_len(algo);
    }
    return bough_oid_of(algo, BOUGH_TREE, bough_view(bytes, len));
}

/* The tree of rows that share `skip` bytes of path; depth is that of the paths, at most 4. */
static inline struct bough_oid model_tree(
    enum bough_algo algo, const struct model_row *row, size_t n, size_t skip)
{
    struct model_entry entry[64];
    size_t entries = 0;

    for (size_t i = 0; i < n;) {
        const char *name = row[i].path + skip, *slash = strchr(name, '/');
        size_t len = slash != NULL ? (size_t)(slash - name) : strlen(name), k = 1;
        struct model_entry *e = &entry[entries++];

        assert_true(entries <= 64 && len < sizeof e->name);
        snprintf(e->name, sizeof e->name, "%.*s", (int)len, name);
        e->mode = row[i].mode;
        e->id = row[i].id;
        if (slash != NULL) {
            while (i + k < n && strncmp(row[i + k].path, row[i].path, skip + len + 1) == 0)
                k++;
            e->mode = 040000;
            e->id = model_tree(algo, row + i, k, skip + len + 1);
        }
        i += k;
    }
    return model_tree_of(algo, entry, entries);
}

/* The id of what is at `path`, which is there, or of the whole branch for "". */
static inline struct bough_oid model_digest(
    struct model *m, const char *branch, const char *path, int64_t state)
{
    enum { ROWS = 512 };
    struct model_row *row = calloc(ROWS, sizeof *row);
    sqlite3_stmt *q = model_below(m, branch, path, state);
    struct bough_oid id;
    size_t n = 0;

    assert_non_null(row);
    while (sqlite3_step(q) == SQLITE_ROW) {
        assert_true(n < ROWS);
        snprintf(row[n].path, sizeof row[n].path, "%s", (const char *)sqlite3_column_text(q, 0));
        row[n].mode = (uint32_t)sqlite3_column_int64(q, 2);
        row[n].id = bough_oid_of(m->algo, BOUGH_BLOB,
            bough_view(sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1)));
        n++;
    }
    sqlite3_finalize(q);
    if (n == 1 && strcmp(row[0].path, path) == 0)
        id = row[0].id;
    else
        id = model_tree(m->algo, row, n, path[0] != '\0' ? strlen(path) + 1 : 0);
    free(row);
    return id;
}

/* ---- Changing ---- */

/* The branch is there from the state under way on. */
static inline void model_born(struct model *m, const char *branch)
{
    if (!model_has_branch(m, branch, m->state + 1))
        model_sql(m, "INSERT INTO branch VALUES(%Q, %lld, " NEVER ")", branch, m->state + 1);
}

/* What is at `path` or below is gone. */
static inline void model_remove(struct model *m, const char *branch, const char *path)
{
    int64_t now = m->state + 1;

    model_sql(m,
        "DELETE FROM kv WHERE branch=%Q AND born=%lld AND (path=%Q OR (path>'%q/' AND path<'%q0'));"
        "UPDATE kv SET died=%lld WHERE branch=%Q AND died=" NEVER
        " AND (path=%Q OR (path>'%q/' AND path<'%q0'))",
        branch, now, path, path, path, now, branch, path, path, path);
}

/* A value, in place of whatever was there or on the way. */
static inline void model_put(
    struct model *m, const char *branch, const char *path, struct bough_view value, uint32_t mode)
{
    sqlite3_stmt *q;
    char part[64];

    for (size_t i = 1; path[i] != '\0'; i++) {
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (path[i] == '/' && model_kind(m, branch, part) == KIND_VALUE)
            model_remove(m, branch, part);
    }
    model_remove(m, branch, path);
    model_born(m, branch);
    q = model_query(m, "INSERT INTO kv VALUES(%Q, %Q, ?, %lld, %lld, " NEVER ")", branch, path,
        (long long)mode, m->state + 1);
    sqlite3_bind_blob(
        q, 1, value.len > 0 ? (const void *)value.ptr : "", (int)value.len, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(q), SQLITE_DONE);
    sqlite3_finalize(q);
}

/* What is at `from` comes to lie at `to`; a value there is replaced. */
static inline void model_move(struct model *m, const char *branch, const char *from, const char *to)
{
    model_remove(m, branch, to);
    model_sql(m,
        "CREATE TEMP TABLE moved AS SELECT path, value, mode FROM kv WHERE branch=%Q AND "
        "died=" NEVER " AND (path=%Q OR (path>'%q/' AND path<'%q0'))",
        branch, from, from, from);
    model_remove(m, branch, from);
    model_sql(m,
        "INSERT INTO kv SELECT %Q, %Q || substr(path, %d), value, mode, %lld, " NEVER
        " FROM moved; DROP TABLE moved",
        branch, to, (int)strlen(from) + 1, m->state + 1);
}

static inline void model_copy_branch(struct model *m, const char *from, const char *to)
{
    model_born(m, to);
    model_sql(m,
        "INSERT INTO kv SELECT %Q, path, value, mode, %lld, " NEVER
        " FROM kv WHERE branch=%Q AND died=" NEVER,
        to, m->state + 1, from);
}

static inline void model_drop_branch(struct model *m, const char *branch)
{
    int64_t now = m->state + 1;

    model_sql(m,
        "UPDATE kv SET died=%lld WHERE branch=%Q AND died=" NEVER
        "; UPDATE branch SET died=%lld WHERE name=%Q AND died=" NEVER,
        now, branch, now, branch);
}

/* ---- Deciding ---- */

static inline void model_done(struct model *m)
{
    m->state++;
}

/* Everything after `state` never happened. */
static inline void model_back(struct model *m, int64_t state)
{
    model_sql(m,
        "DELETE FROM kv WHERE born>%lld; UPDATE kv SET died=" NEVER " WHERE died>%lld;"
        "DELETE FROM branch WHERE born>%lld; UPDATE branch SET died=" NEVER " WHERE died>%lld;"
        "DELETE FROM seen WHERE state>%lld",
        state, state, state, state, state);
    m->state = state;
}

static inline void model_undo(struct model *m)
{
    model_back(m, m->state);
}

#endif
