/*
 * small.c - decoded trees of at most some kilobytes, each in one block of memory.
 *
 *   tags     of names
 *   making   from a tree's body
 *   finding  by tag, then by name
 *
 * Behind the node, one after the other, stand a tag for each entry, the entries, the locators of
 * children, the body.  A look comes by a line or two of the processor's cache for each of them, and
 * they are near each other: mostly on one page.
 *
 * A tag is a byte of a hash, and not a secret one: whoever makes all tags of a tree equal makes
 * looks in it compare all its names, a few kilobytes.
 */
#include "repo/inner.h"
#include "repo/node_inner.h"

enum { ENT_MIN = 24 /* "1 a", NUL, id */, ENTS_MAX = BOUGH_REPO__SMALL_MAX / ENT_MIN + 1 };

/* ---- Tags ---- */

static uint8_t name_tag(struct bough_view name)
{
    uint64_t x;

    if (name.len >= 8)
        x = bough_get64le(name.ptr) * 31 ^ bough_get64le(name.ptr + name.len - 8);
    else if (name.len >= 4)
        x = (uint64_t)bough_get32le(name.ptr) << 32 | bough_get32le(name.ptr + name.len - 4);
    else
        x = (uint64_t)name.ptr[0] | (uint64_t)name.ptr[name.len / 2] << 8 |
            (uint64_t)name.ptr[name.len - 1] << 16;
    return (uint8_t)((x ^ name.len) * 0x9e3779b97f4a7c15u >> 56);
}

static size_t tags_len(uint32_t n)
{
    return ((size_t)n + 7) / 8 * 8;
}

/* ---- Making ---- */

/* Point into the block: tags, entries, locators, body. */
static void small_lay(struct bough_repo__node *n, struct bough_view body)
{
    uint8_t *tags = (uint8_t *)n->block;

    n->ents = (struct bough_repo__ent *)(void *)(tags + tags_len(n->n));
    n->ents_cap = n->n;
    n->where = (uint64_t *)(void *)(n->ents + n->n);
    n->raw.ptr = (uint8_t *)(n->where + n->n);
    n->raw.len = n->raw.cap = body.len;
    if (body.len > 0)
        memcpy(n->raw.ptr, body.ptr, body.len);
}

enum bough_err bough_repo__small_new(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view body, struct bough_repo__node **out)
{
    struct bough_repo__ent ents[ENTS_MAX];
    struct bough_repo__node *n;
    uint32_t count = 0;
    size_t size;
    enum bough_err err;

    BOUGH_ASSERT(body.len <= BOUGH_REPO__SMALL_MAX);
    for (size_t at = 0; at < body.len; count++) {
        if (!bough_repo__ent_parse(body, r->hash_len, &at, &ents[count]))
            return bough_repo__node_broken(r, id);
    }
    size = tags_len(count) + count * (sizeof *n->ents + sizeof *n->where) + body.len;
    n = bough_mem_alloc(r->mem, sizeof *n + size);
    if (n == NULL)
        return BOUGH_ENOMEM;
    *n = (struct bough_repo__node){
        .id = *id, .n = count, .small = true, .block_len = (uint32_t)size};
    bough_buf_init(&n->raw, r->mem);
    memset(n->block, 0, size - body.len);
    small_lay(n, body);
    for (uint32_t i = 0; i < count; i++) {
        n->ents[i] = ents[i];
        ((uint8_t *)n->block)[i] = name_tag(bough_repo__node_name(n, i));
    }
    err = bough_repo__node_order(r, n);
    if (err)
        bough_repo__node_free(r, n);
    else
        *out = n;
    return err;
}

/* ---- Finding ---- */

uint32_t bough_repo__small_find(
    const struct bough_repo__node *n, struct bough_view name, struct bough_store *store)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    const uint8_t *tags = (const uint8_t *)n->block;
    uint64_t tag;

    if (name.len == 0)
        return UINT32_MAX;
    tag = ones * name_tag(name);
    for (uint32_t at = 0; at < n->n; at += 8) {
        uint64_t x = bough_get64le(tags + at) ^ tag;

        for (uint64_t zero = (x - ones) & ~x & tops; zero != 0; zero &= zero - 1) {
            uint32_t i = at + (uint32_t)__builtin_ctzll(zero) / 8;

            if (i >= n->n)
                break;
            if (store != NULL && n->where[i] != 0) {
                __builtin_prefetch(n->raw.ptr + n->ents[i].at);
                bough_store_soon(store, n->where[i]);
            }
            if (bough_view_eq(bough_repo__node_name(n, i), name))
                return i;
        }
    }
    return UINT32_MAX;
}
