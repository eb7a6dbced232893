/*
 * gitdir_txn_posix.c - transactions of the gitdir engine.
 *
 *   collecting   objects in a stage, ref changes sorted, packs adopted
 *   packs        the stage's and those adopted get an index
 *   objects      loose files, or packs put in place
 *   refs         locked and compared, then written; what the reflog says
 *   commit
 *
 * A commit makes ready what may fail for want of memory or room; locks all its refs and compares
 * them; writes the objects; writes the refs, one after the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "git/object.h"
#include "store/engine.h"
#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"

static struct bough_store__gitdir *gitdir_of_txn(struct bough_txn *t)
{
    return bough_store__gitdir_of(t->store);
}

/* ---- Collecting ---- */

static enum bough_err txn_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    return bough_store__stage_put(&gitdir_of_txn(t)->own.stage, type, id, body);
}

static enum bough_err txn_ref(struct bough_txn *t, const struct bough_ref_change *change)
{
    struct bough_why *why = &t->store->why;
    struct bough_view name = change->name;
    enum bough_store__gitdir_side side = bough_store__gitdir_side(name);

    if (side == BOUGH_STORE__SIDE_LOG && change->kind == BOUGH_REF_NONE)
        return BOUGH_WHY(
            why, BOUGH_ENOTSUP, "reflogs expire by `git reflog expire`", name.ptr, name.len);
    if (!side && !(name.len > 5 && memcmp(name.ptr, "refs/", 5) == 0) &&
        memchr(name.ptr, '/', name.len) != NULL)
        return BOUGH_WHY(why, BOUGH_EKEY, "git has no refs outside of refs/", name.ptr, name.len);
    return bough_store__moves_put(&gitdir_of_txn(t)->own.moves, t->store, change);
}

static enum bough_err txn_adopt(struct bough_txn *t, struct bough_intake *in)
{
    struct bough_store__gitdir *g = gitdir_of_txn(t);
    struct bough_store__packet *x = bough_store__packet_of(in);

    x->next = g->own.adopted;
    g->own.adopted = x;
    return BOUGH_OK;
}

static void own_fini(struct bough_store__gitdir *g)
{
    bough_store__stage_fini(&g->own.stage);
    bough_store__moves_fini(&g->own.moves);
    bough_store__packet_close(g->own.adopted);
    g->own.adopted = NULL;
}

static void txn_abort(struct bough_txn *t)
{
    own_fini(gitdir_of_txn(t));
}

/* ---- Packs ---- */

/* The order of a pack's entries by id, and where they come from. */
struct order {
    struct bough_mem *mem;
    const struct bough_store__stage *stage; /* one of these two */
    const struct bough_store__packet *packet;
    uint32_t *rows; /* NULL: the packet's own rows are each entry once, by id */
    size_t n;
};

static struct bough_store__gitdir_entry entry_of(const struct order *o, uint64_t i)
{
    const struct bough_store__packet *x = o->packet;
    struct bough_store__intake_row row;
    uint64_t pack_len;

    if (x == NULL) {
        const struct bough_store__staged *s = &o->stage->rows[o->rows[i]];
        return (struct bough_store__gitdir_entry){s->id, s->at, s->crc};
    }
    row = o->rows != NULL ? bough_store__intake_entry(x->core, o->rows[i])
                          : bough_store__intake_row(x->core, i);
    pack_len = bough_store__intake_facts(x->core).len;
    return (struct bough_store__gitdir_entry){
        row.id, row.at < pack_len ? row.at : row.at - x->shift, row.crc};
}

static struct bough_store__gitdir_entry order_get(void *ctx, uint64_t i)
{
    return entry_of(ctx, i);
}

static int row_cmp(const void *a, const void *b, void *ctx)
{
    struct order plain = *(const struct order *)ctx;
    const uint32_t *x = a, *y = b;
    uint32_t both[2] = {*x, *y};
    struct bough_store__gitdir_entry ex, ey;

    plain.rows = both;
    ex = entry_of(&plain, 0);
    ey = entry_of(&plain, 1);
    return bough_oid_cmp(&ex.id, &ey.id);
}

static enum bough_err order_make(struct order *o)
{
    bool ready = o->packet != NULL && o->packet->entries == o->packet->in.count;

    o->n = o->packet != NULL ? (size_t)o->packet->entries : o->stage->n;
    if (ready)
        return BOUGH_OK;
    o->rows = bough_mem_alloc(o->mem, (o->n + 1) * sizeof *o->rows);
    if (o->rows == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < o->n; i++)
        o->rows[i] = (uint32_t)i;
    qsort_r(o->rows, o->n, sizeof *o->rows, row_cmp, o);
    return BOUGH_OK;
}

/* The index of what `o` orders. */
static enum bough_err index_make(struct bough_store__gitdir *g, struct order *o, const uint8_t *sum,
    char path[BOUGH_STORE__PATH_MAX], bool sync)
{
    struct bough_store__gitdir_entries entries = {.ctx = o, .get = order_get};
    enum bough_err err = order_make(o);

    entries.n = o->n;
    if (!err)
        err = bough_store__gitdir_index(g, &entries, sum, path, sync);
    bough_mem_free(o->mem, o->rows, o->rows != NULL ? (o->n + 1) * sizeof *o->rows : 0);
    return err;
}

/* ---- Objects ---- */

/* A commit on its way. */
struct committing {
    struct bough_store__gitdir *g;
    bool sync;
    git_transaction *refs;
    uint8_t stage_sum[BOUGH_DIGEST_MAX];
    char stage_index[BOUGH_STORE__PATH_MAX]; /* temporary names; "" once they are in place */
};

static enum bough_err ready_adopted(struct committing *c)
{
    struct bough_store__gitdir *g = c->g;
    enum bough_err err = BOUGH_OK;

    for (struct bough_store__packet *x = g->own.adopted; x != NULL && !err; x = x->next) {
        struct order o = {.mem = g->store.env->mem, .packet = x};
        err = bough_store__packet_seal(x);
        if (!err)
            err = index_make(g, &o, x->sum, x->index, c->sync);
    }
    return err;
}

static enum bough_err ready_objects(struct committing *c)
{
    struct bough_store__gitdir *g = c->g;
    struct order o = {.mem = g->store.env->mem, .stage = &g->own.stage};
    enum bough_err err = ready_adopted(c);

    if (err || g->own.stage.fd < 0)
        return err;
    err = bough_store__stage_seal(&g->own.stage, c->stage_sum);
    return err ? err : index_make(g, &o, c->stage_sum, c->stage_index, c->sync);
}

static enum bough_err write_loose(struct bough_store__gitdir *g)
{
    const struct bough_store__stage *st = &g->own.stage;

    for (size_t i = 0; i < st->n; i++) {
        const struct bough_store__staged *row = &st->rows[i];
        git_oid id;
        int code;

        errno = 0;
        code = git_odb_write(&id, g->odb, row->ptr != NULL ? (const void *)row->ptr : "",
            (size_t)row->size, (git_object_t)row->type);
        if (code < 0)
            return bough_store__gitdir_err(
                g, code, "libgit2 could not write an object", bough_view(NULL, 0));
    }
    return BOUGH_OK;
}

static enum bough_err write_objects(struct committing *c)
{
    struct bough_store__gitdir *g = c->g;
    struct bough_store__stage *st = &g->own.stage;
    bool packs = g->own.adopted != NULL || st->fd >= 0;
    enum bough_err err = BOUGH_OK;

    for (struct bough_store__packet *x = g->own.adopted; x != NULL && !err; x = x->next)
        err = bough_store__gitdir_install(g, x->fd, x->path, x->index, x->sum, c->sync);
    if (!err && st->fd >= 0)
        err =
            bough_store__gitdir_install(g, st->fd, st->path, c->stage_index, c->stage_sum, c->sync);
    else if (!err)
        err = write_loose(g);
    if (!err && packs && git_odb_refresh(g->odb) < 0)
        err = BOUGH_WHY(&g->store.why, BOUGH_EIO, "libgit2 could not look again", NULL, 0);
    return err;
}

/* ---- Refs ---- */

static void c_name(const struct bough_store__move *v, char dst[BOUGH_REF_NAME_MAX + 1])
{
    memcpy(dst, v->text, v->name_len);
    dst[v->name_len] = 0;
}

/* Under its lock: is the ref still what was seen when it was compared? */
static enum bough_err compare(struct bough_store__gitdir *g, const struct bough_store__move *v)
{
    struct bough_view name = bough_store__move_name(v);
    struct bough_ref now = {.kind = BOUGH_REF_NONE};
    enum bough_err err = v->check ? bough_store__gitdir_ref(&g->store, name, &now) : BOUGH_OK;

    if (!v->check || (err && err != BOUGH_ENOENT))
        return err;
    if (now.kind != v->was || !bough_oid_eq(&now.id, &v->seen))
        return BOUGH_WHY(
            &g->store.why, BOUGH_ETEST, "the ref was changed meanwhile", name.ptr, name.len);
    return BOUGH_OK;
}

static enum bough_err lock_refs(struct committing *c)
{
    struct bough_store__gitdir *g = c->g;
    const struct bough_store__moves *m = &g->own.moves;
    char name[BOUGH_REF_NAME_MAX + 1];
    enum bough_err err = bough_store__gitdir_clashes(g, m);
    int code;

    if (err || m->n == 0)
        return err;
    errno = 0;
    code = git_transaction_new(&c->refs, g->repo);
    for (size_t i = 0; i < m->n && code >= 0 && !err; i++) {
        if (bough_store__gitdir_side(bough_store__move_name(&m->rows[i])))
            continue;
        c_name(&m->rows[i], name);
        code = git_transaction_lock_ref(c->refs, name);
        if (code >= 0)
            err = compare(g, &m->rows[i]);
        else
            err = bough_store__gitdir_err(g, code,
                code == GIT_ELOCKED
                    ? "its .lock is there: somebody else writes it, or died and left that file"
                    : "libgit2 could not lock a ref",
                bough_store__move_name(&m->rows[i]));
    }
    return err ? err
               : bough_store__gitdir_err(g, code, "libgit2 could not begin", bough_view(NULL, 0));
}

/* The reflog's words and hand: a commit's own, where one was just made. */
static void reflog_of(struct bough_store__gitdir *g, const struct bough_store__move *v,
    git_signature **who, char *text, size_t cap)
{
    const struct bough_store__staged *row = bough_store__stage_find(&g->own.stage, &v->id);
    struct bough_commit commit;
    struct bough_buf body;
    char line[512];

    struct bough_view why = bough_store__gitdir_reason(&g->own.moves, bough_store__move_name(v));

    *who = NULL;
    snprintf(text, cap, "%.*s", (int)why.len, (const char *)why.ptr);
    if (why.len == 0)
        snprintf(text, cap, "%s", g->own.adopted != NULL ? "push" : "update");
    bough_buf_init(&body, g->store.env->mem);
    if (why.len == 0 && row != NULL && row->type == BOUGH_COMMIT &&
        bough_store__stage_read(&g->own.stage, row, &body) == BOUGH_OK &&
        bough_commit_parse(g->store.algo, bough_buf_view(&body), &commit) == BOUGH_OK) {
        size_t n = 0;
        while (n < commit.message.len && n < 200 && commit.message.ptr[n] != '\n')
            n++;
        snprintf(text, cap, "commit%s: %.*s", commit.parents_n == 0 ? " (initial)" : "", (int)n,
            (const char *)commit.message.ptr);
        if (commit.committer.len < sizeof line) {
            memcpy(line, commit.committer.ptr, commit.committer.len);
            line[commit.committer.len] = 0;
            git_signature_from_buffer(who, line);
        }
    }
    bough_buf_fini(&body);
}

static int set_ref(struct committing *c, const struct bough_store__move *v)
{
    char name[BOUGH_REF_NAME_MAX + 1], target[BOUGH_REF_NAME_MAX + 1], text[300];
    git_oid id = bough_store__gitdir_id(&v->id);
    git_signature *who = NULL;
    int code;

    if (bough_store__gitdir_side(bough_store__move_name(v)))
        return 0;
    c_name(v, name);
    if (v->kind == BOUGH_REF_NONE && v->was == BOUGH_REF_NONE)
        return 0;
    if (v->kind == BOUGH_REF_NONE) {
        code = git_reflog_delete(c->g->repo, name); /* libgit2 would leave it in others' way */
        return code < 0 ? code : git_transaction_remove(c->refs, name);
    }
    if (v->kind == BOUGH_REF_SYM) {
        memcpy(target, v->text + v->name_len, v->target_len);
        target[v->target_len] = 0;
        return git_transaction_set_symbolic_target(c->refs, name, target, NULL, "update");
    }
    reflog_of(c->g, v, &who, text, sizeof text);
    code = git_transaction_set_target(c->refs, name, &id, who, text);
    git_signature_free(who);
    return code;
}

static enum bough_err write_refs(struct committing *c)
{
    const struct bough_store__moves *m = &c->g->own.moves;
    struct bough_view none = bough_view(NULL, 0);
    int code = 0;

    errno = 0;
    for (size_t i = 0; i < m->n && code >= 0; i++)
        code = set_ref(c, &m->rows[i]);
    if (code >= 0 && c->refs != NULL)
        code = git_transaction_commit(c->refs);
    if (code >= 0)
        return BOUGH_OK;
    /* Some may be changed: the next open tells. */
    (void)bough_store__gitdir_err(c->g, code, "libgit2 could not write the refs", none);
    return c->g->store.why.err == BOUGH_ENOSPC ? BOUGH_ENOSPC : BOUGH_EIO;
}

/* ---- Commit ---- */

static enum bough_err txn_commit(struct bough_txn *t, enum bough_durable how)
{
    struct committing c = {.g = gitdir_of_txn(t), .sync = how == BOUGH_DURABLE_NOW};
    enum bough_err err = ready_objects(&c);

    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, c.sync);
    if (!err)
        err = lock_refs(&c);
    if (!err)
        err = write_objects(&c);
    if (!err)
        err = bough_store__gitdir_shallow_write(c.g, &c.g->own.moves, c.sync);
    if (!err)
        err = write_refs(&c);
    git_transaction_free(c.refs);
    if (c.stage_index[0] != 0)
        unlink(c.stage_index);
    own_fini(c.g);
    if (err)
        return err;
    c.g->commits++;
    c.g->syncs += c.sync;
    c.g->unsynced = c.g->unsynced || !c.sync;
    return BOUGH_OK;
}

static const struct bough_txn_class txn_class = {
    .put = txn_put,
    .ref = txn_ref,
    .adopt = txn_adopt,
    .commit = txn_commit,
    .abort = txn_abort,
};

enum bough_err bough_store__gitdir_begin(struct bough_store *s, struct bough_txn **out)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);

    g->own.txn = (struct bough_txn){.cls = &txn_class, .store = s};
    bough_store__stage_init(&g->own.stage, s->env->mem, s->algo, g->packs, &s->why);
    g->own.moves = (struct bough_store__moves){.mem = s->env->mem};
    g->own.adopted = NULL;
    *out = &g->own.txn;
    return BOUGH_OK;
}

/* Without a look at what others wrote since the intake began: that would cost one for each object
   that is new. */
static enum bough_err known(struct bough_store *s, const struct bough_oid *id)
{
    git_oid gid = bough_store__gitdir_id(id);

    return git_odb_exists_ext(bough_store__gitdir_of(s)->odb, &gid, GIT_ODB_LOOKUP_NO_REFRESH)
               ? BOUGH_OK
               : BOUGH_ENOENT;
}

enum bough_err bough_store__gitdir_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);
    enum bough_err err = bough_store__packet_open(s, g->packs, opts, out);

    if (!err && git_odb_refresh(g->odb) < 0) {
        bough_intake_close(*out);
        err = BOUGH_WHY(&s->why, BOUGH_EIO, "libgit2 could not look again", NULL, 0);
    }
    if (!err)
        bough_store__packet_of(*out)->known = known;
    return err;
}
