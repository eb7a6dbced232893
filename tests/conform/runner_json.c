/*
 * runner_json.c - JSON texts that mean the same, made the same: no spaces, keys sorted, numbers and
 * strings as they are written.
 */
#include <string.h>

#include "runner.h"

struct json {
    struct pool *pool;
    const uint8_t *at, *end;
    int deep;
};

enum { DEEP_MAX = 64 };

static bool value_read(struct json *j, struct bough_view *out);

static void space_skip(struct json *j)
{
    while (j->at < j->end && memchr(" \t\r\n", *j->at, 4) != NULL)
        j->at++;
}

static bool byte_take(struct json *j, uint8_t c)
{
    space_skip(j);
    if (j->at >= j->end || *j->at != c)
        return false;
    j->at++;
    return true;
}

static bool string_read(struct json *j, struct bough_view *out)
{
    const uint8_t *begin = j->at;

    if (!byte_take(j, '"'))
        return false;
    begin = j->at - 1;
    while (j->at < j->end && *j->at != '"')
        j->at += *j->at == '\\' ? 2 : 1;
    if (j->at >= j->end)
        return false;
    j->at++;
    *out = bough_view(begin, (size_t)(j->at - begin));
    return true;
}

/* A number, true, false, null. */
static bool bare_read(struct json *j, struct bough_view *out)
{
    const uint8_t *begin = j->at;

    while (j->at < j->end && memchr(",]} \t\r\n:", *j->at, 8) == NULL)
        j->at++;
    *out = bough_view(begin, (size_t)(j->at - begin));
    return out->len > 0;
}

struct parts {
    struct bough_view *v;
    size_t n, cap, len;
};

static void parts_add(struct json *j, struct parts *p, struct bough_view v)
{
    if (p->n == p->cap) {
        p->v = pool_more(j->pool, p->v, p->n * sizeof v, (p->cap * 2 + 8) * sizeof v);
        p->cap = p->cap * 2 + 8;
    }
    p->v[p->n++] = v;
    p->len += v.len + 1;
}

static int part_cmp(const void *a, const void *b)
{
    return bough_view_cmp(*(const struct bough_view *)a, *(const struct bough_view *)b);
}

static struct bough_view parts_join(struct json *j, struct parts *p, char open, char close)
{
    char *text = pool_get(j->pool, p->len + 2);
    size_t n = 0;

    text[n++] = open;
    for (size_t i = 0; i < p->n; i++) {
        if (i > 0)
            text[n++] = ',';
        memcpy(text + n, p->v[i].ptr, p->v[i].len);
        n += p->v[i].len;
    }
    text[n++] = close;
    return bough_view(text, n);
}

/* `"key":value` as one part. */
static bool member_read(struct json *j, struct bough_view *out)
{
    struct bough_view key, value;
    char *text;

    if (!string_read(j, &key) || !byte_take(j, ':') || !value_read(j, &value))
        return false;
    text = pool_get(j->pool, key.len + value.len + 1);
    memcpy(text, key.ptr, key.len);
    text[key.len] = ':';
    memcpy(text + key.len + 1, value.ptr, value.len);
    *out = bough_view(text, key.len + value.len + 1);
    return true;
}

static bool many_read(struct json *j, char close, struct bough_view *out)
{
    struct parts p = {0};
    struct bough_view part;
    bool object = close == '}';

    if (!byte_take(j, (uint8_t)close)) {
        do {
            space_skip(j);
            if (!(object ? member_read(j, &part) : value_read(j, &part)))
                return false;
            parts_add(j, &p, part);
        } while (byte_take(j, ','));
        if (!byte_take(j, (uint8_t)close))
            return false;
    }
    if (object && p.n > 0)
        qsort(p.v, p.n, sizeof *p.v, part_cmp);
    *out = parts_join(j, &p, object ? '{' : '[', close);
    return true;
}

static bool value_read(struct json *j, struct bough_view *out)
{
    bool fine;

    space_skip(j);
    if (j->at >= j->end || ++j->deep > DEEP_MAX)
        return false;
    if (*j->at == '"')
        fine = string_read(j, out);
    else if (byte_take(j, '{'))
        fine = many_read(j, '}', out);
    else if (byte_take(j, '['))
        fine = many_read(j, ']', out);
    else
        fine = bare_read(j, out);
    j->deep--;
    return fine;
}

bool json_canonical(struct pool *p, struct bough_view text, struct bough_view *out)
{
    struct json j = {.pool = p, .at = text.ptr, .end = text.ptr + text.len};

    if (!value_read(&j, out))
        return false;
    space_skip(&j);
    return j.at == j.end;
}
