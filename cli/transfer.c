/*
 * transfer.c - everything of one repository, into another or into a file.
 *
 *   refs       gathered
 *   driving    a session of sync/, from bytes to bytes
 *   sending    wants, then the pack
 *   receiving  commands, the pack, the report; then the refs that a push cannot set
 */
#include <string.h>

#include "cli/transfer.h"
#include "git/pktline.h"

enum { BATCH = 32 * 1024 }; /* bytes of lines that are given at once */

static void hex_put(struct bough_buf *b, const struct transfer *t, const struct bough_oid *id)
{
    bough_buf_put_hex(b, id->bytes, bough_algo_len(t->algo));
}

/* ---- Refs ---- */

void transfer_init(struct transfer *t, struct bough_mem *mem, enum bough_algo algo)
{
    *t = (struct transfer){.mem = mem, .algo = algo};
    bough_buf_init(&t->text, mem);
}

void transfer_fini(struct transfer *t)
{
    bough_buf_fini(&t->text);
    bough_mem_free(t->mem, t->refs, t->cap * sizeof *t->refs);
    bough_mem_free(t->mem, t->cut, t->cuts_cap * sizeof *t->cut);
    *t = (struct transfer){.mem = t->mem};
}

enum bough_err transfer_add(struct transfer *t, struct bough_view name, const struct bough_oid *id,
    struct bough_view target)
{
    struct transfer_ref ref = {.name = t->text.len, .name_len = name.len, .id = *id};
    void *grown = t->refs;
    enum bough_err err = bough_mem_grow(t->mem, &grown, &t->cap, t->n + 1, sizeof *t->refs);

    t->refs = grown;
    if (err)
        return err;
    bough_buf_put_view(&t->text, name);
    ref.target = t->text.len;
    ref.target_len = target.len;
    bough_buf_put_view(&t->text, target);
    if (!t->text.err)
        t->refs[t->n++] = ref;
    return t->text.err;
}

enum bough_err transfer_cut_add(struct transfer *t, const struct bough_oid *id)
{
    void *grown = t->cut;
    enum bough_err err = bough_mem_grow(t->mem, &grown, &t->cuts_cap, t->cuts + 1, sizeof *t->cut);

    t->cut = grown;
    if (!err)
        t->cut[t->cuts++] = *id;
    return err;
}

/* What a symbolic ref leads to, through others; zero when that is nothing. */
static enum bough_err follow(struct bough_repo *r, struct bough_view target, struct bough_oid *out)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    enum bough_err err = BOUGH_OK;

    memset(out, 0, sizeof *out);
    for (int depth = 0; depth < 5 && !err; depth++) {
        struct bough_ref ref;
        if (target.len > sizeof name)
            return BOUGH_OK;
        memcpy(name, target.ptr, target.len);
        err = bough_repo_ref(r, bough_view(name, target.len), &ref);
        if (!err && ref.kind == BOUGH_REF_ID)
            return *out = ref.id, BOUGH_OK;
        target = ref.target;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err take_one(
    struct transfer *t, struct bough_repo *r, const struct bough_ref *ref)
{
    size_t at = t->n;
    enum bough_err err = transfer_add(t, ref->name, &ref->id, ref->target);

    if (err || ref->kind != BOUGH_REF_SYM)
        return err;
    return follow(r, transfer_target(t, at), &t->refs[at].id);
}

enum bough_err transfer_take(struct transfer *t, struct bough_repo *r)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(bough_repo_store(r), bough_view_str("HEAD"), &ref);

    if (!err)
        err = take_one(t, r, &ref);
    if (err && err != BOUGH_ENOENT)
        return err;
    while (!(err = bough_repo_ref_next(r, bough_view_str("refs/"), after, &ref))) {
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        err = take_one(t, r, &ref);
        if (err)
            return err;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Is it one that a pack is wanted for, and a push can set? */
static bool is_plain(const struct transfer *t, size_t i)
{
    struct bough_view name = transfer_name(t, i);

    return t->refs[i].target_len == 0 && name.len > 5 && memcmp(name.ptr, "refs/", 5) == 0;
}

/* ---- Driving ---- */

/* Hand on what the session says. */
static enum bough_err drain(
    struct bough_sync *s, struct bough_buf *out, transfer_sink *sink, void *ctx)
{
    enum bough_err err = BOUGH_OK;

    while (!err && bough_sync_pending(s) > 0) {
        bough_buf_clear(out);
        bough_sync_pull(s, out, BOUGH_SYNC_OUT_MAX);
        err = out->err ? out->err : sink(ctx, bough_buf_view(out));
    }
    return err;
}

/* Give `bytes` to the session and let it work until it wants more, or is done. */
static enum bough_err drive(struct bough_mem *mem, struct bough_sync *s, struct bough_view bytes,
    transfer_sink *sink, void *ctx)
{
    struct bough_buf out;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&out, mem);
    while (!err && s->state < BOUGH_SYNC_DONE) {
        size_t used = 0;
        if (s->state == BOUGH_SYNC_INPUT && bytes.len == 0)
            break;
        if (s->state == BOUGH_SYNC_INPUT)
            (void)!bough_sync_feed(s, bytes, &used); /* the state tells */
        else if (s->state == BOUGH_SYNC_WORK)
            (void)!bough_sync_step(s, 0);
        bytes = bough_view(bytes.ptr + used, bytes.len - used);
        err = drain(s, &out, sink, ctx);
    }
    if (!err)
        err = drain(s, &out, sink, ctx);
    bough_buf_fini(&out);
    return !err && s->state == BOUGH_SYNC_FAILED ? s->why.err : err;
}

/* ---- Sending ---- */

/* What an upload says: a first packet, then the pack. */
struct upload {
    struct transfer *t;
    struct bough_sync *session;
    struct bough_buf lines;
    size_t skip; /* bytes of the first packet still to come */
    transfer_sink *sink;
    void *ctx;
};

static enum bough_err upload_take(void *ctx, struct bough_view bytes)
{
    struct upload *u = ctx;
    size_t n = bytes.len < u->skip ? bytes.len : u->skip;

    u->skip -= n;
    return n == bytes.len ? BOUGH_OK : u->sink(u->ctx, bough_view(bytes.ptr + n, bytes.len - n));
}

static enum bough_err upload_flush(struct upload *u, size_t least)
{
    enum bough_err err = u->lines.err;

    if (err || u->lines.len < least)
        return err;
    err = drive(u->t->mem, u->session, bough_buf_view(&u->lines), upload_take, u);
    bough_buf_clear(&u->lines);
    return err;
}

static void upload_want(struct upload *u, const struct bough_oid *id, bool first)
{
    size_t begun = bough_pkt_begin(&u->lines);

    bough_buf_put_str(&u->lines, "want ");
    hex_put(&u->lines, u->t, id);
    if (first) {
        bough_buf_put_str(&u->lines, " ofs-delta object-format=");
        bough_buf_put_str(&u->lines, bough_algo_name(u->t->algo));
    }
    bough_buf_put_u8(&u->lines, '\n');
    bough_pkt_end(&u->lines, begun);
}

static enum bough_err upload_run(struct upload *u)
{
    bool first = true;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < u->t->n && !err; i++) {
        if (bough_oid_is_zero(&u->t->refs[i].id))
            continue;
        upload_want(u, &u->t->refs[i].id, first);
        first = false;
        err = upload_flush(u, BATCH);
    }
    if (first || err)
        return err;
    bough_pkt_put_flush(&u->lines);
    bough_pkt_put_str(&u->lines, "done");
    return upload_flush(u, 0);
}

enum bough_err transfer_send(
    struct transfer *t, struct bough_repo *r, transfer_sink *sink, void *ctx, struct bough_why *why)
{
    static const char nak[] = "0008NAK\n";
    struct bough_sync_opts opts = {
        .transport = BOUGH_TRANSPORT_REQUEST,
        .flags = BOUGH_SYNC_ANY_WANT,
        .limits = {.wants_max = UINT32_MAX, .selected_max = UINT32_MAX},
    };
    struct upload u = {.t = t, .skip = sizeof nak - 1, .sink = sink, .ctx = ctx};
    enum bough_err err = bough_upload_open(r, &opts, &u.session);

    if (err)
        return err;
    bough_buf_init(&u.lines, t->mem);
    err = upload_run(&u);
    t->objects = u.session->objects;
    if (u.session->state == BOUGH_SYNC_FAILED)
        *why = u.session->why;
    bough_buf_fini(&u.lines);
    bough_sync_close(u.session);
    return err;
}

/* ---- Receiving ---- */

static enum bough_err report_take(void *ctx, struct bough_view bytes)
{
    struct receiver *x = ctx;

    bough_buf_put_view(&x->said, bytes);
    return x->said.err;
}

static enum bough_err commands_flush(struct receiver *x, struct bough_buf *lines, size_t least)
{
    enum bough_err err = lines->err;

    if (err || lines->len < least)
        return err;
    err = drive(x->t->mem, x->session, bough_buf_view(lines), report_take, x);
    bough_buf_clear(lines);
    return err;
}

static enum bough_err commands_give(struct receiver *x)
{
    static const struct bough_oid zero;
    struct bough_buf lines;
    bool first = true;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&lines, x->t->mem);
    for (size_t i = 0; i < x->t->n && !err; i++) {
        size_t begun;
        if (!is_plain(x->t, i))
            continue;
        begun = bough_pkt_begin(&lines);
        hex_put(&lines, x->t, &zero);
        bough_buf_put_u8(&lines, ' ');
        hex_put(&lines, x->t, &x->t->refs[i].id);
        bough_buf_put_u8(&lines, ' ');
        bough_buf_put_view(&lines, transfer_name(x->t, i));
        if (first)
            bough_buf_put(&lines, "\0report-status", 14);
        first = false;
        bough_pkt_end(&lines, begun);
        err = commands_flush(x, &lines, BATCH);
    }
    bough_pkt_put_flush(&lines);
    if (!err)
        err = commands_flush(x, &lines, 0);
    bough_buf_fini(&lines);
    return err;
}

/* Does a pack come at all? */
static bool wants_pack(const struct transfer *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (is_plain(t, i))
            return true;
    }
    return false;
}

/* A push cannot set a detached HEAD.  Where there is nothing else, what it names comes as this ref. */
static enum bough_err head_hold(struct receiver *x)
{
    struct transfer *t = x->t;
    struct bough_view name = bough_view_str("refs/bough/head"), none = bough_view(NULL, 0);

    for (size_t i = 0; i < t->n; i++) {
        struct bough_oid id = t->refs[i].id;
        if (!bough_view_eq(transfer_name(t, i), bough_view_str("HEAD")) ||
            t->refs[i].target_len > 0 || bough_oid_is_zero(&id))
            continue;
        x->held = true;
        return transfer_add(t, name, &id, none);
    }
    return BOUGH_OK;
}

enum bough_err receiver_open(struct receiver *x, struct transfer *t, struct bough_repo *repo,
    bool trust, struct bough_why *why)
{
    struct bough_sync_opts opts = {
        .transport = BOUGH_TRANSPORT_REQUEST,
        .flags = trust ? BOUGH_SYNC_TRUST : 0u,
        .limits = {.commands_max = UINT32_MAX,
            .commands_len_max = UINT64_MAX,
            .selected_max = UINT32_MAX,
            .intake = {.inflated_factor = UINT32_MAX}},
    };
    enum bough_err err;

    *x = (struct receiver){.t = t, .repo = repo};
    bough_buf_init(&x->said, t->mem);
    err = wants_pack(t) ? BOUGH_OK : head_hold(x);
    if (err || !wants_pack(t))
        return err;
    err = bough_receive_open(repo, &opts, &x->session);
    if (!err)
        err = commands_give(x);
    if (err && x->session != NULL)
        *why = x->session->why;
    return err;
}

enum bough_err receiver_feed(void *receiver, struct bough_view bytes)
{
    struct receiver *x = receiver;

    return x->session == NULL ? BOUGH_OK : drive(x->t->mem, x->session, bytes, report_take, x);
}

/* "ng REF REASON", or "unpack REASON": the first refusal. */
static enum bough_err report_read(struct receiver *x, struct bough_why *why)
{
    struct bough_view left = bough_buf_view(&x->said);
    struct bough_pkt_reader r;
    struct bough_pkt pkt;
    size_t used;
    enum bough_err err = BOUGH_OK;

    bough_pkt_reader_init(&r, x->t->mem);
    while (!err && left.len > 0) {
        err = bough_pkt_next(&r, left, &used, &pkt);
        left = bough_view(left.ptr + used, left.len - used);
        if (err || pkt.kind != BOUGH_PKT_LINE)
            continue;
        pkt.line = bough_pkt_text(pkt.line);
        if ((pkt.line.len > 3 && memcmp(pkt.line.ptr, "ng ", 3) == 0) ||
            (pkt.line.len > 7 && memcmp(pkt.line.ptr, "unpack ", 7) == 0 &&
                !bough_view_eq(pkt.line, bough_view_str("unpack ok"))))
            err = BOUGH_WHY(why, BOUGH_EFORMAT, "refused", pkt.line.ptr, pkt.line.len);
    }
    bough_pkt_reader_fini(&r);
    return err == BOUGH_EAGAIN ? BOUGH_OK : err;
}

/* HEAD, and symbolic refs. */
static enum bough_err rest_set(struct receiver *x, struct bough_why *why)
{
    struct bough_store *s = bough_repo_store(x->repo);
    struct bough_txn *txn;
    enum bough_err err = bough_txn_begin(s, &txn);

    if (err)
        return err;
    for (size_t i = 0; i < x->t->n && !err; i++) {
        struct bough_ref_change c = {.name = transfer_name(x->t, i),
            .kind = x->t->refs[i].target_len > 0 ? BOUGH_REF_SYM : BOUGH_REF_ID,
            .id = x->t->refs[i].id,
            .target = transfer_target(x->t, i)};
        if (!is_plain(x->t, i) && !transfer_is_log(x->t, i))
            err = bough_txn_ref(txn, &c);
    }
    if (!err && x->held) {
        struct bough_ref_change c = {
            .name = transfer_name(x->t, --x->t->n), .kind = BOUGH_REF_NONE};
        err = bough_txn_ref(txn, &c);
    }
    if (err)
        bough_txn_abort(txn);
    else
        err = bough_txn_commit(txn, BOUGH_DURABLE_NOW);
    if (err)
        *why = s->why;
    return err;
}

enum bough_err receiver_finish(struct receiver *x, struct bough_why *why)
{
    enum bough_err err = BOUGH_OK;

    if (x->session != NULL && x->session->state == BOUGH_SYNC_INPUT)
        (void)!bough_sync_eof(x->session);
    if (x->session != NULL)
        err = drive(x->t->mem, x->session, bough_view(NULL, 0), report_take, x);
    if (err) {
        *why = x->session->why;
        return err;
    }
    err = report_read(x, why);
    return err ? err : rest_set(x, why);
}

void receiver_close(struct receiver *x)
{
    bough_sync_close(x->session);
    bough_buf_fini(&x->said);
    x->session = NULL;
}

/* ---- Both ---- */

enum bough_err transfer_copy(
    struct transfer *t, struct bough_repo *src, struct bough_repo *dst, struct bough_why *why)
{
    struct receiver x = {.t = t};
    enum bough_err err = receiver_open(&x, t, dst, true, why);

    if (!err)
        err = transfer_send(t, src, receiver_feed, &x, why);
    if (!why->err && x.session != NULL && x.session->why.err)
        *why = x.session->why;
    if (!err)
        err = receiver_finish(&x, why);
    receiver_close(&x);
    return err;
}
