/*
 * upload_v2.c - upload-pack in version 2: commands, their arguments, the sections of fetch.
 *
 *   commands   command=..., capabilities, delimiter
 *   ls-refs    peel, symrefs, unborn, ref-prefix
 *   fetch      acknowledgments, shallow-info, wanted-refs, packfile
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

/* ---- Commands ---- */

static enum bough_err command_line(struct bough_sync__upload *u, struct bough_view line)
{
    struct bough_sync__session *s = &u->session;
    if (bough_sync__take(&line, "command=")) {
        if (u->command_fetch || u->command_refs)
            return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "command requested twice", line);
        u->command_fetch = bough_sync__is(line, "fetch");
        u->command_refs = bough_sync__is(line, "ls-refs");
        if (!u->command_fetch && !u->command_refs)
            return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "invalid command", line);
        return BOUGH_OK;
    }
    if (bough_sync__take(&line, "object-format=")) {
        if (!bough_sync__is(line, bough_algo_name(s->algo)))
            return bough_sync__session_fail_text(
                s, BOUGH_EFORMAT, "mismatched object format: the client's is", line);
        return BOUGH_OK;
    }
    if (bough_sync__take(&line, "agent=") || bough_sync__take(&line, "server-option=") ||
        bough_sync__take(&line, "session-id="))
        return BOUGH_OK;
    return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "unknown capability", line);
}

static void args_over(struct bough_sync__upload *u)
{
    bough_sync__upload_phase(
        u, u->command_fetch ? BOUGH_SYNC__UPLOAD_REACH : BOUGH_SYNC__UPLOAD_REFS);
}

static enum bough_err command_over(struct bough_sync__upload *u, enum bough_pkt_kind kind)
{
    if (!u->command_fetch && !u->command_refs) {
        if (kind != BOUGH_PKT_FLUSH)
            return bough_sync__session_fail(
                &u->session, BOUGH_EFORMAT, "no command requested", NULL);
        bough_sync__session_done(&u->session);
        return BOUGH_OK;
    }
    if (kind == BOUGH_PKT_FLUSH)
        args_over(u);
    else
        bough_sync__upload_phase(
            u, u->command_fetch ? BOUGH_SYNC__UPLOAD_ARGS : BOUGH_SYNC__UPLOAD_REFS_ARGS);
    return BOUGH_OK;
}

/* ---- Arguments ---- */

static enum bough_err refs_line(struct bough_sync__upload *u, struct bough_view line)
{
    if (bough_sync__is(line, "peel"))
        u->refs.peel = true;
    else if (bough_sync__is(line, "symrefs"))
        u->refs.symrefs = true;
    else if (bough_sync__is(line, "unborn"))
        u->refs.unborn = true;
    else if (bough_sync__take(&line, "ref-prefix "))
        bough_sync__refs_prefix(&u->refs, &u->session, line);
    else
        return bough_sync__session_fail_text(
            &u->session, BOUGH_EFORMAT, "unexpected argument of ls-refs", line);
    return u->refs.text.err;
}

static enum bough_err args_line(struct bough_sync__upload *u, struct bough_view line)
{
    bool known;
    enum bough_err err = bough_sync__request_line(&u->request, &u->session, line, false, &known);
    if (!err && !known)
        err = bough_sync__session_fail_text(
            &u->session, BOUGH_EFORMAT, "unexpected argument of fetch", line);
    return err;
}

enum bough_err bough_sync__upload_v2(
    struct bough_sync__upload *u, enum bough_pkt_kind kind, struct bough_view line)
{
    bool command = u->phase == BOUGH_SYNC__UPLOAD_COMMAND;
    if (kind == BOUGH_PKT_LINE)
        return command                                    ? command_line(u, line)
               : u->phase == BOUGH_SYNC__UPLOAD_REFS_ARGS ? refs_line(u, line)
                                                          : args_line(u, line);
    if (command && kind != BOUGH_PKT_END)
        return command_over(u, kind);
    if (kind != BOUGH_PKT_FLUSH)
        return bough_sync__session_fail(
            &u->session, BOUGH_EFORMAT, "expected flush after arguments", NULL);
    args_over(u);
    return BOUGH_OK;
}

/* ---- Fetch ---- */

/* No more acknowledgments: shallow-info, if there is any, then the rest. */
static void sections_begin(struct bough_sync__upload *u)
{
    struct bough_oid first;
    bool deepens = bough_sync__request_deepens(&u->request) ||
                   bough_store_boundary_next(u->session.store, NULL, &first) == BOUGH_OK;
    if (deepens || u->request.shallows_n > 0)
        bough_pkt_put_str(&u->session.out, "shallow-info");
    if (deepens)
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_DEPTH);
    else if (u->request.shallows_n > 0)
        bough_sync__upload_v2_deepened(u);
    else
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_WANTED);
}

void bough_sync__upload_v2_checked(struct bough_sync__upload *u)
{
    const struct bough_sync__request *r = &u->request;
    if (r->wants.n == 0 && !r->wait_for_done)
        bough_sync__upload_reset(u);
    else if (r->haves_n > 0 && !r->done)
        bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_READY);
    else
        sections_begin(u);
}

void bough_sync__upload_v2_acks(struct bough_sync__upload *u)
{
    struct bough_sync__session *s = &u->session;
    const struct bough_sync__request *r = &u->request;
    if (u->at == 0) {
        bough_pkt_put_str(&s->out, "acknowledgments");
        if (r->haves.n == 0)
            bough_pkt_put_str(&s->out, "NAK");
    }
    for (; u->at < r->haves.n && !bough_sync__session_full(s); u->at++) {
        struct bough_oid id = bough_sync__ids_at(&r->haves, u->at);
        size_t at = bough_pkt_begin(&s->out);
        bough_buf_put_str(&s->out, "ACK ");
        bough_buf_put_hex(&s->out, id.bytes, bough_algo_len(s->algo));
        bough_buf_put_u8(&s->out, '\n');
        bough_pkt_end(&s->out, at);
    }
    if (u->at < r->haves.n)
        return;
    if (!u->enough || r->wait_for_done) {
        bough_pkt_put_flush(&s->out);
        bough_sync__upload_reset(u);
        return;
    }
    bough_pkt_put_str(&s->out, "ready");
    bough_pkt_put_delim(&s->out);
    sections_begin(u);
}

void bough_sync__upload_v2_deepened(struct bough_sync__upload *u)
{
    bough_pkt_put_delim(&u->session.out);
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_WANTED);
}

void bough_sync__upload_v2_wanted(struct bough_sync__upload *u)
{
    struct bough_sync__session *s = &u->session;
    const struct bough_buf *lines = &u->request.wanted_refs;
    if (u->at == 0 && lines->len > 0)
        bough_pkt_put_str(&s->out, "wanted-refs");
    while (u->at < lines->len && !bough_sync__session_full(s)) {
        size_t end = u->at;
        while (lines->ptr[end++] != '\n')
            continue;
        bough_pkt_put(&s->out, bough_view(lines->ptr + u->at, end - u->at));
        u->at = (uint32_t)end;
    }
    if (u->at < lines->len)
        return;
    if (lines->len > 0)
        bough_pkt_put_delim(&s->out);
    bough_pkt_put_str(&s->out, "packfile");
    s->band_max = BOUGH_PKT_BAND_MAX;
    bough_sync__upload_phase(u, BOUGH_SYNC__UPLOAD_PREPARE);
}
