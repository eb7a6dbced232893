/*
 * name.c - names as UTF-16, and which ones FAT forbids.
 *
 *   UTF-8      decoded strictly, encoded
 *   checks     characters, the end, devices
 *   the calls  bough_fat_name_set(), _put(), _same()
 */
#include "fat/fat.h"

/* ---- UTF-8 ---- */

/* The character at the front of `left`, taken off; false: no UTF-8. */
static bool utf8_take(struct bough_view *left, uint32_t *out)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint8_t first = left->ptr[0];
    size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? first : first & (0x3fu >> more);

    if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || left->len <= more)
        return false;
    for (size_t i = 1; i <= more; i++) {
        if ((left->ptr[i] & 0xc0) != 0x80)
            return false;
        c = c << 6 | (left->ptr[i] & 0x3f);
    }
    *left = bough_view(left->ptr + more + 1, left->len - more - 1);
    *out = c;
    return c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static void utf8_put(struct bough_buf *out, uint32_t c)
{
    if (c < 0x80) {
        bough_buf_put_u8(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        bough_buf_put_u8(out, (uint8_t)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            bough_buf_put_u8(out, (uint8_t)(0xe0 | c >> 12));
        } else {
            bough_buf_put_u8(out, (uint8_t)(0xf0 | c >> 18));
            bough_buf_put_u8(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        }
        bough_buf_put_u8(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    bough_buf_put_u8(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* The character at `*at`, which goes on; false: a surrogate alone. */
static bool utf16_take(const struct bough_fat_name *name, uint32_t *at, uint32_t *out)
{
    uint32_t unit = name->units[(*at)++], low;

    *out = unit;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit > 0xdbff || *at == name->n)
        return false;
    low = name->units[*at];
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    (*at)++;
    *out = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* ---- Checks ---- */

static bool char_forbidden(uint32_t c)
{
    static const char marks[] = "\"*/:<>?\\|";

    if (c < ' ' || c == 0x7f)
        return true;
    for (size_t i = 0; marks[i] != 0; i++) {
        if (c == (uint8_t)marks[i])
            return true;
    }
    return false;
}

/* Does the name begin with this word, in any case, and is it over then or does a dot come? */
static bool name_is_word(const struct bough_fat_name *name, const char *word, bool digit)
{
    uint32_t i = 0;

    for (; word[i] != 0; i++) {
        if (i == name->n || bough_fat_upper(name->units[i]) != (uint8_t)word[i])
            return false;
    }
    if (digit) { /* 1 to 9, and the raised 1, 2, 3 of Latin-1 */
        uint16_t d = i < name->n ? name->units[i] : 0;

        if ((d < '1' || d > '9') && d != 0xb9 && d != 0xb2 && d != 0xb3)
            return false;
        i++;
    }
    while (i < name->n && name->units[i] == ' ')
        i++;
    return i == name->n || name->units[i] == '.';
}

static bool name_is_device(const struct bough_fat_name *name)
{
    static const char *const words[] = {
        "CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$", "COM", "LPT"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (name_is_word(name, words[i], i >= 7))
            return true;
    }
    return false;
}

/* ---- The calls ---- */

/* The check that failed, or NULL. */
static const char *name_fill(struct bough_fat_name *out, struct bough_view left)
{
    uint32_t c = 0;

    out->n = 0;
    if (left.len == 0)
        return "fat: empty name";
    while (left.len > 0) {
        if (!utf8_take(&left, &c))
            return "fat: not UTF-8";
        if (char_forbidden(c))
            return "fat: forbidden character";
        if (out->n + 1 + (c > 0xffff) > BOUGH_FAT_NAME_MAX)
            return "fat: name too long";
        if (c > 0xffff) {
            out->units[out->n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        out->units[out->n++] = (uint16_t)c;
    }
    if (c == '.' || c == ' ')
        return "fat: dot or space at the end";
    return name_is_device(out) ? "fat: name of a device" : NULL;
}

enum bough_err bough_fat_name_set(
    struct bough_fat_name *out, struct bough_view utf8, struct bough_why *why)
{
    const char *what = name_fill(out, utf8);

    return what == NULL ? BOUGH_OK : BOUGH_WHY(why, BOUGH_EKEY, what, utf8.ptr, utf8.len);
}

enum bough_err bough_fat_name_put(const struct bough_fat_name *name, struct bough_buf *out)
{
    uint32_t c;

    for (uint32_t at = 0; at < name->n;) {
        if (!utf16_take(name, &at, &c))
            return BOUGH_EFORMAT;
    }
    for (uint32_t at = 0; at < name->n && utf16_take(name, &at, &c);)
        utf8_put(out, c);
    return out->err;
}

bool bough_fat_name_same(const struct bough_fat_name *a, const struct bough_fat_name *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (bough_fat_upper(a->units[i]) != bough_fat_upper(b->units[i]))
            return false;
    }
    return true;
}
