/* reader.h - lines and bytes from a file or a pipe. */
#ifndef BOUGH_READER_H
#define BOUGH_READER_H

#include "base/base.h"

enum { READER_PIECE = 64 * 1024 }; /* bytes */

struct reader {
    int fd;
    size_t at, have; /* in piece */
    uint8_t piece[READER_PIECE];
};

/* The next piece. BOUGH_ENOENT: the end; BOUGH_EIO. */
enum bough_err reader_more(struct reader *r);

/* What is left of the piece, or a new one, all of it taken. */
enum bough_err reader_take(struct reader *r, struct bough_view *out);

/*
 * Bytes up to `end`, which is taken, too, into `line` of `cap` bytes.
 *
 * BOUGH_ENOENT    the file ends before
 * BOUGH_ETOOBIG   there are more of them
 */
enum bough_err reader_until(
    struct reader *r, char end, char *line, size_t cap, struct bough_view *out);

#endif
