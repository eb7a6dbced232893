/*
 * test_fat_mtools.c - names on a volume, with mtools, both ways.
 *
 * Goal: what mtools writes is read here as it was meant; what is written here mtools reads.
 * Method: a floppy that mformat made, whose root directory is at a known place: names put there
 * by mcopy are taken from its entries; a root written here is listed by mdir.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fat/fat.h"
#include "tests/lib/mem.h"
#include "tests/lib/shell.h"

/* A floppy of 1,440 KiB: a boot sector, two FATs of nine, then the root. */
enum { ROOT_AT = 19 * 512, ROOT_LEN = 14 * 512, TEXT_MAX = 1 << 16 };

static char dir[64];
static uint8_t root[ROOT_LEN];

static const char *const names[] = {"README.TXT", "readme2.txt", "The quick brown.fox",
    "The quick brown.dog", ".profile", "archive.tar.gz", "caf\xc3\xa9", "\xe6\x97\xa5\xe6\x9c\xac",
    "a+b,c;d=[e]", "thirteen char", "fourteen chars", "ABCDEFGH.IJK", "A B", "$%'-_@~`.!()",
    "a name that takes many entries, for it goes on and on until it is well over the middle"};
enum { NAMES = sizeof names / sizeof *names };

static void root_move(const char *mode)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/x.img", dir);
    f = fopen(path, mode);
    assert_non_null(f);
    assert_int_equal(fseek(f, ROOT_AT, SEEK_SET), 0);
    if (mode[1] == 0)
        assert_int_equal(fread(root, 1, ROOT_LEN, f), ROOT_LEN);
    else
        assert_int_equal(fwrite(root, 1, ROOT_LEN, f), ROOT_LEN);
    assert_int_equal(fclose(f), 0);
}

/* The names of the root, in order. */
static void root_read(struct bough_buf *out)
{
    struct bough_fat_long l = {.count = 0};

    for (const uint8_t *e = root; e < root + ROOT_LEN && e[0] != 0; e += BOUGH_FAT_ENTRY) {
        struct bough_fat_name name;
        enum bough_err err;

        if (e[0] == 0xe5 || (!bough_fat_long_is(e) && (e[11] & 8) != 0))
            continue; /* free, or the volume's label */
        if (bough_fat_long_is(e)) {
            assert_int_equal(bough_fat_long_feed(&l, e, NULL), BOUGH_OK);
            continue;
        }
        err = bough_fat_long_take(&l, e, &name, NULL);
        if (err == BOUGH_ENOENT)
            err = bough_fat_short_name(e, e[12], &name);
        assert_int_equal(err, BOUGH_OK);
        assert_int_equal(bough_fat_name_put(&name, out), BOUGH_OK);
        bough_buf_put_u8(out, '\n');
    }
    bough_buf_put_u8(out, 0);
}

static void test_fat_mtools__names_of_mtools_are_read(void **state)
{
    static char out[TEXT_MAX];
    struct test_mem mem;
    struct bough_buf want, got;
    char command[512];

    (void)state;
    test_mem_init(&mem);
    bough_buf_init(&want, &mem.mem);
    bough_buf_init(&got, &mem.mem);
    shell_run(dir, out, TEXT_MAX, "mformat -C -f 1440 -i x.img ::");
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(command, sizeof command, "echo >f && mcopy -i x.img f \"::%s\"", names[i]);
        if (strchr(names[i], '`') != NULL)
            continue; /* the shell's; the other way has it */
        if (strstr(names[i], "caf") != NULL)
            continue; /* mtools makes a short name of code page 850 of it */
        shell_run(dir, out, TEXT_MAX, command);
        bough_buf_put_str(&want, names[i]);
        bough_buf_put_u8(&want, '\n');
    }
    bough_buf_put_u8(&want, 0);
    root_move("r");
    root_read(&got);
    assert_string_equal(got.ptr, want.ptr);
    bough_buf_fini(&want);
    bough_buf_fini(&got);
    test_mem_done(&mem);
}

static bool root_has(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT])
{
    (void)ctx;
    for (const uint8_t *e = root; e < root + ROOT_LEN && e[0] != 0; e += BOUGH_FAT_ENTRY) {
        if (!bough_fat_long_is(e) && memcmp(e, alias, BOUGH_FAT_SHORT) == 0)
            return true;
    }
    return false;
}

static void test_fat_mtools__names_made_here_are_read(void **state)
{
    static char out[TEXT_MAX];
    char want[TEXT_MAX] = "";
    uint8_t *at = root;

    (void)state;
    memset(root, 0, sizeof root);
    shell_run(dir, out, TEXT_MAX, "mformat -C -f 1440 -i x.img ::");
    for (size_t i = 0; i < NAMES; i++) {
        struct bough_fat_name name;
        uint8_t alias[BOUGH_FAT_SHORT];

        assert_int_equal(bough_fat_name_set(&name, bough_view_str(names[i]), NULL), BOUGH_OK);
        if (!bough_fat_short_is(&name, alias)) {
            assert_int_equal(bough_fat_alias(&name, root_has, NULL, alias), BOUGH_OK);
            for (uint32_t k = 0; k < bough_fat_long_count(&name); k++, at += BOUGH_FAT_ENTRY)
                bough_fat_long_write(&name, bough_fat_checksum(alias), k, at);
        }
        memcpy(at, alias, sizeof alias);
        at[11] = 0x20;
        at += BOUGH_FAT_ENTRY;
        snprintf(want + strlen(want), sizeof want - strlen(want), "::/%s\n", names[i]);
    }
    root_move("r+");
    shell_run(dir, out, TEXT_MAX, "mdir -b -i x.img ::");
    assert_string_equal(out, want);
    shell_run(dir, out, TEXT_MAX, "fsck.fat -n x.img >log || { cat log; false; }");
}

static int setup(void **state)
{
    (void)state;
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("MTOOLSRC", "/dev/null", 1);
    setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
    snprintf(dir, sizeof dir, "/tmp/bough-fat-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fat_mtools__names_of_mtools_are_read),
        cmocka_unit_test(test_fat_mtools__names_made_here_are_read),
    };

    return cmocka_run_group_tests_name("fat/mtools", tests, setup, teardown);
}
