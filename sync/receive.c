/*
 * receive.c - receive-pack: the session of a client that pushes.
 *
 *   phases     what waits for input, what works
 *   input      commands, push options, the pack
 *   work       telling refs, resolving the pack; the other phases lie elsewhere, as below
 *   calls      what struct bough_sync asks for
 *
 *   TELL -> COMMANDS -> (OPTIONS) -> PACK -> RESOLVE -> SPECIAL -> CONNECT -> JUDGE -> UPDATE -> REPORT
 *                                `-> JUDGE (only deletions)
 *
 * SPECIAL to JUDGE, may it be taken: receive_check.c.  UPDATE and REPORT, taking it and saying so:
 * receive_report.c.
 *
 * Whatever goes wrong with the pack is told in the report; what breaks the protocol before it ends the
 * session.  Nothing is visible before UPDATE, and what is not adopted there is dropped.
 */
#include "sync/inner.h"
#include "sync/receive_inner.h"

enum { FEED_MAX = 8 * 1024 }; /* pack bytes taken before others may run: they may inflate a lot */

void bough_sync__receive_phase(struct bough_sync__receive *r, enum bough_sync__receive_phase phase)
{
    r->phase = phase;
    r->session.busy = phase != BOUGH_SYNC__RECEIVE_COMMANDS &&
                      phase != BOUGH_SYNC__RECEIVE_OPTIONS && phase != BOUGH_SYNC__RECEIVE_PACK;
    r->at = 0;
}

/* ---- Input ---- */

/* The pack cannot be taken: say so in the report. */
static void unpack_fail(struct bough_sync__receive *r, enum bough_err err)
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
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_REPORT);
}

static void pack_begin(struct bough_sync__receive *r)
{
    struct bough_sync__session *s = &r->session;
    struct bough_intake_opts opts = {
        .limits = s->opts.limits.intake, .check = bough_sync__receive_object, .check_ctx = r};
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_PACK);
    enum bough_err err = bough_store_intake(s->store, &opts, &r->intake);
    if (err)
        unpack_fail(r, err);
}

static void input_over(struct bough_sync__receive *r)
{
    if (r->commands.needs_pack)
        pack_begin(r);
    else
        bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_JUDGE);
}

static void commands_over(struct bough_sync__receive *r)
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
        bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_OPTIONS);
    else
        input_over(r);
}

static enum bough_err receive_packet(struct bough_sync__receive *r, const struct bough_pkt *pkt)
{
    if (pkt->kind == BOUGH_PKT_LINE)
        return r->phase == BOUGH_SYNC__RECEIVE_COMMANDS
                   ? bough_sync__commands_line(&r->commands, &r->session, bough_pkt_text(pkt->line))
                   : BOUGH_OK; /* push options: none means anything here */
    if (pkt->kind != BOUGH_PKT_FLUSH)
        return bough_sync__session_fail(
            &r->session, BOUGH_EFORMAT, "protocol error: unexpected packet", NULL);
    if (r->phase == BOUGH_SYNC__RECEIVE_COMMANDS)
        commands_over(r);
    else
        input_over(r);
    return BOUGH_OK;
}

static enum bough_err pack_feed(
    struct bough_sync__receive *r, struct bough_view bytes, size_t *used)
{
    struct bough_view piece = bough_view(bytes.ptr, bytes.len < FEED_MAX ? bytes.len : FEED_MAX);
    enum bough_err err = bough_intake_feed(r->intake, piece, used);
    if (err)
        unpack_fail(r, err);
    else
        bough_sync__receive_phase(
            r, r->intake->received ? BOUGH_SYNC__RECEIVE_RESOLVE : BOUGH_SYNC__RECEIVE_PAUSE);
    r->session.pub.packing = !err && !r->intake->received;
    return BOUGH_OK;
}

static enum bough_err receive_feed(struct bough_sync *s, struct bough_view bytes, size_t *used)
{
    struct bough_sync__receive *r = bough_sync__receive_of(s);
    struct bough_pkt pkt;
    if (r->phase == BOUGH_SYNC__RECEIVE_PACK)
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
    struct bough_sync__receive *r = bough_sync__receive_of(s);
    if (r->phase == BOUGH_SYNC__RECEIVE_PACK) {
        (void)bough_sync__session_fail(&r->session, BOUGH_EFORMAT, "pack ended early", NULL);
        unpack_fail(r, BOUGH_EFORMAT);
        return BOUGH_OK;
    }
    if (r->phase != BOUGH_SYNC__RECEIVE_COMMANDS || r->commands.n > 0 ||
        bough_pkt_is_partial(&r->session.pkts))
        return bough_sync__session_fail(
            &r->session, BOUGH_EGONE, "the remote end hung up unexpectedly", NULL);
    bough_sync__session_done(&r->session);
    return BOUGH_OK;
}

/* ---- Work ---- */

static enum bough_err work_tell(struct bough_sync__receive *r, size_t budget)
{
    enum bough_err err = bough_sync__refs_step(&r->refs, &r->session, budget);
    if (err || !r->refs.over)
        return err;
    bough_pkt_put_flush(&r->session.out);
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_COMMANDS);
    if (r->session.opts.transport == BOUGH_TRANSPORT_ADVERTISE)
        bough_sync__session_done(&r->session);
    return BOUGH_OK;
}

static enum bough_err work_resolve(struct bough_sync__receive *r, size_t budget)
{
    enum bough_err err = bough_intake_step(r->intake, budget);
    if (err)
        return err;
    r->session.pub.objects = r->intake->count;
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_SPECIAL);
    return BOUGH_OK;
}

static enum bough_err receive_work(struct bough_sync__receive *r, size_t budget)
{
    switch (r->phase) {
    case BOUGH_SYNC__RECEIVE_TELL:
        return work_tell(r, budget);
    case BOUGH_SYNC__RECEIVE_PAUSE:
        bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_PACK);
        return BOUGH_OK;
    case BOUGH_SYNC__RECEIVE_RESOLVE:
        return work_resolve(r, budget);
    case BOUGH_SYNC__RECEIVE_SPECIAL:
        return bough_sync__receive_specials(r);
    case BOUGH_SYNC__RECEIVE_CONNECT:
        return bough_sync__receive_connect(r, budget);
    case BOUGH_SYNC__RECEIVE_JUDGE:
        return bough_sync__receive_judge(r, budget);
    case BOUGH_SYNC__RECEIVE_UPDATE:
        return bough_sync__receive_update(r);
    case BOUGH_SYNC__RECEIVE_REPORT:
        return bough_sync__receive_report(r);
    default:
        return BOUGH_OK; /* waits for input */
    }
}

static enum bough_err receive_step(struct bough_sync *s, size_t budget)
{
    struct bough_sync__receive *r = bough_sync__receive_of(s);
    enum bough_err err = receive_work(r, budget);
    if (err && err != BOUGH_EAGAIN && r->phase >= BOUGH_SYNC__RECEIVE_RESOLVE &&
        r->phase < BOUGH_SYNC__RECEIVE_REPORT) {
        unpack_fail(r, err);
        err = BOUGH_OK;
    }
    return err;
}

/* ---- Calls ---- */

static void receive_idle(struct bough_sync *s)
{
    struct bough_sync__session *session = bough_sync__session_of(s);
    if (session->voice == BOUGH_SYNC__BAND)
        bough_pkt_put_band(&session->out, 1, bough_view(NULL, 0), session->band_max);
}

static void receive_close(struct bough_sync *s)
{
    struct bough_sync__receive *r = bough_sync__receive_of(s);
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
    enum bough_err err =
        bough_sync__session_new(repo, opts, sizeof(struct bough_sync__receive), &s);
    if (err)
        return err;
    struct bough_sync__receive *r = bough_sync__receive_of(&s->pub);
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
    r->fsck.special = bough_sync__receive_special;
    bool tells = opts->transport != BOUGH_TRANSPORT_REQUEST;
    bough_sync__session_greet(s);
    bough_sync__receive_phase(r, tells ? BOUGH_SYNC__RECEIVE_TELL : BOUGH_SYNC__RECEIVE_COMMANDS);
    return bough_sync__session_opened(s, out);
}
