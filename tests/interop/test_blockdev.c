/*
 * test_blockdev.c - the file device on a real block device.
 *
 * Goal: size and unit are the device's own, it cannot be resized, what is
 * written and discarded is so in the file below, and it is locked like a
 * file.  Method: a loop device over a temporary file; skipped where the
 * system does not let us make one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/file.h"

enum { UNIT = 512, COUNT = 8192 };

struct fix {
    char file[64], loop[64];
    int below, fd;
};

/* A loop device over a fresh file; its name in `f->loop`, "" when there is none to be had. */
static int setup(void **state)
{
    static struct fix f;
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n = -1;

    *state = &f;
    f.loop[0] = '\0';
    f.fd = -1;
    snprintf(f.file, sizeof f.file, "/tmp/bough-loop-XXXXXX");
    f.below = mkstemp(f.file);
    if (f.below < 0 || ftruncate(f.below, COUNT * UNIT) != 0)
        return -1;
    if (control >= 0) {
        n = ioctl(control, LOOP_CTL_GET_FREE);
        close(control);
    }
    if (n < 0)
        return 0;
    snprintf(f.loop, sizeof f.loop, "/dev/loop%d", n);
    f.fd = open(f.loop, O_RDWR | O_CLOEXEC);
    if (f.fd < 0 || ioctl(f.fd, LOOP_SET_FD, f.below) != 0)
        f.loop[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    if (f->loop[0] != '\0')
        ioctl(f->fd, LOOP_CLR_FD, 0);
    if (f->fd >= 0)
        close(f->fd);
    close(f->below);
    return unlink(f->file);
}

static void test_blockdev__is_a_device_of_its_own_size(void **state)
{
    static _Alignas(4096) uint8_t in[8 * UNIT], out[8 * UNIT];
    struct fix *f = *state;
    struct bough_fileblk d, other;

    if (f->loop[0] == '\0')
        skip();
    assert_int_equal(bough_fileblk_open(&d, f->loop, 0, 256, NULL), BOUGH_EINVAL);
    assert_int_equal(
        bough_fileblk_open(&d, f->loop, BOUGH_FILEBLK_DIRECT | BOUGH_FILEBLK_CREATE, 0, NULL),
        BOUGH_OK);
    assert_int_equal(d.blk.count * d.blk.unit, COUNT * UNIT);
    assert_true(d.blk.unit >= UNIT);
    assert_int_equal(bough_block_resize(&d.blk, 1), BOUGH_ENOTSUP);
    assert_int_equal(bough_fileblk_open(&other, f->loop, 0, 0, NULL), BOUGH_ELOCKED);

    memset(in, 0x5a, sizeof in);
    assert_int_equal(bough_block_sync(&d.blk), BOUGH_OK);
    for (uint64_t at = 0; at < 3; at++)
        assert_int_equal(
            bough_block_write_sync(&d.blk, at * 8 * UNIT / d.blk.unit, 8 * UNIT / d.blk.unit, in),
            BOUGH_OK);
    assert_int_equal(pread(f->below, out, sizeof out, 8 * UNIT), sizeof out);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(
        bough_block_discard(&d.blk, 8 * UNIT / d.blk.unit, 8 * UNIT / d.blk.unit), BOUGH_OK);
    assert_int_equal(bough_block_read(&d.blk, 0, 8 * UNIT / d.blk.unit, out), BOUGH_OK);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(bough_block_sync(&d.blk), BOUGH_OK);
    bough_fileblk_close(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_blockdev__is_a_device_of_its_own_size, setup, teardown),
    };

    return cmocka_run_group_tests_name("interop/blockdev", tests, NULL, NULL);
}
