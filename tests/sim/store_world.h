/*
 * store_world.h - a store on a device, and what it must hold.
 *
 *   pictures       all that a reader can see, in few bytes
 *   model          the transactions (store_tx.h) so far, carried out on the memory engine, a picture after each
 *   world          the store beside its model; a history is a text, a letter a step
 *   recovery       open again: it holds what was acknowledged or what was in flight, whole
 *
 * A history: letters of store_tx.h, and
 *     s  sync     m  upkeep until there is no more     r  close and open again
 */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "store/log/log.h"
#include "store/mem.h"
#include "tests/sim/store_tx.h"

/* ---- Pictures ---- */

struct picture {
    uint64_t objects;
    uint8_t objects_sum[BOUGH_DIGEST_MAX]; /* xor of the ids */
    uint8_t rest_sum[BOUGH_DIGEST_MAX];    /* of refs and records, but not of their numbers */
};

struct picture_ctx {
    struct picture *p;
    struct bough_hash h;
};

static inline enum bough_err picture_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct picture_ctx *c = ctx;

    (void)found;
    c->p->objects++;
    for (size_t i = 0; i < sizeof id->bytes; i++)
        c->p->objects_sum[i] ^= id->bytes[i];
    return BOUGH_OK;
}

static inline enum bough_err picture_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    struct picture_ctx *c = ctx;

    (void)seq;
    bough_hash_update(&c->h, stream.ptr, stream.len);
    bough_hash_update(&c->h, bytes.ptr, bytes.len);
    return BOUGH_OK;
}

static inline enum bough_err picture_try(struct bough_store *s, struct picture *p)
{
    struct picture_ctx c = {.p = p};
    char name[128];
    struct bough_view after = {(const uint8_t *)name, 0};
    struct bough_ref ref;
    enum bough_err err;

    memset(p, 0, sizeof *p);
    bough_hash_init(&c.h, BOUGH_SHA1);
    err = bough_store_each(s, picture_object, &c);
    if (err)
        return err;
    while (!(err = bough_store_ref_next(s, bough_view("refs/", 5), after, &ref))) {
        assert_true(ref.name.len < sizeof name);
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        bough_hash_update(&c.h, name, after.len);
        bough_hash_update(&c.h, ref.id.bytes, sizeof ref.id.bytes);
    }
    if (err == BOUGH_ENOENT)
        err = bough_store_records(s, picture_record, &c);
    bough_hash_final(&c.h, p->rest_sum);
    return err;
}

static inline struct picture picture_of(struct bough_store *s)
{
    struct picture p;

    OK(picture_try(s, &p));
    return p;
}

static inline bool picture_eq(const struct picture *a, const struct picture *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- Model ---- */

enum { TX_MAX = 1024 };

struct model {
    struct test_env t;
    enum bough_algo algo; /* 0: test_algo() */
    struct bough_store *s;
    size_t n; /* transactions in it */
    struct tx tx[TX_MAX];
    struct picture after[TX_MAX + 1];
};

static inline void model_open(struct model *m)
{
    m->algo = m->algo ? m->algo : test_algo();
    test_env_init(&m->t);
    OK(bough_mem_store_open(&m->t.env, m->algo, &m->s));
    m->n = 0;
    m->after[0] = picture_of(m->s);
}

static inline void model_close(struct model *m)
{
    bough_store_close(m->s);
    test_env_done(&m->t);
    m->s = NULL;
}

static inline void model_add(struct model *m, struct tx x)
{
    assert_true(m->n < TX_MAX);
    OK(tx_apply(m->s, &x, BOUGH_DURABLE_NOW, false));
    m->tx[m->n++] = x;
    m->after[m->n] = picture_of(m->s);
}

/* Forget all but the first `n`. */
static inline void model_cut(struct model *m, size_t n)
{
    if (n == m->n)
        return;
    model_close(m);
    test_env_init(&m->t);
    OK(bough_mem_store_open(&m->t.env, m->algo, &m->s));
    for (size_t i = 0; i < n; i++)
        OK(tx_apply(m->s, &m->tx[i], BOUGH_DURABLE_NOW, false));
    m->n = n;
}

/* ---- World ---- */

struct world {
    struct test_env t;
    struct bough_log_open_opts opts;
    struct bough_why why;
    struct bough_store *s;
    struct model m;
    size_t seen, acked; /* transactions that answered OK, and that are promised to be durable */
    uint64_t next;      /* number of the next transaction */
};

static inline enum bough_err world_open(struct world *w, struct bough_block *dev)
{
    return bough_log_open(dev, &w->t.env, &w->opts, &w->s, &w->why);
}

static inline void world_close(struct world *w)
{
    bough_store_close(w->s);
    w->s = NULL;
}

static inline enum bough_err step_tx(struct world *w, char kind)
{
    struct tx x = {kind, ++w->next, w->m.n > 0 ? w->m.tx[w->m.n - 1].seed : 0};
    enum bough_err err;

    if (kind == 'a')
        return tx_apply(w->s, &x, BOUGH_DURABLE_NOW, true);
    model_add(&w->m, x);
    err = tx_apply(w->s, &x, kind == 'l' ? BOUGH_DURABLE_LATER : BOUGH_DURABLE_NOW, false);
    if (!err)
        w->seen = w->m.n;
    if (!err && kind != 'l')
        w->acked = w->m.n;
    return err;
}

static inline enum bough_err step(struct world *w, char kind, struct bough_block *dev)
{
    bool more = true;
    enum bough_err err = BOUGH_OK;

    switch (kind) {
    case 's':
        err = bough_store_sync(w->s);
        if (!err)
            w->acked = w->seen;
        break;
    case 'm':
        while (more && !err)
            err = bough_store_maintain(w->s, 1 << 20, &more);
        break;
    case 'r':
        world_close(w);
        err = world_open(w, dev);
        break;
    default:
        err = step_tx(w, kind);
    }
    return err;
}

/* Steps until one fails. */
static inline enum bough_err play(struct world *w, const char *history, struct bough_block *dev)
{
    enum bough_err err = BOUGH_OK;

    for (; *history != 0 && !err; history++)
        err = step(w, *history, dev);
    return err;
}

/* ---- Recovery ---- */

struct compare {
    struct world *w;
    struct bough_buf want, got;
};

static inline enum bough_err compare_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct compare *c = ctx;
    enum bough_type type;

    bough_buf_clear(&c->want);
    bough_buf_clear(&c->got);
    OK(bough_store_read(c->w->m.s, id, NULL, &c->want));
    OK(bough_store_read(c->w->s, id, &type, &c->got));
    assert_int_equal(type, found->type);
    assert_true(bough_view_eq(bough_buf_view(&c->want), bough_buf_view(&c->got)));
    return BOUGH_OK;
}

/* Every object of the model is in the store, byte by byte. */
static inline void assert_whole(struct world *w)
{
    struct compare c = {.w = w};

    bough_buf_init(&c.want, &w->m.t.mem.mem);
    bough_buf_init(&c.got, &w->t.mem.mem);
    OK(bough_store_each(w->m.s, compare_object, &c));
    bough_buf_fini(&c.want);
    bough_buf_fini(&c.got);
}

/* The open store holds what was acknowledged, perhaps more, up to what was in flight: whole. */
static inline void settle(struct world *w)
{
    struct picture p = picture_of(w->s);
    size_t n = w->m.n;

    while (n > w->acked && !picture_eq(&p, &w->m.after[n]))
        n--;
    if (!picture_eq(&p, &w->m.after[n]))
        fail_msg("the store holds none of the states %zu..%zu: %llu objects", w->acked, w->m.n,
            (unsigned long long)p.objects);
    model_cut(&w->m, n);
    w->seen = w->acked = n; /* a writable open makes it durable */
    assert_whole(w);
}

/* Opens without repair, holds what it must, takes new writes and keeps them. */
static inline void recover(struct world *w, struct bough_block *dev)
{
    OK(world_open(w, dev));
    assert_false(w->s->read_only);
    settle(w);
    OK(step(w, 'c', dev));
    OK(step(w, 'r', dev));
    settle(w);
    assert_int_equal(w->m.n, w->acked);
    world_close(w);
}

#endif
