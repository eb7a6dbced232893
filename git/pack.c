/*
 * pack.c - a pack read from a stream.
 *
 *   limits, failing
 *   flush      what a feed took goes to the digest and the visitor in one piece
 *   stage      collects a head that a feed's end cuts
 *   states     header, entry head, data, digest: each takes what it can
 *   feed       runs them
 *
 *     HEADER -> HEAD -> DATA -> HEAD ... -> DIGEST -> DONE
 *
 * Invariants: r->at counts the bytes taken; of the feed under way, bytes
 * before `flushed` are in r->sum and were heard by the visitor, bytes before
 * `summed` are in the entry's CRC.  In DATA, r->window holds window_len bytes
 * that the visitor has not heard; r->got counts inflated bytes, these too.
 */
#include "git/pack.h"
#include "git/delta.h"

enum { HEADER, HEAD, DATA, DIGEST, DONE };

/* Stored deflate blocks grow by 5 bytes each 64 KiB, and zlib adds 6. */
enum { PACKED_SLACK = 64 };

/* The bytes of one feed. */
struct feed {
    struct bough_view src;
    size_t pos; /* taken so far */
    size_t flushed;
    size_t summed;
};

/* Put the defaults where there is 0. */
static void limits_fill(struct bough_pack_limits *l)
{
    if (l->object_max == 0)
        l->object_max = (uint64_t)512 << 20;
    if (l->inflated_factor == 0)
        l->inflated_factor = 1000;
    if (l->inflated_base == 0)
        l->inflated_base = (uint64_t)64 << 20;
    if (l->count_max == 0)
        l->count_max = 50 * 1000 * 1000;
}

/* Say where it failed: a byte of the pack for bad bytes, the limit for a limit. */
static enum bough_err fail(
    struct bough_pack_reader *r, enum bough_err err, const char *what, uint64_t at)
{
    (void)BOUGH_WHY(r->why, err, what, NULL, 0);
    if (r->why != NULL)
        r->why->at = at;
    return err;
}

enum bough_err bough_pack_reader_init(struct bough_pack_reader *r, struct bough_mem *mem,
    enum bough_algo algo, struct bough_pack_visitor *visitor,
    const struct bough_pack_limits *limits, struct bough_why *why)
{
    enum bough_err err;

    *r = (struct bough_pack_reader){.mem = mem, .algo = algo, .visitor = visitor, .why = why};
    if (limits != NULL)
        r->limits = *limits;
    limits_fill(&r->limits);
    bough_hash_init(&r->sum, algo);
    r->window = (uint8_t *)bough_mem_alloc(mem, BOUGH_PACK_WINDOW);
    if (r->window == NULL)
        return BOUGH_ENOMEM;
    err = bough_inflater_init(&r->zip, mem);
    if (err)
        bough_mem_free(mem, r->window, BOUGH_PACK_WINDOW);
    return err;
}

void bough_pack_reader_fini(struct bough_pack_reader *r)
{
    bough_inflater_fini(&r->zip);
    bough_mem_free(r->mem, r->window, BOUGH_PACK_WINDOW);
    r->window = NULL;
}

/* ---- what a feed took ---- */

static void crc_flush(struct bough_pack_reader *r, struct feed *f)
{
    r->entry.crc = bough_crc32(r->entry.crc, f->src.ptr + f->summed, f->pos - f->summed);
    f->summed = f->pos;
}

/* To the digest (not the digest itself) and to the visitor. */
static enum bough_err raw_flush(struct bough_pack_reader *r, struct feed *f)
{
    struct bough_view took = bough_view(f->src.ptr + f->flushed, f->pos - f->flushed);

    if (took.len == 0)
        return BOUGH_OK;
    if (r->state < DIGEST)
        bough_hash_update(&r->sum, took.ptr, took.len);
    f->flushed = f->pos;
    return r->visitor->cls->raw ? r->visitor->cls->raw(r->visitor, took) : BOUGH_OK;
}

static void take(struct bough_pack_reader *r, struct feed *f, size_t n)
{
    f->pos += n;
    r->at += n;
}

/* Collect `n` bytes in r->stage; false when the feed ends before. */
static bool stage_fill(struct bough_pack_reader *r, struct feed *f, size_t n)
{
    size_t lack = n - r->stage_len, has = f->src.len - f->pos;
    size_t got = has < lack ? has : lack;

    if (got > 0)
        memcpy(r->stage + r->stage_len, f->src.ptr + f->pos, got);
    r->stage_len += got;
    take(r, f, got);
    return got == lack;
}

/* ---- header ---- */

static enum bough_err header_read(struct bough_pack_reader *r, struct feed *f)
{
    uint32_t version;

    if (!stage_fill(r, f, BOUGH_PACK_HEAD_LEN))
        return BOUGH_EAGAIN;
    r->stage_len = 0;
    version = bough_get32be(r->stage + 4);
    if (memcmp(r->stage, "PACK", 4) != 0)
        return fail(r, BOUGH_EFORMAT, "pack signature expected", 0);
    if (version != 2 && version != 3)
        return fail(r, BOUGH_EFORMAT, "pack version unknown", 4);
    r->count = bough_get32be(r->stage + 8);
    if (r->count > r->limits.count_max)
        return fail(r, BOUGH_ETOOBIG, "too many objects in the pack", r->limits.count_max);
    r->state = HEAD;
    return r->visitor->cls->start ? r->visitor->cls->start(r->visitor, r->count) : BOUGH_OK;
}

/* ---- entry head ---- */

/* The parse of what is staged and what follows it; takes the head's bytes when it is whole. */
static enum bough_err head_parse(struct bough_pack_reader *r, struct feed *f)
{
    struct bough_entry_head *h = &r->entry.head;
    size_t staged = r->stage_len, has = f->src.len - f->pos;
    struct bough_view src;
    enum bough_err err;

    if (staged == 0) {
        src = bough_view(f->src.ptr + f->pos, has);
    } else {
        size_t room = sizeof r->stage - staged, n = has < room ? has : room;

        if (n > 0)
            memcpy(r->stage + staged, f->src.ptr + f->pos, n);
        src = bough_view(r->stage, staged + n);
    }
    err = bough_entry_head_parse(r->algo, r->entry.at, src, h);
    if (err == BOUGH_EAGAIN)
        stage_fill(r, f, src.len);
    else if (!err)
        take(r, f, h->head_len - staged);
    if (err == BOUGH_EFORMAT)
        return fail(r, err, "bad pack entry head", r->entry.at);
    return err;
}

/* May such an entry be at all? */
static enum bough_err head_check(struct bough_pack_reader *r)
{
    const struct bough_entry_head *h = &r->entry.head;

    if (h->type != BOUGH_BLOB && h->size > r->limits.object_max)
        return fail(r, BOUGH_ETOOBIG, "unpack object too large", r->limits.object_max);
    if (r->limits.blob_max > 0 && h->size > r->limits.blob_max)
        return fail(r, BOUGH_ETOOBIG, "unpack blob too large", r->limits.blob_max);
    return BOUGH_OK;
}

static enum bough_err head_read(struct bough_pack_reader *r, struct feed *f)
{
    enum bough_err err;

    if (r->entry.number == r->count) {
        err = raw_flush(r, f);
        r->state = DIGEST;
        return err;
    }
    if (r->stage_len == 0) {
        r->entry = (struct bough_pack_entry){.number = r->entry.number, .at = r->at};
        f->summed = f->pos;
    }
    err = head_parse(r, f);
    if (!err)
        err = head_check(r);
    if (err)
        return err;
    r->stage_len = r->window_len = 0;
    r->got = 0;
    if (!bough_entry_is_delta(r->entry.head.type))
        bough_oid_begin_guarded(&r->object, r->algo, r->entry.head.type, r->entry.head.size);
    err = bough_inflater_reset(&r->zip);
    r->state = DATA;
    if (!err && r->visitor->cls->entry)
        err = r->visitor->cls->entry(r->visitor, &r->entry);
    return err;
}

/* ---- data ---- */

static enum bough_err delta_sizes(struct bough_pack_reader *r, struct bough_view piece)
{
    struct bough_delta_reader d;

    if (bough_delta_open(&d, piece))
        return fail(r, BOUGH_EFORMAT, "delta without its sizes", r->entry.at);
    r->entry.base_len = d.base_len;
    r->entry.result_len = d.result_len;
    if (d.base_len > r->limits.object_max || d.result_len > r->limits.object_max)
        return fail(r, BOUGH_ETOOBIG, "unpack object too large", r->limits.object_max);
    return BOUGH_OK;
}

/* The window's bytes: hashed and heard. */
static enum bough_err window_flush(struct bough_pack_reader *r)
{
    struct bough_view piece = bough_view(r->window, r->window_len);
    bool first = r->got == r->window_len, delta = bough_entry_is_delta(r->entry.head.type);
    uint64_t room = UINT64_MAX / r->limits.inflated_factor;
    uint64_t most = r->at < room ? r->at * r->limits.inflated_factor : UINT64_MAX / 2;
    enum bough_err err = BOUGH_OK;

    r->window_len = 0;
    r->inflated += piece.len;
    if (r->inflated > r->limits.inflated_base && r->inflated - r->limits.inflated_base > most)
        return fail(r, BOUGH_ETOOBIG, "unpacked bytes too many", r->limits.inflated_factor);
    if (delta && first)
        err = delta_sizes(r, piece);
    else if (!delta)
        bough_hash_update(&r->object, piece.ptr, piece.len);
    if (!err && r->visitor->cls->data && piece.len > 0)
        err = r->visitor->cls->data(r->visitor, &r->entry, piece);
    return err;
}

static enum bough_err entry_end(struct bough_pack_reader *r, struct feed *f)
{
    enum bough_err err = BOUGH_OK;

    if (r->window_len > 0 || r->got == 0)
        err = window_flush(r);
    if (err)
        return err;
    if (!bough_entry_is_delta(r->entry.head.type))
        err = bough_oid_end_guarded(&r->object, &r->entry.id, NULL);
    if (err)
        return fail(r, err, "SHA-1 collision attack detected", r->entry.at);
    crc_flush(r, f);
    r->entry.packed_len = r->at - r->entry.at;
    if (r->visitor->cls->entry_end)
        err = r->visitor->cls->entry_end(r->visitor, &r->entry);
    r->entry.number++;
    r->state = HEAD;
    return err;
}

/*
 * A small object that lies whole in the feed is inflated in one call, which
 * is faster.  When that does not work out the stream tells why.
 */
static bool data_read_whole(struct bough_pack_reader *r, struct feed *f)
{
    size_t size = (size_t)r->entry.head.size, has = f->src.len - f->pos, used = 0;

    if (r->entry.head.size > BOUGH_PACK_WINDOW || has < size + PACKED_SLACK || r->zip.in > 0)
        return false;
    if (bough_inflate(r->mem, bough_view(f->src.ptr + f->pos, has), r->window, size, &used) !=
        BOUGH_OK)
        return false;
    r->got = r->window_len = size;
    take(r, f, used);
    return true;
}

/* Inflate as far as the feed goes: the window is given away when full, the end is exact. */
static enum bough_err data_read(struct bough_pack_reader *r, struct feed *f)
{
    if (data_read_whole(r, f))
        return entry_end(r, f);
    while (!r->zip.done) {
        struct bough_view src = bough_view(f->src.ptr + f->pos, f->src.len - f->pos);
        uint64_t lack = r->entry.head.size - r->got;
        size_t room = BOUGH_PACK_WINDOW - r->window_len, used, made;
        size_t cap = lack < room ? (size_t)lack : room;
        uint8_t over; /* where a byte too many would go */
        enum bough_err err;

        if (src.len == 0)
            return BOUGH_EAGAIN;
        err = bough_inflater_run(&r->zip, src, &used, lack > 0 ? r->window + r->window_len : &over,
            lack > 0 ? cap : 1, &made);
        take(r, f, used);
        if (err == BOUGH_EFORMAT)
            return fail(r, err, "bad deflated data", r->entry.at);
        if (err)
            return err;
        if (lack == 0 && made > 0)
            return fail(r, BOUGH_EFORMAT, "more data than the entry says", r->entry.at);
        r->got += made;
        r->window_len += made;
        if (r->window_len == BOUGH_PACK_WINDOW)
            err = window_flush(r);
        if (err)
            return err;
        if (used == 0 && made == 0 && !r->zip.done)
            return fail(r, BOUGH_EFORMAT, "deflated data do not go on", r->entry.at);
    }
    if (r->got != r->entry.head.size)
        return fail(r, BOUGH_EFORMAT, "less data than the entry says", r->entry.at);
    return entry_end(r, f);
}

/* ---- digest ---- */

static enum bough_err digest_read(struct bough_pack_reader *r, struct feed *f)
{
    uint8_t want[BOUGH_DIGEST_MAX];
    uint32_t len = bough_algo_len(r->algo);
    enum bough_err err;

    if (!stage_fill(r, f, len))
        return BOUGH_EAGAIN;
    bough_hash_final(&r->sum, want);
    if (memcmp(r->stage, want, len) != 0)
        return fail(r, BOUGH_EFORMAT, "pack checksum mismatch", r->at - len);
    err = raw_flush(r, f);
    r->done = !err;
    r->state = DONE;
    return err;
}

enum bough_err bough_pack_reader_feed(
    struct bough_pack_reader *r, struct bough_view src, size_t *used)
{
    struct feed f = {.src = src};
    enum bough_err err = r->err;

    while (!err && !r->done) {
        switch (r->state) {
        case HEADER:
            err = header_read(r, &f);
            break;
        case HEAD:
            err = head_read(r, &f);
            break;
        case DATA:
            err = data_read(r, &f);
            break;
        default:
            err = digest_read(r, &f);
            break;
        }
        if (r->limits.pack_len_max > 0 && r->at > r->limits.pack_len_max)
            err = fail(r, BOUGH_ETOOBIG, "pack too large", r->limits.pack_len_max);
    }
    if (err == BOUGH_EAGAIN) {
        enum bough_err late;

        if (r->state == HEAD || r->state == DATA)
            crc_flush(r, &f);
        late = raw_flush(r, &f);
        err = late ? late : err;
    }
    *used = f.pos;
    if (err != BOUGH_EAGAIN)
        r->err = err;
    return err;
}
