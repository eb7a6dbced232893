/*
 * pktline.c - Git's packet lines, bytes in and packets out.
 *
 *   digits     the four hex digits
 *   reader     a whole packet is lent from src; only a cut one is copied
 *   writers
 *
 * Invariant of the reader: `part` holds the first bytes of a packet (or, when
 * handed_out, the packet lent last); `want` is its length once known.
 */
#include "git/pktline.h"

enum { DIGITS = 4 };

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The length that the digits say; BOUGH_EFORMAT for what no packet begins with. */
static enum bough_err length_parse(const uint8_t *p, size_t *out)
{
    size_t len = 0;

    for (int i = 0; i < DIGITS; i++) {
        int d = digit_value(p[i]);
        if (d < 0)
            return BOUGH_EFORMAT;
        len = len << 4 | (size_t)d;
    }
    if (len == 3 || len > BOUGH_PKT_MAX)
        return BOUGH_EFORMAT;
    *out = len;
    return BOUGH_OK;
}

static void length_write(uint8_t *p, size_t len)
{
    static const char hex[] = "0123456789abcdef";

    for (int i = 0; i < DIGITS; i++)
        p[i] = (uint8_t)hex[len >> (12 - 4 * i) & 15];
}

static struct bough_pkt packet_of(const uint8_t *p, size_t len)
{
    struct bough_pkt pkt = {BOUGH_PKT_LINE, {NULL, 0}};

    if (len < DIGITS)
        pkt.kind = (enum bough_pkt_kind)len;
    else
        pkt.line = bough_view(p + DIGITS, len - DIGITS);
    return pkt;
}

void bough_pkt_reader_init(struct bough_pkt_reader *r, struct bough_mem *mem)
{
    *r = (struct bough_pkt_reader){.err = BOUGH_OK};
    bough_buf_init(&r->part, mem);
    r->part.len_max = BOUGH_PKT_MAX;
}

void bough_pkt_reader_fini(struct bough_pkt_reader *r)
{
    bough_buf_fini(&r->part);
}

bool bough_pkt_is_partial(const struct bough_pkt_reader *r)
{
    return r->part.len > 0 && !r->handed_out;
}

/* Take bytes of src into `part` until it holds `n`; false when src ends before. */
static bool part_fill(struct bough_pkt_reader *r, struct bough_view src, size_t *used, size_t n)
{
    size_t lack = n - r->part.len;
    size_t take = src.len - *used < lack ? src.len - *used : lack;

    if (take > 0)
        bough_buf_put(&r->part, src.ptr + *used, take);
    *used += take;
    r->err = r->part.err;
    return take == lack;
}

/* Nothing is under way: lend a packet that lies whole in src. */
static bool packet_lend(
    struct bough_pkt_reader *r, struct bough_view src, size_t *used, struct bough_pkt *out)
{
    size_t len, whole;

    if (src.len < DIGITS)
        return false;
    r->err = length_parse(src.ptr, &len);
    if (r->err)
        return false;
    whole = len < DIGITS ? DIGITS : len;
    if (src.len < whole)
        return false;
    *out = packet_of(src.ptr, len);
    *used = whole;
    return true;
}

enum bough_err bough_pkt_next(
    struct bough_pkt_reader *r, struct bough_view src, size_t *used, struct bough_pkt *out)
{
    *used = 0;
    if (r->err)
        return r->err;
    if (r->handed_out) {
        bough_buf_clear(&r->part);
        r->handed_out = false;
        r->want = 0;
    }
    if (r->part.len == 0 && packet_lend(r, src, used, out))
        return BOUGH_OK;
    if (r->err)
        return r->err;

    if (r->part.len < DIGITS) {
        if (!part_fill(r, src, used, DIGITS))
            return r->err ? r->err : BOUGH_EAGAIN;
        if (r->err == BOUGH_OK)
            r->err = length_parse(r->part.ptr, &r->want);
        if (r->err)
            return r->err;
    }
    if (r->want > DIGITS && !part_fill(r, src, used, r->want))
        return r->err ? r->err : BOUGH_EAGAIN;
    if (r->err)
        return r->err;

    *out = packet_of(r->part.ptr, r->want);
    r->handed_out = true;
    return BOUGH_OK;
}

struct bough_view bough_pkt_text(struct bough_view line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    return line;
}

size_t bough_pkt_begin(struct bough_buf *out)
{
    size_t begun = out->len;

    bough_buf_put_fill(out, '0', DIGITS);
    return begun;
}

void bough_pkt_end(struct bough_buf *out, size_t begun)
{
    if (out->err)
        return;
    BOUGH_ASSERT(out->len >= begun + DIGITS);
    if (out->len - begun > BOUGH_PKT_MAX)
        out->err = BOUGH_ETOOBIG;
    else
        length_write(out->ptr + begun, out->len - begun);
}

void bough_pkt_put(struct bough_buf *out, struct bough_view line)
{
    size_t begun = bough_pkt_begin(out);

    bough_buf_put_view(out, line);
    bough_pkt_end(out, begun);
}

void bough_pkt_put_text(struct bough_buf *out, struct bough_view text)
{
    size_t begun = bough_pkt_begin(out);

    bough_buf_put_view(out, text);
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, begun);
}

void bough_pkt_put_str(struct bough_buf *out, const char *text)
{
    bough_pkt_put_text(out, bough_view_str(text));
}

void bough_pkt_put_mark(struct bough_buf *out, enum bough_pkt_kind mark)
{
    uint8_t digits[DIGITS];

    BOUGH_ASSERT(mark <= BOUGH_PKT_END);
    length_write(digits, (size_t)mark);
    bough_buf_put(out, digits, DIGITS);
}

void bough_pkt_put_flush(struct bough_buf *out)
{
    bough_pkt_put_mark(out, BOUGH_PKT_FLUSH);
}

void bough_pkt_put_delim(struct bough_buf *out)
{
    bough_pkt_put_mark(out, BOUGH_PKT_DELIM);
}

void bough_pkt_put_band(
    struct bough_buf *out, uint8_t band, struct bough_view data, size_t data_max)
{
    BOUGH_ASSERT(band >= 1 && band <= 3);
    BOUGH_ASSERT(data_max >= 1 && data_max <= BOUGH_PKT_BAND_MAX);

    do {
        size_t n = data.len < data_max ? data.len : data_max;
        size_t begun = bough_pkt_begin(out);

        bough_buf_put_u8(out, band);
        bough_buf_put_view(out, bough_view(data.ptr, n));
        bough_pkt_end(out, begun);
        if (n > 0)
            data = bough_view(data.ptr + n, data.len - n);
    } while (data.len > 0);
}

void bough_pkt_put_err(struct bough_buf *out, struct bough_view text)
{
    static const size_t text_max = BOUGH_PKT_DATA_MAX - sizeof "ERR \n" + 1;
    size_t begun = bough_pkt_begin(out);

    if (text.len > text_max)
        text.len = text_max;
    bough_buf_put_str(out, "ERR ");
    bough_buf_put_view(out, text);
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, begun);
}
