/*
 * chain.c - versions of a directory as skip-deltas.
 *
 *   maps       which bytes of one version are in another; composed
 *   deltas     from a map to Git's delta format
 *   chains     the versions that are bases of versions to come
 *   putting    whole or delta
 *
 * Version v of a directory is a delta against v with its lowest set bit cleared: 12 steps
 * lead from any to the whole copy that begins a chain of 4,096.  The bases of versions to
 * come are v, v with its lowest bit cleared, and so on to 0: a stack.  Each holds the map
 * that leads to the one below it, so a new version composes the maps of those that it pops
 * (as a binary counter carries) and never looks at an old body.
 *
 * A chain is a hint: without memory for it the tree is put whole and the chain forgotten.
 * It begins with a whole copy even when the store has the directory already, because nobody
 * here knows how many deltas that one stands on.
 */
#include "git/delta.h"
#include "repo/inner.h"

/* ---- Maps ---- */

void bough_repo__map_fini(struct bough_repo *r, struct bough_repo__map *m)
{
    bough_mem_free(r->mem, m->segs, m->cap * sizeof *m->segs);
    *m = (struct bough_repo__map){0};
}

enum bough_err bough_repo__map_add(
    struct bough_repo *r, struct bough_repo__map *m, size_t dst, size_t src, size_t len)
{
    struct bough_repo__seg *last = m->n == 0 ? NULL : &m->segs[m->n - 1];
    void *segs = m->segs;
    size_t cap = m->cap;
    enum bough_err err;

    if (len == 0)
        return BOUGH_OK;
    if (last != NULL && last->dst + last->len == dst && last->src + last->len == src) {
        last->len += (uint32_t)len;
        return BOUGH_OK;
    }
    err = bough_mem_grow(r->mem, &segs, &cap, (size_t)m->n + 1, sizeof *m->segs);
    m->segs = (struct bough_repo__seg *)segs;
    m->cap = (uint32_t)cap;
    if (err)
        return err;
    m->segs[m->n++] =
        (struct bough_repo__seg){.dst = (uint32_t)dst, .src = (uint32_t)src, .len = (uint32_t)len};
    return BOUGH_OK;
}

/* Give back what was too much; that this fails is no loss. */
static void map_trim(struct bough_repo *r, struct bough_repo__map *m)
{
    void *segs =
        m->n == 0 || m->n == m->cap
            ? NULL
            : r->mem->resize(r->mem, m->segs, m->cap * sizeof *m->segs, m->n * sizeof *m->segs);

    if (segs == NULL)
        return;
    m->segs = (struct bough_repo__seg *)segs;
    m->cap = m->n;
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

static void chain_pop(struct bough_repo *r, struct bough_repo__chain *c)
{
    bough_repo__map_fini(r, &chain_top(c)->map);
    c->n--;
}

static void chain_free(struct bough_repo *r, struct bough_repo__chain *c)
{
    if (c == NULL)
        return;
    while (c->n > 0)
        chain_pop(r, c);
    bough_mem_free(r->mem, c->stack, c->cap * sizeof *c->stack);
    bough_mem_free(r->mem, c, sizeof *c);
}

static struct bough_repo__chain **chain_set(struct bough_repo *r, const struct bough_oid *id)
{
    size_t set = (size_t)bough_get64le(id->bytes) & (r->chains.sets - 1);

    return &r->chains.slots[set * BOUGH_REPO__CHAIN_WAYS];
}

/* Take the chain whose newest version is `id` out of the table, or NULL. */
static struct bough_repo__chain *chain_take(struct bough_repo *r, const struct bough_oid *id)
{
    struct bough_repo__chain **set;

    if (r->chains.losses != r->store->losses) {
        bough_repo__chains_drop(r);
        r->chains.losses = r->store->losses;
    }
    if (r->chains.slots == NULL || id == NULL)
        return NULL;
    set = chain_set(r, id);
    for (int i = 0; i < BOUGH_REPO__CHAIN_WAYS; i++) {
        struct bough_repo__chain *c = set[i];

        if (c != NULL && bough_oid_eq(&chain_top(c)->id, id)) {
            set[i] = NULL;
            r->chains.used -= c->cost;
            return c;
        }
    }
    return NULL;
}

/* Empty slots from the hand on until what is left is within the limit. */
static void chains_trim(struct bough_repo *r)
{
    struct bough_repo__chains *cs = &r->chains;

    while (cs->used > cs->limit) {
        struct bough_repo__chain **at = &cs->slots[cs->hand];

        cs->hand = (cs->hand + 1) & (cs->sets * BOUGH_REPO__CHAIN_WAYS - 1);
        if (*at != NULL) {
            cs->used -= (*at)->cost;
            chain_free(r, *at);
            *at = NULL;
        }
    }
}

/* Put a chain under its newest version, in place of the least used of its set. */
static void chain_keep(struct bough_repo *r, struct bough_repo__chain *c)
{
    struct bough_repo__chain **set = chain_set(r, &chain_top(c)->id), **at = set;

    for (int i = 1; i < BOUGH_REPO__CHAIN_WAYS && *at != NULL; i++) {
        if (set[i] == NULL || set[i]->used < (*at)->used)
            at = &set[i];
    }
    if (*at != NULL)
        r->chains.used -= (*at)->cost;
    chain_free(r, *at);
    c->cost = sizeof *c + c->cap * sizeof *c->stack;
    for (uint32_t i = 0; i < c->n; i++)
        c->cost += c->stack[i].map.cap * sizeof *c->stack[i].map.segs;
    c->used = ++r->chains.clock;
    *at = c;
    r->chains.used += c->cost;
    chains_trim(r);
}

void bough_repo__chains_drop(struct bough_repo *r)
{
    size_t n = r->chains.sets * BOUGH_REPO__CHAIN_WAYS;

    if (r->chains.slots == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        chain_free(r, r->chains.slots[i]);
    bough_mem_free(r->mem, r->chains.slots, n * sizeof *r->chains.slots);
    r->chains.slots = NULL;
    r->chains.used = 0;
}

/* ---- Putting ---- */

/* Room for one version more: two at a time, for most chains stay short. */
static bool chain_grow(struct bough_repo *r, struct bough_repo__chain *c)
{
    enum { STEP = 2 };
    size_t size = sizeof *c->stack;
    void *stack;

    if (c->n < c->cap)
        return true;
    stack = r->mem->resize(r->mem, c->stack, c->cap * size, (c->cap + STEP) * size);
    if (stack == NULL)
        return false;
    c->stack = (struct bough_repo__version *)stack;
    c->cap += STEP;
    return true;
}

/* A version on top; false without memory.  The map is taken. */
static bool chain_push(struct bough_repo *r, struct bough_repo__chain *c, uint32_t number,
    const struct bough_oid *id, size_t len, struct bough_repo__map *map)
{
    if (!chain_grow(r, c))
        return false;
    map_trim(r, map);
    c->stack[c->n++] = (struct bough_repo__version){
        .number = number, .id = *id, .len = (uint32_t)len, .map = *map};
    *map = (struct bough_repo__map){0};
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

/* Begin a chain with `id`; without memory there is none. */
static void chain_begin(struct bough_repo *r, const struct bough_oid *id, size_t len)
{
    struct bough_collect_progress p;
    struct bough_repo__map none = {0};
    struct bough_repo__chain *c = NULL;

    if (len <= UINT32_MAX && chains_make(&r->chains, r->mem))
        c = bough_mem_zalloc(r->mem, 1, sizeof *c);
    if (c == NULL || !chain_push(r, c, 0, id, len, &none)) {
        chain_free(r, c);
        return;
    }
    bough_store_collection(r->store, &p);
    c->collections = p.collections;
    c->during = p.phase != BOUGH_COLLECT_IDLE;
    chain_keep(r, c);
}

/* Pop down to the base of the next version; `map` then leads there. */
static enum bough_err chain_descend(
    struct bough_repo *r, struct bough_repo__chain *c, struct bough_repo__map *map)
{
    uint32_t number = chain_top(c)->number + 1;

    while (chain_top(c)->number != (number & (number - 1))) {
        struct bough_repo__map through = {0};
        enum bough_err err = map_compose(r, map, &chain_top(c)->map, &through);

        bough_repo__map_fini(r, map);
        *map = through;
        if (err)
            return err;
        chain_pop(r, c);
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
static enum bough_err chain_delta(struct bough_repo *r, struct bough_repo__chain *c,
    struct bough_txn *txn, struct bough_view body, struct bough_repo__map *map,
    struct bough_oid *id)
{
    uint32_t number = chain_top(c)->number + 1;
    struct bough_buf delta;
    enum bough_err err;

    if (number >= BOUGH_REPO__CHAIN_VERSIONS || !chain_stands(r, c) ||
        chain_descend(r, c, map) != BOUGH_OK || map_delta_len(map, body.len) > body.len / 4 ||
        body.len > UINT32_MAX)
        return BOUGH_ENOENT;
    bough_buf_init(&delta, r->mem);
    map_delta(map, chain_top(c)->len, body, &delta);
    err = delta.err ? BOUGH_ENOENT : BOUGH_OK;
    if (err == BOUGH_OK) {
        err = bough_oid_make(r->algo, BOUGH_TREE, body, id, &r->why);
        if (err == BOUGH_OK)
            err = bough_txn_put_delta(
                txn, BOUGH_TREE, id, &chain_top(c)->id, bough_buf_view(&delta), body);
    }
    bough_buf_fini(&delta);
    if (err == BOUGH_OK)
        (void)chain_push(r, c, number, id, body.len, map); /* else the caller sees another top */
    return err;
}

enum bough_err bough_repo__chain_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *old, struct bough_view body, struct bough_repo__map *map,
    struct bough_oid *id)
{
    struct bough_repo__chain *c = chain_take(r, old);
    enum bough_err err = BOUGH_ENOENT;

    if (c != NULL && body.len >= BOUGH_REPO__CHAIN_BODY_MIN)
        err = chain_delta(r, c, txn, body, map, id);
    bough_repo__map_fini(r, map);
    if (err == BOUGH_OK && bough_oid_eq(&chain_top(c)->id, id)) {
        chain_keep(r, c);
        return BOUGH_OK;
    }
    chain_free(r, c);
    if (err != BOUGH_ENOENT)
        return err;
    err = bough_txn_put(txn, BOUGH_TREE, body, id);
    if (err == BOUGH_OK && body.len >= BOUGH_REPO__CHAIN_BODY_MIN)
        chain_begin(r, id, body.len);
    return err;
}
