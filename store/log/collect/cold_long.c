/*
 * cold_long.c - long values written anew, a piece at a time: as a delta on the one before in the
 * order of cold.c, which is a newer version as a rule; else compressed, where that pays; else
 * stored.
 *
 *   reading   the old copies, by range; the value against its id
 *   whole     deflated or in stored blocks, piece by piece, or copied as it is
 *   delta     git/delta_long.h
 *
 * What is over SPREAD_MAX and the base of a delta is left as it is, stored: deltas on it are read
 * by range (range.c).  Shorter ones are made in memory when they are asked for.
 */
#include "git/delta_long.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/table_inner.h"

enum {
    PIECE = 65535,               /* bytes of a stored block */
    DELTA_MAX = 2 * 1024 * 1024, /* bytes of one; they are held while they are made */
    SPREAD_MAX = 16 * 1024 * 1024,
    DEPTH_MAX = 8,
    LEVEL = 6,
};

/* One that was packed. */
struct packed {
    struct bough_oid id;
    uint64_t size, at; /* in the segment */
    uint32_t segment, name, depth;
    bool was_stored, stored; /* in stored blocks: where it was; the one that its chain ends in */
};

enum state { IDLE, INDEX, FEED, DEFLATE, STORE };

struct bough_log__long {
    struct bough_delta_base base; /* first: that of the delta */
    struct bough_log *log;
    enum state state;
    struct bough_log__cold_object now;
    bool now_stored, now_delta, next_alike;
    struct bough_object *object; /* the one being packed */
    struct bough_hash hash;      /* of it */
    uint64_t done;               /* bytes of it */
    uint32_t adler;              /* of them */
    bool rotten;                 /* they are not what its id says */
    uint8_t *piece;

    struct packed root, last; /* of the same name; size 0: none */
    const struct packed *on;  /* the one of them that is tried */
    struct bough_object *base_object;
    uint8_t *held; /* its bytes so far, when it must be inflated to be read */
    uint64_t held_len;
    struct bough_delta_long delta;

    struct bough_deflater deflater;
    bool deflating;
};

/* ---- Life ---- */

static void job_end(struct bough_log__long *j)
{
    bough_object_close(j->object);
    bough_object_close(j->base_object);
    bough_delta_long_fini(&j->delta);
    if (j->held != NULL)
        bough_mem_free(j->log->mem, j->held, j->base.len);
    j->held = NULL;
    if (j->deflating)
        bough_deflater_fini(&j->deflater);
    j->object = j->base_object = NULL;
    j->deflating = false;
    j->state = IDLE;
}

void bough_log__long_fini(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;

    if (j == NULL)
        return;
    job_end(j);
    if (j->piece != NULL)
        bough_mem_free(c->log->mem, j->piece, PIECE);
    bough_mem_free(c->log->mem, j, sizeof *j);
    c->lengthy = NULL;
}

static enum bough_err long_ready(struct bough_log__cycle *c)
{
    if (c->lengthy == NULL)
        c->lengthy = bough_mem_zalloc(c->log->mem, 1, sizeof *c->lengthy);
    if (c->lengthy == NULL)
        return BOUGH_ENOMEM;
    c->lengthy->log = c->log;
    if (c->lengthy->piece == NULL)
        c->lengthy->piece = bough_mem_alloc(c->log->mem, PIECE);
    return c->lengthy->piece == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

bool bough_log__long_busy(const struct bough_log__cycle *c)
{
    return c->lengthy != NULL && c->lengthy->state != IDLE;
}

/* ---- Reading ---- */

static enum bough_err read_all(struct bough_object *o, uint64_t at, uint8_t *dst, uint64_t n)
{
    enum bough_err err = BOUGH_OK;

    for (size_t got; !err && n > 0; at += got, dst += got, n -= got)
        err = bough_object_read(o, at, dst, (size_t)n, &got);
    return err;
}

/* What must be inflated to be read is held once it was read: indexing reads all of it in order. */
static enum bough_err base_read(struct bough_delta_base *b, uint64_t at, uint8_t *dst, uint64_t n)
{
    struct bough_log__long *j = (struct bough_log__long *)b; /* base is the first field */
    enum bough_err err = BOUGH_OK;

    if (j->held == NULL) {
        err = read_all(j->base_object, at, dst, n);
    } else {
        if (at + n > j->held_len)
            err =
                read_all(j->base_object, j->held_len, j->held + j->held_len, at + n - j->held_len);
        j->held_len = at + n > j->held_len ? at + n : j->held_len;
        memcpy(dst, j->held + at, (size_t)n);
    }
    return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
}

/* The next piece of the object.  BOUGH_ENOENT: it is rotten. */
static enum bough_err object_piece(struct bough_log__long *j, size_t *n)
{
    uint64_t left = j->now.size - j->done;
    enum bough_err err;

    *n = left < PIECE ? (size_t)left : PIECE;
    err = read_all(j->object, j->done, j->piece, *n);
    if (err && err != BOUGH_ECORRUPT)
        return err;
    j->rotten = err == BOUGH_ECORRUPT;
    bough_hash_update(&j->hash, j->piece, *n);
    j->done += *n;
    if (!j->rotten && j->done == j->now.size) {
        struct bough_oid id = bough_oid_end(&j->hash);
        j->rotten = !bough_oid_eq(&id, &j->now.id);
    }
    return j->rotten ? BOUGH_ENOENT : BOUGH_OK;
}

static void object_rewind(struct bough_log__long *j)
{
    j->done = 0;
    j->adler = 1;
    bough_oid_begin(&j->hash, j->log->geo.algo, BOUGH_BLOB, j->now.size);
}

/* ---- Whole ---- */

/* What comes after may be a delta on this one. */
static void packed_note(struct bough_log__cycle *c, uint64_t at, uint32_t depth, bool stored)
{
    struct bough_log__long *j = c->lengthy;

    j->last = (struct packed){
        j->now.id, j->now.size, at, c->seg.number, j->now.name, depth, j->now_stored, stored};
    if (depth == 0)
        j->root = j->last;
}

void bough_log__long_spoilt(struct bough_log__cycle *c)
{
    if (c->lengthy != NULL)
        c->lengthy->last.size = c->lengthy->root.size = 0;
}

static enum bough_err whole_copy(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    struct bough_log__row row = {.id = j->now.id, .where = j->now.where};

    packed_note(c, c->seg.run.len, 0, j->now_stored);
    job_end(j);
    return bough_log__row_copy(c, &row);
}

/* Does its first piece get smaller?  Who deflated it before may have been in a hurry. */
static bool is_worth_deflating(struct bough_log__long *j)
{
    struct bough_buf zlib;
    bool worth = false;
    size_t n = j->now.size < PIECE ? (size_t)j->now.size : PIECE;

    if (j->now.size > SPREAD_MAX && (j->next_alike || !(j->now_stored || j->now_delta)))
        return false;
    bough_buf_init(&zlib, j->log->mem);
    if (read_all(j->object, 0, j->piece, n) == BOUGH_OK) {
        bough_deflate(&zlib, bough_view(j->piece, n), LEVEL);
        worth = !zlib.err && zlib.len < n - n / 10;
    }
    bough_buf_fini(&zlib);
    return worth;
}

static enum bough_err whole_begin(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = j->now.size};
    enum bough_err err;

    j->state = !j->rotten && is_worth_deflating(j) ? DEFLATE : STORE;
    if (j->state == STORE && !j->now_delta)
        return whole_copy(c);
    err = j->state == STORE ? BOUGH_OK : bough_deflater_init(&j->deflater, c->log->mem, LEVEL);
    if (err)
        return err;
    j->deflating = j->state == DEFLATE;
    object_rewind(j);
    packed_note(c, c->seg.run.len, 0, j->state == STORE);
    return bough_log__entry_begin(c, &j->now.id, &head);
}

/* The piece of `n` bytes as a stored block, with the stream's ends where it is the first or last. */
static void block_put(struct bough_log__long *j, size_t n, struct bough_buf *zlib)
{
    bool first = j->done == n, last = j->done == j->now.size;
    uint8_t head[] = {0x78, 0x01, last, 0, 0, 0, 0}, sum[4];

    bough_put16le(head + 3, (uint16_t)n);
    bough_put16le(head + 5, (uint16_t)~n);
    bough_buf_put(zlib, head + (first ? 0 : 2), first ? 7 : 5);
    bough_buf_put(zlib, j->piece, n);
    j->adler = bough_adler32(j->adler, j->piece, n);
    bough_put32be(sum, j->adler);
    if (last)
        bough_buf_put(zlib, sum, sizeof sum);
}

static enum bough_err whole_step(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    struct bough_buf zlib;
    size_t n;
    enum bough_err err = object_piece(j, &n);

    if (err && !j->rotten)
        return err;
    bough_buf_init(&zlib, c->log->mem);
    if (j->state == STORE)
        block_put(j, n, &zlib);
    err = j->state == STORE ? BOUGH_OK
                            : bough_deflater_run(&j->deflater, bough_view(j->piece, n),
                                  j->done == j->now.size, &zlib);
    if (!err)
        err = zlib.err;
    if (!err)
        err = bough_log__entry_bytes(c, bough_buf_view(&zlib));
    bough_buf_fini(&zlib);
    if (!err && (j->rotten || j->done == j->now.size)) {
        bough_log__entry_end(c, !j->rotten);
        job_end(j);
    }
    return err;
}

/* ---- Delta ---- */

static bool is_alike(const struct bough_log__long *j, const struct packed *p)
{
    return p->size != 0 && p->name == j->now.name && p->depth < DEPTH_MAX &&
           ((p->stored && p->was_stored) || (p->size <= SPREAD_MAX && j->now.size <= SPREAD_MAX)) &&
           p->size / 8 <= j->now.size && j->now.size / 8 <= p->size;
}

static enum bough_err delta_begin(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    uint64_t most = j->now.size / 4 < DELTA_MAX ? j->now.size / 4 : DELTA_MAX;
    enum bough_err err;

    j->on = is_alike(j, &j->last) ? &j->last : is_alike(j, &j->root) ? &j->root : NULL;
    if (j->on == NULL)
        return whole_begin(c);
    err = bough_store_object_open(&c->log->store, &j->on->id, &j->base_object);
    if (err)
        return err;
    j->base = (struct bough_delta_base){base_read, j->on->size};
    j->held_len = 0;
    j->state = INDEX;
    if (!j->on->was_stored)
        j->held = bough_mem_alloc(c->log->mem, j->on->size);
    if (!j->on->was_stored && j->held == NULL)
        return BOUGH_ENOMEM;
    return bough_delta_long_init(&j->delta, c->log->mem, &j->base, j->now.size, most);
}

static enum bough_err delta_write(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    struct bough_entry_head head = {
        .type = BOUGH_REF_DELTA, .size = j->delta.out.len, .base = j->on->id};
    uint64_t at = c->seg.run.len;
    uint32_t depth = j->on->depth + 1;
    bool stored = j->on->stored;
    enum bough_err err;

    if (j->on->segment == c->seg.number) {
        head.type = BOUGH_OFS_DELTA;
        head.back = at - j->on->at;
    }
    err = bough_log__entry_write(c, &j->now.id, &head, bough_buf_view(&j->delta.out), LEVEL);
    if (!err)
        packed_note(c, at, depth, stored);
    job_end(j);
    return err;
}

static enum bough_err delta_step(struct bough_log__cycle *c)
{
    struct bough_log__long *j = c->lengthy;
    enum bough_err err;
    size_t n;

    if (j->state == INDEX) {
        err = bough_delta_long_index(&j->delta, PIECE);
        j->state = err == BOUGH_OK ? FEED : INDEX;
        err = err == BOUGH_EAGAIN ? BOUGH_OK : err;
    } else if (j->done < j->now.size) {
        err = object_piece(j, &n);
        if (!err)
            err = bough_delta_long_feed(&j->delta, bough_view(j->piece, n));
    } else {
        err = bough_delta_long_end(&j->delta);
        return err == BOUGH_ENOENT ? whole_begin(c) : err ? err : delta_write(c);
    }
    if (err != BOUGH_ENOENT)
        return err;
    bough_delta_long_fini(&j->delta); /* they are not alike */
    return whole_begin(c);
}

/* ---- Face ---- */

static enum bough_err job_begin(
    struct bough_log__cycle *c, const struct bough_log__cold_object *o, bool next_alike)
{
    enum bough_err err = long_ready(c);
    struct bough_log__entry e;
    struct bough_log__long *j = c->lengthy;

    if (!err)
        err = bough_log__entry_open(c->log, o->where, &e);
    if (err)
        return err;
    j->now = *o;
    j->rotten = false;
    j->next_alike = next_alike;
    j->now_delta = bough_entry_is_delta(e.head.type);
    j->now_stored = !j->now_delta && e.len - e.head.head_len == bough_zip_stored_len(e.head.size);
    err = bough_store_object_open(&c->log->store, &o->id, &j->object);
    if (!err)
        object_rewind(j);
    return err;
}

/* To those who call steps, BOUGH_ENOENT says that all is done. */
static enum bough_err never_done(struct bough_log__cycle *c, enum bough_err err)
{
    if (err)
        job_end(c->lengthy);
    return err == BOUGH_ENOENT
               ? bough_log__corrupt(c->log, "a value is not where it was", c->lengthy->now.where)
               : err;
}

enum bough_err bough_log__long_begin(
    struct bough_log__cycle *c, const struct bough_log__cold_object *o, bool next_alike)
{
    enum bough_err err = job_begin(c, o, next_alike);

    return err == BOUGH_ENOMEM ? err : never_done(c, err ? err : delta_begin(c));
}

enum bough_err bough_log__long_whole(
    struct bough_log__cycle *c, const struct bough_log__cold_object *o)
{
    enum bough_err err = job_begin(c, o, false);

    return err == BOUGH_ENOMEM ? err : never_done(c, err ? err : whole_begin(c));
}

enum bough_err bough_log__long_step(struct bough_log__cycle *c)
{
    enum state state = c->lengthy->state;
    enum bough_err err = state == DEFLATE || state == STORE ? whole_step(c) : delta_step(c);

    return never_done(c, err);
}
