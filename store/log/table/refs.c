/*
 * refs.c - refs as committed: what changed since the checkpoint over the ref tables.
 *
 *   get      one of them
 *   seek     the next of all
 *   methods  of the engine's face
 *
 * Whatever is newer hides what is older; a row of kind NONE hides, too.
 */
#include "store/log/inner.h"
#include "store/log/refs_inner.h"

enum { SCRATCH = 2 * BOUGH_REF_NAME_MAX };

enum bough_err bough_log__ref_get(
    struct bough_log *l, struct bough_view name, struct bough_log__ref_value *out)
{
    bool found;
    size_t i = bough_log__refs_seek(&l->refs, name, &found);
    bool doubt = false;

    if (found) {
        bough_log__ref_show(l->refs.ref[i], out);
        return out->ref.kind == BOUGH_REF_NONE ? BOUGH_ENOENT : BOUGH_OK;
    }
    for (uint32_t t = l->reftables; t > 0; t--) {
        enum bough_err err =
            bough_log__reftable_seek(l, &l->reftable[t - 1], name, false, l->ref_scratch, out);
        if (err && err != BOUGH_ENOENT)
            return err;
        if (!err && bough_view_eq(out->ref.name, name)) {
            out->doubt = doubt;
            return out->ref.kind == BOUGH_REF_NONE ? BOUGH_ENOENT : BOUGH_OK;
        }
        doubt = doubt || out->doubt;
    }
    out->doubt = doubt;
    return BOUGH_ENOENT;
}

/* The smaller name wins; of equal ones the one found first, which is the newer. */
static void keep_least(struct bough_log__ref_value *best, bool *any, uint8_t *lent,
    const struct bough_log__ref_value *v)
{
    if (*any && bough_view_cmp(v->ref.name, best->ref.name) >= 0)
        return;
    *any = true;
    *best = *v;
    if (lent == NULL)
        return;
    memcpy(lent, v->ref.name.ptr, v->ref.name.len);
    memcpy(lent + BOUGH_REF_NAME_MAX, v->ref.target.ptr, v->ref.target.len);
    best->ref.name.ptr = lent;
    best->ref.target.ptr = lent + BOUGH_REF_NAME_MAX;
}

enum bough_err bough_log__ref_seek(struct bough_log *l, struct bough_view name, bool past,
    uint32_t tables_from, struct bough_log__ref_value *out)
{
    /* One stretch for the least so far, one for the table being looked at. */
    uint8_t *lent = l->ref_scratch + SCRATCH, *next = l->ref_scratch;
    struct bough_log__ref_value v;
    bool found, any = false;
    size_t i = bough_log__refs_seek(&l->refs, name, &found);

    i += found && past;
    if (i < l->refs.n) {
        bough_log__ref_show(l->refs.ref[i], &v);
        keep_least(out, &any, NULL, &v);
    }
    for (uint32_t t = l->reftables; t > tables_from; t--) {
        enum bough_err err = bough_log__reftable_seek(l, &l->reftable[t - 1], name, past, next, &v);
        if (err && err != BOUGH_ENOENT)
            return err;
        if (!err)
            keep_least(out, &any, lent, &v);
    }
    return any ? BOUGH_OK : BOUGH_ENOENT;
}
