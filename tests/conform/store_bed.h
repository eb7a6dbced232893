/*
 * store_bed.h - what the store suites stand on.
 *
 *   engines    name, how to open one anew and again
 *   the bed    an open store of some engine and id algorithm, on memory that checks
 *   helpers    bodies from a number, one-step commits, a digest of all that a store holds
 *   running    every test on every engine, SHA-1 and SHA-256
 *
 * The suites know store.h only: what they say, they say of every engine.
 */
#ifndef STORE_BED_H
#define STORE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <ftw.h>
#include <unistd.h>

#include "block/block.h"
#include "store/gitdir.h"
#include "store/lmdb.h"
#include "store/log/log.h"
#include "store/mem.h"
#include "tests/lib/env.h"

#define OK(x)         assert_int_equal((x), BOUGH_OK)
#define ERR(err, x)   assert_int_equal((x), (err))
#define VIEW(literal) bough_view(literal, sizeof(literal) - 1)

/* ---- Engines ---- */

struct bed;

/* What only some engines can do, beside what capabilities say. */
enum {
    BED_DURABLE = 1 << 0, /* close and open again finds everything */
    BED_DEVICE = 1 << 1,  /* on a block device in memory */
    BED_FOLDER = 1 << 2,  /* in a folder of its own */
    BED_SHA256 = 1 << 3,
    BED_PEELED = 1 << 4, /* keeps what a change says a tag leads to, and looks at no object */
    BED_NAMES = 1 << 5,  /* takes any bytes as a ref's name */
};

struct engine {
    const char *name;
    unsigned can;
    void (*open)(struct bed *b, bool read_only);
};

struct bed {
    const struct engine *engine;
    enum bough_algo algo;
    struct test_env t;
    struct bough_store *s;
    struct bough_ramblk ram;
    uint8_t *device; /* bytes of ram */
    char folder[64];
    bool formatted;
};

static inline void mem_open(struct bed *b, bool read_only)
{
    if (b->s == NULL)
        OK(bough_mem_store_open(&b->t.env, b->algo, &b->s));
    b->s->read_only = read_only;
}

static inline void log_open(struct bed *b, bool read_only)
{
    struct bough_log_format_opts format = {.algo = b->algo};
    struct bough_log_open_opts open = {.read_only = read_only};

    if (!b->formatted)
        OK(bough_log_format(&b->ram.blk, &b->t.env, &format, NULL));
    b->formatted = true;
    OK(bough_log_open(&b->ram.blk, &b->t.env, &open, &b->s, NULL));
}

/* Tiny limits: tables, merges and zone changes all the time. */
static inline void log_small_open(struct bed *b, bool read_only)
{
    struct bough_log_format_opts format = {.algo = b->algo, .granule = 512, .zone = 128 << 10};
    struct bough_log_open_opts open = {.read_only = read_only,
        .cache = 1,
        .table_rows = 8,
        .log_max = 64 << 10,
        .reach_rows = 1,
        .reach_every = 2};

    if (!b->formatted)
        OK(bough_log_format(&b->ram.blk, &b->t.env, &format, NULL));
    b->formatted = true;
    OK(bough_log_open(&b->ram.blk, &b->t.env, &open, &b->s, NULL));
}

static inline void gitdir_open(struct bed *b, bool read_only)
{
    if (!b->formatted)
        OK(bough_gitdir_create(b->folder, NULL));
    b->formatted = true;
    OK(bough_gitdir_store_open(&b->t.env, b->folder, read_only, &b->s, NULL));
}

static inline void lmdb_open(struct bed *b, bool read_only)
{
    if (!b->formatted)
        OK(bough_lmdb_create(b->folder, b->algo, NULL));
    b->formatted = true;
    OK(bough_lmdb_store_open(&b->t.env, b->folder, read_only, &b->s, NULL));
}

enum {
    BED_LOG = BED_DURABLE | BED_DEVICE | BED_SHA256 | BED_PEELED | BED_NAMES,
    BED_GIT = BED_DURABLE | BED_FOLDER,
    BED_LMDB = BED_DURABLE | BED_FOLDER | BED_SHA256 | BED_PEELED | BED_NAMES,
};

static const struct engine engines[] = {
    {"mem", BED_SHA256 | BED_PEELED | BED_NAMES, mem_open},
    {"log", BED_LOG, log_open},
    {"log-small", BED_LOG, log_small_open},
    {"git", BED_GIT, gitdir_open},
    {"lmdb", BED_LMDB, lmdb_open},
};
enum { ENGINES = sizeof engines / sizeof *engines, DEVICE_BYTES = 64 << 20, DEVICE_UNIT = 512 };

/* Close and open again, where that keeps anything. */
static inline void reopen(struct bed *b, bool read_only)
{
    if (b->engine->can & BED_DURABLE) {
        bough_store_close(b->s);
        b->s = NULL;
    }
    b->engine->open(b, read_only);
}

/* ---- Helpers ---- */

/* `len` bytes that only `seed` decides: every second kilobyte compresses well. */
static inline void fill(uint8_t *dst, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        if (i % 2048 < 1024 && i % 8 != 0)
            dst[i] = (uint8_t)(seed + i / 64);
        else
            dst[i] = (uint8_t)test_random(&seed);
    }
}

/* An allocated body; free() it. */
static inline uint8_t *make_body(size_t len, uint64_t seed)
{
    uint8_t *body = malloc(len > 0 ? len : 1);

    assert_non_null(body);
    fill(body, len, seed);
    return body;
}

static inline struct bough_txn *begin(struct bed *b)
{
    struct bough_txn *t;

    OK(bough_txn_begin(b->s, &t));
    return t;
}

static inline void commit(struct bough_txn *t)
{
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

static inline struct bough_oid put(struct bough_txn *t, struct bough_view body)
{
    struct bough_oid id;

    OK(bough_txn_put(t, BOUGH_BLOB, body, &id));
    return id;
}

/* A blob of `len` bytes in a commit of its own. */
static inline struct bough_oid put_one(struct bed *b, size_t len, uint64_t seed)
{
    uint8_t *body = make_body(len, seed);
    struct bough_txn *t = begin(b);
    struct bough_oid id = put(t, bough_view(body, len));

    commit(t);
    free(body);
    return id;
}

/* An id that no test stores. */
static inline struct bough_oid strange_id(const struct bed *b)
{
    return bough_oid_of(b->algo, BOUGH_BLOB, VIEW("nobody puts this"));
}

static inline struct bough_ref_change set_id(const char *name, struct bough_oid id)
{
    return (struct bough_ref_change){.name = bough_view_str(name), .kind = BOUGH_REF_ID, .id = id};
}

static inline struct bough_ref_change set_gone(const char *name)
{
    return (struct bough_ref_change){.name = bough_view_str(name)};
}

static inline struct bough_ref_change swap_id(
    const char *name, struct bough_oid old, struct bough_oid id)
{
    struct bough_ref_change c = set_id(name, id);

    c.check = true;
    c.old = old;
    return c;
}

/* Object `id` is there, whole, and is `body`. */
static inline void assert_object(
    struct bed *b, const struct bough_oid *id, enum bough_type type, struct bough_view body)
{
    struct bough_found found;
    struct bough_buf out;
    enum bough_type got;

    bough_buf_init(&out, &b->t.mem.mem);
    OK(bough_store_has(b->s, id));
    OK(bough_store_find(b->s, id, &found));
    assert_int_equal(found.type, type);
    assert_int_equal(found.size, body.len);
    OK(bough_store_read(b->s, id, &got, &out));
    assert_int_equal(got, type);
    assert_true(bough_view_eq(bough_buf_view(&out), body));
    bough_buf_clear(&out);
    OK(bough_store_read_where(b->s, found.where, id, NULL, &out));
    assert_true(bough_view_eq(bough_buf_view(&out), body));
    bough_buf_fini(&out);
}

static inline void assert_no_object(struct bed *b, const struct bough_oid *id)
{
    struct bough_found found;

    ERR(BOUGH_ENOENT, bough_store_has(b->s, id));
    ERR(BOUGH_ENOENT, bough_store_find(b->s, id, &found));
}

/* All that a reader can see, in few bytes: two stores with equal pictures hold the same. */
struct picture {
    uint64_t objects, refs, records;
    uint8_t objects_sum[BOUGH_DIGEST_MAX]; /* xor of the ids */
    uint8_t rest_sum[BOUGH_DIGEST_MAX];    /* of refs and records in their order */
};

struct picture_ctx {
    struct picture *p;
    struct bough_hash h;
};

static inline void hash_view(struct bough_hash *h, struct bough_view v)
{
    uint8_t len[8];

    bough_put64le(len, v.len);
    bough_hash_update(h, len, sizeof len);
    bough_hash_update(h, v.ptr, v.len);
}

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
    uint8_t raw[8];

    c->p->records++;
    bough_put64le(raw, seq);
    bough_hash_update(&c->h, raw, sizeof raw);
    hash_view(&c->h, stream);
    hash_view(&c->h, bytes);
    return BOUGH_OK;
}

static inline struct picture picture_of(struct bough_store *s)
{
    struct picture p;
    struct picture_ctx c = {.p = &p};
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    enum bough_err err;

    memset(&p, 0, sizeof p);
    bough_hash_init(&c.h, BOUGH_SHA1);
    OK(bough_store_each(s, picture_object, &c));
    while (!(err = bough_store_ref_next(s, VIEW(""), after, &ref))) {
        p.refs++;
        hash_view(&c.h, ref.name);
        bough_hash_update(&c.h, ref.id.bytes, sizeof ref.id.bytes);
        bough_hash_update(&c.h, ref.peeled.bytes, sizeof ref.peeled.bytes);
        hash_view(&c.h, ref.target);
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
    }
    ERR(BOUGH_ENOENT, err);
    OK(bough_store_records(s, picture_record, &c));
    bough_hash_final(&c.h, p.rest_sum);
    return p;
}

static inline void assert_picture(struct bed *b, const struct picture *want)
{
    struct picture got = picture_of(b->s);

    assert_memory_equal(&got, want, sizeof got);
}

/* ---- Running ---- */

struct run {
    const struct engine *engine;
    enum bough_algo algo;
};

static inline int bed_setup(void **state)
{
    const struct run *run = *state;
    struct bed *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->engine = run->engine;
    b->algo = run->algo;
    test_env_init(&b->t);
    if (b->engine->can & BED_FOLDER) {
        strcpy(b->folder, "/tmp/bough-bed-XXXXXX");
        assert_non_null(mkdtemp(b->folder));
    }
    if (b->engine->can & BED_DEVICE) {
        b->device = calloc(1, DEVICE_BYTES);
        assert_non_null(b->device);
        bough_ramblk_init(&b->ram, b->device, DEVICE_BYTES / DEVICE_UNIT, DEVICE_UNIT);
    }
    b->engine->open(b, false);
    *state = b;
    return 0;
}

static inline int bed_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int bed_teardown(void **state)
{
    struct bed *b = *state;

    bough_store_close(b->s);
    if (b->engine->can & BED_FOLDER)
        nftw(b->folder, bed_remove, 16, FTW_DEPTH | FTW_PHYS);
    test_env_done(&b->t);
    free(b->device);
    free(b);
    return 0;
}

struct store_test {
    const char *name;
    void (*fn)(void **state);
};
#define STORE_TEST(fn)                                                                             \
    {                                                                                              \
#fn, fn                                                                                    \
    }

/* Run each of `n` tests on every engine and algorithm. */
static inline int store_suite(const char *name, const struct store_test *tests, size_t n)
{
    enum { RUNS = 2 * ENGINES, TESTS_MAX = 64, NAME_MAX_LEN = 120 };
    static struct CMUnitTest all[RUNS * TESTS_MAX];
    static char names[RUNS * TESTS_MAX][NAME_MAX_LEN];
    static struct run runs[RUNS];
    size_t k = 0;

    assert_true(n <= TESTS_MAX);
    for (size_t r = 0; r < RUNS; r++) {
        if (r % 2 == 1 && !(engines[r / 2].can & BED_SHA256))
            continue;
        runs[r] = (struct run){&engines[r / 2], r % 2 == 0 ? BOUGH_SHA1 : BOUGH_SHA256};
        for (size_t i = 0; i < n; i++, k++) {
            snprintf(names[k], NAME_MAX_LEN, "%s[%s,%s]", tests[i].name, runs[r].engine->name,
                bough_algo_name(runs[r].algo));
            all[k] = (struct CMUnitTest){names[k], tests[i].fn, bed_setup, bed_teardown, &runs[r]};
        }
    }
    return _cmocka_run_group_tests(name, all, k, NULL, NULL);
}

#endif
