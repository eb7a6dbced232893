/*
 * fuzz_pack.c - any entries, taken in as a pack.
 *
 * The input's first byte has two ways: its bytes as the entries of a pack, or
 * as a recipe for them (type, base, size said, body), which gets past the
 * deflated form.  Header and digest are always right, so that what is between
 * counts.  Taken in whole and in small pieces and steps, the outcome and the rows must
 * be the same, and every row's id must be in the table.
 */
#include "git/pack.h"
#include "store/intake.h"
#include "tests/lib/area.h"
#include "tests/lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 32 };

struct recipe {
    struct bough_view left;
    struct bough_pack_writer w;
    struct bough_buf packed;
    uint64_t at[ENTRIES_MAX];
    struct bough_view body[ENTRIES_MAX];
};

static uint8_t byte_take(struct recipe *r)
{
    uint8_t x = r->left.len > 0 ? r->left.ptr[0] : 0;

    if (r->left.len > 0)
        r->left = bough_view(r->left.ptr + 1, r->left.len - 1);
    return x;
}

static struct bough_view bytes_take(struct recipe *r, size_t n)
{
    struct bough_view v = bough_view(r->left.ptr, n < r->left.len ? n : r->left.len);

    r->left = bough_view(v.ptr + v.len, r->left.len - v.len);
    return v;
}

static void entry_cook(struct recipe *r, unsigned n)
{
    static const enum bough_type types[] = {BOUGH_COMMIT, BOUGH_TREE, BOUGH_BLOB, BOUGH_TAG,
        BOUGH_OFS_DELTA, BOUGH_OFS_DELTA, BOUGH_REF_DELTA, BOUGH_REF_DELTA};
    uint8_t kind = byte_take(r), base = byte_take(r), lie = byte_take(r);
    struct bough_view body = bytes_take(r, byte_take(r));
    struct bough_entry_head h = {.type = types[kind & 7], .size = body.len};

    if (lie > 200)
        h.size += lie & 3;
    r->at[n] = r->w.at;
    r->body[n] = body;
    if (h.type == BOUGH_OFS_DELTA)
        h.back = n > 0 ? r->w.at - r->at[base % n] + (base > 250) : 1;
    else if (base < 128 && n > 0)
        h.base = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, r->body[base % n]);
    else
        h.base.bytes[0] = base;
    bough_buf_clear(&r->packed);
    bough_deflate(&r->packed, body, kind & 8 ? 0 : 6);
    bough_pack_writer_put_packed(&r->w, &h, bough_buf_view(&r->packed));
}

static void cook(struct bough_buf *pack, struct bough_view data)
{
    struct recipe r = {.left = data};
    unsigned count = byte_take(&r) % ENTRIES_MAX;

    bough_buf_init(&r.packed, pack->mem);
    bough_pack_writer_init(&r.w, pack, BOUGH_SHA1, count);
    for (unsigned i = 0; i < count; i++)
        entry_cook(&r, i);
    bough_pack_writer_finish(&r.w);
    bough_buf_fini(&r.packed);
}

static void wrap(struct bough_buf *pack, struct bough_view data)
{
    struct bough_hash h;
    uint8_t digest[BOUGH_DIGEST_MAX];

    bough_buf_put_str(pack, "PACK");
    bough_buf_put32be(pack, 2);
    bough_buf_put32be(pack, data.len > 0 ? data.ptr[0] : 0);
    bough_buf_put_view(pack, data.len > 0 ? bough_view(data.ptr + 1, data.len - 1) : data);
    bough_hash_init(&h, BOUGH_SHA1);
    bough_hash_update(&h, pack->ptr, pack->len);
    bough_hash_final(&h, digest);
    bough_buf_put(pack, digest, 20);
}

static enum bough_err feed(struct bough_store__intake *in, struct bough_view pack, size_t piece)
{
    enum bough_err err = BOUGH_OK;

    while (!err && pack.len > 0 && !bough_store__intake_facts(in).received) {
        size_t n = pack.len < piece ? pack.len : piece, used;

        err = bough_store__intake_feed(in, bough_view(pack.ptr, n), &used);
        pack = bough_view(pack.ptr + used, pack.len - used);
    }
    if (!err && !bough_store__intake_facts(in).received)
        err = BOUGH_EFORMAT;
    return err;
}

/* A digest of the rows, or the error. */
static uint64_t take_in(struct bough_view pack, size_t piece, uint64_t budget, bool complete)
{
    struct bough_view known = bough_view_str("known to the store");
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, known);
    struct bough_intake_opts opts = {.limits = {.object_max = 1 << 20, .inflated_factor = 10}};
    struct bough_store__intake *in;
    struct test_mem m;
    struct test_area a;
    uint64_t digest;
    enum bough_err err;

    test_mem_init(&m);
    test_area_init(&a);
    test_area_has(&a, &id, BOUGH_BLOB, known);
    err = bough_store__intake_open(&in, &m.mem, BOUGH_SHA1, &a.host, &opts, complete, NULL);
    BOUGH_ASSERT(err == BOUGH_OK);
    err = feed(in, pack, piece);
    if (!err)
        do
            err = bough_store__intake_step(in, budget);
        while (err == BOUGH_EAGAIN);
    digest = (uint64_t)(int64_t)err;
    for (size_t i = 0; !err && i < a.row_count; i++) {
        uint64_t n = 0;

        BOUGH_ASSERT(
            bough_crc32(0, a.raw + a.rows[i].at, (size_t)a.rows[i].packed_len) == a.rows[i].crc);
        BOUGH_ASSERT(bough_store__intake_find(in, &a.rows[i].id, &n) == BOUGH_OK && n == i);
        digest = bough_mix64(digest, a.rows[i].id.bytes, sizeof a.rows[i].id.bytes);
        digest = bough_mix64(digest, &a.rows[i].at, sizeof a.rows[i].at);
    }
    bough_store__intake_close(in);
    test_area_fini(&a);
    test_mem_done(&m);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_mem m;
    struct bough_buf pack;
    struct bough_view body;

    if (size < 1)
        return 0;
    body = bough_view(data + 1, size - 1);
    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    if (data[0] & 1)
        cook(&pack, body);
    else
        wrap(&pack, body);
    BOUGH_ASSERT(take_in(bough_buf_view(&pack), SIZE_MAX, UINT64_MAX, data[0] & 2) ==
                 take_in(bough_buf_view(&pack), 1 + (data[0] >> 2), 1, data[0] & 2));
    bough_buf_fini(&pack);
    test_mem_done(&m);
    return 0;
}
