/*
 * commit.c - headers and commits.
 *
 *   headers   one by one, by name, unfolded, folded
 *   reading   views into the raw bytes
 *   writing   what git commit-tree makes
 *
 * A commit: `tree ID LF`, `parent ID LF`*, `author IDENT LF`, `committer IDENT LF`,
 * further headers, an empty line, the message.
 */
#include "git/inner.h"

/* Headers. */

bool bough_header_next(struct bough_view *left, struct bough_header *out)
{
    struct bough_view v = *left;
    size_t end = 0, name;

    if (v.len == 0 || v.ptr[0] == '\n')
        return false;
    do
        end += bough_git__index(bough_git__after(v, end), '\n') + 1;
    while (end < v.len && v.ptr[end] == ' ');
    if (end > v.len) { /* the last line has no LF */
        *left = bough_git__after(v, v.len);
    } else {
        *left = bough_git__after(v, end);
        v.len = end - 1;
    }
    name = bough_git__index(v, ' ');
    out->name = bough_view(v.ptr, name);
    out->value = bough_git__after(v, name < v.len ? name + 1 : name);
    return true;
}

bool bough_header_find(struct bough_view headers, const char *name, struct bough_view *value)
{
    struct bough_view want = bough_view_str(name);
    struct bough_header h;

    while (bough_header_next(&headers, &h)) {
        if (bough_view_eq(h.name, want)) {
            *value = h.value;
            return true;
        }
    }
    return false;
}

void bough_header_unfold(struct bough_buf *out, struct bough_view value)
{
    struct bough_view line;

    while (bough_git__line(&value, &line)) {
        bough_buf_put_view(out, line);
        bough_buf_put_u8(out, '\n');
        if (value.len > 0 && value.ptr[0] == ' ')
            value = bough_git__after(value, 1);
    }
    bough_buf_put_view(out, value);
}

void bough_header_put(struct bough_buf *out, struct bough_header header)
{
    struct bough_view left = header.value, line;

    bough_buf_put_view(out, header.name);
    do {
        if (!bough_git__line(&left, &line)) {
            line = left;
            left.len = 0;
        }
        bough_buf_put_u8(out, ' ');
        bough_buf_put_view(out, line);
        bough_buf_put_u8(out, '\n');
    } while (left.len > 0);
}

/* Reading. */

/* `KEY SP hex LF` at the front of `left`; false: another key, nothing taken. */
static bool id_take(enum bough_algo algo, const char *key, struct bough_view *left,
    struct bough_oid *out, enum bough_err *err)
{
    struct bough_view rest = *left, line;

    if (!bough_git__skip(&rest, key))
        return false;
    *err = bough_git__line(&rest, &line) ? bough_oid_parse(algo, line, out) : BOUGH_EFORMAT;
    *left = rest;
    return true;
}

/* Walk over the headers behind the parents, to the message. */
static void people_find(struct bough_view raw, struct bough_view left, struct bough_commit *out)
{
    struct bough_header h;

    while (bough_header_next(&left, &h)) {
        if (out->author.ptr == NULL && bough_view_eq(h.name, bough_view_str("author")))
            out->author = h.value;
        else if (out->committer.ptr == NULL && bough_view_eq(h.name, bough_view_str("committer")))
            out->committer = h.value;
    }
    out->headers = bough_view(raw.ptr, raw.len - left.len);
    out->message = bough_git__after(left, left.len > 0 ? 1 : 0); /* not the empty line */
}

enum bough_err bough_commit_parse(
    enum bough_algo algo, struct bough_view raw, struct bough_commit *out)
{
    struct bough_view left = raw;
    enum bough_err err = BOUGH_EFORMAT;
    struct bough_oid parent;

    *out = (struct bough_commit){.algo = algo};
    if (!id_take(algo, "tree ", &left, &out->tree, &err) || err)
        return BOUGH_EFORMAT;
    out->parents = left.ptr;
    while (id_take(algo, "parent ", &left, &parent, &err)) {
        if (err || out->parents_n == UINT32_MAX)
            return BOUGH_EFORMAT;
        out->parents_n++;
    }
    people_find(raw, left, out);
    return BOUGH_OK;
}

struct bough_oid bough_commit_parent(const struct bough_commit *c, uint32_t i)
{
    size_t hex = (size_t)2 * bough_algo_len(c->algo), line = 7 + hex + 1; /* `parent ` id LF */
    struct bough_oid id = {{0}};
    enum bough_err err;

    BOUGH_ASSERT(i < c->parents_n);
    err = bough_oid_parse(c->algo, bough_view(c->parents + i * line + 7, hex), &id);
    BOUGH_ASSERT(err == BOUGH_OK); /* bough_commit_parse() looked at all of them */
    return id;
}

/* Writing. */

static void id_put(
    struct bough_buf *out, enum bough_algo algo, const char *key, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(algo, id, hex);

    bough_buf_put_str(out, key);
    bough_buf_put(out, hex, n);
    bough_buf_put_u8(out, '\n');
}

static void ident_line_put(struct bough_buf *out, const char *key, const struct bough_ident *who)
{
    bough_buf_put_str(out, key);
    bough_ident_put(out, who);
    bough_buf_put_u8(out, '\n');
}

/* A code point that git lets through; else nothing is taken. */
static bool text_take(struct bough_view *left)
{
    struct bough_view rest = *left;
    int32_t c = bough_git__utf8_next(&rest);

    if (c < 0 || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
        return false;
    *left = rest;
    return true;
}

static size_t text_faults(struct bough_view v)
{
    size_t n = 0;

    while (v.len > 0) {
        if (v.ptr[0] < 0x80 || !text_take(&v)) {
            n += v.ptr[0] >= 0x80;
            v = bough_git__after(v, 1);
        }
    }
    return n;
}

/*
 * Make UTF-8 of out's bytes from `from` on: each byte that breaks it becomes
 * the two of the Latin-1 character.  The text moves up by as much as it will
 * grow, then comes back down, so it is never written over before it is read.
 */
static void text_repair(struct bough_buf *out, size_t from)
{
    size_t grow, len;
    struct bough_view v;
    uint8_t *to;

    if (out->err)
        return;
    len = out->len - from;
    grow = text_faults(bough_view(out->ptr + from, len));
    if (grow == 0 || bough_buf_room(out, grow) == NULL)
        return;
    to = out->ptr + from;
    memmove(to + grow, to, len);
    out->len += grow;
    v = bough_view(to + grow, len);
    while (v.len > 0) {
        struct bough_view at = v;

        if (text_take(&v)) {
            memmove(to, at.ptr, at.len - v.len);
            to += at.len - v.len;
        } else {
            uint8_t c = v.ptr[0];

            v = bough_git__after(v, 1);
            *to++ = (uint8_t)(0xc0 | c >> 6);
            *to++ = (uint8_t)(0x80 | (c & 0x3f));
        }
    }
}

static void nul_refuse(struct bough_buf *out, size_t from)
{
    if (out->err)
        return;
    if (bough_git__index(bough_view(out->ptr + from, out->len - from), 0) < out->len - from)
        out->err = BOUGH_EINVAL;
}

void bough_commit_put(
    struct bough_buf *out, enum bough_algo algo, const struct bough_commit_parts *parts)
{
    size_t from = out->len;

    id_put(out, algo, "tree ", &parts->tree);
    for (uint32_t i = 0; i < parts->parents_n; i++)
        id_put(out, algo, "parent ", &parts->parents[i]);
    ident_line_put(out, "author ", &parts->author);
    ident_line_put(out, "committer ", &parts->committer);
    if (parts->encoding.len > 0)
        bough_header_put(out, (struct bough_header){bough_view_str("encoding"), parts->encoding});
    for (uint32_t i = 0; i < parts->headers_n; i++)
        bough_header_put(out, parts->headers[i]);
    bough_buf_put_u8(out, '\n');
    bough_buf_put_view(out, parts->message);
    nul_refuse(out, from);
    if (parts->encoding.len == 0)
        text_repair(out, from);
}
