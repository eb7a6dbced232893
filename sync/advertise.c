/*
 * advertise.c - what we have and can: refs and capabilities.
 *
 *   capabilities   of version 0 (upload-pack, receive-pack) and version 2
 *   prefixes       those of ls-refs, sorted, so that only refs that match are looked at
 *   lines          one ref in either form
 *   steps          refs told as the client drains them
 *
 * Version 0: HEAD first (upload-pack only), then refs in byte order, what a
 * tag leads to after it with `^{}`; capabilities behind a NUL in the first line;
 * `0{40} capabilities^{}` when there is no ref; then a `shallow` line for each commit whose
 * parents were given up.  (gitprotocol-pack, gitprotocol-v2)
 */
#include "sync/inner.h"

enum { REF_COST = 256, FOLLOW_MAX = 5 };

/* ---- Capabilities ---- */

static void capability_agent(struct bough_sync__session *s, struct bough_buf *out)
{
    bough_buf_put_str(out, "agent=");
    bough_buf_put_str(out, s->opts.agent);
}

static void capability_format(struct bough_sync__session *s, struct bough_buf *out)
{
    bough_buf_put_str(out, "object-format=");
    bough_buf_put_str(out, bough_algo_name(s->algo));
}

void bough_sync__capabilities_v2(struct bough_sync__session *s)
{
    struct bough_buf *out = &s->out;
    bough_pkt_put_str(out, "version 2");
    size_t at = bough_pkt_begin(out);
    capability_agent(s, out);
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
    bough_pkt_put_str(out, "ls-refs=unborn");
    bough_pkt_put_str(out, "fetch=shallow wait-for-done ref-in-want");
    bough_pkt_put_str(out, "server-option");
    at = bough_pkt_begin(out);
    capability_format(s, out);
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

/* The ref that HEAD names, whether it exists or not. */
static enum bough_err head_target(struct bough_sync__session *s, struct bough_view *out)
{
    struct bough_ref head;
    enum bough_err err = bough_repo_ref(s->repo, bough_view_str("HEAD"), &head);
    if (!err && head.kind != BOUGH_REF_SYM)
        err = BOUGH_ENOENT;
    if (!err)
        *out = head.target;
    return err;
}

static enum bough_err capabilities_v0(struct bough_sync__session *s, struct bough_buf *out)
{
    if (s->service == BOUGH_SERVICE_UPLOAD_PACK) {
        struct bough_view target;
        bough_buf_put_str(out, "multi_ack thin-pack side-band side-band-64k ofs-delta shallow "
                               "deepen-since deepen-not deepen-relative no-progress include-tag "
                               "multi_ack_detailed allow-tip-sha1-in-want "
                               "allow-reachable-sha1-in-want ");
        if (s->opts.transport != BOUGH_TRANSPORT_DUPLEX)
            bough_buf_put_str(out, "no-done ");
        enum bough_err err = head_target(s, &target);
        if (!err) {
            bough_buf_put_str(out, "symref=HEAD:");
            bough_buf_put_view(out, target);
            bough_buf_put_u8(out, ' ');
        } else if (err != BOUGH_ENOENT) {
            return err;
        }
    } else {
        bough_buf_put_str(out, "report-status report-status-v2 delete-refs side-band-64k quiet "
                               "ofs-delta push-options ");
        if ((s->store->caps & BOUGH_STORE_ATOMIC_REFS) != 0)
            bough_buf_put_str(out, "atomic ");
    }
    capability_format(s, out);
    bough_buf_put_u8(out, ' ');
    capability_agent(s, out);
    return BOUGH_OK;
}

/* ---- Prefixes ---- */

void bough_sync__refs_init(struct bough_sync__refs *r, struct bough_mem *mem, bool v2)
{
    *r = (struct bough_sync__refs){.v2 = v2};
    bough_buf_init(&r->text, mem);
    bough_buf_init(&r->name, mem);
}

void bough_sync__refs_fini(struct bough_sync__refs *r)
{
    bough_mem_free(r->text.mem, r->prefixes, r->prefixes_cap * sizeof *r->prefixes);
    bough_buf_fini(&r->text);
    bough_buf_fini(&r->name);
}

void bough_sync__refs_prefix(
    struct bough_sync__refs *r, struct bough_sync__session *s, struct bough_view prefix)
{
    r->prefixed = ++r->text_n <= s->opts.limits.ref_prefixes_max;
    if (!r->prefixed) {
        bough_buf_clear(&r->text); /* too many: all refs are told, as git does */
        return;
    }
    if (prefix.len > BOUGH_REF_NAME_MAX)
        return; /* begins no name */
    bough_buf_put_view(&r->text, prefix);
    bough_buf_put_u8(&r->text, 0);
}

static void prefix_sift(struct bough_view *v, size_t at, size_t n)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && bough_view_cmp(v[child], v[child + 1]) < 0)
            child++;
        if (bough_view_cmp(v[at], v[child]) >= 0)
            return;
        struct bough_view swap = v[at];
        v[at] = v[child];
        v[child] = swap;
    }
}

static void prefixes_sort(struct bough_view *v, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        prefix_sift(v, i - 1, n);
    for (size_t i = n; i > 1; i--) {
        struct bough_view swap = v[0];
        v[0] = v[i - 1];
        v[i - 1] = swap;
        prefix_sift(v, 0, i - 1);
    }
}

static bool view_begins(struct bough_view v, struct bough_view prefix)
{
    return v.len >= prefix.len && (prefix.len == 0 || memcmp(v.ptr, prefix.ptr, prefix.len) == 0);
}

/* Cut the text into views: sorted, those outside refs/ and those that another covers left out. */
static enum bough_err prefixes_ready(struct bough_sync__refs *r)
{
    const struct bough_view all = bough_view_str("refs/");
    size_t n = 0;
    if (r->text.err)
        return r->text.err;
    void *v = r->prefixes;
    enum bough_err err = bough_mem_grow(r->text.mem, &v, &r->prefixes_cap,
        r->prefixed ? (size_t)r->text_n + 1 : 1, sizeof *r->prefixes);
    r->prefixes = v;
    if (err)
        return err;
    if (!r->prefixed)
        r->prefixes[n++] = all;
    for (size_t at = 0, end; r->prefixed && at < r->text.len; at = end + 1) {
        for (end = at; r->text.ptr[end] != 0;)
            end++;
        struct bough_view one = bough_view(r->text.ptr + at, end - at);
        if (view_begins(all, one))
            one = all;
        if (view_begins(one, all))
            r->prefixes[n++] = one;
    }
    prefixes_sort(r->prefixes, n);
    r->prefixes_n = 0;
    for (size_t i = 0; i < n; i++)
        if (r->prefixes_n == 0 || !view_begins(r->prefixes[i], r->prefixes[r->prefixes_n - 1]))
            r->prefixes[r->prefixes_n++] = r->prefixes[i];
    return BOUGH_OK;
}

/* Is HEAD asked for? */
static bool head_matches(const struct bough_sync__refs *r)
{
    for (size_t at = 0, end; r->prefixed && at < r->text.len; at = end + 1) {
        for (end = at; r->text.ptr[end] != 0;)
            end++;
        if (view_begins(bough_view_str("HEAD"), bough_view(r->text.ptr + at, end - at)))
            return true;
    }
    return !r->prefixed;
}

/* ---- Lines ---- */

enum bough_err bough_sync__ref_follow(
    struct bough_sync__session *s, struct bough_view target, struct bough_ref *out)
{
    struct bough_buf name; /* the target's bytes die with the next call on the store */
    bough_buf_init(&name, s->mem);
    bough_buf_put_view(&name, target);
    enum bough_err err = name.err;
    for (int i = 0; !err; i++) {
        err = i == FOLLOW_MAX ? BOUGH_ENOENT : bough_repo_ref(s->repo, bough_buf_view(&name), out);
        if (err || out->kind == BOUGH_REF_ID)
            break;
        bough_buf_clear(&name);
        bough_buf_put_view(&name, out->target);
        err = name.err;
    }
    bough_buf_fini(&name);
    return err;
}

static void put_id(struct bough_sync__session *s, struct bough_buf *out, const struct bough_oid *id)
{
    bough_buf_put_hex(out, id->bytes, bough_algo_len(s->algo));
}

static enum bough_err line_v0(struct bough_sync__refs *r, struct bough_sync__session *s,
    struct bough_view name, const struct bough_ref *ref)
{
    struct bough_buf *out = &s->out;
    size_t at = bough_pkt_begin(out);
    put_id(s, out, &ref->id);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_view(out, name);
    if (!r->any) {
        struct bough_oid peeled = ref->peeled;
        bough_buf_put_u8(out, 0);
        enum bough_err err = capabilities_v0(s, out); /* ref's views are no longer good */
        if (err)
            return err;
        bough_buf_put_u8(out, '\n');
        bough_pkt_end(out, at);
        r->any = true;
        if (bough_oid_is_zero(&peeled) || s->service != BOUGH_SERVICE_UPLOAD_PACK)
            return out->err;
        at = bough_pkt_begin(out);
        put_id(s, out, &peeled);
    } else {
        bough_buf_put_u8(out, '\n');
        bough_pkt_end(out, at);
        if (bough_oid_is_zero(&ref->peeled) || s->service != BOUGH_SERVICE_UPLOAD_PACK)
            return out->err;
        at = bough_pkt_begin(out);
        put_id(s, out, &ref->peeled);
    }
    bough_buf_put_u8(out, ' ');
    bough_buf_put_view(out, name);
    bough_buf_put_str(out, "^{}\n");
    bough_pkt_end(out, at);
    return out->err;
}

static void line_v2(struct bough_sync__refs *r, struct bough_sync__session *s,
    struct bough_view name, const struct bough_ref *ref, struct bough_view target)
{
    struct bough_buf *out = &s->out;
    size_t at = bough_pkt_begin(out);
    if (ref == NULL)
        bough_buf_put_str(out, "unborn");
    else
        put_id(s, out, &ref->id);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_view(out, name);
    if (r->symrefs && target.len > 0) {
        bough_buf_put_str(out, " symref-target:");
        bough_buf_put_view(out, target);
    }
    if (r->peel && ref != NULL && !bough_oid_is_zero(&ref->peeled)) {
        bough_buf_put_str(out, " peeled:");
        put_id(s, out, &ref->peeled);
    }
    bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

/* Tell the ref, symbolic or not; its name was copied to r->name. */
static enum bough_err ref_tell(
    struct bough_sync__refs *r, struct bough_sync__session *s, const struct bough_ref *ref)
{
    struct bough_view name = bough_buf_view(&r->name), target = {0};
    struct bough_ref found = *ref;
    struct bough_buf copy;
    enum bough_err err = BOUGH_OK;
    bough_buf_init(&copy, s->mem);
    if (ref->kind == BOUGH_REF_SYM) {
        bough_buf_put_view(&copy, ref->target);
        target = bough_buf_view(&copy);
        err = copy.err ? copy.err : bough_sync__ref_follow(s, target, &found);
    }
    if (err == BOUGH_ENOENT) {
        err = BOUGH_OK;
        if (r->unborn && bough_sync__is(name, "HEAD"))
            line_v2(r, s, name, NULL, target);
    } else if (!err) {
        uint32_t row;
        if (r->ids != NULL && r->ids->n < BOUGH_SYNC__TOLD_MAX)
            err = bough_sync__ids_add(r->ids, &found.id, &row);
        if (!err && r->v2)
            line_v2(r, s, name, &found, target);
        else if (!err)
            err = line_v0(r, s, name, &found);
    }
    bough_buf_fini(&copy);
    return err;
}

/* ---- Steps ---- */

static enum bough_err head_tell(struct bough_sync__refs *r, struct bough_sync__session *s)
{
    struct bough_ref head;
    r->head_done = true;
    if (s->service != BOUGH_SERVICE_UPLOAD_PACK || !head_matches(r))
        return BOUGH_OK;
    bough_buf_put_str(&r->name, "HEAD");
    enum bough_err err = bough_repo_ref(s->repo, bough_view_str("HEAD"), &head);
    if (!err)
        err = r->name.err ? r->name.err : ref_tell(r, s, &head);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* There is no ref: the capabilities still need a line. */
static enum bough_err none_tell(struct bough_sync__refs *r, struct bough_sync__session *s)
{
    struct bough_ref none = {.kind = BOUGH_REF_ID};
    return line_v0(r, s, bough_view_str("capabilities^{}"), &none);
}

static enum bough_err next_tell(struct bough_sync__refs *r, struct bough_sync__session *s)
{
    struct bough_ref ref;
    enum bough_err err =
        bough_repo_ref_next(s->repo, r->prefixes[r->prefix_at], bough_buf_view(&r->name), &ref);
    if (err == BOUGH_ENOENT) {
        r->prefix_at++;
        bough_buf_clear(&r->name);
        return BOUGH_OK;
    }
    if (err)
        return err;
    bough_buf_clear(&r->name);
    bough_buf_put_view(&r->name, ref.name);
    return r->name.err ? r->name.err : ref_tell(r, s, &ref);
}

/* Version 0: the next commit where history ends. */
static enum bough_err shallow_tell(struct bough_sync__refs *r, struct bough_sync__session *s)
{
    struct bough_oid id;
    enum bough_err err = bough_store_boundary_next(s->store, r->cut ? &r->shallow : NULL, &id);
    if (err == BOUGH_ENOENT) {
        r->over = true;
        return BOUGH_OK;
    }
    if (err)
        return err;
    size_t at = bough_pkt_begin(&s->out);
    bough_buf_put_str(&s->out, "shallow ");
    put_id(s, &s->out, &id);
    bough_buf_put_u8(&s->out, '\n');
    bough_pkt_end(&s->out, at);
    r->cut = true;
    r->shallow = id;
    return s->out.err;
}

enum bough_err bough_sync__refs_step(
    struct bough_sync__refs *r, struct bough_sync__session *s, size_t budget)
{
    enum bough_err err = BOUGH_OK;
    if (!r->head_done) {
        err = prefixes_ready(r);
        if (!err)
            err = head_tell(r, s);
        bough_buf_clear(&r->name);
    }
    for (size_t cost = 0; !err && cost < budget; cost += REF_COST) {
        if (bough_sync__session_full(s))
            break;
        if (r->prefix_at < r->prefixes_n)
            err = next_tell(r, s);
        else if (!r->any && !r->v2)
            err = none_tell(r, s);
        else if (!r->v2)
            err = shallow_tell(r, s);
        else
            r->over = true;
        if (r->over)
            break;
    }
    return err;
}
