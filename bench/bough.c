/*
 * bough.c - the peer that this is about: a commit for each write, or journalled.
 *
 * It may keep 8 MiB of blocks in memory, the default, and of trees and paths 640 bytes a key: as much
 * as the default for 100,000 keys.  Half of that is the path cache.  For reads there is another one,
 * "blocks", that has none: it walks trees, and may keep 320 bytes a key of blocks of the device, beside
 * its trees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/posix.h"
#include "bench/bench.h"
#include "block/file.h"
#include "kv/kv.h"
#include "store/log/log.h"

enum { BLOCKS_A_KEY = 320, CACHE_A_KEY = 640 }; /* bytes */

struct bough_state {
    struct bough_env env;
    struct bough_fileblk file;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_kv *kv, *batch;
    struct bough_buf buf;
};

static void check(const struct bough_state *s, enum bough_err err, const char *what)
{
    if (err)
        fprintf(stderr, "bench: bough: %s: %s %s\n", what, bough_err_name(err),
            s->kv != NULL && s->kv->why.what != NULL ? s->kv->why.what : "");
    if (err)
        exit(1);
}

static void bough_open(struct peer *p, const char *dir, bool make)
{
    struct bough_state *s = state_new(p->name, sizeof *s);
    struct bough_repo_opts opts = {
        .window = {.time_ms = p->window_ms}, .cache = (size_t)p->keys * CACHE_A_KEY};
    struct bough_log_open_opts log = {.cache = p->no_paths ? (size_t)p->keys * BLOCKS_A_KEY : 0};
    struct bough_kv *head;
    uint32_t flags = BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_DIRECT;
    char path[PATH_LEN];

    p->state = s;
    s->env = bough_posix_env(NULL);
    snprintf(path, sizeof path, "%s/%s.img", dir,
        p->window_ms  ? "bough-journal"
        : p->no_paths ? "bough-blocks"
                      : "bough");
    check(s, bough_fileblk_open(&s->file, path, flags, 0, NULL), "open");
    if (make) {
        check(
            s, bough_block_resize(&s->file.blk, ((uint64_t)4 << 30) / s->file.blk.unit), "resize");
        check(s, bough_log_format(&s->file.blk, &s->env, NULL, NULL), "format");
    }
    check(s, bough_log_open(&s->file.blk, &s->env, &log, &s->store, NULL), "store");
    check(s, bough_repo_open(s->store, &opts, &s->repo), "repository");
    check(s, bough_kv_branch_open(s->repo, bough_view_str("main"), &s->kv), "branch");
    bough_buf_init(&s->buf, s->env.mem);
    if (make || !p->no_paths)
        return;
    head = s->kv;
    check(s, bough_kv_snapshot(head, &s->kv), "snapshot");
    bough_kv_close(head);
}

static void bough_close(struct peer *p)
{
    struct bough_state *s = p->state;

    check(s, bough_repo_fold_all(s->repo), "fold");
    bough_buf_fini(&s->buf);
    bough_kv_close(s->kv);
    bough_repo_close(s->repo);
    bough_store_close(s->store);
    bough_fileblk_close(&s->file);
    free(s);
}

static size_t bough_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct bough_state *s = p->state;

    bough_buf_clear(&s->buf);
    check(s, bough_kv_get(s->kv, bough_view(key, len), &s->buf), "get");
    if (s->buf.len > VALUE_LEN)
        die(p->name, "get");
    memcpy(dst, s->buf.ptr, s->buf.len);
    return s->buf.len;
}

static void bough_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct bough_state *s = p->state;

    check(s, bough_kv_set(s->kv, bough_view(key, len), bough_view(value, VALUE_LEN), NULL), "set");
}

static void bough_begin(struct peer *p, bool fill)
{
    struct bough_state *s = p->state;

    (void)fill;
    check(s, bough_kv_begin(s->kv, BOUGH_TEST_AND_SET, &s->batch), "begin");
}

static void bough_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct bough_state *s = p->state;

    check(
        s, bough_kv_set(s->batch, bough_view(key, len), bough_view(value, VALUE_LEN), NULL), "put");
}

static void bough_commit(struct peer *p)
{
    struct bough_state *s = p->state;

    check(s, bough_kv_commit(s->batch), "commit");
}

const struct peer bough_peer = {.name = "bough",
    .open = bough_open,
    .close = bough_close,
    .get = bough_get,
    .set = bough_set,
    .begin = bough_begin,
    .put = bough_put,
    .commit = bough_commit,
    .slow = 1};

const struct peer bough_journal_peer = {.name = "bough, journalled",
    .open = bough_open,
    .close = bough_close,
    .set = bough_set,
    .begin = bough_begin,
    .put = bough_put,
    .commit = bough_commit,
    .slow = 1,
    .window_ms = 20};

const struct peer bough_blocks_peer = {.name = "bough, blocks",
    .open = bough_open,
    .close = bough_close,
    .get = bough_get,
    .begin = bough_begin,
    .put = bough_put,
    .commit = bough_commit,
    .slow = 1,
    .no_paths = true};
