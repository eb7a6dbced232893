/*
 * fat.h - the names of FAT volumes, as pure functions.
 *
 *   names     struct bough_fat_name: UTF-16; from and to UTF-8; what FAT forbids; clashes
 *   short     8.3 names: which names are one, aliases of those that are not
 *   long      the entries that carry a long name before its short one
 *
 * A name on a FAT volume is UTF-16.  A directory entry holds a short name of 8 + 3 bytes; any
 * name that is not exactly one is kept in up to 20 more entries before it, tied to it by a
 * checksum, and the short one is an alias made up for it.
 *
 * Source: Microsoft's FAT specification of 2000 (fatgen103) and what mtools 4.0.32 writes.
 */
#ifndef BOUGH_FAT_H
#define BOUGH_FAT_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Names ---- */

enum {
    BOUGH_FAT_NAME_MAX = 255, /* units of UTF-16 in a name */
    BOUGH_FAT_SHORT = 11,     /* bytes of a short name: 8 and 3, filled up with spaces */
    BOUGH_FAT_ENTRY = 32,     /* bytes of a directory entry */
    BOUGH_FAT_PIECE = 13,     /* units in one entry of a long name */
    BOUGH_FAT_PIECES_MAX = 20,
};

struct bough_fat_name {
    uint16_t units[BOUGH_FAT_NAME_MAX];
    uint32_t n;
};

/*
 * From UTF-8, if it may be the name of a file or directory on a FAT volume.
 *
 * BOUGH_EKEY   why->key is the name, why->what the check that failed: "fat: empty name",
 *              "fat: not UTF-8" (surrogates and overlong forms are none), "fat: forbidden
 *              character" (controls, DEL and " * / : < > ? \ |), "fat: name too long", "fat: dot
 *              or space at the end" (so `.` and `..`, too), "fat: name of a device" (CON, PRN, AUX,
 *              NUL, COM1-9, LPT1-9, CLOCK$, CONIN$, CONOUT$, alone or before a dot)
 */
enum bough_err bough_fat_name_set(
    struct bough_fat_name *out, struct bough_view utf8, struct bough_why *why);

/*
 * Append it as UTF-8.  Nothing is checked but that surrogates come in pairs.
 *
 * BOUGH_EFORMAT   one stands alone; nothing was appended
 * BOUGH_ENOMEM, or what `out` had before
 */
enum bough_err bough_fat_name_put(const struct bough_fat_name *name, struct bough_buf *out);

/*
 * Are these one name to a volume that does not tell case apart?  Unit by unit, by the simple
 * upper case of Unicode 14; composed and decomposed letters differ.
 */
bool bough_fat_name_same(const struct bough_fat_name *a, const struct bough_fat_name *b);

/* The upper case of a unit. */
uint16_t bough_fat_upper(uint16_t unit);

/* ---- Short names ---- */

/*
 * Is it a short name as it is, upper case and all, so that no long one is needed?  Then `out`
 * is it.
 */
bool bough_fat_short_is(const struct bough_fat_name *name, uint8_t out[BOUGH_FAT_SHORT]);

/*
 * An alias that no other entry has: the name in upper case if that is a short one, else what is
 * left of it and ~1, ~2 and so on.  Only ASCII is in it.  `taken` tells which short names are in
 * use in the directory; it is asked from the lowest number on.
 *
 * BOUGH_ENOSPC   all are taken up to ~999999
 */
enum bough_err bough_fat_alias(const struct bough_fat_name *name,
    bool (*taken)(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT]), void *ctx,
    uint8_t out[BOUGH_FAT_SHORT]);

enum {
    BOUGH_FAT_SMALL_BASE = 0x08, /* flags of Windows NT in byte 12 of an entry */
    BOUGH_FAT_SMALL_EXT = 0x10,
};

/*
 * The name that a short one stands for where there is no long one: `NAME.EXT`.  `flags` is the
 * entry's byte 12: it tells which part is meant in small letters.
 *
 * BOUGH_EFORMAT   empty, a space where none can be, a small letter, or a character that is no
 *                 ASCII (which one it is the volume does not say) or that a short name cannot hold
 */
enum bough_err bough_fat_short_name(
    const uint8_t short_name[BOUGH_FAT_SHORT], uint8_t flags, struct bough_fat_name *out);

/* What ties a long name to its short one. */
uint8_t bough_fat_checksum(const uint8_t short_name[BOUGH_FAT_SHORT]);

/* ---- Long names ---- */

/* How many entries a name takes before its short one. */
static inline uint32_t bough_fat_long_count(const struct bough_fat_name *name)
{
    return (name->n + BOUGH_FAT_PIECE - 1) / BOUGH_FAT_PIECE;
}

/* Write entry number `i` of a name, in the order of the disk: the end of the name comes first. */
void bough_fat_long_write(
    const struct bough_fat_name *name, uint8_t checksum, uint32_t i, uint8_t out[BOUGH_FAT_ENTRY]);

/* Is this entry a piece of a long name?  (Its attributes say so; look for free ones before.) */
static inline bool bough_fat_long_is(const uint8_t entry[BOUGH_FAT_ENTRY])
{
    return (entry[11] & 0x3f) == 0x0f;
}

/* A long name as its entries come.  All zero: nothing yet. */
struct bough_fat_long {
    uint16_t units[BOUGH_FAT_PIECES_MAX * BOUGH_FAT_PIECE];
    uint8_t count; /* entries it has; 0: none has come */
    uint8_t left;  /* of them, still to come */
    uint8_t checksum;
};

/*
 * Take the next entry.
 *
 * BOUGH_EFORMAT   it does not go on what came before: why->what is "fat: long name with a bad
 *                 number", "fat: long name out of order" or "fat: long name of two checksums";
 *                 `l` is empty
 */
enum bough_err bough_fat_long_feed(
    struct bough_fat_long *l, const uint8_t entry[BOUGH_FAT_ENTRY], struct bough_why *why);

/*
 * The short entry has come: the whole name.  `l` is empty then.  What the name may hold is not
 * checked but for pairs of surrogates.
 *
 * BOUGH_ENOENT    nothing came before it: the short name is all there is
 * BOUGH_EFORMAT   why->what is "fat: long name without its beginning", "fat: long name of another
 *                 entry", "fat: long name with a bad end" or "fat: surrogate alone"
 */
enum bough_err bough_fat_long_take(struct bough_fat_long *l,
    const uint8_t short_name[BOUGH_FAT_SHORT], struct bough_fat_name *out, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
