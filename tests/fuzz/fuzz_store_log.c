/*
 * fuzz_store_log.c - a store whose bytes lie, behind checksums that hold.
 *
 * A small store with something of everything is made once.  The input is a
 * list of patches, after which all checksums are made right again (lies.h).
 * Then the store is opened, read whole, checked and written to.  Nothing may
 * crash, hang or take more than bounded memory; a store that opens may well be
 * wrong.
 */
#include <stdlib.h>

#include "store/log/log.h"
#include "tests/fuzz/lies.h"
#include "tests/lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 24, BYTES = ZONES * ZONE };

static uint8_t fresh[BYTES], device[BYTES];

/* ---- The store ---- */

static void put(struct bough_txn *t, const void *ptr, size_t len, struct bough_oid *id)
{
    BOUGH_ASSERT(bough_txn_put(t, BOUGH_BLOB, bough_view(ptr, len), id) == BOUGH_OK);
}

static void fill(struct bough_store *s, uint32_t n)
{
    /* "hello" and a delta that makes "hello!" of it */
    static const uint8_t delta[] = {5, 6, 0x90, 5, 1, '!'};
    struct bough_ref_change c = {.name = bough_view_str("refs/heads/x"), .kind = BOUGH_REF_ID};
    struct bough_oid base, made = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view("hello!", 6));
    uint8_t big[ZONE + 9];
    struct bough_txn *t;
    uint64_t seq;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)((i * 2654435761u + n) >> 13);
    BOUGH_ASSERT(bough_txn_begin(s, &t) == BOUGH_OK);
    put(t, "hello", 5, &base);
    BOUGH_ASSERT(bough_txn_put_delta(t, BOUGH_BLOB, &made, &base, bough_view(delta, sizeof delta),
                     bough_view("hello!", 6)) == BOUGH_OK);
    for (uint32_t i = 0; i < 12; i++)
        put(t, big, 300 + i, &c.id);
    BOUGH_ASSERT(bough_txn_ref(t, &c) == BOUGH_OK);
    BOUGH_ASSERT(bough_txn_record(t, c.name, bough_view(big, 20), &seq) == BOUGH_OK);
    BOUGH_ASSERT(bough_txn_record(t, c.name, bough_view(big, 30), NULL) == BOUGH_OK);
    BOUGH_ASSERT(bough_txn_retire(t, c.name, seq) == BOUGH_OK);
    if (n % 2 == 0)
        put(t, big, sizeof big, &c.id);
    BOUGH_ASSERT(bough_txn_commit(t, BOUGH_DURABLE_NOW) == BOUGH_OK);
}

static void store_make(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.table_rows = 8};
    struct test_mem m;
    struct bough_env env = {.mem = &m.mem};
    struct bough_ramblk ram;
    struct bough_store *s;

    test_mem_init(&m);
    bough_ramblk_init(&ram, fresh, BYTES / UNIT, UNIT);
    BOUGH_ASSERT(bough_log_format(&ram.blk, &env, &format, NULL) == BOUGH_OK);
    BOUGH_ASSERT(bough_log_open(&ram.blk, &env, &opts, &s, NULL) == BOUGH_OK);
    fill(s, 0);
    fill(s, 1);
    bough_store_close(s);
    opts.table_rows = 1000;
    BOUGH_ASSERT(bough_log_open(&ram.blk, &env, &opts, &s, NULL) == BOUGH_OK);
    fill(s, 2);
    fill(s, 3);
    bough_store_close(s);
    test_mem_done(&m);
}

/* ---- What is done with it ---- */

static enum bough_err look(void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct bough_store *s = ctx;
    struct bough_entry entry;
    struct bough_buf body;
    uint8_t piece[64];
    size_t got;

    bough_buf_init(&body, s->env->mem);
    (void)!bough_store_read(s, id, NULL, &body);
    bough_buf_fini(&body);
    (void)!bough_store_read_part(s, id, found->size / 2, piece, sizeof piece, &got);
    if (!bough_store_entry(s, id, &entry))
        (void)!bough_store_entry_read(s, &entry, 0, piece,
            entry.packed_len < sizeof piece ? (size_t)entry.packed_len : sizeof piece);
    return BOUGH_OK;
}

static enum bough_err record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    (void)ctx;
    (void)seq;
    return stream.len + bytes.len > 0 ? BOUGH_OK : BOUGH_ECORRUPT;
}

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    BOUGH_ASSERT(err && what != NULL && (key.ptr != NULL || key.len == 0));
}

static void use(struct bough_store *s)
{
    struct bough_ref ref;
    struct bough_txn *t;
    struct bough_oid id;
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};

    s->object_max = 1 << 20;
    (void)!bough_store_each(s, look, s);
    while (!bough_store_ref_next(s, bough_view("", 0), after, &ref)) {
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
    }
    (void)!bough_store_records(s, record, NULL);
    (void)!bough_store_check(s, report, NULL);
    if (bough_txn_begin(s, &t))
        return;
    if (!bough_txn_put(t, BOUGH_BLOB, bough_view("new", 3), &id))
        (void)!bough_txn_commit(t, BOUGH_DURABLE_NOW);
    else
        bough_txn_abort(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_log_open_opts opts = {.table_rows = 16, .cache = 64 * 1024};
    static bool made;
    struct test_mem m;
    struct bough_env env = {.mem = &m.mem};
    const struct lies lies = {fresh, device, BYTES, ZONE, 0, BYTES / UNIT};
    struct bough_ramblk ram;
    struct bough_store *s;

    if (size == 0)
        return 0;
    if (!made)
        store_make();
    made = true;
    opts.read_only = data[0] & 1;
    memcpy(device, fresh, BYTES);
    lies_patch(&lies, data + 1, size - 1);
    lies_seal(&lies);
    test_mem_init(&m);
    m.limit = 64 << 20;
    bough_ramblk_init(&ram, device, BYTES / UNIT, UNIT);
    if (!bough_log_open(&ram.blk, &env, &opts, &s, NULL)) {
        use(s);
        bough_store_close(s);
    }
    test_mem_done(&m);
    return 0;
}
