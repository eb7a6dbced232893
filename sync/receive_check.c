/*
 * receive_check.c - may a push be taken?
 *
 *   objects    fsck rules, as the pack is indexed
 *   specials   blobs that git reads by name
 *   connect    is all there that the pack names, and the new tips?
 *   judge      policy, a command at a time
 */
#include "sync/inner.h"
#include "sync/receive_inner.h"

enum { ID_COST = 512 };

/* ---- Objects ---- */

void bough_sync__receive_special(void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob)
{
    struct bough_sync__receive *r = ctx;
    uint32_t row;
    if (bough_sync__ids_add(&r->specials, blob, &row))
        r->specials.failed = true;
    else
        bough_sync__flag(&r->specials, row, 1u << kind);
}

enum bough_err bough_sync__receive_object(void *ctx, const struct bough_oid *id,
    enum bough_type type, uint64_t size, struct bough_view body, struct bough_why *why)
{
    struct bough_sync__receive *r = ctx;
    uint32_t row;
    (void)size;
    enum bough_err err = bough_sync__ids_add(&r->objects, id, &row);
    if (err)
        return err;
    bough_sync__ids_set(&r->objects, row, (uint64_t)type);
    if (type == BOUGH_BLOB || (r->session.opts.flags & BOUGH_SYNC_TRUST) != 0)
        return BOUGH_OK;
    r->fsck.why = why;
    err = bough_fsck_object(&r->fsck, type, body);
    return !err && r->specials.failed ? BOUGH_ENOMEM : err;
}

/* ---- Specials ---- */

/* .gitmodules and .gitattributes, wherever in the pack the blobs were. */
static enum bough_err special_one(struct bough_sync__receive *r, uint32_t row)
{
    struct bough_store *view = bough_intake_view(r->intake);
    struct bough_oid id = bough_sync__ids_at(&r->specials, row);
    uint64_t kinds = bough_sync__ids_get(&r->specials, row);
    struct bough_found found;
    enum bough_err err = bough_store_find(view, &id, &found);
    if (err == BOUGH_ENOENT || (!err && found.type != BOUGH_BLOB))
        return BOUGH_OK; /* connectivity says what is wrong */
    if (!err && found.size > BOUGH_GITATTRIBUTES_MAX)
        return bough_sync__session_fail(
            &r->session, BOUGH_EFORMAT, "gitattributesLarge: .gitattributes too large", &id);
    bough_buf_clear(&r->scratch);
    if (!err)
        err = bough_store_read(view, &id, NULL, &r->scratch);
    r->fsck.why = &r->session.pub.why;
    if (!err && (kinds & 1u << BOUGH_FSCK_BLOB_GITMODULES) != 0)
        err = bough_fsck_gitmodules(&r->fsck, bough_buf_view(&r->scratch));
    if (!err && (kinds & 1u << BOUGH_FSCK_BLOB_GITATTRIBUTES) != 0)
        err = bough_fsck_gitattributes(&r->fsck, bough_buf_view(&r->scratch));
    return err;
}

enum bough_err bough_sync__receive_specials(struct bough_sync__receive *r)
{
    if (r->at < r->specials.n)
        return special_one(r, (uint32_t)r->at++);
    bough_sync__connect_init(&r->connect, &r->session, bough_intake_view(r->intake), &r->objects);
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_CONNECT);
    return BOUGH_OK;
}

/* ---- Connect ---- */

/* Are the new tips there? */
static void tips_check(struct bough_sync__receive *r)
{
    struct bough_store *view = bough_intake_view(r->intake);
    for (size_t i = 0; i < r->commands.n; i++) {
        struct bough_sync__command *c = &r->commands.v[i];
        if (!bough_oid_is_zero(&c->now) && bough_store_has(view, &c->now))
            c->refused = "missing necessary objects";
    }
}

enum bough_err bough_sync__receive_connect(struct bough_sync__receive *r, size_t budget)
{
    enum bough_err err = bough_sync__connect_step(&r->connect, budget);
    if (err == BOUGH_EAGAIN || (err && !r->connect.missing))
        return err;
    if (err)
        bough_sync__commands_refuse(&r->commands,
            r->commands.shallow ? "shallow update not allowed" : "missing necessary objects");
    bough_sync__connect_fini(&r->connect);
    if (err) {
        bough_intake_close(r->intake); /* after the walk, which reads through it */
        r->intake = NULL;
        bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_REPORT);
        return BOUGH_OK;
    }
    tips_check(r);
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_JUDGE);
    return BOUGH_OK;
}

/* ---- Judge ---- */

static bool is_branch(struct bough_view name)
{
    return bough_sync__take(&name, "refs/heads/");
}

/* Does this branch only move forward?  Its old tip may be no commit, or be gone. */
static enum bough_err judge_forward(struct bough_sync__receive *r, struct bough_store *view,
    struct bough_sync__command *c, size_t budget)
{
    struct bough_found found;
    if ((r->session.opts.flags & BOUGH_SYNC_DENY_NON_FAST_FORWARD) == 0 ||
        bough_oid_is_zero(&c->old) || bough_oid_is_zero(&c->now) ||
        !is_branch(bough_sync__command_name(&r->commands, c)))
        return BOUGH_OK;
    enum bough_err err = bough_store_find(view, &c->now, &found);
    if (err || found.type != BOUGH_COMMIT)
        return err == BOUGH_ENOENT ? BOUGH_OK : err; /* refused anyway */
    if (r->ancestor.store == NULL)
        bough_sync__ancestor_init(&r->ancestor, view);
    err = bough_sync__ancestor_step(&r->ancestor, &c->old, &c->now, budget);
    if (!err && !r->ancestor.yes)
        c->refused = "non-fast-forward";
    return err;
}

static enum bough_err judge_one(
    struct bough_sync__receive *r, struct bough_sync__command *c, size_t budget)
{
    const struct bough_sync_opts *opts = &r->session.opts;
    struct bough_store *view = r->intake != NULL ? bough_intake_view(r->intake) : r->session.store;
    if (bough_oid_is_zero(&c->now) && (opts->flags & BOUGH_SYNC_DENY_DELETES) != 0)
        c->refused = "deletion prohibited";
    enum bough_err err = c->refused != NULL ? BOUGH_OK : judge_forward(r, view, c, budget);
    if (!err && c->refused == NULL && opts->policy != NULL) {
        struct bough_push_command ask = {
            .ref = bough_sync__command_name(&r->commands, c), .old = c->old, .now = c->now};
        c->refused = opts->policy(opts->policy_ctx, view, &ask);
    }
    return err;
}

enum bough_err bough_sync__receive_judge(struct bough_sync__receive *r, size_t budget)
{
    for (size_t spent = 0; r->at < r->commands.n; r->at++) {
        struct bough_sync__command *c = &r->commands.v[r->at];
        if (spent >= budget)
            return BOUGH_OK;
        enum bough_err err = c->refused != NULL ? BOUGH_OK : judge_one(r, c, budget - spent);
        if (err)
            return err;
        spent += ID_COST;
    }
    bough_sync__ancestor_fini(&r->ancestor);
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_UPDATE);
    return BOUGH_OK;
}
