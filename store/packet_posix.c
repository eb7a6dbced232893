/*
 * packet_posix.c - a pack received into a file, in quarantine until a transaction adopts it.
 *
 *   host      what store/intake.h asks for: the file, the store's committed objects
 *   reading   the file as a packfile
 *   view      the quarantine over the store
 *   sealing   a completed pack gets its order, count and checksum
 *   intake    the methods
 */
#include <unistd.h>

#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/inner.h"

static struct bough_store__packet *host_of(struct bough_store__intake_host *host)
{
    return (
        struct bough_store__packet *)((char *)host - offsetof(struct bough_store__packet, host));
}

static struct bough_store__packet *view_of(struct bough_store *view)
{
    return (
        struct bough_store__packet *)((char *)view - offsetof(struct bough_store__packet, view));
}

struct bough_store__packet *bough_store__packet_of(struct bough_intake *in)
{
    return (struct bough_store__packet *)in; /* in is the first field */
}

/* ---- Host ---- */

/* Committed objects only: those of an open transaction may never come to be. */
static struct bough_txn *txn_hide(struct bough_store *s)
{
    struct bough_txn *t = s->txn;

    s->txn = NULL;
    return t;
}

static enum bough_err host_append(struct bough_store__intake_host *host, struct bough_view bytes)
{
    struct bough_store__packet *x = host_of(host);
    enum bough_err err = bough_store__pwrite(x->fd, x->len, bytes.ptr, bytes.len);

    x->len += bytes.len;
    return err;
}

static enum bough_err host_read(
    struct bough_store__intake_host *host, uint64_t at, uint8_t *dst, size_t n)
{
    return bough_store__pread(host_of(host)->fd, at, dst, n);
}

static enum bough_err host_known(struct bough_store__intake_host *host, const struct bough_oid *id)
{
    struct bough_store__packet *x = host_of(host);
    struct bough_store *s = x->in.store;
    struct bough_txn *t = txn_hide(s);
    enum bough_err err = x->known != NULL ? x->known(s, id) : s->cls->has(s, id);

    s->txn = t;
    return err;
}

static void compared_drop(struct bough_store__packet *x)
{
    bough_object_close(x->compared);
    x->compared = NULL;
}

static enum bough_err host_compare(struct bough_store__intake_host *host,
    const struct bough_oid *id, const struct bough_found *found, uint64_t at,
    struct bough_view piece)
{
    struct bough_store__packet *x = host_of(host);
    struct bough_store *s = x->in.store;

    if (at == 0) {
        struct bough_txn *t = txn_hide(s);
        enum bough_err err;

        compared_drop(x);
        err = s->cls->object_open(s, id, &x->compared);
        s->txn = t;
        if (err)
            return err;
    }
    return bough_store__object_compare(&x->compared, found, at, piece);
}

static enum bough_err host_base(struct bough_store__intake_host *host, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_store *s = host_of(host)->in.store;
    struct bough_txn *t = txn_hide(s);
    enum bough_err err = s->cls->read(s, 0, id, type, out);

    s->txn = t;
    return err;
}

static const struct bough_store__intake_host_class host_class = {
    .append = host_append,
    .read = host_read,
    .known = host_known,
    .compare = host_compare,
    .base = host_base,
};

/* ---- Reading ---- */

enum bough_err bough_store__packet_find(
    const struct bough_store__packet *x, const struct bough_oid *id, uint64_t *at)
{
    uint64_t n;
    enum bough_err err = bough_store__intake_find(x->core, id, &n);

    if (!err)
        *at = bough_store__intake_row(x->core, n).at;
    return err;
}

static enum bough_err file_find(void *ctx, const struct bough_oid *id, uint64_t *at)
{
    return bough_store__packet_find(ctx, id, at);
}

struct bough_store__packfile bough_store__packet_file(const struct bough_store__packet *x)
{
    union {
        const struct bough_store__packet *given;
        void *ctx;
    } same = {x}; /* only read from */

    return (struct bough_store__packfile){
        .mem = x->in.store->env->mem,
        .fd = x->fd,
        .algo = x->in.store->algo,
        .end = x->len,
        .object_max = x->in.store->object_max,
        .ctx = same.ctx,
        .find = file_find,
    };
}

/* ---- View ---- */

static enum bough_err view_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_store__packet *x = view_of(s);
    struct bough_store__packfile file = bough_store__packet_file(x);
    uint64_t at;
    enum bough_err err = bough_store__packet_find(x, id, &at);

    if (err == BOUGH_ENOENT)
        err = bough_store_find(x->in.store, id, out);
    else if (!err)
        err = bough_store__packfile_look(&file, at, out);
    out->where = 0;
    return err;
}

static enum bough_err view_has(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_store__packet *x = view_of(s);
    uint64_t at;

    return bough_store__packet_find(x, id, &at) ? bough_store_has(x->in.store, id) : BOUGH_OK;
}

static enum bough_err view_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_store__packet *x = view_of(s);
    struct bough_store__packfile file = bough_store__packet_file(x);
    uint64_t at;
    enum bough_err err = bough_store__packet_find(x, id, &at);

    (void)where;
    if (err == BOUGH_ENOENT)
        return bough_store_read(x->in.store, id, type, out);
    return err ? err : bough_store__packfile_read(&file, at, type, out);
}

static enum bough_err view_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_store__packet *x = view_of(s);
    struct bough_store__packfile file = bough_store__packet_file(x);
    uint64_t at;
    enum bough_err err = bough_store__packet_find(x, id, &at);

    if (err == BOUGH_ENOENT)
        return bough_store_object_open(x->in.store, id, out);
    return err ? err : bough_store__packfile_open(&file, at, false, out);
}

static enum bough_err view_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct bough_store__packet *x = view_of(s);
    struct bough_store *under = x->in.store;
    struct bough_txn *t = txn_hide(under);
    enum bough_err err = bough_store_each(under, fn, ctx);

    for (uint64_t i = 0; i < x->in.count && !err; i++) {
        struct bough_store__intake_row row = bough_store__intake_row(x->core, i);
        struct bough_found found = {.type = row.type, .size = row.size};
        if (under->cls->has(under, &row.id) == BOUGH_ENOENT)
            err = fn(ctx, &row.id, &found);
    }
    under->txn = t;
    return err;
}

static enum bough_err view_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    return bough_store_ref(view_of(s)->in.store, name, out);
}

static enum bough_err view_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    return bough_store_ref_next(view_of(s)->in.store, prefix, after, out);
}

static enum bough_err view_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    return bough_store_records(view_of(s)->in.store, fn, ctx);
}

static void view_close(struct bough_store *s)
{
    (void)s; /* it goes with its intake */
}

static const struct bough_store_class view_class = {
    .name = "intake",
    .close = view_close,
    .find = view_find,
    .has = view_has,
    .read = view_read,
    .object_open = view_object_open,
    .each = view_each,
    .ref = view_ref,
    .ref_next = view_ref_next,
    .records = view_records,
};

/* ---- Sealing ---- */

/* Move bytes [from, end) of the file down by `by`. */
static enum bough_err move_down(struct bough_store__packet *x, uint64_t from, uint64_t by)
{
    uint8_t piece[16 * 1024];
    enum bough_err err = BOUGH_OK;

    for (uint64_t at = from; at < x->len && !err;) {
        size_t n = x->len - at < sizeof piece ? (size_t)(x->len - at) : sizeof piece;
        err = bough_store__pread(x->fd, at, piece, n);
        if (!err)
            err = bough_store__pwrite(x->fd, at - by, piece, n);
        at += n;
    }
    return err;
}

enum bough_err bough_store__packet_seal(struct bough_store__packet *x)
{
    struct bough_store__intake_facts f = bough_store__intake_facts(x->core);
    enum bough_algo algo = x->in.store->algo;
    uint32_t id_len = (uint32_t)bough_algo_len(algo);
    uint8_t count[4];
    enum bough_err err;

    if (x->len == f.len)
        return bough_store__pread(x->fd, f.len - id_len, x->sum, id_len);
    bough_put32be(count, (uint32_t)x->entries);
    err = move_down(x, f.len, id_len);
    if (!err)
        err = bough_store__pwrite(x->fd, 8, count, sizeof count);
    if (!err)
        err = bough_store__file_digest(x->fd, algo, x->len - id_len, x->sum);
    if (!err)
        err = bough_store__pwrite(x->fd, x->len - id_len, x->sum, id_len);
    x->shift = id_len;
    return err;
}

/* ---- Intake ---- */

/* Entries of the pack, and those that complete it. */
static void entries_count(struct bough_store__packet *x)
{
    struct bough_store__intake_facts f = bough_store__intake_facts(x->core);

    x->entries = f.entries;
    for (uint64_t at = f.len; at < f.area_len; x->entries++)
        at += bough_store__intake_entry(x->core, x->entries).packed_len;
}

static enum bough_err packet_feed(struct bough_intake *in, struct bough_view bytes, size_t *used)
{
    struct bough_store__packet *x = bough_store__packet_of(in);
    enum bough_err err = bough_store__intake_feed(x->core, bytes, used);

    bough_store__intake_tell(x->core, &x->in);
    return err;
}

static enum bough_err packet_step(struct bough_intake *in, uint64_t budget)
{
    struct bough_store__packet *x = bough_store__packet_of(in);
    enum bough_err err = bough_store__intake_step(x->core, budget);

    bough_store__intake_tell(x->core, &x->in);
    if (!err)
        entries_count(x);
    return err;
}

static struct bough_store *packet_view(struct bough_intake *in)
{
    return &bough_store__packet_of(in)->view;
}

static enum bough_err packet_ordinal(
    struct bough_intake *in, const struct bough_oid *id, uint64_t *out)
{
    return bough_store__intake_find(bough_store__packet_of(in)->core, id, out);
}

void bough_store__packet_close(struct bough_store__packet *x)
{
    while (x != NULL) {
        struct bough_store__packet *next = x->next;

        compared_drop(x);
        bough_store__intake_close(x->core);
        if (x->fd >= 0)
            close(x->fd);
        if (x->path[0] != 0)
            unlink(x->path);
        if (x->index[0] != 0)
            unlink(x->index);
        bough_mem_free(x->in.store->env->mem, x, sizeof *x);
        x = next;
    }
}

static void packet_close(struct bough_intake *in)
{
    bough_store__packet_close(bough_store__packet_of(in));
}

static const struct bough_intake_class intake_class = {
    .feed = packet_feed,
    .step = packet_step,
    .view = packet_view,
    .ordinal = packet_ordinal,
    .close = packet_close,
};

enum bough_err bough_store__packet_open(struct bough_store *s, const char *dir,
    const struct bough_intake_opts *opts, struct bough_intake **out)
{
    struct bough_store__packet *x = bough_mem_zalloc(s->env->mem, 1, sizeof *x);
    enum bough_err err;

    if (x == NULL)
        return BOUGH_ENOMEM;
    x->in = (struct bough_intake){.cls = &intake_class, .store = s};
    x->host.cls = &host_class;
    x->view = (struct bough_store){
        .cls = &view_class,
        .env = s->env,
        .caps = s->caps & BOUGH_STORE_RECORDS,
        .algo = s->algo,
        .read_only = true,
        .object_max = s->object_max,
    };
    x->fd = bough_store__temp_open(dir, x->path);
    if (x->fd < 0)
        err = bough_store__sys(&s->why, "a temporary file could not be made", dir);
    else
        err =
            bough_store__intake_open(&x->core, s->env->mem, s->algo, &x->host, opts, true, &s->why);
    if (err) {
        bough_store__packet_close(x);
        return err;
    }
    *out = &x->in;
    return BOUGH_OK;
}
