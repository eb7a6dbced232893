/*
 * keys.c - see keys.h.
 *
 *   components   escape and unescape
 *   revisions
 *   walking
 *   patterns
 *   scans
 */
#include <string.h>

#include "git/name.h"
#include "server/keys.h"

/* A component that no segment may be. */
static bool impossible(struct bough_view c)
{
    return c.len == 0 || (c.ptr[0] != '%' && bough_name_check(c, NULL) != BOUGH_OK);
}

/* Zero or more `%`, then an impossible component. */
static bool needs_escape(struct bough_view c)
{
    while (c.len > 0 && c.ptr[0] == '%')
        c = bough_view(c.ptr + 1, c.len - 1);
    return impossible(c);
}

/* Most components are plain: tell so without a look at the rules. */
static bool plain(struct bough_view c)
{
    static const char suspects[] = ".%gG";

    if (c.len == 0)
        return false;
    for (size_t i = 0; i < sizeof suspects - 1; i++) {
        if (c.ptr[0] == (uint8_t)suspects[i])
            return false;
    }
    return c.ptr[0] < 0x80;
}

static struct bough_view component(struct bough_view text, size_t at)
{
    size_t end = at;

    while (end < text.len && text.ptr[end] != '/')
        end++;
    return bough_view(text.ptr + at, end - at);
}

bool key_is_path(struct bough_view key)
{
    for (size_t at = 0; at <= key.len;) {
        struct bough_view rest = bough_view(key.ptr + at, key.len - at);
        const uint8_t *slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.ptr);

        if (!plain(bough_view(rest.ptr, len)))
            return false;
        at += len + 1;
    }
    return true;
}

void key_to_path(struct bough_view key, struct bough_buf *out)
{
    for (size_t at = 0; at <= key.len;) {
        struct bough_view c = component(key, at);
        if (at > 0)
            bough_buf_put_u8(out, '/');
        if (!plain(c) && needs_escape(c))
            bough_buf_put_u8(out, '%');
        bough_buf_put_view(out, c);
        at += c.len + 1;
    }
}

void path_to_key(struct bough_view path, struct bough_buf *out)
{
    for (size_t at = 0; at <= path.len;) {
        struct bough_view c = component(path, at);
        size_t skip =
            c.len > 0 && c.ptr[0] == '%' && needs_escape(bough_view(c.ptr + 1, c.len - 1));
        if (at > 0)
            bough_buf_put_u8(out, '/');
        bough_buf_put(out, c.ptr + skip, c.len - skip);
        at += c.len + 1;
    }
}

bool key_revision(struct bough_view key, struct bough_view *rev, struct bough_view *rest)
{
    *rest = key;
    if (key.len == 0 || key.ptr[0] != '@')
        return false;
    if (key.len > 1 && key.ptr[1] == '@') {
        *rest = bough_view(key.ptr + 1, key.len - 1);
        return false;
    }
    for (size_t i = 1; i < key.len; i++) {
        if (key.ptr[i] != ':')
            continue;
        *rev = bough_view(key.ptr + 1, i - 1);
        *rest = bough_view(key.ptr + i + 1, key.len - i - 1);
        return true;
    }
    return false;
}

/* ---- Walking ---- */

/* Go down to the first value at or below the dictionary in `path`. */
static enum bough_err descend(struct bough_kv *kv, struct bough_buf *path)
{
    for (;;) {
        struct bough_kv_entry e;
        enum bough_err err = bough_kv_next(kv, bough_buf_view(path), bough_view(NULL, 0), &e);
        if (err)
            return err;
        if (path->len > 0)
            bough_buf_put_u8(path, '/');
        bough_buf_put_view(path, e.name);
        if (path->err)
            return path->err;
        if (e.kind == BOUGH_KIND_VALUE)
            return BOUGH_OK;
    }
}

/* Where the last segment of `path` begins. */
static size_t last_segment(struct bough_view path)
{
    size_t i = path.len;

    while (i > 0 && path.ptr[i - 1] != '/')
        i--;
    return i;
}

enum bough_err walk_next(struct bough_kv *kv, struct bough_buf *path, size_t base)
{
    enum bough_err err;

    if (path->len == base) {
        err = descend(kv, path);
        return err == BOUGH_EDICT ? BOUGH_ENOENT : err; /* the base may be a value, or nothing */
    }
    while (path->len > base) {
        size_t at = last_segment(bough_buf_view(path));
        struct bough_view dir = bough_view(path->ptr, at > 0 ? at - 1 : 0);
        struct bough_view after = bough_view(path->ptr + at, path->len - at);
        struct bough_kv_entry e;

        err = bough_kv_next(kv, dir, after, &e);
        if (!err) {
            path->len = at;
            bough_buf_put_view(path, e.name);
            if (path->err)
                return path->err;
            return e.kind == BOUGH_KIND_VALUE ? BOUGH_OK : descend(kv, path);
        }
        if (err != BOUGH_ENOENT && err != BOUGH_EDICT)
            return err;
        path->len = dir.len;
    }
    return BOUGH_ENOENT;
}

/* ---- Patterns ---- */

/* Does `c` belong to the class that begins after '['?  `*len` = bytes of the class with its ']'. */
static bool class_match(struct bough_view p, uint8_t c, size_t *len)
{
    size_t i = 0;
    bool invert = p.len > 0 && p.ptr[0] == '^', hit = false;

    if (invert)
        i++;
    while (i < p.len && p.ptr[i] != ']') {
        if (p.ptr[i] == '\\' && i + 1 < p.len) {
            hit |= p.ptr[i + 1] == c;
            i += 2;
        } else if (i + 2 < p.len && p.ptr[i + 1] == '-') {
            uint8_t lo = p.ptr[i], hi = p.ptr[i + 2];
            hit |= (lo <= hi ? lo : hi) <= c && c <= (lo <= hi ? hi : lo);
            i += 3;
        } else {
            hit |= p.ptr[i++] == c;
        }
    }
    *len = i < p.len ? i + 1 : i;
    return hit != invert;
}

/* One pattern element against one byte; `*len` = bytes of the element. */
static bool element_match(struct bough_view p, uint8_t c, size_t *len)
{
    *len = 1;
    if (p.ptr[0] == '?')
        return true;
    if (p.ptr[0] == '[') {
        bool hit = class_match(bough_view(p.ptr + 1, p.len - 1), c, len);
        *len += 1;
        return hit;
    }
    if (p.ptr[0] == '\\' && p.len > 1) {
        *len = 2;
        return p.ptr[1] == c;
    }
    return p.ptr[0] == c;
}

/* The last star takes one byte more whenever the rest does not fit: linear in practice, no recursion. */
bool glob_match(struct bough_view pattern, struct bough_view text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;

    while (t < text.len) {
        size_t len = 0;
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = ++p;
            star_t = t;
        } else if (p < pattern.len &&
                   element_match(bough_view(pattern.ptr + p, pattern.len - p), text.ptr[t], &len)) {
            p += len;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

void glob_base(struct bough_view pattern, struct bough_buf *out)
{
    size_t slash = 0;
    struct bough_view rev, rest;

    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];
        if (c == '*' || c == '?' || c == '[' || c == '\\')
            break;
        if (c == '/')
            slash = i;
    }
    if (slash == 0 || key_revision(bough_view(pattern.ptr, slash), &rev, &rest))
        return;
    key_to_path(rest, out);
}

/* ---- Scans ---- */

void scan_end(struct server *s, struct scan *scan)
{
    bough_kv_close(scan->kv);
    bough_buf_fini(&scan->last);
    *scan = (struct scan){.cursor = 0};
    (void)s;
}

struct scan *scan_begin(struct server *s, struct bough_kv *kv, struct bough_view pattern)
{
    struct scan *oldest = &s->scans[0];

    for (size_t i = 1; i < SCANS_MAX; i++) {
        if (s->scans[i].used < oldest->used)
            oldest = &s->scans[i];
    }
    if (oldest->cursor != 0)
        scan_end(s, oldest);
    bough_buf_init(&oldest->last, s->mem);
    if (bough_kv_snapshot(kv, &oldest->kv))
        return NULL;
    glob_base(pattern, &oldest->last);
    oldest->base = oldest->last.len;
    oldest->cursor = oldest->used = ++s->scan_ids;
    return oldest;
}

struct scan *scan_find(struct server *s, uint64_t cursor)
{
    for (size_t i = 0; i < SCANS_MAX; i++) {
        struct scan *scan = &s->scans[i];
        if (scan->cursor == cursor && cursor != 0) {
            scan->used = ++s->scan_ids;
            scan->cursor = scan->used;
            return scan;
        }
    }
    return NULL;
}

void server_scans_fini(struct server *s)
{
    for (size_t i = 0; i < SCANS_MAX; i++) {
        if (s->scans[i].cursor != 0)
            scan_end(s, &s->scans[i]);
    }
}
