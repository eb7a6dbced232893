/*
 * history_table.c - sorted rows as trees of small blobs.
 *
 *   rows       places, keys of paths
 *   reading    down to the blob beside a key, and the row in it
 *   writing    blobs as they become full, a ref when all are there
 *
 * A segment is a tree of tables `p`, `c` and `e`; a table one of groups; a group one of blobs.
 * Blobs and groups have the name of their first row, in hex, so what is sought is found by
 * Git's own order of names, and everything is checked as any object is.
 */
#include "base/hash.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/node_inner.h"
#include "repo/txn_inner.h"

enum { HEX_MAX = 2 * BOUGH_HISTORY__ROW_MAX, WAITING_MAX = 32 /* blobs */ };

static const char names[] = "pce"; /* of the tables, by kind */

/* ---- Rows ---- */

void bough_history__place_put(uint8_t *out, struct bough_history__place p)
{
    bough_put32be(out, p.chain);
    bough_put32be(out + 4, p.pos);
}

struct bough_history__place bough_history__place_get(const uint8_t *in)
{
    return (struct bough_history__place){.chain = bough_get32be(in), .pos = bough_get32be(in + 4)};
}

size_t bough_history__row_len(const struct bough_repo *r, enum bough_history__kind kind)
{
    return kind == BOUGH_HISTORY__PATHS ? BOUGH_HISTORY__PATH_ROW
                                        : BOUGH_HISTORY__PLACE + r->hash_len;
}

void bough_history__row_step(uint8_t *row, size_t len)
{
    while (len-- > 0 && ++row[len] == 0)
        continue;
}

void bough_history__path_key(const struct bough_repo *r, struct bough_view path, uint8_t out[8])
{
    uint8_t digest[BOUGH_DIGEST_MAX];
    struct bough_hash h;

    bough_hash_init(&h, r->algo);
    bough_hash_update(&h, path.ptr, path.len);
    bough_hash_final(&h, digest);
    memcpy(out, digest, 8);
}

/* A row's name. */
static struct bough_view row_name(const uint8_t *row, size_t len, char hex[HEX_MAX])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[row[i] >> 4];
        hex[2 * i + 1] = digits[row[i] & 15];
    }
    return (struct bough_view){(const uint8_t *)hex, 2 * len};
}

/* ---- Reading ---- */

static enum bough_err table_broken(struct bough_repo *r, const struct bough_oid *root)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(r->algo, root, hex);

    return BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "broken index of history", hex, n);
}

/* What a segment names must be there: that it is not must not read as if there were no rows. */
static enum bough_err must_be(struct bough_repo *r, enum bough_err err)
{
    if (err != BOUGH_ENOENT)
        return err;
    return BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "a part of the index of history is gone", NULL, 0);
}

/* The tree that entry `i` of a pinned node names, pinned. */
static enum bough_err child_open(
    struct bough_repo *r, struct bough_repo__node *n, uint32_t i, struct bough_repo__node **out)
{
    struct bough_oid id = bough_repo__node_id(r, n, i);
    enum bough_err err = bough_repo__node_child_look(r, n, i, out);

    if (err == BOUGH_OK && *out == NULL)
        err = bough_repo__node_get(r, &id, out);
    return must_be(r, err);
}

/* A table of a segment, pinned.  BOUGH_ENOENT: it has no rows. */
static enum bough_err table_open(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, struct bough_repo__node **out)
{
    struct bough_repo__node *top;
    uint32_t i;
    enum bough_err err = must_be(r, bough_repo__node_get(r, root, &top));

    if (err)
        return err;
    i = bough_repo__node_find(r, top, bough_view(&names[kind], 1));
    err = i == UINT32_MAX ? BOUGH_ENOENT : child_open(r, top, i, out);
    bough_repo__node_unpin(r, top);
    return err;
}

/* The bytes of a blob of a group. */
static enum bough_err blob_read(
    struct bough_repo *r, struct bough_repo__node *group, uint32_t i, struct bough_buf *out)
{
    struct bough_oid id = bough_repo__node_id(r, group, i);
    struct bough_get get = {.n = BOUGH_HISTORY__CHUNK, .where = bough_repo__node_where(group, i)};
    enum bough_err err;

    bough_buf_clear(out);
    err = bough_store_get(r->store, &id, &get, out);
    if (err) {
        r->why = r->store->why;
        return must_be(r, err);
    }
    bough_repo__node_learn(r, group, i, get.where);
    return get.type == BOUGH_BLOB && get.size == out->len ? BOUGH_OK : BOUGH_ECORRUPT;
}

/* The blob beside `name` in a group, or the first one above it. */
static enum bough_err group_read(struct bough_repo *r, struct bough_repo__node *group,
    struct bough_view name, bool above, struct bough_buf *out)
{
    uint32_t place = bough_repo__node_after(group, name);

    if (above ? place >= group->n : place == 0)
        return BOUGH_ENOENT;
    return blob_read(r, group, bough_repo__node_nth(group, above ? place : place - 1), out);
}

/* The same in a table: the group beside it and, for what is above, the next. */
static enum bough_err table_read(struct bough_repo *r, struct bough_repo__node *table,
    struct bough_view name, bool above, struct bough_buf *out)
{
    uint32_t place = bough_repo__node_after(table, name), end = place + (above ? 1 : 0);
    enum bough_err err = BOUGH_ENOENT;

    for (place -= place > 0; err == BOUGH_ENOENT && place < end && place < table->n; place++) {
        struct bough_repo__node *group;

        err = child_open(r, table, bough_repo__node_nth(table, place), &group);
        if (err)
            return err;
        err = group_read(r, group, name, above, out);
        bough_repo__node_unpin(r, group);
    }
    return err;
}

enum bough_err bough_history__chunk(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, bool above, struct bough_buf *out)
{
    size_t len = bough_history__row_len(r, kind);
    struct bough_repo__node *table;
    char hex[HEX_MAX];
    enum bough_err err = table_open(r, root, kind, &table);

    if (err)
        return err;
    err = table_read(r, table, row_name(key, len, hex), above, out);
    bough_repo__node_unpin(r, table);
    if (err == BOUGH_OK && (out->len == 0 || out->len % len != 0))
        err = table_broken(r, root);
    return err;
}

/* How many of the rows are below `key`, or not above it. */
static size_t rows_below(struct bough_view rows, size_t len, const uint8_t *key, bool equal)
{
    size_t lo = 0, hi = rows.len / len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = memcmp(rows.ptr + mid * len, key, len);

        if (cmp < 0 || (equal && cmp == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

enum bough_err bough_history__row_le(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, uint8_t *row)
{
    size_t len = bough_history__row_len(r, kind), n;
    struct bough_buf chunk;
    enum bough_err err;

    bough_buf_init(&chunk, r->mem);
    err = bough_history__chunk(r, root, kind, key, false, &chunk);
    if (err == BOUGH_OK) {
        n = rows_below(bough_buf_view(&chunk), len, key, true);
        if (n > 0)
            memcpy(row, chunk.ptr + (n - 1) * len, len);
        else
            err = table_broken(r, root);
    }
    bough_buf_fini(&chunk);
    return err;
}

enum bough_err bough_history__row_ge(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, uint8_t *row)
{
    size_t len = bough_history__row_len(r, kind), n = 0;
    struct bough_buf chunk;
    enum bough_err err;

    bough_buf_init(&chunk, r->mem);
    err = bough_history__chunk(r, root, kind, key, false, &chunk);
    if (err == BOUGH_OK)
        n = rows_below(bough_buf_view(&chunk), len, key, false);
    if (err == BOUGH_ENOENT || (err == BOUGH_OK && n * len == chunk.len)) {
        n = 0;
        err = bough_history__chunk(r, root, kind, key, true, &chunk);
    }
    if (err == BOUGH_OK)
        memcpy(row, chunk.ptr + n * len, len);
    bough_buf_fini(&chunk);
    return err;
}

/* ---- Writing ---- */

enum bough_err bough_history__writer_init(struct bough_history__writer *w, struct bough_repo *r)
{
    *w = (struct bough_history__writer){.r = r};
    bough_buf_init(&w->chunk, r->mem);
    return bough_tree_open(r, NULL, &w->tree);
}

void bough_history__writer_fini(struct bough_history__writer *w)
{
    bough_tree_close(w->tree);
    w->tree = NULL;
    bough_buf_fini(&w->chunk);
}

/* What was gathered becomes a blob of the tree. */
static enum bough_err chunk_end(struct bough_history__writer *w)
{
    size_t len = bough_history__row_len(w->r, w->kind);
    char hex[HEX_MAX], path[2 + 2 * (HEX_MAX + 1)];
    struct bough_view name;
    size_t n = 0;
    enum bough_err err;

    if (w->chunk.len == 0)
        return w->chunk.err;
    name = row_name(w->chunk.ptr, len, hex);
    if (w->group_n == 0)
        memcpy(w->group, name.ptr, name.len);
    w->group_n = (w->group_n + 1) % BOUGH_HISTORY__GROUP;
    path[n++] = names[w->kind];
    path[n++] = '/';
    memcpy(path + n, w->group, name.len);
    n += name.len;
    path[n++] = '/';
    memcpy(path + n, name.ptr, name.len);
    n += name.len;
    err = bough_tree_set(w->tree, bough_view(path, n), 0100644, NULL, bough_buf_view(&w->chunk));
    bough_buf_clear(&w->chunk);
    w->waiting++;
    return err;
}

enum bough_err bough_history__writer_put(struct bough_history__writer *w, const uint8_t *row)
{
    size_t len = bough_history__row_len(w->r, w->kind);
    enum bough_err err = BOUGH_OK;

    if (w->chunk.len > 0 && memcmp(w->chunk.ptr + w->chunk.len - len, row, len) == 0)
        return BOUGH_OK;
    if (w->chunk.len + len > BOUGH_HISTORY__CHUNK)
        err = chunk_end(w);
    bough_buf_put(&w->chunk, row, len);
    w->rows++;
    w->commits += w->kind == BOUGH_HISTORY__COMMITS;
    return err ? err : w->chunk.err;
}

enum bough_err bough_history__writer_kind(
    struct bough_history__writer *w, enum bough_history__kind kind)
{
    enum bough_err err = chunk_end(w);

    w->kind = kind;
    w->group_n = 0;
    return err;
}

bool bough_history__writer_full(const struct bough_history__writer *w)
{
    return w->waiting >= WAITING_MAX;
}

static size_t hex16(char *out, uint64_t x)
{
    uint8_t bytes[8];

    bough_put64be(bytes, x);
    return row_name(bytes, sizeof bytes, out).len;
}

struct bough_view bough_history__segment_name(
    const struct bough_history__segment *s, char out[BOUGH_HISTORY__NAME])
{
    size_t n = sizeof BOUGH_HISTORY__REFS - 1;

    memcpy(out, BOUGH_HISTORY__REFS, n);
    n += hex16(out + n, s->serial);
    out[n++] = '-';
    n += hex16(out + n, s->rows);
    out[n++] = '-';
    n += hex16(out + n, s->commits);
    return (struct bough_view){(const uint8_t *)out, n};
}

/* The segment's ref comes, those that it stands for go. */
static enum bough_err refs_change(struct bough_txn *txn, const struct bough_history__segment *now,
    const struct bough_history__segment *old, size_t n)
{
    char name[BOUGH_HISTORY__NAME];
    struct bough_ref_change c = {.kind = BOUGH_REF_ID, .id = now->root};
    enum bough_err err;

    c.name = bough_history__segment_name(now, name);
    err = now->rows > 0 ? bough_txn_ref(txn, &c) : BOUGH_OK;
    c = (struct bough_ref_change){.kind = BOUGH_REF_NONE};
    for (size_t i = 0; i < n && err == BOUGH_OK; i++) {
        c.name = bough_history__segment_name(&old[i], name);
        err = bough_txn_ref(txn, &c);
    }
    return err;
}

enum bough_err bough_history__writer_write(
    struct bough_history__writer *w, bool last, const struct bough_history__segment *old, size_t n)
{
    struct bough_repo *r = w->r;
    struct bough_history__segment now = {.rows = w->rows, .commits = w->commits};
    enum bough_durable durable = r->durable;
    struct bough_txn *txn;
    enum bough_err err = last ? chunk_end(w) : BOUGH_OK;

    if (err == BOUGH_OK)
        err = bough_repo__begin(r);
    if (err)
        return err;
    now.serial = r->history->serial_next;
    err = bough_repo__txn(r, &txn);
    if (err == BOUGH_OK)
        err = bough_tree_write(w->tree, txn, &now.root);
    if (err == BOUGH_OK && last)
        err = refs_change(txn, &now, old, n);
    r->durable = BOUGH_DURABLE_LATER; /* nobody waits for it */
    err = bough_repo__end(r, err);
    r->durable = durable;
    w->waiting = 0;
    if (err == BOUGH_OK && last)
        bough_history__segment_swap(r->history, &now, old, n);
    return err;
}

/* Every ref of the index, whether it can be read or not. */
static enum bough_err refs_drop(struct bough_repo *r, struct bough_txn *txn)
{
    struct bough_view prefix = bough_view_str(BOUGH_HISTORY__REFS);
    struct bough_ref_change c = {.kind = BOUGH_REF_NONE};
    struct bough_ref ref;
    struct bough_buf name;
    enum bough_err err;

    bough_buf_init(&name, r->mem);
    while (
        (err = bough_store_ref_next(r->store, prefix, bough_buf_view(&name), &ref)) == BOUGH_OK) {
        bough_buf_clear(&name);
        bough_buf_put_view(&name, ref.name);
        c.name = bough_buf_view(&name);
        err = name.err ? name.err : bough_txn_ref(txn, &c);
        if (err)
            break;
    }
    bough_buf_fini(&name);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_history__drop(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    enum bough_durable durable = r->durable;
    struct bough_txn *txn;
    enum bough_err err = bough_repo__begin(r);

    if (err)
        return err;
    err = bough_repo__txn(r, &txn);
    if (err == BOUGH_OK)
        err = refs_drop(r, txn);
    r->durable = BOUGH_DURABLE_LATER;
    err = bough_repo__end(r, err);
    r->durable = durable;
    if (err == BOUGH_OK)
        h->segments = 0;
    memset(&h->known, 0, sizeof h->known);
    return err;
}
