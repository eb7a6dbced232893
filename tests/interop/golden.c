/*
 * golden.c - makes one small store, the same on every machine; and tells all that a store holds.
 *
 *   golden make sha1|sha256 HOW IMAGE    a store from fixed choices: plain, packed; full, harm, settle (golden_full.c)
 *   golden tell IMAGE                    refs, records, objects with checksums; of a repository what it answers
 *   golden census IMAGE                  how often it has each structure of the format (golden_census.c)
 *
 * It needs the core, zlib and little of C's library, so that golden.sh can build it for other
 * architectures.  "plain" holds nothing that zlib compresses: its bytes do not depend on zlib.
 */
#include <stdlib.h>
#include <string.h>

#include "git/pack.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"
#include "tests/interop/golden.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, BYTES = ZONES * ZONE };

uint8_t golden_device[GOLDEN_BYTES_MAX];
int64_t golden_clock = 1000000000;

/* ---- The world ---- */

void bough_panic(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static void *mem_resize(struct bough_mem *m, void *p, size_t was, size_t now)
{
    (void)m;
    (void)was;
    if (now == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, now);
}

static void env_now(void *ctx, struct bough_time *out)
{
    (void)ctx;
    *out = (struct bough_time){.sec = golden_clock};
}

/* One byte as often as wanted: numbers made of it are the same in every byte order. */
static void env_random(void *ctx, void *dst, size_t n)
{
    uint64_t *seed = ctx;

    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    memset(dst, (int)(*seed >> 56), n);
}

static uint64_t env_seed = 1;
struct bough_mem golden_mem = {.resize = mem_resize};
const struct bough_env golden_env = {
    .mem = &golden_mem, .ctx = &env_seed, .now = env_now, .random = env_random};

void golden_must(enum bough_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "%s: %s\n", what, bough_err_name(err));
        exit(1);
    }
}

/* ---- Making ---- */

struct maker {
    struct bough_store *s;
    struct bough_block *dev;
    bool packed; /* values may be compressible */
    uint64_t seed;
};

void golden_body(uint64_t *seed, uint8_t *dst, size_t len, bool text)
{
    for (size_t i = 0; i < len; i++) {
        env_random(seed, dst + i, 1);
        if (text)
            dst[i] = (uint8_t)('a' + dst[i] % 4);
    }
}

static void open_it(struct maker *m)
{
    static const struct bough_log_open_opts opts = {.cache = 64 * 1024, .prepare = 1};

    golden_must(bough_log_open(m->dev, &golden_env, &opts, &m->s, NULL), "open");
}

static void record_put(struct bough_txn *t, int n, uint64_t *seq)
{
    struct bough_view stream = bough_view(n % 2 ? "odd" : "even", n % 2 ? 3 : 4);
    char text[24];
    int len = snprintf(text, sizeof text, "record %d", n);

    golden_must(bough_txn_record(t, stream, bough_view(text, (size_t)len), seq), "record");
    if (n % 5 == 4)
        golden_must(bough_txn_retire(t, stream, *seq - 1), "retire");
}

static void ref_put(struct bough_txn *t, int n, const struct bough_oid *id)
{
    struct bough_ref_change c = {.kind = BOUGH_REF_ID, .id = *id};
    char name[40];

    c.name = bough_view(
        name, (size_t)snprintf(name, sizeof name, "refs/%s/%d", n % 3 ? "heads" : "tags", n % 7));
    if (n % 3 == 0)
        c.peeled = *id;
    if (n % 11 == 10)
        c.kind = BOUGH_REF_NONE;
    golden_must(bough_txn_ref(t, &c), "ref");
}

/* A version, and the next one as a delta against it, both small. */
static void versions_put(struct maker *m, struct bough_txn *t)
{
    uint8_t body[300], delta[40] = {0xac, 0x02, 0xac, 0x02}; /* 300, 300 */
    struct bough_oid id, next;

    golden_body(&m->seed, body, sizeof body, false);
    golden_must(bough_txn_put(t, BOUGH_BLOB, bough_view(body, sizeof body), &id), "version");
    memset(body + 290, 'x', 10);
    next = bough_oid_of(m->s->algo, BOUGH_BLOB, bough_view(body, sizeof body));
    delta[4] = 0x80 | 0x10 | 0x20; /* copy from 0: 290 = 0x122 bytes */
    delta[5] = 0x22;
    delta[6] = 0x01;
    delta[7] = 10; /* insert */
    memset(delta + 8, 'x', 10);
    golden_must(bough_txn_put_delta(t, BOUGH_BLOB, &next, &id, bough_view(delta, 18),
                    bough_view(body, sizeof body)),
        "delta");
}

static void commit(struct maker *m, int n, size_t len, enum bough_durable how)
{
    static uint8_t body[1500];
    struct bough_txn *t;
    struct bough_oid id;
    uint64_t seq;

    golden_must(bough_txn_begin(m->s, &t), "begin");
    golden_body(&m->seed, body, len, m->packed && n % 2);
    golden_must(bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), &id), "put");
    versions_put(m, t);
    record_put(t, n, &seq);
    ref_put(t, n, &id);
    golden_must(bough_txn_commit(t, how), "commit");
}

/* A pack of two blobs from outside, large enough for a segment of its own. */
static void receive(struct maker *m)
{
    static uint8_t body[34000];
    struct bough_entry_head head = {.type = BOUGH_BLOB};
    struct bough_pack_writer w;
    struct bough_intake *in;
    struct bough_txn *t;
    struct bough_buf pack;
    size_t used;
    enum bough_err err;

    bough_buf_init(&pack, &golden_mem);
    bough_pack_writer_init(&w, &pack, m->s->algo, 2);
    for (size_t i = 0; i < 2; i++) {
        head.size = i == 0 ? sizeof body : 3000;
        golden_body(&m->seed, body, head.size, m->packed && i == 1);
        bough_pack_writer_put(&w, &head, bough_view(body, head.size), m->packed && i == 1 ? 6 : 0);
    }
    bough_pack_writer_finish(&w);
    golden_must(pack.err, "pack");
    golden_must(bough_store_intake(m->s, NULL, &in), "intake");
    golden_must(bough_intake_feed(in, bough_buf_view(&pack), &used), "feed");
    while ((err = bough_intake_step(in, 1 << 20)) == BOUGH_EAGAIN)
        continue;
    golden_must(err, "step");
    golden_must(bough_txn_begin(m->s, &t), "begin");
    golden_must(bough_txn_adopt(t, in), "adopt");
    golden_must(bough_txn_commit(t, BOUGH_DURABLE_NOW), "commit");
    bough_buf_fini(&pack);
}

static void make_all(struct maker *m)
{
    static const size_t sizes[] = {0, 1, 50, 300, 700, 1500};
    uint32_t packs = 0;
    size_t segments;

    open_it(m);
    for (int n = 0; n < 24; n++) {
        commit(m, n, sizes[n % 6], n % 4 == 3 ? BOUGH_DURABLE_LATER : BOUGH_DURABLE_NOW);
        if (n == 4 || n == 6 || n == 14 || n == 15)
            golden_must(bough_log__checkpoint(bough_log__of(m->s)), "checkpoint");
        if (n == 5)
            receive(m);
        if (n == 12) {
            bough_store_close(m->s);
            open_it(m);
        }
    }
    segments = bough_log__of(m->s)->segments;
    for (size_t i = 0; i < segments; i++)
        packs += bough_log__of(m->s)->segment[i].pack;
    if (packs == 0) { /* else the image shows too little */
        fprintf(stderr, "%u pack segments\n", packs);
        exit(1);
    }
    bough_store_close(m->s);
}

static void make_small(enum bough_algo algo, const char *how)
{
    struct bough_log_format_opts opts = {.granule = UNIT, .zone = ZONE, .algo = algo};
    struct maker m = {.packed = strcmp(how, "packed") == 0, .seed = 7};
    struct bough_ramblk ram;

    bough_ramblk_init(&ram, golden_device, BYTES / UNIT, UNIT);
    m.dev = &ram.blk;
    golden_must(bough_log_format(m.dev, &golden_env, &opts, NULL), "format");
    make_all(&m);
}

static int make(const char *kind, const char *how, const char *path)
{
    enum bough_algo algo = strcmp(kind, "sha256") == 0 ? BOUGH_SHA256 : BOUGH_SHA1;
    size_t len = BYTES;
    FILE *f;

    if (strcmp(how, "plain") == 0 || strcmp(how, "packed") == 0)
        make_small(algo, how);
    else
        len = golden_full_make(algo, how);
    f = len > 0 ? fopen(path, "wb") : NULL;
    if (f == NULL || fwrite(golden_device, 1, len, f) != len || fclose(f) != 0)
        golden_must(BOUGH_EIO, path);
    return 0;
}

/* ---- Telling ---- */

void golden_id(enum bough_algo algo, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    printf("%.*s", (int)bough_oid_hex(algo, id, hex), hex);
}

static enum bough_err tell_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct bough_store *s = ctx;
    struct bough_buf body;
    enum bough_type type;

    bough_buf_init(&body, &golden_mem);
    golden_must(bough_store_read(s, id, &type, &body), "read");
    printf("object ");
    golden_id(s->algo, id);
    printf(" type %d size %lu crc %08lx\n", (int)type, (unsigned long)found->size,
        (unsigned long)bough_crc32(0, body.ptr, body.len));
    bough_buf_fini(&body);
    return BOUGH_OK;
}

static enum bough_err tell_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    (void)ctx;
    printf("record %lu %.*s: %.*s\n", (unsigned long)seq, (int)stream.len, (const char *)stream.ptr,
        (int)bytes.len, (const char *)bytes.ptr);
    return BOUGH_OK;
}

static void tell_refs(struct bough_store *s)
{
    char name[64];
    struct bough_view after = {(const uint8_t *)name, 0};
    struct bough_ref r;

    while (!bough_store_ref_next(s, bough_view("", 0), after, &r)) {
        memcpy(name, r.name.ptr, r.name.len);
        after.len = r.name.len;
        printf("ref %.*s ", (int)after.len, name);
        if (r.kind == BOUGH_REF_SYM)
            printf("-> %.*s", (int)r.target.len, (const char *)r.target.ptr);
        else
            golden_id(s->algo, &r.id);
        printf("\n");
    }
}

static void tell_fault(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    printf("%s: %s: %.*s\n", bough_err_name(err), what, (int)key.len, (const char *)key.ptr);
}

static void tell_small(void)
{
    static const struct bough_log_open_opts opts = {.cache = 64 * 1024, .read_only = true};
    struct bough_ramblk ram;
    struct bough_store *s;

    bough_ramblk_init(&ram, golden_device, BYTES / UNIT, UNIT);
    golden_must(bough_log_open(&ram.blk, &golden_env, &opts, &s, NULL), "open");
    tell_refs(s);
    golden_must(bough_store_records(s, tell_record, NULL), "records");
    golden_must(bough_store_each(s, tell_object, s), "objects");
    golden_must(bough_store_check(s, tell_fault, NULL), "check");
    bough_store_close(s);
}

static size_t image_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t len = f != NULL ? fread(golden_device, 1, sizeof golden_device, f) : 0;

    if (f == NULL || len < BYTES || fclose(f) != 0)
        golden_must(BOUGH_EIO, path);
    return len;
}

static int tell(const char *path)
{
    size_t len = image_read(path);

    if (len == BYTES)
        tell_small();
    else
        golden_full_tell(len);
    return 0;
}

static int census(const char *path)
{
    golden_census(golden_device, image_read(path));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3], argv[4]);
    if (argc == 3 && strcmp(argv[1], "tell") == 0)
        return tell(argv[2]);
    if (argc == 3 && strcmp(argv[1], "census") == 0)
        return census(argv[2]);
    fprintf(stderr, "usage: golden make sha1|sha256 HOW IMAGE | tell IMAGE | census IMAGE\n");
    return 2;
}
