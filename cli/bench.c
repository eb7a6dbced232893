/*
 * bench.c - how quick a store is here: a new one in a folder, gone afterwards.
 *
 *   samples    times of one kind of work, and what is told of them
 *   works      open, import, get, commit, batch, journal
 *   verb
 *
 * A line for each kind of work: its name, how often it was done, and microseconds: mean, median, the
 * time that 99 of 100 stay below.  Beside other stores it is measured by bench/run, not here.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum {
    KEYS_DEFAULT = 100000,
    KEYS_MAX = 10000000,
    VALUE = 100,    /* bytes */
    FOLDERS = 300,  /* that the keys are spread over */
    GROUP = 100,    /* gets that are timed together: one is shorter than a look at the clock */
    COMMITS = 1000, /* durable ones, of one key */
    BATCHES = 100,  /* of GROUP keys each */
    OPENS = 20,
    SAMPLES_MAX = 4096,
};

/* ---- Samples ---- */

struct bench {
    struct cli *cli;
    uint32_t keys;
    uint64_t seed;
    double us[SAMPLES_MAX];
    uint32_t n, each; /* samples; works that one of them is of */
    double begun;
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void begin(struct bench *b, uint32_t each)
{
    b->n = 0;
    b->each = each;
}

static void lap_begin(struct bench *b)
{
    b->begun = now_us();
}

static void lap_end(struct bench *b)
{
    b->us[b->n++] = (now_us() - b->begun) / b->each;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void tell(struct bench *b, const char *name)
{
    unsigned long long count = (unsigned long long)b->n * b->each;
    double sum = 0;

    qsort(b->us, b->n, sizeof *b->us, by_size);
    for (uint32_t i = 0; i < b->n; i++)
        sum += b->us[i];
    printf(b->cli->json ? "{\"work\":\"%s\",\"count\":%llu,\"mean_us\":%.3f,\"p50_us\":%.3f,"
                          "\"p99_us\":%.3f}\n"
                        : "%-8s\t%llu\t%.3f\t%.3f\t%.3f\n",
        name, count, sum / b->n, b->us[b->n / 2], b->us[b->n * 99 / 100]);
    fflush(stdout);
}

static uint64_t draw(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return b->seed >> 33;
}

/* ---- Works ---- */

static struct bough_view key_at(uint64_t i, char text[32])
{
    return bough_view(text, (size_t)snprintf(text, 32, "f%03u/k%07llu", (unsigned)(i % FOLDERS),
                                (unsigned long long)i));
}

static struct bough_view value_make(struct bench *b, char text[VALUE])
{
    for (size_t i = 0; i < VALUE; i++)
        text[i] = (char)('a' + draw(b) % 26);
    return bough_view(text, VALUE);
}

static enum bough_err put(struct bench *b, struct bough_kv *to, uint64_t i)
{
    char key[32], value[VALUE];

    return bough_kv_set(to, key_at(i, key), value_make(b, value), NULL);
}

/* All keys, or `n` of them by chance, in one commit. */
static enum bough_err batch(struct bench *b, uint32_t n)
{
    struct bough_kv *to;
    enum bough_err err = bough_kv_begin(b->cli->kv, BOUGH_RETRY, &to);

    if (err)
        return err;
    for (uint32_t i = 0; i < n && !err; i++)
        err = put(b, to, n == b->keys ? i : draw(b) % b->keys);
    if (!err)
        return bough_kv_commit(to);
    bough_kv_abort(to);
    return err;
}

static enum bough_err batches(struct bench *b, const char *name, uint32_t times, uint32_t n)
{
    enum bough_err err = BOUGH_OK;

    begin(b, 1);
    for (uint32_t i = 0; i < times && !err; i++) {
        lap_begin(b);
        err = batch(b, n);
        lap_end(b);
    }
    if (!err)
        tell(b, name);
    return err;
}

static enum bough_err gets(struct bench *b)
{
    struct bough_buf out;
    char key[32];
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&out, b->cli->env.mem);
    for (uint64_t i = 0; i < b->keys && !err; i++) { /* once, so that memory has what it takes */
        bough_buf_clear(&out);
        err = bough_kv_get(b->cli->kv, key_at(i, key), &out);
    }
    begin(b, GROUP);
    for (uint32_t i = 0; i < SAMPLES_MAX && !err; i++) {
        lap_begin(b);
        for (uint32_t k = 0; k < GROUP && !err; k++) {
            bough_buf_clear(&out);
            err = bough_kv_get(b->cli->kv, key_at(draw(b) % b->keys, key), &out);
        }
        lap_end(b);
    }
    bough_buf_fini(&out);
    if (!err)
        tell(b, "get");
    return err;
}

/* Durable writes one by one: each a commit, or, in a window, a record of the journal. */
static enum bough_err sets(struct bench *b, const char *name, uint32_t window_ms)
{
    struct bough_window w = {.time_ms = window_ms};
    enum bough_err err = bough_repo_window(b->cli->repo, bough_view(NULL, 0), &w);

    begin(b, 1);
    for (uint32_t i = 0; i < COMMITS && !err; i++) {
        uint64_t at = draw(b) % b->keys;
        lap_begin(b);
        err = put(b, b->cli->kv, at);
        lap_end(b);
    }
    if (!err)
        err = bough_repo_fold_all(b->cli->repo);
    if (!err)
        tell(b, name);
    return err;
}

static int opens(struct bench *b)
{
    int code = 0;

    begin(b, 1);
    for (uint32_t i = 0; i < OPENS && code == 0; i++) {
        cli_close(b->cli);
        lap_begin(b);
        code = cli_open_kv(b->cli, 0);
        lap_end(b);
    }
    if (code == 0)
        tell(b, "open");
    return code;
}

static int run(struct bench *b)
{
    enum bough_err err;
    int code = cli_open_kv(b->cli, 0);

    if (code != 0)
        return code;
    if (!b->cli->json)
        printf("work    \tcount\tmean us\tp50 us\tp99 us\n");
    err = batches(b, "import", 1, b->keys);
    if (!err)
        err = gets(b);
    if (!err)
        err = sets(b, "commit", 0);
    if (!err)
        err = sets(b, "journal", 1000);
    if (!err)
        err = batches(b, "batch", BATCHES, GROUP);
    if (err)
        return say_error(err, b->cli->store, &b->cli->kv->why);
    return opens(b);
}

/* ---- Verb ---- */

int verb_bench(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct init in = {.algo = BOUGH_SHA1};
    uint64_t keys = KEYS_DEFAULT;
    char path[4096];
    const char *name;
    struct bench *b;
    int code, n;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--keys") != 0)
            return flag_unknown("bench", name);
        if (flag_value(&f) == NULL || !bough_size_parse(bough_view_str(f.value), &keys) ||
            keys <= GROUP || keys > KEYS_MAX)
            return say_usage("bench", "--keys is a number from 101 to 10,000,000");
    }
    if (argc - f.at > 1)
        return say_usage("bench", "one folder at a time");
    n = snprintf(path, sizeof path, "%s/bough-bench-%ld.img", f.at < argc ? argv[f.at] : ".",
        (long)getpid());
    if (n < 0 || (size_t)n >= sizeof path)
        return say_usage("bench", "the folder's name is too long");
    in.path = cli->store = path;
    in.size = (uint64_t)1 << 30 | keys << 13; /* sparse: what is not needed is not there */
    in.size -= in.size % 4096;
    b = calloc(1, sizeof *b);
    if (b == NULL)
        return say_error(BOUGH_ENOMEM, "bench", NULL);
    *b = (struct bench){.cli = cli, .keys = (uint32_t)keys, .seed = 1};
    code = cli_init(cli, &in);
    if (code == 0) {
        code = run(b);
        cli_close(cli);
        unlink(path);
    }
    free(b);
    return code;
}
