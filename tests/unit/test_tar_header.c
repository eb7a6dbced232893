/*
 * test_tar_header.c - headers and pax records of tar.
 *
 * Goal: what is written is read back; every form of every field is read; every check fires,
 * by its name.
 * Method: blocks made by hand and by the writer, one thing broken at a time; memory that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tar/tar.h"
#include "tests/lib/mem.h"

#define V(str) bough_view_str(str)

static struct bough_tar_header plain(const char *name)
{
    struct bough_tar_header h = {.type = BOUGH_TAR_FILE,
        .name = V(name),
        .mode = 0644,
        .uid = 1000,
        .gid = 100,
        .size = 5,
        .mtime = 1700000000,
        .uname = V("u"),
        .gname = V("g")};

    return h;
}

static void view_is(struct bough_view v, const char *want)
{
    assert_int_equal(v.len, strlen(want));
    assert_memory_equal(v.ptr, want, v.len);
}

/* The checksum anew, of unsigned or of signed bytes. */
static void seal(uint8_t *block, bool with_sign)
{
    int sum = 0;
    char text[9];

    memset(block + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += with_sign ? (int8_t)block[i] : block[i];
    snprintf(text, sizeof text, "%06o", (unsigned)sum & 0777777);
    memcpy(block + 148, text, 7);
}

static void refused(const uint8_t *block, const char *what, uint64_t at)
{
    struct bough_tar_header h;
    struct bough_why why = {0};

    assert_int_equal(bough_tar_header_read(block, &h, &why), BOUGH_EFORMAT);
    assert_string_equal(why.what, what);
    assert_int_equal(why.at, at);
}

/* ---- Headers ---- */

static void test_tar_header__what_is_written_is_read(void **state)
{
    struct bough_tar_header h = plain("dir/file"), got;
    uint8_t block[512];

    (void)state;
    h.type = BOUGH_TAR_CHAR;
    h.dev_major = 07777777;
    h.dev_minor = 9;
    h.size = 077777777777;
    h.mtime = 077777777777;
    h.link = V("to");
    assert_int_equal(bough_tar_header_write(&h, block, NULL), BOUGH_OK);
    assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_OK);
    assert_int_equal(got.format, BOUGH_TAR_USTAR);
    assert_int_equal(got.type, h.type);
    view_is(got.name, "dir/file");
    view_is(got.prefix, "");
    view_is(got.link, "to");
    view_is(got.uname, "u");
    view_is(got.gname, "g");
    assert_int_equal(got.mode, 0644);
    assert_int_equal(got.uid, 1000);
    assert_int_equal(got.gid, 100);
    assert_int_equal(got.size, h.size);
    assert_int_equal(got.mtime, h.mtime);
    assert_int_equal(got.dev_major, 07777777);
    assert_int_equal(got.dev_minor, 9);
}

/* Paths of every length, with slashes here and there: read back, or said to be too long. */
static void test_tar_header__paths_are_parted_where_they_can_be(void **state)
{
    char path[300];

    (void)state;
    for (size_t len = 1; len < 270; len++) {
        for (size_t every = 2; every < 160; every = every * 3 / 2 + 1) {
            struct bough_tar_header h = plain("x"), got;
            uint8_t block[512];
            struct test_mem mem;
            struct bough_buf out;
            bool can = len <= 100;
            enum bough_err err;

            for (size_t i = 0; i < len; i++)
                path[i] = (i + 1) % every == 0 ? '/' : 'p';
            for (size_t i = 1; i + 1 < len; i++)
                can = can || (path[i] == '/' && i <= 155 && len - i - 1 <= 100);
            h.name = bough_view(path, len);
            err = bough_tar_header_write(&h, block, NULL);
            assert_int_equal(err, can ? BOUGH_OK : BOUGH_ETOOBIG);
            if (err)
                continue;
            assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_OK);
            test_mem_init(&mem);
            bough_buf_init(&out, &mem.mem);
            bough_tar_path(&got, &out);
            assert_true(bough_view_eq(bough_buf_view(&out), h.name));
            bough_buf_fini(&out);
            test_mem_done(&mem);
        }
    }
}

static void test_tar_header__both_checksums_are_good_and_no_other(void **state)
{
    struct bough_tar_header h = plain("caf\xc3\xa9"), got;
    uint8_t block[512];

    (void)state;
    assert_int_equal(bough_tar_header_write(&h, block, NULL), BOUGH_OK);
    seal(block, true);
    assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_OK);
    for (int i = 0; i < 500; i++) {
        if (i >= 148 && i < 156)
            continue;
        block[i]++;
        assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_EFORMAT);
        block[i]--;
    }
    block[0] ^= 1;
    refused(block, "tar: wrong checksum", 148);
    memset(block + 148, 'x', 8);
    refused(block, "tar: checksum is no number", 148);
}

static void test_tar_header__zeros_are_the_end(void **state)
{
    uint8_t block[512] = {0};
    struct bough_tar_header h;

    (void)state;
    assert_int_equal(bough_tar_header_read(block, &h, NULL), BOUGH_ENOENT);
    block[511] = 1;
    refused(block, "tar: wrong checksum", 148);
}

static void test_tar_header__old_headers_have_less(void **state)
{
    struct bough_tar_header h = plain("old/"), got;
    uint8_t block[512];

    (void)state;
    assert_int_equal(bough_tar_header_write(&h, block, NULL), BOUGH_OK);
    memset(block + 257, 0, 255);
    memcpy(block + 345, "no prefix", 9);
    block[156] = 0;
    seal(block, false);
    assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_OK);
    assert_int_equal(got.format, BOUGH_TAR_V7);
    assert_int_equal(got.type, BOUGH_TAR_FILE);
    view_is(got.name, "old/");
    assert_int_equal(got.prefix.len + got.uname.len + got.gname.len, 0);

    memcpy(block + 257, "ustar  ", 8); /* GNU's prefix is none, either */
    seal(block, false);
    assert_int_equal(bough_tar_header_read(block, &got, NULL), BOUGH_OK);
    assert_int_equal(got.format, BOUGH_TAR_GNU);
    assert_int_equal(got.prefix.len, 0);
}

/* ---- Numbers ---- */

/* `len` bytes as the size, or as the mtime. */
static enum bough_err number(size_t at, const char *bytes, size_t len, int64_t *out)
{
    struct bough_tar_header h = plain("n"), got;
    uint8_t block[512];
    enum bough_err err;

    assert_int_equal(bough_tar_header_write(&h, block, NULL), BOUGH_OK);
    memset(block + at, 0, 12);
    memcpy(block + at, bytes, len);
    seal(block, false);
    err = bough_tar_header_read(block, &got, NULL);
    *out = at == 124 ? got.size : got.mtime;
    return err;
}

static void test_tar_header__numbers_of_every_form(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int64_t want;
    } good[] = {
        {"", 0, 0},
        {"            ", 12, 0},
        {"   17", 5, 15},
        {"17 junk", 7, 15},
        {"17\0junk", 7, 15},
        {"\0000000000017", 12, 15},
        {"777777777777", 12, INT64_C(0777777777777)},
        {"\x80\0\0\0\0\0\0\0\0\0\1\2", 12, 258},
        {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xfd\xff", 12, INT64_MAX - 512},
    };
    static const char *const bad[] = {"8", "1x", "-1", "1-", "0x10", "\x80\1", "\x80\0\0\0\x80"};
    int64_t x;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(number(124, good[i].bytes, good[i].len, &x), BOUGH_OK);
        assert_int_equal(x, good[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char bytes[12] = {0};

        memcpy(bytes, bad[i], strlen(bad[i]));
        if (i == 6)
            bytes[4] = (char)0x80;
        assert_int_equal(number(124, bytes, 12, &x), BOUGH_EFORMAT);
    }
    assert_int_equal(
        number(136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, &x), BOUGH_OK);
    assert_int_equal(x, -2);
    assert_int_equal(
        number(124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, &x), BOUGH_EFORMAT);
    assert_int_equal(number(136, "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, &x), BOUGH_OK);
    assert_true(x == INT64_MIN);
    assert_int_equal(number(136, "\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0", 12, &x), BOUGH_EFORMAT);
}

static void test_tar_header__every_check_has_its_name(void **state)
{
    static const struct {
        int at;
        const char *what;
    } fields[] = {{100, "tar: mode is no number"}, {108, "tar: uid is no number"},
        {116, "tar: gid is no number"}, {124, "tar: size is no number"},
        {136, "tar: mtime is no number"}, {329, "tar: devmajor is no number"},
        {337, "tar: devminor is no number"}};
    uint8_t block[512], broken[512];
    struct bough_tar_header h = plain("n");

    (void)state;
    h.type = BOUGH_TAR_BLOCK_DEVICE;
    assert_int_equal(bough_tar_header_write(&h, block, NULL), BOUGH_OK);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        memcpy(broken, block, 512);
        broken[fields[i].at] = '?';
        seal(broken, false);
        refused(broken, fields[i].what, (uint64_t)fields[i].at);
    }
    memset(block, 0, 100);
    seal(block, false);
    refused(block, "tar: empty name", 0);
}

static void test_tar_header__refuses_to_write_what_cannot_be(void **state)
{
    struct bough_tar_header h;
    struct bough_why why;
    uint8_t block[512];

    (void)state;
#define REFUSES(change, err, text)                                                                 \
    do {                                                                                           \
        h = plain("n");                                                                            \
        change;                                                                                    \
        assert_int_equal(bough_tar_header_write(&h, block, &why), err);                            \
        assert_string_equal(why.what, text);                                                       \
    } while (0)
    REFUSES(h.name.len = 0, BOUGH_EINVAL, "tar: empty name");
    REFUSES(h.name = bough_view("a\0b", 3), BOUGH_EINVAL, "tar: NUL in text");
    REFUSES(h.size = -1, BOUGH_EINVAL, "tar: size is out of range");
    REFUSES(h.mode = 010000000, BOUGH_EINVAL, "tar: mode is out of range");
    REFUSES(h.dev_major = 010000000, BOUGH_EINVAL, "tar: devmajor is out of range");
    REFUSES(h.dev_minor = 010000000, BOUGH_EINVAL, "tar: devminor is out of range");
    REFUSES(h.size = 0100000000000, BOUGH_ETOOBIG, "tar: size");
    REFUSES(h.mtime = -1, BOUGH_ETOOBIG, "tar: mtime");
    REFUSES(h.uid = 010000000, BOUGH_ETOOBIG, "tar: uid");
    REFUSES(h.gid = 010000000, BOUGH_ETOOBIG, "tar: gid");
    REFUSES(h.gid = -1, BOUGH_EINVAL, "tar: gid is out of range");
    REFUSES(h.uid = INT64_MAX, BOUGH_EINVAL, "tar: uid is out of range");
    REFUSES(h.mtime = INT64_MIN, BOUGH_EINVAL, "tar: mtime is out of range");
    REFUSES(h.uname = V("12345678901234567890123456789012"), BOUGH_ETOOBIG, "tar: uname");
    REFUSES(h.gname = V("12345678901234567890123456789012"), BOUGH_ETOOBIG, "tar: gname");
#undef REFUSES
}

/* ---- Pax ---- */

static void test_tar_pax__a_length_counts_itself(void **state)
{
    struct test_mem mem;
    struct bough_buf out;
    char value[1200];

    (void)state;
    memset(value, '=', sizeof value);
    test_mem_init(&mem);
    bough_buf_init(&out, &mem.mem);
    bough_tar_record_put(&out, "comment", V("0123456789012345678901234567890123456789"));
    bough_buf_put_u8(&out, 0);
    assert_string_equal(out.ptr, "52 comment=0123456789012345678901234567890123456789\n");
    for (size_t n = 0; n < sizeof value; n++) {
        struct bough_tar_record rec;
        struct bough_view left;

        bough_buf_clear(&out);
        bough_tar_record_put(&out, "k", bough_view(value, n));
        left = bough_buf_view(&out);
        assert_int_equal(bough_tar_record_next(&left, &rec, NULL), BOUGH_OK);
        assert_int_equal(left.len, 0);
        view_is(rec.key, "k");
        assert_true(bough_view_eq(rec.value, bough_view(value, n)));
        assert_int_equal(bough_tar_record_next(&left, &rec, NULL), BOUGH_ENOENT);
    }
    bough_buf_fini(&out);
    test_mem_done(&mem);
}

static void test_tar_pax__every_check_has_its_name(void **state)
{
    static const struct {
        const char *data, *what;
        uint64_t at;
    } bad[] = {
        {"x", "pax: length is no number", 0},
        {"9", "pax: length is no number", 0},
        {" 6 a=b\n", "pax: length is no number", 0},
        {"99999999999999999999999 a=b\n", "pax: length is no number", 0},
        {"7 a=b\n", "pax: length and record disagree", 0},
        {"5 a=b\n", "pax: length and record disagree", 0},
        {"2 a=b\n", "pax: length and record disagree", 0},
        {"0 a=b\n", "pax: length and record disagree", 0},
        {"6 a=b\n6 a=bc", "pax: length and record disagree", 6},
        {"5 ab\n", "pax: record without a key", 0},
        {"5 =b\n", "pax: record without a key", 0},
        {"6 a=b\n10 size=x\n", "pax: size is no number", 6},
        {"11 size=-1\n", "pax: size is no number", 0},
        {"12 size=1.5\n", "pax: size is no number", 0},
        {"28 size=9223372036854775807\n", "pax: size is out of range", 0},
        {"11 mtime=-\n", "pax: mtime is no number", 0},
        {"13 mtime=1,5\n", "pax: mtime is no number", 0},
        {"9 uid=1a\n", "pax: uid is no number", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bough_tar_pax pax = {0};
        struct bough_why why = {0};

        assert_int_equal(bough_tar_pax_read(&pax, V(bad[i].data), &why), BOUGH_EFORMAT);
        assert_string_equal(why.what, bad[i].what);
        assert_int_equal(why.at, bad[i].at);
    }
}

static void test_tar_pax__local_goes_before_global_before_header(void **state)
{
    struct bough_tar_header h = plain("header");
    struct bough_tar_pax global = {0}, local = {0}, none = {0};

    (void)state;
    assert_int_equal(bough_tar_pax_read(&global,
                         V("12 path=all\n14 uname=them\n14 gname=them\n11 comment=\n"), NULL),
        BOUGH_EFORMAT); /* the last length is wrong; the ones before count */
    assert_int_equal(
        bough_tar_pax_read(&local,
            V("11 path=it\n9 uname=\n14 mtime=-1.5\n6 x=y\n9 size=7\n11 uid=4194304\n"), NULL),
        BOUGH_EFORMAT);
    assert_int_equal(
        bough_tar_pax_read(&local, V("15 uid=4194304\n22 GNU.sparse.major=1\n"), NULL), BOUGH_OK);
    assert_true(local.sparse);
    h.prefix = V("pre");
    bough_tar_pax_apply(&global, &none, &h);
    view_is(h.name, "all");
    view_is(h.prefix, "");
    view_is(h.uname, "them");
    h = plain("header");
    bough_tar_pax_apply(&global, &local, &h);
    view_is(h.name, "it");
    view_is(h.uname, "u"); /* said to be empty: the global one is void */
    view_is(h.gname, "them");
    assert_int_equal(h.mtime, -2);
    assert_int_equal(h.size, 7);
    assert_int_equal(h.uid, 4194304);
    assert_int_equal(h.gid, 100);
}

static void test_tar_pax__long_names_end_at_their_nul(void **state)
{
    struct bough_tar_header h = plain("short");
    struct bough_tar_pax none = {0}, pax = {0};

    (void)state;
    assert_int_equal(
        bough_tar_pax_read_long(&pax, BOUGH_TAR_LONG_NAME, bough_view("long\0xx", 7), NULL),
        BOUGH_OK);
    assert_int_equal(
        bough_tar_pax_read_long(&pax, BOUGH_TAR_LONG_LINK, bough_view("to", 2), NULL), BOUGH_OK);
    bough_tar_pax_apply(&none, &pax, &h);
    view_is(h.name, "long");
    view_is(h.link, "to");
    assert_int_equal(bough_tar_pax_read_long(&pax, BOUGH_TAR_LONG_NAME, bough_view("\0x", 2), NULL),
        BOUGH_EFORMAT);
}

/* Read what bough_tar_put() made: one pax header at most, then the header. */
static void put_read(const struct bough_buf *out, struct bough_tar_header *h, bool want_pax)
{
    struct bough_tar_pax none = {0}, local = {0};
    size_t at = 0;

    assert_int_equal(bough_tar_header_read(out->ptr, h, NULL), BOUGH_OK);
    assert_int_equal(h->type == BOUGH_TAR_PAX, want_pax);
    if (want_pax) {
        at = 512 + (size_t)h->size + bough_tar_pad(h->size);
        assert_int_equal(
            bough_tar_pax_read(&local, bough_view(out->ptr + 512, (size_t)h->size), NULL),
            BOUGH_OK);
        assert_int_equal(bough_tar_header_read(out->ptr + at, h, NULL), BOUGH_OK);
    }
    assert_int_equal(out->len, at + 512);
    bough_tar_pax_apply(&none, &local, h);
}

static void test_tar_put__what_does_not_fit_goes_by_pax(void **state)
{
    char path[401], link[301];
    struct bough_tar_header h = plain("fits"), got;
    struct test_mem mem;
    struct bough_buf out;

    (void)state;
    for (uint64_t n = 0;; n++) {
        enum bough_err err;

        test_mem_init(&mem);
        mem.fail_at = n;
        bough_buf_init(&out, &mem.mem);
        h = plain("fits");
        err = bough_tar_put(&out, &h, NULL);
        if (err == BOUGH_OK) {
            put_read(&out, &got, false);
            bough_buf_clear(&out);
            memset(path, 'p', sizeof path);
            memcpy(path + 88, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 14);
            memset(link, 'l', sizeof link);
            h.name = bough_view(path, 400);
            h.link = bough_view(link, 300);
            h.size = INT64_C(1) << 40;
            h.mtime = -5;
            h.uid = 1 << 30;
            h.gid = 1 << 25;
            h.uname = bough_view(link, 40);
            err = bough_tar_put(&out, &h, NULL);
        }
        if (err == BOUGH_OK) {
            put_read(&out, &got, true);
            assert_true(bough_view_eq(got.name, h.name));
            assert_true(bough_view_eq(got.link, h.link));
            assert_true(bough_view_eq(got.uname, h.uname));
            assert_int_equal(got.size, h.size);
            assert_int_equal(got.mtime, h.mtime);
            assert_int_equal(got.uid, h.uid);
            assert_int_equal(got.gid, h.gid);
        } else {
            assert_int_equal(err, BOUGH_ENOMEM);
        }
        bough_buf_fini(&out);
        test_mem_done(&mem);
        if (!mem.failed)
            break;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tar_header__what_is_written_is_read),
        cmocka_unit_test(test_tar_header__paths_are_parted_where_they_can_be),
        cmocka_unit_test(test_tar_header__both_checksums_are_good_and_no_other),
        cmocka_unit_test(test_tar_header__zeros_are_the_end),
        cmocka_unit_test(test_tar_header__old_headers_have_less),
        cmocka_unit_test(test_tar_header__numbers_of_every_form),
        cmocka_unit_test(test_tar_header__every_check_has_its_name),
        cmocka_unit_test(test_tar_header__refuses_to_write_what_cannot_be),
        cmocka_unit_test(test_tar_pax__a_length_counts_itself),
        cmocka_unit_test(test_tar_pax__every_check_has_its_name),
        cmocka_unit_test(test_tar_pax__local_goes_before_global_before_header),
        cmocka_unit_test(test_tar_pax__long_names_end_at_their_nul),
        cmocka_unit_test(test_tar_put__what_does_not_fit_goes_by_pax),
    };

    return cmocka_run_group_tests_name("tar/header", tests, NULL, NULL);
}
