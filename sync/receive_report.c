/*
 * receive_report.c - a push is taken, and told what became of it.
 *
 *   update     all at once, with what was received
 *   report     report-status, nested in band 1 where there is a side-band
 */
#include "sync/inner.h"
#include "sync/receive_inner.h"

/* ---- Update ---- */

/* What the repository is asked: the commands that are not refused, in order. */
static size_t updates_fill(const struct bough_sync__receive *r, struct bough_ref_update *updates)
{
    size_t n = 0;
    for (size_t i = 0; i < r->commands.n; i++) {
        const struct bough_sync__command *c = &r->commands.v[i];
        if (c->refused == NULL && c->same == 0)
            updates[n++] =
                (struct bough_ref_update){.name = bough_sync__command_real(&r->commands, c),
                    .check = true,
                    .old = c->old,
                    .now = c->now,
                    .reason = bough_view_str("push")};
    }
    return n;
}

static void updates_read(struct bough_sync__receive *r, const struct bough_ref_update *updates)
{
    size_t n = 0;
    for (size_t i = 0; i < r->commands.n; i++) {
        struct bough_sync__command *c = &r->commands.v[i];
        if (c->refused != NULL || c->same != 0)
            continue;
        const struct bough_ref_update *u = &updates[n++];
        if (u->err)
            c->refused = u->why != NULL ? u->why : bough_err_name(u->err);
    }
    for (size_t i = 0; i < r->commands.n; i++) {
        struct bough_sync__command *c = &r->commands.v[i];
        if (c->refused == NULL && c->same != 0)
            c->refused = r->commands.v[c->same - 1].refused;
    }
}

static bool any_refused(const struct bough_sync__commands *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].refused != NULL)
            return true;
    return false;
}

enum bough_err bough_sync__receive_update(struct bough_sync__receive *r)
{
    struct bough_sync__session *s = &r->session;
    enum bough_err err = bough_sync__commands_alias(&r->commands, s);
    if (err)
        return err;
    struct bough_ref_update *updates = bough_mem_zalloc(s->mem, r->commands.n, sizeof *updates);
    if (updates == NULL)
        return BOUGH_ENOMEM;
    if (r->commands.atomic && any_refused(&r->commands))
        bough_sync__commands_refuse(&r->commands, "atomic push failure");
    size_t n = updates_fill(r, updates);
    struct bough_intake *intake = r->intake;
    r->intake = NULL;
    uint32_t flags = r->commands.atomic ? BOUGH_UPDATE_ATOMIC : 0;
    if ((s->opts.flags & BOUGH_SYNC_ALLOW_DELETE_HEAD) != 0)
        flags |= BOUGH_UPDATE_FORCE_HEAD;
    if (n == 0)
        bough_intake_close(intake);
    else {
        err = bough_repo_update(s->repo, updates, n, flags, intake);
        updates_read(r, updates);
        if (err)
            bough_sync__commands_refuse(&r->commands, bough_err_name(err));
    }
    bough_mem_free(s->mem, updates, r->commands.n * sizeof *updates);
    bough_sync__receive_phase(r, BOUGH_SYNC__RECEIVE_REPORT);
    return BOUGH_OK;
}

/* ---- Report ---- */

static void report_unpack(struct bough_sync__receive *r, struct bough_buf *out)
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

static void report_command(struct bough_sync__receive *r, const struct bough_sync__command *c)
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

enum bough_err bough_sync__receive_report(struct bough_sync__receive *r)
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
