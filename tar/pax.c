/*
 * pax.c - records that say what a block cannot.
 *
 *   records   taken off data, appended
 *   keeping   what they say of the next header
 *   applying  local before global before the header itself
 *   writing   bough_tar_put(): what does not fit becomes records
 */
#include "tar/inner.h"

/* ---- Records ---- */

static bool zeros_only(struct bough_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] != 0)
            return false;
    }
    return true;
}

/* The number at the front, with the space behind it; false: there is none. */
static bool length_read(struct bough_view left, size_t *len, size_t *digits)
{
    size_t i = 0, x = 0;

    for (; i < left.len && i < 18 && left.ptr[i] >= '0' && left.ptr[i] <= '9'; i++) {
        if (x > SIZE_MAX / 10 - 1)
            return false;
        x = x * 10 + (size_t)(left.ptr[i] - '0');
    }
    *len = x;
    *digits = i;
    return i > 0 && i < left.len && left.ptr[i] == ' ';
}

enum bough_err bough_tar_record_next(
    struct bough_view *left, struct bough_tar_record *out, struct bough_why *why)
{
    size_t len, at, key;

    if (zeros_only(*left))
        return BOUGH_ENOENT;
    if (!length_read(*left, &len, &at))
        return bough_tar__fault(why, BOUGH_EFORMAT, "pax: length is no number", 0);
    at++;
    if (len > left->len || len <= at || left->ptr[len - 1] != '\n')
        return bough_tar__fault(why, BOUGH_EFORMAT, "pax: length and record disagree", 0);
    for (key = at; key < len - 1 && left->ptr[key] != '=';)
        key++;
    if (key == at || key == len - 1)
        return bough_tar__fault(why, BOUGH_EFORMAT, "pax: record without a key", 0);
    out->key = bough_view(left->ptr + at, key - at);
    out->value = bough_view(left->ptr + key + 1, len - key - 2);
    *left = bough_view(left->ptr + len, left->len - len);
    return BOUGH_OK;
}

static size_t digits_of(size_t x)
{
    size_t n = 1;

    for (; x > 9; x /= 10)
        n++;
    return n;
}

void bough_tar_record_put(struct bough_buf *out, const char *key, struct bough_view value)
{
    size_t rest = bough_view_str(key).len + value.len + 3; /* space, =, LF */
    size_t len = rest + digits_of(rest);

    len = rest + digits_of(len); /* the length counts its own digits */
    bough_buf_put_udec(out, len);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_str(out, key);
    bough_buf_put_u8(out, '=');
    bough_buf_put_view(out, value);
    bough_buf_put_u8(out, '\n');
}

static void record_put_number(
    struct bough_buf *out, struct bough_mem *mem, const char *key, int64_t x)
{
    struct bough_buf text;

    bough_buf_init(&text, mem);
    bough_buf_put_dec(&text, x);
    bough_tar_record_put(out, key, bough_buf_view(&text));
    if (text.err)
        out->err = text.err;
    bough_buf_fini(&text);
}

/* ---- Keeping ---- */

struct key {
    const char *name;
    uint32_t bit;
    const char *what_text, *what_number, *what_range; /* the checks' names */
};

#define KEY(name, bit)                                                                             \
    {                                                                                              \
        name, bit, "pax: NUL in " name, "pax: " name " is no number",                              \
            "pax: " name " is out of range"                                                        \
    }

static const struct key keys[] = {
    KEY("path", BOUGH_TAR_HAS_PATH),
    KEY("linkpath", BOUGH_TAR_HAS_LINK),
    KEY("uname", BOUGH_TAR_HAS_UNAME),
    KEY("gname", BOUGH_TAR_HAS_GNAME),
    KEY("size", BOUGH_TAR_HAS_SIZE),
    KEY("mtime", BOUGH_TAR_HAS_MTIME),
    KEY("uid", BOUGH_TAR_HAS_UID),
    KEY("gid", BOUGH_TAR_HAS_GID),
};
enum { KEYS = sizeof keys / sizeof *keys };

static struct bough_view *pax_text(struct bough_tar_pax *pax, uint32_t bit)
{
    switch (bit) {
    case BOUGH_TAR_HAS_PATH:
        return &pax->path;
    case BOUGH_TAR_HAS_LINK:
        return &pax->link;
    case BOUGH_TAR_HAS_UNAME:
        return &pax->uname;
    case BOUGH_TAR_HAS_GNAME:
        return &pax->gname;
    default:
        return NULL;
    }
}

static int64_t *pax_number(struct bough_tar_pax *pax, uint32_t bit)
{
    switch (bit) {
    case BOUGH_TAR_HAS_SIZE:
        return &pax->size;
    case BOUGH_TAR_HAS_MTIME:
        return &pax->mtime;
    case BOUGH_TAR_HAS_UID:
        return &pax->uid;
    default:
        return &pax->gid;
    }
}

/* What is wrong with a number.  Only times may have a sign and a fraction. */
static const char *number_read(const struct key *k, struct bough_view v, int64_t *out)
{
    bool time = k->bit == BOUGH_TAR_HAS_MTIME;
    bool minus = time && v.len > 0 && v.ptr[0] == '-', part = false;
    size_t i = minus, begin = i;
    int64_t x = 0;

    for (; i < v.len && v.ptr[i] >= '0' && v.ptr[i] <= '9'; i++) {
        int digit = v.ptr[i] - '0';

        if (x > (BOUGH_TAR__NUMBER_MAX - digit) / 10)
            return k->what_range;
        x = x * 10 + digit;
    }
    if (i == begin)
        return k->what_number;
    if (time && i < v.len && v.ptr[i] == '.') {
        for (i++; i < v.len && v.ptr[i] >= '0' && v.ptr[i] <= '9'; i++)
            part = part || v.ptr[i] != '0';
    }
    if (i < v.len)
        return k->what_number;
    *out = minus ? -x - part : x;
    return NULL;
}

/* What is wrong with a value; NULL: it is kept. */
static const char *pax_set(struct bough_tar_pax *pax, const struct key *k, struct bough_view value)
{
    struct bough_view *text = pax_text(pax, k->bit);
    const char *what = NULL;

    if (value.len == 0) {
        pax->has &= ~k->bit;
        pax->dropped |= k->bit;
        return NULL;
    }
    if (text == NULL)
        what = number_read(k, value, pax_number(pax, k->bit));
    else if (!bough_tar__text_ok(value))
        what = k->what_text;
    else
        *text = value;
    if (what == NULL) {
        pax->has |= k->bit;
        pax->dropped &= ~k->bit;
    }
    return what;
}

enum bough_err bough_tar_pax_read(
    struct bough_tar_pax *pax, struct bough_view data, struct bough_why *why)
{
    struct bough_view left = data, sparse = bough_view_str("GNU.sparse.");
    enum bough_err err;

    for (;;) {
        uint64_t at = data.len - left.len;
        struct bough_tar_record rec;

        err = bough_tar_record_next(&left, &rec, why);
        if (err) {
            if (err != BOUGH_ENOENT && why != NULL)
                why->at = at;
            return err == BOUGH_ENOENT ? BOUGH_OK : err;
        }
        if (bough_view_eq(rec.key, bough_view_str("comment")))
            pax->comment = rec.value;
        pax->sparse = pax->sparse || (rec.key.len >= sparse.len &&
                                         memcmp(rec.key.ptr, sparse.ptr, sparse.len) == 0);
        for (int i = 0; i < KEYS; i++) {
            const char *what = NULL;

            if (bough_view_eq(rec.key, bough_view_str(keys[i].name)))
                what = pax_set(pax, &keys[i], rec.value);
            if (what != NULL)
                return bough_tar__fault(why, BOUGH_EFORMAT, what, at);
        }
    }
}

enum bough_err bough_tar_pax_read_long(
    struct bough_tar_pax *pax, uint8_t type, struct bough_view data, struct bough_why *why)
{
    uint32_t bit = type == BOUGH_TAR_LONG_NAME ? BOUGH_TAR_HAS_PATH : BOUGH_TAR_HAS_LINK;
    size_t n = 0;

    BOUGH_ASSERT(type == BOUGH_TAR_LONG_NAME || type == BOUGH_TAR_LONG_LINK);
    while (n < data.len && data.ptr[n] != 0)
        n++;
    if (n == 0)
        return bough_tar__fault(why, BOUGH_EFORMAT, "tar: empty name", 0);
    *pax_text(pax, bit) = bough_view(data.ptr, n);
    pax->has |= bit;
    pax->dropped &= ~bit;
    return BOUGH_OK;
}

/* ---- Applying ---- */

static void header_take(struct bough_tar_header *h, const struct bough_tar_pax *pax, uint32_t bits)
{
    if ((bits & BOUGH_TAR_HAS_PATH) != 0) {
        h->prefix = bough_view(NULL, 0);
        h->name = pax->path;
    }
    if ((bits & BOUGH_TAR_HAS_LINK) != 0)
        h->link = pax->link;
    if ((bits & BOUGH_TAR_HAS_SIZE) != 0)
        h->size = pax->size;
    if ((bits & BOUGH_TAR_HAS_MTIME) != 0)
        h->mtime = pax->mtime;
    if ((bits & BOUGH_TAR_HAS_UID) != 0)
        h->uid = pax->uid;
    if ((bits & BOUGH_TAR_HAS_GID) != 0)
        h->gid = pax->gid;
    if ((bits & BOUGH_TAR_HAS_UNAME) != 0)
        h->uname = pax->uname;
    if ((bits & BOUGH_TAR_HAS_GNAME) != 0)
        h->gname = pax->gname;
}

void bough_tar_pax_apply(const struct bough_tar_pax *global, const struct bough_tar_pax *local,
    struct bough_tar_header *h)
{
    header_take(h, global, global->has & ~local->dropped);
    header_take(h, local, local->has);
}

/* ---- Writing ---- */

/* At most `max` bytes of it, no character of UTF-8 cut in two. */
static struct bough_view text_cut(struct bough_view text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 1 && (text.ptr[max] & 0xc0) == 0x80)
        max--;
    return bough_view(text.ptr, max);
}

static void fit_text(
    struct bough_buf *records, const char *key, size_t max, struct bough_view *text)
{
    if (text->len <= max)
        return;
    bough_tar_record_put(records, key, *text);
    *text = text_cut(*text, max);
}

static void fit_number(struct bough_buf *records, const char *key, int64_t max, int64_t *x)
{
    if (*x >= 0 && *x <= max)
        return;
    record_put_number(records, records->mem, key, *x);
    *x = 0;
}

/* Make `h` (its path is `path`) fit a block; what does not goes into records. */
static void header_fit(
    struct bough_tar_header *h, struct bough_view path, struct bough_buf *records)
{
    size_t cut;

    if (!bough_tar__path_fits(path, &cut)) {
        bough_tar_record_put(records, "path", path);
        h->prefix = bough_view(NULL, 0);
        h->name = text_cut(path, BOUGH_TAR__NAME_LEN);
    }
    fit_text(records, "linkpath", BOUGH_TAR__NAME_LEN, &h->link);
    fit_number(records, "size", BOUGH_TAR__OCT11, &h->size);
    fit_number(records, "mtime", BOUGH_TAR__OCT11, &h->mtime);
    fit_number(records, "uid", BOUGH_TAR__OCT7, &h->uid);
    fit_number(records, "gid", BOUGH_TAR__OCT7, &h->gid);
    fit_text(records, "uname", BOUGH_TAR__UNAME_LEN - 1, &h->uname);
    fit_text(records, "gname", BOUGH_TAR__UNAME_LEN - 1, &h->gname);
}

/* A header that fits. */
static void block_put(struct bough_buf *out, const struct bough_tar_header *h)
{
    uint8_t *block = bough_buf_room(out, BOUGH_TAR_BLOCK);
    enum bough_err err;

    if (block == NULL)
        return;
    err = bough_tar_header_write(h, block, NULL);
    BOUGH_ASSERT(err == BOUGH_OK);
    out->len += BOUGH_TAR_BLOCK;
}

/* A pax header of that name, with its data. */
static void pax_put(struct bough_buf *out, uint8_t type, struct bough_view name, int64_t mtime,
    struct bough_view records)
{
    struct bough_tar_header h = {
        .type = type, .name = name, .mode = 0666, .mtime = mtime, .size = (int64_t)records.len};

    block_put(out, &h);
    bough_buf_put_view(out, records);
    bough_buf_put_fill(out, 0, bough_tar_pad(h.size));
}

enum bough_err bough_tar_put(
    struct bough_buf *out, const struct bough_tar_header *h, struct bough_why *why)
{
    static const char dir[] = "PaxHeaders/";
    struct bough_tar_header fit = *h;
    struct bough_buf path, records, name;
    enum bough_err err = bough_tar__header_check(h, why);

    if (err)
        return err;
    bough_buf_init(&path, out->mem);
    bough_buf_init(&records, out->mem);
    bough_buf_init(&name, out->mem);
    bough_tar_path(h, &path);
    bough_buf_put_str(&name, dir);
    if (!path.err)
        header_fit(&fit, bough_buf_view(&path), &records);
    bough_buf_put_view(
        &name, text_cut(bough_buf_view(&path), BOUGH_TAR__NAME_LEN - (sizeof dir - 1)));
    err = path.err ? path.err : records.err ? records.err : name.err;
    if (err && !out->err)
        out->err = err;
    if (!out->err && records.len > 0)
        pax_put(out, BOUGH_TAR_PAX, bough_buf_view(&name), fit.mtime, bough_buf_view(&records));
    block_put(out, &fit);
    bough_buf_fini(&path);
    bough_buf_fini(&records);
    bough_buf_fini(&name);
    return out->err;
}

enum bough_err bough_tar_put_global(
    struct bough_buf *out, struct bough_view records, int64_t mtime, struct bough_why *why)
{
    if (mtime < 0 || mtime > BOUGH_TAR__OCT11)
        return bough_tar__fault(why, BOUGH_EINVAL, "tar: mtime is out of range", 0);
    pax_put(out, BOUGH_TAR_PAX_GLOBAL, bough_view_str("pax_global_header"), mtime, records);
    return out->err;
}
