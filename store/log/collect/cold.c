/*
 * cold.c - packing anew: what lives is written as small as it gets.
 *
 *   batch     objects of the victims, as many as a segment takes, in an order in which alike ones
 *             stand together: by type, by the end of their name, the longest first
 *   window    the last few, each with an index of its bytes
 *   steps     one object against one of the window; then the best delta is written, or the whole;
 *             long ones by themselves (cold_long.c)
 *
 * A delta's base stands before it in the same segment, by its place; so nothing goes round, and
 * what was packed anew needs nothing else.
 */
#include "git/delta.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/shape_inner.h"

enum { PACKS = 4 }; /* an object takes a part of its size, more or less */
enum { WINDOW = 10, DEPTH_MAX = 50, LEVEL = 6 };
enum { TRY_COST = 2 };                      /* a byte looked for takes as long as so many read */
enum { OBJECT_MAX = BOUGH_LOG__WHOLE_MAX }; /* bytes; longer ones go through cold_long.c */

struct slot {
    struct bough_buf body;
    struct bough_delta_index index; /* when it is indexed */
    bool indexed;
    enum bough_type type;
    uint32_t segment, depth;
    uint64_t at; /* of its entry in the segment */
};

struct bough_log__cold {
    struct bough_log__cold_object *object;
    size_t n, cap;
    uint32_t *order;
    size_t next;
    bool packing;
    struct slot slot[WINDOW + 1]; /* the one being packed is at `now`, the others behind it */
    uint32_t now, tries;
    bool loaded; /* the one at `now` is being packed */
    const struct slot *base;
    struct bough_buf best, delta;
};

/* ---- Life ---- */

static void slot_clear(struct slot *s)
{
    if (s->indexed)
        bough_delta_index_fini(&s->index);
    s->indexed = false;
    s->type = BOUGH_NONE;
    bough_buf_clear(&s->body);
}

static void order_free(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;

    if (k->order != NULL)
        bough_mem_free(c->log->mem, k->order, k->cap * sizeof *k->order);
    k->order = NULL;
}

void bough_log__cold_fini(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    struct bough_mem *mem = c->log->mem;

    if (k == NULL)
        return;
    for (uint32_t i = 0; i <= WINDOW; i++) {
        slot_clear(&k->slot[i]);
        bough_buf_fini(&k->slot[i].body);
    }
    bough_buf_fini(&k->best);
    bough_buf_fini(&k->delta);
    order_free(c);
    bough_mem_free(mem, k->object, k->cap * sizeof *k->object);
    bough_mem_free(mem, k, sizeof *k);
    c->cold = NULL;
}

static enum bough_err cold_ready(struct bough_log__cycle *c)
{
    struct bough_mem *mem = c->log->mem;

    if (c->cold != NULL)
        return BOUGH_OK;
    c->cold = bough_mem_zalloc(mem, 1, sizeof *c->cold);
    if (c->cold == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i <= WINDOW; i++)
        bough_buf_init(&c->cold->slot[i].body, mem);
    bough_buf_init(&c->cold->best, mem);
    bough_buf_init(&c->cold->delta, mem);
    return BOUGH_OK;
}

/* ---- Batch ---- */

/* Long values that are no deltas are; what else is long stays as it came. */
static bool is_for_long(struct bough_log *l, uint64_t where, const struct bough_found *found)
{
    struct bough_log__entry e;

    return found->type == BOUGH_BLOB && found->size <= UINT32_MAX &&
           bough_log__entry_open(l, where, &e) == BOUGH_OK && !bough_entry_is_delta(e.head.type);
}

enum bough_err bough_log__cold_take(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where, uint64_t bit)
{
    struct bough_found found;
    enum bough_err err = bough_log__look(c->log, where, &found);
    struct bough_log__cold *k;
    void *ptr;

    if (!err && found.size > OBJECT_MAX)
        err = is_for_long(c->log, where, &found) ? BOUGH_OK : BOUGH_ENOTSUP;
    if (!err)
        err = cold_ready(c);
    if (err)
        return err;
    k = c->cold;
    ptr = k->object;
    err = bough_mem_grow(c->log->mem, &ptr, &k->cap, k->n + 1, sizeof *k->object);
    k->object = ptr;
    if (!err)
        k->object[k->n++] = (struct bough_log__cold_object){
            *id, where, c->names != NULL ? c->names[bit] : 0, (uint32_t)found.size, found.type};
    return err;
}

size_t bough_log__cold_waiting(const struct bough_log__cycle *c)
{
    return c->cold == NULL || c->cold->packing ? 0 : c->cold->n;
}

bool bough_log__cold_packing(const struct bough_log__cycle *c)
{
    return c->cold != NULL && c->cold->packing;
}

static bool before(const struct bough_log__cold_object *a, const struct bough_log__cold_object *b)
{
    if (a->type != b->type)
        return a->type < b->type;
    if (a->name != b->name)
        return a->name < b->name;
    if (a->size != b->size)
        return a->size > b->size;
    return a->where > b->where; /* the newest first */
}

/* A heap, for its bound and because it needs no memory. */
static void sift(const struct bough_log__cold *k, size_t at, size_t n)
{
    uint32_t x = k->order[at];

    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(&k->object[k->order[child]], &k->object[k->order[child + 1]]))
            child++;
        if (!before(&k->object[x], &k->object[k->order[child]]))
            break;
        k->order[at] = k->order[child];
    }
    k->order[at] = x;
}

enum bough_err bough_log__cold_begin(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;

    k->order = bough_mem_alloc(c->log->mem, k->cap * sizeof *k->order);
    if (k->order == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < k->n; i++)
        k->order[i] = (uint32_t)i;
    for (size_t i = k->n / 2; i > 0; i--)
        sift(k, i - 1, k->n);
    for (size_t i = k->n; i > 1; i--) {
        uint32_t x = k->order[0];
        k->order[0] = k->order[i - 1];
        k->order[i - 1] = x;
        sift(k, 0, i - 1);
    }
    k->next = 0;
    k->packing = true;
    return BOUGH_OK;
}

/* ---- Steps ---- */

static const struct bough_log__cold_object *object_now(const struct bough_log__cold *k)
{
    return &k->object[k->order[k->next]];
}

static enum bough_err object_load(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    struct slot *s;
    enum bough_err err = BOUGH_OK;

    k->now = (k->now + 1) % (WINDOW + 1);
    s = &k->slot[k->now];
    slot_clear(s);
    err = bough_log__body_read(c->log, object_now(k)->where, &s->type, &s->body);
    if (err == BOUGH_ECORRUPT) { /* it stays where it is */
        bough_log__harm_note(c, bough_log__where_segment(object_now(k)->where));
        slot_clear(s);
        k->next++;
        return BOUGH_OK;
    }
    c->effort += s->body.len;
    k->tries = 0;
    k->base = NULL;
    k->loaded = !err;
    return err;
}

/* So long may a delta on that base be; 0: do not try. */
static size_t room_for(const struct bough_log__cold *k, const struct slot *base)
{
    const struct slot *s = &k->slot[k->now];
    size_t most = s->body.len / 2, depth = k->base == NULL ? 0 : k->base->depth;

    if (k->base != NULL)
        most = k->best.len;
    else
        most = most > 20 ? most - 20 : 0;
    if (depth > base->depth) /* a base that is less deep may cost a little more */
        depth = base->depth;
    most = most * (DEPTH_MAX - base->depth) / (DEPTH_MAX - depth);
    if (s->body.len > base->body.len && s->body.len - base->body.len >= most)
        return 0;
    return most > 0 && s->body.len >= base->body.len / 32 ? most - (k->base != NULL) : 0;
}

static enum bough_err base_try(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    struct slot *s = &k->slot[k->now];
    struct slot *base = &k->slot[(k->now + WINDOW - k->tries++) % (WINDOW + 1)];
    struct bough_buf swap;
    size_t room;
    enum bough_err err;

    if (base->type != s->type || base->segment != c->seg.number || base->depth >= DEPTH_MAX ||
        base->body.len == 0)
        return BOUGH_OK;
    room = room_for(k, base);
    if (room == 0)
        return BOUGH_OK;
    c->effort += TRY_COST * s->body.len;
    if (!base->indexed) { /* a step of its own */
        err = bough_delta_index_init(&base->index, c->log->mem, bough_buf_view(&base->body));
        base->indexed = !err;
        k->tries--;
        return err;
    }
    bough_buf_clear(&k->delta);
    err = bough_delta_find(&base->index, bough_buf_view(&s->body), room, &k->delta);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    swap = k->best;
    k->best = k->delta;
    k->delta = swap;
    k->base = base;
    return BOUGH_OK;
}

static enum bough_err object_write(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    struct slot *s = &k->slot[k->now];
    struct bough_entry_head head = {.type = s->type, .size = s->body.len};
    struct bough_view body = bough_buf_view(&s->body);
    enum bough_err err;

    s->segment = c->seg.number;
    s->at = c->seg.run.len;
    s->depth = k->base == NULL ? 0 : k->base->depth + 1;
    if (k->base != NULL) {
        head = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .size = k->best.len};
        head.back = s->at - k->base->at;
        body = bough_buf_view(&k->best);
    }
    err = bough_log__entry_write(c, &object_now(k)->id, &head, body, LEVEL);
    k->loaded = false;
    k->next++;
    return err;
}

static enum bough_err long_begin(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    const struct bough_log__cold_object *o = object_now(k);
    const struct bough_log__cold_object *next = NULL;

    if (++k->next < k->n)
        next = object_now(k);
    return bough_log__long_begin(
        c, o, next != NULL && next->size > OBJECT_MAX && next->name == o->name);
}

enum bough_err bough_log__cold_step(struct bough_log__cycle *c)
{
    struct bough_log__cold *k = c->cold;
    enum bough_err err = BOUGH_OK;

    if (k->loaded)
        return k->tries < WINDOW ? base_try(c) : object_write(c);
    if (k->next == k->n) {
        order_free(c);
        k->n = 0;
        k->packing = false;
        return BOUGH_OK;
    }
    err = bough_log__segment_ready(c, object_now(k)->size / PACKS);
    if (err)
        return err;
    return object_now(k)->size > OBJECT_MAX ? long_begin(c) : object_load(c);
}
