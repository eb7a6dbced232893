/*
 * test_store_flip.c - one flipped bit anywhere on a device is never a wrong answer.
 *
 * Goal: whatever single bit of a store changes, opening and reading give what was written or an
 * error that says what is damaged and where; and check() names the damage wherever it lies in
 * something that counts: superblocks, the root, tables, frames, what stands before an entry, entries.
 * Method: a small store with all of these is made by a history (store_world.h).  From its open
 * handle it is noted what each byte is.  Then one bit of each byte is flipped in turn (of bytes that
 * are 0, of every ninth; LONG=1: of all, and all bits of those that say something), the store is
 * opened for writing, everything is read and compared with the memory engine, and checked; and it
 * is opened as repair does, for what is left: no more is lost then than the flipped byte says.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, BYTES = ZONES * ZONE };
enum { A_FRAME = 3 }; /* objects that one frame brings at the most, or adopts */

/* What a byte of the device is. */
enum what { NOTHING, SUPER, ROOT, TABLE, PACK, REVERSE, FRAME, NEWEST, BEFORE, ENTRY, WHATS };
static const char *const what_name[WHATS] = {"nothing", "superblock", "root", "table", "pack",
    "reverse table", "frame", "newest frame", "before an entry", "entry"};

struct seen { /* counts of flips, by what they hit */
    uint64_t flips, refused, reported;
};

struct fix {
    struct world w;
    struct bough_ramblk ram;
    uint8_t device[BYTES], pristine[BYTES], what[BYTES];
    struct seen seen[WHATS];
    struct bough_buf want, got;
    bool clean;  /* the last mount ended cleanly: a superblock says how far the log goes */
    uint64_t at; /* the byte that is flipped now */
    int bit;
    bool noticed;           /* an answer was an error */
    uint64_t objects, left; /* there are; and can be read */
    char found[160];
};

/* Checkpoints often, so that tables are made and merged; and none, so that the log grows. */
static const struct bough_log_open_opts often = {
    .cache = 64 * 1024, .table_rows = 8, .log_max = 16 * 1024};
static const struct bough_log_open_opts seldom = {.cache = 64 * 1024};

/* ---- What each byte is ---- */

static void mark(struct fix *f, uint64_t at, uint64_t n, enum what what)
{
    assert_true(at + n <= BYTES);
    memset(f->what + at, (int)what, n);
}

static void mark_run(
    struct fix *f, const struct bough_log__run *r, uint64_t from, uint64_t n, enum what what)
{
    struct bough_log *l = bough_log__of(f->w.s);

    for (uint64_t i = 0; i < n; i++) {
        uint64_t dev, left;
        OK(bough_log__run_at(l, r, from + i, &dev, &left));
        f->what[dev] = (uint8_t)what;
    }
}

static void mark_table(struct fix *f, const struct bough_log__table *t, enum what what)
{
    struct bough_log *l = bough_log__of(f->w.s);
    uint64_t n = (uint64_t)t->blocks * BOUGH_LOG__BLOCK;

    if (t->segment == 0)
        mark_run(f, &t->run, 0, n, what);
    else
        mark_run(f, &bough_log__segment_find(l, t->segment)->run, t->at, n, what);
}

static enum bough_err mark_entry(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct fix *f = ctx;
    struct bough_log *l = bough_log__of(f->w.s);
    struct bough_log__entry e;
    uint64_t at;

    (void)id;
    OK(bough_log__entry_open(l, found->where, &e));
    if (e.seg->pack)
        return BOUGH_OK;
    at = (uint64_t)e.seg->zone * ZONE + e.at;
    mark(f, at - BOUGH_LOG__BEFORE, BOUGH_LOG__BEFORE, BEFORE);
    mark(f, at, e.len, ENTRY);
    return BOUGH_OK;
}

/* Frames from where the log goes on after the newest checkpoint; padding does not count. */
static void mark_frames(struct fix *f, struct bough_log__head pos)
{
    struct bough_log *l = bough_log__of(f->w.s);
    struct bough_log__frame fr;
    uint64_t last = 0;

    while (pos.seq < l->head.seq) {
        uint64_t at = (uint64_t)pos.zone * ZONE + pos.at;
        if (pos.at + BOUGH_LOG__FRAME_HEAD > ZONE ||
            bough_log__frame_decode(&l->geo, pos.zone, pos.at, f->device + at, &fr) ||
            fr.seq != pos.seq) {
            assert_true(pos.next != 0);
            pos.zone = pos.next;
            pos.at = 0;
            pos.next = 0;
            continue;
        }
        mark(f, at, BOUGH_LOG__FRAME_HEAD, FRAME);
        mark(f, at + BOUGH_LOG__FRAME_HEAD + fr.data_len, fr.index_len, FRAME);
        last = at;
        pos.at += bough_log__frame_len(&l->geo, &fr);
        pos.next = fr.next_zone;
        pos.seq++;
    }
    if (!f->clean && fr.seq >= l->super.mount_seq) /* nobody has said that it is durable */
        mark(f, last, BOUGH_LOG__FRAME_HEAD + (uint64_t)fr.data_len + fr.index_len, NEWEST);
}

static void mark_supers(struct fix *f, uint64_t generation)
{
    enum { SLOTS = BOUGH_LOG__RINGS * BOUGH_LOG__SLOTS };

    for (uint64_t g = generation; g > 0 && g + SLOTS > generation; g--)
        mark(f, g % 2 * ZONE + g / 2 % 8 * UNIT, BOUGH_LOG__SUPER_LEN, SUPER);
}

/* The open store says where everything is; `start`: the log after the newest checkpoint. */
static void mark_all(struct fix *f, struct bough_log__head start)
{
    struct bough_log *l = bough_log__of(f->w.s);

    memset(f->what, NOTHING, sizeof f->what);
    mark_supers(f, l->super.generation + f->clean);
    mark_run(f, &l->root_run, 0, l->super.root_len, ROOT);
    for (size_t i = 0; i < l->segments; i++) {
        if (l->segment[i].pack) {
            mark_run(f, &l->segment[i].run, 0, l->segment[i].pack_end, PACK);
            if (l->segment[i].flags & BOUGH_LOG__PACK_WHOLE)
                mark_run(f, &l->segment[i].run, l->segment[i].pack_end, l->geo.id_len, PACK);
            else /* its count of entries: nobody reads it where the stream is not what was received */
                mark_run(f, &l->segment[i].run, 8, 4, NOTHING);
            mark_table(f, &l->segment[i].reverse, REVERSE);
        }
    }
    for (size_t i = 0; i < l->tables; i++)
        mark_table(f, &l->table[i], TABLE);
    for (uint32_t i = 0; i < l->reftables; i++)
        mark_table(f, &l->reftable[i], TABLE);
    OK(bough_store_each(f->w.s, mark_entry, f));
    mark_frames(f, start);
}

/* ---- Is every answer right or an error? ---- */

static void assert_named(struct fix *f, const struct bough_why *why, enum bough_err err)
{
    if (err != BOUGH_ECORRUPT || why->err != err || why->what == NULL || why->what[0] == '\0')
        fail_msg("byte %llu (%s), bit %d: %s, without saying what", (unsigned long long)f->at,
            what_name[f->what[f->at]], f->bit, bough_err_name(err));
}

static void wrong(struct fix *f, const char *what)
{
    fail_msg("byte %llu (%s), bit %d: %s", (unsigned long long)f->at, what_name[f->what[f->at]],
        f->bit, what);
}

/* An error that is allowed; true when there is an answer to compare. */
static bool answered(struct fix *f, enum bough_err err)
{
    if (!err)
        return true;
    assert_named(f, &f->w.s->why, err);
    f->noticed = true;
    return false;
}

static enum bough_err object_right(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct fix *f = ctx;
    struct bough_found have;
    enum bough_type type;

    bough_buf_clear(&f->got);
    bough_buf_clear(&f->want);
    OK(bough_store_read(f->w.m.s, id, NULL, &f->want));
    if (answered(f, bough_store_find(f->w.s, id, &have)) &&
        (have.type != found->type || have.size != found->size))
        wrong(f, "find() says another type or size");
    if (answered(f, bough_store_read(f->w.s, id, &type, &f->got)) &&
        (type != found->type || !bough_view_eq(bough_buf_view(&f->want), bough_buf_view(&f->got))))
        wrong(f, "read() gives other bytes");
    return BOUGH_OK;
}

static void refs_right(struct fix *f)
{
    struct bough_view prefix = bough_view("refs/", 5);
    char name[128], other[128];
    struct bough_view after = {(const uint8_t *)name, 0};
    struct bough_ref want, have;

    while (!bough_store_ref_next(f->w.m.s, prefix, after, &want)) {
        size_t was = after.len;
        memcpy(other, name, was);
        memcpy(name, want.name.ptr, want.name.len);
        after.len = want.name.len;
        if (answered(f, bough_store_ref(f->w.s, after, &have)) && !bough_oid_eq(&have.id, &want.id))
            wrong(f, "a ref has another id");
        if (answered(f, bough_store_ref_next(f->w.s, prefix, bough_view(other, was), &have)) &&
            (!bough_view_eq(have.name, after) || !bough_oid_eq(&have.id, &want.id)))
            wrong(f, "another ref comes next");
    }
}

/* All that can be asked. */
static void answers_right(struct fix *f)
{
    struct picture p;

    OK(bough_store_each(f->w.m.s, object_right, f));
    refs_right(f);
    if (answered(f, picture_try(f->w.s, &p)) && !picture_eq(&p, &f->w.m.after[f->w.m.n]))
        wrong(f, "objects, refs or records are other ones");
}

static void take_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    struct fix *f = ctx;

    assert_int_equal(err, BOUGH_ECORRUPT);
    assert_true(what[0] != '\0' && key.len > 0);
    snprintf(f->found, sizeof f->found, "%s: %.*s", what, (int)key.len, (const char *)key.ptr);
}

/* Does check() name it? */
static bool reported(struct fix *f)
{
    enum bough_err err;

    f->found[0] = '\0';
    err = bough_store_check(f->w.s, take_report, f);
    assert_true(err == BOUGH_OK || err == BOUGH_ECORRUPT);
    assert_int_equal(err == BOUGH_OK, f->found[0] == '\0');
    return err == BOUGH_ECORRUPT;
}

/* ---- One flip ---- */

/* A flipped superblock is wiped, or written over, by a mount; a reader's check names it. */
static void reader_names_it(struct fix *f)
{
    struct bough_log_open_opts opts = f->w.opts;

    f->w.opts.read_only = true;
    OK(world_open(&f->w, &f->ram.blk));
    answers_right(f);
    if (!reported(f))
        wrong(f, "check() of a reader says that all is well");
    f->seen[SUPER].reported++;
    world_close(&f->w);
    f->w.opts = opts;
}

static enum bough_err object_left(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct fix *f = ctx;
    enum what what = (enum what)f->what[f->at];
    enum bough_type type;
    enum bough_err err;

    bough_buf_clear(&f->got);
    bough_buf_clear(&f->want);
    OK(bough_store_read(f->w.m.s, id, NULL, &f->want));
    err = bough_store_read(f->w.s, id, &type, &f->got);
    if (err == BOUGH_OK &&
        (type != found->type || !bough_view_eq(bough_buf_view(&f->want), bough_buf_view(&f->got))))
        wrong(f, "what is left has other bytes");
    if (err && (what == TABLE || what == SUPER || what == ROOT || what == NOTHING))
        wrong(f, "an entry that is whole is not left");
    f->left += err == BOUGH_OK;
    return BOUGH_OK;
}

/* For who wants what is left of it (past_damage): at most what the flipped byte is of is not. */
static void left_right(struct fix *f)
{
    struct bough_log_open_opts opts = f->w.opts;

    f->w.opts.read_only = f->w.opts.past_damage = true;
    OK(world_open(&f->w, &f->ram.blk));
    f->left = 0;
    OK(bough_store_each(f->w.m.s, object_left, f));
    if (f->what[f->at] == FRAME && f->left + A_FRAME < f->objects)
        wrong(f, "what is behind a damaged frame is not left");
    world_close(&f->w);
    f->w.opts = opts;
}

static bool long_mode(void)
{
    return getenv("LONG") != NULL;
}

/* Closed, and as it was. */
static void restore(struct fix *f)
{
    world_close(&f->w);
    memcpy(f->device, f->pristine, UNIT * BOUGH_LOG__SLOTS);
    memcpy(f->device + ZONE, f->pristine + ZONE, UNIT * BOUGH_LOG__SLOTS);
    f->device[f->at] = f->pristine[f->at];
}

/* It cannot be written; what is whole can still be read, and check() says that not all is. */
static void refused(struct fix *f, enum bough_err err)
{
    struct bough_log_open_opts opts = f->w.opts;

    assert_named(f, &f->w.why, err);
    f->w.opts.read_only = true;
    OK(world_open(&f->w, &f->ram.blk));
    if (!reported(f))
        wrong(f, "check() says that all is well where writing is refused");
    f->seen[f->what[f->at]].reported++;
    f->w.opts = opts;
}

/* The newest frame is like one that was never flushed: it may be gone, but whole. */
static bool newest_lost(struct fix *f)
{
    struct picture p;

    if (f->what[f->at] != NEWEST)
        return false;
    p = picture_of(f->w.s);
    return picture_eq(&p, &f->w.m.after[f->w.m.n - 1]);
}

static void flip(struct fix *f, uint64_t at, int bit)
{
    enum what what = (enum what)f->what[at];
    struct seen *seen = &f->seen[what];
    enum bough_err err;

    f->at = at;
    f->bit = bit;
    f->noticed = false;
    f->device[at] ^= (uint8_t)(1 << bit);
    f->w.why = (struct bough_why){.err = BOUGH_OK};
    if (what == SUPER)
        reader_names_it(f);
    left_right(f);
    err = world_open(&f->w, &f->ram.blk);
    seen->flips++;
    seen->refused += err != BOUGH_OK;
    if (err && (what == SUPER || what == ROOT))
        wrong(f, "it does not open, though there is another one");
    if (err) {
        refused(f, err);
    } else if (!newest_lost(f)) {
        answers_right(f);
        if (reported(f))
            seen->reported++;
        else if (f->noticed)
            wrong(f, "an answer was an error, but check() says that all is well");
        else if (what != NOTHING && what != SUPER)
            wrong(f, "nobody noticed");
    }
    restore(f);
}

/* One byte of so many is flipped. */
static uint32_t every(const struct fix *f, uint64_t at)
{
    if (f->what[at] == NOTHING)
        return long_mode() ? 97 : 997;
    if (long_mode())
        return 1;
    if (f->what[at] == PACK && f->what[at - 100] == PACK)
        return 37;
    return f->pristine[at] == 0 ? 9 : 1;
}

/* All bits of a byte that says something, with LONG=1; else, and of what is in entries, one. */
static bool is_flipped(const struct fix *f, uint64_t at, int bit)
{
    enum what what = (enum what)f->what[at];

    return bit == (int)(at % 8) || (long_mode() && f->pristine[at] != 0 && what != NOTHING &&
                                       what != ENTRY && what != PACK);
}

static void sweep(struct fix *f)
{
    for (uint64_t at = 0; at < BYTES; at++) {
        if (at % every(f, at) != 0)
            continue;
        for (int bit = 0; bit < 8; bit++) {
            if (is_flipped(f, at, bit))
                flip(f, at, bit);
        }
    }
    assert_memory_equal(f->device, f->pristine, BYTES);
    for (int i = 0; i < WHATS; i++)
        print_message("%-16s %7llu flips, %llu refused to open, %llu reported by check\n",
            what_name[i], (unsigned long long)f->seen[i].flips,
            (unsigned long long)f->seen[i].refused, (unsigned long long)f->seen[i].reported);
}

/* ---- Stores ---- */

static struct fix *fix_new(enum bough_algo algo)
{
    struct bough_log_format_opts format = {.algo = algo, .granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_env_init(&f->w.t);
    bough_buf_init(&f->want, bough_posix_mem());
    bough_buf_init(&f->got, bough_posix_mem());
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    f->w.m.algo = algo;
    model_open(&f->w.m);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    return f;
}

static void fix_free(struct fix *f)
{
    bough_buf_fini(&f->want);
    bough_buf_fini(&f->got);
    model_close(&f->w.m);
    test_env_done(&f->w.t);
    free(f);
}

/* A history of store_world.h, in which k is a checkpoint. */
static void life(struct fix *f, struct bough_log_open_opts opts, const char *history)
{
    f->w.opts = opts;
    OK(world_open(&f->w, &f->ram.blk));
    for (; *history != '\0'; history++) {
        if (*history == 'k')
            OK(bough_log__checkpoint(bough_log__of(f->w.s)));
        else
            OK(step(&f->w, *history, &f->ram.blk));
    }
}

/* `first` with many checkpoints, `then` with none, `last` in a mount of its own, which ends cleanly or
   is cut off. */
static void flip_all(
    enum bough_algo algo, const char *first, const char *then, const char *last, bool clean)
{
    struct fix *f = fix_new(algo);
    struct bough_log__head start;
    struct bough_log *l;

    life(f, often, first);
    l = bough_log__of(f->w.s);
    assert_true(l->tables > 1 && l->reftables > 0 && l->super.checkpoint > 3);
    start = l->head;
    world_close(&f->w);
    life(f, seldom, then);
    world_close(&f->w);
    life(f, seldom, last);
    f->clean = clean;
    mark_all(f, start);
    memcpy(f->pristine, f->device, BYTES);
    world_close(&f->w);
    memcpy(clean ? f->pristine : f->device, clean ? f->device : f->pristine, BYTES);
    f->objects = picture_of(f->w.m.s).objects;
    sweep(f);
    fix_free(f);
}

static void test_log__names_every_flip(void **state)
{
    (void)state;
    flip_all(BOUGH_SHA1, long_mode() ? "ccckdcickidcckcwkcdccbkck" : "ccckdcickiwdkcck",
        long_mode() ? "cdxi" : "cdi", "c", true);
}

static void test_log__names_every_flip_with_sha256(void **state)
{
    (void)state;
    flip_all(BOUGH_SHA256, "ccckdccckwcckck", "cd", "cc", false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__names_every_flip),
        cmocka_unit_test(test_log__names_every_flip_with_sha256),
    };

    return cmocka_run_group_tests_name("sim/store flip", tests, NULL, NULL);
}
