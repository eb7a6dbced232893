/*
 * sync.c - what both services share: calls, output, failures, hello.
 *
 *   small text   prefixes, words, numbers
 *   hello        services, the request line, versions
 *   sessions     new, free, output, failing
 *   calls        feed, step, pull and kin with what holds for every session
 */
#include "sync/inner.h"

enum { STEP_DEFAULT = 192 * 1024 }; /* bytes' worth of work: about a millisecond */

/* ---- Small text ---- */

bool bough_sync__take(struct bough_view *v, const char *str)
{
    struct bough_view s = bough_view_str(str);
    if (v->len < s.len || memcmp(v->ptr, s.ptr, s.len) != 0)
        return false;
    *v = bough_view(v->ptr + s.len, v->len - s.len);
    return true;
}

bool bough_sync__is(struct bough_view v, const char *str)
{
    return bough_view_eq(v, bough_view_str(str));
}

/* The bytes before the first `sep`, which is taken off too; the rest when there is none. */
static struct bough_view take_until(struct bough_view *v, uint8_t sep)
{
    size_t n = 0;
    while (n < v->len && v->ptr[n] != sep)
        n++;
    struct bough_view part = bough_view(v->ptr, n);
    n += n < v->len;
    *v = bough_view(v->ptr + n, v->len - n);
    return part;
}

bool bough_sync__word(struct bough_view *list, struct bough_view *word)
{
    do {
        if (list->len == 0)
            return false;
        *word = take_until(list, ' ');
    } while (word->len == 0);
    return true;
}

bool bough_sync__number(struct bough_view v, uint64_t max, uint64_t *out)
{
    uint64_t x = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (digit > max || x > (max - digit) / 10)
            return false;
        x = x * 10 + digit;
    }
    *out = x;
    return v.len > 0;
}

/* ---- Hello ---- */

const char *bough_service_name(enum bough_service service)
{
    if (service == BOUGH_SERVICE_UPLOAD_PACK)
        return "git-upload-pack";
    return service == BOUGH_SERVICE_RECEIVE_PACK ? "git-receive-pack" : "";
}

enum bough_service bough_service_parse(struct bough_view name)
{
    bough_sync__take(&name, "git-");
    if (bough_sync__is(name, "upload-pack"))
        return BOUGH_SERVICE_UPLOAD_PACK;
    return bough_sync__is(name, "receive-pack") ? BOUGH_SERVICE_RECEIVE_PACK : BOUGH_SERVICE_NONE;
}

static void version_note(struct bough_view param, uint32_t *version)
{
    uint64_t x;
    if (bough_sync__take(&param, "version=") && bough_sync__number(param, 2, &x) && x > *version)
        *version = (uint32_t)x;
}

uint32_t bough_sync_version_parse(struct bough_view list)
{
    uint32_t version = 0;
    while (list.len > 0)
        version_note(take_until(&list, ':'), &version);
    return version;
}

/* No line end, no `..` as a segment. */
static bool path_ok(struct bough_view path)
{
    if (path.len == 0)
        return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '\n' || path.ptr[i] == '\r')
            return false;
    while (path.len > 0)
        if (bough_sync__is(take_until(&path, '/'), ".."))
            return false;
    return true;
}

enum bough_err bough_hello_parse(struct bough_view line, struct bough_hello *out)
{
    *out = (struct bough_hello){0};
    struct bough_view extra = line;
    struct bough_view request = take_until(&extra, 0);
    if (extra.len == 0)
        request = bough_pkt_text(request);
    out->service = bough_service_parse(take_until(&request, ' '));
    out->path = request;
    if (out->service == BOUGH_SERVICE_NONE || !path_ok(request))
        return BOUGH_EFORMAT;

    /* host= and others, then an empty one, then parameters: telling them by name is enough. */
    while (extra.len > 0) {
        struct bough_view param = take_until(&extra, 0);
        version_note(param, &out->version);
        if (bough_sync__take(&param, "host=") && out->host.len == 0)
            out->host = param;
    }
    return BOUGH_OK;
}

/* ---- Sessions ---- */

static void limits_default(struct bough_sync_limits *l)
{
    if (l->wants_max == 0)
        l->wants_max = 100 * 1000;
    if (l->haves_max == 0)
        l->haves_max = 1000 * 1000;
    if (l->ref_prefixes_max == 0)
        l->ref_prefixes_max = 65536;
    if (l->commands_max == 0)
        l->commands_max = 100 * 1000;
    if (l->commands_len_max == 0)
        l->commands_len_max = 16 * 1024 * 1024;
    if (l->walk_max == 0)
        l->walk_max = 2000;
    if (l->selected_max == 0)
        l->selected_max = 100 * 1000 * 1000;
}

enum bough_err bough_sync__session_new(struct bough_repo *repo, const struct bough_sync_opts *opts,
    size_t size, struct bough_sync__session **out)
{
    *out = NULL;
    if (opts->version > 2)
        return BOUGH_EINVAL;
    struct bough_store *store = bough_repo_store(repo);
    struct bough_sync__session *s = bough_mem_zalloc(store->env->mem, 1, size);
    if (s == NULL)
        return BOUGH_ENOMEM;
    s->size = size;
    s->repo = repo;
    s->store = store;
    s->mem = store->env->mem;
    s->algo = store->algo;
    s->opts = *opts;
    if (s->opts.agent == NULL)
        s->opts.agent = "bough";
    limits_default(&s->opts.limits);
    bough_pkt_reader_init(&s->pkts, s->mem);
    bough_buf_init(&s->out, s->mem);
    s->voice = BOUGH_SYNC__ERR;
    *out = s;
    return BOUGH_OK;
}

void bough_sync__session_free(struct bough_sync__session *s)
{
    bough_pkt_reader_fini(&s->pkts);
    bough_buf_fini(&s->out);
    bough_mem_free(s->mem, s, s->size);
}

static bool session_over(const struct bough_sync *s)
{
    return s->state == BOUGH_SYNC_DONE || s->state == BOUGH_SYNC_FAILED;
}

bool bough_sync__session_full(const struct bough_sync__session *s)
{
    return s->out.len - s->out_at >= BOUGH_SYNC_OUT_MAX;
}

void bough_sync__session_done(struct bough_sync__session *s)
{
    s->pub.state = BOUGH_SYNC_DONE;
    s->busy = false;
}

enum bough_err bough_sync__session_fail(
    struct bough_sync__session *s, enum bough_err err, const char *what, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = id == NULL ? 0 : bough_oid_hex(s->algo, id, hex);
    return bough_sync__session_fail_text(s, err, what, bough_view(hex, n));
}

enum bough_err bough_sync__session_fail_text(
    struct bough_sync__session *s, enum bough_err err, const char *what, struct bough_view text)
{
    return bough_why_set(&s->pub.why, err, what, text.ptr, text.len);
}

enum bough_err bough_sync__session_id(
    struct bough_sync__session *s, struct bough_view hex, struct bough_oid *out)
{
    if (bough_oid_parse(s->algo, hex, out))
        return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "not an object id", hex);
    return BOUGH_OK;
}

void bough_sync__session_progress(struct bough_sync__session *s, struct bough_view text)
{
    if (s->band_max > 0 && s->voice == BOUGH_SYNC__BAND)
        bough_pkt_put_band(&s->out, 2, text, s->band_max);
}

/* Tell the client, where it can be told. */
static void session_tell(struct bough_sync__session *s)
{
    if (s->voice == BOUGH_SYNC__SILENT)
        return;
    struct bough_buf text;
    bough_buf_init(&text, s->mem);
    bough_buf_put_str(&text, s->pub.why.what);
    if (s->pub.why.key_len > 0) {
        bough_buf_put_str(&text, ": ");
        for (uint32_t i = 0; i < s->pub.why.key_len; i++) {
            uint8_t c = s->pub.why.key[i];
            bough_buf_put_u8(&text, c < 0x20 || c == 0x7f ? '?' : c);
        }
    }
    if (s->voice == BOUGH_SYNC__BAND) {
        bough_buf_put_u8(&text, '\n');
        bough_pkt_put_band(&s->out, 3, bough_buf_view(&text), s->band_max);
    } else {
        bough_pkt_put_err(&s->out, bough_buf_view(&text));
    }
    bough_buf_fini(&text);
}

/* After each call: what state is it now? */
static enum bough_err session_settle(struct bough_sync *pub, enum bough_err err)
{
    struct bough_sync__session *s = bough_sync__session_of(pub);
    if (!err)
        err = s->out.err;
    if (err) {
        if (pub->why.err != err) {
            const struct bough_why *why = bough_repo_why(s->repo);
            if (why->err != err)
                why = &s->store->why;
            if (why->err == err)
                pub->why = *why;
            else
                (void)bough_why_set(&pub->why, err, bough_err_name(err), NULL, 0);
        }
        if (pub->state != BOUGH_SYNC_FAILED)
            session_tell(s);
        pub->state = BOUGH_SYNC_FAILED;
        s->busy = false;
        return err;
    }
    if (session_over(pub))
        return BOUGH_OK;
    pub->state = bough_sync__session_full(s) ? BOUGH_SYNC_OUTPUT
                 : s->busy                   ? BOUGH_SYNC_WORK
                                             : BOUGH_SYNC_INPUT;
    return BOUGH_OK;
}

void bough_sync__session_greet(struct bough_sync__session *s)
{
    if (s->opts.transport == BOUGH_TRANSPORT_ADVERTISE) {
        size_t at = bough_pkt_begin(&s->out);
        bough_buf_put_str(&s->out, "# service=");
        bough_buf_put_str(&s->out, bough_service_name(s->service));
        bough_buf_put_u8(&s->out, '\n');
        bough_pkt_end(&s->out, at);
        bough_pkt_put_flush(&s->out);
    }
    if (s->opts.version == 1 && s->opts.transport != BOUGH_TRANSPORT_REQUEST)
        bough_pkt_put_str(&s->out, "version 1");
}

enum bough_err bough_sync__session_opened(struct bough_sync__session *s, struct bough_sync **out)
{
    enum bough_err err = session_settle(&s->pub, BOUGH_OK);
    if (err)
        s->pub.cls->close(&s->pub);
    else
        *out = &s->pub;
    return err;
}

/* ---- Calls ---- */

enum bough_err bough_sync_open(enum bough_service service, struct bough_repo *repo,
    const struct bough_sync_opts *opts, struct bough_sync **out)
{
    *out = NULL;
    if (service == BOUGH_SERVICE_UPLOAD_PACK)
        return bough_upload_open(repo, opts, out);
    return service == BOUGH_SERVICE_RECEIVE_PACK ? bough_receive_open(repo, opts, out)
                                                 : BOUGH_EINVAL;
}

enum bough_err bough_sync_feed(struct bough_sync *s, struct bough_view bytes, size_t *used)
{
    *used = 0;
    if (session_over(s)) {
        *used = bytes.len;
        return s->state == BOUGH_SYNC_FAILED ? s->why.err : BOUGH_OK;
    }
    enum bough_err err = BOUGH_OK;
    while (!err && s->state == BOUGH_SYNC_INPUT && *used < bytes.len) {
        size_t n = 0;
        err = s->cls->feed(s, bough_view(bytes.ptr + *used, bytes.len - *used), &n);
        *used += n;
        s->in += n;
        err = session_settle(s, err);
    }
    if (session_over(s))
        *used = bytes.len;
    return err;
}

/* The end of input counts once the session waits for some. */
static enum bough_err session_end(struct bough_sync *s)
{
    if (s->state != BOUGH_SYNC_INPUT || !bough_sync__session_of(s)->ended)
        return BOUGH_OK;
    return session_settle(s, s->cls->eof(s));
}

enum bough_err bough_sync_eof(struct bough_sync *s)
{
    bough_sync__session_of(s)->ended = true;
    return s->state == BOUGH_SYNC_FAILED ? s->why.err : session_end(s);
}

enum bough_err bough_sync_step(struct bough_sync *s, size_t budget)
{
    if (s->state == BOUGH_SYNC_FAILED)
        return s->why.err;
    if (s->state == BOUGH_SYNC_WORK) {
        enum bough_err err = s->cls->step(s, budget == 0 ? STEP_DEFAULT : budget);
        if (err == BOUGH_EAGAIN)
            err = BOUGH_OK;
        err = session_settle(s, err);
        if (!err)
            err = session_end(s);
        if (err)
            return err;
    }
    return s->state == BOUGH_SYNC_WORK ? BOUGH_EAGAIN : BOUGH_OK;
}

void bough_sync_pull(struct bough_sync *pub, struct bough_buf *out, size_t max)
{
    struct bough_sync__session *s = bough_sync__session_of(pub);
    size_t n = bough_sync_pending(pub) < max ? bough_sync_pending(pub) : max;
    bough_buf_put(out, s->out.ptr + s->out_at, n);
    if (out->err || n == 0)
        return;
    pub->out += n;
    s->out_at += n;
    if (s->out_at == s->out.len) {
        s->out.len = 0;
        s->out_at = 0;
    } else if (s->out_at > s->out.len / 2) {
        bough_buf_shift(&s->out, s->out_at);
        s->out_at = 0;
    }
    (void)session_settle(pub, pub->state == BOUGH_SYNC_FAILED ? pub->why.err : BOUGH_OK);
    (void)session_end(pub);
}

size_t bough_sync_pending(const struct bough_sync *s)
{
    const struct bough_sync__session *session = (const struct bough_sync__session *)(const void *)s;
    return session->out.len - session->out_at;
}

void bough_sync_idle(struct bough_sync *s)
{
    if (s->state == BOUGH_SYNC_WORK && s->cls->idle != NULL)
        s->cls->idle(s);
}

void bough_sync_close(struct bough_sync *s)
{
    if (s != NULL)
        s->cls->close(s);
}
