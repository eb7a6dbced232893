/*
 * pktline.h - Git's packet lines, bytes in and packets out.
 *
 *   struct bough_pkt_reader   feed bytes in any split, take packets
 *   writers                   append packets to a bough_buf
 *
 * A packet is four hex digits of its whole length, then length - 4 bytes.
 * 0000, 0001 and 0002 are marks without bytes, 0003 is malformed, 0004 is an
 * empty line.  (gitprotocol-common)
 */
#ifndef BOUGH_PKTLINE_H
#define BOUGH_PKTLINE_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_PKT_MAX = 65520,                  /* bytes of a packet, its length digits included */
    BOUGH_PKT_DATA_MAX = BOUGH_PKT_MAX - 4, /* bytes of a line */
    BOUGH_PKT_BAND_MAX = BOUGH_PKT_MAX - 5, /* bytes of a side-band-64k packet's data */
    BOUGH_PKT_BAND_SMALL_MAX = 1000 - 5,    /* the same for plain side-band */
};

enum bough_pkt_kind {
    BOUGH_PKT_FLUSH = 0, /* 0000 */
    BOUGH_PKT_DELIM = 1, /* 0001 */
    BOUGH_PKT_END = 2,   /* 0002, the end of a response */
    BOUGH_PKT_LINE = 4,  /* bytes, perhaps none */
};

struct bough_pkt {
    enum bough_pkt_kind kind;
    struct bough_view
        line; /* of a BOUGH_PKT_LINE, raw; borrowed until the next call or change of src */
};

struct bough_pkt_reader {
    struct bough_buf part; /* the packet under way, when a feed ended inside it */
    size_t want;           /* its whole length; 0 while the digits are not all there */
    bool handed_out;       /* `part` was lent as the last packet */
    enum bough_err err;    /* sticky */
};

void bough_pkt_reader_init(struct bough_pkt_reader *r, struct bough_mem *mem);
void bough_pkt_reader_fini(struct bough_pkt_reader *r);

/*
 * Take at most one packet from the start of `src`; `*used` says how many
 * bytes of it were taken, on every return.  Never takes a byte after the packet.
 *
 * BOUGH_EAGAIN    all of src was taken and the packet is not whole: feed more
 * BOUGH_EFORMAT   not a packet; sticky, as is BOUGH_ENOMEM
 */
enum bough_err bough_pkt_next(
    struct bough_pkt_reader *r, struct bough_view src, size_t *used, struct bough_pkt *out);

/* Is a packet under way, so that an end of input would cut it? */
bool bough_pkt_is_partial(const struct bough_pkt_reader *r);

/* A line without its optional LF at the end: for text, never for side-band data. */
struct bough_view bough_pkt_text(struct bough_view line);

/*
 * The writers append to `out`, where errors stick.  A line over
 * BOUGH_PKT_DATA_MAX makes BOUGH_ETOOBIG stick there.
 */
void bough_pkt_put(struct bough_buf *out, struct bough_view line);      /* as it is */
void bough_pkt_put_text(struct bough_buf *out, struct bough_view text); /* and a LF */
void bough_pkt_put_str(struct bough_buf *out, const char *text);        /* and a LF */
void bough_pkt_put_mark(struct bough_buf *out, enum bough_pkt_kind mark);
void bough_pkt_put_flush(struct bough_buf *out);
void bough_pkt_put_delim(struct bough_buf *out);

/* A line made of pieces: begin, append to `out`, end with what begin returned. */
size_t bough_pkt_begin(struct bough_buf *out);
void bough_pkt_end(struct bough_buf *out, size_t begun);

/*
 * Data on band 1 (pack), 2 (progress) or 3 (error), in as many packets as it
 * takes of at most `data_max` bytes each (BOUGH_PKT_BAND_MAX or ..._SMALL_MAX).
 * No data: one empty packet, which keeps a connection alive.
 */
void bough_pkt_put_band(
    struct bough_buf *out, uint8_t band, struct bough_view data, size_t data_max);

/* `ERR text`, cut to what a packet holds. */
void bough_pkt_put_err(struct bough_buf *out, struct bough_view text);

#ifdef __cplusplus
}
#endif

#endif
