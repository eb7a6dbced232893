/*
 * bitmap_make_inner.h - what is known while bitmaps are made: bitmap_lines.c, bitmap_make.c.
 */
#ifndef BOUGH_LOG_BITMAP_MAKE_INNER_H
#define BOUGH_LOG_BITMAP_MAKE_INNER_H

#include "store/log/cycle_inner.h"
#include "store/log/reach_inner.h"
#include "store/log/run_inner.h"

enum { BOUGH_LOG__TIPS_MAX = 256 };

struct bough_log__bitmapper {
    struct bough_log *log;
    uint32_t number; /* of the table */
    struct bough_log__cycle marks;
    enum {
        BOUGH_LOG__MAKER_TIPS,
        BOUGH_LOG__MAKER_LINES,
        BOUGH_LOG__MAKER_PICK,
        BOUGH_LOG__MAKER_BASE,
        BOUGH_LOG__MAKER_MARK,
        BOUGH_LOG__MAKER_WRITE,
        BOUGH_LOG__MAKER_END,
    } stage;
    uint8_t *lines, *joints, *prev, *all;
    size_t len;     /* bytes of each */
    uint64_t every; /* commits between bitmaps */

    struct bough_oid
        line[BOUGH_LOG__TIPS_MAX]; /* where it starts: the tip, or the first one with a row */
    uint32_t n, at;                /* lines; the one under way */
    uint8_t ref_name[BOUGH_REF_NAME_MAX];
    size_t ref_len;

    struct bough_oid commit; /* of the walk along the line */
    bool walking, joined;
    uint64_t steps;
    struct bough_oid *picked; /* the newest first */
    size_t picked_n, picked_cap;

    struct bough_log__bitmaps maps; /* in the order of making, until the end */
    uint32_t base;                  /* of the next one, plus one */
    struct bough_log__bitmap_reader reader;
    uint8_t *decode;              /* NULL, or bits that a chain of bitmaps is being read to */
    uint32_t reading;             /* the bitmap of the chain, plus one */
    struct bough_log__bitmap map; /* being written */
    size_t write_at;
    struct bough_log__out out;
    struct bough_buf bytes;
};

/* ---- Lines (bitmap_lines.c) ---- */

/* Each a step of its stage.  BOUGH_ENOENT: it is done. */
enum bough_err bough_log__maker_tip(struct bough_log__bitmapper *m);
enum bough_err bough_log__maker_line(struct bough_log__bitmapper *m);
enum bough_err bough_log__maker_pick(struct bough_log__bitmapper *m);

void bough_log__maker_lines_over(struct bough_log__bitmapper *m);
void bough_log__maker_picked(struct bough_log__bitmapper *m);

/* The walk begins at the tip of line m->at; on to the next line, or the end. */
void bough_log__maker_line_begin(struct bough_log__bitmapper *m);
void bough_log__maker_line_next(struct bough_log__bitmapper *m);

#endif
