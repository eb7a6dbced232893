/*
 * test_sync_cut.c - fetches from a store whose history was cut.
 *
 * Goal: every version tells where history ends, with and without a depth of the client's own;
 * nothing beyond is looked for; what a fetch reads lives until it is over, and when the store
 * had to give it up the fetch says so.
 * Method: the history of sync_bed.h, cut to two commits by a collection; collections between
 * the steps of a session.  (With git as the client: tests/interop/git_cut.sh)
 */
#include "store/collect.h"
#include "tests/lib/sync_bed.h"

static struct sync_bed bed;

static void collect(void)
{
    struct bough_collect_opts opts = {.grace = 0};
    bool more = true;
    bed.t.time.sec++;
    OK(bough_repo_collect(bed.repo, &opts, 0));
    while (more)
        OK(bough_repo_maintain(bed.repo, 1 << 20, &more));
}

static void keep(uint32_t commits)
{
    struct bough_keep k = {.refs = VIEW("*"), .commits = commits};
    OK(bough_repo_keep_set(bed.repo, &k));
}

static void ref_drop(const char *name)
{
    struct bough_ref_update u = {.name = bough_view_str(name)};
    OK(bough_repo_update(bed.repo, &u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL));
    OK(u.err);
}

static int setup(void **state)
{
    (void)state;
    sync_bed_open(&bed, true);
    ref_drop("refs/heads/old");
    ref_drop("refs/tags/v1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sync_bed_close(&bed);
    return 0;
}

static bool there(const struct bough_oid *id)
{
    return bough_store_has(bed.store, id) == BOUGH_OK;
}

/* Does `all` hold the word and the id in hex? */
static bool holds_id(const struct bough_buf *all, const char *word, const struct bough_oid *id)
{
    char text[64 + BOUGH_HEX_MAX];
    size_t n = strlen(word);
    memcpy(text, word, n);
    text[n + bough_oid_hex(BOUGH_SHA1, id, text + n)] = 0;
    return holds(all, text);
}

/* A fetch of version 2 of main, with one more line. */
static void ask_v2(struct bough_buf *ask, const char *line)
{
    bed.opts.version = 2;
    bough_buf_init(ask, &bed.t.mem.mem);
    say(ask, "command=fetch", NULL, "");
    say(ask, "object-format=sha1", NULL, "");
    bough_pkt_put_delim(ask);
    say(ask, "want ", &bed.commits[BED_COMMITS - 1], "\n");
    say(ask, "no-progress", NULL, "");
    if (line != NULL)
        say(ask, line, NULL, "");
    say(ask, "done", NULL, "");
    bough_pkt_put_flush(ask);
}

static void fetched(const char *line, bool shallow, int edge, uint8_t objects)
{
    struct bough_buf ask, said;
    const uint8_t head[] = {'P', 'A', 'C', 'K', 0, 0, 0, 2, 0, 0, 0, objects};
    bool found = false;
    ask_v2(&ask, line);
    bough_buf_init(&said, &bed.t.mem.mem);
    OK(talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, bough_buf_view(&ask), 7, &said));
    assert_int_equal(holds(&said, "shallow-info"), shallow);
    for (int i = 0; i < BED_COMMITS; i++)
        assert_int_equal(holds_id(&said, "shallow ", &bed.commits[i]), i == edge);
    for (size_t i = 0; i + sizeof head <= said.len; i++)
        found = found || memcmp(said.ptr + i, head, sizeof head) == 0;
    assert_true(found);
    bough_buf_fini(&ask);
    bough_buf_fini(&said);
}

static void test_cut__version_2_tells_where_history_ends(void **state)
{
    (void)state;
    fetched(NULL, false, -1, BED_COMMITS * 3 + 2);
    keep(2);
    collect();
    assert_false(there(&bed.commits[3]));
    fetched(NULL, true, 4, 2 * 3 + 2);
    fetched("deepen 1", true, 5, 3 + 2);
    fetched("deepen 2", true, 4, 2 * 3 + 2);
    fetched("deepen 100", true, 4, 2 * 3 + 2);
    fetched("deepen-since 1000000000", true, 4, 2 * 3 + 2);
}

static void test_cut__version_0_tells_with_the_refs(void **state)
{
    struct bough_buf said, none;
    (void)state;
    keep(2);
    collect();
    bough_buf_init(&said, &bed.t.mem.mem);
    bough_buf_init(&none, &bed.t.mem.mem);
    bough_pkt_put_flush(&none);
    for (int push = 0; push < 2; push++) {
        bough_buf_clear(&said);
        OK(talk(&bed, push ? BOUGH_SERVICE_RECEIVE_PACK : BOUGH_SERVICE_UPLOAD_PACK,
            bough_buf_view(&none), 5, &said));
        assert_true(holds_id(&said, "0035shallow ", &bed.commits[4]));
        assert_memory_equal(said.ptr + said.len - 5, "\n0000", 5);
    }
    bough_buf_fini(&said);
    bough_buf_fini(&none);
}

static void test_cut__a_client_that_knows_is_not_told_again(void **state)
{
    struct bough_buf ask, said;
    (void)state;
    keep(2);
    collect();
    ask_v2(&ask, NULL);
    bough_buf_clear(&ask);
    say(&ask, "command=fetch", NULL, "");
    bough_pkt_put_delim(&ask);
    say(&ask, "want ", &bed.commits[BED_COMMITS - 1], "\n");
    say(&ask, "shallow ", &bed.commits[4], "\n");
    say(&ask, "done", NULL, "");
    bough_pkt_put_flush(&ask);
    bough_buf_init(&said, &bed.t.mem.mem);
    OK(talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, bough_buf_view(&ask), 9, &said));
    assert_true(holds(&said, "shallow-info"));
    assert_false(holds_id(&said, "shallow ", &bed.commits[4]));
    bough_buf_fini(&ask);
    bough_buf_fini(&said);
}

/* ---- Collections during a fetch ---- */

/* Begin a fetch of main; after `steps` small steps main goes and a collection runs. */
static enum bough_err fetch_disturbed(size_t steps, bool expire, struct bough_buf *said, bool *over)
{
    struct bough_buf ask;
    struct bough_sync *s;
    size_t used = 0;
    enum bough_err err = BOUGH_OK;
    ask_v2(&ask, NULL);
    OK(bough_sync_open(BOUGH_SERVICE_UPLOAD_PACK, bed.repo, &bed.opts, &s));
    for (size_t at = 0; at < ask.len; at += used)
        OK(bough_sync_feed(s, bough_view(ask.ptr + at, ask.len - at), &used));
    for (size_t i = 0; i < steps && s->state == BOUGH_SYNC_WORK; i++)
        (void)(bough_sync_step(s, 200) == BOUGH_OK);
    *over = s->state != BOUGH_SYNC_WORK;
    ref_drop("refs/heads/main");
    while (expire && bed.store->oldest_pin != NULL) {
        bed.store->oldest_pin->expired = true; /* as the store does under pressure */
        bough_store_unpin(bed.store, bed.store->oldest_pin);
    }
    collect();
    err = drain(&bed, s, said, 1000);
    if (!err && s->state == BOUGH_SYNC_INPUT)
        err = bough_sync_eof(s);
    bough_sync_close(s);
    bough_buf_fini(&ask);
    assert_null(bed.store->oldest_pin);
    return err;
}

static void test_cut__what_a_fetch_reads_lives_until_it_is_over(void **state)
{
    struct bough_buf whole, said;
    bool over = false;
    enum bough_err err;
    bough_buf_init(&whole, &bed.t.mem.mem);
    OK(fetch_disturbed(100000, false, &whole, &over));
    assert_true(over);
    bough_buf_fini(&whole);
    over = false;
    for (size_t steps = 1; !over; steps++) {
        teardown(state);
        setup(state);
        bough_buf_init(&said, &bed.t.mem.mem);
        err = fetch_disturbed(steps, false, &said, &over);
        if (err != BOUGH_EDENIED || steps > 4) { /* then main was gone before it was looked for */
            OK(err);
            assert_true(holds(&said, "PACK"));
        }
        collect();
        assert_false(there(&bed.commits[0])); /* and no longer */
        bough_buf_fini(&said);
    }
}

static void test_cut__a_fetch_says_that_its_objects_were_given_up(void **state)
{
    struct bough_buf said;
    bool over, expired = false;
    for (size_t steps = 1; steps < 12; steps++) {
        enum bough_err err;
        teardown(state);
        setup(state);
        bough_buf_init(&said, &bed.t.mem.mem);
        err = fetch_disturbed(steps, true, &said, &over);
        assert_true(err == BOUGH_EEXPIRED || err == BOUGH_EDENIED || (over && err == BOUGH_OK));
        expired = expired || (err == BOUGH_EEXPIRED && holds(&said, "had to make room"));
        bough_buf_fini(&said);
    }
    assert_true(expired);
}

/* ---- Pushes ---- */

static void push(const struct bough_oid *parent, const char *want)
{
    struct bough_pack_writer pack;
    struct bough_entry_head head = {.type = BOUGH_COMMIT};
    struct bough_buf ask, said, text;
    struct bough_oid id, zero = {{0}};
    bed.opts.version = 0;
    bough_buf_init(&ask, &bed.t.mem.mem);
    bough_buf_init(&said, &bed.t.mem.mem);
    bough_buf_init(&text, &bed.t.mem.mem);
    bed_commit(&text, &bed.trees[BED_COMMITS - 1], parent, 1000);
    id = bough_oid_of(BOUGH_SHA1, BOUGH_COMMIT, bough_buf_view(&text));
    say_command(&ask, &zero, &id, "refs/heads/new", " report-status");
    bough_pkt_put_flush(&ask);
    bough_pack_writer_init(&pack, &ask, BOUGH_SHA1, 1);
    bough_pack_writer_put(&pack, &head, bough_buf_view(&text), 1);
    bough_pack_writer_finish(&pack);
    OK(talk(&bed, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&ask), 100, &said));
    assert_true(holds(&said, want));
    bough_buf_fini(&ask);
    bough_buf_fini(&said);
    bough_buf_fini(&text);
}

static void test_cut__pushes_stand_on_what_is_there(void **state)
{
    (void)state;
    keep(2);
    collect();
    push(&bed.commits[3], "missing necessary objects");
    push(&bed.commits[4], "ok refs/heads/new"); /* on the boundary itself */
    collect();
    assert_true(there(&bed.commits[4]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cut__version_2_tells_where_history_ends),
        TEST(test_cut__version_0_tells_with_the_refs),
        TEST(test_cut__a_client_that_knows_is_not_told_again),
        TEST(test_cut__what_a_fetch_reads_lives_until_it_is_over),
        TEST(test_cut__a_fetch_says_that_its_objects_were_given_up),
        TEST(test_cut__pushes_stand_on_what_is_there),
    };
    return cmocka_run_group_tests_name("sync_cut", tests, NULL, NULL);
}
