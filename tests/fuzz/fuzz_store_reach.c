/*
 * fuzz_store_reach.c - reachability bitmaps and sums of stretches that lie, behind checksums that hold.
 *
 * A store is made once (reach_bed.h).  The input is a list of patches (lies.h); the first byte chooses
 * where they may lie: anywhere, about the bitmaps, or about the sums.  Then everything is asked that
 * bitmaps answer, and long values are read in parts.  Nothing may crash, hang or take more than bounded
 * memory; without a patch the answers must be right.
 */
#include "tests/fuzz/lies.h"
#include "tests/lib/mem.h"
#include "tests/lib/reach_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct reach_bed bed;
static uint8_t device[REACH_BYTES];

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    BOUGH_ASSERT(err && what != NULL && (key.ptr != NULL || key.len == 0));
}

static void use(struct bough_store *s, bool sound)
{
    struct bough_store_stats stats;
    uint64_t n, digest;
    enum bough_err err = reach_ask(&bed, s, &n, &digest);

    BOUGH_ASSERT(!sound || (!err && n == bed.reached && digest == bed.digest));
    err = reach_values_read(&bed, s, sound);
    BOUGH_ASSERT(!sound || !err);
    err = bough_store_check(s, report, NULL);
    BOUGH_ASSERT(!sound || !err);
    (void)!bough_store_stat(s, &stats);
}

/* 0: anywhere; 1: about the bitmaps; 2: about sums. */
static void lie(uint32_t where, const uint8_t *data, size_t size)
{
    struct lies lies = {bed.device, device, REACH_BYTES, REACH_ZONE, 0, REACH_BYTES / REACH_UNIT};

    memcpy(device, bed.device, REACH_BYTES);
    if (where > 0) {
        lies.first = reach_bed_find(&bed, where == 2) / REACH_UNIT;
        lies.units = 12;
    }
    lies_patch(&lies, data, size);
    lies_seal(&lies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_log_open_opts opts = {.cache = 64 * 1024, .read_only = true};
    static bool made;
    struct test_mem m;
    struct bough_env env = {.mem = &m.mem};
    struct bough_ramblk ram;
    struct bough_store *s;

    if (size == 0)
        return 0;
    if (!made)
        reach_bed_make(&bed);
    made = true;
    lie(data[0] % 3, data + 1, size - 1);
    test_mem_init(&m);
    m.limit = 64 << 20;
    bough_ramblk_init(&ram, device, REACH_BYTES / REACH_UNIT, REACH_UNIT);
    if (!bough_log_open(&ram.blk, &env, &opts, &s, NULL)) {
        s->object_max = 1 << 20;
        use(s, memcmp(bed.device, device, REACH_BYTES) == 0);
        bough_store_close(s);
    }
    test_mem_done(&m);
    return 0;
}
