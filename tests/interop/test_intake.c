/*
 * test_intake.c - packs that git made, and git on packs that we made.
 *
 * Goal: every pack of git's is indexed as git indexes it (id, place, CRC-32,
 * type, size), with both kinds of ids, for shallow and deep chains, bases by
 * distance and by id, thin packs completed or not; what the pack writer and
 * the delta finder make passes `git index-pack --strict` and fsck.
 * Method: a history of some hundred commits that fast-import makes from a
 * script, packed with various options; git's answers are read from files.
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

#include "git/delta.h"
#include "git/pack.h"
#include "store/intake.h"
#include "tests/lib/area.h"
#include "tests/lib/mem.h"

static char home[] = "/tmp/bough-intake-XXXXXX";

/* Run a shell command in the test's directory; it must succeed. */
static void sh(const char *command)
{
    char line[2048];
    int n = snprintf(line, sizeof line, "cd %s && export LC_ALL=C && { %s; }", home, command);

    assert_true(n > 0 && (size_t)n < sizeof line);
    if (system(line) != 0)
        fail_msg("failed: %s", command);
}

/* A whole file; the caller frees. */
static struct bough_view slurp(const char *name)
{
    char path[256];
    uint8_t *bytes;
    FILE *f;
    long len;

    snprintf(path, sizeof path, "%s/%s", home, name);
    f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    len = ftell(f);
    rewind(f);
    bytes = malloc((size_t)len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)len, f), len);
    fclose(f);
    return bough_view(bytes, (size_t)len);
}

static void spill(const char *name, struct bough_view bytes)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", home, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void drop(struct bough_view bytes)
{
    free((void *)(uintptr_t)bytes.ptr);
}

/* A history in which files grow, change and return; sha1.git and sha256.git. */
static int group_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(home));
    sh("awk 'BEGIN { srand(1); for (c = 1; c <= 150; c++) {"
       " printf \"commit refs/heads/main\\ncommitter A <a@b> %d +0000\\ndata 2\\nc\\n\", c * 60;"
       " for (k = 0; k < 4; k++) { f = int(rand() * 30);"
       "  if (!(f in n)) { n[f] = 200; for (l = 0; l < 200; l++) t[f, l] = int(rand() * 1e9) }"
       "  for (e = 0; e < 3; e++) t[f, int(rand() * n[f])] = int(rand() * 1e9);"
       "  b = \"\"; for (l = 0; l < n[f]; l++) b = b \"line \" t[f, l] \"\\n\";"
       "  printf \"M 100644 inline d%d/f%d\\ndata %d\\n%s\\n\", f % 5, f, length(b), b } } }' > "
       "in");
    sh("head -c 300000 /dev/urandom > big");
    for (int i = 0; i < 2; i++) {
        char line[512];
        const char *algo = i ? "sha256" : "sha1";

        snprintf(line, sizeof line,
            "git init -q --bare --object-format=%s %s.git && git -C %s.git fast-import --quiet < in"
            " && git -C %s.git hash-object -w ../big > big.%s"
            " && git -C %s.git cat-file --batch-all-objects"
            " --batch-check='%%(objectname) %%(objecttype) %%(objectsize)' > %s.objects"
            " && cut -d' ' -f1 %s.objects > %s.all",
            algo, algo, algo, algo, algo, algo, algo, algo, algo);
        sh(line);
    }
    return 0;
}

static int group_teardown(void **state)
{
    char line[256];

    (void)state;
    snprintf(line, sizeof line, "rm -rf %s", home);
    return system(line);
}

static enum bough_err take_in(struct test_area *a, struct bough_view pack, enum bough_algo algo,
    bool complete, struct bough_store__intake_facts *facts)
{
    struct bough_intake_opts opts = {.limits = {.memory = 4 << 20}};
    struct bough_store__intake *in;
    struct bough_why why = {.what = ""};
    struct test_mem m;
    size_t used;
    enum bough_err err;

    test_mem_init(&m);
    assert_int_equal(
        bough_store__intake_open(&in, &m.mem, algo, &a->host, &opts, complete, &why), BOUGH_OK);
    err = bough_store__intake_feed(in, pack, &used);
    assert_true(err || used == pack.len);
    if (!err)
        while ((err = bough_store__intake_step(in, 100000)) == BOUGH_EAGAIN) {
        }
    if (err)
        print_error("%s\n", why.what);
    *facts = bough_store__intake_facts(in);
    bough_store__intake_close(in);
    test_mem_done(&m);
    return err;
}

/* The rows as git prints them: `id type size` and `place id (crc)`. */
static void rows_spill(const struct test_area *a, enum bough_algo algo)
{
    char path[256];
    FILE *objects, *index;

    snprintf(path, sizeof path, "%s/our.objects", home);
    objects = fopen(path, "w");
    snprintf(path, sizeof path, "%s/our.index", home);
    index = fopen(path, "w");
    assert_true(objects != NULL && index != NULL);
    for (size_t i = 0; i < a->row_count; i++) {
        const struct bough_store__intake_row *r = &a->rows[i];
        char hex[BOUGH_HEX_MAX + 1] = {0};

        bough_oid_hex(algo, &r->id, hex);
        fprintf(
            objects, "%s %s %llu\n", hex, bough_type_name(r->type), (unsigned long long)r->size);
        fprintf(index, "%llu %s (%08x)\n", (unsigned long long)r->at, hex, r->crc);
    }
    fclose(objects);
    fclose(index);
}

/* Pack all objects with these options, index the pack both ways, compare. */
static void check_pack(const char *algo_name, const char *options)
{
    enum bough_algo algo = strcmp(algo_name, "sha1") == 0 ? BOUGH_SHA1 : BOUGH_SHA256;
    struct bough_store__intake_facts facts;
    struct bough_view pack;
    struct test_area a;
    char line[1024];

    snprintf(line, sizeof line,
        "git -C %s.git pack-objects -q --stdout --no-reuse-delta %s < %s.all > p.pack"
        " && git index-pack --object-format=%s -o p.idx p.pack > /dev/null"
        " && git show-index --object-format=%s < p.idx > git.index",
        algo_name, options, algo_name, algo_name, algo_name);
    sh(line);
    pack = slurp("p.pack");
    test_area_init(&a);
    assert_int_equal(take_in(&a, pack, algo, false, &facts), BOUGH_OK);
    rows_spill(&a, algo);
    snprintf(line, sizeof line, "cmp our.index git.index && cmp our.objects %s.objects", algo_name);
    sh(line);
    test_area_fini(&a);
    drop(pack);
}

static void test_intake__agrees_with_git_on_every_kind_of_pack(void **state)
{
    static const char *const options[] = {
        "--window=10 --depth=50 --delta-base-offset",
        "--window=10 --depth=50",
        "--window=100 --depth=4000 --delta-base-offset",
        "--window=100 --depth=4000",
        "--window=0",
        "--window=20 --depth=3 --compression=0 --delta-base-offset",
        "--window=250 --depth=1 --compression=9",
    };

    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        check_pack("sha1", options[i]);
        check_pack("sha256", options[i]);
    }
}

/* Everything that `sha1.git` held 30 commits ago, for the store that a thin pack is sent to. */
static struct bough_view old_objects_load(struct test_area *a)
{
    struct bough_view all;
    const uint8_t *p;

    sh("git -C sha1.git rev-list --objects main~30 | cut -d' ' -f1 |"
       " git -C sha1.git cat-file --batch > old");
    all = slurp("old");
    for (p = all.ptr; p < all.ptr + all.len;) {
        struct bough_oid id;
        char type[16];
        unsigned long size;
        int head = 0;
        char line[128] = {0};

        memcpy(line, p, (size_t)((const uint8_t *)memchr(p, '\n', 128) - p));
        assert_int_equal(sscanf(line, "%*s %15s %lu%n", type, &size, &head), 2);
        assert_int_equal(bough_oid_parse(BOUGH_SHA1, bough_view(p, 40), &id), BOUGH_OK);
        p += head + 1;
        test_area_has(a, &id, bough_type_parse(bough_view_str(type)), bough_view(p, size));
        p += size + 1;
    }
    return all;
}

/* What lies in the area as one pack: the entries received, then those that complete them. */
static void area_to_pack(const struct test_area *a, size_t pack_len, uint64_t count)
{
    struct test_mem m;
    struct bough_buf out;
    struct bough_hash h;
    uint8_t digest[BOUGH_DIGEST_MAX];

    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    bough_buf_put(&out, a->raw, 8);
    bough_buf_put32be(&out, (uint32_t)count);
    bough_buf_put(&out, a->raw + 12, pack_len - 12 - 20);
    bough_buf_put(&out, a->raw + pack_len, a->raw_len - pack_len);
    bough_hash_init(&h, BOUGH_SHA1);
    bough_hash_update(&h, out.ptr, out.len);
    bough_hash_final(&h, digest);
    bough_buf_put(&out, digest, 20);
    spill("c.pack", bough_buf_view(&out));
    bough_buf_fini(&out);
    test_mem_done(&m);
}

static void test_intake__completes_thin_packs(void **state)
{
    struct bough_store__intake_facts facts;
    struct bough_view pack, old;
    struct test_area a;
    size_t completed = 0;

    (void)state;
    sh("printf 'main\\n^main~30\\n' | git -C sha1.git pack-objects -q --revs --thin --stdout"
       " --no-reuse-delta --window=50 --delta-base-offset > t.pack");
    sh("git -C sha1.git rev-list --objects main ^main~30 | cut -d' ' -f1 | sort > t.want");
    pack = slurp("t.pack");
    for (int complete = 0; complete < 2; complete++) {
        test_area_init(&a);
        old = old_objects_load(&a);
        assert_int_equal(take_in(&a, pack, BOUGH_SHA1, complete, &facts), BOUGH_OK);
        rows_spill(&a, BOUGH_SHA1);
        for (size_t i = 0; i < a.row_count; i++)
            completed += a.rows[i].completed;
        if (complete) {
            assert_true(completed > 0);
            area_to_pack(&a, pack.len, facts.count);
            sh("git index-pack c.pack > /dev/null && git show-index < c.idx | cut -d' ' -f2 > c.ids"
               " && cut -d' ' -f1 our.objects | cmp - c.ids");
        } else {
            assert_int_equal(completed, 0);
            sh("cut -d' ' -f1 our.objects | cmp - t.want");
        }
        test_area_fini(&a);
        drop(old);
    }
    drop(pack);
}

/* ---- what we write ---- */

static void put(struct bough_pack_writer *w, enum bough_type type, struct bough_view body)
{
    struct bough_entry_head h = {.type = type};

    bough_pack_writer_put(w, &h, body, 6);
}

/* A commit of a tree of one file, the file a found delta on another by id and a third by place. */
static void ours_make(struct bough_buf *out, enum bough_algo algo, struct bough_mem *mem)
{
    static uint8_t first[20000], second[20000];
    struct bough_pack_writer w;
    struct bough_entry_head h = {.type = BOUGH_REF_DELTA};
    struct bough_delta_index x;
    struct bough_buf text, delta;
    struct bough_oid id;
    uint64_t at;
    char hex[BOUGH_HEX_MAX];

    for (size_t i = 0; i < sizeof first; i++)
        first[i] = (uint8_t)("abcdefgh\n"[(i * i / 7 + i) % 9]);
    memcpy(second, first + 100, sizeof second - 100);
    bough_buf_init(&text, mem);
    bough_buf_init(&delta, mem);
    assert_int_equal(bough_delta_index_init(&x, mem, bough_view(first, sizeof first)), BOUGH_OK);
    assert_int_equal(
        bough_delta_find(&x, bough_view(second, sizeof second), 1000, &delta), BOUGH_OK);
    bough_delta_index_fini(&x);

    bough_pack_writer_init(&w, out, algo, 5);
    h.base = bough_oid_of(algo, BOUGH_BLOB, bough_view(first, sizeof first));
    bough_pack_writer_put(&w, &h, bough_buf_view(&delta), 9);
    h = (struct bough_entry_head){.type = BOUGH_BLOB, .size = sizeof first};
    bough_pack_writer_begin(&w, &h);
    at = w.entry_at;
    for (size_t i = 0; i < sizeof first; i += 100)
        bough_pack_writer_data(&w, bough_view(first + i, 100), 6);
    bough_pack_writer_end(&w);
    bough_buf_clear(&delta);
    {
        struct bough_delta_builder b;

        bough_delta_begin(&b, &delta, sizeof first, 10003);
        bough_delta_copy(&b, 5000, 10000);
        bough_delta_insert(&b, bough_view_str("end"));
        bough_delta_end(&b);
    }
    h = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .back = w.at - at};
    bough_pack_writer_put(&w, &h, bough_buf_view(&delta), 0);

    id = bough_oid_of(algo, BOUGH_BLOB, bough_view(second, sizeof second));
    bough_buf_put(&text, "100644 file\0", 12);
    bough_buf_put(&text, id.bytes, bough_algo_len(algo));
    put(&w, BOUGH_TREE, bough_buf_view(&text));
    id = bough_oid_of(algo, BOUGH_TREE, bough_buf_view(&text));
    bough_buf_clear(&text);
    bough_buf_put_str(&text, "tree ");
    bough_buf_put(&text, hex, bough_oid_hex(algo, &id, hex));
    bough_buf_put_str(&text, "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nours\n");
    put(&w, BOUGH_COMMIT, bough_buf_view(&text));
    bough_pack_writer_finish(&w);
    assert_int_equal(out->err, BOUGH_OK);
    bough_buf_fini(&text);
    bough_buf_fini(&delta);
}

static void test_intake__git_takes_what_we_write(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        enum bough_algo algo = i ? BOUGH_SHA256 : BOUGH_SHA1;
        struct test_mem m;
        struct bough_buf out;
        char line[512];

        test_mem_init(&m);
        bough_buf_init(&out, &m.mem);
        ours_make(&out, algo, &m.mem);
        spill("ours.pack", bough_buf_view(&out));
        bough_buf_fini(&out);
        test_mem_done(&m);
        snprintf(line, sizeof line,
            "rm -rf o.git && git init -q --bare --object-format=%s o.git && cd o.git"
            " && git index-pack --strict --stdin < ../ours.pack > /dev/null"
            " && git fsck --strict --full 2>&1 | grep -vE '^(dangling|notice)' > ../fsck;"
            " test ! -s ../fsck && test $(git count-objects -v | awk '/^in-pack/{print $2}') = 5",
            bough_algo_name(algo));
        sh(line);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intake__agrees_with_git_on_every_kind_of_pack),
        cmocka_unit_test(test_intake__completes_thin_packs),
        cmocka_unit_test(test_intake__git_takes_what_we_write),
    };

    return cmocka_run_group_tests_name("interop/intake", tests, group_setup, group_teardown);
}
