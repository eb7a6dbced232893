/*
 * text.c - taking text apart.
 *
 *   prefixes and lines
 *   one code point of UTF-8
 */
#include "git/inner.h"

bool bough_git__skip(struct bough_view *left, const char *text)
{
    struct bough_view t = bough_view_str(text);

    if (left->len < t.len || memcmp(left->ptr, t.ptr, t.len) != 0)
        return false;
    *left = bough_git__after(*left, t.len);
    return true;
}

/* Eight at a time: a byte of `x` that is 0 borrows, and only such a one (or one above it) does. */
size_t bough_git__index(struct bough_view v, uint8_t byte)
{
    const uint64_t ones = 0x0101010101010101, tops = ones << 7;
    size_t i = 0;

    for (; v.len - i >= 8; i += 8) {
        uint64_t x = bough_get64le(v.ptr + i) ^ ones * byte;
        uint64_t zero = (x - ones) & ~x & tops;

        if (zero != 0)
            return i + (size_t)__builtin_ctzll(zero) / 8;
    }
    while (i < v.len && v.ptr[i] != byte)
        i++;
    return i;
}

size_t bough_git__same(struct bough_view a, struct bough_view b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;

    for (; n - i >= 8; i += 8) {
        uint64_t x = bough_get64le(a.ptr + i) ^ bough_get64le(b.ptr + i);

        if (x != 0)
            return i + (size_t)__builtin_ctzll(x) / 8;
    }
    while (i < n && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

bool bough_git__line(struct bough_view *left, struct bough_view *line)
{
    size_t n = bough_git__index(*left, '\n');

    if (n == left->len)
        return false;
    *line = bough_view(left->ptr, n);
    *left = bough_git__after(*left, n + 1);
    return true;
}

int32_t bough_git__utf8_next(struct bough_view *left)
{
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000}; /* by further bytes */
    size_t more;
    int32_t c;

    if (left->len == 0)
        return -1;
    c = left->ptr[0];
    more = c < 0x80 ? 0 : c < 0xc0 ? 4 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf8 ? 3 : 4;
    if (more > 3 || left->len <= more)
        return -1;
    if (more > 0)
        c &= 0x3f >> more;
    for (size_t i = 1; i <= more; i++) {
        if ((left->ptr[i] & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (left->ptr[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return -1;
    *left = bough_git__after(*left, more + 1);
    return c;
}
