/*
 * cmd_key.c - keys: DEL, EXISTS, TYPE, KEYS, SCAN, RENAME, DBSIZE.
 */
#include "server/redis.h"

void cmd_del(struct redis *r, struct args a)
{
    int64_t n = 0;

    for (size_t i = 1; i < a.n; i++) {
        struct place_at at;
        enum bough_err err;

        if (!place_write(r, a.v[i], &at))
            return;
        err = bough_kv_remove(at.kv, at.path);
        if (err && err != BOUGH_ENOENT) {
            answer_kv(r, at.kv, err);
            return;
        }
        n += !err;
    }
    resp_int(&r->w, n);
}

static bool kind_at(struct redis *r, struct bough_view key, enum bough_kind *out)
{
    struct place_at at;
    enum bough_err err;

    if (!place_read(r, key, &at))
        return false;
    err = bough_kv_exists(at.kv, at.path, out);
    if (err)
        answer_kv(r, at.kv, err);
    place_close(&at);
    return err == BOUGH_OK;
}

void cmd_exists(struct redis *r, struct args a)
{
    int64_t n = 0;

    for (size_t i = 1; i < a.n; i++) {
        enum bough_kind kind;
        if (!kind_at(r, a.v[i], &kind))
            return;
        n += kind != BOUGH_KIND_NONE;
    }
    resp_int(&r->w, n);
}

void cmd_touch(struct redis *r, struct args a)
{
    cmd_exists(r, a);
}

void cmd_type(struct redis *r, struct args a)
{
    static const char *const names[] = {"none", "string", "tree"};
    enum bough_kind kind;

    if (kind_at(r, a.v[1], &kind))
        resp_simple(&r->w, names[kind]);
}

/* ---- Listing ---- */

/* Answer the keys that match; false: an error was answered. */
struct listing {
    struct redis *r;
    struct bough_view pattern; /* ptr NULL: all */
    struct bough_buf key;
    uint64_t count;
};

static void listing_add(struct listing *l, struct bough_view path)
{
    bough_buf_clear(&l->key);
    path_to_key(path, &l->key);
    if (l->key.len > 0 && l->key.ptr[0] == '@') { /* so that GET takes it as it is told */
        bough_buf_clear(&l->key);
        bough_buf_put_u8(&l->key, '@');
        path_to_key(path, &l->key);
    }
    if (l->pattern.ptr != NULL && !glob_match(l->pattern, bough_buf_view(&l->key)))
        return;
    l->count++;
    resp_bulk(&l->r->w, bough_buf_view(&l->key));
}

/* The array's length is known at the end only: write the elements aside, then in. */
static void listing_answer(struct redis *r, struct bough_buf *items, uint64_t n)
{
    resp_array(&r->w, (size_t)n);
    bough_buf_put_view(&r->conn.out, bough_buf_view(items));
    if (items->err)
        r->conn.out.err = items->err;
}

void cmd_keys(struct redis *r, struct args a)
{
    struct bough_kv *kv = place_kv(r);
    struct listing l = {.r = r, .pattern = a.v[1]};
    struct bough_buf items, path;
    struct resp_writer w = r->w;
    enum bough_err err;
    size_t base;

    if (kv == NULL)
        return;
    bough_buf_init(&l.key, r->conn.server->mem);
    bough_buf_init(&items, r->conn.server->mem);
    bough_buf_init(&path, r->conn.server->mem);
    glob_base(a.v[1], &path);
    base = path.len;
    r->w.out = &items;
    while ((err = walk_next(kv, &path, base)) == BOUGH_OK)
        listing_add(&l, bough_buf_view(&path));
    r->w = w;
    if (err == BOUGH_ENOENT)
        listing_answer(r, &items, l.count);
    else
        answer_kv(r, kv, err);
    bough_buf_fini(&l.key);
    bough_buf_fini(&items);
    bough_buf_fini(&path);
}

struct scan_args {
    int64_t cursor, count;
    struct bough_view pattern, type;
};

static bool scan_args_parse(struct redis *r, struct args a, struct scan_args *out)
{
    *out = (struct scan_args){.count = 10};
    if (!word_int(a.v[1], &out->cursor) || out->cursor < 0) {
        resp_error(&r->w, "ERR invalid cursor");
        return false;
    }
    for (size_t i = 2; i < a.n; i += 2) {
        if (i + 1 < a.n && word_is(a.v[i], "match")) {
            out->pattern = a.v[i + 1];
        } else if (i + 1 < a.n && word_is(a.v[i], "type")) {
            out->type = a.v[i + 1];
        } else if (i + 1 < a.n && word_is(a.v[i], "count")) {
            if (!arg_int(r, a.v[i + 1], &out->count))
                return false;
        } else {
            resp_error(&r->w, "ERR syntax error");
            return false;
        }
    }
    if (out->count < 1 || out->count > 1000000) {
        resp_error(&r->w, "ERR syntax error");
        return false;
    }
    return true;
}

static void answer_cursor(struct redis *r, uint64_t cursor)
{
    struct bough_buf text;

    bough_buf_init(&text, r->conn.server->mem);
    bough_buf_put_udec(&text, cursor);
    resp_array(&r->w, 2);
    resp_bulk(&r->w, bough_buf_view(&text));
    bough_buf_fini(&text);
}

/* One page of a scan; expired cursors begin again, as a server that forgot would. */
void cmd_scan(struct redis *r, struct args a)
{
    struct server *s = r->conn.server;
    struct scan_args opts;
    struct bough_kv *kv = place_kv(r);
    struct listing l = {.r = r};
    struct bough_buf items;
    struct resp_writer w = r->w;
    struct scan *scan;
    enum bough_err err = BOUGH_OK;
    int64_t left;

    if (kv == NULL || !scan_args_parse(r, a, &opts))
        return;
    scan = scan_find(s, (uint64_t)opts.cursor);
    if (scan == NULL)
        scan = scan_begin(s, kv, opts.pattern);
    if (scan == NULL) {
        answer_kv(r, kv, kv->why.err);
        return;
    }
    l.pattern = opts.pattern;
    bough_buf_init(&l.key, s->mem);
    bough_buf_init(&items, s->mem);
    r->w.out = &items;
    for (left = opts.count; left > 0 && err == BOUGH_OK; left--) {
        err = walk_next(scan->kv, &scan->last, scan->base);
        if (!err && (opts.type.ptr == NULL || word_is(opts.type, "string")))
            listing_add(&l, bough_buf_view(&scan->last));
    }
    r->w = w;
    if (err && err != BOUGH_ENOENT) {
        answer_kv(r, scan->kv, err);
    } else {
        answer_cursor(r, err ? 0 : scan->cursor);
        listing_answer(r, &items, l.count);
    }
    if (err)
        scan_end(s, scan);
    bough_buf_fini(&l.key);
    bough_buf_fini(&items);
}

/* Values of the client's branch; costs a walk over all of them. */
static enum bough_err count_values(struct redis *r, struct bough_kv *kv, uint64_t *out)
{
    struct bough_buf path;
    enum bough_err err;

    *out = 0;
    bough_buf_init(&path, r->conn.server->mem);
    while ((err = walk_next(kv, &path, 0)) == BOUGH_OK)
        ++*out;
    bough_buf_fini(&path);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

void cmd_dbsize(struct redis *r, struct args a)
{
    struct bough_kv *kv = place_kv(r);
    uint64_t n;
    enum bough_err err;

    (void)a;
    if (kv == NULL)
        return;
    err = count_values(r, kv, &n);
    if (err)
        answer_kv(r, kv, err);
    else
        resp_int(&r->w, (int64_t)n);
}

void cmd_randomkey(struct redis *r, struct args a)
{
    struct bough_kv *kv = place_kv(r);
    struct listing l = {.r = r};
    struct bough_buf path;
    uint64_t n, pick;
    enum bough_err err;

    (void)a;
    if (kv == NULL)
        return;
    bough_buf_init(&path, r->conn.server->mem);
    bough_buf_init(&l.key, r->conn.server->mem);
    err = count_values(r, kv, &n);
    bough_env_random(bough_repo_env(r->conn.server->repo), &pick, sizeof pick);
    for (pick = n > 0 ? pick % n : 0; !err && n > 0; pick--) {
        err = walk_next(kv, &path, 0);
        if (pick == 0)
            break;
    }
    if (err)
        answer_kv(r, kv, err);
    else if (n == 0)
        resp_null(&r->w);
    else
        listing_add(&l, bough_buf_view(&path));
    bough_buf_fini(&path);
    bough_buf_fini(&l.key);
}

/* ---- Renaming ---- */

/* OK, or answered. */
static bool rename_key(struct redis *r, struct args a, bool only_new, bool *done)
{
    struct place_at at;
    struct bough_buf from;
    enum bough_kind kind = BOUGH_KIND_NONE;
    enum bough_err err;

    *done = false;
    if (!place_write(r, a.v[1], &at))
        return false;
    bough_buf_init(&from, r->conn.server->mem);
    bough_buf_put_view(&from, at.path);
    if (!place_write(r, a.v[2], &at)) {
        bough_buf_fini(&from);
        return false;
    }
    err = bough_kv_exists(at.kv, bough_buf_view(&from), &kind);
    if (!err && kind == BOUGH_KIND_NONE) {
        resp_error(&r->w, "ERR no such key");
        bough_buf_fini(&from);
        return false;
    }
    if (!err && only_new)
        err = bough_kv_exists(at.kv, at.path, &kind);
    if (!err && !(only_new && kind != BOUGH_KIND_NONE)) {
        err = bough_kv_rename(at.kv, bough_buf_view(&from), at.path);
        *done = !err;
    }
    if (err)
        answer_kv(r, at.kv, err);
    bough_buf_fini(&from);
    return err == BOUGH_OK;
}

void cmd_rename(struct redis *r, struct args a)
{
    bool done;

    if (rename_key(r, a, false, &done))
        answer_ok(r);
}

void cmd_renamenx(struct redis *r, struct args a)
{
    bool done;

    if (rename_key(r, a, true, &done))
        resp_int(&r->w, done);
}
