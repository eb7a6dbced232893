/*
 * cmd_reflog.c - GIT.REFLOG: what a branch was, newest first.
 */
#include <stdio.h>

#include "server/redis.h"

struct asked {
    struct bough_view name; /* a branch, or a ref from refs/ on */
    int64_t limit, skip;
};

static bool args_parse(struct redis *r, struct args a, struct asked *out)
{
    size_t i = 1;

    *out = (struct asked){.name = r->branch, .limit = 10};
    if (a.n % 2 == 0)
        out->name = a.v[i++];
    for (; i + 1 < a.n; i += 2) {
        int64_t *n = word_is(a.v[i], "limit")  ? &out->limit
                     : word_is(a.v[i], "skip") ? &out->skip
                                               : NULL;
        if (n == NULL) {
            resp_error(&r->w, "ERR syntax: GIT.REFLOG [branch] [LIMIT n] [SKIP n]");
            return false;
        }
        if (!arg_int(r, a.v[i + 1], n))
            return false;
    }
    if (out->limit < 0 || out->limit > 10000 || out->skip < 0) {
        resp_error(&r->w, "ERR LIMIT is 0 to 10000, SKIP is not negative");
        return false;
    }
    return true;
}

static enum bough_err name_put(struct redis *r, const struct asked *q, struct bough_buf *full)
{
    static const char refs[] = "refs/";
    struct bough_view name = q->name;
    enum bough_err err = BOUGH_OK;

    if (name.len == 0)
        err = bough_repo_head_branch(r->conn.server->repo, &name);
    if (err)
        return err;
    if (name.len < sizeof refs - 1 || memcmp(name.ptr, refs, sizeof refs - 1) != 0)
        bough_buf_put_str(full, "refs/heads/");
    bough_buf_put_view(full, name);
    return full->err;
}

static void id_answer(struct redis *r, const char *name, const struct bough_oid *id)
{
    resp_bulk_str(&r->w, name);
    if (bough_oid_is_zero(id))
        resp_null(&r->w);
    else
        answer_oid(r, id);
}

static void entry_answer(struct redis *r, const struct bough_reflog_entry *e)
{
    struct bough_buf *text = &r->scratch;

    resp_map(&r->w, 4);
    id_answer(r, "id", &e->now);
    id_answer(r, "old", &e->old);
    resp_bulk_str(&r->w, "time");
    resp_int(&r->w, e->time.sec);
    bough_buf_clear(text);
    bough_buf_put_str(text, e->commit ? "commit: " : "");
    bough_buf_put_view(text, e->reason);
    resp_bulk_str(&r->w, "reason");
    resp_bulk(&r->w, bough_buf_view(text));
}

/* Into `items`; BOUGH_ENOENT: nothing is known of the ref. */
static enum bough_err entries(struct redis *r, const struct asked *q, struct bough_view ref,
    struct bough_buf *items, size_t *n)
{
    struct resp_writer w = r->w;
    struct bough_reflog *log;
    struct bough_reflog_entry e;
    int64_t seen = 0, most = q->limit > 0 ? q->limit : 1; /* one tells whether there is any */
    enum bough_err err = bough_reflog_open(r->conn.server->repo, ref, &log);

    r->w.out = items;
    while (!err && (seen < q->skip || seen - q->skip < most)) {
        err = bough_reflog_next(log, &e);
        if (!err && seen++ >= q->skip && q->limit > 0) {
            entry_answer(r, &e);
            ++*n;
        }
    }
    r->w = w;
    bough_reflog_close(log);
    return err == BOUGH_ENOENT && seen > 0 ? BOUGH_OK : err;
}

void cmd_git_reflog(struct redis *r, struct args a)
{
    struct asked q;
    struct bough_buf items, ref;
    size_t n = 0;
    enum bough_err err;

    if (!args_parse(r, a, &q))
        return;
    bough_buf_init(&items, r->conn.server->mem);
    bough_buf_init(&ref, r->conn.server->mem);
    err = name_put(r, &q, &ref);
    if (!err)
        err = entries(r, &q, bough_buf_view(&ref), &items, &n);
    if (!err)
        err = items.err;
    if (err) {
        answer_why(r, err, bough_repo_why(r->conn.server->repo));
    } else {
        resp_array(&r->w, n);
        bough_buf_put_view(&r->conn.out, bough_buf_view(&items));
    }
    bough_buf_fini(&items);
    bough_buf_fini(&ref);
}
