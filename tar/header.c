/*
 * header.c - one block of a tar archive.
 *
 *   fields     where they are; texts and numbers read
 *   checksum   of unsigned bytes, and of signed ones as some old writers made it
 *   reading    bough_tar_header_read(), bough_tar_path()
 *   writing    bough_tar_header_write()
 *
 *   at   len  field              at   len  field
 *     0  100  name               257    6  magic: ustar NUL, or GNU's ustar SP SP NUL
 *   100    8  mode               263    2  version: 00
 *   108    8  uid                265   32  uname
 *   116    8  gid                297   32  gname
 *   124   12  size               329    8  devmajor
 *   136   12  mtime              337    8  devminor
 *   148    8  checksum           345  155  prefix (GNU: other things)
 *   156    1  type               500   12  zeros
 *   157  100  link
 */
#include "tar/inner.h"

struct field {
    uint16_t at, len;
    const char *what_number, *what_range; /* the checks' names */
};

#define FIELD(at, len, name)                                                                       \
    {                                                                                              \
        at, len, "tar: " name " is no number", "tar: " name " is out of range"                     \
    }

enum { MODE, UID, GID, SIZE, MTIME, CHECKSUM, DEV_MAJOR, DEV_MINOR };
static const struct field fields[] = {
    [MODE] = FIELD(100, 8, "mode"),
    [UID] = FIELD(108, 8, "uid"),
    [GID] = FIELD(116, 8, "gid"),
    [SIZE] = FIELD(124, 12, "size"),
    [MTIME] = FIELD(136, 12, "mtime"),
    [CHECKSUM] = FIELD(148, 8, "checksum"),
    [DEV_MAJOR] = FIELD(329, 8, "devmajor"),
    [DEV_MINOR] = FIELD(337, 8, "devminor"),
};

enum {
    TYPE_AT = 156,
    LINK_AT = 157,
    MAGIC_AT = 257,
    UNAME_AT = 265,
    GNAME_AT = 297,
    PREFIX_AT = 345,
};

/* ---- Fields ---- */

enum bough_err bough_tar__fault(
    struct bough_why *why, enum bough_err err, const char *what, uint64_t at)
{
    err = BOUGH_WHY(why, err, what, NULL, 0);
    if (why != NULL)
        why->at = at;
    return err;
}

/* Up to the first NUL; a full field has none. */
static struct bough_view text_read(const uint8_t *block, size_t at, size_t len)
{
    size_t n = 0;

    while (n < len && block[at + n] != 0)
        n++;
    return bough_view(block + at, n);
}

/* GNU: the top bit marks it, the next one is the sign, and all the rest is two's complement. */
static bool base256_read(const uint8_t *p, size_t len, int64_t *out)
{
    uint8_t sign = (p[0] & 0x40) != 0 ? 0xff : 0;
    uint8_t top = (uint8_t)((p[0] & 0x7f) | (sign & 0x80));
    uint64_t x = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t byte = i == 0 ? top : p[i];

        if (i + 8 < len && byte != sign)
            return false;
        if (i + 8 == len && ((byte ^ sign) & 0x80) != 0)
            return false;
        x = x << 8 | byte;
    }
    memcpy(out, &x, sizeof *out);
    return true;
}

static enum bough_err number_read(const uint8_t *block, const struct field *f, int64_t min,
    int64_t max, int64_t *out, struct bough_why *why)
{
    const uint8_t *p = block + f->at;
    size_t i = 0;
    int64_t x = 0; /* 36 bits at most, unless in base 256 */

    if ((p[0] & 0x80) != 0) {
        if (!base256_read(p, f->len, &x))
            return bough_tar__fault(why, BOUGH_EFORMAT, f->what_range, f->at);
    } else {
        i = p[0] == 0; /* some old writers begin with one */
        while (i < f->len && p[i] == ' ')
            i++;
        for (; i < f->len && p[i] >= '0' && p[i] <= '7'; i++)
            x = x * 8 + (p[i] - '0');
        if (i < f->len && p[i] != ' ' && p[i] != 0)
            return bough_tar__fault(why, BOUGH_EFORMAT, f->what_number, f->at);
    }
    if (x < min || x > max)
        return bough_tar__fault(why, BOUGH_EFORMAT, f->what_range, f->at);
    *out = x;
    return BOUGH_OK;
}

/* ---- Checksum ---- */

static void checksum_of(const uint8_t *block, int64_t *plain, int64_t *with_sign)
{
    *plain = *with_sign = 0;
    for (size_t i = 0; i < BOUGH_TAR_BLOCK; i++) {
        bool own = i - fields[CHECKSUM].at < fields[CHECKSUM].len;
        int byte = own ? ' ' : block[i];

        *plain += byte;
        *with_sign += byte < 128 ? byte : byte - 256;
    }
}

static enum bough_err checksum_check(const uint8_t *block, struct bough_why *why)
{
    int64_t plain, with_sign, said;
    enum bough_err err = number_read(block, &fields[CHECKSUM], INT64_MIN, INT64_MAX, &said, why);

    if (err)
        return err;
    checksum_of(block, &plain, &with_sign);
    if (said != plain && said != with_sign)
        return bough_tar__fault(why, BOUGH_EFORMAT, "tar: wrong checksum", fields[CHECKSUM].at);
    return BOUGH_OK;
}

/* ---- Reading ---- */

static enum bough_tar_format format_of(const uint8_t *block)
{
    if (memcmp(block + MAGIC_AT, "ustar", 6) == 0)
        return BOUGH_TAR_USTAR;
    return memcmp(block + MAGIC_AT, "ustar  ", 8) == 0 ? BOUGH_TAR_GNU : BOUGH_TAR_V7;
}

/* What V7 does not have. */
static enum bough_err header_read_more(
    const uint8_t *block, struct bough_tar_header *h, struct bough_why *why)
{
    int64_t x[2] = {0, 0};
    enum bough_err err = BOUGH_OK;

    h->uname = text_read(block, UNAME_AT, BOUGH_TAR__UNAME_LEN);
    h->gname = text_read(block, GNAME_AT, BOUGH_TAR__UNAME_LEN);
    if (h->format == BOUGH_TAR_USTAR)
        h->prefix = text_read(block, PREFIX_AT, BOUGH_TAR__PREFIX_LEN);
    if (h->type != BOUGH_TAR_CHAR && h->type != BOUGH_TAR_BLOCK_DEVICE)
        return BOUGH_OK;
    for (int i = 0; i < 2 && err == BOUGH_OK; i++)
        err = number_read(block, &fields[DEV_MAJOR + i], 0, UINT32_MAX, &x[i], why);
    h->dev_major = (uint32_t)x[0];
    h->dev_minor = (uint32_t)x[1];
    return err;
}

static bool block_is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BOUGH_TAR_BLOCK; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

enum bough_err bough_tar_header_read(
    const uint8_t block[BOUGH_TAR_BLOCK], struct bough_tar_header *out, struct bough_why *why)
{
    static const int64_t min[] = {
        [MODE] = 0, [UID] = INT64_MIN, [GID] = INT64_MIN, [SIZE] = 0, [MTIME] = INT64_MIN};
    static const int64_t max[] = {[MODE] = UINT32_MAX,
        [UID] = INT64_MAX,
        [GID] = INT64_MAX,
        [SIZE] = BOUGH_TAR__NUMBER_MAX,
        [MTIME] = INT64_MAX};
    int64_t x[MTIME + 1] = {0};
    enum bough_err err;

    *out = (struct bough_tar_header){.format = BOUGH_TAR_V7};
    if (block_is_zero(block))
        return BOUGH_ENOENT;
    err = checksum_check(block, why);
    for (int i = MODE; i <= MTIME && err == BOUGH_OK; i++)
        err = number_read(block, &fields[i], min[i], max[i], &x[i], why);
    if (err)
        return err;
    out->format = format_of(block);
    out->type = block[TYPE_AT] == 0 ? (uint8_t)BOUGH_TAR_FILE : block[TYPE_AT];
    out->mode = (uint32_t)x[MODE];
    out->uid = x[UID];
    out->gid = x[GID];
    out->size = x[SIZE];
    out->mtime = x[MTIME];
    out->name = text_read(block, BOUGH_TAR__NAME, BOUGH_TAR__NAME_LEN);
    out->link = text_read(block, LINK_AT, BOUGH_TAR__NAME_LEN);
    if (out->name.len == 0)
        return bough_tar__fault(why, BOUGH_EFORMAT, "tar: empty name", BOUGH_TAR__NAME);
    return out->format == BOUGH_TAR_V7 ? BOUGH_OK : header_read_more(block, out, why);
}

void bough_tar_path(const struct bough_tar_header *h, struct bough_buf *out)
{
    if (h->prefix.len > 0) {
        bough_buf_put_view(out, h->prefix);
        bough_buf_put_u8(out, '/');
    }
    bough_buf_put_view(out, h->name);
}

/* ---- Writing ---- */

bool bough_tar__path_fits(struct bough_view path, size_t *cut)
{
    *cut = 0;
    if (path.len <= BOUGH_TAR__NAME_LEN)
        return true;
    for (size_t i = path.len - BOUGH_TAR__NAME_LEN - 1;
         i <= BOUGH_TAR__PREFIX_LEN && i + 1 < path.len; i++) {
        if (i > 0 && path.ptr[i] == '/') {
            *cut = i;
            return true;
        }
    }
    return false;
}

static void text_write(uint8_t *block, size_t at, struct bough_view text)
{
    if (text.len > 0)
        memcpy(block + at, text.ptr, text.len);
}

/* All octal digits that fit before the NUL. */
static void number_write(uint8_t *block, const struct field *f, int64_t x)
{
    for (size_t i = f->len - 1u; i-- > 0; x /= 8)
        block[f->at + i] = (uint8_t)('0' + x % 8);
}

bool bough_tar__text_ok(struct bough_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == 0)
            return false;
    }
    return true;
}

enum bough_err bough_tar__header_check(const struct bough_tar_header *h, struct bough_why *why)
{
    const char *what = NULL;

    if (h->name.len == 0)
        what = "tar: empty name";
    else if (!bough_tar__text_ok(h->name) || !bough_tar__text_ok(h->prefix) ||
             !bough_tar__text_ok(h->link) || !bough_tar__text_ok(h->uname) ||
             !bough_tar__text_ok(h->gname))
        what = "tar: NUL in text";
    else if (h->size < 0 || h->size > BOUGH_TAR__NUMBER_MAX)
        what = fields[SIZE].what_range;
    else if (h->mtime < -BOUGH_TAR__NUMBER_MAX || h->mtime > BOUGH_TAR__NUMBER_MAX)
        what = fields[MTIME].what_range;
    else if (h->uid < 0 || h->uid > BOUGH_TAR__NUMBER_MAX)
        what = fields[UID].what_range;
    else if (h->gid < 0 || h->gid > BOUGH_TAR__NUMBER_MAX)
        what = fields[GID].what_range;
    else if (h->mode > BOUGH_TAR__OCT7)
        what = fields[MODE].what_range;
    else if (h->dev_major > BOUGH_TAR__OCT7)
        what = fields[DEV_MAJOR].what_range;
    else if (h->dev_minor > BOUGH_TAR__OCT7)
        what = fields[DEV_MINOR].what_range;
    return what == NULL ? BOUGH_OK : bough_tar__fault(why, BOUGH_EINVAL, what, 0);
}

/* The field that needs pax; NULL: none. */
static const char *header_over(const struct bough_tar_header *h)
{
    if (h->link.len > BOUGH_TAR__NAME_LEN)
        return "tar: link";
    if (h->uname.len >= BOUGH_TAR__UNAME_LEN)
        return "tar: uname";
    if (h->gname.len >= BOUGH_TAR__UNAME_LEN)
        return "tar: gname";
    if (h->uid > BOUGH_TAR__OCT7)
        return "tar: uid";
    if (h->gid > BOUGH_TAR__OCT7)
        return "tar: gid";
    if (h->size > BOUGH_TAR__OCT11)
        return "tar: size";
    return h->mtime < 0 || h->mtime > BOUGH_TAR__OCT11 ? "tar: mtime" : NULL;
}

/* Prefix and name into the block; false: they do not fit. */
static bool path_write(const struct bough_tar_header *h, uint8_t *block)
{
    uint8_t path[BOUGH_TAR__PREFIX_LEN + 1 + BOUGH_TAR__NAME_LEN];
    size_t n = h->prefix.len == 0 ? 0 : h->prefix.len + 1, cut;

    if (h->prefix.len > sizeof path || h->name.len > sizeof path || n + h->name.len > sizeof path)
        return false;
    if (n > 0) {
        memcpy(path, h->prefix.ptr, n - 1);
        path[n - 1] = '/';
    }
    memcpy(path + n, h->name.ptr, h->name.len);
    n += h->name.len;
    if (!bough_tar__path_fits(bough_view(path, n), &cut))
        return false;
    memcpy(block + PREFIX_AT, path, cut);
    cut += cut > 0;
    memcpy(block + BOUGH_TAR__NAME, path + cut, n - cut);
    return true;
}

enum bough_err bough_tar_header_write(
    const struct bough_tar_header *h, uint8_t block[BOUGH_TAR_BLOCK], struct bough_why *why)
{
    int64_t sum, with_sign;
    const char *over;
    enum bough_err err = bough_tar__header_check(h, why);

    if (err)
        return err;
    memset(block, 0, BOUGH_TAR_BLOCK);
    over = path_write(h, block) ? header_over(h) : "tar: path";
    if (over != NULL)
        return bough_tar__fault(why, BOUGH_ETOOBIG, over, 0);
    number_write(block, &fields[MODE], h->mode);
    number_write(block, &fields[UID], h->uid);
    number_write(block, &fields[GID], h->gid);
    number_write(block, &fields[SIZE], h->size);
    number_write(block, &fields[MTIME], h->mtime);
    block[TYPE_AT] = h->type;
    text_write(block, LINK_AT, h->link);
    memcpy(block + MAGIC_AT, "ustar\00000", 8);
    text_write(block, UNAME_AT, h->uname);
    text_write(block, GNAME_AT, h->gname);
    number_write(block, &fields[DEV_MAJOR], h->dev_major);
    number_write(block, &fields[DEV_MINOR], h->dev_minor);
    checksum_of(block, &sum, &with_sign);
    number_write(block, &fields[CHECKSUM], sum);
    memmove(block + fields[CHECKSUM].at, block + fields[CHECKSUM].at + 1,
        6); /* six digits, NUL, space */
    block[fields[CHECKSUM].at + 6] = 0;
    block[fields[CHECKSUM].at + 7] = ' ';
    return BOUGH_OK;
}
