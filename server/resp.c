/*
 * resp.c - see resp.h.
 *
 *   lines and numbers
 *   inline commands      split at blanks, quotes as in redis-cli
 *   arrays               *N, then N times $LEN and bytes
 *   big arguments        keep, or let the caller stream it
 *   replies              in RESP2 or RESP3
 */
#include "server/resp.h"

void resp_parser_init(struct resp_parser *p, struct bough_mem *mem)
{
    *p = (struct resp_parser){.mem = mem, .want = -1, .bulk = -1};
}

void resp_parser_fini(struct resp_parser *p)
{
    bough_mem_free(p->mem, p->args, p->args_cap * sizeof *p->args);
    bough_mem_free(p->mem, p->argv, p->argv_cap * sizeof *p->argv);
    resp_parser_init(p, p->mem);
}

void resp_parser_next(struct resp_parser *p)
{
    if (p->args_cap > RESP_ARGS_KEEP)
        resp_parser_fini(p);
    p->argc = 0;
    p->want = -1;
    p->bulk = -1;
    p->pos = 0;
    p->big = 0;
}

static enum resp_event broken(struct resp_parser *p, const char *why)
{
    p->error = why;
    return RESP_BROKEN;
}

static bool arg_add(struct resp_parser *p, size_t at, size_t len)
{
    void *args = p->args;

    if (p->argc == p->args_cap &&
        bough_mem_grow(p->mem, &args, &p->args_cap, p->argc + 1, sizeof *p->args))
        return false;
    p->args = args;
    p->args[p->argc++] = (struct resp_arg){at, len};
    return true;
}

/* All arguments are there: make views of them. */
static enum resp_event command(struct resp_parser *p, struct bough_view in)
{
    void *argv = p->argv;

    if (p->argc > p->argv_cap &&
        bough_mem_grow(p->mem, &argv, &p->argv_cap, p->argc, sizeof *p->argv))
        return broken(p, "out of memory");
    p->argv = argv;
    for (size_t i = 0; i < p->argc; i++)
        p->argv[i] = bough_view(in.ptr + p->args[i].at, p->args[i].len);
    return RESP_COMMAND;
}

/* The line at p->pos, without its end; false when it is not whole. */
static bool line_at(
    const struct resp_parser *p, struct bough_view in, struct bough_view *line, size_t *next)
{
    for (size_t i = p->pos; i < in.len; i++) {
        if (in.ptr[i] != '\n')
            continue;
        size_t len = i - p->pos;
        if (len > 0 && in.ptr[i - 1] == '\r')
            len--;
        *line = bough_view(in.ptr + p->pos, len);
        *next = i + 1;
        return true;
    }
    return false;
}

/* A decimal number that fills `v`; -2 when it is none. */
static int64_t number(struct bough_view v)
{
    int64_t x = 0;

    if (v.len == 2 && v.ptr[0] == '-' && v.ptr[1] == '1')
        return -1;
    if (v.len == 0 || v.len > 18)
        return -2;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return -2;
        x = 10 * x + (v.ptr[i] - '0');
    }
    return x;
}

/* A header that is all there and plain, a kind and some digits; where not, the longer way finds out why. */
static bool header(struct resp_parser *p, struct bough_view in, char kind, int64_t *x)
{
    enum { DIGITS = 9 };
    size_t i = p->pos + 1, end = in.len - p->pos < DIGITS + 3 ? in.len : p->pos + DIGITS + 3;
    int64_t sum = 0;

    if (in.len - p->pos < 4 || in.ptr[p->pos] != (uint8_t)kind)
        return false;
    for (; i < end && in.ptr[i] >= '0' && in.ptr[i] <= '9'; i++)
        sum = 10 * sum + (in.ptr[i] - '0');
    if (i == p->pos + 1 || end - i < 2 || in.ptr[i] != '\r' || in.ptr[i + 1] != '\n')
        return false;
    p->pos = i + 2;
    *x = sum;
    return true;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* One word of an inline command from `i` on; its end, or 0 for unbalanced quotes. */
static size_t word_end(struct bough_view line, size_t i, size_t *at, size_t *len)
{
    uint8_t quote = line.ptr[i] == '"' || line.ptr[i] == '\'' ? line.ptr[i] : 0;

    if (quote != 0) {
        *at = ++i;
        while (i < line.len && line.ptr[i] != quote)
            i++;
        if (i == line.len)
            return 0;
        *len = i - *at;
        return i + 1;
    }
    *at = i;
    while (i < line.len && !blank(line.ptr[i]))
        i++;
    *len = i - *at;
    return i;
}

static enum resp_event parse_inline(struct resp_parser *p, struct bough_view in)
{
    struct bough_view line;
    size_t next, i = 0, base = p->pos;

    if (!line_at(p, in, &line, &next))
        return in.len - p->pos > RESP_INLINE_MAX ? broken(p, "too big inline request") : RESP_MORE;
    while (i < line.len) {
        size_t at, len;
        if (blank(line.ptr[i])) {
            i++;
            continue;
        }
        i = word_end(line, i, &at, &len);
        if (i == 0)
            return broken(p, "unbalanced quotes in request");
        if (!arg_add(p, base + at, len))
            return broken(p, "out of memory");
    }
    p->pos = next;
    return command(p, in);
}

static enum resp_event parse_count(struct resp_parser *p, struct bough_view in)
{
    struct bough_view line;
    size_t next;

    if (!header(p, in, '*', &p->want)) {
        if (!line_at(p, in, &line, &next))
            return in.len - p->pos > RESP_INLINE_MAX ? broken(p, "too big mbulk count string")
                                                     : RESP_MORE;
        p->want = number(bough_view(line.ptr + 1, line.len - 1));
        p->pos = next;
    }
    if (p->want < -1 || p->want > RESP_ARGS_MAX)
        return broken(p, "invalid multibulk length");
    if (p->want < 0)
        p->want = 0;
    return RESP_COMMAND;
}

/* The header of the next argument. */
static enum resp_event parse_bulk(struct resp_parser *p, struct bough_view in)
{
    struct bough_view line;
    size_t next;

    if (!header(p, in, '$', &p->bulk)) {
        if (!line_at(p, in, &line, &next))
            return in.len - p->pos > RESP_INLINE_MAX ? broken(p, "too big bulk count string")
                                                     : RESP_MORE;
        if (line.len == 0 || line.ptr[0] != '$')
            return broken(p, "expected '$'");
        p->bulk = number(bough_view(line.ptr + 1, line.len - 1));
        p->pos = next;
    }
    if (p->bulk < 0)
        return broken(p, "invalid bulk length");
    if (p->bulk >= RESP_BIG) {
        p->big = (uint64_t)p->bulk;
        return RESP_LARGE;
    }
    return RESP_COMMAND;
}

void resp_parser_keep(struct resp_parser *p)
{
    p->big = 0;
}

enum resp_event resp_parse(struct resp_parser *p, struct bough_view in)
{
    enum resp_event e;

    if (p->want < 0) {
        if (in.len <= p->pos)
            return RESP_MORE;
        if (in.ptr[p->pos] != '*')
            return parse_inline(p, in);
        e = parse_count(p, in);
        if (e != RESP_COMMAND)
            return e;
    }
    while ((int64_t)p->argc < p->want) {
        if (p->bulk < 0) {
            e = parse_bulk(p, in);
            if (e != RESP_COMMAND)
                return e;
        }
        if (p->bulk > RESP_BULK_MAX)
            return broken(p, "invalid bulk length");
        if (p->pos + (size_t)p->bulk > RESP_COMMAND_MAX)
            return broken(p, "too big command");
        if (in.len - p->pos < (size_t)p->bulk + 2)
            return RESP_MORE;
        if (!arg_add(p, p->pos, (size_t)p->bulk))
            return broken(p, "out of memory");
        p->pos += (size_t)p->bulk + 2;
        p->bulk = -1;
    }
    return command(p, in);
}

/* ---- Replies ---- */

enum { LINE_MAX = 1 + 20 + 2 }; /* kind, digits of 2^63 with a sign, line end */

/* The line of a number into `dst`, which holds LINE_MAX; its length. */
static size_t line_make(uint8_t *dst, char kind, int64_t x)
{
    uint8_t digits[20];
    uint64_t left = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    size_t n = 0, at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    dst[n++] = (uint8_t)kind;
    if (x < 0)
        dst[n++] = '-';
    memcpy(dst + n, digits + at, sizeof digits - at);
    n += sizeof digits - at;
    dst[n++] = '\r';
    dst[n++] = '\n';
    return n;
}

static void line(struct resp_writer *w, char kind, int64_t x)
{
    uint8_t *p = bough_buf_room(w->out, LINE_MAX);

    if (p != NULL)
        w->out->len += line_make(p, kind, x);
}

static void text_line(struct resp_writer *w, char kind, const char *text)
{
    struct bough_view v = bough_view_str(text);
    uint8_t *p = bough_buf_room(w->out, v.len + 3);

    if (p == NULL)
        return;
    *p++ = (uint8_t)kind;
    for (size_t i = 0; i < v.len; i++)
        *p++ = v.ptr[i] == '\r' || v.ptr[i] == '\n' ? ' ' : v.ptr[i];
    *p++ = '\r';
    *p++ = '\n';
    w->out->len += v.len + 3;
}

void resp_simple(struct resp_writer *w, const char *text)
{
    text_line(w, '+', text);
}

void resp_error(struct resp_writer *w, const char *text)
{
    text_line(w, '-', text);
}

void resp_int(struct resp_writer *w, int64_t x)
{
    line(w, ':', x);
}

void resp_bulk_head(struct resp_writer *w, uint64_t len)
{
    line(w, '$', (int64_t)len);
}

void resp_bulk(struct resp_writer *w, struct bough_view v)
{
    uint8_t *p = bough_buf_room(w->out, LINE_MAX + v.len + 2);
    size_t n;

    if (p == NULL)
        return;
    n = line_make(p, '$', (int64_t)v.len);
    if (v.len > 0)
        memcpy(p + n, v.ptr, v.len);
    n += v.len;
    p[n++] = '\r';
    p[n++] = '\n';
    w->out->len += n;
}

void resp_bulk_str(struct resp_writer *w, const char *text)
{
    resp_bulk(w, bough_view_str(text));
}

void resp_null(struct resp_writer *w)
{
    bough_buf_put_str(w->out, w->proto == 3 ? "_\r\n" : "$-1\r\n");
}

void resp_null_array(struct resp_writer *w)
{
    bough_buf_put_str(w->out, w->proto == 3 ? "_\r\n" : "*-1\r\n");
}

void resp_array(struct resp_writer *w, size_t n)
{
    line(w, '*', (int64_t)n);
}

void resp_map(struct resp_writer *w, size_t n)
{
    line(w, w->proto == 3 ? '%' : '*', (int64_t)(w->proto == 3 ? n : 2 * n));
}

void resp_set(struct resp_writer *w, size_t n)
{
    line(w, w->proto == 3 ? '~' : '*', (int64_t)n);
}

void resp_push(struct resp_writer *w, size_t n)
{
    line(w, w->proto == 3 ? '>' : '*', (int64_t)n);
}

void resp_bool(struct resp_writer *w, bool x)
{
    if (w->proto == 3)
        bough_buf_put_str(w->out, x ? "#t\r\n" : "#f\r\n");
    else
        resp_int(w, x);
}
