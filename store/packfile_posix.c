/*
 * packfile_posix.c - objects read from a pack in a file.
 *
 *   entries    heads, and a reader that inflates forward
 *   chains     from a delta down to the whole object it is made of
 *   bodies     look, read
 *   handles    open
 */
#include "git/delta.h"
#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/inner.h"

enum { CHAIN_MAX = BOUGH_STORE__INTAKE_DEPTH_MAX, IN_PIECE = 16 * 1024 };

/* ---- Entries ---- */

struct entry {
    struct bough_entry_head head;
    uint64_t data; /* where the zlib stream begins */
};

static enum bough_err entry_load(
    const struct bough_store__packfile *p, uint64_t at, struct entry *out)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    size_t n = sizeof raw;
    enum bough_err err;

    if (at >= p->end)
        return BOUGH_ECORRUPT;
    if (n > p->end - at)
        n = (size_t)(p->end - at);
    err = bough_store__pread(p->fd, at, raw, n);
    if (err)
        return err;
    if (bough_entry_head_parse(p->algo, at, bough_view(raw, n), &out->head))
        return BOUGH_ECORRUPT;
    out->data = at + out->head.head_len;
    return BOUGH_OK;
}

/* Reads an entry's data forward. */
struct stream {
    const struct bough_store__packfile *p;
    struct bough_inflater zip;
    uint64_t at;        /* of the next bytes to read */
    size_t have, taken; /* bytes in piece */
    uint8_t piece[IN_PIECE];
};

static enum bough_err stream_begin(
    struct stream *s, const struct bough_store__packfile *p, uint64_t data)
{
    s->p = p;
    s->at = data;
    s->have = s->taken = 0;
    return bough_inflater_init(&s->zip, p->mem);
}

static enum bough_err stream_more(struct stream *s)
{
    uint64_t left = s->p->end - s->at;
    enum bough_err err;

    s->taken = 0;
    s->have = left < IN_PIECE ? (size_t)left : IN_PIECE;
    err = bough_store__pread(s->p->fd, s->at, s->piece, s->have);
    s->at += s->have;
    return err;
}

/* Some of at most `n` bytes. */
static enum bough_err stream_run(struct stream *s, uint8_t *dst, size_t n, size_t *made)
{
    enum bough_err err = s->taken == s->have ? stream_more(s) : BOUGH_OK;
    size_t used;

    *made = 0;
    if (err)
        return err;
    err = bough_inflater_run(
        &s->zip, bough_view(s->piece + s->taken, s->have - s->taken), &used, dst, n, made);
    s->taken += used;
    if (err == BOUGH_EFORMAT || (!err && used == 0 && *made == 0 && !s->zip.done))
        return BOUGH_ECORRUPT; /* bad, or cut short */
    return err;
}

/* Exactly `n` bytes. */
static enum bough_err stream_take(struct stream *s, uint8_t *dst, size_t n)
{
    while (n > 0) {
        size_t made;
        enum bough_err err = stream_run(s, dst, n, &made);

        dst += made;
        n -= made;
        if (err || (n > 0 && s->zip.done))
            return err ? err : BOUGH_ECORRUPT;
    }
    return BOUGH_OK;
}

/* Nothing is left, and the stream's checksum holds. */
static enum bough_err stream_end(struct stream *s)
{
    while (!s->zip.done) {
        uint8_t more;
        size_t made;
        enum bough_err err = stream_run(s, &more, 1, &made);

        if (err || made > 0)
            return err ? err : BOUGH_ECORRUPT;
    }
    return BOUGH_OK;
}

/* The first `n` bytes of an entry's data. */
static enum bough_err entry_inflate(
    const struct bough_store__packfile *p, const struct entry *e, uint8_t *dst, size_t n)
{
    struct stream s;
    enum bough_err err = stream_begin(&s, p, e->data);

    if (err)
        return err;
    err = stream_take(&s, dst, n);
    if (!err && n == e->head.size)
        err = stream_end(&s);
    bough_inflater_fini(&s.zip);
    return err;
}

/* ---- Chains ---- */

struct chain {
    uint64_t *at; /* of the object's own entry, then of its base, ... */
    size_t n, cap;
    struct entry last; /* the whole object */
};

static enum bough_err base_of(
    const struct bough_store__packfile *p, uint64_t at, const struct entry *e, uint64_t *out)
{
    enum bough_err err;

    if (e->head.type == BOUGH_OFS_DELTA) {
        if (e->head.back > at)
            return BOUGH_ECORRUPT;
        *out = at - e->head.back;
        return BOUGH_OK;
    }
    err = p->find(p->ctx, &e->head.base, out);
    return err == BOUGH_ENOENT ? BOUGH_ECORRUPT : err;
}

static void chain_fini(const struct bough_store__packfile *p, struct chain *c)
{
    bough_mem_free(p->mem, c->at, c->cap * sizeof *c->at);
}

/* Release with chain_fini(), also after an error. */
static enum bough_err chain_walk(
    const struct bough_store__packfile *p, uint64_t at, struct chain *c)
{
    *c = (struct chain){.at = NULL};
    for (;;) {
        enum bough_err err = entry_load(p, at, &c->last);
        void *grown = c->at;

        if (!err && c->n == CHAIN_MAX)
            err = BOUGH_ECORRUPT;
        if (!err)
            err = bough_mem_grow(p->mem, &grown, &c->cap, c->n + 1, sizeof *c->at);
        c->at = grown;
        if (err)
            return err;
        c->at[c->n++] = at;
        if (!bough_entry_is_delta(c->last.head.type))
            return BOUGH_OK;
        err = base_of(p, at, &c->last, &at);
        if (err)
            return err;
    }
}

static enum bough_err delta_sizes(
    const struct bough_store__packfile *p, const struct entry *e, struct bough_delta_reader *out)
{
    uint8_t head[BOUGH_DELTA_HEAD_MAX];
    size_t n = e->head.size < sizeof head ? (size_t)e->head.size : sizeof head;
    enum bough_err err = entry_inflate(p, e, head, n);

    if (err)
        return err;
    return bough_delta_open(out, bough_view(head, n)) ? BOUGH_ECORRUPT : BOUGH_OK;
}

/* ---- Bodies ---- */

static enum bough_err look(
    const struct bough_store__packfile *p, const struct chain *c, struct bough_found *out)
{
    struct bough_delta_reader delta;
    struct entry own;
    enum bough_err err;

    *out = (struct bough_found){.type = c->last.head.type, .size = c->last.head.size};
    if (c->n == 1)
        return BOUGH_OK;
    err = entry_load(p, c->at[0], &own);
    if (!err)
        err = delta_sizes(p, &own, &delta);
    if (!err)
        out->size = delta.result_len;
    return err;
}

enum bough_err bough_store__packfile_look(
    const struct bough_store__packfile *p, uint64_t at, struct bough_found *out)
{
    struct chain c;
    enum bough_err err = chain_walk(p, at, &c);

    if (!err)
        err = look(p, &c, out);
    chain_fini(p, &c);
    return err;
}

/* The inflated data of the entry at `at`, as the new content of `out`. */
static enum bough_err data_load(
    const struct bough_store__packfile *p, uint64_t at, struct bough_buf *out)
{
    struct entry e;
    enum bough_err err = entry_load(p, at, &e);
    uint8_t *room;

    if (err)
        return err;
    if (e.head.size > p->object_max)
        return BOUGH_ETOOBIG;
    bough_buf_clear(out);
    room = bough_buf_room(out, (size_t)e.head.size);
    if (room == NULL && e.head.size > 0)
        return out->err;
    out->len = (size_t)e.head.size;
    return entry_inflate(p, &e, room, out->len);
}

/* `base` becomes what the delta at `at` makes of it; `delta` and `made` are scratch. */
static enum bough_err delta_apply(const struct bough_store__packfile *p, uint64_t at,
    struct bough_buf *base, struct bough_buf *delta, struct bough_buf *made)
{
    struct bough_delta_reader r;
    struct bough_buf swap;
    enum bough_err err = data_load(p, at, delta);

    if (err)
        return err;
    if (bough_delta_open(&r, bough_buf_view(delta)))
        return BOUGH_ECORRUPT;
    if (r.result_len > p->object_max)
        return BOUGH_ETOOBIG;
    bough_buf_clear(made);
    if (bough_buf_room(made, (size_t)r.result_len) == NULL && made->err)
        return made->err;
    if (bough_delta_apply(bough_buf_view(base), bough_buf_view(delta), made->ptr, r.result_len))
        return BOUGH_ECORRUPT;
    made->len = (size_t)r.result_len;
    swap = *base;
    *base = *made;
    *made = swap;
    return BOUGH_OK;
}

static enum bough_err chain_read(
    const struct bough_store__packfile *p, const struct chain *c, struct bough_buf *body)
{
    struct bough_buf delta, made;
    enum bough_err err;

    bough_buf_init(&delta, p->mem);
    bough_buf_init(&made, p->mem);
    err = data_load(p, c->at[c->n - 1], body);
    for (size_t i = c->n - 1; i > 0 && !err; i--)
        err = delta_apply(p, c->at[i - 1], body, &delta, &made);
    bough_buf_fini(&delta);
    bough_buf_fini(&made);
    return err;
}

enum bough_err bough_store__packfile_read(const struct bough_store__packfile *p, uint64_t at,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_buf body;
    struct chain c;
    enum bough_err err = chain_walk(p, at, &c);

    bough_buf_init(&body, p->mem);
    *type = c.last.head.type;
    if (!err)
        err = chain_read(p, &c, &body);
    if (!err) {
        bough_buf_put_view(out, bough_buf_view(&body));
        err = out->err;
    }
    bough_buf_fini(&body);
    chain_fini(p, &c);
    return err;
}

/* ---- Handles ---- */

struct handle {
    struct bough_object object;
    struct bough_store__packfile file;
    uint64_t data;
    uint64_t pos; /* bytes of the body that the stream gave */
    bool begun;
    struct stream stream;
};

static enum bough_err handle_seek(struct handle *h, uint64_t at)
{
    uint8_t skipped[4096];
    enum bough_err err = BOUGH_OK;

    if (h->begun && at < h->pos) {
        bough_inflater_fini(&h->stream.zip);
        h->begun = false;
    }
    if (!h->begun) {
        err = stream_begin(&h->stream, &h->file, h->data);
        h->begun = !err;
        h->pos = 0;
    }
    while (!err && h->pos < at) {
        size_t n = at - h->pos < sizeof skipped ? (size_t)(at - h->pos) : sizeof skipped;
        err = stream_take(&h->stream, skipped, n);
        h->pos += n;
    }
    return err;
}

static enum bough_err handle_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct handle *h = (struct handle *)o; /* object is the first field */
    enum bough_err err = handle_seek(h, at);

    if (!err)
        err = stream_take(&h->stream, dst, n);
    h->pos += n;
    if (!err && h->pos == o->size)
        err = stream_end(&h->stream);
    *got = n;
    if (err && h->begun) { /* where the stream stands is not known */
        bough_inflater_fini(&h->stream.zip);
        h->begun = false;
    }
    return err;
}

static void handle_close(struct bough_object *o)
{
    struct handle *h = (struct handle *)o;

    if (h->begun)
        bough_inflater_fini(&h->stream.zip);
    bough_mem_free(h->file.mem, h, sizeof *h);
}

static const struct bough_object_class handle_class = {.read = handle_read, .close = handle_close};

static enum bough_err open_delta(
    const struct bough_store__packfile *p, const struct chain *c, struct bough_object **out)
{
    struct bough_buf body;
    enum bough_err err;

    bough_buf_init(&body, p->mem);
    err = chain_read(p, c, &body);
    if (!err)
        return bough_store__whole_open(p->mem, c->last.head.type, &body, out);
    bough_buf_fini(&body);
    return err;
}

enum bough_err bough_store__packfile_open(
    const struct bough_store__packfile *p, uint64_t at, bool whole_only, struct bough_object **out)
{
    struct handle *h = NULL;
    struct chain c;
    enum bough_err err = chain_walk(p, at, &c);

    if (!err && c.n > 1) {
        err = whole_only ? BOUGH_ENOTSUP : open_delta(p, &c, out);
    } else if (!err) {
        h = bough_mem_zalloc(p->mem, 1, sizeof *h);
        err = h == NULL ? BOUGH_ENOMEM : BOUGH_OK;
    }
    if (h != NULL) {
        h->object =
            (struct bough_object){&handle_class, c.last.head.type, c.last.head.size, false, 0};
        h->file = *p;
        h->data = c.last.data;
        *out = &h->object;
    }
    chain_fini(p, &c);
    return err;
}
