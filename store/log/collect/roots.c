/*
 * roots.c - where marking begins.
 *
 *   refs      one at a time; those that keep less than all come when the others are done
 *   others    the keeper's ids, pins
 *   grace     all that is younger than the grace period; when all is packed anew it is noted what
 *             nothing else reaches, for that is not: it keeps its place in the order of time (cold.c)
 *   held      when all that can be read was followed: what damage holds (hold.c)
 *
 * Refs change meanwhile: whatever a change says is in the log after the cut (since.c).  When the keeper
 * says something else of them, they are all asked for again.
 */
#include "store/inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/zone_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"

static const struct bough_store_keeper *keeper_of(const struct bough_log__cycle *c)
{
    return c->log->store.keeper;
}

/* ---- Refs ---- */

/* Limited ones come after the others: what they have in common is kept whole then. */
static enum bough_err ref_mark(
    struct bough_log__cycle *c, const struct bough_ref *ref, bool limited)
{
    const struct bough_store_keeper *k = keeper_of(c);
    struct bough_retention keep = {0, 0};
    enum bough_err err = BOUGH_OK;

    if (k != NULL && k->retention != NULL)
        err = k->retention(k->ctx, ref, &keep);
    if (err)
        return err;
    if (keep.commits == 0 && keep.since == 0) /* it may have been less when the others were told */
        return bough_log__mark_whole(c, &ref->id, BOUGH_NONE);
    c->limited = true;
    return limited ? bough_log__limit_root(c, ref, &keep) : BOUGH_OK;
}

enum bough_err bough_log__ref_root(struct bough_log__cycle *c, const struct bough_ref *ref)
{
    return c->packs ? BOUGH_OK : ref_mark(c, ref, true);
}

/* The next ref.  BOUGH_ENOENT: that was all. */
static enum bough_err refs_step(struct bough_log__cycle *c, bool limited)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_log__ref_value v;
    enum bough_err err =
        bough_log__ref_seek(c->log, bough_view(c->ref_name, c->ref_len), true, 0, &v);

    if (err) {
        c->ref_len = 0;
        return err;
    }
    memcpy(name, v.ref.name.ptr, v.ref.name.len);
    v.ref.name.ptr = name; /* what is lent does not outlive the calls below */
    memcpy(c->ref_name, name, v.ref.name.len);
    c->ref_len = v.ref.name.len;
    v.ref.target = bough_view(NULL, 0);
    if (v.ref.kind != BOUGH_REF_ID || bough_store__is_boundary(v.ref.name))
        return BOUGH_OK;
    return ref_mark(c, &v.ref, limited);
}

/* ---- The keeper, pins ---- */

static enum bough_err keeper_emit(void *to, const struct bough_oid *id)
{
    return bough_log__mark_whole(to, id, BOUGH_NONE);
}

enum bough_err bough_log__roots_again(struct bough_log__cycle *c)
{
    const struct bough_store_keeper *k = keeper_of(c);
    enum bough_err err = BOUGH_OK;

    if (c->packs)
        return BOUGH_OK; /* all lives */
    if (k != NULL && k->roots != NULL)
        err = k->roots(k->ctx, keeper_emit, c);
    else if (k == NULL && c->log->records.n > 0)
        err = BOUGH_ENOTSUP; /* nobody can say what they mention */
    for (struct bough_store_pin *p = c->log->store.oldest_pin; p != NULL && !err; p = p->newer)
        err = bough_log__mark_whole(c, &p->id, BOUGH_NONE);
    return err;
}

void bough_log__refs_again(struct bough_log__cycle *c)
{
    c->again = !c->packs && c->keeps != c->log->store.keeps;
    c->keeps = c->log->store.keeps;
    c->ref_len = 0;
}

enum bough_err bough_log__refs_again_step(struct bough_log__cycle *c)
{
    enum bough_err err = c->again ? refs_step(c, true) : BOUGH_ENOENT;

    c->again = c->again && err != BOUGH_ENOENT;
    return err;
}

/* ---- Grace ---- */

static enum bough_err grace_step(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    struct bough_log__found_entry e;
    enum bough_err err;

    while (c->entries.number == 0) {
        const struct bough_log__segment *seg = c->at < l->segments ? &l->segment[c->at] : NULL;

        if (seg == NULL || seg->number >= c->first_young)
            return BOUGH_ENOENT;
        if (bough_log__births_latest(l, seg->number) >= c->young_from)
            bough_log__entries_begin(&c->entries, seg->number);
        c->at++;
    }
    err = bough_log__entries_next(&c->entries, &e);
    if (err == BOUGH_ENOENT || err == BOUGH_ECORRUPT) { /* behind damage nobody can tell */
        c->entries.number = 0;
        return BOUGH_OK;
    }
    if (err || !bough_log__is_young(c, bough_log__where(c->entries.number, e.at)))
        return err;
    return bough_log__mark(c, &e.id, BOUGH_NONE);
}

/* ---- All of them, in order ---- */

enum { REFS, OTHERS, REACHED, GRACE, GRACED, LIMITED, TREES, HELD };

static enum bough_err root_step(struct bough_log__cycle *c)
{
    enum bough_err err;

    switch (c->root_step) {
    case REFS:
        return refs_step(c, false);
    case OTHERS:
        (void)(c->root_step++);
        return bough_log__roots_again(c);
    case REACHED: /* what is found behind this lives by grace alone */
        err = c->graced != NULL ? bough_log__mark_step(c, true) : BOUGH_ENOENT;
        c->gracing = c->graced != NULL && err == BOUGH_ENOENT;
        return err;
    case GRACE:
        return grace_step(c);
    case GRACED:
        err = c->gracing ? bough_log__mark_step(c, true) : BOUGH_ENOENT;
        c->gracing = c->gracing && err != BOUGH_ENOENT;
        return err;
    case LIMITED:
        err = bough_log__limit_step(c);
        return err != BOUGH_ENOENT ? err : c->limited ? refs_step(c, true) : BOUGH_ENOENT;
    case TREES:
        return bough_log__mark_step(c, true);
    default:
        return bough_log__hold_step(c);
    }
}

void bough_log__mark_all(struct bough_log__cycle *c)
{
    memset(c->bits, 0xff, c->bits_len);
    c->marked = c->rows;
    c->root_step = HELD;
}

enum bough_err bough_log__roots_step(struct bough_log__cycle *c)
{
    enum bough_err err = bough_log__mark_step(c, false);

    if (err != BOUGH_ENOENT)
        return err;
    err = root_step(c);
    if (err != BOUGH_ENOENT || c->root_step == HELD)
        return err;
    c->at = 0;
    c->root_step++;
    return BOUGH_OK;
}
