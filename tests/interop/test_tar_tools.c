/*
 * test_tar_tools.c - tar headers, with GNU tar and Python's tarfile, both ways.
 *
 * Goal: what they write is read here as Python reads it; what is written here they read as it
 * was meant.
 * Method: archives of every format made by GNU tar and by tarfile (long names, links, numbers
 * in base 256, times before 1970, names that are no ASCII), walked here and listed by tarfile;
 * an archive of paths of all lengths made here, listed and compared by both.
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

#include "tar/tar.h"
#include "tests/lib/env.h"
#include "tests/lib/shell.h"

enum { TEXT_MAX = 1 << 20, PATHS = 330 };

static char dir[64];
static struct test_env env;

/* tarfile's view of an archive, a line an entry. */
static const char lister[] =
    "import sys, tarfile, math\n"
    "def h(s): return s.encode('utf-8', 'surrogateescape').hex()\n"
    "for t in tarfile.open(sys.argv[1], encoding='utf-8', errors='surrogateescape'):\n"
    "    k = '0' if t.type == b'\\0' else t.type.decode()\n"
    "    print(k, h(t.name), '@' + h(t.linkname), '%o' % t.mode, t.uid, t.gid, t.size,\n"
    "          math.floor(t.mtime), '@' + h(t.uname), '@' + h(t.gname))\n";

static const char maker[] =
    "import sys, tarfile, io\n"
    "F = {'ustar': tarfile.USTAR_FORMAT, 'gnu': tarfile.GNU_FORMAT, 'pax': tarfile.PAX_FORMAT}\n"
    "f = sys.argv[2]\n"
    "with tarfile.open(sys.argv[1], 'w', format=F[f], pax_headers={'comment': 'x' * 40}) as a:\n"
    "    for i in range(60):\n"
    "        t = tarfile.TarInfo('d' * (i * 3 % 90) + '/' + 'caf\\u00e9' + 'n' * (i * 2 % 80))\n"
    "        if f != 'ustar':\n"
    "            t.name *= 1 + i % 3\n"
    "            t.mtime = [0, -1, 1 << 40, -1 << 40, 1.5][i % 5]\n"
    "            t.uid = [0, 1 << 21, 1 << 31, 7][i % 4]\n"
    "            t.uname = 'u' * (i if f == 'pax' else i % 31)\n"
    "        t.size = i % 4 * 300\n"
    "        if i % 7 == 3:\n"
    "            t.type, t.size, t.linkname = tarfile.SYMTYPE, 0, 'l' * (99 if f == 'ustar' else i "
    "* 5)\n"
    "        if i % 7 == 5:\n"
    "            t.type, t.size, t.devmajor, t.devminor = tarfile.CHRTYPE, 0, 5, i\n"
    "        a.addfile(t, io.BytesIO(b'x' * t.size))\n";

/* ---- Tools ---- */

static void save(const char *name, const void *bytes, size_t n)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void load(const char *name, struct bough_buf *out)
{
    char path[128];
    FILE *f;
    int c;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "rb");
    assert_non_null(f);
    while ((c = getc(f)) != EOF)
        bough_buf_put_u8(out, (uint8_t)c);
    fclose(f);
    assert_int_equal(out->err, BOUGH_OK);
}

/* ---- Walking an archive ---- */

struct walk {
    struct bough_view raw;
    size_t at;
    struct bough_tar_pax global, local;
};

/* The next entry with all that was said of it; false: the end. */
static bool walk_next(struct walk *w, struct bough_tar_header *h)
{
    struct bough_why why = {0};

    w->local = (struct bough_tar_pax){0};
    for (;;) {
        struct bough_view data;
        enum bough_err err;

        assert_true(w->at + 512 <= w->raw.len);
        err = bough_tar_header_read(w->raw.ptr + w->at, h, &why);
        if (err == BOUGH_ENOENT)
            return false;
        if (err)
            fail_msg("%s at %zu", why.what, w->at + (size_t)why.at);
        w->at += 512;
        data = bough_view(w->raw.ptr + w->at, (size_t)h->size);
        if (h->type == BOUGH_TAR_PAX)
            err = bough_tar_pax_read(&w->local, data, &why);
        else if (h->type == BOUGH_TAR_PAX_GLOBAL)
            err = bough_tar_pax_read(&w->global, data, &why);
        else if (h->type == BOUGH_TAR_LONG_NAME || h->type == BOUGH_TAR_LONG_LINK)
            err = bough_tar_pax_read_long(&w->local, h->type, data, &why);
        else
            bough_tar_pax_apply(&w->global, &w->local, h);
        assert_int_equal(err, BOUGH_OK);
        if (h->type != BOUGH_TAR_LINK && h->type != BOUGH_TAR_DIR && h->type != BOUGH_TAR_HARD_LINK)
            w->at += (size_t)h->size + bough_tar_pad(h->size);
        if (strchr("xgLK", h->type) == NULL)
            return true;
    }
}

/* The same lines as the lister's. */
static void list_ours(const struct bough_buf *raw, struct bough_buf *out)
{
    struct walk w = {.raw = bough_buf_view(raw)};
    struct bough_tar_header h;
    struct bough_buf path;
    char numbers[128];

    bough_buf_init(&path, env.env.mem);
    while (walk_next(&w, &h)) {
        bough_buf_clear(&path);
        bough_tar_path(&h, &path);
        if (h.type == BOUGH_TAR_FILE && h.format == BOUGH_TAR_V7 && path.ptr[path.len - 1] == '/')
            h.type = BOUGH_TAR_DIR;
        while (h.type == BOUGH_TAR_DIR && path.len > 0 && path.ptr[path.len - 1] == '/')
            path.len--;
        bough_buf_put_u8(out, h.type);
        bough_buf_put_u8(out, ' ');
        bough_buf_put_hex(out, path.ptr, path.len);
        bough_buf_put_str(out, " @");
        bough_buf_put_hex(out, h.link.ptr, h.link.len);
        snprintf(numbers, sizeof numbers, " %o %lld %lld %lld %lld @", h.mode, (long long)h.uid,
            (long long)h.gid, (long long)h.size, (long long)h.mtime);
        bough_buf_put_str(out, numbers);
        bough_buf_put_hex(out, h.uname.ptr, h.uname.len);
        bough_buf_put_str(out, " @");
        bough_buf_put_hex(out, h.gname.ptr, h.gname.len);
        bough_buf_put_u8(out, '\n');
    }
    bough_buf_put_u8(out, 0);
    bough_buf_fini(&path);
}

static void same_lists(const char *what)
{
    static char theirs[TEXT_MAX];
    struct bough_buf raw, ours;

    print_message("%s\n", what);
    bough_buf_init(&raw, env.env.mem);
    bough_buf_init(&ours, env.env.mem);
    load("x.tar", &raw);
    list_ours(&raw, &ours);
    shell_run(dir, theirs, TEXT_MAX, "python3 list.py x.tar");
    if (strcmp(theirs, (const char *)ours.ptr) != 0)
        fail_msg("%s\nours:\n%s\ntheirs:\n%s", what, (const char *)ours.ptr, theirs);
    assert_true(strlen(theirs) > 100);
    bough_buf_fini(&raw);
    bough_buf_fini(&ours);
}

/* ---- Tests ---- */

static void test_tar_tools__archives_of_gnu_tar_are_read(void **state)
{
    static const char *const formats[] = {"v7", "ustar", "oldgnu", "gnu", "posix"};
    static char out[TEXT_MAX];
    char command[256];

    (void)state;
    shell_run(dir, out, TEXT_MAX,
        "mkdir t && cd t && echo hello >a && ln -s a l && ln a hard && mkdir -p d/e &&"
        " : >d/caf\xc3\xa9 && head -c 1000 /dev/zero >d/e/b && touch -d @-3 d/old");
    for (size_t i = 0; i < 5; i++) {
        bool v7 = i == 0;

        snprintf(command, sizeof command, "%s tar --format=%s %s -cf x.tar t",
            i == 2 ? "p=$(printf %090d 0); mkdir -p t/$p/$p; : >t/$p/$p/f;"
                     " ln -sf $p/$p t/long;"
                   : "",
            formats[i], v7 || i == 1 ? "--exclude=old" : "");
        shell_run(dir, out, TEXT_MAX, command);
        same_lists(formats[i]);
    }
}

static void test_tar_tools__archives_of_tarfile_are_read(void **state)
{
    static const char *const formats[] = {"ustar", "gnu", "pax"};
    static char out[TEXT_MAX];
    char command[256];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "python3 make.py x.tar %s", formats[i]);
        shell_run(dir, out, TEXT_MAX, command);
        same_lists(formats[i]);
    }
}

/* Paths of every length; every field now and then too big for a block. */
static void make_ours(struct bough_buf *raw, struct bough_buf *names)
{
    char path[PATHS + 1], link[PATHS + 1];

    bough_tar_record_put(names, "comment", bough_view_str("of all"));
    assert_int_equal(bough_tar_put_global(raw, bough_buf_view(names), 1700000000, NULL), BOUGH_OK);
    bough_buf_clear(names);
    memset(link, 'l', sizeof link);
    for (size_t n = 1; n < PATHS; n++) {
        struct bough_tar_header h = {.type = BOUGH_TAR_FILE,
            .mode = 0644,
            .mtime = (int64_t)n,
            .size = (int64_t)(n % 3),
            .uname = bough_view_str("root")};

        for (size_t i = 0; i < n; i++)
            path[i] = i > 0 && i + 1 < n && i % (n % 120 + 2) == 0 ? '/' : (char)('a' + n % 26);
        h.name = bough_view(path, n);
        if (n % 10 == 0) {
            h.type = BOUGH_TAR_LINK;
            h.size = 0;
            h.link = bough_view(link, n);
        }
        if (n % 7 == 0)
            h.mtime = -(int64_t)n;
        if (n % 11 == 0)
            h.uid = h.gid = INT64_C(1) << 21;
        assert_int_equal(bough_tar_put(raw, &h, NULL), BOUGH_OK);
        bough_buf_put_fill(raw, 'x', (size_t)h.size);
        bough_buf_put_fill(raw, 0, bough_tar_pad(h.size));
        bough_buf_put_view(names, h.name);
        bough_buf_put_u8(names, '\n');
    }
    bough_buf_put_fill(raw, 0, 1024);
    bough_buf_put_u8(names, 0);
}

static void test_tar_tools__archives_made_here_are_read(void **state)
{
    static char out[TEXT_MAX];
    struct bough_buf raw, names;

    (void)state;
    bough_buf_init(&raw, env.env.mem);
    bough_buf_init(&names, env.env.mem);
    make_ours(&raw, &names);
    save("x.tar", raw.ptr, raw.len);
    shell_run(dir, out, TEXT_MAX, "tar -tf x.tar --quoting-style=literal");
    assert_string_equal(out, (const char *)names.ptr);
    same_lists("ours");
    shell_run(dir, out, TEXT_MAX, "tar -tvf x.tar --numeric-owner | grep -c 2097152");
    assert_string_equal(out, "29\n");
    bough_buf_fini(&raw);
    bough_buf_fini(&names);
}

static int setup(void **state)
{
    (void)state;
    test_env_init(&env);
    setenv("LC_ALL", "C", 1);
    snprintf(dir, sizeof dir, "/tmp/bough-tar-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    save("list.py", lister, sizeof lister - 1);
    save("make.py", maker, sizeof maker - 1);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    test_env_done(&env);
    return system(command);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tar_tools__archives_of_gnu_tar_are_read),
        cmocka_unit_test(test_tar_tools__archives_of_tarfile_are_read),
        cmocka_unit_test(test_tar_tools__archives_made_here_are_read),
    };

    return cmocka_run_group_tests_name("tar/tools", tests, setup, teardown);
}
