/*
 * oid.c - object ids and kinds.
 *
 *   types    names and back
 *   hex      both ways
 *   ids      of a body at hand or in pieces; the well-known ones
 */
#include "git/oid.h"

static const char *const type_names[] = {
    [BOUGH_COMMIT] = "commit", [BOUGH_TREE] = "tree", [BOUGH_BLOB] = "blob", [BOUGH_TAG] = "tag"};

const char *bough_type_name(enum bough_type type)
{
    return type >= BOUGH_COMMIT && type <= BOUGH_TAG ? type_names[type] : "?";
}

enum bough_type bough_type_parse(struct bough_view name)
{
    for (int t = BOUGH_COMMIT; t <= BOUGH_TAG; t++)
        if (bough_view_eq(name, bough_view_str(type_names[t])))
            return (enum bough_type)t;
    return BOUGH_NONE;
}

bool bough_oid_is_zero(const struct bough_oid *id)
{
    static const struct bough_oid zero;

    return bough_oid_eq(id, &zero);
}

struct bough_oid bough_oid_raw(enum bough_algo algo, const uint8_t *raw)
{
    struct bough_oid id = {{0}};

    memcpy(id.bytes, raw, bough_algo_len(algo));
    return id;
}

size_t bough_oid_hex(enum bough_algo algo, const struct bough_oid *id, char dst[BOUGH_HEX_MAX])
{
    static const char digits[16] = {
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    size_t n = bough_algo_len(algo);

    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = digits[id->bytes[i] >> 4];
        dst[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    return 2 * n;
}

/* The value of a hex digit; 16 for any other character. */
static unsigned hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* to lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

enum bough_err bough_oid_parse(enum bough_algo algo, struct bough_view hex, struct bough_oid *out)
{
    struct bough_oid id = {{0}};
    size_t n = bough_algo_len(algo);

    if (hex.len != 2 * n)
        return BOUGH_EFORMAT;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = hex_value(hex.ptr[2 * i]), lo = hex_value(hex.ptr[2 * i + 1]);

        if (hi > 15 || lo > 15)
            return BOUGH_EFORMAT;
        id.bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *out = id;
    return BOUGH_OK;
}

static void header_put(struct bough_hash *h, enum bough_type type, uint64_t size)
{
    struct bough_view name = bough_view_str(bough_type_name(type));
    uint8_t head[32], *p = head + sizeof head;
    size_t len;

    BOUGH_ASSERT(type >= BOUGH_COMMIT && type <= BOUGH_TAG);
    *--p = 0;
    do
        *--p = (uint8_t)('0' + size % 10);
    while ((size /= 10) != 0);
    *--p = ' ';
    p -= name.len;
    memcpy(p, name.ptr, name.len);
    len = (size_t)(head + sizeof head - p);
    bough_hash_update(h, p, len);
}

void bough_oid_begin(
    struct bough_hash *h, enum bough_algo algo, enum bough_type type, uint64_t size)
{
    bough_hash_init(h, algo);
    header_put(h, type, size);
}

void bough_oid_begin_guarded(
    struct bough_hash *h, enum bough_algo algo, enum bough_type type, uint64_t size)
{
    bough_hash_init_guarded(h, algo);
    header_put(h, type, size);
}

struct bough_oid bough_oid_end(struct bough_hash *h)
{
    struct bough_oid id = {{0}};

    bough_hash_final(h, id.bytes);
    return id;
}

struct bough_oid bough_oid_of(enum bough_algo algo, enum bough_type type, struct bough_view body)
{
    struct bough_hash h;

    bough_oid_begin(&h, algo, type, body.len);
    bough_hash_update(&h, body.ptr, body.len);
    return bough_oid_end(&h);
}

enum bough_err bough_oid_end_guarded(
    struct bough_hash *h, struct bough_oid *out, struct bough_why *why)
{
    *out = bough_oid_end(h);
    if (!bough_hash_attacked(h))
        return BOUGH_OK;
    return BOUGH_WHY(why, BOUGH_EFORMAT, "SHA-1 collision attack detected", NULL, 0);
}

enum bough_err bough_oid_make(enum bough_algo algo, enum bough_type type, struct bough_view body,
    struct bough_oid *out, struct bough_why *why)
{
    struct bough_hash h;

    bough_oid_begin_guarded(&h, algo, type, body.len);
    bough_hash_update(&h, body.ptr, body.len);
    return bough_oid_end_guarded(&h, out, why);
}

const struct bough_oid *bough_oid_empty_tree(enum bough_algo algo)
{
    static const struct bough_oid sha1 = {{0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0,
        0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04}};
    static const struct bough_oid sha256 = {{0x6e, 0xf1, 0x9b, 0x41, 0x22, 0x5c, 0x53, 0x69, 0xf1,
        0xc1, 0x04, 0xd4, 0x5d, 0x8d, 0x85, 0xef, 0xa9, 0xb0, 0x57, 0xb5, 0x3b, 0x14, 0xb4, 0xb9,
        0xb9, 0x39, 0xdd, 0x74, 0xde, 0xcc, 0x53, 0x21}};

    return algo == BOUGH_SHA1 ? &sha1 : &sha256;
}

const struct bough_oid *bough_oid_empty_blob(enum bough_algo algo)
{
    static const struct bough_oid sha1 = {{0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b,
        0x8b, 0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2, 0xe4, 0x8c, 0x53, 0x91}};
    static const struct bough_oid sha256 = {{0x47, 0x3a, 0x0f, 0x4c, 0x3b, 0xe8, 0xa9, 0x36, 0x81,
        0xa2, 0x67, 0xe3, 0xb1, 0xe9, 0xa7, 0xdc, 0xda, 0x11, 0x85, 0x43, 0x6f, 0xe1, 0x41, 0xf7,
        0x74, 0x91, 0x20, 0xa3, 0x03, 0x72, 0x18, 0x13}};

    return algo == BOUGH_SHA1 ? &sha1 : &sha256;
}
