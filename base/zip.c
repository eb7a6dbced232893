/*
 * zip.c - see zip.h.
 *
 *   memory    zlib's hooks on struct bough_mem
 *   stored    streams of stored blocks, by hand: their layout is ours, and reading them a copy
 *   whole     through libdeflate where the build has it
 *   streams   always through zlib
 */
#if !__STDC_HOSTED__
#define Z_SOLO /* zlib.h without the system's headers */
#endif
#include <zlib.h>
#ifdef BOUGH_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "base/zip.h"

enum { STORED_MAX = 65535, STORED_HEAD = 5, ZLIB_HEAD = 2, ZLIB_TAIL = 4 }; /* bytes */
enum { PIECE_MAX = 1 << 30 };  /* bytes that one call of zlib gets; its counts have 32 bits */
enum { DEFLATE_ROOM = 32768 }; /* bytes asked of the output at a time */

/* Memory: zlib does not say a size when it releases, so each piece remembers its own. */

enum { PIECE_HEAD = 16 };

static voidpf piece_alloc(voidpf opaque, uInt n, uInt size)
{
    struct bough_mem *mem = (struct bough_mem *)opaque;
    size_t total = (size_t)n * size;
    uint8_t *p;

    if (size > 0 && total / size != n)
        return NULL;
    if (total > SIZE_MAX - PIECE_HEAD)
        return NULL;
    p = (uint8_t *)bough_mem_alloc(mem, total + PIECE_HEAD);
    if (p == NULL)
        return NULL;
    memcpy(p, &total, sizeof total);
    return p + PIECE_HEAD;
}

static void piece_free(voidpf opaque, voidpf ptr)
{
    uint8_t *p = (uint8_t *)ptr - PIECE_HEAD;
    size_t total;

    memcpy(&total, p, sizeof total);
    bough_mem_free((struct bough_mem *)opaque, p, total + PIECE_HEAD);
}

static void hooks_set(z_stream *z, struct bough_mem *mem)
{
    memset(z, 0, sizeof *z);
    z->zalloc = piece_alloc;
    z->zfree = piece_free;
    z->opaque = mem;
}

static uInt piece_len(size_t n)
{
    return (uInt)(n < PIECE_MAX ? n : PIECE_MAX);
}

/* zlib's input pointer is not const, but it only reads there. */
static Bytef *input_of(const uint8_t *ptr)
{
    return (Bytef *)(uintptr_t)ptr;
}

/* Stored. */

uint64_t bough_zip_stored_len(uint64_t len)
{
    uint64_t blocks = len == 0 ? 1 : (len - 1) / STORED_MAX + 1;

    return ZLIB_HEAD + STORED_HEAD * blocks + len + ZLIB_TAIL;
}

uint64_t bough_zip_stored_at(uint64_t at)
{
    return ZLIB_HEAD + STORED_HEAD * (at / STORED_MAX + 1) + at;
}

#ifdef BOUGH_LIBDEFLATE

uint32_t bough_adler32(uint32_t sum, const void *src, size_t n)
{
    return n > 0 ? libdeflate_adler32(sum, src, n) : sum; /* a NULL would ask for the first sum */
}

#else

uint32_t bough_adler32(uint32_t sum, const void *src, size_t n)
{
    const uint8_t *p = src;

    while (n > 0) {
        uInt k = piece_len(n);
        sum = (uint32_t)adler32(sum, p, k);
        p += k;
        n -= k;
    }
    return sum;
}

#endif

static void store(struct bough_buf *out, struct bough_view src)
{
    uint32_t sum = bough_adler32(1, src.ptr, src.len);

    if (bough_buf_room(out, (size_t)bough_zip_stored_len(src.len)) == NULL)
        return;
    bough_buf_put(out, "\x78\x01", ZLIB_HEAD);
    do {
        uint16_t n = (uint16_t)(src.len < STORED_MAX ? src.len : STORED_MAX);
        uint8_t head[STORED_HEAD];

        head[0] = src.len == n; /* the last block */
        bough_put16le(head + 1, n);
        bough_put16le(head + 3, (uint16_t)~n);
        bough_buf_put(out, head, sizeof head);
        bough_buf_put(out, src.ptr, n);
        src = n > 0 ? bough_view(src.ptr + n, src.len - n) : src;
    } while (src.len > 0);
    bough_buf_put32be(out, sum);
}

/*
 * The short way through a stream of stored blocks whose content is `len`
 * bytes: false, and `dst` anything, when it is not sound or not such a
 * stream, which the library then finds out.
 */
static bool unstore(struct bough_view src, uint8_t *dst, size_t len, size_t *used)
{
    size_t at = ZLIB_HEAD, done = 0;
    uint32_t sum = 1;
    bool last = false;

    if (src.len < bough_zip_stored_len(len) || src.ptr[0] != 0x78 || src.ptr[1] != 0x01)
        return false;
    while (!last) {
        const uint8_t *head = src.ptr + at;
        size_t n;

        if (src.len - at < STORED_HEAD + ZLIB_TAIL || head[0] > 1) /* bits: last, and kind 0 */
            return false;
        last = head[0] == 1;
        n = bough_get16le(head + 1);
        at += STORED_HEAD;
        if ((n ^ bough_get16le(head + 3)) != 0xffff || n > len - done ||
            n > src.len - at - ZLIB_TAIL)
            return false;
        if (n > 0)
            memcpy(dst + done, src.ptr + at, n);
        sum = bough_adler32(sum, dst + done, n);
        done += n;
        at += n;
    }
    *used = at + ZLIB_TAIL;
    return done == len && sum == bough_get32be(src.ptr + at);
}

/* Whole. */

#ifdef BOUGH_LIBDEFLATE

static enum bough_err inflate_whole(
    struct bough_mem *mem, struct bough_view src, uint8_t *dst, size_t len, size_t *used)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    enum libdeflate_result got;

    (void)mem; /* the library keeps its 11 KiB by itself, for the call */
    if (d == NULL)
        return BOUGH_ENOMEM;
    got = libdeflate_zlib_decompress_ex(d, src.ptr, src.len, dst, len, used, NULL);
    libdeflate_free_decompressor(d);
    return got == LIBDEFLATE_SUCCESS ? BOUGH_OK : BOUGH_EFORMAT;
}

static void deflate_whole(struct bough_buf *out, struct bough_view src, int level)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    size_t bound = libdeflate_zlib_compress_bound(c, src.len);
    uint8_t *to;

    if (c == NULL) {
        out->err = out->err ? out->err : BOUGH_ENOMEM;
        return;
    }
    to = bough_buf_room(out, bound);
    if (to != NULL)
        out->len += libdeflate_zlib_compress(c, src.ptr, src.len, to, bound);
    libdeflate_free_compressor(c);
}

#else

static enum bough_err inflate_whole(
    struct bough_mem *mem, struct bough_view src, uint8_t *dst, size_t len, size_t *used)
{
    struct bough_inflater f;
    uint8_t end[1];
    size_t made = 0;
    enum bough_err err = bough_inflater_init(&f, mem);

    if (err)
        return err;
    err = bough_inflater_run(&f, src, used, dst, len, &made);
    if (!err && !f.done && made == len) { /* the end of the stream needs no room, but a call */
        size_t more = 0, extra = 0;
        src = bough_view(src.ptr + *used, src.len - *used);
        err = bough_inflater_run(&f, src, &more, end, 1, &extra);
        *used += more;
        made += extra;
    }
    if (!err && (!f.done || made != len))
        err = BOUGH_EFORMAT;
    bough_inflater_fini(&f);
    return err;
}

static void deflate_whole(struct bough_buf *out, struct bough_view src, int level)
{
    struct bough_deflater d;
    enum bough_err err = bough_deflater_init(&d, out->mem, level);

    if (!err) {
        err = bough_deflater_run(&d, src, true, out);
        bough_deflater_fini(&d);
    }
    if (err && !out->err)
        out->err = err;
}

#endif

enum bough_err bough_inflate(
    struct bough_mem *mem, struct bough_view src, void *dst, size_t len, size_t *used)
{
    uint8_t none[1], *to = len > 0 ? (uint8_t *)dst : none;

    if (unstore(src, to, len, used))
        return BOUGH_OK;
    return inflate_whole(mem, src, to, len, used);
}

void bough_deflate(struct bough_buf *out, struct bough_view src, int level)
{
    BOUGH_ASSERT(level >= 0 && level <= 9);
    if (out->err)
        return;
    if (level == 0)
        store(out, src);
    else
        deflate_whole(out, src, level);
}

/* Streams. */

enum bough_err bough_inflater_init(struct bough_inflater *f, struct bough_mem *mem)
{
    z_stream *z = (z_stream *)bough_mem_alloc(mem, sizeof *z);

    *f = (struct bough_inflater){.mem = mem};
    if (z == NULL)
        return BOUGH_ENOMEM;
    hooks_set(z, mem);
    if (inflateInit(z) != Z_OK) {
        bough_mem_free(mem, z, sizeof *z);
        return BOUGH_ENOMEM;
    }
    f->z = z;
    return BOUGH_OK;
}

void bough_inflater_fini(struct bough_inflater *f)
{
    if (f->z == NULL)
        return;
    inflateEnd((z_stream *)f->z);
    bough_mem_free(f->mem, f->z, sizeof(z_stream));
    f->z = NULL;
}

enum bough_err bough_inflater_reset(struct bough_inflater *f)
{
    f->in = f->out = 0;
    f->done = false;
    return inflateReset((z_stream *)f->z) == Z_OK ? BOUGH_OK : BOUGH_EINVAL;
}

enum bough_err bough_inflater_run(struct bough_inflater *f, struct bough_view src, size_t *used,
    uint8_t *dst, size_t cap, size_t *made)
{
    z_stream *z = (z_stream *)f->z;
    int got = Z_OK;

    *used = *made = 0;
    while (got == Z_OK && !f->done) {
        uInt in = piece_len(src.len - *used), out = piece_len(cap - *made);

        z->next_in = input_of(src.ptr + *used);
        z->avail_in = in;
        z->next_out = dst + *made;
        z->avail_out = out;
        got = inflate(z, Z_NO_FLUSH);
        *used += in - z->avail_in;
        *made += out - z->avail_out;
        f->done = got == Z_STREAM_END;
        if (*used == src.len && z->avail_out > 0)
            break;
    }
    f->in += *used;
    f->out += *made;
    if (got == Z_MEM_ERROR)
        return BOUGH_ENOMEM;
    return got == Z_OK || got == Z_STREAM_END || got == Z_BUF_ERROR ? BOUGH_OK : BOUGH_EFORMAT;
}

/* Windows in bits: zlib's memory is about 2^(bits + 3) bytes, so a small one is for small heaps. */
enum { WINDOW = 15, WINDOW_LITTLE = 10, TABLES_LESS = 7 };

static bool deflate_begin(z_stream *z, struct bough_mem *mem, int level, int window)
{
    hooks_set(z, mem);
    return deflateInit2(z, level, Z_DEFLATED, window, window - TABLES_LESS, Z_DEFAULT_STRATEGY) ==
           Z_OK;
}

enum bough_err bough_deflater_init(struct bough_deflater *d, struct bough_mem *mem, int level)
{
    z_stream *z = (z_stream *)bough_mem_alloc(mem, sizeof *z);

    *d = (struct bough_deflater){.mem = mem};
    if (z == NULL)
        return BOUGH_ENOMEM;
    if (!deflate_begin(z, mem, level, WINDOW) && !deflate_begin(z, mem, level, WINDOW_LITTLE)) {
        bough_mem_free(mem, z, sizeof *z);
        return BOUGH_ENOMEM;
    }
    d->z = z;
    return BOUGH_OK;
}

void bough_deflater_fini(struct bough_deflater *d)
{
    if (d->z == NULL)
        return;
    deflateEnd((z_stream *)d->z);
    bough_mem_free(d->mem, d->z, sizeof(z_stream));
    d->z = NULL;
}

enum bough_err bough_deflater_run(
    struct bough_deflater *d, struct bough_view src, bool end, struct bough_buf *out)
{
    z_stream *z = (z_stream *)d->z;
    size_t used = 0;
    bool more;

    do {
        uInt in = piece_len(src.len - used);
        bool last = end && used + in == src.len;
        uint8_t *to = bough_buf_room(out, DEFLATE_ROOM);
        int got;

        if (to == NULL)
            return out->err;
        z->next_in = input_of(src.ptr + used);
        z->avail_in = in;
        z->next_out = to;
        z->avail_out = DEFLATE_ROOM;
        got = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        used += in - z->avail_in;
        out->len += DEFLATE_ROOM - z->avail_out;
        if (got == Z_STREAM_ERROR)
            return BOUGH_EINVAL; /* after its end */
        more = end ? got != Z_STREAM_END : used < src.len || z->avail_out == 0;
    } while (more);
    return BOUGH_OK;
}
