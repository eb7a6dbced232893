/*
 * batch.c - batches, for every driver that can say what is now, fork it and publish a fork.
 *
 *   paths       which paths were read or written
 *   steps       what was asked for, to be run again; big ones spilled
 *   the place   reads and writes go to the fork `work`
 *   testing     conditions; did a path change between `now` and then?
 *   commit      publish, or run the steps again on a newer state
 *
 * Begin takes two views of the place: `now`, which never changes, and `work`, a fork of it that the
 * batch reads and writes.  Commit looks again.  When the root is still that of `now`, `work` is
 * published.  Otherwise a test-and-set compares, path by path, the ids of `now` with those of
 * today; where none differs the steps mean today what they meant then, so running them again on a
 * fork of today *is* the rebase.  A retry runs them again without comparing.
 */
#include "kv/inner.h"

enum { SPILL_AT = 8 << 20 }; /* bytes of values held by steps before they are spilled */

struct path_slot {
    struct bough_view path; /* ptr NULL: none */
    uint64_t hash;
};

struct expect {
    struct bough_view path;
    struct bough_oid digest;
};

struct step {
    struct bough_kv__step s; /* its views point into the batch's arenas */
    struct bough_set_opts opts;
};

struct batch {
    struct bough_kv kv;
    struct bough_kv *parent, *now, *work;
    const struct bough_kv__host *host;
    enum bough_strategy strategy;
    struct bough_kv__info info;
    struct bough_arena arena;  /* paths and steps */
    struct bough_arena values; /* bytes of steps that can be spilled: all leave together */
    struct path_slot *slots;   /* a hash table, a power of two */
    size_t slots_n, paths_n;
    uint64_t key;
    struct expect *expects;
    size_t expects_n, expects_cap;
    struct step **steps;
    size_t steps_n, steps_cap;
    uint64_t pending; /* bytes of values in steps */
    bool again;       /* commit even if nothing changes */
};

static const struct bough_kv_class batch_class;

/* ---- Paths ---- */

static struct path_slot *slot_of(const struct batch *b, struct bough_view path, uint64_t hash)
{
    size_t mask = b->slots_n - 1, at = (size_t)hash & mask;

    while (b->slots[at].path.ptr != NULL &&
           (b->slots[at].hash != hash || !bough_view_eq(b->slots[at].path, path)))
        at = (at + 1) & mask;
    return &b->slots[at];
}

static enum bough_err slots_grow(struct batch *b)
{
    struct path_slot *old = b->slots;
    size_t old_n = b->slots_n, n = old_n > 0 ? old_n * 4 : 16;
    struct path_slot *fresh = bough_mem_zalloc(b->kv.env->mem, n, sizeof *fresh);

    if (fresh == NULL)
        return BOUGH_ENOMEM;
    b->slots = fresh;
    b->slots_n = n;
    for (size_t i = 0; i < old_n; i++) {
        size_t at = (size_t)old[i].hash & (n - 1);

        while (old[i].path.ptr != NULL && fresh[at].path.ptr != NULL)
            at = (at + 1) & (n - 1);
        if (old[i].path.ptr != NULL)
            fresh[at] = old[i];
    }
    bough_mem_free(b->kv.env->mem, old, old_n * sizeof *old);
    return BOUGH_OK;
}

/* The answer, or the effect, depends on what is at `path`. */
static enum bough_err path_note(struct batch *b, struct bough_view path)
{
    uint64_t hash = bough_mix64(b->key, path.ptr, path.len);
    struct path_slot *slot;
    struct bough_view copy;

    if (b->paths_n * 4 >= b->slots_n * 3 && slots_grow(b))
        return BOUGH_ENOMEM;
    slot = slot_of(b, path, hash);
    if (slot->path.ptr != NULL)
        return BOUGH_OK;
    copy = path.len > 0 ? bough_arena_copy(&b->arena, path) : bough_view("", 0);
    if (copy.ptr == NULL)
        return BOUGH_ENOMEM;
    *slot = (struct path_slot){copy, hash};
    b->paths_n++;
    return BOUGH_OK;
}

/* ---- Steps ---- */

/* Can the bytes of this step wait in the store? */
static bool step_spills(const struct bough_kv__step *s)
{
    return s->op == BOUGH_KV__SET && s->bytes.len > 0;
}

/* `*v` as a copy; false without memory. */
static bool view_keep(struct bough_arena *a, struct bough_view *v)
{
    if (v->len == 0)
        *v = bough_view("", 0);
    else
        *v = bough_arena_copy(a, *v);
    return v->ptr != NULL;
}

static struct step *step_copy(struct batch *b, const struct bough_kv__step *from)
{
    struct step *s = bough_arena_alloc(&b->arena, sizeof *s);

    if (s == NULL)
        return NULL;
    *s = (struct step){.s = *from};
    if (!view_keep(&b->arena, &s->s.key) || !view_keep(&b->arena, &s->s.to) ||
        !view_keep(step_spills(from) ? &b->values : &b->arena, &s->s.bytes))
        return NULL;
    if (from->opts != NULL) {
        s->opts = *from->opts;
        s->s.opts = &s->opts;
    }
    return s;
}

/* Bring the values that steps hold into the store; without room or ability they stay where they are. */
static void steps_spill(struct batch *b)
{
    struct bough_mem *mem = b->kv.env->mem;
    struct bough_kv__value *values = bough_mem_alloc(mem, b->steps_n * sizeof *values);
    size_t n = 0;

    for (size_t i = 0; values != NULL && i < b->steps_n; i++) {
        const struct bough_kv__step *s = &b->steps[i]->s;

        if (step_spills(s))
            values[n++] = (struct bough_kv__value){s->key, s->bytes, &s->blob};
    }
    if (n > 0 && b->host->spill(b->parent, b->work, values, n) == BOUGH_OK) {
        for (size_t i = 0; i < b->steps_n; i++) {
            if (step_spills(&b->steps[i]->s)) {
                b->steps[i]->s.op = BOUGH_KV__SET_BLOB;
                b->steps[i]->s.bytes = bough_view("", 0);
            }
        }
        bough_arena_fini(&b->values);
    }
    b->pending = 0; /* what stayed is not tried at every step again */
    bough_mem_free(mem, values, b->steps_n * sizeof *values);
}

enum bough_err bough_kv__batch_step(struct bough_kv *kv, const struct bough_kv__step *step)
{
    struct batch *b = (struct batch *)kv;
    void *steps;
    struct step *s;

    if (!kv->in_batch)
        return BOUGH_OK;
    if (b->pending > SPILL_AT && b->host->spill != NULL)
        steps_spill(b);
    steps = b->steps;
    if (bough_mem_grow(kv->env->mem, &steps, &b->steps_cap, b->steps_n + 1, sizeof *b->steps))
        return BOUGH_ENOMEM;
    b->steps = steps;
    s = step_copy(b, step);
    if (s == NULL)
        return BOUGH_ENOMEM;
    b->steps[b->steps_n++] = s;
    b->pending += step->bytes.len;
    return BOUGH_OK;
}

void bough_kv__batch_unstep(struct bough_kv *kv)
{
    struct batch *b = (struct batch *)kv;

    if (kv->in_batch)
        b->steps_n--;
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

/* One step on `work`, with all its checks. */
static enum bough_err step_run(struct bough_kv *work, const struct bough_kv__step *s)
{
    switch (s->op) {
    case BOUGH_KV__SET:
        return bough_kv_set(work, s->key, s->bytes, s->opts);
    case BOUGH_KV__SET_PART:
        return bough_kv_set_part(work, s->key, s->at, s->bytes, s->opts);
    case BOUGH_KV__SET_BLOB:
        return bough_kv_set_blob(work, s->key, &s->blob, s->opts);
    case BOUGH_KV__ALLOCATE:
        return bough_kv_allocate(work, s->key, s->at);
    case BOUGH_KV__REMOVE:
        return bough_kv_remove(work, s->key);
    case BOUGH_KV__CLEAR:
        return bough_kv_clear(work);
    case BOUGH_KV__RENAME:
        return bough_kv_rename(work, s->key, s->to);
    case BOUGH_KV__SET_MODE:
        return bough_kv_set_mode(work, s->key, (enum bough_mode)s->at);
    }
    BOUGH_ASSERT(s->op <= BOUGH_KV__SET_MODE);
    return BOUGH_EINVAL;
}

/* ---- The place ---- */

static void batch_close(struct bough_kv *kv)
{
    struct batch *b = (struct batch *)kv;
    struct bough_mem *mem = kv->env->mem;

    b->parent->batch = NULL;
    bough_mem_free(mem, b->steps, b->steps_cap * sizeof *b->steps);
    bough_mem_free(mem, b->slots, b->slots_n * sizeof *b->slots);
    bough_mem_free(mem, b->expects, b->expects_cap * sizeof *b->expects);
    bough_arena_fini(&b->arena);
    bough_arena_fini(&b->values);
    bough_kv__info_fini(&b->info);
    bough_kv_close(b->work);
    bough_kv_close(b->now);
    bough_mem_free(mem, b, sizeof *b);
}

static enum bough_err batch_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct batch *b = (struct batch *)kv;

    if (!kv->writing && path_note(b, path))
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

    if (!kv->writing && path_note(b, path))
        return BOUGH_ENOMEM;
    return b->work->cls->next(b->work, path, after, out);
}

static enum bough_err batch_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct batch *b = (struct batch *)kv;

    if (path_note(b, path))
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

/* The id of a value that a step holds: it serves the work and the store, too. */
static enum bough_err write_known(struct batch *b, struct bough_write *w)
{
    struct step *s = b->steps[b->steps_n - 1];

    if (b->host->spill == NULL || w->id != NULL || !step_spills(&s->s))
        return BOUGH_OK;
    w->known = &s->s.blob;
    return bough_oid_make(b->kv.algo, BOUGH_BLOB, w->bytes, &s->s.blob, &b->kv.why);
}

static enum bough_err batch_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct batch *b = (struct batch *)kv;
    struct bough_write one = *w;
    enum bough_err err = path_note(b, w->path);

    BOUGH_ASSERT(n == 1 && b->steps_n > 0); /* kv.c tells each before it is done */
    if (!err)
        err = write_known(b, &one);
    if (!err)
        err = b->work->cls->write(b->work, &one, 1, flags);
    if (!err && (flags & BOUGH_SET_AGAIN) != 0)
        b->again = true;
    return err;
}

static enum bough_err batch_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct batch *b = (struct batch *)kv;

    if (path_note(b, from) || path_note(b, to))
        return BOUGH_ENOMEM;
    return b->work->cls->move(b->work, from, to);
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
    struct bough_view copy = path.len > 0 ? bough_arena_copy(&b->arena, path) : bough_view("", 0);

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

static enum bough_err test_paths(struct batch *b, struct bough_kv *today, struct failed *f)
{
    for (size_t i = 0; i < b->slots_n; i++) {
        bool same = true;
        enum bough_err err = BOUGH_OK;

        if (b->slots[i].path.ptr != NULL)
            err = place_same(b->now, today, b->slots[i].path, &same);
        if (err)
            return err;
        if (!same)
            failed_note(f, b->slots[i].path);
    }
    return BOUGH_OK;
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
    struct bough_kv *work = NULL;
    enum bough_err err = b->host->fork(b->parent, today, &work);

    if (!err)
        err = bough_kv_info(work, &b->info.info);
    if (err) {
        bough_kv_close(work);
        return bough_kv__why(&b->parent->why, err, "", bough_view("", 0));
    }
    for (size_t i = 0; i < b->steps_n; i++) {
        const struct bough_kv__step *s = &b->steps[i]->s;

        err = step_run(work, s);
        if (!err)
            continue;
        b->parent->why = work->why;
        bough_kv_close(work);
        if (b->strategy == BOUGH_TEST_AND_SET && in_the_way(err))
            return bough_kv__why(&b->parent->why, BOUGH_ETEST, "in the way meanwhile", s->key);
        return err;
    }
    bough_kv_close(b->work);
    b->work = work;
    return BOUGH_OK;
}

/* The message of a batch that is one rename; other messages are made from the changes. */
static void message_put(const struct batch *b, struct bough_buf *out)
{
    const struct bough_kv__step *s;

    if (b->info.info.message.ptr != NULL || b->steps_n != 1)
        return;
    s = &b->steps[0]->s;
    if (s->op != BOUGH_KV__RENAME)
        return;
    bough_kv__rename_message(out, s->key, s->bytes);
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

/* Do the steps hold all that they set?  What they brought to the store, or named, may be gone when
   what stood there was given up. */
static bool steps_hold(const struct batch *b)
{
    for (size_t i = 0; i < b->steps_n; i++) {
        if (b->steps[i]->s.op == BOUGH_KV__SET_BLOB)
            return false;
    }
    return true;
}

/* Once: look, test, bring up to date, publish.  BOUGH_EAGAIN: it moved in between. */
static enum bough_err commit_once(struct batch *b, uint32_t *reruns, struct bough_kv *today)
{
    bool same;
    enum bough_err err = place_same(b->now, today, bough_view("", 0), &same);

    if (err == BOUGH_EEXPIRED && b->strategy == BOUGH_RETRY && steps_hold(b)) {
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
    bough_arena_init(&b->values, kv->env->mem);
    bough_env_random(kv->env, &b->key, sizeof b->key);
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
