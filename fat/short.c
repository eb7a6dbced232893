/*
 * short.c - names of 8 and 3 bytes.
 *
 *   bytes     which ones a short name may hold; parts filled up with spaces
 *   fitting   bough_fat_short_is(), bough_fat_short_name()
 *   aliases   bough_fat_alias()
 *   the tie   bough_fat_checksum()
 */
#include "fat/fat.h"

enum { BASE = 8, EXT = 3, NUMBER_MAX = 999999 };

/* ---- Bytes ---- */

static bool byte_ok(uint16_t c)
{
    static const char marks[] = "!#$%&'()-@^_`{}~";

    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    for (size_t i = 0; marks[i] != 0; i++) {
        if (c == (uint8_t)marks[i])
            return true;
    }
    return false;
}

/* The last dot that has something on both sides, dots and spaces before aside; n: none. */
static uint32_t last_dot(const uint16_t *units, uint32_t n)
{
    uint32_t begin = 0;

    while (begin < n && (units[begin] == '.' || units[begin] == ' '))
        begin++;
    for (uint32_t i = n; i-- > begin + 1;) {
        if (units[i] == '.' && i + 1 < n)
            return i;
    }
    return n;
}

/* ---- Fitting ---- */

bool bough_fat_short_is(const struct bough_fat_name *name, uint8_t out[BOUGH_FAT_SHORT])
{
    uint32_t dot = last_dot(name->units, name->n);

    if (dot > BASE || dot == 0 || (dot < name->n && name->n - dot - 1 > EXT))
        return false;
    memset(out, ' ', BOUGH_FAT_SHORT);
    for (uint32_t i = 0; i < name->n; i++) {
        if (i == dot)
            continue;
        if (!byte_ok(name->units[i]))
            return false;
        out[i < dot ? i : BASE + i - dot - 1] = (uint8_t)name->units[i];
    }
    return true;
}

/* One part without the spaces that fill it; false: something cannot be. */
static bool part_take(const uint8_t *part, uint32_t len, bool small, struct bough_fat_name *out)
{
    while (len > 0 && part[len - 1] == ' ')
        len--;
    for (uint32_t i = 0; i < len; i++) {
        if (!byte_ok(part[i]))
            return false;
        if (small && part[i] >= 'A' && part[i] <= 'Z')
            out->units[out->n++] = (uint16_t)(part[i] - 'A' + 'a');
        else
            out->units[out->n++] = part[i];
    }
    return true;
}

enum bough_err bough_fat_short_name(
    const uint8_t short_name[BOUGH_FAT_SHORT], uint8_t flags, struct bough_fat_name *out)
{
    uint32_t base;

    out->n = 0;
    if (!part_take(short_name, BASE, (flags & BOUGH_FAT_SMALL_BASE) != 0, out) || out->n == 0)
        return BOUGH_EFORMAT;
    base = out->n;
    out->units[out->n++] = '.';
    if (!part_take(short_name + BASE, EXT, (flags & BOUGH_FAT_SMALL_EXT) != 0, out))
        return BOUGH_EFORMAT;
    if (out->n == base + 1)
        out->n = base;
    return BOUGH_OK;
}

/* ---- Aliases ---- */

/* What a short name can hold of `units`: capitals, no dots and spaces, `_` for all else. */
static uint32_t part_squeeze(const uint16_t *units, uint32_t n, uint32_t max, uint8_t *out)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < n && len < max; i++) {
        uint16_t c = units[i];

        if (c == '.' || c == ' ' || (c >= 0xdc00 && c <= 0xdfff)) /* half of a pair counts once */
            continue;
        c = c >= 'a' && c <= 'z' ? (uint16_t)(c - 'a' + 'A') : c;
        out[len++] = byte_ok(c) ? (uint8_t)c : '_';
    }
    return len;
}

/* ~NUMBER behind as much of the base as leaves room for it. */
static void alias_number(uint8_t *alias, uint32_t base, uint32_t number)
{
    uint8_t tail[BASE];
    uint32_t n = 0, keep;

    for (; number > 0; number /= 10)
        tail[n++] = (uint8_t)('0' + number % 10);
    tail[n++] = '~';
    keep = base < BASE - n ? base : BASE - n;
    memset(alias + keep, ' ', BASE - keep);
    while (n > 0)
        alias[keep++] = tail[--n];
}

/* Is it a short name but for small ASCII letters? */
static bool short_but_small(const struct bough_fat_name *name, uint8_t out[BOUGH_FAT_SHORT])
{
    struct bough_fat_name big = {.n = name->n};

    for (uint32_t i = 0; i < name->n; i++) {
        uint16_t c = name->units[i];

        big.units[i] = c >= 'a' && c <= 'z' ? (uint16_t)(c - 'a' + 'A') : c;
    }
    return bough_fat_short_is(&big, out);
}

enum bough_err bough_fat_alias(const struct bough_fat_name *name,
    bool (*taken)(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT]), void *ctx,
    uint8_t out[BOUGH_FAT_SHORT])
{
    uint32_t dot = last_dot(name->units, name->n), base;
    uint8_t squeezed[BOUGH_FAT_SHORT];

    if (short_but_small(name, out) && !taken(ctx, out))
        return BOUGH_OK;
    memset(squeezed, ' ', sizeof squeezed);
    base = part_squeeze(name->units, dot, BASE, squeezed);
    if (dot < name->n)
        part_squeeze(name->units + dot + 1, name->n - dot - 1, EXT, squeezed + BASE);
    if (base == 0)
        squeezed[base++] = '_';
    for (uint32_t number = 1; number <= NUMBER_MAX; number++) {
        memcpy(out, squeezed, BOUGH_FAT_SHORT);
        alias_number(out, base, number);
        if (!taken(ctx, out))
            return BOUGH_OK;
    }
    return BOUGH_ENOSPC;
}

/* ---- The tie ---- */

uint8_t bough_fat_checksum(const uint8_t short_name[BOUGH_FAT_SHORT])
{
    uint8_t sum = 0;

    for (int i = 0; i < BOUGH_FAT_SHORT; i++)
        sum = (uint8_t)((sum >> 1 | sum << 7) + short_name[i]);
    return sum;
}
