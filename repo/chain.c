/*
 * chain.c - versions of a directory as skip-deltas.
 *
 *   maps       which bytes of one version are in another; composed
 *   deltas     from a map to Git's delta format
 *   chains     the versions that are bases of versions to come; fetched before they are needed
 *   putting    whole or delta
 *
 * Version v of a directory is a delta against v with its lowest set bit cleared: 12 steps
 * lead from any to the whole copy that begins a chain of 4,096.  The bases of versions to
 * come are v, v with its lowest bit cleared, and so on to 0: a stack.  Each holds the map
 * that leads to the one below it, so a new version composes the maps of those that it pops
 * (as a binary counter carries) and never looks at an old body.
 *
 * A chain is a hint: without memory for it the tree is put whole and the chain forgotten.
 * It begins with a whole copy even when the store has the directory already, unless that is large
 * and the store says on how few deltas it stands: else every process that changes a large folder
 * once would write all of it.
 */
#include "git/delta.h"
#include "repo/chain_inner.h"
#include "repo/inner.h"
#include "repo/range_inner.h"
#include "repo/write_inner.h"

/* ---- Maps ---- */

static void map_fini(struct bough_repo *r, struct bough_repo__map *m)
{
    bough_mem_free(r->mem, m->segs, m->cap * sizeof *m->segs);
    *m = (struct bough_repo__map){0};
}

enum bough_err bough_repo__map_add(
    struct bough_repo *r, struct bough_repo__map *m, size_t dst, size_t src, size_t len)
{
    struct bough_repo__seg *last = m->n == 0 ? NULL : &m->segs[m->n - 1];

    if (len == 0)
        return BOUGH_OK;
    if (last != NULL && last->dst + last->len == dst && last->src + last->len == src) {
        last->len += (uint32_t)len;
        return BOUGH_OK;
    }
    if (m->n == m->cap) {
        void *segs = m->segs;
        size_t cap = m->cap;
        enum bough_err err = bough_mem_grow(r->mem, &segs, &cap, cap + 1, sizeof *m->segs);

        m->segs = (struct bough_repo__seg *)segs;
        m->cap = (uint32_t)cap;
        if (err)
            return err;
    }
    m->segs[m->n++] =
        (struct bough_repo__seg){.dst = (uint32_t)dst, .src = (uint32_t)src, .len = (uint32_t)len};
    return BOUGH_OK;
}

/* `out` := what of the newest version is in the oldest, through the one between. */
static enum bough_err map_compose(struct bough_repo *r, const struct bough_repo__map *upper,
    const struct bough_repo__map *lower, struct bough_repo__map *out)
{
    size_t i = 0, j = 0;

    while (i < upper->n && j < lower->n) {
        const struct bough_repo__seg *u = &upper->segs[i], *l = &lower->segs[j];
        uint32_t at = u->src > l->dst ? u->src : l->dst;
        uint32_t u_end = u->src + u->len, l_end = l->dst + l->len;
        uint32_t end = u_end < l_end ? u_end : l_end;

        if (at < end) {
            enum bough_err err = bough_repo__map_add(
                r, out, u->dst + (at - u->src), l->src + (at - l->dst), end - at);
            if (err)
                return err;
        }
        i += u_end <= l_end;
        j += l_end <= u_end;
    }
    return BOUGH_OK;
}

/* ---- Deltas ---- */

static size_t map_delta_len(const struct bough_repo__map *m, size_t body_len)
{
    size_t copied = 0;

    for (size_t i = 0; i < m->n; i++)
        copied += m->segs[i].len;
    return body_len - copied + (body_len - copied) / 64 + m->n * 8;
}

static void map_delta(
    const struct bough_repo__map *m, size_t base_len, struct bough_view body, struct bough_buf *out)
{
    struct bough_delta_builder b;
    size_t at = 0;

    bough_delta_begin(&b, out, base_len, body.len);
    for (size_t i = 0; i < m->n; i++) {
        const struct bough_repo__seg *s = &m->segs[i];

        bough_delta_insert(&b, bough_view(body.ptr + at, s->dst - at));
        bough_delta_copy(&b, s->src, s->len);
        at = (size_t)s->dst + s->len;
    }
    bough_delta_insert(&b, bough_view(body.ptr + at, body.len - at));
    bough_delta_end(&b);
}

/* ---- Chains ---- */

static struct bough_repo__version *chain_top(struct bough_repo__chain *c)
{
    return &c->stack[c->n - 1];
}

/* The segments of all versions, lowest first. */
static struct bough_repo__seg *chain_segs(struct bough_repo__chain *c)
{
    return (struct bough_repo__seg *)(void *)(c->stack + c->cap);
}

static size_t chain_size(uint32_t cap, uint32_t segs_cap)
{
    return sizeof(struct bough_repo__chain) + cap * sizeof(struct bough_repo__version) +
           segs_cap * sizeof(struct bough_repo__seg);
}

static void chain_free(struct bough_repo *r, struct bough_repo__chain *c)
{
    if (c != NULL)
        bough_mem_free(r->mem, c, chain_size(c->cap, c->segs_cap));
}

/* How the newest version came from the one below it; borrowed until the chain changes. */
static struct bough_repo__map chain_top_map(struct bough_repo__chain *c)
{
    uint32_t from = c->n < 2 ? 0 : c->stack[c->n - 2].segs_end;

    return (struct bough_repo__map){
        .segs = chain_segs(c) + from, .n = chain_top(c)->segs_end - from};
}

static struct bough_repo__chain_slot *chain_set(struct bough_repo *r, const struct bough_oid *id)
{
    size_t set = (size_t)bough_get64le(id->bytes) & (r->chains.sets - 1);

    return &r->chains.slots[set * BOUGH_REPO__CHAIN_WAYS];
}

static uint64_t chain_tag(const struct bough_oid *id)
{
    return bough_get64le(id->bytes + sizeof(uint64_t));
}

/* Take what a slot holds out of the table. */
static struct bough_repo__chain *slot_take(struct bough_repo *r, struct bough_repo__chain_slot *s)
{
    struct bough_repo__chain *c = s->chain;

    if (c != NULL)
        r->chains.used -= chain_size(c->cap, c->segs_cap);
    s->chain = NULL;
    return c;
}

/* Take the chain whose newest version is `id` out of the table, or NULL. */
static struct bough_repo__chain *chain_take(struct bough_repo *r, const struct bough_oid *id)
{
    struct bough_repo__chain_slot *set;

    if (r->chains.losses != r->store->losses) {
        bough_repo__chains_drop(r);
        r->chains.losses = r->store->losses;
    }
    if (r->chains.slots == NULL || id == NULL)
        return NULL;
    set = chain_set(r, id);
    for (int i = 0; i < BOUGH_REPO__CHAIN_WAYS; i++) {
        if (set[i].chain != NULL && set[i].tag == chain_tag(id) &&
            bough_oid_eq(&chain_top(set[i].chain)->id, id))
            return slot_take(r, &set[i]);
    }
    return NULL;
}

void bough_repo__chain_near(struct bough_repo *r, const struct bough_oid *id)
{
    if (r->chains.slots != NULL)
        __builtin_prefetch(chain_set(r, id));
}

void bough_repo__chain_ahead(struct bough_repo *r, const struct bough_oid *id)
{
    enum { LINE = 64, LINES = 6 };
    struct bough_repo__chain_slot *set = r->chains.slots == NULL ? NULL : chain_set(r, id);

    for (int i = 0; set != NULL && i < BOUGH_REPO__CHAIN_WAYS; i++) {
        if (set[i].chain == NULL || set[i].tag != chain_tag(id))
            continue;
        for (size_t k = 0; k < LINES; k++)
            __builtin_prefetch((const uint8_t *)set[i].chain + k * LINE);
    }
}

/* Empty slots from the hand on until what is left is within the limit. */
static void chains_trim(struct bough_repo *r)
{
    struct bough_repo__chains *cs = &r->chains;

    while (cs->used > cs->limit) {
        struct bough_repo__chain_slot *at = &cs->slots[cs->hand];

        cs->hand = (cs->hand + 1) & (cs->sets * BOUGH_REPO__CHAIN_WAYS - 1);
        chain_free(r, slot_take(r, at));
    }
}

/* Put a chain under its newest version, in place of the least used of its set. */
static void chain_keep(struct bough_repo *r, struct bough_repo__chain *c)
{
    const struct bough_oid *id = &chain_top(c)->id;
    struct bough_repo__chain_slot *set = chain_set(r, id), *at = set;

    for (int i = 1; i < BOUGH_REPO__CHAIN_WAYS && at->chain != NULL; i++) {
        if (set[i].chain == NULL || set[i].chain->used < at->chain->used)
            at = &set[i];
    }
    chain_free(r, slot_take(r, at));
    c->used = ++r->chains.clock;
    *at = (struct bough_repo__chain_slot){chain_tag(id), c};
    r->chains.used += chain_size(c->cap, c->segs_cap);
    chains_trim(r);
}

void bough_repo__chains_drop(struct bough_repo *r)
{
    size_t n = r->chains.sets * BOUGH_REPO__CHAIN_WAYS;

    if (r->chains.slots == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        chain_free(r, r->chains.slots[i].chain);
    bough_mem_free(r->mem, r->chains.slots, n * sizeof *r->chains.slots);
    r->chains.slots = NULL;
    r->chains.used = 0;
}

/* ---- Putting ---- */

void bough_repo__putting_fini(struct bough_repo *r, struct bough_repo__putting *p)
{
    map_fini(r, &p->map);
    map_fini(r, &p->through);
    bough_buf_fini(&p->delta);
}

/*
 * Room for one version more that has `segs` segments, in `*chain` (NULL: a new one); false without
 * memory.  Little more than is needed, for most chains stay short; what is far too much goes.
 */
static bool chain_room(struct bough_repo *r, struct bough_repo__chain **chain, uint32_t segs)
{
    enum { STEP = 2, SEGS = 12, SLACK = 8 };
    struct bough_repo__chain *c = *chain, *fresh;
    uint32_t n = c == NULL ? 0 : c->n, have = n == 0 ? 0 : chain_top(c)->segs_end, segs_cap;

    if (segs > UINT32_MAX / 2 - have)
        return false;
    if (c != NULL && n < c->cap && have + segs <= c->segs_cap &&
        (have + segs) * SLACK + 4 * SEGS >= c->segs_cap)
        return true;
    segs_cap = have + segs + (segs > 0 ? SEGS : 0);
    fresh = bough_mem_alloc(r->mem, chain_size(n + STEP, segs_cap));
    if (fresh == NULL)
        return false;
    *fresh = (struct bough_repo__chain){.n = n};
    if (c != NULL) {
        memcpy(fresh, c, sizeof *c + n * sizeof c->stack[0]);
        fresh->cap = n + STEP;
        memcpy(chain_segs(fresh), chain_segs(c), have * sizeof(struct bough_repo__seg));
        chain_free(r, c);
    }
    fresh->cap = n + STEP;
    fresh->segs_cap = segs_cap;
    *chain = fresh;
    return true;
}

/* A version on top; false without memory. */
static bool chain_push(struct bough_repo *r, struct bough_repo__chain **chain, uint32_t number,
    const struct bough_oid *id, size_t len, const struct bough_repo__map *map)
{
    struct bough_repo__chain *c;
    uint32_t from;

    if (!chain_room(r, chain, map->n))
        return false;
    c = *chain;
    from = c->n == 0 ? 0 : chain_top(c)->segs_end;
    if (map->n > 0)
        memcpy(chain_segs(c) + from, map->segs, map->n * sizeof *map->segs);
    c->stack[c->n++] = (struct bough_repo__version){
        .number = number, .len = (uint32_t)len, .segs_end = from + map->n, .id = *id};
    return true;
}

/* The table of chains, made when the first is kept. */
static bool chains_make(struct bough_repo__chains *cs, struct bough_mem *mem)
{
    if (cs->slots != NULL)
        return true;
    cs->sets = 1;
    while (cs->sets * BOUGH_REPO__CHAIN_WAYS * BOUGH_REPO__CHAIN_COST < cs->limit)
        cs->sets *= 2;
    cs->slots = bough_mem_zalloc(mem, cs->sets * BOUGH_REPO__CHAIN_WAYS, sizeof *cs->slots);
    return cs->slots != NULL;
}

/* A chain that begins with `id`; NULL: there is no memory for it. */
static struct bough_repo__chain *chain_new(
    struct bough_repo *r, const struct bough_oid *id, uint64_t len)
{
    struct bough_collect_progress p;
    struct bough_repo__map none = {0};
    struct bough_repo__chain *c = NULL;

    if (len > UINT32_MAX || !chains_make(&r->chains, r->mem) ||
        !chain_push(r, &c, 0, id, (size_t)len, &none))
        return NULL;
    bough_store_collection(r->store, &p);
    c->collections = p.collections;
    c->during = p.phase != BOUGH_COLLECT_IDLE;
    return c;
}

/* A chain that begins with what is stored, when that is large and stands on few deltas. */
static struct bough_repo__chain *chain_resume(
    struct bough_repo *r, const struct bough_oid *old, size_t len)
{
    struct bough_repo__chain *c;
    struct bough_object *o;

    if (old == NULL || len <= BOUGH_REPO__RANGE_MIN ||
        bough_store_object_lend(r->store, old, &o) != BOUGH_OK || !o->jumps ||
        o->links >= BOUGH_REPO__CHAIN_LINKS)
        return NULL;
    c = chain_new(r, old, o->size);
    if (c != NULL)
        c->during = false; /* it was there before the collection that may be under way */
    return c;
}

/* Pop down to the base of the next version; `p->map` then leads there. */
static enum bough_err chain_descend(
    struct bough_repo *r, struct bough_repo__chain *c, struct bough_repo__putting *p)
{
    uint32_t number = chain_top(c)->number + 1;

    while (chain_top(c)->number != (number & (number - 1))) {
        struct bough_repo__map lower = chain_top_map(c), upper = p->map;
        enum bough_err err;

        p->through.n = 0;
        err = map_compose(r, &upper, &lower, &p->through);
        p->map = p->through;
        p->through = upper;
        if (err)
            return err;
        c->n--;
    }
    return BOUGH_OK;
}

/*
 * May something stand on its versions?  Collections that ended may have dropped them.  While one
 * is under way only those that came with it are sure to stay, so a chain from before ends.
 */
static bool chain_stands(struct bough_repo *r, struct bough_repo__chain *c)
{
    struct bough_collect_progress p;

    bough_store_collection(r->store, &p);
    if (p.phase != BOUGH_COLLECT_IDLE)
        return c->during && c->collections == p.collections;
    for (uint32_t i = 0; c->collections != p.collections && i < c->n; i++) {
        if (bough_store_has(r->store, &c->stack[i].id) != BOUGH_OK)
            return false;
    }
    c->collections = p.collections;
    c->during = false;
    return true;
}

/* Put a delta; BOUGH_ENOENT: none that is worth it, or no memory for it. */
static enum bough_err chain_delta(struct bough_repo *r, struct bough_repo__chain **chain,
    struct bough_txn *txn, struct bough_view body, struct bough_repo__putting *p,
    const struct bough_oid *id)
{
    struct bough_repo__chain *c = *chain;
    uint32_t number = chain_top(c)->number + 1;
    enum bough_err err;

    if (number >= BOUGH_REPO__CHAIN_VERSIONS || !chain_stands(r, c) ||
        chain_descend(r, c, p) != BOUGH_OK || map_delta_len(&p->map, body.len) > body.len / 4 ||
        body.len > UINT32_MAX)
        return BOUGH_ENOENT;
    bough_buf_clear(&p->delta);
    p->delta.mem = r->mem;
    map_delta(&p->map, chain_top(c)->len, body, &p->delta);
    if (p->delta.err)
        return BOUGH_ENOENT;
    err = bough_txn_put_delta(
        txn, BOUGH_TREE, id, &chain_top(c)->id, bough_buf_view(&p->delta), body);
    if (err == BOUGH_OK) /* else the caller sees another top */
        (void)chain_push(r, chain, number, id, body.len, &p->map);
    return err;
}

enum bough_err bough_repo__chain_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *old, struct bough_view body, struct bough_repo__putting *p,
    const struct bough_oid *id)
{
    struct bough_repo__chain *c = chain_take(r, old);
    enum bough_err err = BOUGH_ENOENT;

    bough_repo__chain_near(r, id);

    if (c == NULL)
        c = chain_resume(r, old, body.len);
    if (c != NULL && body.len >= BOUGH_REPO__CHAIN_BODY_MIN)
        err = chain_delta(r, &c, txn, body, p, id);
    p->map.n = 0;
    if (err == BOUGH_OK && bough_oid_eq(&chain_top(c)->id, id)) {
        chain_keep(r, c);
        return BOUGH_OK;
    }
    chain_free(r, c);
    if (err != BOUGH_ENOENT)
        return err;
    err = bough_txn_put_known(txn, BOUGH_TREE, id, body);
    if (err == BOUGH_OK && body.len >= BOUGH_REPO__CHAIN_BODY_MIN) {
        c = chain_new(r, id, body.len);
        if (c != NULL)
            chain_keep(r, c);
    }
    return err;
}
