/*
 * view.c - the objects of an intake over those of the store, for checks before adoption.
 *
 * Each call looks through the quarantined segment for as long as it lasts:
 * locators in it have the segment number 0, which leads there.
 */
#include "store/engine.h"
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/intake_inner.h"
#include "store/log/read_inner.h"

static struct bough_log__intake *view_of(struct bough_store *view)
{
    return (struct bough_log__intake *)((char *)view - offsetof(struct bough_log__intake, view));
}

static struct bough_store *look(struct bough_store *view)
{
    struct bough_log__intake *x = view_of(view);

    if (x->log->looked != &x->seg)
        bough_log__bodies_drop_quarantined(x->log);
    x->log->looked = &x->seg;
    x->log->through = &x->seg;
    return &x->log->store;
}

static enum bough_err looked(struct bough_store *view, enum bough_err err)
{
    view_of(view)->log->through = NULL;
    return err;
}

static enum bough_err view_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    enum bough_err err = looked(s, bough_log__find(look(s), id, out));

    out->where = 0;
    return err;
}

static enum bough_err view_has(struct bough_store *s, const struct bough_oid *id)
{
    return looked(s, bough_log__has(look(s), id));
}

static enum bough_err view_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    (void)where;
    return looked(s, bough_log__read_object(look(s), 0, id, type, out));
}

static enum bough_err view_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    return looked(s, bough_log__object_open(look(s), id, out));
}

static enum bough_err view_entry(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out)
{
    return looked(s, bough_log__entry_of(look(s), id, out));
}

static enum bough_err view_entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n)
{
    return looked(s, bough_log__entry_read(look(s), e, at, dst, n));
}

/* What the walk of the store calls has the view in sight already. */
static enum bough_err view_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    return looked(s, bough_log__each(look(s), fn, ctx));
}

static enum bough_err view_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    return bough_store_ref(&view_of(s)->log->store, name, out);
}

static enum bough_err view_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    return bough_store_ref_next(&view_of(s)->log->store, prefix, after, out);
}

static enum bough_err view_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    return bough_store_records(&view_of(s)->log->store, fn, ctx);
}

static void view_close(struct bough_store *s)
{
    (void)s; /* it goes with its intake */
}

static const struct bough_store_class view_class = {
    .name = "log intake",
    .close = view_close,
    .find = view_find,
    .has = view_has,
    .read = view_read,
    .object_open = view_object_open,
    .entry = view_entry,
    .entry_read = view_entry_read,
    .each = view_each,
    .ref = view_ref,
    .ref_next = view_ref_next,
    .records = view_records,
};

void bough_log__view_init(struct bough_log__intake *x)
{
    const struct bough_store *s = &x->log->store;

    x->view = (struct bough_store){
        .cls = &view_class,
        .env = s->env,
        .caps = BOUGH_STORE_RECORDS | BOUGH_STORE_PACKED,
        .algo = s->algo,
        .read_only = true,
        .object_max = s->object_max,
    };
}

void bough_log__view_end(struct bough_log__intake *x)
{
    if (x->log->looked != &x->seg)
        return;
    bough_log__bodies_drop_quarantined(x->log);
    x->log->looked = NULL;
}
