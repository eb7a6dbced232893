/*
 * keep.c - what a collection keeps: policies by ref, and what only this process knows of.
 *
 *   words        a policy as text
 *   patterns     which policy counts for a ref
 *   the list     loaded when opened, changed with the store
 *   the keeper   what the store asks while it collects
 *   maintaining  steps of upkeep, and what is forgotten after one
 *
 * A policy is a symbolic ref outside of refs/: "keep/" and the full pattern, whose target is
 * the policy's text: "all", "100" (commits), "30d" (days), "100,30d" (whichever ends first).  So
 * it is as durable as any ref and changes with them.  All of them are in memory, too: the keeper is asked for
 * every ref there is and may not call the store meanwhile.
 */
#include "git/name.h"
#include "repo/edit_inner.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/keep_inner.h"
#include "repo/name_inner.h"
#include "repo/tree_inner.h"
#include "repo/txn_inner.h"

#define KEEP  "keep/"
#define HEADS "refs/heads/"

enum { KEEP_LEN = sizeof KEEP - 1, TEXT_MAX = 32, DAY_SEC = 86400 };

/* ---- Words ---- */

static bool number_take(struct bough_view *v, uint32_t *out)
{
    uint64_t n = 0;
    size_t at = 0;

    for (; at < v->len && v->ptr[at] >= '0' && v->ptr[at] <= '9' && n <= UINT32_MAX; at++)
        n = n * 10 + (uint64_t)(v->ptr[at] - '0');
    if (at == 0 || n == 0 || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    *v = bough_view(v->ptr + at, v->len - at);
    return true;
}

enum bough_err bough_keep_parse(struct bough_view text, struct bough_keep *out)
{
    struct bough_view left = text;

    out->commits = out->days = 0;
    if (bough_view_eq(text, bough_view_str("all")))
        return BOUGH_OK;
    for (bool more = true; more;) {
        uint32_t n = 0;
        bool days;

        if (!number_take(&left, &n))
            return BOUGH_EINVAL;
        days = left.len > 0 && left.ptr[0] == 'd';
        left = bough_view(left.ptr + days, left.len - days);
        more = left.len > 0;
        if (more && left.ptr[0] != ',')
            return BOUGH_EINVAL;
        left = bough_view(left.ptr + more, left.len - more);
        if ((days ? out->days : out->commits) != 0)
            return BOUGH_EINVAL;
        *(days ? &out->days : &out->commits) = n;
    }
    return BOUGH_OK;
}

void bough_keep_print(struct bough_buf *out, const struct bough_keep *k)
{
    if (k->commits == 0 && k->days == 0)
        bough_buf_put_str(out, "all");
    if (k->commits != 0)
        bough_buf_put_udec(out, k->commits);
    if (k->commits != 0 && k->days != 0)
        bough_buf_put_u8(out, ',');
    if (k->days != 0) {
        bough_buf_put_udec(out, k->days);
        bough_buf_put_u8(out, 'd');
    }
}

/* ---- Patterns ---- */

/* Does the full pattern, which has at most one `*`, fit the ref? */
static bool pattern_fits(struct bough_view p, struct bough_view ref)
{
    size_t star = 0, behind;

    while (star < p.len && p.ptr[star] != '*')
        star++;
    if (star == p.len)
        return bough_view_eq(p, ref);
    behind = p.len - star - 1;
    return ref.len >= star + behind &&
           bough_view_eq(bough_view(p.ptr, star), bough_view(ref.ptr, star)) &&
           bough_view_eq(bough_view(p.ptr + star + 1, behind),
               bough_view(ref.ptr + ref.len - behind, behind));
}

static struct bough_view keep_name(const struct bough_repo__keep *k)
{
    return bough_view(k->name, k->len);
}

static bool keep_is_exact(const struct bough_repo__keep *k)
{
    for (size_t i = 0; i < k->len; i++) {
        if (k->name[i] == '*')
            return false;
    }
    return true;
}

/* The ref's own, else the longest pattern that fits; NULL: none. */
static const struct bough_repo__keep *keep_for(struct bough_repo *r, struct bough_view ref)
{
    const struct bough_repo__keep *best = NULL;

    for (size_t i = 0; i < r->keeps_n; i++) {
        const struct bough_repo__keep *k = r->keeps[i];

        if (!pattern_fits(keep_name(k), ref))
            continue;
        if (keep_is_exact(k))
            return k;
        if (best == NULL || k->len > best->len)
            best = k;
    }
    return best;
}

bool bough_repo__keep_cuts(struct bough_repo *r, struct bough_view ref)
{
    const struct bough_repo__keep *k = keep_for(r, ref);

    return k != NULL && (k->commits != 0 || k->days != 0);
}

/* The full pattern of one as users write it: names of branches need no refs/heads/. */
static enum bough_err pattern_full(
    struct bough_repo *r, struct bough_view refs, struct bough_buf *out)
{
    bough_buf_put_str(out, KEEP);
    if (refs.len < 5 || memcmp(refs.ptr, "refs/", 5) != 0)
        bough_buf_put_str(out, HEADS);
    bough_buf_put_view(out, refs);
    if (out->err)
        return out->err;
    if (out->len > BOUGH_REF_NAME_MAX)
        return BOUGH_WHY(&r->why, BOUGH_ETOOBIG, "BOUGH_REF_NAME_MAX", refs.ptr, refs.len);
    return bough_refname_check(
        bough_view(out->ptr + KEEP_LEN, out->len - KEEP_LEN), BOUGH_REFNAME_PATTERN, &r->why);
}

/* ---- The list ---- */

static void keep_free(struct bough_repo *r, struct bough_repo__keep *k)
{
    bough_mem_free(r->mem, k, sizeof *k + k->len);
}

void bough_repo__keeps_fini(struct bough_repo *r)
{
    while (r->keeps_n > 0)
        keep_free(r, r->keeps[--r->keeps_n]);
    bough_mem_free(r->mem, r->keeps, r->keeps_cap * sizeof *r->keeps);
    r->keeps = NULL;
    r->keeps_cap = 0;
}

/* The place of a full pattern, or where it belongs. */
static size_t keeps_seek(const struct bough_repo *r, struct bough_view name, bool *found)
{
    size_t low = 0, high = r->keeps_n;

    *found = false;
    while (low < high && !*found) {
        size_t mid = low + (high - low) / 2;
        int cmp = bough_view_cmp(keep_name(r->keeps[mid]), name);

        *found = cmp == 0;
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return high;
}

static enum bough_err keeps_put(
    struct bough_repo *r, struct bough_view name, const struct bough_keep *policy)
{
    struct bough_repo__keep *k;
    void *keeps = r->keeps;
    bool found;
    size_t at = keeps_seek(r, name, &found);
    enum bough_err err = BOUGH_OK;

    if (!found && r->keeps_n == BOUGH_KEEP_MAX)
        return BOUGH_WHY(&r->why, BOUGH_ETOOBIG, "BOUGH_KEEP_MAX", name.ptr, name.len);
    if (!found) {
        err = bough_mem_grow(r->mem, &keeps, &r->keeps_cap, r->keeps_n + 1, sizeof *r->keeps);
        r->keeps = (struct bough_repo__keep **)keeps;
        k = err ? NULL : bough_mem_alloc(r->mem, sizeof *k + name.len);
        if (k == NULL)
            return BOUGH_ENOMEM;
        k->len = name.len;
        memcpy(k->name, name.ptr, name.len);
        memmove(r->keeps + at + 1, r->keeps + at, (r->keeps_n++ - at) * sizeof *r->keeps);
        r->keeps[at] = k;
    }
    r->keeps[at]->commits = policy->commits;
    r->keeps[at]->days = policy->days;
    return err;
}

static void keeps_remove(struct bough_repo *r, struct bough_view name)
{
    bool found;
    size_t at = keeps_seek(r, name, &found);

    if (!found)
        return;
    keep_free(r, r->keeps[at]);
    memmove(r->keeps + at, r->keeps + at + 1, (--r->keeps_n - at) * sizeof *r->keeps);
}

/* Read them all again: at the beginning, and after a change that did not happen. */
enum bough_err bough_repo__keeps_load(struct bough_repo *r)
{
    struct bough_view prefix = bough_view_str(KEEP);
    struct bough_buf after;
    struct bough_ref ref;
    enum bough_err err;

    r->keeps_stale = true;
    bough_repo__keeps_fini(r);
    bough_buf_init(&after, r->mem);
    while (
        (err = bough_store_ref_next(r->store, prefix, bough_buf_view(&after), &ref)) == BOUGH_OK) {
        struct bough_keep policy;

        bough_buf_clear(&after);
        bough_buf_put_view(&after, ref.name);
        err = after.err;
        if (err == BOUGH_OK && ref.kind == BOUGH_REF_SYM &&
            bough_keep_parse(ref.target, &policy) == BOUGH_OK)
            err = keeps_put(r, bough_view(after.ptr + KEEP_LEN, after.len - KEEP_LEN), &policy);
        else if (err == BOUGH_OK)
            err = BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "not a policy", after.ptr, after.len);
        if (err)
            break;
    }
    bough_buf_fini(&after);
    if (err != BOUGH_ENOENT)
        return err;
    r->keeps_stale = false;
    if (r->store->keeper == &r->keeper)
        bough_store_keep(r->store, &r->keeper); /* a collection may have been told otherwise */
    return BOUGH_OK;
}

static enum bough_err keeps_ready(struct bough_repo *r)
{
    return r->keeps_stale ? bough_repo__keeps_load(r) : BOUGH_OK;
}

/* Change one in the store and here; `text` of length 0: it goes. */
static enum bough_err keep_change(struct bough_repo *r, struct bough_view refs,
    const struct bough_keep *policy, struct bough_view text)
{
    struct bough_ref_change change = {
        .kind = text.len > 0 ? BOUGH_REF_SYM : BOUGH_REF_NONE, .target = text};
    struct bough_txn *txn;
    struct bough_buf full;
    bool found = true;
    enum bough_err err = keeps_ready(r);

    if (err == BOUGH_OK)
        err = bough_repo__begin(r);
    if (err)
        return err;
    bough_buf_init(&full, r->mem);
    err = pattern_full(r, refs, &full);
    change.name = bough_buf_view(&full);
    if (err == BOUGH_OK && text.len == 0)
        (void)keeps_seek(r, bough_view(full.ptr + KEEP_LEN, full.len - KEEP_LEN), &found);
    if (err == BOUGH_OK && !found)
        err = BOUGH_WHY(&r->why, BOUGH_ENOENT, "no policy of its own", refs.ptr, refs.len);
    if (err == BOUGH_OK)
        err = bough_repo__txn(r, &txn);
    if (err == BOUGH_OK) {
        txn->urgent = true; /* it is how a full device is made to shrink */
        r->keeps_touched = true;
        err = bough_txn_ref(txn, &change);
        txn->urgent = false;
    }
    if (err == BOUGH_OK && text.len > 0)
        err = keeps_put(r, bough_view(full.ptr + KEEP_LEN, full.len - KEEP_LEN), policy);
    else if (err == BOUGH_OK)
        keeps_remove(r, bough_view(full.ptr + KEEP_LEN, full.len - KEEP_LEN));
    if (err == BOUGH_OK)
        bough_store_keep(r->store, &r->keeper);
    bough_buf_fini(&full);
    return bough_repo__end(r, err);
}

enum bough_err bough_repo_keep_set(struct bough_repo *r, const struct bough_keep *k)
{
    struct bough_buf text;
    enum bough_err err;

    bough_buf_init(&text, r->mem);
    bough_keep_print(&text, k);
    err = text.err ? text.err : keep_change(r, k->refs, k, bough_buf_view(&text));
    bough_buf_fini(&text);
    return err;
}

enum bough_err bough_repo_keep_unset(struct bough_repo *r, struct bough_view refs)
{
    return keep_change(r, refs, NULL, bough_view(NULL, 0));
}

static void keep_say(const struct bough_repo__keep *k, struct bough_keep *out)
{
    *out = (struct bough_keep){.refs = keep_name(k), .commits = k->commits, .days = k->days};
}

enum bough_err bough_repo_keep_next(
    struct bough_repo *r, struct bough_view after, struct bough_keep *out)
{
    enum bough_err err = keeps_ready(r);
    bool found = false;
    size_t at;

    if (err)
        return err;
    at = keeps_seek(r, after, &found);
    at += found;
    if (at >= r->keeps_n)
        return BOUGH_ENOENT;
    keep_say(r->keeps[at], out);
    return BOUGH_OK;
}

enum bough_err bough_repo_keep_of(
    struct bough_repo *r, struct bough_view ref, struct bough_keep *out)
{
    const struct bough_repo__keep *k;
    enum bough_err err = keeps_ready(r);

    if (err)
        return err;
    k = keep_for(r, ref);
    if (k == NULL)
        return BOUGH_ENOENT;
    keep_say(k, out);
    return BOUGH_OK;
}

/* ---- The keeper ---- */

struct telling {
    struct bough_repo *r;
    bough_store_emit_fn *emit;
    void *to;
};

/* The blobs that a record mentions. */
static enum bough_err record_tell(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    struct telling *t = ctx;
    struct bough_repo__record rec;
    struct bough_repo__record_change c;
    enum bough_err err = bough_repo__record_get(t->r, bytes, &rec);

    (void)stream;
    (void)seq;
    for (uint32_t i = 0; err == BOUGH_OK && i < rec.changes_n; i++) {
        err = bough_repo__change_get(t->r, &rec.changes, &c);
        if (err == BOUGH_OK && !c.remove && c.mode != BOUGH_REPO__SUB)
            err = t->emit(t->to, &c.id);
    }
    return err;
}

/* What is stored and was put into a tree that is open. */
static enum bough_err edit_tell(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e)
{
    struct telling *t = ctx;

    (void)d;
    (void)path;
    if (e->to.kind == BOUGH_NODE_NONE || bough_repo__change_bytes(&e->to).ptr != NULL ||
        e->to.dir != NULL || e->to.mode == BOUGH_REPO__SUB)
        return BOUGH_OK;
    return t->emit(t->to, &e->to.id);
}

static enum bough_err keeper_roots(void *ctx, bough_store_emit_fn *emit, void *to)
{
    struct telling t = {.r = ctx, .emit = emit, .to = to};
    enum bough_err err = bough_store_records(t.r->store, record_tell, &t);

    for (const struct bough_repo__opened *o = t.r->opened; o != NULL && err == BOUGH_OK;
         o = o->next)
        err = bough_repo__tree_edits(o->tree, edit_tell, &t);
    if (err == BOUGH_OK && t.r->keeps_stale)
        err = BOUGH_ENOMEM; /* they could not be read again; the next step tries */
    return err ? err : bough_repo__reflog_each(t.r, t.r->reflog_since, emit, to);
}

static enum bough_err keeper_retention(
    void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    struct bough_repo *r = ctx;
    const struct bough_repo__keep *k;

    if (r->keeps_stale)
        return BOUGH_ENOMEM;
    k = keep_for(r, ref->name);
    if (k == NULL)
        return BOUGH_OK;
    out->commits = k->commits;
    if (k->days != 0) {
        int64_t since = bough_env_now(r->store->env).sec - (int64_t)k->days * DAY_SEC;

        out->since = since < 1 ? 1 : (uint64_t)since;
    }
    return BOUGH_OK;
}

void bough_repo__keeper_init(struct bough_repo *r)
{
    r->keeper =
        (struct bough_store_keeper){.roots = keeper_roots, .retention = keeper_retention, .ctx = r};
    bough_store_keep(r->store, &r->keeper);
}

/* ---- Maintaining ---- */

enum bough_err bough_repo_collect(
    struct bough_repo *r, const struct bough_collect_opts *opts, uint64_t reflog_sec)
{
    int64_t now = bough_env_now(r->store->env).sec;
    uint64_t removed;
    enum bough_err err = keeps_ready(r);

    r->reflog_since = now <= 0 || reflog_sec >= (uint64_t)now ? 0 : now - (int64_t)reflog_sec;
    r->reflog_since += reflog_sec == 0; /* none: not even what was a moment ago */
    if (err == BOUGH_OK && !opts->dry_run)
        err = bough_reflog_expire(r, r->reflog_since, &removed);
    if (err == BOUGH_OK) {
        err = bough_store_collect(r->store, opts);
        if (err)
            r->why = r->store->why;
    }
    return err;
}

void bough_repo__collections_note(struct bough_repo *r)
{
    struct bough_collect_progress p;

    bough_store_collection(r->store, &p);
    if (p.collections == r->collections)
        return;
    r->collections = p.collections;
    r->reflog_since = 0;
}

enum bough_err bough_repo_maintain(struct bough_repo *r, uint64_t budget, bool *more)
{
    enum bough_err err = keeps_ready(r);

    *more = false;
    if (err == BOUGH_OK)
        err = bough_store_maintain(r->store, budget, more);
    if (err && r->store->why.err == err)
        r->why = r->store->why;
    bough_repo__collections_note(r);
    if (err == BOUGH_OK && !*more)
        bough_history__step(r, budget, more);
    return err;
}
