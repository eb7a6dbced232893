/*
 * long.c - the entries of a long name.
 *
 *   units     where an entry holds its thirteen
 *   writing   bough_fat_long_write()
 *   reading   bough_fat_long_feed(), bough_fat_long_take()
 *
 *    0  number, counted from the beginning of the name and from 1; 0x40 with it: the first on
 *       disk, which holds the end       1  five units       11  attributes 0x0f     12  0
 *   13  checksum of the short name     14  six units        26  0, 0              28  two units
 *
 * The name ends in one unit 0, unless it fills its entries, and 0xffff behind.
 */
#include "fat/fat.h"

enum { FIRST_ON_DISK = 0x40, NUMBER_MASK = 0x3f, ATTRIBUTES = 0x0f };

/* ---- Units ---- */

static uint32_t unit_at(uint32_t i)
{
    return i < 5 ? 1 + 2 * i : i < 11 ? 14 + 2 * (i - 5) : 28 + 2 * (i - 11);
}

/* ---- Writing ---- */

void bough_fat_long_write(
    const struct bough_fat_name *name, uint8_t checksum, uint32_t i, uint8_t out[BOUGH_FAT_ENTRY])
{
    uint32_t count = bough_fat_long_count(name), number = count - i;

    BOUGH_ASSERT(name->n > 0 && name->n <= BOUGH_FAT_NAME_MAX && i < count);
    memset(out, 0, BOUGH_FAT_ENTRY);
    out[0] = (uint8_t)(number | (i == 0 ? FIRST_ON_DISK : 0));
    out[11] = ATTRIBUTES;
    out[13] = checksum;
    for (uint32_t k = 0; k < BOUGH_FAT_PIECE; k++) {
        uint32_t at = (number - 1) * BOUGH_FAT_PIECE + k;
        uint16_t unit = at < name->n ? name->units[at] : at == name->n ? 0 : 0xffff;

        bough_put16le(out + unit_at(k), unit);
    }
}

/* ---- Reading ---- */

static enum bough_err long_fault(struct bough_fat_long *l, const char *what, struct bough_why *why)
{
    l->count = l->left = 0;
    return BOUGH_WHY(why, BOUGH_EFORMAT, what, NULL, 0);
}

enum bough_err bough_fat_long_feed(
    struct bough_fat_long *l, const uint8_t entry[BOUGH_FAT_ENTRY], struct bough_why *why)
{
    uint8_t number = entry[0] & NUMBER_MASK;

    if (number == 0 || number > BOUGH_FAT_PIECES_MAX || (entry[0] & ~0x7f) != 0)
        return long_fault(l, "fat: long name with a bad number", why);
    if ((entry[0] & FIRST_ON_DISK) != 0) {
        l->count = l->left = number;
        l->checksum = entry[13];
    } else if (l->count == 0 || number != l->left) {
        return long_fault(l, "fat: long name out of order", why);
    } else if (entry[13] != l->checksum) {
        return long_fault(l, "fat: long name of two checksums", why);
    }
    l->left = (uint8_t)(number - 1);
    for (uint32_t k = 0; k < BOUGH_FAT_PIECE; k++)
        l->units[l->left * BOUGH_FAT_PIECE + k] = bough_get16le(entry + unit_at(k));
    return BOUGH_OK;
}

/* Surrogates come in pairs, high before low. */
static bool pairs_ok(const struct bough_fat_name *name)
{
    for (uint32_t i = 0; i < name->n; i++) {
        uint16_t unit = name->units[i];

        if (unit < 0xd800 || unit > 0xdfff)
            continue;
        i++;
        if (unit > 0xdbff || i == name->n || name->units[i] < 0xdc00 || name->units[i] > 0xdfff)
            return false;
    }
    return true;
}

enum bough_err bough_fat_long_take(struct bough_fat_long *l,
    const uint8_t short_name[BOUGH_FAT_SHORT], struct bough_fat_name *out, struct bough_why *why)
{
    uint32_t all = (uint32_t)l->count * BOUGH_FAT_PIECE, n = 0;

    out->n = 0;
    if (l->count == 0)
        return BOUGH_ENOENT;
    if (l->left != 0)
        return long_fault(l, "fat: long name without its beginning", why);
    if (l->checksum != bough_fat_checksum(short_name))
        return long_fault(l, "fat: long name of another entry", why);
    while (n < all && l->units[n] != 0)
        n++;
    if (n + BOUGH_FAT_PIECE <= all || n > BOUGH_FAT_NAME_MAX)
        return long_fault(l, "fat: long name with a bad end", why);
    for (uint32_t i = n + 1; i < all; i++) {
        if (l->units[i] != 0xffff)
            return long_fault(l, "fat: long name with a bad end", why);
    }
    memcpy(out->units, l->units, n * sizeof *out->units);
    out->n = n;
    l->count = 0;
    if (!pairs_ok(out))
        return long_fault(l, "fat: surrogate alone", why);
    return BOUGH_OK;
}
