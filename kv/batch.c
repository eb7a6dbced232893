/*
 * batch.c - batches, for every driver that can say what is now, fork it and publish a fork.
 *
 *   steps       what is asked for is kept: batch_steps.c
 *   the place   reads and writes go to the fork `work`
 *   testing     conditions; did a path change between `now` and then?
 *   commit      publish, or run the steps again on a newer state
 *
 * Begin takes two views of the place: `now`, which never changes, and `work`, a fork of it that the
 * batch reads and writes.  Commit looks again.  When the root is still that of `now`, `work` is
 * published.  Otherwise a test-and-set compares, path by path, the ids of `now` with those of
 * today; where none differs the steps mean today what they meant then, so running them again on a
 * fork of today *is* the rebase.  A retry runs them again without comparing.  Which paths were written
 * the steps say; those on which an answer depended besides are noted.
 */
#include "kv/batch_inner.h"
#include "kv/inner.h"

struct expect {
    struct bough_view path;
    struct bough_oid digest;
};

struct batch {
    struct bough_kv kv;
    struct bough_kv *parent, *now, *work;
    const struct bough_kv__host *host;
    enum bough_strategy strategy;
    struct bough_kv__info info;
    struct bough_kv__steps steps;
    struct bough_kv__looks looks;
    struct bough_arena arena; /* paths of expects */
    struct expect *expects;
    size_t expects_n, expects_cap;
    bool again; /* commit even if nothing changes */
};

static const struct bough_kv_class batch_class;

/* ---- Steps ---- */

enum bough_err bough_kv__batch_step(struct bough_kv *kv, const struct bough_kv__step *step)
{
    return kv->in_batch ? bough_kv__steps_add(&((struct batch *)kv)->steps, step) : BOUGH_OK;
}

void bough_kv__batch_unstep(struct bough_kv *kv)
{
    if (kv->in_batch)
        bough_kv__steps_unadd(&((struct batch *)kv)->steps);
}

enum bough_err bough_kv__batch_blob(
    struct bough_kv *kv, uint64_t size, struct bough_source *src, struct bough_oid *id)
{
    struct batch *b = (struct batch *)kv;

    BOUGH_ASSERT(kv->in_batch);
    if (size <= BOUGH_KV__WHOLE_MAX || b->host->blob == NULL)
        return BOUGH_ENOTSUP;
    return b->host->blob(b->parent, size, src, id);
}

/* ---- The place ---- */

static void batch_close(struct bough_kv *kv)
{
    struct batch *b = (struct batch *)kv;
    struct bough_mem *mem = kv->env->mem;

    b->parent->batch = NULL;
    bough_kv_close(b->work); /* before the steps, which lend it their values */
    bough_kv_close(b->now);
    bough_kv__steps_fini(&b->steps);
    bough_kv__looks_fini(&b->looks);
    bough_mem_free(mem, b->expects, b->expects_cap * sizeof *b->expects);
    bough_arena_fini(&b->arena);
    bough_kv__info_fini(&b->info);
    bough_mem_free(mem, b, sizeof *b);
}

static enum bough_err batch_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct batch *b = (struct batch *)kv;

    if (!kv->writing && bough_kv__looks_add(&b->looks, path))
        return BOUGH_ENOMEM;
    return b->work->cls->find(b->work, path, out, through);
}

static enum bough_err batch_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out)
{
    struct bough_kv *work = ((struct batch *)kv)->work;

    return work->cls->get_part(work, path, n, at, len, out);
}

static enum bough_err batch_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out)
{
    struct bough_kv *work = ((struct batch *)kv)->work;

    return work->cls->size(work, path, n, out);
}

static enum bough_err batch_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out)
{
    struct batch *b = (struct batch *)kv;

    if (!kv->writing && bough_kv__looks_add(&b->looks, path))
        return BOUGH_ENOMEM;
    return b->work->cls->next(b->work, path, after, out);
}

static enum bough_err batch_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct batch *b = (struct batch *)kv;

    if (bough_kv__looks_add(&b->looks, path))
        return BOUGH_ENOMEM;
    return b->work->cls->digest(b->work, path, out);
}

/* Is what is at `path` the same in both places? */
static enum bough_err place_same(
    struct bough_kv *a, struct bough_kv *b, struct bough_view path, bool *same)
{
    struct bough_node an, bn;
    struct bough_oid ai, bi;
    enum bough_err err = a->cls->find(a, path, &an, NULL);

    if (!err)
        err = b->cls->find(b, path, &bn, NULL);
    if (err)
        return err;
    *same = an.kind == bn.kind;
    if (an.kind == BOUGH_NODE_NONE || !*same)
        return BOUGH_OK;
    err = a->cls->digest(a, path, &ai);
    if (!err)
        err = b->cls->digest(b, path, &bi);
    if (!err)
        *same = bough_oid_eq(&ai, &bi) && (an.kind == BOUGH_NODE_DICT || an.mode == bn.mode);
    return err;
}

static enum bough_err batch_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out)
{
    struct batch *b = (struct batch *)kv;
    bool same;
    enum bough_err err = place_same(b->now, b->work, path, &same);

    if (err)
        return err;
    if (same)
        return b->now->cls->last_modified(b->now, path, out);
    out->time = bough_kv__info_time(&b->info, kv->env);
    return BOUGH_OK;
}

/* The bytes of a step, for the driver to lend to its tree. */
static enum bough_err write_lend(struct batch *b, struct bough_write *w)
{
    struct bough_kv__kept *k = b->steps.last;

    if (b->host->spill == NULL || k->op != BOUGH_KV__SET)
        return BOUGH_OK;
    w->bytes = k->value.bytes;
    w->lent = &k->value;
    return bough_oid_make(b->kv.algo, BOUGH_BLOB, w->bytes, &k->value.id, &b->kv.why);
}

static enum bough_err batch_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct batch *b = (struct batch *)kv;
    struct bough_write one = *w;
    enum bough_err err;

    BOUGH_ASSERT(n == 1 && b->steps.n > 0); /* kv.c tells each before it is done */
    err = write_lend(b, &one);
    if (!err)
        err = b->work->cls->write(b->work, &one, 1, flags);
    if (err) /* the step goes */
        return bough_kv__looks_add(&b->looks, w->path) ? BOUGH_ENOMEM : err;
    if ((flags & BOUGH_SET_AGAIN) != 0)
        b->again = true;
    bough_kv__steps_spill(&b->steps, b->parent, b->host); /* nobody borrows bytes of it now */
    return BOUGH_OK;
}

static enum bough_err batch_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct batch *b = (struct batch *)kv;
    enum bough_err err = b->work->cls->move(b->work, from, to);

    if (!err)
        return BOUGH_OK;
    if (bough_kv__looks_add(&b->looks, from) || bough_kv__looks_add(&b->looks, to))
        return BOUGH_ENOMEM;
    return err;
}

static enum bough_err batch_info(struct bough_kv *kv, const struct bough_info *info)
{
    struct batch *b = (struct batch *)kv;
    enum bough_err err = bough_kv__info_set(&b->info, info);

    return err ? err : bough_kv_info(b->work, info);
}

static enum bough_err batch_expect(
    struct bough_kv *kv, struct bough_view path, const struct bough_oid *digest)
{
    struct batch *b = (struct batch *)kv;
    void *expects = b->expects;
    struct bough_view copy = bough_arena_copy(&b->arena, path);

    if (copy.ptr == NULL || bough_mem_grow(kv->env->mem, &expects, &b->expects_cap,
                                b->expects_n + 1, sizeof *b->expects))
        return BOUGH_ENOMEM;
    b->expects = expects;
    b->expects[b->expects_n++] = (struct expect){copy, *digest};
    return BOUGH_OK;
}

/* ---- Testing ---- */

/* The first path, in order, that failed so far. */
struct failed {
    struct bough_view path;
    bool any;
};

static void failed_note(struct failed *f, struct bough_view path)
{
    if (!f->any || bough_kv__path_cmp(path, f->path) < 0)
        f->path = path;
    f->any = true;
}

static enum bough_err test_expects(struct batch *b, struct bough_kv *today, struct failed *f)
{
    for (size_t i = 0; i < b->expects_n; i++) {
        struct bough_oid id = {{0}};
        enum bough_err err = today->cls->digest(today, b->expects[i].path, &id);

        if (err && err != BOUGH_ENOENT)
            return err;
        if (!bough_oid_eq(&id, &b->expects[i].digest))
            failed_note(f, b->expects[i].path);
    }
    return BOUGH_OK;
}

static enum bough_err test_path(
    struct batch *b, struct bough_kv *today, struct bough_view path, struct failed *f)
{
    bool same;
    enum bough_err err = place_same(b->now, today, path, &same);

    if (!err && !same)
        failed_note(f, path);
    return err;
}

/* What was looked at, what was written. */
static enum bough_err test_paths(struct batch *b, struct bough_kv *today, struct failed *f)
{
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; !err && i < b->looks.slots_n; i++) {
        if (b->looks.slots[i].path.ptr != NULL)
            err = test_path(b, today, b->looks.slots[i].path, f);
    }
    for (const struct bough_kv__kept *k = b->steps.first; !err && k != NULL; k = k->next) {
        err = test_path(b, today, bough_view(k->key, k->key_len), f);
        if (!err && k->op == BOUGH_KV__RENAME)
            err = test_path(b, today, k->value.bytes, f);
    }
    return err;
}

/* Conditions, and for test-and-set the paths; `moved`: `today` is another state than `now`. */
static enum bough_err batch_test(struct batch *b, struct bough_kv *today, bool moved)
{
    struct failed f = {.any = false};
    enum bough_err err = test_expects(b, today, &f);

    if (!err && moved && b->strategy == BOUGH_TEST_AND_SET)
        err = test_paths(b, today, &f);
    if (err)
        return bough_kv__why(&b->parent->why, err, "", bough_view("", 0));
    if (f.any)
        return bough_kv__why(&b->parent->why, BOUGH_ETEST, "changed meanwhile", f.path);
    return BOUGH_OK;
}

/* ---- Commit ---- */

/* Did a step fail because of what stands there today? */
static bool in_the_way(enum bough_err err)
{
    return err == BOUGH_ENOENT || err == BOUGH_EEXIST || err == BOUGH_EDICT || err == BOUGH_EVALUE;
}

/* Run the steps on a fork of `today`, which becomes the work. */
static enum bough_err batch_rerun(struct batch *b, struct bough_kv *today)
{
    const struct bough_kv__kept *failed = NULL;
    struct bough_kv *work = NULL;
    enum bough_err err = b->host->fork(b->parent, today, &work);

    if (!err)
        err = bough_kv_info(work, &b->info.info);
    if (err) {
        bough_kv_close(work);
        return bough_kv__why(&b->parent->why, err, "", bough_view("", 0));
    }
    err = bough_kv__steps_run(&b->steps, work, b->strategy == BOUGH_TEST_AND_SET, &failed);
    if (err) {
        b->parent->why = work->why;
        bough_kv_close(work);
        if (b->strategy == BOUGH_TEST_AND_SET && in_the_way(err))
            return bough_kv__why(&b->parent->why, BOUGH_ETEST, "in the way meanwhile",
                bough_view(failed->key, failed->key_len));
        return err;
    }
    bough_kv_close(b->work);
    b->work = work;
    return BOUGH_OK;
}

/* The message of a batch that is one rename; other messages are made from the changes. */
static void message_put(const struct batch *b, struct bough_buf *out)
{
    const struct bough_kv__kept *k = b->steps.first;

    if (b->info.info.message.ptr == NULL && b->steps.n == 1 && k->op == BOUGH_KV__RENAME)
        bough_kv__rename_message(out, bough_view(k->key, k->key_len), k->value.bytes);
}

static enum bough_err batch_publish(struct batch *b, struct bough_kv *today)
{
    struct bough_info info = b->info.info;
    struct bough_buf message;
    enum bough_err err;

    bough_buf_init(&message, b->kv.env->mem);
    message_put(b, &message);
    if (message.len > 0)
        info.message = bough_buf_view(&message);
    err = message.err;
    if (!err)
        err = b->host->publish(b->parent, today, b->work, &info, b->again);
    bough_buf_fini(&message);
    return err == BOUGH_ETEST ? err : bough_kv__fail(b->parent, err, bough_view("", 0));
}

/* Once: look, test, bring up to date, publish.  BOUGH_EAGAIN: it moved in between. */
static enum bough_err commit_once(struct batch *b, uint32_t *reruns, struct bough_kv *today)
{
    bool same;
    enum bough_err err = place_same(b->now, today, bough_view("", 0), &same);

    if (err == BOUGH_EEXPIRED && b->strategy == BOUGH_RETRY && bough_kv__steps_hold(&b->steps)) {
        err = BOUGH_OK;
        same = false;
    }
    if (err)
        return bough_kv__why(&b->parent->why, err, "", bough_view("", 0));
    err = batch_test(b, today, !same);
    if (err)
        return err;
    if (!same && b->strategy == BOUGH_RETRY && *reruns == b->kv.retries)
        return bough_kv__retries_fail(b->parent, b->kv.retries);
    if (!same) {
        err = batch_rerun(b, today);
        ++*reruns;
    }
    if (err)
        return err;
    err = batch_publish(b, today);
    return err == BOUGH_ETEST ? BOUGH_EAGAIN : err;
}

static enum bough_err batch_commit(struct bough_kv *kv)
{
    struct batch *b = (struct batch *)kv;
    uint32_t reruns = 0;

    b->parent->why.err = BOUGH_OK;
    for (;;) {
        struct bough_kv *today;
        enum bough_err err = b->host->now(b->parent, &today);

        if (err)
            return bough_kv__fail(b->parent, err, bough_view("", 0));
        err = commit_once(b, &reruns, today);
        bough_kv_close(today);
        if (err != BOUGH_EAGAIN)
            return err;
    }
}

static const struct bough_kv_class batch_class = {
    .name = "batch",
    .close = batch_close,
    .find = batch_find,
    .get_part = batch_get_part,
    .size = batch_size,
    .next = batch_next,
    .digest = batch_digest,
    .last_modified = batch_last_modified,
    .write = batch_write,
    .move = batch_move,
    .info = batch_info,
    .expect = batch_expect,
    .commit = batch_commit,
};

enum bough_err bough_kv__batch_open(struct bough_kv *kv, const struct bough_kv__host *host,
    const struct bough_kv__info *info, enum bough_strategy strategy, struct bough_kv **out)
{
    uint32_t gone = BOUGH_KV_BATCH | BOUGH_KV_SNAPSHOT | BOUGH_KV_HANDLES;
    struct batch *b;
    enum bough_err err;

    *out = NULL;
    if (strategy == BOUGH_MERGE)
        return BOUGH_ENOTSUP;
    b = bough_mem_zalloc(kv->env->mem, 1, sizeof *b);
    if (b == NULL)
        return BOUGH_ENOMEM;
    bough_kv_init(&b->kv, &batch_class, kv->env, kv->algo, kv->caps & ~gone);
    b->kv.in_batch = true;
    b->kv.retries = kv->retries;
    b->parent = kv;
    b->host = host;
    b->strategy = strategy;
    bough_kv__info_init(&b->info, kv->env->mem);
    bough_arena_init(&b->arena, kv->env->mem);
    bough_kv__steps_init(&b->steps, kv->env->mem);
    bough_kv__looks_init(&b->looks, kv->env);
    err = bough_kv__info_set(&b->info, &info->info);
    if (!err)
        err = host->now(kv, &b->now);
    if (!err)
        err = host->fork(kv, b->now, &b->work);
    if (!err)
        err = bough_kv_info(b->work, &b->info.info);
    if (err) {
        bough_kv_close(&b->kv);
        return err;
    }
    *out = &b->kv;
    return BOUGH_OK;
}
