/*
 * mem_pack.c - objects of the memory engine, read wherever they are.
 *
 *   packs      bytes that objects share
 *   seeing     tables laid over each other
 *   chains     from an entry down to a whole body, and up again through the deltas
 *   handles    on a body, or on a zlib stream that is inflated forward
 */
#include "base/zip.h"
#include "git/delta.h"
#include "git/entry.h"
#include "store/engine.h"
#include "store/inner.h"
#include "store/mem_inner.h"

/* ---- Packs ---- */

struct bough_store__mem_pack *bough_store__mem_pack_new(struct bough_mem *mem)
{
    struct bough_store__mem_pack *pack = bough_mem_zalloc(mem, 1, sizeof *pack);

    if (pack == NULL)
        return NULL;
    pack->holders = 1;
    bough_buf_init(&pack->bytes, mem);
    return pack;
}

void bough_store__mem_pack_drop(struct bough_store__mem_pack *pack)
{
    struct bough_mem *mem;

    if (pack == NULL || --pack->holders > 0)
        return;
    mem = pack->bytes.mem;
    bough_buf_fini(&pack->bytes);
    bough_mem_free(mem, pack, sizeof *pack);
}

/* ---- Seeing ---- */

struct bough_store__mem_object *bough_store__mem_see(
    const struct bough_store__mem_sight *sight, const struct bough_oid *id)
{
    struct bough_store__mem_object *o = bough_store__mem_objects_find(sight->of[0], id);

    if (o == NULL && sight->of[1] != NULL)
        o = bough_store__mem_objects_find(sight->of[1], id);
    return o;
}

/* ---- Chains ---- */

/* A zlib stream (and whatever follows it in its pack), and what it inflates to. */
struct stream {
    struct bough_view packed;
    uint64_t size;
};

struct chain {
    struct stream *deltas; /* from the object downward */
    size_t n, cap;
    struct bough_view body; /* what the last one applies to, when it lies whole in memory */
    struct stream root;     /* else */
    bool whole;
};

/* The entry at `at`: its head, and its stream. */
static enum bough_err entry_at(enum bough_algo algo, const struct bough_store__mem_pack *pack,
    uint64_t at, struct bough_entry_head *head, struct stream *out)
{
    struct bough_view v = bough_buf_view(&pack->bytes);

    if (at >= v.len)
        return BOUGH_ECORRUPT;
    v = bough_view(v.ptr + at, v.len - (size_t)at);
    if (bough_entry_head_parse(algo, at, v, head))
        return BOUGH_ECORRUPT;
    *out = (struct stream){bough_view(v.ptr + head->head_len, v.len - head->head_len), head->size};
    return BOUGH_OK;
}

static enum bough_err chain_push(struct chain *c, struct bough_mem *mem, struct stream delta)
{
    void *ptr = c->deltas;
    enum bough_err err = BOUGH_OK;

    if (c->n == c->cap)
        err = bough_mem_grow(mem, &ptr, &c->cap, c->n + 1, sizeof *c->deltas);
    if (err)
        return err;
    c->deltas = ptr;
    c->deltas[c->n++] = delta;
    return BOUGH_OK;
}

static enum bough_err chain_build(const struct bough_store__mem_sight *sight,
    const struct bough_store__mem_object *o, struct chain *c)
{
    const struct bough_store__mem_pack *pack = o->pack;
    uint64_t at = o->at;

    *c = (struct chain){.n = 0};
    while (pack != NULL) {
        struct bough_entry_head head;
        struct stream stream;
        enum bough_err err = entry_at(sight->algo, pack, at, &head, &stream);
        if (!err && !bough_entry_is_delta(head.type)) {
            c->root = stream;
            return BOUGH_OK;
        }
        if (!err)
            err = chain_push(c, sight->mem, stream);
        if (err)
            return err;
        if (head.type == BOUGH_OFS_DELTA) {
            at -= head.back;
            continue;
        }
        o = bough_store__mem_see(sight, &head.base);
        if (o == NULL)
            return BOUGH_ECORRUPT;
        pack = o->pack;
        at = o->at;
    }
    c->whole = true;
    c->body = bough_view(o->body, o->size);
    return BOUGH_OK;
}

static enum bough_err stream_inflate(struct bough_mem *mem, struct stream s, struct bough_buf *out)
{
    uint8_t *dst;
    size_t used;
    enum bough_err err;

    bough_buf_clear(out);
    if (s.size > SIZE_MAX)
        return BOUGH_ENOMEM;
    dst = bough_buf_room(out, (size_t)s.size);
    if (dst == NULL)
        return out->err ? out->err : BOUGH_ENOMEM;
    err = bough_inflate(mem, s.packed, dst, (size_t)s.size, &used);
    if (err)
        return err == BOUGH_EFORMAT ? BOUGH_ECORRUPT : err;
    out->len = (size_t)s.size;
    return BOUGH_OK;
}

/* Append what `delta` makes of `base` to `out`. */
static enum bough_err delta_put(
    struct bough_view base, struct bough_view delta, struct bough_buf *out)
{
    struct bough_delta_reader r;
    uint8_t *dst;

    if (bough_delta_open(&r, delta) || r.result_len > SIZE_MAX)
        return BOUGH_ECORRUPT;
    dst = bough_buf_room(out, (size_t)r.result_len);
    if (dst == NULL)
        return out->err ? out->err : BOUGH_ENOMEM;
    if (bough_delta_apply(base, delta, dst, r.result_len))
        return BOUGH_ECORRUPT;
    out->len += (size_t)r.result_len;
    return BOUGH_OK;
}

/* Up through the deltas: each makes the base of the one before. */
static enum bough_err chain_apply(
    const struct chain *c, struct bough_mem *mem, struct bough_buf work[3], struct bough_buf *out)
{
    struct bough_view base = c->body;
    enum bough_err err = BOUGH_OK;

    if (!c->whole) {
        err = stream_inflate(mem, c->root, &work[0]);
        base = bough_buf_view(&work[0]);
    }
    for (size_t i = c->n; i > 0 && !err; i--) {
        struct bough_buf *to = &work[1 + i % 2];
        struct bough_buf delta;

        bough_buf_init(&delta, mem);
        bough_buf_clear(to);
        err = stream_inflate(mem, c->deltas[i - 1], &delta);
        if (!err)
            err = delta_put(base, bough_buf_view(&delta), to);
        base = bough_buf_view(to);
        bough_buf_fini(&delta);
    }
    if (!err) {
        bough_buf_put_view(out, base);
        err = out->err;
    }
    return err;
}

enum bough_err bough_store__mem_object_read(const struct bough_store__mem_sight *sight,
    const struct bough_store__mem_object *o, struct bough_buf *out)
{
    struct bough_buf work[3];
    struct chain c;
    enum bough_err err;

    if (o->pack == NULL) {
        bough_buf_put(out, o->body, o->size);
        return out->err;
    }
    for (size_t i = 0; i < 3; i++)
        bough_buf_init(&work[i], sight->mem);
    err = chain_build(sight, o, &c);
    if (!err)
        err = chain_apply(&c, sight->mem, work, out);
    for (size_t i = 0; i < 3; i++)
        bough_buf_fini(&work[i]);
    bough_mem_free(sight->mem, c.deltas, c.cap * sizeof *c.deltas);
    return err;
}

/* ---- Handles ---- */

struct handle {
    struct bough_object object;
    struct bough_mem *mem;
    struct bough_store__mem_object *held;
    struct stream stream; /* of an object in a pack */
    struct bough_inflater zip;
};

static struct handle *handle_of(struct bough_object *o)
{
    return (struct handle *)o; /* object is the first field */
}

static enum bough_err body_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    memcpy(dst, handle_of(o)->held->body + at, n);
    *got = n;
    return BOUGH_OK;
}

static void body_close(struct bough_object *o)
{
    struct handle *h = handle_of(o);

    bough_store__mem_object_drop(h->mem, h->held);
    bough_mem_free(h->mem, h, sizeof *h);
}

static enum bough_err zip_inflate(struct handle *h, uint8_t *dst, size_t n, size_t *made)
{
    struct bough_view src =
        bough_view(h->stream.packed.ptr + h->zip.in, h->stream.packed.len - (size_t)h->zip.in);
    size_t used;
    enum bough_err err = bough_inflater_run(&h->zip, src, &used, dst, n, made);

    if (err)
        return err == BOUGH_EFORMAT ? BOUGH_ECORRUPT : err;
    return *made > 0 ? BOUGH_OK : BOUGH_ECORRUPT;
}

/* Forward from where the last read ended; back means from the start. */
static enum bough_err zip_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct handle *h = handle_of(o);
    uint8_t skipped[1024];
    enum bough_err err = BOUGH_OK;
    size_t made;

    if (at < h->zip.out)
        err = bough_inflater_reset(&h->zip);
    while (!err && h->zip.out < at) {
        uint64_t gap = at - h->zip.out;
        err = zip_inflate(h, skipped, gap < sizeof skipped ? (size_t)gap : sizeof skipped, &made);
    }
    return err ? err : zip_inflate(h, dst, n, got);
}

static void zip_close(struct bough_object *o)
{
    bough_inflater_fini(&handle_of(o)->zip);
    body_close(o);
}

static const struct bough_object_class body_class = {.read = body_read, .close = body_close};
static const struct bough_object_class zip_class = {.read = zip_read, .close = zip_close};

/* An object that is a delta is held whole. */
static enum bough_err open_delta(const struct bough_store__mem_sight *sight,
    const struct bough_store__mem_object *o, struct bough_object **out)
{
    struct bough_buf body;
    enum bough_err err;

    bough_buf_init(&body, sight->mem);
    err = bough_store__mem_object_read(sight, o, &body);
    if (err) {
        bough_buf_fini(&body);
        return err;
    }
    return bough_store__whole_open(sight->mem, o->type, &body, out);
}

enum bough_err bough_store__mem_object_open(const struct bough_store__mem_sight *sight,
    struct bough_store__mem_object *o, struct bough_object **out)
{
    struct stream stream = {.size = 0};
    struct bough_entry_head head;
    struct handle *h;
    enum bough_err err = BOUGH_OK;

    if (o->pack != NULL) {
        err = entry_at(sight->algo, o->pack, o->at, &head, &stream);
        if (!err && bough_entry_is_delta(head.type))
            return open_delta(sight, o, out);
    }
    if (err)
        return err;
    h = bough_mem_zalloc(sight->mem, 1, sizeof *h);
    if (h == NULL)
        return BOUGH_ENOMEM;
    h->object = (struct bough_object){
        o->pack != NULL ? &zip_class : &body_class, o->type, o->size, false, 0};
    h->mem = sight->mem;
    h->stream = stream;
    if (o->pack != NULL)
        err = bough_inflater_init(&h->zip, sight->mem);
    if (err) {
        bough_mem_free(sight->mem, h, sizeof *h);
        return err;
    }
    h->held = o;
    o->holders++;
    *out = &h->object;
    return BOUGH_OK;
}
