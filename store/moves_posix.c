/*
 * moves_posix.c - what a transaction wants of refs: sorted by name, each once.
 *
 * The first change of a name notes what the store has; later ones are compared with what was
 * noted before them.  At commit, whoever else can write may have been there: where anybody
 * compared, the engine compares again under its lock.
 */
#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/inner.h"

static size_t text_len(const struct bough_store__move *v)
{
    return v->name_len + v->target_len;
}

void bough_store__moves_fini(struct bough_store__moves *m)
{
    for (size_t i = 0; i < m->n; i++)
        bough_mem_free(m->mem, m->rows[i].text, text_len(&m->rows[i]));
    bough_mem_free(m->mem, m->rows, m->cap * sizeof *m->rows);
    *m = (struct bough_store__moves){.mem = m->mem};
}

size_t bough_store__moves_seek(
    const struct bough_store__moves *m, struct bough_view name, bool *found)
{
    size_t lo = 0, hi = m->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (bough_view_cmp(bough_store__move_name(&m->rows[mid]), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = lo < m->n && bough_view_eq(bough_store__move_name(&m->rows[lo]), name);
    return lo;
}

/* What the change is compared with: `v` as noted, or as the store has it. */
static enum bough_err before(const struct bough_store__move *noted, struct bough_store *s,
    struct bough_view name, struct bough_ref *out)
{
    enum bough_err err;

    *out = (struct bough_ref){.kind = BOUGH_REF_NONE};
    if (noted != NULL) {
        out->kind = noted->kind;
        out->id = noted->id;
        return BOUGH_OK;
    }
    err = s->cls->ref(s, name, out);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_store__moves_put(
    struct bough_store__moves *m, struct bough_store *s, const struct bough_ref_change *c)
{
    struct bough_store__move v = {.name_len = c->name.len, .kind = c->kind};
    void *grown = m->rows;
    struct bough_ref was;
    bool found;
    size_t at = bough_store__moves_seek(m, c->name, &found);
    enum bough_err err = before(found ? &m->rows[at] : NULL, s, c->name, &was);

    if (!err)
        err = bough_store__ref_check(c, was.kind, &was.id);
    if (!err && !found)
        err = bough_mem_grow(m->mem, &grown, &m->cap, m->n + 1, sizeof *m->rows);
    m->rows = grown;
    if (err)
        return err;
    v.id = c->id;
    v.peeled = c->peeled;
    v.check = found ? m->rows[at].check : c->check && was.kind != BOUGH_REF_SYM;
    v.seen = found ? m->rows[at].seen : was.id;
    v.was = found ? m->rows[at].was : was.kind;
    v.target_len = c->kind == BOUGH_REF_SYM ? c->target.len : 0;
    v.text = bough_mem_alloc(m->mem, text_len(&v));
    if (v.text == NULL)
        return BOUGH_ENOMEM;
    memcpy(v.text, c->name.ptr, c->name.len);
    if (v.target_len > 0)
        memcpy(v.text + v.name_len, c->target.ptr, v.target_len);
    if (found) {
        bough_mem_free(m->mem, m->rows[at].text, text_len(&m->rows[at]));
    } else {
        memmove(&m->rows[at + 1], &m->rows[at], (m->n - at) * sizeof *m->rows);
        m->n++;
    }
    m->rows[at] = v;
    return BOUGH_OK;
}
