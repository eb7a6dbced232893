/*
 * inner.h - what the files of tar/ share.
 */
#ifndef BOUGH_TAR_INNER_H
#define BOUGH_TAR_INNER_H

#include "tar/tar.h"

/* The fields of a block: where and how long. */
enum {
    BOUGH_TAR__NAME = 0,
    BOUGH_TAR__NAME_LEN = 100,
    BOUGH_TAR__UNAME_LEN = 32,
    BOUGH_TAR__PREFIX_LEN = 155,
};

/* The largest numbers of seven and of eleven octal digits. */
#define BOUGH_TAR__OCT7  INT64_C(07777777)
#define BOUGH_TAR__OCT11 INT64_C(077777777777)

/* No number is larger, so that a size can be filled up. */
#define BOUGH_TAR__NUMBER_MAX (INT64_MAX - BOUGH_TAR_BLOCK)

/* Fill `why` with a check of that name at byte `at`. */
enum bough_err bough_tar__fault(
    struct bough_why *why, enum bough_err err, const char *what, uint64_t at);

/* Is there no NUL in it? */
bool bough_tar__text_ok(struct bough_view text);

/* Could it be written at all, with pax?  BOUGH_EINVAL: no, as in bough_tar_header_write(). */
enum bough_err bough_tar__header_check(const struct bough_tar_header *h, struct bough_why *why);

/*
 * Can the path stand in a block?  `*cut` is the length of what goes into the prefix (the slash
 * behind it is not stored), 0 when the name alone holds it.
 */
bool bough_tar__path_fits(struct bough_view path, size_t *cut);

#endif
