/*
 * record.c - journal records: a write to a branch, before its commit.
 *
 *   fields    integers and texts, little-endian, each text after its length
 *   who       authors, message
 *   changes   one path each
 *   records   version, window, who, times, changes, checksum
 *
 * A record, in the stream named by its ref:
 *
 *   u8   version, 1
 *   u64  window number
 *   who: u8 flags (1: committer, 2: message)
 *        text author name, text author mail, [text name, text mail], [text message]
 *   time of the author, [time of the committer]: i64 seconds, u32 nanoseconds, u16 zone
 *   u32  number of changes, then each:
 *        u8 what (0..4 the mode, 255 removed), text path, id unless removed
 *   u32  CRC-32 of all before
 *
 * A text is u32 length and bytes.  A write that does not fit one record takes several, of
 * one window, in one transaction.
 */
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"

enum { VERSION = 1, WITH_COMMITTER = 1, WITH_MESSAGE = 2, REMOVED = 255, TIME_LEN = 14 };

/* ---- Fields ---- */

static void text_put(struct bough_buf *out, struct bough_view text)
{
    bough_buf_put32le(out, (uint32_t)text.len);
    bough_buf_put_view(out, text);
}

/* Bytes taken off the front; false when there are fewer. */
static bool bytes_get(struct bough_view *left, size_t n, struct bough_view *out)
{
    if (left->len < n)
        return false;
    *out = bough_view(left->ptr, n);
    *left = bough_view(left->ptr + n, left->len - n);
    return true;
}

static bool text_get(struct bough_view *left, struct bough_view *out)
{
    struct bough_view len;

    return bytes_get(left, 4, &len) && bytes_get(left, bough_get32le(len.ptr), out);
}

static void time_put(struct bough_buf *out, const struct bough_time *t)
{
    bough_buf_put64le(out, (uint64_t)t->sec);
    bough_buf_put32le(out, t->nsec);
    bough_buf_put_u8(out, (uint8_t)((uint16_t)t->zone_min & 255));
    bough_buf_put_u8(out, (uint8_t)((uint16_t)t->zone_min >> 8));
}

static bool time_get(struct bough_view *left, struct bough_time *out)
{
    struct bough_view v;

    if (!bytes_get(left, TIME_LEN, &v))
        return false;
    out->sec = (int64_t)bough_get64le(v.ptr);
    out->nsec = bough_get32le(v.ptr + 8);
    out->zone_min = (int16_t)bough_get16le(v.ptr + 12);
    return true;
}

/* ---- Who ---- */

void bough_repo__who_put(struct bough_buf *out, const struct bough_info *info)
{
    bool committer = info->committer.name.ptr != NULL, message = info->message.ptr != NULL;

    bough_buf_put_u8(
        out, (uint8_t)((committer ? WITH_COMMITTER : 0) | (message ? WITH_MESSAGE : 0)));
    text_put(out, info->author.name);
    text_put(out, info->author.mail);
    if (committer) {
        text_put(out, info->committer.name);
        text_put(out, info->committer.mail);
    }
    if (message)
        text_put(out, info->message);
}

static bool who_take(struct bough_view *left, struct bough_info *out)
{
    struct bough_view flags;

    *out = (struct bough_info){0};
    if (!bytes_get(left, 1, &flags) || !text_get(left, &out->author.name) ||
        !text_get(left, &out->author.mail))
        return false;
    if ((flags.ptr[0] & WITH_COMMITTER) != 0 &&
        (!text_get(left, &out->committer.name) || !text_get(left, &out->committer.mail)))
        return false;
    return (flags.ptr[0] & WITH_MESSAGE) == 0 || text_get(left, &out->message);
}

enum bough_err bough_repo__who_get(struct bough_view bytes, struct bough_info *out)
{
    return who_take(&bytes, out) && bytes.len == 0 ? BOUGH_OK : BOUGH_ECORRUPT;
}

/* ---- Changes ---- */

void bough_repo__change_put(
    struct bough_repo *r, struct bough_buf *out, const struct bough_repo__record_change *c)
{
    bough_buf_put_u8(out, c->remove ? REMOVED : (uint8_t)c->mode);
    text_put(out, c->path);
    if (!c->remove)
        bough_buf_put(out, c->id.bytes, r->hash_len);
}

enum bough_err bough_repo__change_get(
    struct bough_repo *r, struct bough_view *left, struct bough_repo__record_change *out)
{
    struct bough_view what, id;

    if (!bytes_get(left, 1, &what) || !text_get(left, &out->path))
        return BOUGH_ECORRUPT;
    out->remove = what.ptr[0] == REMOVED;
    if (out->remove)
        return BOUGH_OK;
    if (what.ptr[0] >= BOUGH_REPO__DIR || !bytes_get(left, r->hash_len, &id))
        return BOUGH_ECORRUPT;
    out->mode = (enum bough_repo__mode)what.ptr[0];
    out->id = bough_oid_raw(r->algo, id.ptr);
    return BOUGH_OK;
}

/* ---- Records ---- */

void bough_repo__record_put(struct bough_buf *out, const struct bough_repo__record *rec)
{
    size_t at = out->len;

    bough_buf_put_u8(out, VERSION);
    bough_buf_put64le(out, rec->window);
    bough_repo__who_put(out, &rec->info);
    time_put(out, &rec->info.author.time);
    if (rec->info.committer.name.ptr != NULL)
        time_put(out, &rec->info.committer.time);
    bough_buf_put32le(out, rec->changes_n);
    bough_buf_put_view(out, rec->changes);
    if (!out->err)
        bough_buf_put32le(out, bough_crc32(0, out->ptr + at, out->len - at));
}

static bool record_take(struct bough_view *left, struct bough_repo__record *out)
{
    struct bough_view v;

    if (!bytes_get(left, 9, &v) || v.ptr[0] != VERSION)
        return false;
    out->window = bough_get64le(v.ptr + 1);
    if (!who_take(left, &out->info) || !time_get(left, &out->info.author.time))
        return false;
    if (out->info.committer.name.ptr != NULL && !time_get(left, &out->info.committer.time))
        return false;
    if (!bytes_get(left, 4, &v))
        return false;
    out->changes_n = bough_get32le(v.ptr);
    out->changes = *left;
    return true;
}

enum bough_err bough_repo__record_get(
    struct bough_repo *r, struct bough_view bytes, struct bough_repo__record *out)
{
    struct bough_view left = bytes;

    *out = (struct bough_repo__record){0};
    if (bytes.len >= 4) {
        left.len -= 4;
        if (bough_crc32(0, left.ptr, left.len) == bough_get32le(left.ptr + left.len) &&
            record_take(&left, out))
            return BOUGH_OK;
    }
    return BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "broken journal record", NULL, 0);
}
