/*
 * zip.h - inflate and deflate (zlib streams, RFC 1950), over zlib and, where
 * the build has it, libdeflate.
 *
 *   whole     bough_inflate(), bough_deflate(); stored: bough_zip_stored_len()
 *   streams   struct bough_inflater, struct bough_deflater
 */
#ifndef BOUGH_ZIP_H
#define BOUGH_ZIP_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Inflate one whole stream at the start of `src` into exactly `len` bytes at
 * `dst`; `*used` = bytes of `src` that the stream took.
 *
 * BOUGH_EFORMAT   not a stream, cut short, or another length
 * BOUGH_ENOMEM
 */
enum bough_err bough_inflate(
    struct bough_mem *mem, struct bough_view src, void *dst, size_t len, size_t *used);

/* Append `src` deflated at `level` (0 = stored blocks, 1..9) to `out`; errors stick in `out`. */
void bough_deflate(struct bough_buf *out, struct bough_view src, int level);

/*
 * Bytes of a stream of stored blocks for `len` bytes of content, and where in
 * it content byte `at` lies: stored data is readable without inflating.
 * Blocks are 65,535 bytes but the last.
 */
uint64_t bough_zip_stored_len(uint64_t len);
uint64_t bough_zip_stored_at(uint64_t at);

/* Adler-32, the check of a zlib stream (big-endian at its end), continuing from `sum`: 1 at the start. */
uint32_t bough_adler32(uint32_t sum, const void *src, size_t n);

/* One stream, fed and drained in pieces. */
struct bough_inflater {
    struct bough_mem *mem;
    void *z;          /* the library's state */
    uint64_t in, out; /* bytes taken and given so far */
    bool done;        /* the stream's end and checksum were seen */
};

enum bough_err bough_inflater_init(struct bough_inflater *f, struct bough_mem *mem);
void bough_inflater_fini(struct bough_inflater *f);
enum bough_err bough_inflater_reset(struct bough_inflater *f);

/*
 * Take from `src` and give to `dst` as far as both last; `*used` and `*made`
 * say how far.  `f->done` is set at the stream's end; bytes after it are left.
 *
 * BOUGH_EFORMAT   not a valid stream
 */
enum bough_err bough_inflater_run(struct bough_inflater *f, struct bough_view src, size_t *used,
    uint8_t *dst, size_t cap, size_t *made);

struct bough_deflater {
    struct bough_mem *mem;
    void *z;
};

enum bough_err bough_deflater_init(struct bough_deflater *d, struct bough_mem *mem, int level);
void bough_deflater_fini(struct bough_deflater *d);

/* Deflate `src`, appending what comes out to `out`; `end` finishes the stream. */
enum bough_err bough_deflater_run(
    struct bough_deflater *d, struct bough_view src, bool end, struct bough_buf *out);

#ifdef __cplusplus
}
#endif

#endif
