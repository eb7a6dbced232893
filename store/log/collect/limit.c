/*
 * limit.c - refs that keep less than all of their history.
 *
 * From each such ref a window goes as far as it keeps, generation by generation: so many commits,
 * as git's --depth counts, and none that is older than a date.  What is kept whole by another way
 * was reached before, and is left alone.  Commits that came since the cut live and name their
 * parents, so they do not count: else a busy branch would keep all that they lead to.
 *
 *   reach     a commit is within the window
 *   step      the next commit of the window: its parents, as far as they are
 *   whole     what a window had reached is to live with all before it after all
 *   border    which commits join the boundary, and which leave it
 *   again     at the end: more may live than when that was found
 */
#include "git/object.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/table_inner.h"

void bough_log__limits_fini(struct bough_log__cycle *c)
{
    struct bough_log__limits *w = &c->limits;
    struct bough_mem *mem = c->log->mem;

    bough_log__rows_fini(&w->seen, mem);
    bough_log__rows_fini(&w->tags, mem);
    bough_log__rows_fini(&w->young, mem);
    bough_log__rows_fini(&w->window, mem);
    bough_log__rows_fini(&w->join, mem);
    bough_log__rows_fini(&w->leave, mem);
}

/* ---- Reach ---- */

static enum bough_err rows_put(
    struct bough_log__cycle *c, struct bough_log__rows *rows, const struct bough_log__row *row)
{
    enum bough_err err = bough_log__rows_reserve(rows, c->log->mem, 1);

    if (!err)
        bough_log__rows_add(rows, row);
    return err;
}

/* Commit `id` is in this generation of the window, unless it was met or is kept whole. */
static enum bough_err reach(
    struct bough_log__cycle *c, const struct bough_oid *id, uint32_t generation)
{
    struct bough_log__limits *w = &c->limits;
    struct bough_log__row row;
    bool fresh;
    enum bough_err err = bough_log__mark_alone(c, id, &row, &fresh);

    if (err == BOUGH_ENOENT) { /* young: the window begins with its old parents */
        err = bough_log__row_find(c->log, id, &row);
        row.crc = generation - 1;
        return err == BOUGH_ENOENT ? BOUGH_OK : err ? err : rows_put(c, &w->window, &row);
    }
    if (err)
        return err;
    if (!fresh && bough_log__rows_find(&w->seen, id) == NULL)
        return BOUGH_OK;
    row.crc = false;
    if (fresh)
        err = rows_put(c, &w->seen, &row);
    row.crc = generation;
    return err ? err : rows_put(c, &w->window, &row);
}

static bool uncut_in(struct bough_log__rows *rows, const struct bough_oid *id)
{
    const struct bough_log__row *row = bough_log__rows_find(rows, id);

    if (row == NULL || row->crc)
        return false;
    rows->row[row - rows->row].crc = true;
    return true;
}

bool bough_log__uncut(struct bough_log__cycle *c, const struct bough_oid *id)
{
    return uncut_in(&c->limits.seen, id) || uncut_in(&c->limits.tags, id);
}

enum bough_err bough_log__young_whole(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t *where)
{
    struct bough_log__row row;
    enum bough_err err = BOUGH_ENOENT;

    if (bough_log__rows_find(&c->limits.young, id) == NULL)
        err = bough_log__row_find(c->log, id, &row);
    if (err)
        return err;
    *where = row.where;
    return rows_put(c, &c->limits.young, &row);
}

/* It lives, and with it what it may lead to. */
static enum bough_err unread_root(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where)
{
    struct bough_log__row row;
    bool fresh;
    enum bough_err err = bough_log__hold_met(c, where);

    if (!err)
        err = bough_log__mark_alone(c, id, &row, &fresh);
    return err == BOUGH_OK ? BOUGH_ENOENT : err;
}

/* Down an annotated tag to what it is about; all of them are marked.  BOUGH_ETOOBIG: it is about a tag
   all the way. */
static enum bough_err tag_follow(
    struct bough_log__cycle *c, struct bough_oid *id, enum bough_type *type)
{
    enum { DEPTH_MAX = 64 };

    for (uint32_t i = 0; i < DEPTH_MAX; i++) {
        struct bough_log__row row;
        struct bough_tag tag;
        bool fresh;
        enum bough_err err = bough_log__row_find(c->log, id, &row);

        bough_buf_clear(&c->body);
        if (!err)
            err = bough_log__body_read(c->log, row.where, type, &c->body);
        if (err == BOUGH_ECORRUPT)
            return unread_root(c, id, row.where);
        if (err || *type != BOUGH_TAG)
            return err;
        err = bough_tag_parse(c->log->geo.algo, bough_buf_view(&c->body), &tag);
        if (!err)
            err = bough_log__mark_alone(c, id, &row, &fresh);
        row.crc = false;
        if (!err && fresh)
            err = rows_put(c, &c->limits.tags, &row);
        if (err && err != BOUGH_ENOENT)
            return err;
        *id = tag.object;
    }
    return BOUGH_ETOOBIG;
}

enum bough_err bough_log__limit_root(
    struct bough_log__cycle *c, const struct bough_ref *ref, const struct bough_retention *keep)
{
    struct bough_oid id = ref->id;
    enum bough_type type;
    enum bough_err err = tag_follow(c, &id, &type);

    if (err == BOUGH_ENOENT)
        return BOUGH_OK;      /* it is not there */
    if (err == BOUGH_ETOOBIG) /* nobody's history is to be cut there */
        return bough_log__mark_whole(c, &id, BOUGH_NONE);
    if (err)
        return err;
    if (type != BOUGH_COMMIT)
        return bough_log__mark(c, &id, type);
    bough_log__rows_clear(&c->limits.window, c->log->mem, 1024);
    c->limits.window_next = 0;
    c->limits.keep = *keep;
    return reach(c, &id, 1);
}

/* ---- Steps ---- */

static enum bough_err commit_read(
    struct bough_log__cycle *c, uint64_t where, struct bough_commit *out)
{
    enum bough_type type;
    enum bough_err err;

    bough_buf_clear(&c->body);
    err = bough_log__body_read(c->log, where, &type, &c->body);
    if (!err && (type != BOUGH_COMMIT ||
                    bough_commit_parse(c->log->geo.algo, bough_buf_view(&c->body), out)))
        err = bough_log__corrupt(c->log, "an object of a history makes no sense", 0);
    return err;
}

/* Its date, or 0. */
static enum bough_err commit_date(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t *date)
{
    struct bough_log__row row;
    struct bough_commit commit;
    struct bough_ident who;
    enum bough_err err = bough_log__row_find(c->log, id, &row);

    if (!err)
        err = commit_read(c, row.where, &commit);
    *date = err == BOUGH_ECORRUPT ? UINT64_MAX : 0; /* it is met when it is looked at */
    if (err == BOUGH_ECORRUPT)
        return BOUGH_OK;
    if (!err && !bough_ident_parse(commit.committer, &who) && who.time.sec > 0)
        *date = (uint64_t)who.time.sec;
    return err;
}

static enum bough_err parents_copy(
    struct bough_log__cycle *c, const struct bough_commit *commit, struct bough_buf *out)
{
    for (uint32_t i = 0; i < commit->parents_n; i++) {
        struct bough_oid id = bough_commit_parent(commit, i);
        bough_buf_put(out, id.bytes, c->log->geo.id_len);
    }
    return out->err;
}

static enum bough_err parents_reach(
    struct bough_log__cycle *c, struct bough_view ids, uint32_t generation, uint64_t since)
{
    enum bough_err err = BOUGH_OK;

    for (size_t at = 0; at < ids.len && !err; at += c->log->geo.id_len) {
        struct bough_oid id = bough_oid_raw(c->log->geo.algo, ids.ptr + at);
        uint64_t date = 0;

        if (since > 0)
            err = commit_date(c, &id, &date);
        if (!err && date >= since)
            err = reach(c, &id, generation);
        if (err == BOUGH_ENOENT)
            err = BOUGH_OK;
    }
    return err;
}

static bool is_old(struct bough_log__cycle *c, const struct bough_oid *id)
{
    struct bough_log__row row;
    uint64_t bit;

    return bough_log__old_find(c, id, &row, &bit) == BOUGH_OK;
}

enum bough_err bough_log__limit_step(struct bough_log__cycle *c)
{
    struct bough_log__limits *w = &c->limits;
    struct bough_commit commit;
    struct bough_log__row row;
    struct bough_buf parents;
    enum bough_err err;

    if (w->window_next == w->window.n)
        return BOUGH_ENOENT;
    row = w->window.row[w->window_next++];
    err = commit_read(c, row.where, &commit);
    if (err)
        return bough_log__hold_if(c, row.where, err);
    bough_buf_init(&parents, c->log->mem);
    err = parents_copy(c, &commit, &parents);
    if (!err)
        err = bough_log__mark(c, &commit.tree, BOUGH_TREE);
    if (!err && (w->keep.commits == 0 || row.crc < w->keep.commits) &&
        bough_store_boundary(&c->log->store, &row.id) == BOUGH_ENOENT)
        err = parents_reach(
            c, bough_buf_view(&parents), row.crc + 1, is_old(c, &row.id) ? w->keep.since : 0);
    bough_buf_fini(&parents);
    return err;
}

/* ---- Border ---- */

/* Does every parent of the commit at `where` live?  `unread`: the answer where that cannot be read. */
static enum bough_err parents_live(
    struct bough_log__cycle *c, uint64_t where, bool unread, bool *yes)
{
    struct bough_commit commit;
    enum bough_err err = commit_read(c, where, &commit);

    *yes = err == BOUGH_ECORRUPT ? unread : true;
    if (err == BOUGH_ECORRUPT)
        return BOUGH_OK;
    for (uint32_t i = 0; !err && i < commit.parents_n && *yes; i++) {
        struct bough_oid id = bough_commit_parent(&commit, i);
        struct bough_log__row parent;
        uint64_t bit;

        err = bough_log__old_find(c, &id, &parent, &bit);
        if (err == BOUGH_ENOENT) /* young, or not there */
            err = bough_log__has(&c->log->store, &id);
        else if (!err && !bough_log__is_marked(c, bit))
            err = BOUGH_ENOENT;
        *yes = !err;
        err = err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    return err;
}

/* Does a commit of the boundary leave it?  It does when it goes, or when all of its parents live. */
static enum bough_err leaves(struct bough_log__cycle *c, const struct bough_oid *id, bool *yes)
{
    struct bough_log__row row;
    uint64_t bit;
    enum bough_err err = bough_log__old_find(c, id, &row, &bit);

    *yes = true;
    if (!err && bough_log__is_marked(c, bit))
        return parents_live(c, row.where, false, yes);
    if (err == BOUGH_ENOENT) { /* young, or not there */
        err = bough_log__has(&c->log->store, id);
        *yes = err == BOUGH_ENOENT;
    }
    return *yes && err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err leave_step(struct bough_log__cycle *c)
{
    struct bough_log__limits *w = &c->limits;
    struct bough_log__row row = {.where = 0};
    bool yes;
    enum bough_err err =
        bough_store_boundary_next(&c->log->store, w->any ? &w->after : NULL, &row.id);

    if (err)
        return err;
    w->any = true;
    w->after = row.id;
    err = leaves(c, &row.id, &yes);
    return err || !yes ? err : rows_put(c, &w->leave, &row);
}

/* Does a commit that a window reached join the boundary?  It does when a parent goes. */
static enum bough_err joins(struct bough_log__cycle *c, const struct bough_log__row *row, bool *yes)
{
    bool whole;
    enum bough_err err = parents_live(c, row->where, true, &whole);

    *yes = false;
    if (err || whole)
        return err;
    err = bough_store_boundary(&c->log->store, &row->id);
    *yes = err == BOUGH_ENOENT;
    return *yes ? BOUGH_OK : err;
}

enum bough_err bough_log__join_step(struct bough_log__cycle *c)
{
    struct bough_log__limits *w = &c->limits;
    bool yes;
    enum bough_err err;

    if (w->border_next == w->seen.n)
        return BOUGH_ENOENT;
    err = joins(c, &w->seen.row[w->border_next], &yes);
    if (!err && yes)
        err = rows_put(c, &w->join, &w->seen.row[w->border_next]);
    w->border_next++;
    return err;
}

enum bough_err bough_log__border_step(struct bough_log__cycle *c)
{
    enum bough_err err = bough_log__join_step(c);

    return err == BOUGH_ENOENT ? leave_step(c) : err;
}

/* ---- Again ---- */

static enum bough_err leaves_row(
    struct bough_log__cycle *c, const struct bough_log__row *row, bool *yes)
{
    return leaves(c, &row->id, yes);
}

/* Only those of `rows` stay there of which it is still so. */
static enum bough_err sift(struct bough_log__cycle *c, struct bough_log__rows *rows,
    enum bough_err (*is_so)(
        struct bough_log__cycle *c, const struct bough_log__row *row, bool *yes))
{
    struct bough_log__rows was = *rows;
    enum bough_err err = BOUGH_OK;

    *rows = (struct bough_log__rows){.row = NULL};
    for (size_t i = 0; i < was.n && !err; i++) {
        bool yes;
        err = is_so(c, &was.row[i], &yes);
        if (!err && yes)
            err = rows_put(c, rows, &was.row[i]);
    }
    bough_log__rows_fini(&was, c->log->mem);
    return err;
}

enum bough_err bough_log__border_again(struct bough_log__cycle *c)
{
    enum bough_err err = sift(c, &c->limits.leave, leaves_row);

    return err ? err : sift(c, &c->limits.join, joins);
}
