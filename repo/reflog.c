/*
 * reflog.c - what a ref was before.
 *
 *   rows       written when a ref is moved by anything but a commit on top of it
 *   reading    newest first: rows, and between them the commits themselves
 *   expiring
 *
 * A commit on a branch needs no row: its first parent is the value before, its committer date the
 * time.  So the log of a branch that is only written to costs nothing.  A row is a ref outside of
 * refs/: its name is "logs/", the ref's name, ':' (which no ref name holds) and 16 hex digits that
 * descend, so that the newest comes first; its target is
 *
 *   old id, new id, u64 seconds since 1970, i16 minutes east (both little-endian), reason
 */
#include "repo/head_inner.h"

#include "repo/graph.h"
#include "repo/inner.h"
#include "repo/keep_inner.h"
#include "repo/txn_inner.h"

enum { SERIAL = 16, REASON_MAX = 200, TIMES = 10 };

#define LOGS "logs/"

/* ---- Rows ---- */

static void name_begin(struct bough_buf *b, struct bough_view ref)
{
    bough_buf_clear(b);
    bough_buf_put_str(b, LOGS);
    bough_buf_put_view(b, ref);
    bough_buf_put_u8(b, ':');
}

static void serial_put(struct bough_buf *b, uint64_t serial)
{
    static const char hex[] = "0123456789abcdef";

    for (int shift = 60; shift >= 0; shift -= 4)
        bough_buf_put_u8(b, (uint8_t)hex[~serial >> shift & 15]);
}

static uint64_t serial_of(struct bough_view name)
{
    uint64_t serial = 0;

    for (size_t i = name.len - SERIAL; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        serial = serial << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return ~serial;
}

/* The row at or after `after` among those whose names begin with `prefix`. */
static enum bough_err row_next(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    enum bough_err err = bough_store_ref_next(r->store, prefix, after, out);

    if (err == BOUGH_OK && (out->kind != BOUGH_REF_SYM || out->name.len < prefix.len + SERIAL ||
                               out->target.len < 2 * r->hash_len + TIMES))
        err = BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "a row of a reflog", out->name.ptr, out->name.len);
    return err;
}

static enum bough_err serial_next(struct bough_repo *r, struct bough_view prefix, uint64_t *out)
{
    struct bough_ref row;
    enum bough_err err = row_next(r, prefix, bough_view(NULL, 0), &row);
    uint64_t next = err == BOUGH_OK ? serial_of(row.name) + 1 : 1;

    if (err && err != BOUGH_ENOENT)
        return err;
    *out = next > r->reflog_next ? next : r->reflog_next;
    r->reflog_next = *out + 1;
    return BOUGH_OK;
}

enum bough_err bough_repo__reflog_put(struct bough_repo *r, const struct bough_ref_update *u)
{
    struct bough_ref_change change = {.kind = BOUGH_REF_SYM};
    struct bough_view why = u->reason.ptr != NULL ? u->reason : bough_view_str("update");
    struct bough_time now = bough_env_now(bough_repo_env(r));
    struct bough_buf name, row;
    struct bough_txn *txn;
    uint64_t serial = 0;
    enum bough_err err = bough_repo__txn(r, &txn);

    if (err || u->name.len + sizeof LOGS + SERIAL > BOUGH_REF_NAME_MAX)
        return err; /* a name so long has no log */
    bough_buf_init(&name, r->mem);
    bough_buf_init(&row, r->mem);
    name_begin(&name, u->name);
    err = name.err ? name.err : serial_next(r, bough_buf_view(&name), &serial);
    serial_put(&name, serial);
    bough_buf_put(&row, u->old.bytes, r->hash_len);
    bough_buf_put(&row, u->now.bytes, r->hash_len);
    bough_buf_put64le(&row, (uint64_t)now.sec);
    bough_buf_put_u8(&row, (uint8_t)now.zone_min);
    bough_buf_put_u8(&row, (uint8_t)((uint16_t)now.zone_min >> 8));
    bough_buf_put(&row, why.ptr, why.len < REASON_MAX ? why.len : REASON_MAX);
    if (!err)
        err = name.err ? name.err : row.err;
    change.name = bough_buf_view(&name);
    change.target = bough_buf_view(&row);
    if (!err)
        err = bough_txn_ref(txn, &change);
    bough_buf_fini(&name);
    bough_buf_fini(&row);
    return err;
}

static void row_read(
    const struct bough_repo *r, const struct bough_ref *row, struct bough_reflog_entry *out)
{
    const uint8_t *p = row->target.ptr;
    size_t n = r->hash_len;

    *out = (struct bough_reflog_entry){.time.sec = (int64_t)bough_get64le(p + 2 * n)};
    memcpy(out->old.bytes, p, n);
    memcpy(out->now.bytes, p + n, n);
    out->time.zone_min = (int16_t)(p[2 * n + 9] << 8 | p[2 * n + 8]);
    out->reason = bough_view(p + 2 * n + TIMES, row->target.len - 2 * n - TIMES);
}

/* ---- Reading ---- */

struct bough_reflog {
    struct bough_repo *r;
    struct bough_oid at;   /* the value before what was told last */
    struct bough_buf name; /* of the rows; behind `prefix` the serial of the last one */
    size_t prefix;
    struct bough_buf raw; /* of the commit told last, or the reason of the row */
};

enum bough_err bough_reflog_open(
    struct bough_repo *r, struct bough_view ref, struct bough_reflog **out)
{
    struct bough_reflog *log = bough_mem_zalloc(r->mem, 1, sizeof *log);
    struct bough_ref now;
    enum bough_err err;

    *out = NULL;
    if (log == NULL)
        return BOUGH_ENOMEM;
    log->r = r;
    bough_buf_init(&log->name, r->mem);
    bough_buf_init(&log->raw, r->mem);
    err = bough_repo_ref(r, ref, &now);
    if (err == BOUGH_OK && now.kind == BOUGH_REF_ID)
        log->at = now.id;
    name_begin(&log->name, ref);
    log->prefix = log->name.len;
    if (err == BOUGH_OK || err == BOUGH_ENOENT)
        err = log->name.err;
    if (err)
        bough_reflog_close(log);
    else
        *out = log;
    return err;
}

void bough_reflog_close(struct bough_reflog *log)
{
    if (log == NULL)
        return;
    bough_buf_fini(&log->name);
    bough_buf_fini(&log->raw);
    bough_mem_free(log->r->mem, log, sizeof *log);
}

/* The value is what a commit on top of another made of it. */
static enum bough_err commit_tell(struct bough_reflog *log, struct bough_reflog_entry *out)
{
    struct bough_commit c;
    struct bough_ident who;
    size_t end = 0;
    enum bough_err err = bough_oid_is_zero(&log->at) ? BOUGH_ENOENT : BOUGH_OK;

    bough_buf_clear(&log->raw);
    if (!err)
        err = bough_store_read(log->r->store, &log->at, NULL, &log->raw);
    if (!err)
        err = bough_commit_parse(log->r->algo, bough_buf_view(&log->raw), &c);
    if (err)
        return err;
    *out = (struct bough_reflog_entry){.now = log->at};
    if (bough_ident_parse(c.committer, &who) == BOUGH_OK)
        out->time = who.time;
    if (c.parents_n > 0 && bough_store_boundary(log->r->store, &log->at) == BOUGH_ENOENT)
        out->old = bough_commit_parent(&c, 0);
    while (end < c.message.len && c.message.ptr[end] != '\n')
        end++;
    out->reason = bough_view(c.message.ptr, end);
    out->commit = true;
    return BOUGH_OK;
}

enum bough_err bough_reflog_next(struct bough_reflog *log, struct bough_reflog_entry *out)
{
    struct bough_view after =
        log->name.len > log->prefix ? bough_buf_view(&log->name) : bough_view(NULL, 0);
    struct bough_ref row;
    enum bough_err err = row_next(log->r, bough_view(log->name.ptr, log->prefix), after, &row);

    if (err && err != BOUGH_ENOENT)
        return err;
    if (err == BOUGH_OK) {
        row_read(log->r, &row, out);
        if (bough_oid_eq(&out->now, &log->at)) {
            log->name.len = log->prefix;
            bough_buf_put(&log->name, row.name.ptr + log->prefix, SERIAL);
            bough_buf_clear(&log->raw);
            bough_buf_put_view(&log->raw, out->reason);
            out->reason = bough_buf_view(&log->raw);
            log->at = out->old;
            return log->name.err ? log->name.err : log->raw.err;
        }
    }
    err = commit_tell(log, out);
    if (!err)
        log->at = out->old;
    return err;
}

static enum bough_err too_short(struct bough_repo *r, struct bough_view ref)
{
    return BOUGH_WHY(
        &r->why, BOUGH_ENOENT, "the log of the ref does not go back so far", ref.ptr, ref.len);
}

enum bough_err bough_repo__reflog_nth(
    struct bough_repo *r, struct bough_view ref, uint64_t n, struct bough_oid *out)
{
    struct bough_reflog_entry e;
    struct bough_reflog *log;
    enum bough_err err = bough_reflog_open(r, ref, &log);

    if (err)
        return err;
    *out = log->at;
    for (; n > 0 && !err; n--) {
        err = bough_reflog_next(log, &e);
        if (!err)
            *out = e.old;
    }
    bough_reflog_close(log);
    return err == BOUGH_ENOENT || (!err && bough_oid_is_zero(out)) ? too_short(r, ref) : err;
}

enum bough_err bough_repo__reflog_at(
    struct bough_repo *r, struct bough_view ref, int64_t sec, struct bough_oid *out)
{
    struct bough_reflog_entry e;
    struct bough_reflog *log;
    enum bough_err err = bough_reflog_open(r, ref, &log);

    if (err)
        return err;
    *out = log->at;
    do {
        err = bough_reflog_next(log, &e);
        if (!err)
            *out = e.now;
    } while (!err && e.time.sec > sec);
    bough_reflog_close(log);
    if (err && err != BOUGH_ENOENT)
        return err;
    return bough_oid_is_zero(out) ? too_short(r, ref) : BOUGH_OK;
}

/* ---- Keeping and expiring ---- */

/* The ref that a row is of. */
static struct bough_view row_ref(struct bough_view name)
{
    size_t prefix = sizeof LOGS - 1;

    return bough_view(name.ptr + prefix, name.len - prefix - 1 - SERIAL);
}

enum bough_err bough_repo__reflog_each(
    struct bough_repo *r, int64_t since, bough_store_emit_fn *emit, void *to)
{
    struct bough_view prefix = bough_view_str(LOGS), after = prefix;
    struct bough_reflog_entry e;
    struct bough_ref row;
    struct bough_buf name;
    enum bough_err err;

    bough_buf_init(&name, r->mem);
    while ((err = row_next(r, prefix, after, &row)) == BOUGH_OK) {
        bough_buf_clear(&name);
        bough_buf_put_view(&name, row.name);
        after = bough_buf_view(&name);
        row_read(r, &row, &e);
        err = name.err;
        if (!err && (e.time.sec < since || bough_repo__keep_cuts(r, row_ref(after))))
            continue; /* what a policy cuts off may not come back by the log */
        if (!err && !bough_oid_is_zero(&e.old))
            err = emit(to, &e.old);
        if (!err && !bough_oid_is_zero(&e.now))
            err = emit(to, &e.now);
        if (err)
            break;
    }
    bough_buf_fini(&name);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Remove rows from before `before`, at most ROWS in this operation; `after` goes along. */
static enum bough_err expire_some(
    struct bough_repo *r, int64_t before, struct bough_buf *after, uint64_t *removed)
{
    enum { ROWS = 1000 };
    struct bough_ref_change change = {.kind = BOUGH_REF_NONE};
    struct bough_reflog_entry e;
    struct bough_ref row;
    struct bough_txn *txn;
    enum bough_err err = BOUGH_OK;

    for (uint64_t begun = *removed; !err && *removed - begun < ROWS;) {
        err = row_next(r, bough_view_str(LOGS), bough_buf_view(after), &row);
        if (err)
            break;
        row_read(r, &row, &e);
        bough_buf_clear(after);
        bough_buf_put_view(after, row.name);
        err = after->err;
        if (err || e.time.sec >= before)
            continue;
        change.name = bough_buf_view(after);
        err = bough_repo__txn(r, &txn);
        if (!err)
            err = bough_txn_ref(txn, &change);
        ++*removed;
    }
    return err;
}

enum bough_err bough_reflog_expire(struct bough_repo *r, int64_t before, uint64_t *removed)
{
    struct bough_buf after;
    bool more = true;
    enum bough_err err = BOUGH_OK;

    *removed = 0;
    bough_buf_init(&after, r->mem);
    bough_buf_put_str(&after, LOGS);
    while (more && !err) {
        err = bough_repo__begin(r);
        if (err)
            break;
        err = expire_some(r, before, &after, removed);
        more = err != BOUGH_ENOENT;
        err = bough_repo__end(r, err == BOUGH_ENOENT ? BOUGH_OK : err);
    }
    bough_buf_fini(&after);
    return err;
}
