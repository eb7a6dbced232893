/*
 * request.c - what a client wants and has, as both versions of the protocol say it.
 *
 *   wants          by id, by ref; the capabilities behind the first one
 *   haves          those that we have too are kept
 *   shallow lines  shallow, deepen, deepen-since, deepen-not, deepen-relative
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

void bough_sync__request_init(struct bough_sync__request *r, struct bough_sync__session *s)
{
    *r = (struct bough_sync__request){.oldest = INT64_MAX};
    bough_sync__ids_init(&r->wants, s->store->env, s->algo);
    bough_sync__ids_init(&r->haves, s->store->env, s->algo);
    bough_sync__ids_init(&r->shallows, s->store->env, s->algo);
    bough_sync__ids_init(&r->nots, s->store->env, s->algo);
    bough_buf_init(&r->wanted_refs, s->mem);
}

void bough_sync__request_fini(struct bough_sync__request *r)
{
    bough_sync__ids_fini(&r->wants);
    bough_sync__ids_fini(&r->haves);
    bough_sync__ids_fini(&r->shallows);
    bough_sync__ids_fini(&r->nots);
    bough_buf_fini(&r->wanted_refs);
}

/* ---- Wants ---- */

static void capability(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view word)
{
    if (bough_sync__is(word, "multi_ack_detailed"))
        r->acks = BOUGH_SYNC__ACK_DETAILED;
    else if (bough_sync__is(word, "multi_ack") && r->acks == BOUGH_SYNC__ACK_ONE)
        r->acks = BOUGH_SYNC__ACK_MULTI;
    else if (bough_sync__is(word, "side-band-64k"))
        s->band_max = BOUGH_PKT_BAND_MAX;
    else if (bough_sync__is(word, "side-band") && s->band_max == 0)
        s->band_max = BOUGH_PKT_BAND_SMALL_MAX;
    else if (bough_sync__is(word, "no-done"))
        r->no_done = s->opts.transport != BOUGH_TRANSPORT_DUPLEX;
    else if (bough_sync__is(word, "deepen-relative"))
        r->relative = true;
    else if (bough_sync__is(word, "thin-pack"))
        r->thin = true;
    else if (bough_sync__is(word, "ofs-delta"))
        r->ofs = true;
    else if (bough_sync__is(word, "no-progress"))
        r->no_progress = true;
    else if (bough_sync__is(word, "include-tag"))
        r->include_tag = true;
}

static enum bough_err capabilities(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view list)
{
    struct bough_view word;
    while (bough_sync__word(&list, &word)) {
        if (bough_sync__take(&word, "object-format=")) {
            if (!bough_sync__is(word, bough_algo_name(s->algo)))
                return bough_sync__session_fail_text(
                    s, BOUGH_EFORMAT, "the repository has another object format", word);
            continue;
        }
        capability(r, s, word);
    }
    return BOUGH_OK;
}

static enum bough_err want_add(
    struct bough_sync__request *r, struct bough_sync__session *s, const struct bough_oid *id)
{
    uint32_t row;
    if (++r->wants_n > s->opts.limits.wants_max)
        return bough_sync__session_fail(s, BOUGH_ETOOBIG, "too many wants (limit wants_max)", NULL);
    enum bough_err err = bough_store_has(s->store, id);
    if (err == BOUGH_ENOENT)
        return bough_sync__session_fail(s, BOUGH_EDENIED, "upload-pack: not our ref", id);
    return err ? err : bough_sync__ids_add(&r->wants, id, &row);
}

static enum bough_err want(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view line, bool caps)
{
    struct bough_oid id;
    size_t n = 2 * bough_algo_len(s->algo);
    if (line.len < n || (line.len > n && (!caps || line.ptr[n] != ' ')))
        return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "not an object id", line);
    enum bough_err err = bough_sync__session_id(s, bough_view(line.ptr, n), &id);
    if (!err && line.len > n)
        err = capabilities(r, s, bough_view(line.ptr + n, line.len - n));
    return err ? err : want_add(r, s, &id);
}

static enum bough_err want_ref(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view name)
{
    struct bough_ref ref;
    uint32_t row;
    enum bough_err err =
        name.len > BOUGH_REF_NAME_MAX ? BOUGH_ENOENT : bough_sync__ref_follow(s, name, &ref);
    if (err == BOUGH_ENOENT || err == BOUGH_EKEY) /* `git fetch-pack` asks so for a bare id, too */
        err = bough_oid_parse(s->algo, name, &ref.id)
                  ? bough_sync__session_fail_text(s, BOUGH_EDENIED, "unknown ref", name)
                  : BOUGH_OK;
    if (err)
        return err;
    struct bough_oid id = ref.id;
    bool fresh = !bough_sync__ids_find(&r->wants, &id, &row);
    err = want_add(r, s, &id);
    if (!err && (fresh || r->wanted_refs.len < s->opts.limits.commands_len_max)) {
        bough_buf_put_hex(&r->wanted_refs, id.bytes, bough_algo_len(s->algo));
        bough_buf_put_u8(&r->wanted_refs, ' ');
        bough_buf_put_view(&r->wanted_refs, name);
        bough_buf_put_u8(&r->wanted_refs, '\n');
        err = r->wanted_refs.err;
    }
    return err;
}

/* ---- Haves ---- */

/* The oldest common commit says how far back a look for common history need go. */
static enum bough_err have_date(
    struct bough_sync__request *r, struct bough_sync__session *s, const struct bough_oid *id)
{
    struct bough_found found;
    struct bough_commit c;
    struct bough_buf body;
    int64_t date = 0;
    enum bough_err err = bough_store_find(s->store, id, &found);
    if (err || found.type != BOUGH_COMMIT)
        return err;
    bough_buf_init(&body, s->mem);
    err = bough_sync__commit_read(s->store, id, &body, &c, &date);
    bough_buf_fini(&body);
    if (!err && date < r->oldest)
        r->oldest = date;
    return err;
}

enum bough_err bough_sync__request_have(struct bough_sync__request *r,
    struct bough_sync__session *s, struct bough_view hex, bool *common)
{
    struct bough_oid id;
    uint32_t row;
    *common = false;
    enum bough_err err = bough_sync__session_id(s, hex, &id);
    if (err)
        return err;
    if (++r->haves_n > s->opts.limits.haves_max)
        return bough_sync__session_fail(s, BOUGH_ETOOBIG, "too many haves (limit haves_max)", NULL);
    err = bough_store_has(s->store, &id);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    *common = true;
    r->last = id;
    err = bough_sync__ids_add(&r->haves, &id, &row);
    return err ? err : have_date(r, s, &id);
}

/* ---- Shallow lines ---- */

static enum bough_err shallow(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view hex)
{
    struct bough_oid id;
    struct bough_found found;
    uint32_t row;
    enum bough_err err = bough_sync__session_id(s, hex, &id);
    if (err)
        return err;
    if (++r->shallows_n > s->opts.limits.haves_max)
        return bough_sync__session_fail(
            s, BOUGH_ETOOBIG, "too many shallow commits (limit haves_max)", NULL);
    err = bough_store_find(s->store, &id, &found);
    if (err == BOUGH_ENOENT || (!err && found.type != BOUGH_COMMIT))
        return BOUGH_OK; /* of no use to us */
    return err ? err : bough_sync__ids_add(&r->shallows, &id, &row);
}

static enum bough_err deepen_not(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view name)
{
    static const char *const before[] = {"", "refs/", "refs/tags/", "refs/heads/"};
    struct bough_ref ref;
    struct bough_buf full;
    uint32_t row;
    enum bough_err err = BOUGH_ENOENT;
    if (r->nots.n >= s->opts.limits.wants_max)
        return bough_sync__session_fail(s, BOUGH_ETOOBIG, "too many wants (limit wants_max)", NULL);
    bough_buf_init(&full, s->mem);
    for (size_t i = 0; err == BOUGH_ENOENT && i < sizeof before / sizeof *before; i++) {
        bough_buf_clear(&full);
        bough_buf_put_str(&full, before[i]);
        bough_buf_put_view(&full, name);
        if (full.len > 0 && full.len <= BOUGH_REF_NAME_MAX)
            err = full.err ? full.err : bough_sync__ref_follow(s, bough_buf_view(&full), &ref);
        if (err == BOUGH_EKEY)
            err = BOUGH_ENOENT;
    }
    bough_buf_fini(&full);
    if (err == BOUGH_ENOENT)
        return bough_sync__session_fail_text(
            s, BOUGH_EFORMAT, "git upload-pack: ambiguous deepen-not", name);
    return err ? err : bough_sync__ids_add(&r->nots, &ref.id, &row);
}

static enum bough_err deepen(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view number)
{
    if (!bough_sync__number(number, INT32_MAX, &r->depth) || r->depth == 0)
        return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "Invalid deepen", number);
    return BOUGH_OK;
}

static enum bough_err deepen_since(
    struct bough_sync__request *r, struct bough_sync__session *s, struct bough_view number)
{
    uint64_t since;
    if (!bough_sync__number(number, INT64_MAX, &since) || since == 0)
        return bough_sync__session_fail_text(s, BOUGH_EFORMAT, "Invalid deepen-since", number);
    r->since = (int64_t)since;
    return BOUGH_OK;
}

/* One way to say a depth, as git's own server has it. */
static enum bough_err deepen_once(
    const struct bough_sync__request *r, struct bough_sync__session *s)
{
    if (r->depth > 0 && (r->since != 0 || r->nots.n > 0))
        return bough_sync__session_fail(s, BOUGH_EFORMAT,
            "git upload-pack: deepen and deepen-since (or deepen-not) cannot be used together",
            NULL);
    return BOUGH_OK;
}

static enum bough_err deepen_line(struct bough_sync__request *r, struct bough_sync__session *s,
    struct bough_view line, bool *known)
{
    enum bough_err err = BOUGH_OK;
    if (bough_sync__take(&line, "deepen "))
        err = deepen(r, s, line);
    else if (bough_sync__take(&line, "deepen-since "))
        err = deepen_since(r, s, line);
    else if (bough_sync__take(&line, "deepen-not "))
        err = deepen_not(r, s, line);
    else
        *known = false;
    return err ? err : deepen_once(r, s);
}

/* ---- Lines ---- */

/* Words that switch something on. */
static bool flag_line(struct bough_sync__request *r, struct bough_view line)
{
    if (bough_sync__is(line, "done"))
        r->done = true;
    else if (bough_sync__is(line, "thin-pack"))
        r->thin = true;
    else if (bough_sync__is(line, "ofs-delta"))
        r->ofs = true;
    else if (bough_sync__is(line, "no-progress"))
        r->no_progress = true;
    else if (bough_sync__is(line, "include-tag"))
        r->include_tag = true;
    else if (bough_sync__is(line, "deepen-relative"))
        r->relative = true;
    else if (bough_sync__is(line, "wait-for-done"))
        r->wait_for_done = true;
    else
        return false;
    return true;
}

enum bough_err bough_sync__request_line(struct bough_sync__request *r,
    struct bough_sync__session *s, struct bough_view line, bool caps, bool *known)
{
    bool common;
    *known = true;
    if (bough_sync__take(&line, "want "))
        return want(r, s, line, caps);
    if (bough_sync__take(&line, "have "))
        return bough_sync__request_have(r, s, line, &common);
    if (bough_sync__take(&line, "want-ref "))
        return want_ref(r, s, line);
    if (bough_sync__take(&line, "shallow "))
        return shallow(r, s, line);
    enum bough_err err = deepen_line(r, s, line, known);
    if (err || *known)
        return err;
    *known = flag_line(r, line);
    return BOUGH_OK;
}
