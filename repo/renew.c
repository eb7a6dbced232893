/*
 * renew.c - a decoded tree becomes its next version, without being decoded again.
 *
 *   patching    values replaced in place: only ids (and modes) change, nothing moves
 *   splicing    entries come and go: runs of the old entries are copied around them
 *   slots       the table of names follows the entries that moved
 *
 * Only a node that nobody but its directory pins is renewed; it then stands under the new id.
 * A patch is a swap: done twice it leaves the node as it was.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/write_inner.h"

/* ---- Patching ---- */

/* The text of a mode, as it stands in an entry. */
static uint32_t mode_text(enum bough_repo__mode m, uint8_t dst[8])
{
    uint32_t mode = bough_repo__mode_of(m), n = m == BOUGH_REPO__DIR ? 5 : 6;

    for (uint32_t i = n; i-- > 0; mode >>= 3)
        dst[i] = (uint8_t)('0' + (mode & 7));
    return n;
}

static size_t ent_mode_len(const struct bough_repo *r, const struct bough_repo__node *n, uint32_t i)
{
    return n->ents[i].at - 1 - bough_repo__node_at(r, n, i);
}

bool bough_repo__node_patchable(const struct bough_repo *r, const struct bough_repo__node *n,
    const struct bough_repo__splices *sp)
{
    uint8_t text[8];

    if (n == NULL || n->pins != 1)
        return false;
    for (size_t i = 0; i < sp->n; i++) {
        const struct bough_repo__splice *s = &sp->splices[i];

        if (s->drop != 1 || s->put == NULL ||
            ent_mode_len(r, n, s->pos) != mode_text(s->put->to.mode, text))
            return false;
    }
    return sp->n > 0;
}

void bough_repo__patch_init(struct bough_repo__patch *p, const struct bough_repo__splice *s)
{
    const struct bough_repo__change *to = &s->put->to;

    p->at = s->pos;
    p->mode_len = mode_text(to->mode, p->mode);
    p->class = to->mode;
    p->id = to->dir != NULL ? to->dir->now : to->id;
    p->where = 0;
}

void bough_repo__node_patch(
    const struct bough_repo *r, struct bough_repo__node *n, struct bough_repo__patch *p)
{
    struct bough_repo__ent *e = &n->ents[p->at];
    uint8_t *mode = n->raw.ptr + e->at - 1 - p->mode_len, old_mode[8];
    uint8_t *id = n->raw.ptr + e->at + (e->len_mode >> 3) + 1;
    struct bough_oid old_id = bough_repo__node_id(r, n, p->at);
    enum bough_repo__mode class = bough_repo__node_mode(n, p->at);
    uint64_t where = bough_repo__node_where(n, p->at);

    memcpy(old_mode, mode, p->mode_len);
    memcpy(mode, p->mode, p->mode_len);
    memcpy(p->mode, old_mode, p->mode_len);
    memcpy(id, p->id.bytes, r->hash_len);
    p->id = old_id;
    e->len_mode = (e->len_mode & ~(uint32_t)7) | (uint32_t)p->class;
    p->class = class;
    if (n->where != NULL)
        n->where[p->at] = p->where;
    p->where = where;
}

/* ---- Slots ---- */

enum { CELL = 64 }; /* entries for which one step of the shifts is looked up */

/* How far old entries moved: `by[k]` from old entry `from[k]` on. */
struct shifts {
    uint32_t *from, *by, *cell; /* cell c: the first k with from[k] > c * CELL, or n */
    size_t n, cells, size;      /* bytes in all */
};

static void shifts_fini(struct bough_repo *r, struct shifts *s)
{
    bough_mem_free(r->mem, s->from, s->size);
}

static bool shifts_init(struct bough_repo *r, struct shifts *s, const struct bough_repo__node *n,
    const struct bough_repo__splices *sp)
{
    uint32_t by = 0;
    size_t k = 0;

    s->cells = n->n / CELL + 1;
    s->size = (2 * sp->n + s->cells) * sizeof(uint32_t);
    s->from = bough_mem_alloc(r->mem, s->size);
    if (s->from == NULL)
        return false;
    s->by = s->from + sp->n;
    s->cell = s->by + sp->n;
    s->n = 0;
    for (size_t i = 0; i < sp->n; i++) {
        const struct bough_repo__splice *x = &sp->splices[sp->order[i]];

        if (x->drop == 0) {
            s->from[s->n] = x->pos;
            s->by[s->n++] = ++by;
        }
    }
    for (size_t c = 0; c < s->cells; c++) {
        while (k < s->n && s->from[k] <= c * CELL)
            k++;
        s->cell[c] = (uint32_t)k;
    }
    return true;
}

static uint32_t shifted(const struct shifts *s, uint32_t i)
{
    size_t k = s->cell[i / CELL];

    while (k < s->n && s->from[k] <= i)
        k++;
    return k == 0 ? i : i + s->by[k - 1];
}

/* Renumber; new entries are added by the caller.  False: the table is to be made anew. */
static bool slots_follow(struct bough_repo *r, struct bough_repo__node *n, uint32_t entries,
    const struct bough_repo__splices *sp)
{
    uint32_t mask = n->slots_n - 1;
    struct shifts s;

    if (n->slots == NULL || entries > n->slots_n / 2)
        return false;
    for (size_t i = 0; i < sp->n; i++) {
        if (sp->splices[i].put == NULL) /* an entry goes */
            return false;
    }
    if (!shifts_init(r, &s, n, sp))
        return false;
    for (uint32_t k = 0; k < n->slots_n; k++) {
        if (n->slots[k] != 0)
            n->slots[k] = (n->slots[k] & ~mask) | (shifted(&s, (n->slots[k] & mask) - 1) + 1);
    }
    shifts_fini(r, &s);
    return true;
}

/* ---- Splicing ---- */

/* The entries of the new body, as they are made. */
struct renewal {
    struct bough_repo *r;
    struct bough_repo__node *n;
    struct bough_repo__ent *ents;
    uint32_t count;
    size_t at; /* in the new body */
};

/* Old entries [from, to) come along. */
static void renew_run(struct renewal *w, uint32_t from, uint32_t to)
{
    size_t start = bough_repo__node_at(w->r, w->n, from);
    uint32_t by = (uint32_t)(w->at - start); /* goes round where they move down */

    for (uint32_t i = from; i < to; i++) {
        w->ents[w->count] = w->n->ents[i];
        w->ents[w->count++].at += by;
    }
    w->at += bough_repo__node_at(w->r, w->n, to) - start;
}

static void renew_put(struct renewal *w, const struct bough_repo__edit *e)
{
    uint8_t text[8];

    w->at += mode_text(e->to.mode, text) + 1;
    w->ents[w->count++] = (struct bough_repo__ent){
        .at = (uint32_t)w->at, .len_mode = e->name_len << 3 | (uint32_t)e->to.mode};
    w->at += e->name_len + 1 + w->r->hash_len;
}

/* Names stay in byte order where something came: only its neighbours must be looked at. */
static bool renew_ordered(const struct renewal *w, struct bough_view body, uint32_t i)
{
    const struct bough_repo__ent *e = w->ents + i;
    struct bough_view name = bough_view(body.ptr + e->at, e->len_mode >> 3);

    if (i > 0 && bough_view_cmp(bough_view(body.ptr + e[-1].at, e[-1].len_mode >> 3), name) >= 0)
        return false;
    return i + 1 == w->count ||
           bough_view_cmp(name, bough_view(body.ptr + e[1].at, e[1].len_mode >> 3)) < 0;
}

static bool renew_ents(
    struct renewal *w, const struct bough_repo__splices *sp, struct bough_view body)
{
    uint32_t at = 0, puts = 0, drops = 0;

    for (size_t i = 0; i < sp->n; i++) {
        const struct bough_repo__splice *s = &sp->splices[sp->order[i]];

        renew_run(w, at, s->pos);
        if (s->put != NULL)
            renew_put(w, s->put);
        at = s->pos + s->drop;
    }
    renew_run(w, at, w->n->n);
    BOUGH_ASSERT(w->at == body.len);
    for (size_t i = 0; i < sp->n; i++) {
        const struct bough_repo__splice *s = &sp->splices[sp->order[i]];

        if (s->put != NULL && !renew_ordered(w, body, s->pos + puts - drops))
            return false;
        puts += s->put != NULL;
        drops += s->drop;
    }
    return true;
}

/* The names that came, into a table that followed. */
static void slots_add(
    struct bough_repo *r, struct bough_repo__node *n, const struct bough_repo__splices *sp)
{
    uint32_t came = 0;

    for (size_t i = 0; i < sp->n; i++) {
        const struct bough_repo__splice *s = &sp->splices[sp->order[i]];

        if (s->drop == 0)
            bough_repo__node_slot(r, n, s->pos + came++);
    }
}

bool bough_repo__node_renew(struct bough_repo *r, struct bough_repo__node *n,
    const struct bough_repo__splices *sp, struct bough_buf *body)
{
    struct renewal w = {.r = r, .n = n};
    uint32_t count = n == NULL ? 0 : n->n;
    bool follow;

    if (n == NULL || n->pins != 1 || n->order != NULL || n->n == 0 || body->len > UINT32_MAX / 8)
        return false;
    for (size_t i = 0; i < sp->n; i++)
        count += (sp->splices[i].put != NULL) - sp->splices[i].drop;
    w.ents = count == 0 ? NULL : bough_mem_alloc(r->mem, count * sizeof *w.ents);
    if (w.ents == NULL)
        return false;
    if (!renew_ents(&w, sp, bough_buf_view(body))) {
        bough_mem_free(r->mem, w.ents, count * sizeof *w.ents);
        return false;
    }
    follow = slots_follow(r, n, count, sp);
    bough_repo__node_strip(r, n, follow);
    n->ents = w.ents;
    n->ents_cap = n->n = count;
    n->raw = *body;
    bough_buf_init(body, r->mem);
    if (follow)
        slots_add(r, n, sp);
    return true;
}
