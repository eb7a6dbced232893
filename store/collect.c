/*
 * collect.c - who keeps what: the keeper, pins, the boundary; asking for a collection.
 *
 * The collecting itself is the engine's.
 */
#include "store/collect.h"

#include "store/engine.h"
#include "store/inner.h"

/* ---- The keeper, pins ---- */

void bough_store_keep(struct bough_store *s, const struct bough_store_keeper *k)
{
    s->keeper = k;
    s->keeps++;
}

void bough_store_pin(struct bough_store *s, struct bough_store_pin *p, const struct bough_oid *id)
{
    *p = (struct bough_store_pin){.id = *id, .older = s->newest_pin};
    if (s->newest_pin != NULL)
        s->newest_pin->newer = p;
    else
        s->oldest_pin = p;
    s->newest_pin = p;
}

void bough_store_unpin(struct bough_store *s, struct bough_store_pin *p)
{
    if (p->newer == NULL && s->newest_pin != p)
        return; /* it is not in the list */
    if (p->newer != NULL)
        p->newer->older = p->older;
    else
        s->newest_pin = p->older;
    if (p->older != NULL)
        p->older->newer = p->newer;
    else
        s->oldest_pin = p->newer;
    p->newer = p->older = NULL;
}

/* ---- The boundary ---- */

struct bough_view bough_store__boundary_name(
    const struct bough_store *s, const struct bough_oid *id, char name[BOUGH_STORE__BOUNDARY_MAX])
{
    size_t prefix = sizeof BOUGH_BOUNDARY - 1;

    memcpy(name, BOUGH_BOUNDARY, prefix);
    return (struct bough_view){
        (const uint8_t *)name, prefix + bough_oid_hex(s->algo, id, name + prefix)};
}

bool bough_store__is_boundary(struct bough_view name)
{
    struct bough_view prefix = bough_view_str(BOUGH_BOUNDARY);

    return name.len >= prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

enum bough_err bough_store_boundary_next(
    struct bough_store *s, const struct bough_oid *after, struct bough_oid *out)
{
    struct bough_view prefix = bough_view_str(BOUGH_BOUNDARY);
    struct bough_ref ref;
    char name[BOUGH_STORE__BOUNDARY_MAX];
    enum bough_err err;

    if (s->boundary == BOUGH_BOUNDARY_NONE)
        return BOUGH_ENOENT;
    err = bough_store_ref_next(
        s, prefix, after == NULL ? prefix : bough_store__boundary_name(s, after, name), &ref);
    if (!err)
        *out = ref.id;
    if (after == NULL && (err == BOUGH_OK || err == BOUGH_ENOENT))
        s->boundary = err ? BOUGH_BOUNDARY_NONE : BOUGH_BOUNDARY_SOME;
    return err;
}

enum bough_err bough_store_boundary(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_ref ref;
    char name[BOUGH_STORE__BOUNDARY_MAX];

    if (s->boundary == BOUGH_BOUNDARY_UNKNOWN) {
        struct bough_oid first;
        enum bough_err err = bough_store_boundary_next(s, NULL, &first);
        if (err)
            return err;
    }
    if (s->boundary == BOUGH_BOUNDARY_NONE)
        return BOUGH_ENOENT;
    return bough_store_ref(s, bough_store__boundary_name(s, id, name), &ref);
}

enum bough_err bough_txn_boundary(struct bough_txn *t, const struct bough_oid *id, bool on)
{
    char name[BOUGH_STORE__BOUNDARY_MAX];
    struct bough_ref_change change = {
        .name = bough_store__boundary_name(t->store, id, name),
        .kind = on ? BOUGH_REF_ID : BOUGH_REF_NONE,
        .id = *id,
    };

    t->store->boundary_changing = true;
    t->store->boundaries++;
    return bough_txn_ref(t, &change);
}

/* ---- Collecting ---- */

enum bough_err bough_store_collect(struct bough_store *s, const struct bough_collect_opts *opts)
{
    enum bough_err err = s->cls->collect == NULL ? BOUGH_ENOTSUP : bough_store__may_write(s);

    if (err)
        return err;
    if (s->txn != NULL)
        return BOUGH_ENESTED;
    return s->cls->collect(s, opts);
}

void bough_store_collection(struct bough_store *s, struct bough_collect_progress *out)
{
    *out = (struct bough_collect_progress){.phase = BOUGH_COLLECT_IDLE};
    if (s->cls->collection != NULL)
        s->cls->collection(s, out);
}
