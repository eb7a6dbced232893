/*
 * test_sync_left.c - a clone by bitmaps that the store does not wait for comes through.
 *
 * Goal: a collection waits for who reads by bitmaps, for a minute at most, and less when space is needed; the
 * clone goes on all the same: its pack holds each object once, and what it holds can be put together, wherever
 * it was when the store went on, also when all was packed anew meanwhile, twice.
 * Method: a collected store with bitmaps for all commits; a clone that stalls at each of many places, a
 * collection there; the pack is taken into an empty store.
 */
#include "store/collect.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"
#undef OK
#include "tests/lib/sync_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, BYTES = 8 * 1024 * 1024, COMMITS = 60 };

struct fix {
    struct log_bed log;
    struct bough_repo *repo;
    struct history h;
    uint64_t objects;
};

static void collect_begin(struct fix *f, bool whole)
{
    const struct bough_collect_opts opts = {.grace = 0, .whole = whole};

    OK(bough_store_collect(f->log.s, &opts));
}

static void maintain(struct fix *f)
{
    bool more = true;

    while (more)
        OK(bough_store_maintain(f->log.s, 1 << 20, &more));
}

static void begin(struct fix *f)
{
    struct bough_repo_opts opts = {0};

    log_bed_begin(&f->log, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){.table_rows = 1000,
            .log_max = 1 << 20,
            .cache = 64 * 1024,
            .prepare = 1,
            .reach_rows = 1,
            .reach_every = 1});
    history_init(&f->h, "main");
    for (uint32_t i = 1; i <= COMMITS; i++)
        OK(history_commit(&f->h, f->log.s, i, i));
    collect_begin(f, false);
    maintain(f);
    for (uint32_t i = 1; i <= 3; i++) /* young ones behind the bitmaps */
        OK(history_commit(&f->h, f->log.s, i, 1000 + i));
    f->objects = history_closed(f->log.s);
    OK(bough_repo_open(f->log.s, &opts, &f->repo));
}

static void end(struct fix *f)
{
    bough_repo_close(f->repo);
    history_fini(&f->h);
    log_bed_end(&f->log);
}

/* The pack behind what was said, into a store of its own: are all there? */
static void pack_is_whole(struct fix *f, const struct bough_buf *said)
{
    const struct bough_intake_opts opts = {.check = NULL};
    struct test_env t;
    struct bough_store *s;
    struct bough_intake *in;
    struct bough_txn *txn;
    size_t at = 0, used;
    enum bough_err err;

    while (at + 4 <= said->len && memcmp(said->ptr + at, "PACK", 4) != 0)
        at++;
    assert_true(at + 12 < said->len);
    assert_int_equal(bough_get32be(said->ptr + at + 8), f->objects);
    test_env_init(&t);
    OK(bough_mem_store_open(&t.env, f->log.s->algo, &s));
    OK(bough_store_intake(s, &opts, &in));
    for (; at < said->len; at += used)
        OK(bough_intake_feed(in, bough_view(said->ptr + at, said->len - at), &used));
    while ((err = bough_intake_step(in, 1 << 20)) == BOUGH_EAGAIN)
        ;
    OK(err);
    OK(bough_txn_begin(s, &txn));
    OK(bough_txn_adopt(txn, in));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    assert_int_equal(history_closed(s), f->objects);
    bough_store_close(s);
    test_env_done(&t);
}

/* What has been said when so many bytes were, or all. */
static void listen(struct bough_sync *s, struct bough_buf *said, size_t upto)
{
    enum bough_err err = BOUGH_OK;

    while (said->len < upto) {
        assert_true(err == BOUGH_OK || err == BOUGH_EAGAIN);
        if (bough_sync_pending(s) > 0)
            bough_sync_pull(s, said, 512);
        else if (s->state == BOUGH_SYNC_WORK)
            err = bough_sync_step(s, 1000);
        else
            return;
    }
}

/* What a client says; then the pack is about to come. */
static void ask(struct fix *f, struct bough_sync *s, bool ofs, struct bough_buf *said)
{
    struct bough_buf words;
    size_t line, used;

    bough_buf_init(&words, &f->log.t.mem.mem);
    line = bough_pkt_begin(&words);
    bough_buf_put_str(&words, "want ");
    bough_buf_put_hex(&words, f->h.head.bytes, bough_algo_len(f->log.s->algo));
    bough_buf_put_str(&words, ofs ? " ofs-delta\n" : "\n");
    bough_pkt_end(&words, line);
    bough_pkt_put_flush(&words);
    say(&words, "done\n", NULL, "");
    listen(s, said, SIZE_MAX);
    bough_buf_clear(said);
    for (size_t at = 0; at < words.len; at += used) {
        OK(bough_sync_feed(s, bough_view(words.ptr + at, words.len - at), &used));
        listen(s, said, 1);
    }
    bough_buf_fini(&words);
}

/* A clone that stalls after so many bytes.  Returns how many there were in all. */
static size_t clone(
    struct fix *f, size_t stall, uint32_t collections, bool ofs, bool whole, uint32_t *waited)
{
    struct bough_sync_opts opts = {0};
    struct bough_buf said;
    struct bough_sync *s;
    size_t len;

    bough_buf_init(&said, &f->log.t.mem.mem);
    OK(bough_sync_open(BOUGH_SERVICE_UPLOAD_PACK, f->repo, &opts, &s));
    ask(f, s, ofs, &said);
    for (uint32_t i = 0; i < collections; i++) {
        struct bough_log *l = bough_log__of(f->log.s);

        listen(s, &said, stall + i * 2000);
        collect_begin(f, whole);
        maintain(f);
        assert_int_equal(l->cycle != NULL, l->reaches != NULL);
        *waited += l->cycle != NULL;
        f->log.t.time.sec += 61;
        maintain(f);
        assert_null(l->cycle);
    }
    listen(s, &said, SIZE_MAX);
    assert_int_equal(s->state, BOUGH_SYNC_DONE);
    pack_is_whole(f, &said);
    len = said.len;
    bough_buf_fini(&said);
    bough_sync_close(s);
    return len;
}

static void test_left__a_clone_comes_through_wherever_it_stalls(void **state)
{
    struct fix f;
    size_t len, more = 0;
    uint32_t waited = 0;

    (void)state;
    begin(&f);
    len = clone(&f, 0, 0, true, false, NULL);
    for (size_t stall = 1; stall < len; stall += len / 25) {
        size_t n = clone(&f, stall, 1, stall % 2 == 0, stall % 3 == 0, &waited);
        more = n > more ? n : more;
    }
    assert_in_range(more, len / 2, 2 * len); /* deltas stay deltas */
    assert_true(waited > 15);
    end(&f);
}

static void test_left__all_is_packed_anew_twice_meanwhile(void **state)
{
    struct fix f;
    uint32_t waited = 0;
    size_t len;

    (void)state;
    begin(&f);
    len = clone(&f, 0, 0, true, false, NULL);
    for (size_t stall = 500; stall + 4000 < len; stall += len / 10)
        (void)clone(&f, stall, 2, true, true, &waited);
    assert_true(waited > 5);
    end(&f);
}

/* Who asks for room does not wait for a minute. */
static void test_left__a_stalled_clone_does_not_keep_space_from_writers(void **state)
{
    struct bough_sync_opts opts = {0};
    struct bough_buf said;
    struct bough_sync *s;
    struct history other;
    struct fix f;

    (void)state;
    begin(&f);
    bough_buf_init(&said, &f.log.t.mem.mem);
    OK(bough_sync_open(BOUGH_SERVICE_UPLOAD_PACK, f.repo, &opts, &s));
    ask(&f, s, true, &said);
    listen(s, &said, 2000);
    assert_non_null(bough_log__of(f.log.s)->reaches);
    for (uint32_t round = 0; round < 16; round++) { /* several times what the device has */
        history_init(&other, "other");
        for (uint32_t i = 1; i < 700; i++)
            OK(history_commit(&other, f.log.s, i, 5000 + round * 1000 + i));
        OK(history_drop(&other, f.log.s));
        history_fini(&other);
    }
    assert_null(bough_log__of(f.log.s)->reaches);
    listen(s, &said, SIZE_MAX);
    assert_int_equal(s->state, BOUGH_SYNC_DONE);
    pack_is_whole(&f, &said);
    bough_buf_fini(&said);
    bough_sync_close(s);
    end(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left__a_clone_comes_through_wherever_it_stalls),
        cmocka_unit_test(test_left__all_is_packed_anew_twice_meanwhile),
        cmocka_unit_test(test_left__a_stalled_clone_does_not_keep_space_from_writers),
    };

    return cmocka_run_group_tests_name("sync/left", tests, NULL, NULL);
}
