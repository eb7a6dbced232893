/*
 * spool.c - bytes put aside: zones that hold what comes until it is known how much it is.
 *
 * Nothing on the device names them, so after a crash they are free; they are given back when the
 * spool is closed.
 */
#include "store/engine.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

struct log_spool {
    struct bough_spool spool; /* first: the face */
    struct bough_log *log;
    struct bough_log__run run;
    struct bough_log__out out;
};

static struct log_spool *spool_of(struct bough_spool *s)
{
    return (struct log_spool *)s; /* spool is the first field */
}

static enum bough_err spool_put(struct bough_spool *s, struct bough_view bytes)
{
    struct log_spool *x = spool_of(s);

    return bough_log__full_told(x->log, bough_log__out_put(&x->out, bytes.ptr, bytes.len));
}

static enum bough_err spool_read(struct bough_spool *s, uint64_t at, void *dst, size_t n)
{
    return bough_log__out_read(&spool_of(s)->out, at, dst, n);
}

static void spool_close(struct bough_spool *s)
{
    struct log_spool *x = spool_of(s);
    struct bough_log *l = x->log;

    bough_log__out_fini(&x->out);
    for (uint32_t i = 0; i < x->run.n; i++)
        bough_log__zone_drop(l, x->run.zones[i]);
    bough_log__run_fini(l, &x->run);
    bough_mem_free(l->mem, x, sizeof *x);
}

static const struct bough_spool_class spool_class = {spool_put, spool_read, spool_close};

enum bough_err bough_log__spool(struct bough_store *s, struct bough_spool **out)
{
    struct bough_log *l = bough_log__of(s);
    struct log_spool *x = bough_mem_zalloc(l->mem, 1, sizeof *x);
    enum bough_err err;

    if (x == NULL)
        return BOUGH_ENOMEM;
    x->spool.cls = &spool_class;
    x->log = l;
    err = bough_log__out_init(&x->out, l, &x->run, BOUGH_LOG__ZONE_PACK);
    x->out.reserve = bough_log__reserve(l);
    x->out.collects = true;
    if (err)
        spool_close(&x->spool);
    else
        *out = &x->spool;
    return err;
}
