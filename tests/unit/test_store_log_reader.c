/*
 * test_store_log_reader.c - readers of the log engine on other threads.
 *
 * Goal: a reader sees the store as it was when it was opened, whatever is written meanwhile,
 * from any thread; the zones it reads from are not written while it is open; when they are
 * needed the oldest reader says that it was given up, and never lies.
 * Method: a device in memory; a writer that commits while another thread reads everything again
 * and again (run under the thread sanitizer, too); a device so small that readers are in the way.
 */
#include <pthread.h>

#include "tests/lib/log_bed.h"

enum { UNIT = 4096, ZONE = 128 * 1024, ROWS = 100, EACH = 20 };

static uint32_t written; /* commits */

static void begin(struct log_bed *f, size_t bytes)
{
    log_bed_begin(f, bytes, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){.table_rows = ROWS, .log_max = 256 * 1024, .prepare = 1});
    written = 0;
}

static struct bough_view body_of(char body[64], uint32_t i)
{
    return bough_view(body, (size_t)snprintf(body, 64, "object number %u", i));
}

static struct bough_oid id_of(uint32_t i)
{
    char body[64];

    return bough_oid_of(test_algo(), BOUGH_BLOB, body_of(body, i));
}

/* Commit number n brings EACH objects and moves the ref `tip` to the last of them. */
static void commit(struct log_bed *f)
{
    struct bough_ref_change c = {.name = bough_view_str("refs/tip"), .kind = BOUGH_REF_ID};
    struct bough_txn *t;
    char body[64];

    OK(bough_txn_begin(f->s, &t));
    for (uint32_t i = 0; i < EACH; i++)
        OK(bough_txn_put(t, BOUGH_BLOB, body_of(body, written * EACH + i), &c.id));
    OK(bough_txn_ref(t, &c));
    OK(bough_txn_record(t, bough_view_str("r"), bough_view_str("one more"), NULL));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    written++;
}

static enum bough_err count_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    (void)stream;
    (void)seq;
    (void)bytes;
    ++*(uint32_t *)ctx;
    return BOUGH_OK;
}

/* Everything of a reader that was opened after so many commits, and nothing else.  0: as it should be. */
static int look(struct bough_store *r, uint32_t commits)
{
    struct bough_oid last = id_of(commits * EACH - 1), next = id_of(commits * EACH);
    struct bough_ref ref;
    struct bough_buf b;
    uint32_t records = 0;
    char body[64];
    int bad = 0;

    if (bough_store_ref(r, bough_view_str("refs/tip"), &ref) || !bough_oid_eq(&ref.id, &last))
        bad = 1;
    if (bough_store_records(r, count_record, &records) || records != commits)
        bad = 2;
    if (bough_store_has(r, &next) != BOUGH_ENOENT)
        bad = 3;
    bough_buf_init(&b, r->env->mem);
    for (uint32_t i = 0; i < commits * EACH; i++) {
        struct bough_oid id = id_of(i);
        enum bough_type type;

        bough_buf_clear(&b);
        if (bough_store_read(r, &id, &type, &b) ||
            !bough_view_eq(bough_buf_view(&b), body_of(body, i)))
            bad = 4;
    }
    bough_buf_fini(&b);
    return bad;
}

/* ---- Threads ---- */

struct job {
    pthread_t thread;
    struct test_env t; /* of this thread */
    struct bough_store *reader;
    uint32_t commits;
    int bad;
};

static void *job_run(void *arg)
{
    struct job *j = arg;

    for (int i = 0; i < 3 && j->bad == 0; i++)
        j->bad = look(j->reader, j->commits);
    bough_store_close(j->reader);
    return NULL;
}

static void test_store_log_reader__threads_see_what_was_there(void **state)
{
    enum { JOBS = 8 };
    static struct job job[JOBS];
    struct log_bed f;

    (void)state;
    begin(&f, 64 * 1024 * 1024);
    for (int i = 0; i < JOBS; i++) {
        struct job *j = &job[i];

        for (int k = 0; k < 5; k++)
            commit(&f);
        memset(j, 0, sizeof *j);
        test_env_init(&j->t);
        j->commits = written;
        OK(bough_store_reader(f.s, &j->t.env, &j->reader));
        assert_int_equal(pthread_create(&j->thread, NULL, job_run, j), 0);
    }
    for (int k = 0; k < 50; k++)
        commit(&f);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(pthread_join(job[i].thread, NULL), 0);
        assert_int_equal(job[i].bad, 0);
        test_env_done(&job[i].t);
    }
    assert_int_equal(look(f.s, written), 0);
    log_bed_end(&f);
}

/* ---- Pressure ---- */

static uint64_t used(struct bough_store *s)
{
    struct bough_store_stats st;

    OK(bough_store_stat(s, &st));
    return st.used_bytes;
}

static void test_store_log_reader__closing_gives_zones_back(void **state)
{
    struct bough_store *reader;
    uint64_t held, given;
    struct log_bed f;

    (void)state;
    begin(&f, 64 * 1024 * 1024);
    for (int i = 0; i < 20; i++)
        commit(&f);
    OK(bough_store_reader(f.s, NULL, &reader));
    for (int i = 0; i < 100; i++)
        commit(&f);
    assert_int_equal(look(reader, 20), 0);
    held = used(f.s);
    bough_store_close(reader);
    OK(bough_store_reader(f.s, NULL, &reader));
    bough_store_close(reader);
    for (int i = 0; i < 8; i++)
        commit(&f);
    given = used(f.s);
    assert_true(given < held);
    log_bed_end(&f);
}

static void test_store_log_reader__the_oldest_is_given_up(void **state)
{
    struct bough_store *old, *young;
    struct bough_txn *t;
    struct bough_ref_change c = {.name = bough_view_str("refs/x"), .kind = BOUGH_REF_NONE};
    enum bough_err err = BOUGH_OK;
    struct log_bed f;

    (void)state;
    begin(&f, 32 * ZONE);
    for (int i = 0; i < 20; i++)
        commit(&f);
    OK(bough_store_reader(f.s, NULL, &old));
    for (int i = 0; i < 20; i++)
        commit(&f);
    OK(bough_store_reader(f.s, NULL, &young));
    while (!err) { /* until the device is full */
        char body[64];
        struct bough_oid id;

        err = bough_txn_begin(f.s, &t);
        for (uint32_t i = 0; i < EACH && !err; i++)
            err = bough_txn_put(t, BOUGH_BLOB, body_of(body, written * EACH + i), &id);
        if (!err)
            err = bough_txn_commit(t, BOUGH_DURABLE_NOW);
        else
            bough_txn_abort(t);
        written++;
    }
    assert_int_equal(err, BOUGH_ENOSPC);
    /* Whatever they answer, it is not a lie: all as it was, or given up. */
    for (uint32_t i = 0; i < 20 * EACH; i++) {
        struct bough_oid id = id_of(i);
        struct bough_found found;

        err = bough_store_find(old, &id, &found);
        assert_true(err == BOUGH_OK || err == BOUGH_EEXPIRED);
    }
    assert_int_equal(err, BOUGH_EEXPIRED);
    OK(bough_txn_begin(f.s, &t));
    OK(bough_txn_ref(t, &c)); /* the writer goes on */
    bough_txn_abort(t);
    bough_store_close(old);
    bough_store_close(young);
    log_bed_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_log_reader__threads_see_what_was_there),
        cmocka_unit_test(test_store_log_reader__closing_gives_zones_back),
        cmocka_unit_test(test_store_log_reader__the_oldest_is_given_up),
    };

    return cmocka_run_group_tests_name("store_log_reader", tests, NULL, NULL);
}
