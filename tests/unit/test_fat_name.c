/*
 * test_fat_name.c - names on FAT volumes.
 *
 * Goal: what FAT takes comes back as it went in, what it forbids is refused by the check's name;
 * aliases are unique; broken entries are seen.
 * Method: tables of known answers; names of every length through their entries; every entry
 * broken in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fat/fat.h"
#include "tests/lib/mem.h"

#define V(str) bough_view_str(str)

static struct bough_fat_name name_of(const char *utf8)
{
    struct bough_fat_name name;

    assert_int_equal(bough_fat_name_set(&name, V(utf8), NULL), BOUGH_OK);
    return name;
}

static void name_is(const struct bough_fat_name *name, const char *want)
{
    struct test_mem mem;
    struct bough_buf out;

    test_mem_init(&mem);
    bough_buf_init(&out, &mem.mem);
    assert_int_equal(bough_fat_name_put(name, &out), BOUGH_OK);
    bough_buf_put_u8(&out, 0);
    assert_string_equal(out.ptr, want);
    bough_buf_fini(&out);
    test_mem_done(&mem);
}

/* ---- Names ---- */

static void test_fat_name__good_ones_come_back(void **state)
{
    static const char *const good[] = {"a", "README.TXT", ".profile", "a b", " a", "..a", "a..b",
        "caf\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x8c\xb3", "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "CONSOLE", "COM", "COM0", "COM10", "xCON",
        "a+,;=[]"};
    struct bough_fat_name tree = name_of("\xf0\x9f\x8c\xb3");

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct bough_fat_name name = name_of(good[i]);

        name_is(&name, good[i]);
    }
    assert_int_equal(tree.n, 2);
    assert_int_equal(tree.units[0], 0xd83c);
    assert_int_equal(tree.units[1], 0xdf33);
}

static void test_fat_name__every_check_has_its_name(void **state)
{
    static const struct {
        const char *name, *what;
    } bad[] = {
        {"", "fat: empty name"},
        {"\x80", "fat: not UTF-8"},
        {"\xc3", "fat: not UTF-8"},
        {"\xc3(", "fat: not UTF-8"},
        {"\xc0\xaf", "fat: not UTF-8"},
        {"\xe0\x80\xaf", "fat: not UTF-8"},
        {"\xf0\x80\x80\xaf", "fat: not UTF-8"},
        {"\xed\xa0\x80", "fat: not UTF-8"},
        {"\xf4\x90\x80\x80", "fat: not UTF-8"},
        {"\xf8\x88\x80\x80\x80", "fat: not UTF-8"},
        {"a\"", "fat: forbidden character"},
        {"a*b", "fat: forbidden character"},
        {"a/b", "fat: forbidden character"},
        {"a:b", "fat: forbidden character"},
        {"a<b", "fat: forbidden character"},
        {"a>b", "fat: forbidden character"},
        {"a?b", "fat: forbidden character"},
        {"a\\b", "fat: forbidden character"},
        {"a|b", "fat: forbidden character"},
        {"a\nb", "fat: forbidden character"},
        {"a\x7f", "fat: forbidden character"},
        {".", "fat: dot or space at the end"},
        {"..", "fat: dot or space at the end"},
        {"a.", "fat: dot or space at the end"},
        {"a ", "fat: dot or space at the end"},
        {"con", "fat: name of a device"},
        {"NUL.txt", "fat: name of a device"},
        {"Aux .c", "fat: name of a device"},
        {"prn.a.b", "fat: name of a device"},
        {"com1", "fat: name of a device"},
        {"LPT9.x", "fat: name of a device"},
        {"com\xc2\xb9", "fat: name of a device"},
        {"clock$", "fat: name of a device"},
        {"CONIN$", "fat: name of a device"},
        {"conout$.x", "fat: name of a device"},
    };
    struct bough_fat_name name;
    struct bough_why why;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bough_fat_name_set(&name, V(bad[i].name), &why), BOUGH_EKEY);
        assert_string_equal(why.what, bad[i].what);
        assert_int_equal(why.key_len, strlen(bad[i].name));
    }
    assert_int_equal(bough_fat_name_set(&name, bough_view("a\0b", 3), &why), BOUGH_EKEY);
}

static void test_fat_name__255_units_are_enough(void **state)
{
    char text[1024];
    struct bough_fat_name name;
    struct bough_why why;

    (void)state;
    memset(text, 'n', sizeof text);
    assert_int_equal(bough_fat_name_set(&name, bough_view(text, 255), &why), BOUGH_OK);
    assert_int_equal(bough_fat_name_set(&name, bough_view(text, 256), &why), BOUGH_EKEY);
    assert_string_equal(why.what, "fat: name too long");
    memcpy(text + 253, "\xf0\x9f\x8c\xb3", 4);
    assert_int_equal(bough_fat_name_set(&name, bough_view(text, 257), &why), BOUGH_OK);
    assert_int_equal(name.n, 255);
    memcpy(text + 254, "\xf0\x9f\x8c\xb3", 4);
    text[253] = 'n';
    assert_int_equal(bough_fat_name_set(&name, bough_view(text, 258), &why), BOUGH_EKEY);
}

static void test_fat_name__case_does_not_part_names(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"readme", "README", true}, {"readme", "READ ME", false},
        {"\xc3\xa9t\xc3\xa9", "\xc3\x89T\xc3\x89", true}, /* French */
        {"\xcf\x83", "\xce\xa3", true},                   /* Greek sigma */
        {"\xcf\x82", "\xce\xa3", true},                   /* and its final form */
        {"\xd0\xb6", "\xd0\x96", true},                   /* Cyrillic */
        {"\xc3\xbf", "\xc5\xb8", true},                   /* y with dots: another block */
        {"stra\xc3\x9f"
         "e",
            "STRASSE", false},            /* no simple capital */
        {"e\xcc\x81", "\xc3\xa9", false}, /* normal forms differ */
        {"\xc3\xb7", "\xc3\x97", false},  /* divided by, times */
    };
    uint32_t sum = 0;

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct bough_fat_name a = name_of(pairs[i].a), b = name_of(pairs[i].b);

        assert_int_equal(bough_fat_name_same(&a, &b), pairs[i].same);
        assert_true(bough_fat_name_same(&a, &a));
    }
    for (uint32_t unit = 0; unit < 0x10000; unit++)
        sum += bough_fat_upper((uint16_t)unit);
    assert_int_equal(sum, 2144715527); /* of Unicode 14, as Python's unicodedata has it */
}

/* ---- Short names ---- */

static void test_fat_short__which_names_need_no_long_one(void **state)
{
    static const struct {
        const char *name, *want; /* NULL: it needs a long one */
    } names[] = {
        {"A", "A          "},
        {"README.TXT", "README  TXT"},
        {"ABCDEFGH.IJK", "ABCDEFGHIJK"},
        {"$%'-_@~`.!()", "$%'-_@~`!()"},
        {"{}^#&", "{}^#&      "},
        {"readme.txt", NULL},
        {"ABCDEFGHI", NULL},
        {"A.BCDE", NULL},
        {"A.B.C", NULL},
        {".A", NULL},
        {"A B", NULL},
        {"A+B", NULL},
        {"A,B", NULL},
        {"A=B", NULL},
        {"[A]", NULL},
        {"\xc3\x89", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bough_fat_name name = name_of(names[i].name), back;
        uint8_t got[11];

        assert_int_equal(bough_fat_short_is(&name, got), names[i].want != NULL);
        if (names[i].want == NULL)
            continue;
        assert_memory_equal(got, names[i].want, 11);
        assert_int_equal(bough_fat_short_name(got, 0, &back), BOUGH_OK);
        name_is(&back, names[i].name);
    }
}

static void test_fat_short__flags_make_parts_small(void **state)
{
    const uint8_t *readme = (const uint8_t *)"READ_ME2TXT";
    struct bough_fat_name name;

    (void)state;
    assert_int_equal(bough_fat_short_name(readme, BOUGH_FAT_SMALL_BASE, &name), BOUGH_OK);
    name_is(&name, "read_me2.TXT");
    assert_int_equal(bough_fat_short_name(readme, BOUGH_FAT_SMALL_EXT, &name), BOUGH_OK);
    name_is(&name, "READ_ME2.txt");
}

static void test_fat_short__refuses_what_is_none(void **state)
{
    static const char *const bad[] = {"           ", "        TXT", "a          ", " A         ",
        "A B        ", "A       T T",
        "\x05"
        "A         ",
        "\xe5"
        "A         ",
        ".          "};
    struct bough_fat_name name;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bough_fat_short_name((const uint8_t *)bad[i], 0, &name), BOUGH_EFORMAT);
}

/* Short names in use. */
struct used {
    uint8_t names[1200][11];
    size_t n;
};

static bool used_has(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT])
{
    const struct used *u = ctx;

    for (size_t i = 0; i < u->n; i++) {
        if (memcmp(u->names[i], alias, 11) == 0)
            return true;
    }
    return false;
}

static bool always(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT])
{
    (void)alias;
    ++*(size_t *)ctx;
    return true;
}

static void test_fat_alias__as_everybody_makes_them(void **state)
{
    static const struct {
        const char *name, *want;
    } names[] = {
        {"The quick brown.fox", "THEQUI~1FOX"},
        {"The quick blue.fox", "THEQUI~2FOX"},
        {"readme.txt", "README  TXT"},
        {"Readme.txt", "README~1TXT"},
        {".profile", "PROFIL~1   "},
        {"archive.tar.gz", "ARCHIV~1GZ "},
        {"a.html", "A~1     HTM"},
        {"a+b", "A_B~1      "},
        {"\xc3\xa9", "_~1        "},
        {"\xf0\x9f\x8c\xb3", "_~2        "},
        {"..b", "B~1        "},
        {"   .c", "C~1        "},
    };
    static struct used u;

    (void)state;
    u.n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bough_fat_name name = name_of(names[i].name);

        assert_int_equal(bough_fat_alias(&name, used_has, &u, u.names[u.n]), BOUGH_OK);
        assert_memory_equal(u.names[u.n], names[i].want, 11);
        u.n++;
    }
}

static void test_fat_alias__a_thousand_of_one_name_and_not_for_ever(void **state)
{
    static struct used u;
    struct bough_fat_name name = name_of("some long name.text"), back;
    uint8_t out[11];
    size_t asked = 0;

    (void)state;
    for (u.n = 0; u.n < 1100; u.n++)
        assert_int_equal(bough_fat_alias(&name, used_has, &u, u.names[u.n]), BOUGH_OK);
    assert_memory_equal(u.names[8], "SOMELO~9TEX", 11);
    assert_memory_equal(u.names[9], "SOMEL~10TEX", 11);
    assert_memory_equal(u.names[1099], "SOM~1100TEX", 11);
    for (size_t i = 0; i < u.n; i++)
        assert_int_equal(bough_fat_short_name(u.names[i], 0, &back), BOUGH_OK);
    assert_int_equal(bough_fat_alias(&name, always, &asked, out), BOUGH_ENOSPC);
    assert_int_equal(asked, 999999);
    assert_memory_equal(out, "S~999999TEX", 11);
}

static void test_fat_checksum__known_answers(void **state)
{
    (void)state;
    assert_int_equal(bough_fat_checksum((const uint8_t *)"THEQUI~1FOX"), 0x07);
    assert_int_equal(bough_fat_checksum((const uint8_t *)"README  TXT"), 0x73);
}

/* ---- Long names ---- */

/* The example of Microsoft's specification. */
static void test_fat_long__the_quick_brown_fox(void **state)
{
    static const uint8_t want[2][32] = {
        {0x42, 'w', 0, 'n', 0, '.', 0, 'f', 0, 'o', 0, 0x0f, 0, 0x07, 'x', 0, 0, 0, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff},
        {0x01, 'T', 0, 'h', 0, 'e', 0, ' ', 0, 'q', 0, 0x0f, 0, 0x07, 'u', 0, 'i', 0, 'c', 0, 'k',
            0, ' ', 0, 'b', 0, 0, 0, 'r', 0, 'o', 0},
    };
    struct bough_fat_name name = name_of("The quick brown.fox");
    uint8_t entry[32];

    (void)state;
    assert_int_equal(bough_fat_long_count(&name), 2);
    for (uint32_t i = 0; i < 2; i++) {
        bough_fat_long_write(&name, 0x07, i, entry);
        assert_memory_equal(entry, want[i], 32);
        assert_true(bough_fat_long_is(entry));
    }
}

static const uint8_t short_name[] = "SOMELO~1   ";

/* Write, break one byte by `x`, read: did the name come back? */
static bool through(const struct bough_fat_name *name, uint32_t at_entry, uint32_t at, uint8_t x)
{
    struct bough_fat_long l = {.count = 0};
    struct bough_fat_name got;
    uint8_t entry[32];

    for (uint32_t i = 0; i < bough_fat_long_count(name); i++) {
        bough_fat_long_write(name, bough_fat_checksum(short_name), i, entry);
        if (i == at_entry)
            entry[at] ^= x;
        if (bough_fat_long_feed(&l, entry, NULL) != BOUGH_OK) {
            assert_int_equal(l.count, 0);
            return false;
        }
    }
    if (bough_fat_long_take(&l, short_name, &got, NULL) != BOUGH_OK)
        return false;
    assert_int_equal(l.count, 0);
    assert_int_equal(bough_fat_long_take(&l, short_name, &got, NULL), BOUGH_ENOENT);
    return true;
}

static void test_fat_long__names_of_every_length(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 255; n++) {
        struct bough_fat_long l = {.count = 0};
        struct bough_fat_name name = {.n = n}, got;
        uint8_t entry[32];

        for (uint32_t i = 0; i < n; i++)
            name.units[i] = (uint16_t)(0x100 + i);
        for (uint32_t i = 0; i < bough_fat_long_count(&name); i++) {
            bough_fat_long_write(&name, bough_fat_checksum(short_name), i, entry);
            assert_int_equal(bough_fat_long_feed(&l, entry, NULL), BOUGH_OK);
        }
        assert_int_equal(bough_fat_long_take(&l, short_name, &got, NULL), BOUGH_OK);
        assert_int_equal(got.n, n);
        assert_memory_equal(got.units, name.units, n * 2);
    }
}

static void test_fat_long__broken_entries_are_seen(void **state)
{
    struct bough_fat_name name = name_of("a name of three entries, thirty-one");

    (void)state;
    assert_true(through(&name, 9, 0, 0));
    for (uint32_t i = 0; i < 3; i++) {
        for (int bit = 0; bit < 8; bit++) {
            if (i == 0 || bit != 6) /* the number; one that says "first" begins another name */
                assert_false(through(&name, i, 0, (uint8_t)(1 << bit)));
            assert_false(through(&name, i, 13, (uint8_t)(1 << bit))); /* the checksum */
        }
    }
    assert_false(through(&name, 0, 31, 1));   /* what fills the end up */
    assert_false(through(&name, 1, 1, 'e'));  /* the name ends too early (a unit is 0) */
    assert_false(through(&name, 1, 2, 0xd8)); /* half a pair */
}

static void expect_take(const struct bough_fat_long *from, const uint8_t *alias, const char *what)
{
    struct bough_fat_long l = *from;
    struct bough_fat_name got;
    struct bough_why why = {0};

    assert_int_equal(bough_fat_long_take(&l, alias, &got, &why), BOUGH_EFORMAT);
    assert_string_equal(why.what, what);
    assert_int_equal(l.count, 0);
}

static void test_fat_long__every_check_has_its_name(void **state)
{
    struct bough_fat_name name = name_of("a name of three entries, thirty-one");
    struct bough_fat_long l = {.count = 0};
    struct bough_why why = {0};
    uint8_t entry[3][32];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        bough_fat_long_write(&name, bough_fat_checksum(short_name), i, entry[i]);
    assert_int_equal(bough_fat_long_feed(&l, entry[1], &why), BOUGH_EFORMAT);
    assert_string_equal(why.what, "fat: long name out of order");
    entry[1][0] |= 0x80;
    assert_int_equal(bough_fat_long_feed(&l, entry[1], &why), BOUGH_EFORMAT);
    assert_string_equal(why.what, "fat: long name with a bad number");
    entry[1][0] = 2;
    assert_int_equal(bough_fat_long_feed(&l, entry[0], &why), BOUGH_OK);
    entry[1][13]++;
    assert_int_equal(bough_fat_long_feed(&l, entry[1], &why), BOUGH_EFORMAT);
    assert_string_equal(why.what, "fat: long name of two checksums");
    entry[1][13]--;
    assert_int_equal(bough_fat_long_feed(&l, entry[0], &why), BOUGH_OK);
    assert_int_equal(bough_fat_long_feed(&l, entry[1], &why), BOUGH_OK);
    expect_take(&l, short_name, "fat: long name without its beginning");
    assert_int_equal(bough_fat_long_feed(&l, entry[2], &why), BOUGH_OK);
    expect_take(&l, (const uint8_t *)"OTHER      ", "fat: long name of another entry");
    l.units[38] = 1;
    expect_take(&l, short_name, "fat: long name with a bad end");
    l.units[38] = 0xffff;
    l.units[3] = 0xdc00;
    expect_take(&l, short_name, "fat: surrogate alone");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fat_name__good_ones_come_back),
        cmocka_unit_test(test_fat_name__every_check_has_its_name),
        cmocka_unit_test(test_fat_name__255_units_are_enough),
        cmocka_unit_test(test_fat_name__case_does_not_part_names),
        cmocka_unit_test(test_fat_short__which_names_need_no_long_one),
        cmocka_unit_test(test_fat_short__flags_make_parts_small),
        cmocka_unit_test(test_fat_short__refuses_what_is_none),
        cmocka_unit_test(test_fat_alias__as_everybody_makes_them),
        cmocka_unit_test(test_fat_alias__a_thousand_of_one_name_and_not_for_ever),
        cmocka_unit_test(test_fat_checksum__known_answers),
        cmocka_unit_test(test_fat_long__the_quick_brown_fox),
        cmocka_unit_test(test_fat_long__names_of_every_length),
        cmocka_unit_test(test_fat_long__broken_entries_are_seen),
        cmocka_unit_test(test_fat_long__every_check_has_its_name),
    };

    return cmocka_run_group_tests_name("fat/name", tests, NULL, NULL);
}
