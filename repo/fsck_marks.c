/*
 * fsck_marks.c - a mark for each of many objects.
 *
 * Open addressing by the first bytes of ids, which are as good as random; foreign ids are the
 * hashes of what is there, so nobody chooses them cheaply.
 */
#include "repo/fsck_inner.h"

static struct bough_repo__marked *slot_of(
    const struct bough_repo__marks *m, const struct bough_oid *id)
{
    size_t i = (size_t)bough_get64le(id->bytes) & (m->slots - 1);

    while (m->slot[i].mark != BOUGH_REPO__UNSEEN && !bough_oid_eq(&m->slot[i].id, id))
        i = (i + 1) & (m->slots - 1);
    return &m->slot[i];
}

enum bough_repo__mark bough_repo__mark_of(
    const struct bough_repo__marks *m, const struct bough_oid *id)
{
    return m->slots == 0 ? BOUGH_REPO__UNSEEN : (enum bough_repo__mark)slot_of(m, id)->mark;
}

static enum bough_err grow(struct bough_repo__marks *m)
{
    struct bough_repo__marks bigger = {.mem = m->mem, .slots = m->slots > 0 ? 2 * m->slots : 1024};

    bigger.slot = bough_mem_zalloc(m->mem, bigger.slots, sizeof *bigger.slot);
    if (bigger.slot == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < m->slots; i++) {
        if (m->slot[i].mark != BOUGH_REPO__UNSEEN)
            *slot_of(&bigger, &m->slot[i].id) = m->slot[i];
    }
    bigger.n = m->n;
    bough_repo__marks_fini(m);
    *m = bigger;
    return BOUGH_OK;
}

enum bough_err bough_repo__mark_set(
    struct bough_repo__marks *m, const struct bough_oid *id, enum bough_repo__mark mark)
{
    enum bough_err err = m->n >= m->slots / 2 ? grow(m) : BOUGH_OK;
    struct bough_repo__marked *s;

    if (err)
        return err;
    s = slot_of(m, id);
    m->n += s->mark == BOUGH_REPO__UNSEEN;
    s->id = *id;
    s->mark = (uint8_t)mark;
    return BOUGH_OK;
}

void bough_repo__marks_fini(struct bough_repo__marks *m)
{
    bough_mem_free(m->mem, m->slot, m->slots * sizeof *m->slot);
    m->slot = NULL;
    m->slots = m->n = 0;
}
