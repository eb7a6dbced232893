/*
 * intake_entry.c - entries read back from the area.
 *
 *   short entries   read whole, checked against their CRC, inflated at once
 *   long entries    read and inflated in pieces
 *   compare         a large blob streams by the store's
 *   append          a base that the pack lacks
 *
 * What pass 1 found good must be good again: anything else is the area's
 * fault, BOUGH_ECORRUPT.
 */
#include "git/delta.h"
#include "store/intake_inner.h"

enum { ENTRY_SHORT = 256 * 1024 }; /* bytes of an entry that is read whole */
enum { DELTA_KEEP = 1 << 20 };     /* bytes of a buffer that is kept for the next delta */

static enum bough_err area_corrupt(struct bough_store__intake *in, uint32_t i)
{
    (void)bough_store__intake_fail(
        in, BOUGH_ECORRUPT, "a received pack changed where it lay", bough_store__node(in, i)->at);
    return BOUGH_ECORRUPT;
}

/* Bytes [at, at + n) of the area, until the next call. */
static enum bough_err area_lend(
    struct bough_store__intake *in, uint64_t at, size_t n, struct bough_view *out)
{
    const struct bough_store__intake_host_class *cls = in->host->cls;
    const uint8_t *p = cls->map ? cls->map(in->host, at, n) : NULL;
    enum bough_err err;
    uint8_t *to;

    if (p == NULL) {
        bough_buf_clear(&in->packed);
        to = bough_buf_room(&in->packed, n);
        if (to == NULL)
            return in->packed.err;
        err = cls->read(in->host, at, to, n);
        if (err)
            return err;
        p = to;
    }
    *out = bough_view(p, n);
    return BOUGH_OK;
}

/* The entry's head, from its first bytes. */
static enum bough_err head_of(
    struct bough_store__intake *in, uint32_t i, struct bough_view raw, struct bough_entry_head *out)
{
    enum bough_err err = bough_entry_head_parse(in->algo, bough_store__node(in, i)->at, raw, out);

    return err ? area_corrupt(in, i) : BOUGH_OK;
}

static enum bough_err short_inflate(
    struct bough_store__intake *in, uint32_t i, size_t packed_len, uint8_t *dst, uint64_t len)
{
    struct bough_entry_head head;
    struct bough_view raw;
    size_t used;
    enum bough_err err = area_lend(in, bough_store__node(in, i)->at, packed_len, &raw);

    if (err)
        return err;
    if (bough_crc32(0, raw.ptr, raw.len) != bough_store__node(in, i)->crc)
        return area_corrupt(in, i);
    err = head_of(in, i, raw, &head);
    if (err)
        return err;
    raw = bough_view(raw.ptr + head.head_len, raw.len - head.head_len);
    err = bough_inflate(in->mem, raw, dst, (size_t)len, &used);
    return err == BOUGH_EFORMAT ? area_corrupt(in, i) : err;
}

/* Make the stream stand after the head of entry `i`. */
static enum bough_err stream_open(
    struct bough_store__intake *in, uint32_t i, struct bough_store__stream *s)
{
    uint64_t at = bough_store__node(in, i)->at, end = bough_store__node_end(in, i);
    size_t n = end - at < BOUGH_ENTRY_HEAD_MAX ? (size_t)(end - at) : BOUGH_ENTRY_HEAD_MAX;
    struct bough_entry_head head;
    struct bough_view raw;
    enum bough_err err = area_lend(in, at, n, &raw);

    if (!err)
        err = head_of(in, i, raw, &head);
    if (err)
        return err;
    err = s->zip.z == NULL ? bough_inflater_init(&s->zip, in->mem) : bough_inflater_reset(&s->zip);
    s->open = !err;
    s->at = at + head.head_len;
    s->end = end;
    s->out = 0;
    return err;
}

/* Inflate the stream's next bytes; *made is 0 only at its end. */
static enum bough_err stream_read(struct bough_store__intake *in, uint32_t i,
    struct bough_store__stream *s, uint8_t *dst, size_t cap, size_t *made)
{
    *made = 0;
    while (*made == 0 && !s->zip.done) {
        uint64_t left = s->end - s->at;
        size_t n = left < BOUGH_STORE__PIECE ? (size_t)left : BOUGH_STORE__PIECE, used;
        struct bough_view raw;
        enum bough_err err;

        if (n == 0)
            return area_corrupt(in, i);
        err = area_lend(in, s->at, n, &raw);
        if (!err)
            err = bough_inflater_run(&s->zip, raw, &used, dst, cap, made);
        if (err)
            return err == BOUGH_EFORMAT ? area_corrupt(in, i) : err;
        if (used == 0 && *made == 0 && !s->zip.done)
            return area_corrupt(in, i);
        s->at += used;
        s->out += *made;
    }
    return BOUGH_OK;
}

static enum bough_err long_inflate(
    struct bough_store__intake *in, uint32_t i, uint8_t *dst, uint64_t len)
{
    enum bough_err err = stream_open(in, i, &in->stream);
    uint8_t over;
    size_t made;

    while (!err && in->stream.out < len)
        err = stream_read(
            in, i, &in->stream, dst + in->stream.out, (size_t)(len - in->stream.out), &made);
    in->stream.open = false;
    if (err)
        return err;
    err = stream_read(in, i, &in->stream, &over, 1, &made);
    return !err && made > 0 ? area_corrupt(in, i) : err;
}

enum bough_err bough_store__entry_inflate(
    struct bough_store__intake *in, uint32_t i, uint8_t *dst, uint64_t len)
{
    uint64_t packed_len = bough_store__node_end(in, i) - bough_store__node(in, i)->at;
    enum bough_err err = bough_store__intake_work(in, len);

    if (err)
        return err;
    if (packed_len <= ENTRY_SHORT)
        return short_inflate(in, i, (size_t)packed_len, dst, len);
    return long_inflate(in, i, dst, len);
}

enum bough_err bough_store__entry_delta(struct bough_store__intake *in, uint32_t i)
{
    uint64_t len = bough_store__node(in, i)->size; /* of the delta: it is not resolved yet, */
    uint8_t *to;

    if (bough_store__node(in, i)->flags & BOUGH_STORE__RESOLVED) { /* or is made once more */
        struct bough_entry_head head;
        struct bough_view raw;
        uint64_t at = bough_store__node(in, i)->at, left = bough_store__node_end(in, i) - at;
        enum bough_err err = area_lend(
            in, at, left < BOUGH_ENTRY_HEAD_MAX ? (size_t)left : BOUGH_ENTRY_HEAD_MAX, &raw);

        if (!err)
            err = head_of(in, i, raw, &head);
        if (err)
            return err;
        len = head.size;
    }
    if (in->delta.cap > DELTA_KEEP && len < DELTA_KEEP)
        bough_buf_fini(&in->delta);
    bough_buf_clear(&in->delta);
    to = bough_buf_room(&in->delta, (size_t)len);
    if (to == NULL)
        return in->delta.err;
    in->delta.len = (size_t)len;
    return bough_store__entry_inflate(in, i, to, len);
}

enum bough_err bough_store__entry_compare(struct bough_store__intake *in, uint32_t i, bool *more)
{
    const struct bough_store__node *node = bough_store__node(in, i);
    struct bough_oid id = bough_oid_raw(in->algo, bough_store__node_id(in, i));
    struct bough_found found = {.type = (enum bough_type)node->type, .size = node->size};
    struct bough_store__stream *s = &in->stream;
    enum bough_err err = BOUGH_OK;
    uint64_t at;
    uint8_t *to;
    size_t made;

    if (!s->open)
        err = stream_open(in, i, s);
    if (err)
        return err;
    bough_buf_clear(&in->delta);
    to = bough_buf_room(&in->delta, BOUGH_STORE__PIECE);
    if (to == NULL)
        return in->delta.err;
    at = s->out;
    err = stream_read(in, i, s, to, BOUGH_STORE__PIECE, &made);
    if (err)
        return err;
    in->spent += made;
    *more = made > 0;
    if (!*more) {
        s->open = false;
        return at == node->size ? BOUGH_OK : area_corrupt(in, i);
    }
    err = in->host->cls->compare(in->host, &id, &found, at, bough_view(to, made));
    return err == BOUGH_EFORMAT
               ? bough_store__intake_fail_id(in, err, "collision with a stored object", &id)
               : err;
}

enum bough_err bough_store__entry_append(struct bough_store__intake *in, const struct bough_oid *id,
    enum bough_type type, struct bough_view body, uint32_t *out)
{
    struct bough_entry_head head = {.type = type, .size = body.len};
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    struct bough_store__node *node;
    enum bough_err err;

    bough_buf_clear(&in->packed);
    bough_buf_put(&in->packed, raw, bough_entry_head_write(in->algo, &head, raw));
    bough_deflate(&in->packed, body, 1);
    if (in->packed.err)
        return in->packed.err;
    err = bough_store__node_add(in, out);
    if (err)
        return err;
    node = bough_store__node(in, *out);
    node->at = in->area_len;
    node->size = body.len;
    node->crc = bough_crc32(0, in->packed.ptr, in->packed.len);
    node->type = node->stored = (uint8_t)type;
    node->order = in->resolved++;
    node->flags = BOUGH_STORE__RESOLVED | BOUGH_STORE__KNOWN | BOUGH_STORE__APPENDED;
    memcpy(bough_store__node_id(in, *out), id->bytes, in->id_len);
    err = in->host->cls->append(in->host, bough_buf_view(&in->packed));
    in->area_len += in->packed.len;
    return err;
}
