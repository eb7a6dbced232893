/*
 * bitmap_lines.c - of which commits there are to be bitmaps.
 *
 *   tips     HEAD's branch, then the refs in order of names: so many commits, peeled
 *   lines    the first-parent line of each, down to where it meets an earlier one: a joint
 *   picking  of a line: its tip, joints, and each so manieth commit
 */
#include "git/object.h"
#include "store/log/reach/bitmap_make_inner.h"
#include "store/log/reach_inner.h"
#include "store/log/table_inner.h"

enum { LINE_MAX = 512 }; /* bitmaps of a line */

/* ---- Commits ---- */

/* The place of `id` in the table.  BOUGH_ENOENT. */
static enum bough_err place_of(
    struct bough_log__bitmapper *m, const struct bough_oid *id, uint64_t *place)
{
    struct bough_log__row row;

    return bough_log__table_place(m->log, &m->log->table[0], id, &row, place);
}

/* To the first parent; the walk ends where there is none. */
static enum bough_err parent_next(struct bough_log__bitmapper *m)
{
    struct bough_store *s = &m->log->store;
    struct bough_buf *body = &m->marks.body;
    struct bough_commit c;
    enum bough_type type;
    enum bough_err err;

    m->walking = false;
    bough_buf_clear(body);
    err = bough_store_read(s, &m->commit, &type, body);
    if (err || type != BOUGH_COMMIT)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (bough_commit_parse(s->algo, bough_buf_view(body), &c))
        return BOUGH_ECORRUPT;
    if (c.parents_n == 0)
        return BOUGH_OK;
    err = bough_store_boundary(s, &m->commit);
    if (err != BOUGH_ENOENT)
        return err;
    m->commit = bough_commit_parent(&c, 0);
    m->walking = true;
    return BOUGH_OK;
}

static bool is_commit(struct bough_log__bitmapper *m, const struct bough_oid *id)
{
    struct bough_found found;

    return !bough_store_find(&m->log->store, id, &found) && found.type == BOUGH_COMMIT;
}

/* ---- Tips ---- */

static void tip_add(struct bough_log__bitmapper *m, const struct bough_ref *ref)
{
    const struct bough_oid *id = bough_oid_is_zero(&ref->peeled) ? &ref->id : &ref->peeled;

    if (ref->kind == BOUGH_REF_ID && is_commit(m, id))
        m->line[m->n++] = *id;
}

static enum bough_err head_tip(struct bough_log__bitmapper *m)
{
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(&m->log->store, bough_view_str("HEAD"), &ref);

    if (!err && ref.kind == BOUGH_REF_SYM) {
        struct bough_view target = bough_view(m->ref_name, ref.target.len);
        memcpy(m->ref_name, ref.target.ptr, ref.target.len);
        err = bough_store_ref(&m->log->store, target, &ref);
    }
    if (!err)
        tip_add(m, &ref);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* BOUGH_ENOENT: no more. */
enum bough_err bough_log__maker_tip(struct bough_log__bitmapper *m)
{
    struct bough_ref ref;
    enum bough_err err = m->ref_len == 0 ? head_tip(m) : BOUGH_OK;

    if (err || m->n == BOUGH_LOG__TIPS_MAX)
        return err ? err : BOUGH_ENOENT;
    err = bough_store_ref_next(
        &m->log->store, bough_view_str("refs/"), bough_view(m->ref_name, m->ref_len), &ref);
    if (err)
        return err;
    memcpy(m->ref_name, ref.name.ptr, ref.name.len);
    m->ref_len = ref.name.len;
    tip_add(m, &ref);
    return BOUGH_OK;
}

/* ---- Lines ---- */

void bough_log__maker_line_begin(struct bough_log__bitmapper *m)
{
    m->commit = m->line[m->at];
    m->walking = true;
    m->joined = false;
    m->picked_n = 0;
}

static enum bough_err line_commit(struct bough_log__bitmapper *m, bool first)
{
    uint64_t place;
    enum bough_err err = place_of(m, &m->commit, &place);

    if (err == BOUGH_ENOENT && first) { /* the branch went on since */
        err = parent_next(m);
        m->line[m->at] = m->commit;
        return err;
    }
    if (err == BOUGH_ENOENT)
        m->walking = false;
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (bough_log__bit(m->lines, place)) {
        bough_log__bit_set(m->joints, place);
        m->walking = false;
        return BOUGH_OK;
    }
    bough_log__bit_set(m->lines, place);
    m->steps++;
    return parent_next(m);
}

enum bough_err bough_log__maker_line(struct bough_log__bitmapper *m)
{
    bool first = bough_oid_eq(&m->commit, &m->line[m->at]);

    if (m->walking)
        return line_commit(m, first);
    if (++m->at >= m->n)
        return BOUGH_ENOENT;
    bough_log__maker_line_begin(m);
    return BOUGH_OK;
}

/* So far apart that no line has too many. */
void bough_log__maker_lines_over(struct bough_log__bitmapper *m)
{
    while (m->steps / m->every > LINE_MAX)
        m->every *= 2;
    m->at = UINT32_MAX;
    bough_log__maker_line_next(m);
}

/* ---- Picking ---- */

static enum bough_err pick(struct bough_log__bitmapper *m)
{
    void *ptr = m->picked;
    enum bough_err err =
        bough_mem_grow(m->log->mem, &ptr, &m->picked_cap, m->picked_n + 1, sizeof *m->picked);

    m->picked = ptr;
    if (!err)
        m->picked[m->picked_n++] = m->commit;
    return err;
}

/* Down the line once more, until it ends or meets one that was picked from before. */
enum bough_err bough_log__maker_pick(struct bough_log__bitmapper *m)
{
    uint64_t place, n = m->steps++;
    enum bough_err err = m->walking ? place_of(m, &m->commit, &place) : BOUGH_ENOENT;

    if (err)
        return err;
    if (!bough_log__bit(m->lines, place)) {
        m->joined = true;
        return BOUGH_ENOENT;
    }
    m->lines[place / 8] &= (uint8_t) ~(1u << place % 8);
    if (n == 0 || n % m->every == 0 || bough_log__bit(m->joints, place))
        err = pick(m);
    return err ? err : parent_next(m);
}

/* The bitmap of `id` among those made, plus one; 0: there is none. */
static uint32_t made_find(const struct bough_log__bitmapper *m, const struct bough_oid *id)
{
    for (uint32_t i = m->maps.n; i > 0; i--) {
        if (bough_oid_eq(&m->maps.bitmap[i - 1].commit, id))
            return i;
    }
    return 0;
}

/* To the next line, or the end. */
void bough_log__maker_line_next(struct bough_log__bitmapper *m)
{
    m->stage = ++m->at < m->n ? BOUGH_LOG__MAKER_PICK : BOUGH_LOG__MAKER_END;
    m->steps = 0;
    if (m->stage == BOUGH_LOG__MAKER_PICK)
        bough_log__maker_line_begin(m);
}

void bough_log__maker_picked(struct bough_log__bitmapper *m)
{
    m->base = m->joined ? made_find(m, &m->commit) : 0;
    if (m->picked_n == 0 || (m->joined && m->base == 0)) {
        bough_log__maker_line_next(m); /* nothing on it, or what is below could not be done */
        return;
    }
    memset(m->marks.bits, 0, m->len);
    m->reading = m->base;
    m->stage = BOUGH_LOG__MAKER_BASE;
}
