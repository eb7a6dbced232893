/*
 * tar.h - the headers of tar archives, as pure functions on bytes.
 *
 *   headers   struct bough_tar_header: one block of 512 bytes, read and written
 *   pax       records that say what a block cannot: read, kept, applied, written
 *   writing   bough_tar_put(): a header, behind the pax header it may need
 *
 * Read: V7, ustar, GNU (its base-256 numbers and long names), pax local and global headers.
 * Written: ustar, and pax where a value does not fit.
 *
 * An archive is a row of blocks: a header, its `size` bytes of data filled up with
 * bough_tar_pad(size) zeros, and so on; two blocks of zeros end it.  Going from header to
 * header is the caller's.
 *
 * Sources: POSIX.1-2017 (pax, "ustar Interchange Format" and "pax Extended Header"), the
 * manual of GNU tar ("Basic Tar Format", "Extensions"), and what GNU tar 1.34 and Python's
 * tarfile make and take.
 */
#ifndef BOUGH_TAR_H
#define BOUGH_TAR_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Headers ---- */

enum { BOUGH_TAR_BLOCK = 512 }; /* bytes of a header; data is filled up to a multiple */

/* What an entry is.  Any other byte may come in and is kept as it is. */
enum bough_tar_type {
    BOUGH_TAR_FILE = '0',
    BOUGH_TAR_HARD_LINK = '1', /* `link` is the path of an earlier entry */
    BOUGH_TAR_LINK = '2',      /* symbolic */
    BOUGH_TAR_CHAR = '3',
    BOUGH_TAR_BLOCK_DEVICE = '4',
    BOUGH_TAR_DIR = '5',
    BOUGH_TAR_FIFO = '6',
    BOUGH_TAR_CONTIGUOUS = '7', /* a file */
    BOUGH_TAR_PAX = 'x',        /* its data: pax records for the next entry */
    BOUGH_TAR_PAX_GLOBAL = 'g', /* its data: pax records for all that follow */
    BOUGH_TAR_LONG_NAME = 'L',  /* GNU; its data: the path of the next entry */
    BOUGH_TAR_LONG_LINK = 'K',  /* GNU; its data: the link of the next entry */
};

enum bough_tar_format { BOUGH_TAR_V7, BOUGH_TAR_USTAR, BOUGH_TAR_GNU };

/* A header.  When read, the views point into the block, or into pax records once applied. */
struct bough_tar_header {
    enum bough_tar_format format; /* not looked at when written */
    uint8_t type;                 /* enum bough_tar_type; the NUL of V7 is read as FILE */
    struct bough_view prefix;     /* of the path, without the slash behind it; empty: none */
    struct bough_view name;       /* the path behind the prefix; a directory's may end in a slash,
                                     and V7 knows a directory by nothing else */
    struct bough_view link;
    struct bough_view uname, gname; /* empty in V7 */
    uint32_t mode;                  /* permissions; some writers put the file type above them */
    int64_t uid, gid;               /* may be negative when read */
    int64_t size;                   /* bytes of data behind the header; never negative */
    int64_t mtime;                  /* seconds since 1970 */
    uint32_t dev_major, dev_minor;  /* of devices; 0 in V7 */
};

/*
 * Read a header.  Numbers are octal, with spaces before and a space or NUL behind, or GNU's
 * base 256; an empty field is 0.  The checksum may be of signed or of unsigned bytes.
 *
 * BOUGH_ENOENT    all bytes are zero: the mark of the end, not a header
 * BOUGH_EFORMAT   why->what names the check that failed, why->at is the field's place in the
 *                 block: "tar: wrong checksum", "tar: FIELD is no number", "tar: FIELD is out of
 *                 range", "tar: empty name"
 */
enum bough_err bough_tar_header_read(
    const uint8_t block[BOUGH_TAR_BLOCK], struct bough_tar_header *out, struct bough_why *why);

/*
 * Write a ustar header that holds all of `h`.  The path is prefix, slash and name, or the name
 * alone; it is parted anew, at a slash, if it is longer than 100 bytes.
 *
 * BOUGH_ETOOBIG   something needs pax: why->what names the field; bough_tar_put() sees to it
 * BOUGH_EINVAL    an empty path, a NUL in text, a negative size or owner, devices over
 *                 2,097,151, a mode over 07777777, any number over INT64_MAX - 512
 */
enum bough_err bough_tar_header_write(
    const struct bough_tar_header *h, uint8_t block[BOUGH_TAR_BLOCK], struct bough_why *why);

/* Append the path: prefix, slash and name. */
void bough_tar_path(const struct bough_tar_header *h, struct bough_buf *out);

/* How many zeros stand behind `size` bytes of data. */
static inline uint32_t bough_tar_pad(int64_t size)
{
    return (uint32_t)(-(uint64_t)size & (BOUGH_TAR_BLOCK - 1));
}

/* ---- Pax ---- */

/* A record: `LENGTH KEY=VALUE LF`. */
struct bough_tar_record {
    struct bough_view key; /* never empty, without `=` */
    struct bough_view value;
};

/*
 * Take the next record off the front of `left`, the data of a pax header.
 *
 * BOUGH_ENOENT    there are no more (zeros that fill up the rest are none)
 * BOUGH_EFORMAT   why->what names the check; `left` begins with the bad record:
 *                 "pax: length is no number", "pax: length and record disagree",
 *                 "pax: record without a key"
 */
enum bough_err bough_tar_record_next(
    struct bough_view *left, struct bough_tar_record *out, struct bough_why *why);

/* Append a record. */
void bough_tar_record_put(struct bough_buf *out, const char *key, struct bough_view value);

enum {
    BOUGH_TAR_HAS_PATH = 1 << 0,
    BOUGH_TAR_HAS_LINK = 1 << 1,
    BOUGH_TAR_HAS_SIZE = 1 << 2,
    BOUGH_TAR_HAS_MTIME = 1 << 3,
    BOUGH_TAR_HAS_UID = 1 << 4,
    BOUGH_TAR_HAS_GID = 1 << 5,
    BOUGH_TAR_HAS_UNAME = 1 << 6,
    BOUGH_TAR_HAS_GNAME = 1 << 7,
};

/* What records say of the header that follows.  All zero: nothing. */
struct bough_tar_pax {
    uint32_t has;     /* BOUGH_TAR_HAS_...: the fields below that are said */
    uint32_t dropped; /* those said to be empty: what a global header says of them is void */
    bool sparse;      /* a GNU.sparse record was there: the data is not the file's bytes */
    struct bough_view path, link, uname, gname; /* borrowed from the data */
    int64_t size, mtime, uid, gid;
    struct bough_view comment; /* of the last record of that name: git's commit id; empty: none */
};

/*
 * Add what the data of a pax header says; later records win.  Unknown keys are passed over.
 * Fractions of a second are cut off downwards.
 *
 * BOUGH_EFORMAT   as in bough_tar_record_next(), or "pax: KEY is no number", "pax: KEY is out of
 *                 range", "pax: NUL in KEY"; why->at is the record's place in the data; `pax`
 *                 holds what the records before it said
 */
enum bough_err bough_tar_pax_read(
    struct bough_tar_pax *pax, struct bough_view data, struct bough_why *why);

/*
 * Add what the data of a LONG_NAME or LONG_LINK entry says: a text that ends at its first NUL.
 *
 * BOUGH_EFORMAT   "tar: empty name"
 */
enum bough_err bough_tar_pax_read_long(
    struct bough_tar_pax *pax, uint8_t type, struct bough_view data, struct bough_why *why);

/* Let `h` say what `local` says, else what `global` says, else what it said itself. */
void bough_tar_pax_apply(const struct bough_tar_pax *global, const struct bough_tar_pax *local,
    struct bough_tar_header *h);

/* ---- Writing ---- */

/*
 * Append the header of an entry, and before it a pax header with its data when a path, link,
 * owner, size or time does not fit a block.  Same header, same bytes.  Errors of memory stick
 * in `out`.
 *
 * BOUGH_EINVAL   as in bough_tar_header_write(); nothing was appended
 * BOUGH_ENOMEM, or what `out` had before
 */
enum bough_err bough_tar_put(
    struct bough_buf *out, const struct bough_tar_header *h, struct bough_why *why);

/*
 * Append a global pax header with this data (made with bough_tar_record_put()), named as git
 * names it: what it says holds for all entries behind it.
 *
 * BOUGH_EINVAL   a time that does not fit; nothing was appended
 * BOUGH_ENOMEM, or what `out` had before
 */
enum bough_err bough_tar_put_global(
    struct bough_buf *out, struct bough_view records, int64_t mtime, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
