/*
 * version.c - what this build does not read, said so that people know which build does.
 *
 *   text      numbers into a reason's key; the core has no printf
 *   reasons   another format, unknown features, unknown items, an early form of format 1
 *
 * The first 16 bytes of a superblock mean the same in every format (docs/format.md 3): so a store
 * of any format is told from damage and from what is no store at all.
 */
#include "store/log/inner.h"
#include "store/log/super_inner.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define READS    "this build reads format " TEXT(BOUGH_LOG_FORMAT) "; "

/* ---- Text ---- */

/* `words` and the number, in base 10 or 16, as the key of `why`; the number itself as its place. */
static enum bough_err say(
    struct bough_why *why, const char *words, uint64_t n, unsigned base, const char *what)
{
    size_t len = bough_view_str(words).len, digits = 1;
    uint64_t at = n;
    enum bough_err err;
    char text[96];

    BOUGH_ASSERT(len + 20 <= sizeof text);
    memcpy(text, words, len);
    for (uint64_t left = n / base; left > 0; left /= base)
        digits++;
    for (size_t i = digits; i > 0; i--, n /= base)
        text[len + i - 1] = "0123456789abcdef"[n % base];
    err = BOUGH_WHY(why, BOUGH_ENOTSUP, what, text, len + digits);
    if (why != NULL)
        why->at = at;
    return err;
}

/* ---- Reasons ---- */

enum bough_err bough_log__other_format(struct bough_why *why, uint32_t version)
{
    return say(why, "made by format ", version, 10,
        version > BOUGH_LOG_FORMAT ? READS "take a newer build" : READS "take an older build");
}

enum bough_err bough_log__other_features(struct bough_why *why, uint32_t bits)
{
    return say(why, "made with incompatible features 0x", bits, 16,
        READS "it knows none of these features; take a newer build");
}

enum bough_err bough_log__other_item(struct bough_why *why, uint32_t kind)
{
    return say(why, "has an item of kind ", kind, 10,
        READS "it knows none of this kind; take a newer build");
}

enum bough_err bough_log__early_form(struct bough_why *why)
{
    return say(why, "made by an early form of format ", BOUGH_LOG_FORMAT, 10,
        "its checkpoints do not count refs; serve it with the build that made it, and git clone "
        "--mirror");
}
