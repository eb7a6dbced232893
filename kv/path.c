/*
 * path.c - keys as text.
 *
 *   bough_path_normal()   the inner form
 *   bough_path_print()    the printed form
 *   bough_path_check()    the rules of written keys
 *   link_check            one more, for links
 */
#include "git/name.h"
#include "kv/inner.h"

size_t bough_path_normal(struct bough_view key, uint8_t *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '/')
            continue;
        if (i > 0 && key.ptr[i - 1] == '/' && n > 0)
            dst[n++] = '/';
        dst[n++] = key.ptr[i];
    }
    return n;
}

/* The high bit of every byte of `x` that is a slash. */
static uint64_t slashes(uint64_t x)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7f;

    x ^= 0x2f2f2f2f2f2f2f2f;
    return ~(((x & low) + low) | x | low);
}

bool bough_kv__path_is_normal(struct bough_view key)
{
    uint64_t m, two = 0; /* two slashes side by side, somewhere */
    size_t i = 0;

    if (key.len < 8) {
        for (; i < key.len && (key.ptr[i] != '/' || (i > 0 && key.ptr[i - 1] != '/')); i++)
            ;
        return i > 0 && i == key.len && key.ptr[i - 1] != '/';
    }
    for (; i + 8 < key.len; i += 7) { /* words share a byte, so that each pair is in one */
        m = slashes(bough_get64le(key.ptr + i));
        two |= m & m << 8;
    }
    m = slashes(bough_get64le(key.ptr + key.len - 8));
    return (two | (m & m << 8) | m >> 63) == 0 && key.ptr[0] != '/';
}

bool bough_kv__segment_next(struct bough_view *rest, struct bough_view *name)
{
    size_t n = 0;

    while (rest->len > 0 && rest->ptr[0] == '/')
        *rest = bough_view(rest->ptr + 1, rest->len - 1);
    if (rest->len == 0)
        return false;
    while (n < rest->len && rest->ptr[n] != '/')
        n++;
    *name = bough_view(rest->ptr, n);
    *rest = bough_view(rest->ptr + n, rest->len - n);
    return true;
}

void bough_path_print(struct bough_buf *out, struct bough_view key)
{
    struct bough_view name;
    size_t before = out->len;

    while (bough_kv__segment_next(&key, &name)) {
        bough_buf_put_u8(out, '/');
        bough_buf_put_view(out, name);
    }
    if (out->len == before)
        bough_buf_put_u8(out, '/');
}

/* The printed form as far as there is room. */
static size_t path_cut(struct bough_view key, uint8_t *dst, size_t room)
{
    struct bough_view name;
    size_t n = 0;

    while (n < room && bough_kv__segment_next(&key, &name)) {
        dst[n++] = '/';
        if (name.len > room - n)
            name.len = room - n;
        memcpy(dst + n, name.ptr, name.len);
        n += name.len;
    }
    if (n == 0 && room > 0)
        dst[n++] = '/';
    return n;
}

void bough_kv__why_fill(
    struct bough_why *why, enum bough_err err, const char *what, struct bough_view key)
{
    uint8_t printed[BOUGH_WHY_KEY_MAX];

    bough_why_fill(why, err, what, printed, path_cut(key, printed, sizeof printed));
}

enum bough_err bough_kv__why_two(
    struct bough_why *why, enum bough_err err, struct bough_view a, struct bough_view b)
{
    uint8_t printed[BOUGH_WHY_KEY_MAX];
    size_t n = path_cut(a, printed, sizeof printed);

    if (n < sizeof printed)
        printed[n++] = 0;
    n += path_cut(b, printed + n, sizeof printed - n);
    return bough_why_set(why, err, "", printed, n);
}

enum bough_err bough_path_check(struct bough_view key, struct bough_why *why)
{
    struct bough_view rest = key, name;
    size_t printed = 0, depth = 0, longest = 0;

    while (bough_kv__segment_next(&rest, &name)) {
        struct bough_why inner; /* filled only where there is a fault */

        if (bough_name_check(name, &inner) != BOUGH_OK)
            return bough_kv__why(why, BOUGH_EKEY, inner.what, key);
        if (name.len > longest)
            longest = name.len;
        printed += 1 + name.len;
        depth++;
    }
    if (longest > BOUGH_SEGMENT_MAX)
        return bough_kv__why(why, BOUGH_ETOOBIG, "segment over 255 bytes", key);
    if (printed > BOUGH_PATH_MAX)
        return bough_kv__why(why, BOUGH_ETOOBIG, "path over 4,096 bytes", key);
    if (depth > BOUGH_DEPTH_MAX)
        return bough_kv__why(why, BOUGH_ETOOBIG, "path deeper than 128", key);
    return BOUGH_OK;
}

enum bough_err bough_kv__link_check(struct bough_view path, struct bough_why *why)
{
    struct bough_view rest = path, name = bough_view("", 0);

    while (bough_kv__segment_next(&rest, &name)) {
    }
    if (!bough_name_is_dot(name, BOUGH_DOT_GITMODULES))
        return BOUGH_OK;
    return bough_kv__why(
        why, BOUGH_EKEY, "gitmodulesSymlink: .gitmodules is a symbolic link", path);
}

struct bough_view bough_kv__path_parent(struct bough_view path)
{
    size_t n = path.len;

    while (n > 0 && path.ptr[n - 1] != '/')
        n--;
    return bough_view(path.ptr, n > 0 ? n - 1 : 0);
}

struct bough_view bough_kv__path_name(struct bough_view path)
{
    size_t n = path.len;

    while (n > 0 && path.ptr[n - 1] != '/')
        n--;
    return bough_view(path.ptr + n, path.len - n);
}

bool bough_kv__path_below(struct bough_view path, struct bough_view dir)
{
    if (dir.len == 0)
        return path.len > 0;
    return path.len > dir.len && path.ptr[dir.len] == '/' &&
           memcmp(path.ptr, dir.ptr, dir.len) == 0;
}

int bough_kv__path_cmp(struct bough_view a, struct bough_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < n; i++) {
        if (a.ptr[i] == b.ptr[i])
            continue;
        if (a.ptr[i] == '/')
            return -1;
        if (b.ptr[i] == '/')
            return 1;
        return a.ptr[i] < b.ptr[i] ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}
