/*
 * upload_v0.c - the packets of upload-pack in versions 0 and 1.
 *
 *   wants    until a flush
 *   haves    in rounds, each answered, until done
 *   packet   which of them it is
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

/* ---- Wants ---- */

static enum bough_err wants_line(struct bough_sync__upload *u, struct bough_view line)
{
    bool known;
    bool is_want = line.len >= 5 && memcmp(line.ptr, "want ", 5) == 0;
    bool caps = is_want && u->first;
    u->first = u->first && !is_want;
    if (bough_sync__is(line, "deepen 0"))
        return BOUGH_OK;
    enum bough_err err = bough_sync__request_line(&u->request, &u->session, line, caps, &known);
    if (!err && !known)
        err = bough_sync__session_fail_text(&u->session, BOUGH_EFORMAT,
            "upload-pack: protocol error, expected to get object ID", line);
    return err;
}

static void wants_over(struct bough_sync__upload *u)
{
    if (u->request.wants.n == 0)
        bough_sync__session_done(&u->session);
    else
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_REACH);
}

/* ---- Haves ---- */

static void tell_id(
    struct bough_sync__upload *u, const char *word, const struct bough_oid *id, const char *rest)
{
    struct bough_buf *out = &u->session.out;
    size_t at = bough_pkt_begin(out);
    bough_buf_put_str(out, word);
    bough_buf_put_hex(out, id->bytes, bough_algo_len(u->session.algo));
    bough_buf_put_str(out, rest);
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

static enum bough_err have_line(struct bough_sync__upload *u, struct bough_view hex)
{
    struct bough_sync__request *r = &u->request;
    struct bough_oid id;
    bool common;
    bool any = r->haves.n > 0;
    enum bough_err err = bough_sync__request_have(r, &u->session, hex, &common);
    if (err)
        return err;
    if (common && r->acks == BOUGH_SYNC__ACK_DETAILED)
        tell_id(u, "ACK ", &r->last, " common");
    else if (common && r->acks == BOUGH_SYNC__ACK_MULTI)
        tell_id(u, "ACK ", &r->last, " continue");
    else if (common && !any)
        tell_id(u, "ACK ", &r->last, "");
    else if (!common && u->enough && r->acks != BOUGH_SYNC__ACK_ONE) {
        /* The client may stop: what it offers is older than what it needs to. */
        err = bough_oid_parse(u->session.algo, hex, &id);
        tell_id(u, "ACK ", &id, r->acks == BOUGH_SYNC__ACK_DETAILED ? " ready" : " continue");
    }
    return err;
}

void bough_sync__upload_v0_answer(struct bough_sync__upload *u)
{
    struct bough_sync__request *r = &u->request;
    bool ready = u->enough && r->acks == BOUGH_SYNC__ACK_DETAILED;
    if (ready)
        tell_id(u, "ACK ", &r->last, " ready");
    if (r->haves.n == 0 || r->acks != BOUGH_SYNC__ACK_ONE)
        bough_pkt_put_str(&u->session.out, "NAK");
    if (ready && r->no_done) {
        tell_id(u, "ACK ", &r->last, "");
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_PREPARE);
    } else if (u->session.opts.transport != BOUGH_TRANSPORT_DUPLEX) {
        bough_sync__session_done(&u->session);
    } else {
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_HAVES);
    }
}

static void done_line(struct bough_sync__upload *u)
{
    struct bough_sync__request *r = &u->request;
    if (r->haves.n == 0)
        bough_pkt_put_str(&u->session.out, "NAK");
    else if (r->acks != BOUGH_SYNC__ACK_ONE)
        tell_id(u, "ACK ", &r->last, "");
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_PREPARE);
}

static enum bough_err haves_line(struct bough_sync__upload *u, struct bough_view line)
{
    if (bough_sync__is(line, "done")) {
        done_line(u);
        return BOUGH_OK;
    }
    if (bough_sync__take(&line, "have "))
        return have_line(u, line);
    return bough_sync__session_fail_text(
        &u->session, BOUGH_EFORMAT, "upload-pack: expected SHA1 list, got", line);
}

/* ---- Packet ---- */

enum bough_err bough_sync__upload_v0(
    struct bough_sync__upload *u, enum bough_pkt_kind kind, struct bough_view line)
{
    if (kind == BOUGH_PKT_LINE)
        return u->phase == BOUGH_SYNC__UPLOAD_WANTS ? wants_line(u, line) : haves_line(u, line);
    if (kind != BOUGH_PKT_FLUSH)
        return bough_sync__session_fail(
            &u->session, BOUGH_EFORMAT, "upload-pack: unexpected packet", NULL);
    if (u->phase == BOUGH_SYNC__UPLOAD_WANTS)
        wants_over(u);
    else if (u->enough || u->request.haves.n == 0 || u->request.acks == BOUGH_SYNC__ACK_ONE)
        bough_sync__upload_v0_answer(u);
    else
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_READY);
    return BOUGH_OK;
}
