/*
 * upload.c - upload-pack: the session of a client that fetches.
 *
 *   phases     what is begun when a phase is entered
 *   work       checks, negotiation, selection, pack, a bounded step at a time
 *   calls      what struct bough_sync asks for
 *
 * Packets as they come are in upload_v0.c and upload_v2.c.
 *
 *   version 0  TELL -> WANTS -> REACH -> (DEPTH) -> HAVES <-> READY
 *                                                     `-> PREPARE -> SELECT -> PACK -> done
 *   version 2  COMMAND -> REFS_ARGS -> REFS -> COMMAND
 *              COMMAND -> ARGS -> REACH -> (READY -> ACKS) -> (DEPTH) -> WANTED -> PREPARE -> SELECT
 *             -> PACK -> COMMAND
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

static struct bough_sync__upload *upload_of(struct bough_sync *s)
{
    return (struct bough_sync__upload *)(void *)s;
}

/* ---- Phases ---- */

void bough_sync__upload_phase(struct bough_sync__upload *u, enum bough_sync__upload_phase phase)
{
    static const bool waits[BOUGH_SYNC__UPLOAD_PACK + 1] = {
        [BOUGH_SYNC__UPLOAD_WANTS] = true,
        [BOUGH_SYNC__UPLOAD_HAVES] = true,
        [BOUGH_SYNC__UPLOAD_COMMAND] = true,
        [BOUGH_SYNC__UPLOAD_REFS_ARGS] = true,
        [BOUGH_SYNC__UPLOAD_ARGS] = true,
    };
    struct bough_sync__session *s = &u->session;
    u->phase = phase;
    s->busy = !waits[phase];
    u->at = 0;
    if (phase == BOUGH_SYNC__UPLOAD_REACH)
        bough_sync__reach_init(&u->reach, s, &u->request.wants, &u->told);
    else if (phase == BOUGH_SYNC__UPLOAD_DEPTH)
        bough_sync__depth_init(&u->depth, s, &u->request);
    else if (phase == BOUGH_SYNC__UPLOAD_PREPARE)
        bough_sync__select_init(&u->select, s);
}

static void request_drop(struct bough_sync__upload *u)
{
    bough_sync__refs_fini(&u->refs);
    bough_sync__request_fini(&u->request);
    bough_sync__reach_fini(&u->reach);
    bough_sync__ready_fini(&u->ready);
    bough_sync__depth_fini(&u->depth);
    bough_sync__pack_fini(&u->pack);
    bough_sync__select_fini(&u->select);
    bough_sync__pins_drop(&u->pins);
}

static void request_begin(struct bough_sync__upload *u)
{
    struct bough_sync__session *s = &u->session;
    bough_sync__refs_init(&u->refs, s->mem, u->version == 2);
    u->refs.ids = s->opts.transport == BOUGH_TRANSPORT_DUPLEX ? &u->told : NULL;
    bough_sync__request_init(&u->request, s);
    bough_sync__ready_init(&u->ready, s, &u->request);
    u->command_fetch = u->command_refs = u->enough = false;
    u->first = true;
    u->told_n = 0;
    s->voice = BOUGH_SYNC__ERR;
    s->band_max = 0;
}

void bough_sync__upload_reset(struct bough_sync__upload *u)
{
    if (u->session.opts.transport != BOUGH_TRANSPORT_DUPLEX) {
        bough_sync__session_done(&u->session);
        return;
    }
    request_drop(u);
    request_begin(u);
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_COMMAND);
}

/* ---- Work ---- */

static void work_told(struct bough_sync__upload *u)
{
    bough_pkt_put_flush(&u->session.out);
    if (u->version == 2)
        bough_sync__upload_reset(u);
    else if (u->session.opts.transport == BOUGH_TRANSPORT_ADVERTISE)
        bough_sync__session_done(&u->session);
    else
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_WANTS);
}

static enum bough_err work_refs(struct bough_sync__upload *u, size_t budget)
{
    enum bough_err err = bough_sync__refs_step(&u->refs, &u->session, budget);
    if (!err && u->refs.over)
        work_told(u);
    return err;
}

static enum bough_err work_reach(struct bough_sync__upload *u, size_t budget)
{
    enum bough_err err = bough_sync__pins_hold(&u->pins, u->session.store, &u->request.wants);
    if (!err && !(u->session.opts.flags & BOUGH_SYNC_ANY_WANT))
        err = bough_sync__reach_step(&u->reach, budget);
    if (err)
        return err;
    bough_sync__reach_fini(&u->reach);
    if (u->version == 2) {
        bough_sync__upload_v2_checked(u);
        return BOUGH_OK;
    }
    bough_sync__upload_phase(u, bough_sync__request_deepens(&u->request)
                                    ? BOUGH_SYNC__UPLOAD_DEPTH
                                    : BOUGH_SYNC__UPLOAD_HAVES);
    return BOUGH_OK;
}

static enum bough_err work_ready(struct bough_sync__upload *u, size_t budget)
{
    enum bough_err err = bough_sync__ready_step(&u->ready, budget);
    if (err)
        return err;
    u->enough = u->ready.yes;
    if (u->version == 2)
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_ACKS);
    else
        bough_sync__upload_v0_answer(u);
    return BOUGH_OK;
}

static enum bough_err work_depth(struct bough_sync__upload *u, size_t budget)
{
    enum bough_err err = bough_sync__depth_step(&u->depth, budget);
    if (err)
        return err;
    if (u->version == 2) {
        bough_sync__upload_v2_deepened(u);
        return BOUGH_OK;
    }
    bough_pkt_put_flush(&u->session.out);
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_HAVES);
    return BOUGH_OK;
}

/* Hand one id over to the selection; `u->at` counts through all the sets. */
static enum bough_err prepare_one(struct bough_sync__upload *u, bool *over)
{
    struct bough_sync__request *r = &u->request;
    uint32_t at = u->at++;
    struct bough_oid id;
    if (at < r->shallows.n) {
        id = bough_sync__ids_at(&r->shallows, at);
        return bough_sync__select_cut(&u->select, &id);
    }
    at -= r->shallows.n;
    if (at < u->depth.seen.n) {
        id = bough_sync__ids_at(&u->depth.seen, at);
        if ((bough_sync__flags(&u->depth.seen, at) & BOUGH_SYNC__EDGE) == 0)
            return BOUGH_OK;
        return bough_sync__select_cut(&u->select, &id);
    }
    at -= u->depth.seen.n;
    if (at < u->depth.extra.n) {
        id = bough_sync__ids_at(&u->depth.seen, u->depth.extra.items[at]);
        return bough_sync__select_want(&u->select, &id);
    }
    at -= (uint32_t)u->depth.extra.n;
    if (at < r->haves.n) {
        id = bough_sync__ids_at(&r->haves, at);
        return bough_sync__select_have(&u->select, &id);
    }
    at -= r->haves.n;
    *over = at >= r->wants.n;
    if (*over)
        return BOUGH_OK;
    id = bough_sync__ids_at(&r->wants, at);
    return bough_sync__select_want(&u->select, &id);
}

static enum bough_err work_prepare(struct bough_sync__upload *u, size_t budget)
{
    enum { ID_COST = 128 };
    bool over = false;
    for (size_t spent = 0; !over && spent < budget; spent += ID_COST) {
        enum bough_err err = prepare_one(u, &over);
        if (err)
            return err;
    }
    if (!over)
        return BOUGH_OK;
    u->select.include_tags = u->request.include_tag;
    bough_sync__depth_fini(&u->depth);
    if (u->session.band_max > 0)
        u->session.voice = BOUGH_SYNC__BAND;
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_SELECT);
    return BOUGH_OK;
}

/* Progress goes where the client asked for it. */
static void progress(struct bough_sync__upload *u, const char *word, size_t n, const char *rest)
{
    struct bough_buf text;
    if (u->request.no_progress)
        return;
    bough_buf_init(&text, u->session.mem);
    bough_buf_put_str(&text, word);
    bough_buf_put_udec(&text, n);
    bough_buf_put_str(&text, rest);
    bough_sync__session_progress(&u->session, bough_buf_view(&text));
    bough_buf_fini(&text);
}

static enum bough_err work_select(struct bough_sync__upload *u, size_t budget)
{
    enum { TELL_EVERY = 20000 };
    enum bough_err err = bough_sync__select_step(&u->select, budget);
    size_t n = u->select.order.n + (size_t)u->select.reached;
    if (err == BOUGH_EAGAIN && n / TELL_EVERY > u->told_n) {
        u->told_n = (uint32_t)(n / TELL_EVERY);
        progress(u, "Enumerating objects: ", n, "\r");
    }
    if (err)
        return err;
    progress(u, "Enumerating objects: ", n, ", done.\n");
    if (n > UINT32_MAX)
        return BOUGH_ETOOBIG;
    err = bough_sync__pack_init(&u->pack, &u->select, u->request.thin, u->request.ofs);
    if (u->session.band_max == 0)
        u->session.voice = BOUGH_SYNC__SILENT;
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_PACK);
    return err;
}

static enum bough_err work_pack(struct bough_sync__upload *u, size_t budget)
{
    enum bough_err err = bough_sync__pack_step(&u->pack, budget);
    if (err || !u->pack.over)
        return err;
    progress(u, "Total ", u->select.order.n + (size_t)u->select.reached, "");
    progress(u, " (delta ", u->pack.deltas, "), ");
    progress(u, "reused ", u->pack.reused, "\n");
    if (u->session.band_max > 0)
        bough_pkt_put_flush(&u->session.out);
    if (u->version == 2)
        bough_sync__upload_reset(u);
    else
        bough_sync__session_done(&u->session);
    return BOUGH_OK;
}

/* ---- Calls ---- */

static enum bough_err upload_packet(struct bough_sync__upload *u, const struct bough_pkt *pkt)
{
    struct bough_view line = bough_pkt_text(pkt->line);
    return u->version == 2 ? bough_sync__upload_v2(u, pkt->kind, line)
                           : bough_sync__upload_v0(u, pkt->kind, line);
}

static enum bough_err upload_feed(struct bough_sync *s, struct bough_view bytes, size_t *used)
{
    struct bough_sync__upload *u = upload_of(s);
    struct bough_pkt pkt;
    enum bough_err err = bough_pkt_next(&u->session.pkts, bytes, used, &pkt);
    if (err == BOUGH_EAGAIN)
        return BOUGH_OK;
    if (err == BOUGH_EFORMAT)
        return bough_sync__session_fail(
            &u->session, err, "protocol error: bad line length character", NULL);
    return err ? err : upload_packet(u, &pkt);
}

static enum bough_err upload_eof(struct bough_sync *s)
{
    struct bough_sync__upload *u = upload_of(s);
    bool cut = bough_pkt_is_partial(&u->session.pkts);
    bool idle = (u->phase == BOUGH_SYNC__UPLOAD_WANTS && u->request.wants_n == 0) ||
                (u->phase == BOUGH_SYNC__UPLOAD_COMMAND && !u->command_fetch && !u->command_refs);
    bool posted = u->phase == BOUGH_SYNC__UPLOAD_HAVES &&
                  u->session.opts.transport == BOUGH_TRANSPORT_REQUEST;
    if (cut || (!idle && !posted))
        return bough_sync__session_fail(
            &u->session, BOUGH_EGONE, "the remote end hung up unexpectedly", NULL);
    bough_sync__session_done(&u->session);
    return BOUGH_OK;
}

static enum bough_err upload_work(struct bough_sync__upload *u, size_t budget)
{
    switch (u->phase) {
    case BOUGH_SYNC__UPLOAD_TELL:
    case BOUGH_SYNC__UPLOAD_REFS:
        return work_refs(u, budget);
    case BOUGH_SYNC__UPLOAD_REACH:
        return work_reach(u, budget);
    case BOUGH_SYNC__UPLOAD_READY:
        return work_ready(u, budget);
    case BOUGH_SYNC__UPLOAD_ACKS:
        bough_sync__upload_v2_acks(u);
        return BOUGH_OK;
    case BOUGH_SYNC__UPLOAD_DEPTH:
        return work_depth(u, budget);
    case BOUGH_SYNC__UPLOAD_WANTED:
        bough_sync__upload_v2_wanted(u);
        return BOUGH_OK;
    case BOUGH_SYNC__UPLOAD_PREPARE:
        return work_prepare(u, budget);
    case BOUGH_SYNC__UPLOAD_SELECT:
        return work_select(u, budget);
    case BOUGH_SYNC__UPLOAD_PACK:
        return work_pack(u, budget);
    default:
        return BOUGH_OK; /* waits for input */
    }
}

static enum bough_err upload_step(struct bough_sync *s, size_t budget)
{
    struct bough_sync__upload *u = upload_of(s);
    enum bough_err err = upload_work(u, budget);
    if (err && err != BOUGH_EAGAIN && bough_sync__pins_expired(&u->pins))
        err = bough_sync__session_fail(&u->session, BOUGH_EEXPIRED,
            "upload-pack: the store had to make room; fetch again", NULL);
    return err;
}

static void upload_idle(struct bough_sync *s)
{
    struct bough_sync__session *session = bough_sync__session_of(s);
    if (session->voice == BOUGH_SYNC__BAND)
        bough_pkt_put_band(&session->out, 1, bough_view(NULL, 0), session->band_max);
}

static void upload_close(struct bough_sync *s)
{
    struct bough_sync__upload *u = upload_of(s);
    request_drop(u);
    bough_sync__ids_fini(&u->told);
    bough_sync__session_free(&u->session);
}

static const struct bough_sync_class upload_class = {
    .name = "upload-pack",
    .feed = upload_feed,
    .eof = upload_eof,
    .step = upload_step,
    .idle = upload_idle,
    .close = upload_close,
};

/* What is said before the client says anything. */
static void upload_begin(struct bough_sync__upload *u)
{
    struct bough_sync__session *s = &u->session;
    bool tells = s->opts.transport != BOUGH_TRANSPORT_REQUEST;
    if (u->version == 2) {
        if (tells) {
            bough_sync__capabilities_v2(s);
            bough_pkt_put_flush(&s->out);
        }
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_COMMAND);
        if (s->opts.transport == BOUGH_TRANSPORT_ADVERTISE)
            bough_sync__session_done(s);
        return;
    }
    bough_sync__session_greet(s);
    bough_sync__upload_phase(u, tells ? BOUGH_SYNC__UPLOAD_TELL : BOUGH_SYNC__UPLOAD_WANTS);
}

enum bough_err bough_upload_open(
    struct bough_repo *repo, const struct bough_sync_opts *opts, struct bough_sync **out)
{
    struct bough_sync__session *s;
    *out = NULL;
    enum bough_err err = bough_sync__session_new(repo, opts, sizeof(struct bough_sync__upload), &s);
    if (err)
        return err;
    struct bough_sync__upload *u = upload_of(&s->pub);
    s->pub.cls = &upload_class;
    s->service = BOUGH_SERVICE_UPLOAD_PACK;
    u->version = opts->version;
    bough_sync__ids_init(&u->told, s->store->env, s->algo);
    request_begin(u);
    upload_begin(u);
    return bough_sync__session_opened(s, out);
}
