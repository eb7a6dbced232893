/*
 * pack.h - Git's packs as streams, read and written.
 *
 *   limits    struct bough_pack_limits
 *   reading   struct bough_pack_reader: bytes in, in any split; a visitor hears
 *             of entries, their inflated bytes, and the pack's raw bytes
 *   writing   struct bough_pack_writer: entries in, bytes into a buffer that
 *             the caller drains as it likes
 *
 * A pack is "PACK", version 2 (3 is read too), the number of entries, the
 * entries (see entry.h), and the digest of all that.  (gitformat-pack)
 */
#ifndef BOUGH_PACK_H
#define BOUGH_PACK_H

#include "base/buf.h"
#include "base/zip.h"
#include "git/entry.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_PACK_HEAD_LEN = 12,      /* bytes before the first entry */
    BOUGH_PACK_WINDOW = 64 * 1024, /* inflated bytes given to a visitor at a time, at most */
};

/* What a reader takes from outside.  A field of 0 takes its default. */
struct bough_pack_limits {
    uint64_t pack_len_max;    /* bytes of the pack; default: none */
    uint64_t object_max;      /* bytes of an object that must be held in memory: commits, trees,
                                 tags, deltas, what they are made against and what they make;
                                 default 512 MiB */
    uint64_t blob_max;        /* bytes of a blob that is whole in the pack; default: none */
    uint64_t inflated_factor; /* inflated bytes per byte received ... ; default 1,000 */
    uint64_t inflated_base;   /* ... and inflated bytes beside; default 64 MiB */
    uint64_t count_max;       /* entries; default 50 million */
};

/* An entry as read.  What comes after `head` is known at its end only. */
struct bough_pack_entry {
    uint64_t number; /* 0 for the first */
    uint64_t at;     /* where it begins in the pack */
    struct bough_entry_head head;
    uint64_t base_len, result_len; /* of a delta: the sizes that it says; within object_max */
    uint64_t packed_len;           /* bytes in the pack, head and all */
    uint32_t crc;                  /* CRC-32 of them */
    struct bough_oid id;           /* of an object that is whole; zero for a delta */
};

/* Who hears of what is read.  An error from a method ends the reading with it. */
struct bough_pack_visitor;
struct bough_pack_visitor_class {
    /* The header was read: that many entries are claimed (at most count_max). NULL: not asked. */
    enum bough_err (*start)(struct bough_pack_visitor *v, uint64_t count);
    /* The pack's own bytes, all of them in order, some time after they were read.  NULL: not asked. */
    enum bough_err (*raw)(struct bough_pack_visitor *v, struct bough_view bytes);
    /* An entry begins. NULL: not asked. */
    enum bough_err (*entry)(struct bough_pack_visitor *v, const struct bough_pack_entry *e);
    /* Its inflated bytes, in pieces of BOUGH_PACK_WINDOW but the last; none for size 0.  NULL: not asked. */
    enum bough_err (*data)(
        struct bough_pack_visitor *v, const struct bough_pack_entry *e, struct bough_view piece);
    /* It ended, and its bytes were of the size said. */
    enum bough_err (*entry_end)(struct bough_pack_visitor *v, const struct bough_pack_entry *e);
};
struct bough_pack_visitor {
    const struct bough_pack_visitor_class *cls;
};

/* A pack being read.  About 64 KiB + zlib's 40 KiB of memory, whatever the pack. */
struct bough_pack_reader {
    struct bough_mem *mem;
    enum bough_algo algo;
    struct bough_pack_visitor *visitor;
    struct bough_pack_limits limits;
    struct bough_why *why; /* may be NULL */
    enum bough_err err;    /* sticky */
    int state;
    bool done;         /* the pack's last byte was taken and its digest held */
    uint64_t at;       /* bytes of the pack taken */
    uint64_t count;    /* entries claimed */
    uint64_t inflated; /* bytes, in all */
    struct bough_pack_entry entry;
    uint64_t got; /* inflated bytes of the entry */
    struct bough_hash sum, object;
    struct bough_inflater zip;
    uint8_t stage[BOUGH_ENTRY_HEAD_MAX]; /* a head or the digest, cut by a feed's end */
    size_t stage_len;
    uint8_t *window; /* BOUGH_PACK_WINDOW bytes */
    size_t window_len;
};

/*
 * `mem`, `visitor` and `why` (may be NULL) are borrowed until fini; `limits` may be NULL.
 *
 * BOUGH_ENOMEM    nothing to release
 */
enum bough_err bough_pack_reader_init(struct bough_pack_reader *r, struct bough_mem *mem,
    enum bough_algo algo, struct bough_pack_visitor *visitor,
    const struct bough_pack_limits *limits, struct bough_why *why);
void bough_pack_reader_fini(struct bough_pack_reader *r);

/*
 * Take bytes.  `*used` is less than src.len only at the pack's end or on an
 * error; what follows the end is not the pack's.
 *
 * BOUGH_OK        r->done
 * BOUGH_EAGAIN    all were taken; feed more
 * BOUGH_EFORMAT   not a valid pack; why says what, and at which byte of the pack
 * BOUGH_ETOOBIG   over a limit, which why names
 * BOUGH_ENOMEM, or what the visitor answered
 */
enum bough_err bough_pack_reader_feed(
    struct bough_pack_reader *r, struct bough_view src, size_t *used);

/*
 * A pack being written.  Everything is appended to `out`, which the caller
 * may drain (bough_buf_shift, bough_buf_clear) between any two calls; errors stick there.
 * An entry is put at once, or begun, given its bytes in pieces, and ended.
 */
struct bough_pack_writer {
    struct bough_buf *out;
    enum bough_algo algo;
    uint64_t at;   /* bytes of the pack written */
    uint64_t left; /* entries still to come */
    struct bough_hash sum;
    uint64_t entry_at;  /* where the last entry begins */
    uint32_t entry_crc; /* CRC-32 of its bytes so far */
    bool open;          /* an entry was begun and not ended */
    struct bough_deflater zip;
};

/* `out` is borrowed until finish or drop; `count` entries will follow, fewer than 2^32. */
void bough_pack_writer_init(
    struct bough_pack_writer *w, struct bough_buf *out, enum bough_algo algo, uint64_t count);

/* An object, or the delta that head->type and base say, deflated at `level`; head->size is taken from body. */
void bough_pack_writer_put(struct bough_pack_writer *w, const struct bough_entry_head *head,
    struct bough_view body, int level);

/* A zlib stream that is whole already, as an entry of this head. */
void bough_pack_writer_put_packed(
    struct bough_pack_writer *w, const struct bough_entry_head *head, struct bough_view packed);

/* An entry as it is, head and all. */
void bough_pack_writer_put_raw(struct bough_pack_writer *w, struct bough_view entry);

/* The same in pieces: begin, then either packed bytes or bytes to deflate, then end. */
void bough_pack_writer_begin(struct bough_pack_writer *w, const struct bough_entry_head *head);
void bough_pack_writer_packed(struct bough_pack_writer *w, struct bough_view packed);
void bough_pack_writer_data(struct bough_pack_writer *w, struct bough_view data,
    int level); /* the first call's level counts */
void bough_pack_writer_end(struct bough_pack_writer *w);

/* All entries were put: the digest. */
void bough_pack_writer_finish(struct bough_pack_writer *w);

/* Release what an entry under way holds; needed only when not finished. */
void bough_pack_writer_drop(struct bough_pack_writer *w);

#ifdef __cplusplus
}
#endif

#endif
