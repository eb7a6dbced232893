/*
 * history_index.c - the segments of the index, and what they answer.
 *
 *   loading    segments from refs
 *   places     of commits, and commits at places
 *   cuts       where the boundary lies in chains
 *   leaping    over commits that did not change a path
 */
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"

enum { CUTS_MAX = 4096 };

/* ---- Loading ---- */

static bool hex16_get(const uint8_t *p, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < 16; i++) {
        uint8_t c = p[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *out = *out << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static bool segment_parse(const struct bough_ref *ref, struct bough_history__segment *out)
{
    size_t prefix = sizeof BOUGH_HISTORY__REFS - 1;
    const uint8_t *p = ref->name.ptr + prefix;

    out->root = ref->id;
    return ref->kind == BOUGH_REF_ID && ref->name.len == BOUGH_HISTORY__NAME - 1 && p[16] == '-' &&
           p[33] == '-' && hex16_get(p, &out->serial) && hex16_get(p + 17, &out->rows) &&
           hex16_get(p + 34, &out->commits);
}

/* The greatest chain of a segment. */
static enum bough_err chains_count(struct bough_repo *r, const struct bough_history__segment *s)
{
    uint8_t row[BOUGH_HISTORY__ROW_MAX], key[BOUGH_HISTORY__ROW_MAX];
    enum bough_err err;

    memset(key, 0xff, sizeof key);
    err = bough_history__row_le(r, &s->root, BOUGH_HISTORY__COMMITS, key, row);
    if (err == BOUGH_OK && bough_get32be(row) >= r->history->chain_next)
        r->history->chain_next = bough_get32be(row) + 1;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err segments_load(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    struct bough_view prefix = bough_view_str(BOUGH_HISTORY__REFS);
    struct bough_ref ref;
    struct bough_buf after;
    enum bough_err err;

    bough_buf_init(&after, r->mem);
    h->segments = 0;
    h->serial_next = 1;
    h->chain_next = h->salt + 1;
    while (
        (err = bough_store_ref_next(r->store, prefix, bough_buf_view(&after), &ref)) == BOUGH_OK) {
        struct bough_history__segment *s = &h->segment[h->segments];

        bough_buf_clear(&after);
        bough_buf_put_view(&after, ref.name);
        err = after.err;
        if (err == BOUGH_OK && (h->segments == BOUGH_HISTORY__SEGMENTS || !segment_parse(&ref, s)))
            err = BOUGH_ECORRUPT;
        if (err)
            break;
        h->serial_next = s->serial + 1;
        h->segments++;
        err = chains_count(r, s);
        if (err)
            break;
    }
    bough_buf_fini(&after);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

void bough_history__give_up(struct bough_repo *r, enum bough_err err)
{
    if (err == BOUGH_ENOMEM || err == BOUGH_ENOSPC || err == BOUGH_EEXPIRED)
        return;
    r->history->off = true;
    r->history->broken = err == BOUGH_ECORRUPT;
}

enum bough_err bough_history__load(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    enum bough_err err;

    if (h->off)
        return BOUGH_ENOENT;
    if (h->loaded)
        return BOUGH_OK;
    err = segments_load(r);
    h->loaded = err == BOUGH_OK;
    if (err)
        bough_history__give_up(r, err);
    return err;
}

void bough_history__segment_swap(struct bough_history *h, const struct bough_history__segment *now,
    const struct bough_history__segment *old, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->segments; i++) {
        bool goes = false;

        for (size_t j = 0; j < n; j++)
            goes = goes || old[j].serial == h->segment[i].serial;
        if (!goes)
            h->segment[kept++] = h->segment[i];
    }
    h->segments = kept;
    h->end_segment = 0; /* the newest has new ends, or those of others */
    memset(h->end_row, 0, sizeof h->end_row);
    if (now->rows == 0)
        return;
    BOUGH_ASSERT(h->segments < BOUGH_HISTORY__SEGMENTS);
    h->segment[h->segments++] = *now;
    h->serial_next = now->serial + 1;
}

/* ---- Places ---- */

/* The commit at a place, as one segment has it. */
static enum bough_err segment_id_at(struct bough_repo *r, const struct bough_history__segment *s,
    struct bough_history__place at, struct bough_oid *out)
{
    uint8_t key[BOUGH_HISTORY__ROW_MAX] = {0}, row[BOUGH_HISTORY__ROW_MAX];
    enum bough_err err;

    bough_history__place_put(key, at);
    err = bough_history__row_ge(r, &s->root, BOUGH_HISTORY__COMMITS, key, row);
    if (err)
        return err;
    if (memcmp(row, key, BOUGH_HISTORY__PLACE) != 0)
        return BOUGH_ENOENT;
    memset(out, 0, sizeof *out);
    memcpy(out->bytes, row + BOUGH_HISTORY__PLACE, r->hash_len);
    return BOUGH_OK;
}

enum bough_err bough_history__id_at(
    struct bough_repo *r, struct bough_history__place at, struct bough_oid *out)
{
    const struct bough_history *h = r->history;
    enum bough_err err = BOUGH_ENOENT;

    for (size_t i = h->segments; i-- > 0 && err == BOUGH_ENOENT;)
        err = segment_id_at(r, &h->segment[i], at, out);
    return err;
}

/* Its place, as one segment has it: rows of other commits, or of paths, may begin alike. */
static enum bough_err segment_find(struct bough_repo *r, const struct bough_history__segment *s,
    const struct bough_oid *id, struct bough_history__place *out)
{
    uint8_t key[BOUGH_HISTORY__PATH_ROW] = {0}, row[BOUGH_HISTORY__PATH_ROW];

    memcpy(key, id->bytes, 8);
    for (;;) {
        struct bough_oid there;
        enum bough_err err = bough_history__row_ge(r, &s->root, BOUGH_HISTORY__PATHS, key, row);

        if (err || memcmp(row, id->bytes, 8) != 0)
            return err ? err : BOUGH_ENOENT;
        *out = bough_history__place_get(row + 8);
        err = segment_id_at(r, s, *out, &there);
        if (err != BOUGH_ENOENT && (err || bough_oid_eq(&there, id)))
            return err;
        memcpy(key, row, sizeof key);
        bough_history__row_step(key, sizeof key);
    }
}

enum bough_err bough_history__find(
    struct bough_repo *r, const struct bough_oid *id, struct bough_history__place *out)
{
    const struct bough_history *h = r->history;
    enum bough_err err = BOUGH_ENOENT;

    for (size_t i = h->segments; i-- > 0 && err == BOUGH_ENOENT;)
        err = segment_find(r, &h->segment[i], id, out);
    return err;
}

/* ---- Cuts ---- */

static bool place_before(struct bough_history__place a, struct bough_history__place b)
{
    return a.chain != b.chain ? a.chain < b.chain : a.pos < b.pos;
}

/* How many cuts are not above `at`. */
static size_t cuts_seek(const struct bough_history *h, struct bough_history__place at)
{
    size_t lo = 0, hi = h->cuts_n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (place_before(at, h->cuts[mid]))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static enum bough_err cut_add(struct bough_repo *r, struct bough_history__place p)
{
    struct bough_history *h = r->history;
    size_t at = cuts_seek(h, p);
    void *cuts = h->cuts;
    enum bough_err err;

    if (h->cuts_n == CUTS_MAX)
        return BOUGH_ETOOBIG;
    err = bough_mem_grow(r->mem, &cuts, &h->cuts_cap, h->cuts_n + 1, sizeof *h->cuts);
    h->cuts = (struct bough_history__place *)cuts;
    if (err)
        return err;
    memmove(&h->cuts[at + 1], &h->cuts[at], (h->cuts_n - at) * sizeof *h->cuts);
    h->cuts[at] = p;
    h->cuts_n++;
    return BOUGH_OK;
}

/* A commit that comes onto the boundary later is indexed already, or as the lowest of a chain. */
static enum bough_err cuts_load(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    struct bough_history__place at;
    struct bough_oid id;
    enum bough_err err;

    if (h->cuts_known && h->cuts_stamp == r->store->boundaries)
        return BOUGH_OK;
    h->cuts_n = 0;
    h->cuts_known = false;
    h->cuts_stamp = r->store->boundaries;
    for (err = bough_store_boundary_next(r->store, NULL, &id); err == BOUGH_OK;
         err = bough_store_boundary_next(r->store, &id, &id)) {
        err = bough_history__find(r, &id, &at);
        err = err == BOUGH_OK ? cut_add(r, at) : err == BOUGH_ENOENT ? BOUGH_OK : err;
        if (err)
            return err;
    }
    h->cuts_known = err == BOUGH_ENOENT;
    return h->cuts_known ? BOUGH_OK : err;
}

/* ---- Leaping ---- */

/* The highest position, at most `at`, with a row of the path.  BOUGH_ENOENT: none. */
static enum bough_err path_before(
    struct bough_repo *r, const uint8_t path[8], struct bough_history__place at, uint32_t *pos)
{
    const struct bough_history *h = r->history;
    uint8_t key[BOUGH_HISTORY__PATH_ROW], row[BOUGH_HISTORY__PATH_ROW];
    bool found = false;

    memcpy(key, path, 8);
    bough_history__place_put(key + 8, at);
    for (size_t i = 0; i < h->segments; i++) {
        enum bough_err err =
            bough_history__row_le(r, &h->segment[i].root, BOUGH_HISTORY__PATHS, key, row);

        if (err == BOUGH_ENOENT || (err == BOUGH_OK && memcmp(row, key, 12) != 0))
            continue;
        if (err)
            return err;
        if (!found || bough_get32be(row + 12) > *pos)
            *pos = bough_get32be(row + 12);
        found = true;
    }
    return found ? BOUGH_OK : BOUGH_ENOENT;
}

/* The lowest position of a chain. */
static enum bough_err chain_bottom(struct bough_repo *r, uint32_t chain, uint32_t *pos)
{
    const struct bough_history *h = r->history;
    uint8_t key[BOUGH_HISTORY__ROW_MAX] = {0}, row[BOUGH_HISTORY__ROW_MAX];

    *pos = UINT32_MAX;
    bough_put32be(key, chain);
    for (size_t i = 0; i < h->segments; i++) {
        enum bough_err err =
            bough_history__row_ge(r, &h->segment[i].root, BOUGH_HISTORY__COMMITS, key, row);

        if (err && err != BOUGH_ENOENT)
            return err;
        if (err == BOUGH_OK && bough_get32be(row) == chain && bough_get32be(row + 4) < *pos)
            *pos = bough_get32be(row + 4);
    }
    return *pos == UINT32_MAX ? BOUGH_ECORRUPT : BOUGH_OK;
}

/*
 * The commit to look at for changes at the path with `key`, seen from `id`: it, or one further down
 * its first parents; all from `id` down to it, without it, have the same there as their first parents.
 */
static enum bough_err history_jump(
    struct bough_repo *r, const uint8_t key[8], const struct bough_oid *id, struct bough_oid *out)
{
    const struct bough_history *h = r->history;
    struct bough_history__place at, to;
    size_t cuts;
    enum bough_err err = bough_history__load(r);

    if (err == BOUGH_OK && h->segments == 0)
        err = BOUGH_ENOENT;
    if (err == BOUGH_OK)
        err = bough_history__find(r, id, &at);
    if (err == BOUGH_OK)
        err = cuts_load(r);
    if (err)
        return err;
    to = at;
    err = path_before(r, key, at, &to.pos);
    if (err == BOUGH_ENOENT)
        err = chain_bottom(r, at.chain, &to.pos);
    if (err)
        return err;
    cuts = cuts_seek(h, at);
    if (cuts > 0 && h->cuts[cuts - 1].chain == at.chain && h->cuts[cuts - 1].pos > to.pos)
        to.pos = h->cuts[cuts - 1].pos;
    return bough_history__id_at(r, to, out);
}

/* The commit to leap to, if the index has one and is right. */
static enum bough_err leap_find(struct bough_graph *g, struct bough_repo__look *l,
    struct bough_graph_commit *c, const struct bough_repo__at *at, struct bough_graph_commit **out)
{
    struct bough_repo__at there;
    uint8_t key[8];
    struct bough_oid id;
    enum bough_err err;

    bough_history__path_key(g->r, bough_buf_view(&l->path), key);
    err = history_jump(g->r, key, &c->id, &id);
    if (err && err != BOUGH_ENOENT)
        bough_history__give_up(g->r, err);
    if (err || bough_oid_eq(&id, &c->id))
        return err;
    err = bough_graph_get(g, &id, out);
    if (err == BOUGH_OK)
        err = bough_graph_parse(g, *out);
    if (err == BOUGH_OK)
        err = bough_repo__look_in(l, &(*out)->tree, &there);
    if (err == BOUGH_OK && !bough_repo__at_same(at, &there)) {
        err = BOUGH_ECORRUPT;
        bough_history__give_up(g->r, err);
    }
    return err;
}

enum bough_err bough_history__leap(struct bough_graph *g, struct bough_repo__look *l,
    struct bough_graph_commit *c, const struct bough_repo__at *at, struct bough_graph_commit **out)
{
    struct bough_why why = g->r->why;
    struct bough_graph_commit *to = c;
    enum bough_err err = leap_find(g, l, c, at, &to);

    *out = err ? c : to;
    if (err)
        g->r->why = why; /* nothing was lost: it is walked */
    return err == BOUGH_ENOMEM ? err : BOUGH_OK;
}
