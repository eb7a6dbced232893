/*
 * refmerge.c - ref tables side by side, and what changed since: each name once, as it is now.
 *
 *   source   a walk over the rows of a table
 *   merge    the least name of all; of equal ones the newest
 */
#include "store/log/inner.h"
#include "store/log/refs_inner.h"
#include "store/log/table_inner.h"

enum bough_err bough_log__ref_merge_init(
    struct bough_log__ref_merge *m, struct bough_log *l, uint32_t from, uint32_t to, bool changes)
{
    *m = (struct bough_log__ref_merge){.log = l, .changes = changes, .oldest = from == 0};
    m->n = to - from;
    m->src = bough_mem_zalloc(l->mem, m->n + 1, sizeof *m->src);
    for (uint32_t i = 0; m->src != NULL && i < m->n; i++)
        m->src[i].table = l->reftable[from + i];
    return m->src == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

void bough_log__ref_merge_fini(struct bough_log__ref_merge *m)
{
    if (m->src != NULL)
        bough_mem_free(m->log->mem, m->src, (m->n + 1) * sizeof *m->src);
    m->src = NULL;
}

static const struct bough_log__ref *change_at(const struct bough_log__ref_merge *m)
{
    const struct bough_log__refs *refs = &m->log->refs;

    return m->changes && m->at < refs->n ? refs->ref[m->at] : NULL;
}

/* Every source stands on a row, or is at its end. */
static enum bough_err sources_fill(struct bough_log__ref_merge *m)
{
    for (uint32_t i = 0; i < m->n; i++) {
        enum bough_err err =
            m->src[i].filled ? BOUGH_OK : bough_log__ref_source_next(m->log, &m->src[i]);

        if (err && err != BOUGH_ENOENT)
            return err;
    }
    return BOUGH_OK;
}

static struct bough_view name_of(const struct bough_log__ref_source *s)
{
    return bough_view(s->name, s->name_len);
}

/* The newest source whose name is the least, or m->n. */
static uint32_t least(const struct bough_log__ref_merge *m)
{
    uint32_t best = m->n;

    for (uint32_t i = m->n; i > 0; i--) {
        const struct bough_log__ref_source *s = &m->src[i - 1];

        if (s->filled && (best == m->n || bough_view_cmp(name_of(s), name_of(&m->src[best])) < 0))
            best = i - 1;
    }
    return best;
}

/* Those that stand on this name go on. */
static void pass(struct bough_log__ref_merge *m, struct bough_view name)
{
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->src[i].filled && bough_view_eq(name_of(&m->src[i]), name))
            m->src[i].filled = false;
    }
}

static enum bough_err any_next(struct bough_log__ref_merge *m, struct bough_log__ref_value *out)
{
    const struct bough_log__ref *change = change_at(m);
    enum bough_err err = sources_fill(m);
    uint32_t best = m->n;

    if (!err)
        best = least(m);
    if (err || (best == m->n && change == NULL))
        return err ? err : BOUGH_ENOENT;
    if (change != NULL &&
        (best == m->n || bough_view_cmp(bough_view(change->bytes, change->name_len),
                             name_of(&m->src[best])) <= 0)) {
        bough_log__ref_show(change, out);
        m->at++;
    } else {
        err = bough_log__ref_source_value(m->log, &m->src[best], out);
    }
    if (!err)
        pass(m, out->ref.name);
    return err;
}

enum bough_err bough_log__ref_merge_next(
    struct bough_log__ref_merge *m, struct bough_log__ref_value *out)
{
    enum bough_err err = any_next(m, out);

    while (!err && m->oldest && out->ref.kind == BOUGH_REF_NONE)
        err = any_next(m, out); /* there is nothing older to hide */
    return err;
}
