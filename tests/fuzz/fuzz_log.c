/*
 * fuzz_log.c - a store's device in hostile hands.
 *
 * The input is a list of edits {offset 3 bytes, length 1, bytes} of a small image that holds every
 * kind of frame, tables, refs, records and a pack segment.  In this build checksums are all
 * zero, so an edit reaches the code behind them.  Whatever the image says, opening, checking,
 * reading all of it and writing to it must end, within memory bounds, in answers or errors.
 */
#include "store/log/log.h"
#include "tests/lib/env.h"
#include "tests/lib/mem.h"

enum { UNIT = 512, ZONE = 32 * 1024, LEN = 20 * ZONE, MEMORY = 64 << 20, OBJECTS = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bough_log_open_opts small = {
    .cache = 64 * 1024, .table_rows = 16, .log_max = 64 * 1024};

static void must(enum bough_err err)
{
    BOUGH_ASSERT(err == BOUGH_OK);
}

/* One commit with an object, a ref and a record of its own. */
static enum bough_err commit(struct bough_store *s, uint32_t i)
{
    struct bough_txn *t;
    struct bough_oid id;
    uint8_t body[900], name[] = "refs/heads/b00";
    struct bough_ref_change ref = {.kind = BOUGH_REF_ID};
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    memset(body, (int)('a' + i % 20), sizeof body);
    bough_put32le(body, i);
    err = bough_txn_put(t, BOUGH_BLOB, bough_view(body, 50 + i * 13 % 800), &id);
    name[sizeof name - 3] = (uint8_t)('0' + i / 10 % 10);
    name[sizeof name - 2] = (uint8_t)('0' + i % 10);
    ref.name = bough_view(name, sizeof name - 1);
    ref.id = id;
    if (!err)
        err = bough_txn_ref(t, &ref);
    if (!err)
        err = bough_txn_record(t, ref.name, bough_view(body, 20), NULL);
    if (!err && i % 7 == 6)
        err = bough_txn_retire(t, ref.name, i);
    if (err) {
        bough_txn_abort(t);
        return err;
    }
    return bough_txn_commit(t, BOUGH_DURABLE_NOW);
}

/* A blob that fills a pack segment. */
static enum bough_err commit_big(struct bough_store *s)
{
    static uint8_t body[40000];
    struct bough_blob_writer *w;
    struct bough_txn *t;
    struct bough_oid id;
    enum bough_err err = bough_blob_begin(s, sizeof body, &w);

    if (err)
        return err;
    err = bough_blob_put(w, bough_view(body, sizeof body));
    if (!err)
        err = bough_txn_begin(s, &t);
    if (err) {
        bough_blob_close(w);
        return err;
    }
    err = bough_txn_blob(t, w, &id);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static void make_image(uint8_t *mem)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct test_env env;
    struct bough_ramblk ram;
    struct bough_store *s;

    test_env_init(&env);
    bough_ramblk_init(&ram, mem, LEN / UNIT, UNIT);
    must(bough_log_format(&ram.blk, &env.env, &format, NULL));
    must(bough_log_open(&ram.blk, &env.env, &small, &s, NULL));
    for (uint32_t i = 0; i < OBJECTS; i++)
        must(i == OBJECTS / 2 ? commit_big(s) : commit(s, i));
    bough_store_close(s);
    test_env_done(&env);
}

static enum bough_err read_one(void *ctx, const struct bough_oid *id, const struct bough_found *f)
{
    struct bough_store *s = ctx;
    struct bough_buf body;
    enum bough_err err;

    (void)f;
    bough_buf_init(&body, s->env->mem);
    err = bough_store_read(s, id, NULL, &body);
    bough_buf_fini(&body);
    return err == BOUGH_ENOMEM ? err : BOUGH_OK;
}

static enum bough_err see_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    uint64_t *sum = ctx;

    *sum += seq + stream.len + bytes.len;
    return BOUGH_OK;
}

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    BOUGH_ASSERT(err != BOUGH_OK && what != NULL);
    BOUGH_ASSERT(key.len < 4096);
}

/* Every answer may be an error; all must end. */
static void use(struct bough_store *s)
{
    struct bough_buf after;
    struct bough_ref ref;
    uint64_t sum = 0;
    enum bough_err err = bough_store_check(s, report, NULL);

    err = bough_store_each(s, read_one, s);
    err = bough_store_records(s, see_record, &sum);
    bough_buf_init(&after, s->env->mem);
    while ((err = bough_store_ref_next(s, bough_view("", 0), bough_buf_view(&after), &ref)) ==
           BOUGH_OK) {
        BOUGH_ASSERT(bough_view_cmp(ref.name, bough_buf_view(&after)) > 0);
        bough_buf_clear(&after);
        bough_buf_put_view(&after, ref.name);
        if (after.err)
            break;
    }
    bough_buf_fini(&after);
    for (uint32_t i = 0; i < 20; i++)
        err = commit(s, 200 + i);
    (void)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[LEN], mem[LEN];
    static bool made;
    struct test_env env;
    struct bough_ramblk ram;
    struct bough_store *s;
    struct bough_why why;

    if (!made)
        make_image(image);
    made = true;
    memcpy(mem, image, LEN);
    while (size >= 4) {
        size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % LEN;
        size_t n = data[3] < size - 4 ? data[3] : size - 4;
        n = n < LEN - at ? n : LEN - at;
        memcpy(mem + at, data + 4, n);
        data += 4 + n;
        size -= 4 + n;
    }
    test_env_init(&env);
    env.mem.limit = MEMORY;
    bough_ramblk_init(&ram, mem, LEN / UNIT, UNIT);
    if (bough_log_open(&ram.blk, &env.env, &small, &s, &why) == BOUGH_OK) {
        use(s);
        bough_store_close(s);
    }
    test_env_done(&env);
    return 0;
}
