/*
 * receive.c - receive-pack: the session of a client that pushes.
 *
 *   phases     what waits for input, what works
 *   input      commands, push options, the pack
 *   checks     fsck rules as objects are indexed, blobs with a meaning, connectivity, policy
 *   update     all at once, with what was received
 *   report     report-status, nested in band 1 where there is a side-band
 *   calls      what struct bough_sync asks for
 *
 *   TELL -> COMMANDS -> (OPTIONS) -> PACK -> RESOLVE -> SPECIAL -> CONNECT -> JUDGE -> UPDATE -> REPORT
 *                                `-> JUDGE (only deletions)
 *
 * Whatever goes wrong with the pack is told in the report; what breaks the protocol before it ends the
 * session.  Nothing is visible before UPDATE, and what is not adopted there is dropped.
 */
#include "sync/receive_inner.h"

enum {
    FEED_MAX = 8 * 1024, /* pack bytes taken before others may run: they may inflate a lot */
    ID_COST = 512,
};

enum receive_phase {
    RECEIVE_TELL,
    RECEIVE_COMMANDS, /* waits */
    RECEIVE_OPTIONS,  /* waits */
    RECEIVE_PACK,     /* waits */
    RECEIVE_PAUSE,    /* between two pieces of the pack */
    RECEIVE_RESOLVE,
    RECEIVE_SPECIAL,
    RECEIVE_CONNECT,
    RECEIVE_JUDGE,
    RECEIVE_UPDATE,
    RECEIVE_REPORT,
};

struct receive {
    struct bough_sync__session session;
    enum receive_phase phase;
    struct bough_sync__refs refs;
    struct bough_sync__commands commands;
    struct bough_intake *intake;
    struct bough_fsck fsck;
    struct bough_sync__ids objects;  /* all of the pack, with their types */
    struct bough_sync__ids specials; /* blobs that git reads by name; their kind */
    struct bough_sync__connect connect;
    struct bough_sync__ancestor ancestor;
    struct bough_buf scratch; /* a blob; lines of the report */
    size_t at;                /* progress within the phase */
    bool unpack_failed;       /* pub.why says how */
};

static struct receive *receive_of(struct bough_sync *s)
{
    return (struct receive *)(void *)s;
}

static void phase_set(struct receive *r, enum receive_phase phase)
{
    r->phase = phase;
    r->session.busy =
        phase != RECEIVE_COMMANDS && phase != RECEIVE_OPTIONS && phase != RECEIVE_PACK;
    r->at = 0;
}

/* ---- Checks, while the pack is indexed ---- */

static void special_note(void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob)
{
    struct receive *r = ctx;
    uint32_t row;
    if (bough_sync__ids_add(&r->specials, blob, &row))
        r->specials.failed = true;
    else
        bough_sync__flag(&r->specials, row, 1u << kind);
}

static enum bough_err object_check(void *ctx, const struct bough_oid *id, enum bough_type type,
    uint64_t size, struct bough_view body, struct bough_why *why)
{
    struct receive *r = ctx;
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

/* ---- Input ---- */

/* The pack cannot be taken: say so in the report. */
static void unpack_fail(struct receive *r, enum bough_err err)
{
    struct bough_sync__session *s = &r->session;
    if (s->pub.why.err != err) {
        if (s->store->why.err == err)
            s->pub.why = s->store->why;
        else
            (void)bough_why_set(&s->pub.why, err, bough_err_name(err), NULL, 0);
    }
    r->unpack_failed = true;
    bough_sync__connect_fini(&r->connect);
    bough_intake_close(r->intake);
    r->intake = NULL;
    bough_sync__commands_refuse(&r->commands, "unpacker error");
    phase_set(r, RECEIVE_REPORT);
}

static void pack_begin(struct receive *r)
{
    struct bough_sync__session *s = &r->session;
    struct bough_intake_opts opts = {
        .limits = s->opts.limits.intake, .check = object_check, .check_ctx = r};
    phase_set(r, RECEIVE_PACK);
    enum bough_err err = bough_store_intake(s->store, &opts, &r->intake);
    if (err)
        unpack_fail(r, err);
}

static void input_over(struct receive *r)
{
    if (r->commands.needs_pack)
        pack_begin(r);
    else
        phase_set(r, RECEIVE_JUDGE);
}

static void commands_over(struct receive *r)
{
    struct bough_sync__session *s = &r->session;
    if (r->commands.n == 0) {
        bough_sync__session_done(s);
        return;
    }
    if (r->commands.side_band) {
        s->band_max = BOUGH_PKT_BAND_MAX;
        s->voice = BOUGH_SYNC__BAND;
    }
    if (r->commands.options)
        phase_set(r, RECEIVE_OPTIONS);
    else
        input_over(r);
}

static enum bough_err receive_packet(struct receive *r, const struct bough_pkt *pkt)
{
    if (pkt->kind == BOUGH_PKT_LINE)
        return r->phase == RECEIVE_COMMANDS
                   ? bough_sync__commands_line(&r->commands, &r->session, bough_pkt_text(pkt->line))
                   : BOUGH_OK; /* push options: none means anything here */
    if (pkt->kind != BOUGH_PKT_FLUSH)
        return bough_sync__session_fail(
            &r->session, BOUGH_EFORMAT, "protocol error: unexpected packet", NULL);
    if (r->phase == RECEIVE_COMMANDS)
        commands_over(r);
    else
        input_over(r);
    return BOUGH_OK;
}

static enum bough_err pack_feed(struct receive *r, struct bough_view bytes, size_t *used)
{
    struct bough_view piece = bough_view(bytes.ptr, bytes.len < FEED_MAX ? bytes.len : FEED_MAX);
    enum bough_err err = bough_intake_feed(r->intake, piece, used);
    if (err)
        unpack_fail(r, err);
    else
        phase_set(r, r->intake->received ? RECEIVE_RESOLVE : RECEIVE_PAUSE);
    r->session.pub.packing = !err && !r->intake->received;
    return BOUGH_OK;
}

static enum bough_err receive_feed(struct bough_sync *s, struct bough_view bytes, size_t *used)
{
    struct receive *r = receive_of(s);
    struct bough_pkt pkt;
    if (r->phase == RECEIVE_PACK)
        return pack_feed(r, bytes, used);
    enum bough_err err = bough_pkt_next(&r->session.pkts, bytes, used, &pkt);
    if (err == BOUGH_EAGAIN)
        return BOUGH_OK;
    if (err == BOUGH_EFORMAT)
        return bough_sync__session_fail(
            &r->session, err, "protocol error: bad line length character", NULL);
    return err ? err : receive_packet(r, &pkt);
}

static enum bough_err receive_eof(struct bough_sync *s)
{
    struct receive *r = receive_of(s);
    if (r->phase == RECEIVE_PACK) {
        (void)bough_sync__session_fail(&r->session, BOUGH_EFORMAT, "pack ended early", NULL);
        unpack_fail(r, BOUGH_EFORMAT);
        return BOUGH_OK;
    }
    if (r->phase != RECEIVE_COMMANDS || r->commands.n > 0 || bough_pkt_is_partial(&r->session.pkts))
        return bough_sync__session_fail(
            &r->session, BOUGH_EGONE, "the remote end hung up unexpectedly", NULL);
    bough_sync__session_done(&r->session);
    return BOUGH_OK;
}

/* ---- Work ---- */

static enum bough_err work_tell(struct receive *r, size_t budget)
{
    enum bough_err err = bough_sync__refs_step(&r->refs, &r->session, budget);
    if (err || !r->refs.over)
        return err;
    bough_pkt_put_flush(&r->session.out);
    phase_set(r, RECEIVE_COMMANDS);
    if (r->session.opts.transport == BOUGH_TRANSPORT_ADVERTISE)
        bough_sync__session_done(&r->session);
    return BOUGH_OK;
}

static enum bough_err work_resolve(struct receive *r, size_t budget)
{
    enum bough_err err = bough_intake_step(r->intake, budget);
    if (err)
        return err;
    r->session.pub.objects = r->intake->count;
    phase_set(r, RECEIVE_SPECIAL);
    return BOUGH_OK;
}

/* .gitmodules and .gitattributes, wherever in the pack the blobs were. */
static enum bough_err special_one(struct receive *r, uint32_t row)
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

static enum bough_err work_special(struct receive *r)
{
    if (r->at < r->specials.n)
        return special_one(r, (uint32_t)r->at++);
    bough_sync__connect_init(&r->connect, &r->session, bough_intake_view(r->intake), &r->objects);
    phase_set(r, RECEIVE_CONNECT);
    return BOUGH_OK;
}

/* Are the new tips there? */
static void tips_check(struct receive *r)
{
    struct bough_store *view = bough_intake_view(r->intake);
    for (size_t i = 0; i < r->commands.n; i++) {
        struct bough_sync__command *c = &r->commands.v[i];
        if (!bough_oid_is_zero(&c->now) && bough_store_has(view, &c->now))
            c->refused = "missing necessary objects";
    }
}

static enum bough_err work_connect(struct receive *r, size_t budget)
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
        phase_set(r, RECEIVE_REPORT);
        return BOUGH_OK;
    }
    tips_check(r);
    phase_set(r, RECEIVE_JUDGE);
    return BOUGH_OK;
}

/* ---- Policy ---- */

static bool is_branch(struct bough_view name)
{
    return bough_sync__take(&name, "refs/heads/");
}

/* Does this branch only move forward?  Its old tip may be no commit, or be gone. */
static enum bough_err judge_forward(
    struct receive *r, struct bough_store *view, struct bough_sync__command *c, size_t budget)
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

static enum bough_err judge_one(struct receive *r, struct bough_sync__command *c, size_t budget)
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

static enum bough_err work_judge(struct receive *r, size_t budget)
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
    phase_set(r, RECEIVE_UPDATE);
    return BOUGH_OK;
}

/* ---- Update ---- */

/* What the repository is asked: the commands that are not refused, in order. */
static size_t updates_fill(const struct receive *r, struct bough_ref_update *updates)
{
    size_t n = 0;
    for (size_t i = 0; i < r->commands.n; i++) {
        const struct bough_sync__command *c = &r->commands.v[i];
        if (c->refused == NULL)
            updates[n++] =
                (struct bough_ref_update){.name = bough_sync__command_name(&r->commands, c),
                    .check = true,
                    .old = c->old,
                    .now = c->now,
                    .reason = bough_view_str("push")};
    }
    return n;
}

static void updates_read(struct receive *r, const struct bough_ref_update *updates)
{
    size_t n = 0;
    for (size_t i = 0; i < r->commands.n; i++) {
        struct bough_sync__command *c = &r->commands.v[i];
        if (c->refused != NULL)
            continue;
        const struct bough_ref_update *u = &updates[n++];
        if (u->err)
            c->refused = u->why != NULL ? u->why : bough_err_name(u->err);
    }
}

static enum bough_err work_update(struct receive *r)
{
    struct bough_sync__session *s = &r->session;
    struct bough_ref_update *updates = bough_mem_zalloc(s->mem, r->commands.n, sizeof *updates);
    if (updates == NULL)
        return BOUGH_ENOMEM;
    size_t n = updates_fill(r, updates);
    if (r->commands.atomic && n < r->commands.n) {
        bough_sync__commands_refuse(&r->commands, "atomic push failure");
        n = 0;
    }
    struct bough_intake *intake = r->intake;
    r->intake = NULL;
    uint32_t flags = r->commands.atomic ? BOUGH_UPDATE_ATOMIC : 0;
    if ((s->opts.flags & BOUGH_SYNC_ALLOW_DELETE_HEAD) != 0)
        flags |= BOUGH_UPDATE_FORCE_HEAD;
    if (n == 0)
        bough_intake_close(intake);
    else {
        enum bough_err err = bough_repo_update(s->repo, updates, n, flags, intake);
        updates_read(r, updates);
        if (err)
            bough_sync__commands_refuse(&r->commands, bough_err_name(err));
    }
    bough_mem_free(s->mem, updates, r->commands.n * sizeof *updates);
    phase_set(r, RECEIVE_REPORT);
    return BOUGH_OK;
}

/* ---- Report ---- */

static void report_unpack(struct receive *r, struct bough_buf *out)
{
    const struct bough_why *why = &r->session.pub.why;
    size_t at = bough_pkt_begin(out);
    bough_buf_put_str(out, "unpack ");
    bough_buf_put_str(out, r->unpack_failed ? why->what : "ok");
    if (r->unpack_failed && why->key_len > 0) {
        bough_buf_put_str(out, ": ");
        for (uint32_t i = 0; i < why->key_len; i++)
            bough_buf_put_u8(out, why->key[i] < 0x20 || why->key[i] == 0x7f ? '?' : why->key[i]);
    }
    if (r->unpack_failed && why->err == BOUGH_ENOSPC && why->at > 0) {
        bough_buf_put_str(out, ": gc would free up to ");
        bough_buf_put_udec(out, why->at);
        bough_buf_put_str(out, " bytes");
    }
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

static void report_command(struct receive *r, const struct bough_sync__command *c)
{
    struct bough_buf *out = &r->scratch;
    size_t at = bough_pkt_begin(out);
    bough_buf_put_str(out, c->refused == NULL ? "ok " : "ng ");
    bough_buf_put_view(out, bough_sync__command_name(&r->commands, c));
    if (c->refused != NULL) {
        bough_buf_put_u8(out, ' ');
        bough_buf_put_str(out, c->refused);
    }
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

/* A piece of the report: lines up to a packet's worth. */
static enum bough_err work_report(struct receive *r)
{
    enum { PIECE = 16 * 1024 };
    struct bough_sync__session *s = &r->session;
    struct bough_buf *out = &r->scratch;
    bough_buf_clear(out);
    if (r->commands.report) {
        if (r->at == 0)
            report_unpack(r, out);
        while (r->at < r->commands.n && out->len < PIECE)
            report_command(r, &r->commands.v[r->at++]);
        if (r->at == r->commands.n)
            bough_pkt_put_flush(out);
        if (s->band_max > 0)
            bough_pkt_put_band(&s->out, 1, bough_buf_view(out), s->band_max);
        else
            bough_buf_put_view(&s->out, bough_buf_view(out));
        if (out->err || r->at < r->commands.n)
            return out->err;
    }
    if (s->band_max > 0)
        bough_pkt_put_flush(&s->out);
    bough_sync__session_done(s);
    return BOUGH_OK;
}

/* ---- Calls ---- */

static enum bough_err receive_work(struct receive *r, size_t budget)
{
    switch (r->phase) {
    case RECEIVE_TELL:
        return work_tell(r, budget);
    case RECEIVE_PAUSE:
        phase_set(r, RECEIVE_PACK);
        return BOUGH_OK;
    case RECEIVE_RESOLVE:
        return work_resolve(r, budget);
    case RECEIVE_SPECIAL:
        return work_special(r);
    case RECEIVE_CONNECT:
        return work_connect(r, budget);
    case RECEIVE_JUDGE:
        return work_judge(r, budget);
    case RECEIVE_UPDATE:
        return work_update(r);
    case RECEIVE_REPORT:
        return work_report(r);
    default:
        return BOUGH_OK; /* waits for input */
    }
}

static enum bough_err receive_step(struct bough_sync *s, size_t budget)
{
    struct receive *r = receive_of(s);
    enum bough_err err = receive_work(r, budget);
    if (err && err != BOUGH_EAGAIN && r->phase >= RECEIVE_RESOLVE && r->phase < RECEIVE_REPORT) {
        unpack_fail(r, err);
        err = BOUGH_OK;
    }
    return err;
}

static void receive_idle(struct bough_sync *s)
{
    struct bough_sync__session *session = bough_sync__session_of(s);
    if (session->voice == BOUGH_SYNC__BAND)
        bough_pkt_put_band(&session->out, 1, bough_view(NULL, 0), session->band_max);
}

static void receive_close(struct bough_sync *s)
{
    struct receive *r = receive_of(s);
    bough_sync__connect_fini(&r->connect);
    bough_sync__ancestor_fini(&r->ancestor);
    bough_intake_close(r->intake);
    bough_sync__refs_fini(&r->refs);
    bough_sync__commands_fini(&r->commands);
    bough_sync__ids_fini(&r->objects);
    bough_sync__ids_fini(&r->specials);
    bough_buf_fini(&r->scratch);
    bough_sync__session_free(&r->session);
}

static const struct bough_sync_class receive_class = {
    .name = "receive-pack",
    .feed = receive_feed,
    .eof = receive_eof,
    .step = receive_step,
    .idle = receive_idle,
    .close = receive_close,
};

enum bough_err bough_receive_open(
    struct bough_repo *repo, const struct bough_sync_opts *opts, struct bough_sync **out)
{
    struct bough_sync__session *s;
    *out = NULL;
    if ((bough_repo_store(repo)->caps & BOUGH_STORE_INTAKE) == 0)
        return BOUGH_ENOTSUP;
    enum bough_err err = bough_sync__session_new(repo, opts, sizeof(struct receive), &s);
    if (err)
        return err;
    struct receive *r = receive_of(&s->pub);
    s->pub.cls = &receive_class;
    s->service = BOUGH_SERVICE_RECEIVE_PACK;
    if (s->opts.version == 2)
        s->opts.version = 0;
    bough_sync__refs_init(&r->refs, s->mem, false);
    bough_sync__commands_init(&r->commands, s->mem);
    bough_sync__ids_init(&r->objects, s->store->env, s->algo);
    bough_sync__ids_init(&r->specials, s->store->env, s->algo);
    bough_buf_init(&r->scratch, s->mem);
    bough_fsck_init(&r->fsck, s->algo);
    r->fsck.ctx = r;
    r->fsck.special = special_note;
    bool tells = opts->transport != BOUGH_TRANSPORT_REQUEST;
    bough_sync__session_greet(s);
    phase_set(r, tells ? RECEIVE_TELL : RECEIVE_COMMANDS);
    return bough_sync__session_opened(s, out);
}
