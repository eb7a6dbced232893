/*
 * head.c - what this process knows of branches.
 *
 *   table      heads by ref name
 *   loading    ref, root, and what the journal holds for one
 *   recovery   what the journal holds for all
 *
 * Only branches that somebody opened or that have an open window are in the table.  A head
 * that is not loaded knows nothing; whoever needs it loads it first.  After a transaction
 * failed, the heads it touched are loaded again: ref, then records, as when opening.
 */
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/tree_inner.h"
#include "repo/txn_inner.h"

static struct bough_repo__head **head_bucket(struct bough_repo *r, struct bough_view name)
{
    return &r->heads[bough_mix64(r->key, name.ptr, name.len) & (BOUGH_REPO__BUCKETS - 1)];
}

static size_t head_size(const struct bough_repo__head *h)
{
    return sizeof *h + h->name_len;
}

static struct bough_repo__head *head_find(struct bough_repo *r, struct bough_view name)
{
    struct bough_repo__head *h = *head_bucket(r, name);

    while (h != NULL && !bough_view_eq(bough_repo__head_name(h), name))
        h = h->bucket;
    return h;
}

static void head_free(struct bough_repo__head *h)
{
    bough_repo__tree_fini(&h->tree);
    bough_buf_fini(&h->who);
    bough_mem_free(h->r->mem, h, head_size(h));
}

void bough_repo__head_release(struct bough_repo__head *h)
{
    struct bough_repo__head **at;

    if (!h->loaded || h->touched || h->handles > 0 || h->ops > 0 || h->own_window)
        return;
    at = head_bucket(h->r, bough_repo__head_name(h));
    while (*at != h)
        at = &(*at)->bucket;
    *at = h->bucket;
    head_free(h);
}

void bough_repo__heads_fini(struct bough_repo *r)
{
    for (size_t i = 0; i < BOUGH_REPO__BUCKETS; i++) {
        while (r->heads[i] != NULL) {
            struct bough_repo__head *h = r->heads[i];

            r->heads[i] = h->bucket;
            BOUGH_ASSERT(h->handles == 0); /* every branch was closed */
            head_free(h);
        }
    }
}

static enum bough_err head_add(
    struct bough_repo *r, struct bough_view name, struct bough_repo__head **out)
{
    struct bough_repo__head **at = head_bucket(r, name);
    struct bough_repo__head *h = bough_mem_alloc(r->mem, sizeof *h + name.len);

    if (h == NULL)
        return BOUGH_ENOMEM;
    memset(h, 0, sizeof *h);
    h->r = r;
    h->name_len = name.len;
    memcpy(h->name, name.ptr, name.len);
    bough_repo__tree_init(&h->tree, r, NULL);
    bough_repo__tree_stamp(&h->tree);
    bough_buf_init(&h->who, r->mem);
    h->bucket = *at;
    *at = h;
    *out = h;
    return BOUGH_OK;
}

struct bough_window bough_repo__head_window(const struct bough_repo__head *h)
{
    struct bough_window w = h->own_window ? h->window : h->r->window;

    if ((h->r->store->caps & BOUGH_STORE_RECORDS) == 0)
        w.time_ms = 0;
    if (w.ops == 0)
        w.ops = 512;
    if (w.bytes == 0)
        w.bytes = 8 << 20;
    return w;
}

void bough_repo__head_shut(struct bough_repo__head *h)
{
    struct bough_repo__head **at = &h->r->open;

    while (*at != NULL && *at != h)
        at = &(*at)->open_next;
    if (*at != NULL)
        *at = h->open_next;
    h->open_next = NULL;
    h->ops = 0;
    h->bytes = 0;
    h->journal = 0;
    h->seq = 0;
}

/* ---- Loading ---- */

/* The journal, or one stream of it, copied: the store may not be called while it is read. */
struct journal {
    struct bough_view stream; /* len 0: all */
    struct bough_buf bytes;   /* each: u32 stream length, u32 length, u64 sequence, both */
};

static enum bough_err journal_take(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    struct journal *j = (struct journal *)ctx;

    if (j->stream.len > 0 && !bough_view_eq(j->stream, stream))
        return BOUGH_OK;
    bough_buf_put32le(&j->bytes, (uint32_t)stream.len);
    bough_buf_put32le(&j->bytes, (uint32_t)bytes.len);
    bough_buf_put64le(&j->bytes, seq);
    bough_buf_put_view(&j->bytes, stream);
    bough_buf_put_view(&j->bytes, bytes);
    return j->bytes.err;
}

static enum bough_err change_apply(
    struct bough_repo__head *h, const struct bough_repo__record_change *c)
{
    if (!c->remove)
        return bough_tree_set(
            &h->tree, c->path, bough_repo__mode_of(c->mode), &c->id, bough_view(NULL, 0));
    return bough_tree_remove(&h->tree, c->path);
}

/* Bring a record back into the overlay. */
static enum bough_err head_replay(
    struct bough_repo__head *h, uint64_t seq, const struct bough_repo__record *rec)
{
    struct bough_view left = rec->changes;
    struct bough_repo__record_change c;
    enum bough_err err = BOUGH_OK;

    if (h->ops > 0 && rec->window != h->number) {
        h->handles++; /* folded it would be let go */
        err = bough_repo__fold_now(h);
        h->handles--;
    }
    if (err == BOUGH_OK && h->ops == 0) {
        bough_buf_clear(&h->who);
        bough_repo__who_put(&h->who, &rec->info);
        err = h->who.err;
        h->number = rec->window;
        h->opened = bough_env_now(h->r->store->env);
        h->open_next = h->r->open;
        h->r->open = h;
        h->ops = 1; /* open from here on, whatever is in it */
    }
    for (uint32_t i = 0; i < rec->changes_n && err == BOUGH_OK; i++) {
        err = bough_repo__change_get(h->r, &left, &c);
        if (err == BOUGH_OK)
            err = change_apply(h, &c);
        if (err == BOUGH_ENOENT)
            err = BOUGH_ECORRUPT;
        h->ops++;
    }
    h->seq = seq;
    h->author_time = rec->info.author.time;
    h->committer_time = rec->info.committer.time;
    return err;
}

/* Replay what was taken; each stream is a branch. */
static enum bough_err journal_replay(struct bough_repo *r, struct journal *j)
{
    const uint8_t *p = j->bytes.ptr, *end = p == NULL ? p : p + j->bytes.len;
    enum bough_err err = BOUGH_OK;

    while (j->bytes.len > 0 && p < end && err == BOUGH_OK) {
        struct bough_view stream = bough_view(p + 16, bough_get32le(p));
        struct bough_view bytes = bough_view(stream.ptr + stream.len, bough_get32le(p + 4));
        struct bough_repo__record rec;
        struct bough_repo__head *h = NULL;

        err = j->stream.len > 0 ? BOUGH_OK : bough_repo__head_get(r, stream, &h);
        if (err == BOUGH_OK && h == NULL)
            h = head_find(r, stream);
        if (err == BOUGH_OK)
            err = bough_repo__record_get(r, bytes, &rec);
        if (err == BOUGH_OK)
            err = head_replay(h, bough_get64le(p + 8), &rec);
        p = bytes.ptr + bytes.len;
    }
    return err;
}

static enum bough_err journal_load(struct bough_repo *r, struct bough_view stream)
{
    struct journal j = {.stream = stream};
    enum bough_err err;

    if ((r->store->caps & BOUGH_STORE_RECORDS) == 0)
        return BOUGH_OK;
    bough_buf_init(&j.bytes, r->mem);
    err = bough_store_records(r->store, journal_take, &j);
    if (err == BOUGH_OK)
        err = journal_replay(r, &j);
    bough_buf_fini(&j.bytes);
    return err;
}

/* The ref and its root; no window is open. */
static enum bough_err head_read(struct bough_repo__head *h)
{
    struct bough_oid root = *bough_oid_empty_tree(h->r->algo);
    struct bough_ref ref;
    enum bough_err err = bough_repo__ref_now(h->r, bough_repo__head_name(h), &ref);

    if (err && err != BOUGH_ENOENT)
        return err;
    memset(&h->commit, 0, sizeof h->commit);
    if (err == BOUGH_OK && ref.kind == BOUGH_REF_ID) {
        h->commit = ref.id;
        err = bough_repo_root_of(h->r, &h->commit, &root);
        if (err)
            return err;
    }
    bough_repo__head_shut(h);
    bough_repo__tree_reset(&h->tree, &root);
    return BOUGH_OK;
}

/* Where others write, too: the branch may be elsewhere by now. */
static enum bough_err head_follow(struct bough_repo__head *h)
{
    struct bough_oid now = {{0}};
    struct bough_ref ref;
    enum bough_err err;

    if ((h->r->store->caps & BOUGH_STORE_SHARED) == 0 || h->touched || h->ops > 0 ||
        h->r->trial != NULL)
        return BOUGH_OK;
    err = bough_repo__ref_now(h->r, bough_repo__head_name(h), &ref);
    if (err && err != BOUGH_ENOENT)
        return err;
    if (err == BOUGH_OK && ref.kind == BOUGH_REF_ID)
        now = ref.id;
    return bough_oid_eq(&now, &h->commit) ? BOUGH_OK : head_read(h);
}

enum bough_err bough_repo__head_load(struct bough_repo__head *h)
{
    enum bough_err err;

    if (h->loaded)
        return head_follow(h);
    err = head_read(h);
    if (err)
        return err;
    h->loaded = true;
    if (!h->stale)
        return BOUGH_OK;
    err = journal_load(h->r, bough_repo__head_name(h));
    if (err) {
        h->loaded = false;
        bough_repo__head_shut(h);
        return err;
    }
    h->stale = false;
    h->r->stale_n--;
    return BOUGH_OK;
}

enum bough_err bough_repo__head_get(
    struct bough_repo *r, struct bough_view name, struct bough_repo__head **out)
{
    enum bough_err err = BOUGH_OK;

    *out = head_find(r, name);
    if (*out == NULL)
        err = head_add(r, name, out);
    return err ? err : bough_repo__head_load(*out);
}

enum bough_err bough_repo__head_known(
    struct bough_repo *r, struct bough_view name, struct bough_repo__head **out)
{
    *out = head_find(r, name);
    return *out == NULL ? BOUGH_OK : bough_repo__head_load(*out);
}

/* ---- Recovery ---- */

enum bough_err bough_repo__heads_recover(struct bough_repo *r)
{
    return journal_load(r, bough_view(NULL, 0));
}

enum bough_err bough_repo__heads_refresh(struct bough_repo *r)
{
    for (size_t i = 0; i < BOUGH_REPO__BUCKETS && r->stale_n > 0; i++) {
        for (struct bough_repo__head *h = r->heads[i]; h != NULL; h = h->bucket) {
            enum bough_err err = h->stale ? bough_repo__head_load(h) : BOUGH_OK;

            if (err)
                return err;
        }
    }
    return BOUGH_OK;
}
