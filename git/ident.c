/*
 * ident.c - who did something, and when: `name <mail> seconds zone`.
 *
 *   reading   from the outside in, so that odd names do not matter
 *   writing   cleaned as git cleans what people type
 */
#include "git/inner.h"

enum {
    ZONE_MAX = 99 * 60 + 59, /* minutes; four digits */
    ZONE_TEXT_MAX = 9999,
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bough_view trim_end(struct bough_view v)
{
    while (v.len > 0 && is_space(v.ptr[v.len - 1]))
        v.len--;
    return v;
}

static struct bough_view trim(struct bough_view v)
{
    while (v.len > 0 && is_space(v.ptr[0]))
        v = bough_git__after(v, 1);
    return trim_end(v);
}

/* A decimal number at the front; 0 when it passes `max`. False: no digit there. */
static bool number_take(struct bough_view *left, int64_t max, int64_t *out)
{
    int64_t x = 0;
    bool over = false;
    size_t i = 0;

    for (; i < left->len && bough_git__is_digit(left->ptr[i]); i++) {
        int64_t digit = left->ptr[i] - '0';

        over = over || x > (max - digit) / 10;
        x = over ? 0 : x * 10 + digit;
    }
    *left = bough_git__after(*left, i);
    *out = x;
    return i > 0;
}

/* `seconds zone`: what can not be read is 0. */
static void date_parse(struct bough_view v, struct bough_time *out)
{
    int64_t hhmm;
    bool west;

    if (!number_take(&v, INT64_MAX, &out->sec))
        return;
    v = trim(v);
    if (v.len == 0 || (v.ptr[0] != '+' && v.ptr[0] != '-'))
        return;
    west = v.ptr[0] == '-';
    v = bough_git__after(v, 1);
    if (!number_take(&v, ZONE_TEXT_MAX, &hhmm))
        return;
    hhmm = hhmm / 100 * 60 + hhmm % 100;
    out->zone_min = (int16_t)(west ? -hhmm : hhmm);
}

enum bough_err bough_ident_parse(struct bough_view line, struct bough_ident *out)
{
    size_t open = bough_git__index(line, '<'), end = line.len;
    struct bough_view rest;
    size_t close;

    *out = (struct bough_ident){.name = trim(bough_view(line.ptr, open))};
    if (open == line.len)
        return BOUGH_EFORMAT;
    rest = bough_git__after(line, open + 1);
    close = bough_git__index(rest, '>');
    if (close == rest.len) {
        out->name = trim(line);
        return BOUGH_EFORMAT;
    }
    out->mail = bough_view(rest.ptr, close);
    while (line.ptr[end - 1] != '>') /* the date is behind the last one */
        end--;
    date_parse(trim(bough_git__after(line, end)), &out->time);
    return BOUGH_OK;
}

/* What git takes off both ends of names and mails. */
static bool is_crud(uint8_t c)
{
    return c <= ' ' || c == '.' || c == ',' || c == ':' || c == ';' || c == '<' || c == '>' ||
           c == '"' || c == '\\' || c == '\'';
}

static struct bough_view crud_trim(struct bough_view v)
{
    while (v.len > 0 && is_crud(v.ptr[0]))
        v = bough_git__after(v, 1);
    while (v.len > 0 && is_crud(v.ptr[v.len - 1]))
        v.len--;
    return v;
}

static void clean_put(struct bough_buf *out, struct bough_view v)
{
    v = crud_trim(v);
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];

        if (c != '\n' && c != '<' && c != '>')
            bough_buf_put_u8(out, c);
    }
}

bool bough_ident_name_ok(struct bough_view name)
{
    return crud_trim(name).len > 0;
}

static void zone_put(struct bough_buf *out, int zone_min)
{
    int m = zone_min < 0 ? -zone_min : zone_min;
    const uint8_t text[6] = {' ', zone_min < 0 ? '-' : '+', (uint8_t)('0' + m / 600),
        (uint8_t)('0' + m / 60 % 10), (uint8_t)('0' + m % 60 / 10), (uint8_t)('0' + m % 10)};

    bough_buf_put(out, text, sizeof text);
}

bool bough_ident_ok(const struct bough_ident *who)
{
    const struct bough_time *t = &who->time;

    return bough_ident_name_ok(who->name) && t->sec >= 0 && t->zone_min <= ZONE_MAX &&
           t->zone_min >= -ZONE_MAX;
}

void bough_ident_put(struct bough_buf *out, const struct bough_ident *who)
{
    const struct bough_time *t = &who->time;

    if (!bough_ident_ok(who)) {
        out->err = out->err ? out->err : BOUGH_EINVAL;
        return;
    }
    clean_put(out, who->name);
    bough_buf_put_str(out, " <");
    clean_put(out, who->mail);
    bough_buf_put_str(out, "> ");
    bough_buf_put_dec(out, t->sec);
    zone_put(out, t->zone_min);
}
