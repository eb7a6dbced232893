/*
 * part.c - objects in parts.
 *
 *   whole objects  a handle on a body in memory, for engines that have none
 *   handles        opened, read, closed
 *   parts          read_part() over a few handles that stay open
 *   get            the engine's quick way, or find and read
 */
#include "store/engine.h"
#include "store/inner.h"

/* ---- Whole objects ---- */

struct whole {
    struct bough_object object;
    struct bough_mem *mem;
    struct bough_buf body;
};

static enum bough_err whole_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct whole *w = (struct whole *)o; /* object is the first field */

    memcpy(dst, w->body.ptr + at, n);
    *got = n;
    return BOUGH_OK;
}

static void whole_close(struct bough_object *o)
{
    struct whole *w = (struct whole *)o;

    bough_buf_fini(&w->body);
    bough_mem_free(w->mem, w, sizeof *w);
}

static const struct bough_object_class whole_class = {.read = whole_read, .close = whole_close};

enum bough_err bough_store__whole_open(
    struct bough_mem *mem, enum bough_type type, struct bough_buf *body, struct bough_object **out)
{
    struct whole *w = bough_mem_zalloc(mem, 1, sizeof *w);

    if (w == NULL) {
        bough_buf_fini(body);
        return BOUGH_ENOMEM;
    }
    w->object = (struct bough_object){&whole_class, type, body->len, false, 0};
    w->mem = mem;
    w->body = *body;
    *out = &w->object;
    return BOUGH_OK;
}

/* ---- Handles ---- */

/* What an engine without handles gives, and what the empty tree is. */
static enum bough_err open_whole(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&body, s->env->mem);
    err = bough_store_read(s, id, &type, &body);
    if (err) {
        bough_buf_fini(&body);
        return err;
    }
    return bough_store__whole_open(s->env->mem, type, &body, out);
}

enum bough_err bough_store_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    enum bough_err err;

    *out = NULL;
    if (s->cls->object_open == NULL)
        return open_whole(s, id, out);
    err = s->cls->object_open(s, id, out);
    if (err == BOUGH_ENOENT && bough_store__is_empty_tree(s, id))
        return open_whole(s, id, out);
    return err;
}

enum bough_err bough_object_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    uint8_t *p = dst;
    size_t done = 0;

    BOUGH_ASSERT(dst != NULL || n == 0);
    *got = 0;
    if (at >= o->size)
        return BOUGH_OK;
    if (n > o->size - at)
        n = (size_t)(o->size - at);
    while (done < n) {
        size_t k = 0;
        enum bough_err err = o->cls->read(o, at + done, p + done, n - done, &k);
        if (err)
            return err;
        BOUGH_ASSERT(k > 0 && k <= n - done);
        done += k;
    }
    *got = n;
    return BOUGH_OK;
}

void bough_object_close(struct bough_object *o)
{
    if (o != NULL)
        o->cls->close(o);
}

/* ---- Parts ---- */

static void part_drop(struct bough_store *s, size_t i)
{
    bough_object_close(s->parts[i].object);
    s->parts[i].object = NULL;
}

void bough_store__parts_drop(struct bough_store *s)
{
    for (size_t i = 0; i < BOUGH_STORE_PARTS; i++)
        part_drop(s, i);
}

/* The slot that holds `id` open, else the one to use for it: a free one or the oldest. */
static size_t part_slot(const struct bough_store *s, const struct bough_oid *id)
{
    size_t best = 0;

    for (size_t i = 0; i < BOUGH_STORE_PARTS; i++) {
        if (s->parts[i].object != NULL && bough_oid_eq(&s->parts[i].id, id))
            return i;
        if (s->parts[best].object == NULL)
            continue;
        if (s->parts[i].object == NULL || s->parts[i].used < s->parts[best].used)
            best = i;
    }
    return best;
}

/* Make slot `i` hold `id` open. */
static enum bough_err part_open(struct bough_store *s, const struct bough_oid *id, size_t i)
{
    struct bough_object *o = s->parts[i].object;
    enum bough_err err;

    if (o == NULL || !bough_oid_eq(&s->parts[i].id, id)) {
        part_drop(s, i);
        err = bough_store_object_open(s, id, &o);
        if (err)
            return err;
        s->parts[i].object = o;
        s->parts[i].id = *id;
    }
    s->parts[i].used = ++s->parts_clock;
    return BOUGH_OK;
}

enum bough_err bough_store_object_lend(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    size_t i = part_slot(s, id);
    enum bough_err err = part_open(s, id, i);

    *out = err ? NULL : s->parts[i].object;
    return err;
}

enum bough_err bough_store_read_part(struct bough_store *s, const struct bough_oid *id, uint64_t at,
    void *dst, size_t n, size_t *got)
{
    size_t i = part_slot(s, id);
    struct bough_object *o;
    enum bough_err err = part_open(s, id, i);

    *got = 0;
    if (err)
        return err;
    o = s->parts[i].object;
    err = bough_object_read(o, at, dst, n, got);
    if (err || at >= o->size || *got == o->size - at)
        part_drop(s, i); /* read to its end: nobody comes back soon */
    return err;
}

/* ---- Get ---- */

/* A part of a large object, or of any where an engine has no quick way. */
static enum bough_err get_part(struct bough_store *s, const struct bough_oid *id,
    const struct bough_get *g, struct bough_buf *out)
{
    uint64_t n = g->n < g->size - g->at ? g->n : g->size - g->at;
    size_t got;
    uint8_t *dst;
    enum bough_err err;

    if (n > s->object_max || n > SIZE_MAX / 2)
        return BOUGH_WHY(&s->why, BOUGH_ETOOBIG, "object_max", NULL, 0);
    dst = bough_buf_room(out, (size_t)n);
    if (dst == NULL)
        return out->err;
    err = bough_store_read_part(s, id, g->at, dst, (size_t)n, &got);
    if (!err && got != n)
        return bough_store__fail_id(s, BOUGH_ECORRUPT, "an object ends before its size", id);
    out->len += err ? 0 : (size_t)n;
    return err;
}

void bough_store_soon(struct bough_store *s, uint64_t where)
{
    if (s->cls->soon != NULL)
        s->cls->soon(s, where);
}

enum bough_err bough_store_get(
    struct bough_store *s, const struct bough_oid *id, struct bough_get *get, struct bough_buf *out)
{
    struct bough_found found;
    enum bough_err err = BOUGH_ENOTSUP;

    if (out->err)
        return out->err;
    if (s->cls->get != NULL) {
        size_t len = out->len;
        err = s->cls->get(s, id, get, out);
        if (err)
            out->len = len;
        if (err && err != BOUGH_ENOTSUP && err != BOUGH_ENOENT)
            return bough_store__fail_id(s, err, "an object could not be read", id);
    }
    if (!err)
        return BOUGH_OK;
    err = bough_store_find(s, id, &found);
    if (err)
        return err;
    get->where = found.where;
    get->size = found.size;
    get->type = found.type;
    if (get->at >= get->size || get->n == 0 || (get->all && get->n < get->size))
        return BOUGH_OK;
    if (get->at == 0 && get->n >= get->size)
        return bough_store_read_where(s, get->where, id, NULL, out);
    return get_part(s, id, get, out);
}
