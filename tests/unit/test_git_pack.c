/*
 * test_git_pack.c - packs as streams: what is written is read, whatever lies is refused.
 *
 * Goal: entries come out with their places, checksums and ids at every split
 * of the stream; the reader takes exactly the pack's bytes; sizes, types,
 * digests and limits that do not hold end the reading.  Method: packs made
 * with the writer (git's own reading of them is in tests/interop), cut and
 * changed at every byte; lies written by hand with a right digest after them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/pack.h"
#include "tests/lib/mem.h"

enum { BIG = 200000 };
static uint8_t big[BIG];

/* Hears everything, keeps a digest of it. */
struct listener {
    struct bough_pack_visitor visitor;
    uint64_t raw_len, data_len, entries;
    uint32_t raw_crc, data_crc, rows_crc;
    size_t piece_max;
};

static enum bough_err hear_raw(struct bough_pack_visitor *v, struct bough_view bytes)
{
    struct listener *l = (struct listener *)v;

    l->raw_crc = bough_crc32(l->raw_crc, bytes.ptr, bytes.len);
    l->raw_len += bytes.len;
    return BOUGH_OK;
}

static enum bough_err hear_data(
    struct bough_pack_visitor *v, const struct bough_pack_entry *e, struct bough_view piece)
{
    struct listener *l = (struct listener *)v;

    (void)e;
    l->data_crc = bough_crc32(l->data_crc, piece.ptr, piece.len);
    l->data_len += piece.len;
    if (piece.len > l->piece_max)
        l->piece_max = piece.len;
    return BOUGH_OK;
}

static enum bough_err hear_entry_end(struct bough_pack_visitor *v, const struct bough_pack_entry *e)
{
    struct listener *l = (struct listener *)v;
    uint64_t row[] = {e->number, e->at, e->packed_len, e->crc, e->head.size, e->head.back,
        (uint64_t)e->head.type, e->base_len, e->result_len};

    l->rows_crc = bough_crc32(l->rows_crc, row, sizeof row);
    l->rows_crc = bough_crc32(l->rows_crc, e->id.bytes, sizeof e->id.bytes);
    l->rows_crc = bough_crc32(l->rows_crc, e->head.base.bytes, sizeof e->head.base.bytes);
    l->entries++;
    return BOUGH_OK;
}

static const struct bough_pack_visitor_class listener_class = {
    .raw = hear_raw, .data = hear_data, .entry_end = hear_entry_end};

/* Read `src` in pieces of `step`; what is left over goes to *left. */
static enum bough_err read_pack(struct listener *l, struct bough_mem *mem, enum bough_algo algo,
    struct bough_view src, size_t step, const struct bough_pack_limits *limits,
    struct bough_why *why, size_t *left)
{
    struct bough_pack_reader r;
    enum bough_err err;

    *l = (struct listener){.visitor = {&listener_class}};
    err = bough_pack_reader_init(&r, mem, algo, &l->visitor, limits, why);
    if (err)
        return err;
    err = BOUGH_EAGAIN;
    while (err == BOUGH_EAGAIN && src.len > 0) {
        size_t n = src.len < step ? src.len : step, used;

        err = bough_pack_reader_feed(&r, bough_view(src.ptr, n), &used);
        assert_true(used == n || err != BOUGH_EAGAIN);
        src = bough_view(src.ptr + used, src.len - used);
    }
    assert_int_equal(r.done, err == BOUGH_OK);
    if (err == BOUGH_OK) { /* and stays so */
        size_t used;
        assert_int_equal(bough_pack_reader_feed(&r, src, &used), BOUGH_OK);
        assert_int_equal(used, 0);
    }
    bough_pack_reader_fini(&r);
    if (left != NULL)
        *left = src.len;
    return err;
}

static void put(
    struct bough_pack_writer *w, enum bough_type type, struct bough_view body, int level)
{
    struct bough_entry_head h = {.type = type};

    bough_pack_writer_put(w, &h, body, level);
}

/* A pack with an entry of every kind; `big_len` bytes in the two streamed ones. */
static void make_pack(struct bough_buf *out, enum bough_algo algo, size_t big_len)
{
    struct bough_pack_writer w;
    struct bough_entry_head h;
    uint64_t at;

    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    bough_pack_writer_init(&w, out, algo, 7);
    put(&w, BOUGH_BLOB, bough_view(NULL, 0), 1);
    put(&w, BOUGH_BLOB, bough_view_str("base"), 0);
    at = w.entry_at;
    put(&w, BOUGH_COMMIT, bough_view_str("not looked at here"), 6);
    h = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .back = w.at - at};
    bough_pack_writer_put(&w, &h, bough_view("\4\2\x91\1\2", 5), 6);
    h = (struct bough_entry_head){.type = BOUGH_REF_DELTA};
    h.base = bough_oid_of(algo, BOUGH_BLOB, bough_view_str("base"));
    bough_pack_writer_put(&w, &h, bough_view("\4\3\x91\1\3", 5), 6);
    h = (struct bough_entry_head){.type = BOUGH_BLOB, .size = big_len};
    bough_pack_writer_begin(&w, &h);
    for (size_t i = 0; i < big_len; i += 1000)
        bough_pack_writer_data(&w, bough_view(big + i, 1000), 6);
    bough_pack_writer_end(&w);
    put(&w, BOUGH_TREE, bough_view(big, big_len), 0);
    bough_pack_writer_finish(&w);
    assert_int_equal(out->err, BOUGH_OK);
    assert_int_equal(w.at, out->len);
}

static void check_reads(enum bough_algo algo)
{
    static const size_t steps[] = {1, 2, 3, 7, 19, 64, 1000, 4096, 65536, SIZE_MAX};
    struct test_mem m;
    struct bough_buf pack;
    struct listener want, got;
    size_t left, len;

    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    make_pack(&pack, algo, BIG);
    len = pack.len;
    bough_buf_put_str(&pack, "next message");
    assert_int_equal(
        read_pack(&want, &m.mem, algo, bough_buf_view(&pack), SIZE_MAX, NULL, NULL, &left),
        BOUGH_OK);
    assert_int_equal(left, 12);
    assert_int_equal(want.entries, 7);
    assert_int_equal(want.raw_len, len);
    assert_int_equal(want.raw_crc, bough_crc32(0, pack.ptr, len));
    assert_int_equal(want.data_len, 4 + 18 + 5 + 5 + 2 * BIG);
    assert_int_equal(want.piece_max, BOUGH_PACK_WINDOW);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(
            read_pack(&got, &m.mem, algo, bough_buf_view(&pack), steps[i], NULL, NULL, NULL),
            BOUGH_OK);
        assert_memory_equal(&want, &got, sizeof want);
    }
    bough_buf_fini(&pack);
    test_mem_done(&m);
}

static void test_git_pack__reads_alike_at_every_split(void **state)
{
    (void)state;
    check_reads(BOUGH_SHA1);
    check_reads(BOUGH_SHA256);
}

static void test_git_pack__an_empty_pack_is_legal(void **state)
{
    struct test_mem m;
    struct bough_buf pack;
    struct bough_pack_writer w;
    struct listener l;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    bough_pack_writer_init(&w, &pack, BOUGH_SHA1, 0);
    bough_pack_writer_finish(&w);
    assert_int_equal(pack.len, 32);
    assert_int_equal(
        read_pack(&l, &m.mem, BOUGH_SHA1, bough_buf_view(&pack), 5, NULL, NULL, NULL), BOUGH_OK);
    assert_int_equal(l.entries, 0);
    bough_buf_fini(&pack);
    test_mem_done(&m);
}

static void test_git_pack__cut_or_changed_anywhere_is_not_a_pack(void **state)
{
    struct test_mem m;
    struct bough_buf pack;
    struct listener l;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    make_pack(&pack, BOUGH_SHA1, 1000);
    for (size_t cut = 0; cut < pack.len; cut++)
        assert_int_equal(
            read_pack(&l, &m.mem, BOUGH_SHA1, bough_view(pack.ptr, cut), 512, NULL, NULL, NULL),
            BOUGH_EAGAIN);
    for (size_t i = 0; i < pack.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            enum bough_err err;

            pack.ptr[i] ^= (uint8_t)(1u << bit);
            err = read_pack(
                &l, &m.mem, BOUGH_SHA1, bough_buf_view(&pack), SIZE_MAX, NULL, NULL, NULL);
            assert_true(err == BOUGH_EFORMAT || err == BOUGH_ETOOBIG || err == BOUGH_EAGAIN);
            pack.ptr[i] ^= (uint8_t)(1u << bit);
        }
    }
    bough_buf_fini(&pack);
    test_mem_done(&m);
}

/* Read a pack of one entry of this head and body, right but for what they say. */
static enum bough_err read_lie(const struct bough_entry_head *h, struct bough_view body,
    const struct bough_pack_limits *limits, size_t step, struct bough_why *why)
{
    struct test_mem m;
    struct bough_buf pack, packed;
    struct bough_pack_writer w;
    struct listener l;
    enum bough_err err;

    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    bough_buf_init(&packed, &m.mem);
    bough_deflate(&packed, body, 6);
    bough_pack_writer_init(&w, &pack, BOUGH_SHA1, 2);
    put(&w, BOUGH_BLOB, bough_view_str("base"), 0);
    bough_pack_writer_put_packed(&w, h, bough_buf_view(&packed));
    bough_pack_writer_finish(&w);
    bough_buf_put_fill(&pack, 0, 200); /* so that the quick way is tried */
    m.peak = 0;
    err = read_pack(&l, &m.mem, BOUGH_SHA1, bough_buf_view(&pack), step, limits, why, NULL);
    assert_true(m.peak < 256 * 1024 + pack.cap + packed.cap);
    bough_buf_fini(&pack);
    bough_buf_fini(&packed);
    test_mem_done(&m);
    return err;
}

static void test_git_pack__lies_about_sizes_are_refused(void **state)
{
    static const size_t steps[] = {1, SIZE_MAX};
    struct bough_entry_head h = {.type = BOUGH_BLOB};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        h.size = 5;
        assert_int_equal(read_lie(&h, bough_view_str("12345"), NULL, steps[i], NULL), BOUGH_OK);
        for (h.size = 0; h.size < 10; h.size++)
            if (h.size != 5)
                assert_int_equal(
                    read_lie(&h, bough_view_str("12345"), NULL, steps[i], NULL), BOUGH_EFORMAT);
        h.size = (uint64_t)1 << 40;
        assert_int_equal(
            read_lie(&h, bough_view_str("12345"), NULL, steps[i], NULL), BOUGH_EFORMAT);
    }
}

static void test_git_pack__claims_are_checked_before_they_cost(void **state)
{
    /* A delta that claims a base of 4 bytes and a result of 16 GiB. */
    static const uint8_t huge[] = {4, 0x80, 0x80, 0x80, 0x80, 0x40, 0x91, 0, 4};
    struct bough_entry_head h = {.type = BOUGH_REF_DELTA, .size = sizeof huge};
    struct bough_why why;

    (void)state;
    assert_int_equal(
        read_lie(&h, bough_view(huge, sizeof huge), NULL, SIZE_MAX, &why), BOUGH_ETOOBIG);
    assert_string_equal(why.what, "unpack object too large");
    h.size = (uint64_t)1 << 34;
    assert_int_equal(read_lie(&h, bough_view_str("x"), NULL, 1, &why), BOUGH_ETOOBIG);
    assert_string_equal(why.what, "unpack object too large");
    h = (struct bough_entry_head){.type = BOUGH_TREE, .size = (uint64_t)1 << 34};
    assert_int_equal(read_lie(&h, bough_view_str("x"), NULL, 1, &why), BOUGH_ETOOBIG);
    h = (struct bough_entry_head){.type = BOUGH_REF_DELTA, .size = 0};
    assert_int_equal(read_lie(&h, bough_view(NULL, 0), NULL, 1, &why), BOUGH_EFORMAT);
    h = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .size = 5, .back = 1000};
    assert_int_equal(read_lie(&h, bough_view_str("12345"), NULL, 1, &why), BOUGH_EFORMAT);
}

static void test_git_pack__limits_hold(void **state)
{
    struct bough_pack_limits limits = {.inflated_factor = 2, .inflated_base = 1000};
    struct bough_entry_head h = {.type = BOUGH_BLOB, .size = BIG};
    struct bough_why why;

    (void)state;
    memset(big, 0, sizeof big);
    assert_int_equal(read_lie(&h, bough_view(big, BIG), &limits, 100, &why), BOUGH_ETOOBIG);
    assert_string_equal(why.what, "unpacked bytes too many");
    limits = (struct bough_pack_limits){.blob_max = BIG - 1};
    assert_int_equal(read_lie(&h, bough_view(big, BIG), &limits, 100, &why), BOUGH_ETOOBIG);
    limits = (struct bough_pack_limits){.pack_len_max = 60};
    assert_int_equal(read_lie(&h, bough_view(big, BIG), &limits, 100, &why), BOUGH_ETOOBIG);
    assert_string_equal(why.what, "pack too large");
    limits = (struct bough_pack_limits){.count_max = 1};
    assert_int_equal(read_lie(&h, bough_view(big, BIG), &limits, 100, &why), BOUGH_ETOOBIG);
    assert_int_equal(read_lie(&h, bough_view(big, BIG), NULL, 100, &why), BOUGH_OK);
}

static void test_git_pack__reports_no_memory(void **state)
{
    static uint8_t bytes[4096];
    struct test_mem m;
    struct bough_buf pack;
    size_t len;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&pack, &m.mem);
    make_pack(&pack, BOUGH_SHA1, 1000);
    len = pack.len;
    assert_true(len <= sizeof bytes);
    memcpy(bytes, pack.ptr, len);
    bough_buf_fini(&pack);
    test_mem_done(&m);
    for (uint64_t n = 0;; n++) {
        struct listener l;
        enum bough_err err;

        test_mem_init(&m);
        m.fail_at = n;
        err = read_pack(&l, &m.mem, BOUGH_SHA1, bough_view(bytes, len), 50, NULL, NULL, NULL);
        test_mem_done(&m);
        assert_int_equal(err, m.failed ? BOUGH_ENOMEM : BOUGH_OK);
        if (!m.failed)
            break;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_git_pack__reads_alike_at_every_split),
        cmocka_unit_test(test_git_pack__an_empty_pack_is_legal),
        cmocka_unit_test(test_git_pack__cut_or_changed_anywhere_is_not_a_pack),
        cmocka_unit_test(test_git_pack__lies_about_sizes_are_refused),
        cmocka_unit_test(test_git_pack__claims_are_checked_before_they_cost),
        cmocka_unit_test(test_git_pack__limits_hold),
        cmocka_unit_test(test_git_pack__reports_no_memory),
    };

    return cmocka_run_group_tests_name("git/pack", tests, NULL, NULL);
}
