/*
 * mem_intake.c - the memory engine receives packs.
 *
 *   host       what store/intake.h asks for: a pack that grows, the store's objects
 *   settling   rows become objects of the quarantine
 *   view       the quarantine over the store
 *   intake     the methods; adoption
 *
 * A pack stays as it came: its objects are places in it, inflated when they
 * are read.  Only deltas against objects that the pack lacks are made whole,
 * so that chains do not grow from push to push.
 */
#include "store/engine.h"
#include "store/inner.h"
#include "store/intake_inner.h"
#include "store/mem_inner.h"

struct mem_intake {
    struct bough_intake in;
    struct bough_store__mem_store *m;
    struct bough_store__intake_host host;
    struct bough_store__intake *core;
    struct bough_store__mem_pack *pack;
    size_t known_rows;                       /* the store's when this began: it looks no further */
    struct bough_object *compared;           /* a known object, while its bytes are compared */
    struct bough_store__mem_objects objects; /* the quarantine */
    uint64_t settled;                        /* rows that have been looked at */
    struct bough_store view;
};

static struct mem_intake *intake_of(struct bough_intake *in)
{
    return (struct mem_intake *)in; /* in is the first field */
}

static struct mem_intake *host_of(struct bough_store__intake_host *host)
{
    return (struct mem_intake *)((char *)host - offsetof(struct mem_intake, host));
}

static struct mem_intake *view_of(struct bough_store *view)
{
    return (struct mem_intake *)((char *)view - offsetof(struct mem_intake, view));
}

static struct bough_mem *mem_of(const struct mem_intake *x)
{
    return x->m->store.env->mem;
}

static struct bough_store__mem_sight sight_of(const struct mem_intake *x)
{
    return (struct bough_store__mem_sight){
        .mem = mem_of(x),
        .algo = x->m->store.algo,
        .of = {&x->m->objects, &x->objects},
    };
}

/* ---- Host ---- */

static enum bough_err host_append(struct bough_store__intake_host *host, struct bough_view bytes)
{
    struct bough_buf *area = &host_of(host)->pack->bytes;

    bough_buf_put_view(area, bytes);
    return area->err;
}

static enum bough_err host_read(
    struct bough_store__intake_host *host, uint64_t at, uint8_t *dst, size_t n)
{
    const struct bough_buf *area = &host_of(host)->pack->bytes;

    BOUGH_ASSERT(at <= area->len && n <= area->len - at);
    memcpy(dst, area->ptr + at, n);
    return BOUGH_OK;
}

static const uint8_t *host_map(struct bough_store__intake_host *host, uint64_t at, size_t n)
{
    const struct bough_buf *area = &host_of(host)->pack->bytes;

    BOUGH_ASSERT(at <= area->len && n <= area->len - at);
    return area->ptr + at;
}

/* The store's object, as it was when the intake began. */
static struct bough_store__mem_object *known_object(
    const struct mem_intake *x, const struct bough_oid *id)
{
    struct bough_store__mem_object *o = bough_store__mem_objects_find(&x->m->objects, id);

    return o != NULL && o->row <= x->known_rows ? o : NULL;
}

static enum bough_err host_known(struct bough_store__intake_host *host, const struct bough_oid *id)
{
    return known_object(host_of(host), id) != NULL ? BOUGH_OK : BOUGH_ENOENT;
}

static enum bough_err host_compare(struct bough_store__intake_host *host,
    const struct bough_oid *id, const struct bough_found *found, uint64_t at,
    struct bough_view piece)
{
    struct mem_intake *x = host_of(host);

    if (at == 0) {
        struct bough_store__mem_object *o = known_object(x, id);
        struct bough_store__mem_sight sight = sight_of(x);
        enum bough_err err;

        bough_object_close(x->compared);
        x->compared = NULL;
        err = o == NULL ? BOUGH_EFORMAT : bough_store__mem_object_open(&sight, o, &x->compared);
        if (err)
            return err;
    }
    return bough_store__object_compare(&x->compared, found, at, piece);
}

static enum bough_err host_base(struct bough_store__intake_host *host, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct mem_intake *x = host_of(host);
    struct bough_store__mem_object *o = known_object(x, id);
    struct bough_store__mem_sight sight = sight_of(x);

    if (o == NULL)
        return BOUGH_ENOENT;
    *type = o->type;
    return bough_store__mem_object_read(&sight, o, out);
}

static const struct bough_store__intake_host_class host_class = {
    .append = host_append,
    .read = host_read,
    .map = host_map,
    .known = host_known,
    .compare = host_compare,
    .base = host_base,
};

/* ---- Settling ---- */

/* Is the entry a delta against an object that is not in this pack? */
static bool is_thin(const struct mem_intake *x, const struct bough_store__intake_row *row)
{
    const struct bough_buf *area = &x->pack->bytes;
    struct bough_entry_head head;
    uint64_t n;

    if (row->stored != BOUGH_REF_DELTA)
        return false;
    if (bough_entry_head_parse(x->m->store.algo, row->at,
            bough_view(area->ptr + row->at, area->len - (size_t)row->at), &head))
        return false; /* it was read before: cannot be */
    return bough_store__intake_find(x->core, &head.base, &n) == BOUGH_ENOENT;
}

static enum bough_err make_whole(
    struct mem_intake *x, struct bough_store__mem_object *o, struct bough_store__mem_object **out)
{
    struct bough_store__mem_sight sight = sight_of(x);
    struct bough_buf body;
    enum bough_err err;

    bough_buf_init(&body, mem_of(x));
    err = bough_store__mem_object_read(&sight, o, &body);
    if (!err) {
        *out = bough_store__mem_object_new(mem_of(x), &o->id, o->type, bough_buf_view(&body));
        err = *out != NULL ? BOUGH_OK : BOUGH_ENOMEM;
    }
    bough_buf_fini(&body);
    return err;
}

static enum bough_err settle_row(struct mem_intake *x, const struct bough_store__intake_row *row)
{
    struct bough_mem *mem = mem_of(x);
    struct bough_store__mem_object *o, *whole;
    enum bough_err err = bough_store__mem_objects_reserve(&x->objects, mem, 1);

    if (err)
        return err;
    o = bough_store__mem_object_new_packed(mem, row, x->pack);
    if (o == NULL)
        return BOUGH_ENOMEM;
    if (is_thin(x, row)) {
        err = make_whole(x, o, &whole);
        bough_store__mem_object_drop(mem, o);
        if (err)
            return err;
        o = whole;
    }
    bough_store__mem_objects_add(&x->objects, mem, o);
    return BOUGH_OK;
}

enum { ROW_COST = 64 }; /* of a budget in inflated bytes */

static enum bough_err settle(struct mem_intake *x, uint64_t budget)
{
    uint64_t spent = 0;

    for (; x->settled < x->in.count; x->settled++) {
        struct bough_store__intake_row row = bough_store__intake_row(x->core, x->settled);
        enum bough_err err;

        if (spent > budget)
            return BOUGH_EAGAIN;
        spent += ROW_COST;
        if (row.known)
            continue;
        err = settle_row(x, &row);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* ---- View ---- */

static enum bough_err view_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_store__mem_sight sight = sight_of(view_of(s));
    enum bough_err err = bough_store__mem_find(&sight, id, out);

    out->where = 0;
    return err;
}

static enum bough_err view_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_store__mem_sight sight = sight_of(view_of(s));
    const struct bough_store__mem_object *o = bough_store__mem_see(&sight, id);

    (void)where;
    if (o == NULL)
        return BOUGH_ENOENT;
    if (o->size > s->object_max)
        return BOUGH_ETOOBIG;
    *type = o->type;
    return bough_store__mem_object_read(&sight, o, out);
}

static enum bough_err view_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_store__mem_sight sight = sight_of(view_of(s));
    struct bough_store__mem_object *o = bough_store__mem_see(&sight, id);

    return o == NULL ? BOUGH_ENOENT : bough_store__mem_object_open(&sight, o, out);
}

static enum bough_err view_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct mem_intake *x = view_of(s);
    enum bough_err err = bough_store__mem_each(&x->m->objects, fn, ctx);

    /* One that another intake brought meanwhile is in both. */
    for (size_t i = 0; i < x->objects.rows.n && !err; i++) {
        const struct bough_store__mem_object *o = x->objects.rows.ptr[i];
        struct bough_found found = {.type = o->type, .size = o->size};
        if (bough_store__mem_objects_find(&x->m->objects, &o->id) == NULL)
            err = fn(ctx, &o->id, &found);
    }
    return err;
}

static enum bough_err view_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    return bough_store_ref(&view_of(s)->m->store, name, out);
}

static enum bough_err view_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    return bough_store_ref_next(&view_of(s)->m->store, prefix, after, out);
}

static enum bough_err view_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    return bough_store_records(&view_of(s)->m->store, fn, ctx);
}

static void view_close(struct bough_store *s)
{
    (void)s; /* it goes with its intake */
}

static const struct bough_store_class view_class = {
    .name = "mem intake",
    .close = view_close,
    .find = view_find,
    .read = view_read,
    .object_open = view_object_open,
    .each = view_each,
    .ref = view_ref,
    .ref_next = view_ref_next,
    .records = view_records,
};

/* ---- Intake ---- */

static enum bough_err intake_feed(struct bough_intake *in, struct bough_view bytes, size_t *used)
{
    struct mem_intake *x = intake_of(in);
    enum bough_err err = bough_store__intake_feed(x->core, bytes, used);

    bough_store__intake_tell(x->core, &x->in);
    return err;
}

static enum bough_err intake_step(struct bough_intake *in, uint64_t budget)
{
    struct mem_intake *x = intake_of(in);
    enum bough_err err = BOUGH_OK;

    if (!bough_store__intake_facts(x->core).done)
        err = bough_store__intake_step(x->core, budget);
    bough_store__intake_tell(x->core, &x->in);
    return err ? err : settle(x, budget);
}

static struct bough_store *intake_view(struct bough_intake *in)
{
    return &intake_of(in)->view;
}

static enum bough_err intake_ordinal(
    struct bough_intake *in, const struct bough_oid *id, uint64_t *out)
{
    return bough_store__intake_find(intake_of(in)->core, id, out);
}

static void intake_close(struct bough_intake *in)
{
    struct mem_intake *x = intake_of(in);
    struct bough_mem *mem = mem_of(x);

    x->m->intakes--;
    bough_object_close(x->compared);
    bough_store__intake_close(x->core);
    bough_store__mem_objects_fini(&x->objects, mem);
    bough_store__mem_pack_drop(x->pack);
    bough_mem_free(mem, x, sizeof *x);
}

static const struct bough_intake_class intake_class = {
    .feed = intake_feed,
    .step = intake_step,
    .view = intake_view,
    .ordinal = intake_ordinal,
    .close = intake_close,
};

enum bough_err bough_store__mem_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out)
{
    struct mem_intake *x = bough_mem_zalloc(s->env->mem, 1, sizeof *x);
    enum bough_err err = BOUGH_ENOMEM;

    if (x == NULL)
        return BOUGH_ENOMEM;
    x->in = (struct bough_intake){.cls = &intake_class, .store = s};
    x->m = (struct bough_store__mem_store *)s;
    x->m->intakes++;
    x->host.cls = &host_class;
    x->known_rows = x->m->objects.rows.n;
    x->objects.key = x->m->objects.key;
    x->view = (struct bough_store){
        .cls = &view_class,
        .env = s->env,
        .caps = BOUGH_STORE_RECORDS,
        .algo = s->algo,
        .read_only = true,
        .object_max = s->object_max,
    };
    x->pack = bough_store__mem_pack_new(s->env->mem);
    if (x->pack != NULL)
        err = bough_store__intake_open(
            &x->core, s->env->mem, s->algo, &x->host, opts, false, &s->why);
    if (err) {
        intake_close(&x->in);
        return err;
    }
    *out = &x->in;
    return BOUGH_OK;
}

enum bough_err bough_store__mem_intake_adopt(
    struct bough_intake *in, struct bough_store__mem_objects *to)
{
    struct mem_intake *x = intake_of(in);
    struct bough_mem *mem = mem_of(x);
    enum bough_err err = bough_store__mem_objects_reserve(to, mem, x->objects.rows.n);

    if (!err)
        bough_store__mem_objects_move(to, mem, &x->objects);
    intake_close(in);
    return err;
}
