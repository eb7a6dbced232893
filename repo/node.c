/*
 * node.c - decoded trees, and the cache that keeps them.
 *
 *   modes and names     classes, segments of paths
 *   node_parse ...      from a tree's body to entries
 *   lookup              by name (hash or binary search), by byte order, by tree order
 *   locators            of children, as they become known
 *
 * Foreign trees are read as git reads them: padded and odd modes are taken for what git
 * takes them for; the first of equal names counts.
 */
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"

enum { MODE_DIGITS_MAX = 8, SEARCHED_MAX = 4, SLOTS_MIN = 8 };

uint32_t bough_repo__mode_of(enum bough_repo__mode m)
{
    static const uint32_t modes[] = {0100644, 0100755, 0120000, 0160000, 0040000};

    return modes[m];
}

enum bough_repo__mode bough_repo__mode_class(uint32_t mode)
{
    switch (mode & 0170000) {
    case 0100000:
        return (mode & 0100) != 0 ? BOUGH_REPO__EXEC : BOUGH_REPO__FILE;
    case 0120000:
        return BOUGH_REPO__LINK;
    case 0040000:
        return BOUGH_REPO__DIR;
    default:
        return BOUGH_REPO__SUB;
    }
}

bool bough_repo__segment(struct bough_view *path, struct bough_view *segment)
{
    size_t n = 0;

    if (path->len == 0)
        return false;
    while (n < path->len && path->ptr[n] != '/')
        n++;
    *segment = bough_view(path->ptr, n);
    n += n < path->len;
    *path = bough_view(path->ptr + n, path->len - n);
    return true;
}

bool bough_repo__below(struct bough_view path, struct bough_view prefix)
{
    if (prefix.len == 0)
        return true;
    if (path.len < prefix.len || memcmp(path.ptr, prefix.ptr, prefix.len) != 0)
        return false;
    return path.len == prefix.len || path.ptr[prefix.len] == '/';
}

/* ---- Decoding ---- */

enum bough_err bough_repo__node_broken(struct bough_repo *r, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(r->algo, id, hex);

    return BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "broken tree", hex, n);
}

enum bough_err bough_repo__stored(
    struct bough_repo *r, enum bough_err err, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    if (err)
        r->why = r->store->why;
    if (err != BOUGH_ENOENT)
        return err;
    return BOUGH_WHY(
        &r->why, BOUGH_ECORRUPT, "an object is missing", hex, bough_oid_hex(r->algo, id, hex));
}

/* Eight bytes at a time. */
const uint8_t *bough_repo__nul_find(const uint8_t *p, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

    for (; end - p >= 8; p += 8) {
        uint64_t x = bough_get64le(p);

        if (((x - ones) & ~x & tops) != 0)
            break;
    }
    while (p < end && *p != 0)
        p++;
    return p;
}

/* The mode at `p`, which moves behind it and its space; false when there is none. */
static bool mode_parse(const uint8_t **p, const uint8_t *end, uint32_t *mode)
{
    const uint8_t *from = *p, *at = from;

    if (end - at > 7 && memcmp(at, "100644 ", 7) == 0) { /* mostly */
        *mode = 0100644;
        *p = at + 7;
        return true;
    }
    for (*mode = 0; at < end && *at >= '0' && *at <= '7' && at - from < MODE_DIGITS_MAX; at++)
        *mode = *mode << 3 | (uint32_t)(*at - '0');
    *p = at + 1;
    return at > from && at < end && *at == ' ';
}

bool bough_repo__ent_parse(
    struct bough_view body, uint32_t hash_len, size_t *at, struct bough_repo__ent *out)
{
    const uint8_t *p = body.ptr + *at, *end = body.ptr + body.len, *name;
    uint32_t mode;

    if (!mode_parse(&p, end, &mode))
        return false;
    name = p;
    p = bough_repo__nul_find(name, end);
    if (p == name || (size_t)(end - p) < (size_t)hash_len + 1)
        return false;
    out->at = (uint32_t)(name - body.ptr);
    out->len_mode = (uint32_t)(p - name) << 3 | (uint32_t)bough_repo__mode_class(mode);
    *at = (size_t)(p - body.ptr) + 1 + hash_len;
    return true;
}

/* Does entry `i` stand before the next one by name bytes?  Ids follow names: eight bytes can be read. */
static bool ents_ascend(const struct bough_repo__node *n, uint32_t i)
{
    struct bough_view a = bough_repo__node_name(n, i), b = bough_repo__node_name(n, i + 1);
    size_t len = a.len < b.len ? a.len : b.len;
    uint64_t x, y;

    if (len >= 8) {
        x = bough_get64be(a.ptr);
        y = bough_get64be(b.ptr);
        return x != y ? x < y : bough_view_cmp(a, b) < 0;
    }
    x = bough_get64be(a.ptr) >> (64 - 8 * len);
    y = bough_get64be(b.ptr) >> (64 - 8 * len);
    return x != y ? x < y : a.len < b.len;
}

static int order_cmp(const void *ctx, uint32_t a, uint32_t b)
{
    const struct bough_repo__node *n = (const struct bough_repo__node *)ctx;

    return bough_view_cmp(bough_repo__node_name(n, a), bough_repo__node_name(n, b));
}

enum bough_err bough_repo__node_order(struct bough_repo *r, struct bough_repo__node *n)
{
    uint32_t *tmp, at = 0;

    while (at + 1 < n->n && ents_ascend(n, at))
        at++;
    if (at + 1 >= n->n)
        return BOUGH_OK;
    tmp = bough_mem_alloc(r->mem, n->n * sizeof *tmp);
    n->order = bough_mem_alloc(r->mem, n->n * sizeof *n->order);
    if (tmp == NULL || n->order == NULL) {
        bough_mem_free(r->mem, tmp, n->n * sizeof *tmp);
        return BOUGH_ENOMEM;
    }
    for (uint32_t i = 0; i < n->n; i++)
        n->order[i] = i;
    bough_repo__sort(n->order, tmp, n->n, order_cmp, n);
    bough_mem_free(r->mem, tmp, n->n * sizeof *tmp);
    return BOUGH_OK;
}

/* Give back room that will never be used; a port that cannot shrink keeps it. */
static void node_trim(struct bough_repo *r, struct bough_repo__node *n)
{
    void *p;

    if (n->ents_cap > n->n && n->n > 0) {
        p = r->mem->resize(r->mem, n->ents, n->ents_cap * sizeof *n->ents, n->n * sizeof *n->ents);
        if (p != NULL) {
            n->ents = (struct bough_repo__ent *)p;
            n->ents_cap = n->n;
        }
    }
    if (n->raw.cap - n->raw.len > n->raw.len / 8 && n->raw.len > 0) {
        p = r->mem->resize(r->mem, n->raw.ptr, n->raw.cap, n->raw.len);
        if (p != NULL) {
            n->raw.ptr = (uint8_t *)p;
            n->raw.cap = n->raw.len;
        }
    }
}

enum bough_err bough_repo__node_parse(struct bough_repo *r, struct bough_repo__node *n)
{
    size_t at = 0;
    void *ents;

    if (n->raw.len > UINT32_MAX / 8)
        return BOUGH_WHY(&r->why, BOUGH_ETOOBIG, "tree too large to edit", NULL, 0);
    while (at < n->raw.len) {
        if (n->n == n->ents_cap) {
            size_t left = (n->raw.len - at) / (r->hash_len + 16);
            enum bough_err err;

            ents = n->ents;
            err = bough_mem_grow(r->mem, &ents, &n->ents_cap, n->n + left + 1, sizeof *n->ents);
            n->ents = (struct bough_repo__ent *)ents;
            if (err)
                return err;
        }
        if (!bough_repo__ent_parse(bough_buf_view(&n->raw), r->hash_len, &at, &n->ents[n->n]))
            return bough_repo__node_broken(r, &n->id);
        n->n++;
    }
    node_trim(r, n);
    return bough_repo__node_order(r, n);
}

void bough_repo__node_strip(struct bough_repo *r, struct bough_repo__node *n, bool slots_stay)
{
    if (!n->small) {
        bough_buf_fini(&n->raw);
        bough_mem_free(r->mem, n->ents, n->ents_cap * sizeof *n->ents);
        bough_mem_free(r->mem, n->where, n->n * sizeof *n->where);
    }
    bough_repo__states_free(r, n->states);
    n->states = NULL;
    bough_mem_free(r->mem, n->order, n->n * sizeof *n->order);
    n->small = false;
    n->order = NULL;
    n->where = NULL;
    if (slots_stay)
        return;
    bough_mem_free(r->mem, n->slots, n->slots_n * sizeof *n->slots);
    n->slots = NULL;
    n->slots_n = 0;
    n->lookups = 0;
}

void bough_repo__node_free(struct bough_repo *r, struct bough_repo__node *n)
{
    bough_repo__node_strip(r, n, false);
    bough_mem_free(r->mem, n, sizeof *n + n->block_len);
}

struct bough_oid bough_repo__node_id(
    const struct bough_repo *r, const struct bough_repo__node *n, uint32_t i)
{
    struct bough_oid id;

    bough_repo__id_load(r->hash_len, bough_repo__node_raw_id(n, i), &id);
    return id;
}

size_t bough_repo__node_at(const struct bough_repo *r, const struct bough_repo__node *n, uint32_t i)
{
    const struct bough_repo__ent *before;

    if (i == 0)
        return 0;
    before = &n->ents[i - 1];
    return (size_t)before->at + (before->len_mode >> 3) + 1 + r->hash_len;
}

/* ---- Lookup ---- */

/* The low bits of a slot that hold an index + 1; above them are bits of the hash. */
static uint32_t slot_mask(const struct bough_repo__node *n)
{
    return n->slots_n - 1; /* at least twice n, a power of two */
}

/* A cached node holds `more` bytes than before. */
static void node_grew(struct bough_repo *r, struct bough_repo__node *n, size_t more)
{
    n->cost += more;
    if (!n->large)
        r->cache.used += more;
}

void bough_repo__node_slot(struct bough_repo *r, struct bough_repo__node *n, uint32_t i)
{
    struct bough_view name = bough_repo__node_name(n, i);
    uint64_t hash = bough_mix64(r->key, name.ptr, name.len);
    uint32_t mask = slot_mask(n);
    size_t at = (size_t)hash & mask;

    while (n->slots[at] != 0)
        at = (at + 1) & mask;
    n->slots[at] = ((uint32_t)(hash >> 32) & ~mask) | (i + 1);
}

static void node_index(struct bough_repo *r, struct bough_repo__node *n)
{
    uint32_t want = SLOTS_MIN; /* a node has less than 2^25 entries */

    while (want < n->n * 2)
        want *= 2;
    n->slots = bough_mem_zalloc(r->mem, want, sizeof *n->slots);
    if (n->slots == NULL) {
        n->lookups = 0; /* search on, and try again later */
        return;
    }
    n->slots_n = want;
    node_grew(r, n, want * sizeof *n->slots);
    for (uint32_t i = 0; i < n->n; i++)
        bough_repo__node_slot(r, n, i);
}

static uint32_t node_hashed(
    const struct bough_repo *r, const struct bough_repo__node *n, struct bough_view name)
{
    uint64_t hash = bough_mix64(r->key, name.ptr, name.len);
    uint32_t mask = slot_mask(n), tag = (uint32_t)(hash >> 32) & ~mask;
    size_t at = (size_t)hash & mask;

    for (; n->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t i = (n->slots[at] & mask) - 1;

        if ((n->slots[at] & ~mask) == tag && bough_view_eq(bough_repo__node_name(n, i), name))
            return i;
    }
    return UINT32_MAX;
}

uint32_t bough_repo__node_after(const struct bough_repo__node *n, struct bough_view after)
{
    uint32_t lo = 0, hi = n->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct bough_view name = bough_repo__node_name(n, bough_repo__node_nth(n, mid));

        if (bough_view_cmp(name, after) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t bough_repo__node_find(
    struct bough_repo *r, struct bough_repo__node *n, struct bough_view name)
{
    uint32_t place, i;

    if (n->small)
        return bough_repo__small_find(n, name, NULL);
    if (n->slots == NULL && n->n > SEARCHED_MAX && ++n->lookups > n->n / 16)
        node_index(r, n);
    if (n->slots != NULL)
        return node_hashed(r, n, name);
    place = bough_repo__node_after(n, name);
    if (place == 0)
        return UINT32_MAX;
    i = bough_repo__node_nth(n, place - 1);
    return bough_view_eq(bough_repo__node_name(n, i), name) ? i : UINT32_MAX;
}

uint32_t bough_repo__node_place(const struct bough_repo__node *n, struct bough_view name, bool dir)
{
    uint32_t lo = 0, hi = n->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        bool mid_dir = bough_repo__node_mode(n, mid) == BOUGH_REPO__DIR;

        if (bough_tree_name_cmp(bough_repo__node_name(n, mid), mid_dir, name, dir) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- Locators ---- */

uint64_t bough_repo__node_where(const struct bough_repo__node *n, uint32_t i)
{
    return n->where == NULL ? 0 : n->where[i];
}

void bough_repo__node_learn(
    struct bough_repo *r, struct bough_repo__node *n, uint32_t i, uint64_t where)
{
    if (n->where == NULL && where != 0) {
        n->where = bough_mem_zalloc(r->mem, n->n, sizeof *n->where);
        if (n->where == NULL)
            return;
        node_grew(r, n, n->n * sizeof *n->where);
    }
    if (n->where != NULL)
        n->where[i] = where;
}
