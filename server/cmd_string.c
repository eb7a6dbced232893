/*
 * cmd_string.c - values: GET and SET and their kin.
 *
 *   reading      fetch, GET, MGET, STRLEN, GETRANGE
 *   writing      store, SET with its options, MSET, MSETNX, APPEND, SETRANGE
 *   numbers      INCR and its kin
 */
#include "server/redis.h"

/* ---- Reading ---- */

enum {
    VALUE_MAX = 32 * 1024 * 1024,     /* bytes of a value that a command holds in memory */
    HOLE_END_MAX = 512 * 1024 * 1024, /* up to where SETRANGE fills with zeroes */
};

/*
 * The value at `at` into r->scratch: OK, ENOENT, or an error not yet answered.  Values over
 * VALUE_MAX are BOUGH_ETOOBIG.
 */
static enum bough_err fetch(struct redis *r, struct place_at *at)
{
    bough_buf_clear(&r->scratch);
    r->scratch.len_max = VALUE_MAX;
    return bough_kv_get(at->kv, at->path, &r->scratch);
}

static void answer_fetched(struct redis *r, const struct place_at *at, enum bough_err err)
{
    if (err == BOUGH_OK)
        resp_bulk(&r->w, bough_buf_view(&r->scratch));
    else if (err == BOUGH_ENOENT)
        resp_null(&r->w);
    else
        answer_kv(r, at->kv, err);
}

void cmd_get(struct redis *r, struct args a)
{
    struct place_at at;
    enum bough_err err;
    uint64_t size = 0;

    if (!place_read(r, a.v[1], &at))
        return;
    bough_buf_clear(&r->scratch);
    err = bough_kv_get_part(at.kv, at.path, 0, RESP_BIG + 1, &r->scratch);
    if (!err && r->scratch.len > RESP_BIG)
        err = bough_kv_size(at.kv, at.path, &size);
    if (!err && size > 0) {
        struct bough_oid id;
        err = bough_kv_digest(at.kv, at.path, &id);
        if (err)
            answer_kv(r, at.kv, err);
        else
            big_get(r, &id);
    } else {
        answer_fetched(r, &at, err);
    }
    place_close(&at);
}

void cmd_mget(struct redis *r, struct args a)
{
    resp_array(&r->w, a.n - 1);
    for (size_t i = 1; i < a.n; i++) {
        struct place_at at;
        enum bough_err err;

        if (!place_read(r, a.v[i], &at))
            continue; /* the error stands in the array */
        err = fetch(r, &at);
        if (err == BOUGH_EVALUE)
            resp_null(&r->w);
        else
            answer_fetched(r, &at, err);
        place_close(&at);
    }
}

void cmd_strlen(struct redis *r, struct args a)
{
    struct place_at at;
    uint64_t size = 0;
    enum bough_err err;

    if (!place_read(r, a.v[1], &at))
        return;
    err = bough_kv_size(at.kv, at.path, &size);
    if (err && err != BOUGH_ENOENT)
        answer_kv(r, at.kv, err);
    else
        resp_int(&r->w, (int64_t)size);
    place_close(&at);
}

/* Redis's inclusive range, negative from the end, to offset and length. */
static void range_clip(int64_t from, int64_t to, uint64_t size, uint64_t *at, uint64_t *len)
{
    int64_t n = (int64_t)size;

    *at = *len = 0;
    if (from < 0 && to < 0 && from > to)
        return;
    from = from < 0 ? from + n : from;
    to = to < 0 ? to + n : to;
    from = from < 0 ? 0 : from;
    to = to < 0 ? 0 : to >= n ? n - 1 : to;
    if (n == 0 || from > to)
        return;
    *at = (uint64_t)from;
    *len = (uint64_t)(to - from) + 1;
}

void cmd_getrange(struct redis *r, struct args a)
{
    struct place_at at;
    int64_t from, to;
    uint64_t size = 0, offset, len;
    enum bough_err err;

    if (!arg_int(r, a.v[2], &from) || !arg_int(r, a.v[3], &to) || !place_read(r, a.v[1], &at))
        return;
    bough_buf_clear(&r->scratch);
    r->scratch.len_max = VALUE_MAX;
    err = bough_kv_size(at.kv, at.path, &size);
    range_clip(from, to, size, &offset, &len);
    if (!err && len > 0 && len <= VALUE_MAX)
        err = bough_kv_get_part(at.kv, at.path, offset, len, &r->scratch);
    if (err && err != BOUGH_ENOENT)
        answer_kv(r, at.kv, err);
    else if (len > VALUE_MAX)
        resp_error(&r->w, "ERR the range is over 32 MiB; ask for it in parts");
    else
        resp_bulk(&r->w, bough_buf_view(&r->scratch));
    place_close(&at);
}

/* ---- Writing ---- */

static bool put(struct redis *r, struct place_at *at, struct bough_view value)
{
    enum bough_err err = bough_kv_set(at->kv, at->path, value, NULL);

    if (err)
        answer_kv(r, at->kv, err);
    return err == BOUGH_OK;
}

struct set_flags {
    bool nx, xx, get;
};

static bool set_flags_parse(struct redis *r, struct args a, struct set_flags *out)
{
    for (size_t i = 3; i < a.n; i++) {
        if (word_is(a.v[i], "nx")) {
            out->nx = true;
        } else if (word_is(a.v[i], "xx")) {
            out->xx = true;
        } else if (word_is(a.v[i], "get")) {
            out->get = true;
        } else if (word_is(a.v[i], "ex") || word_is(a.v[i], "px") || word_is(a.v[i], "exat") ||
                   word_is(a.v[i], "pxat")) {
            resp_error(&r->w,
                "ERR keys do not expire: history is permanent; a branch can have a time to live");
            return false;
        } else if (!word_is(a.v[i], "keepttl")) {
            resp_error(&r->w, "ERR syntax error");
            return false;
        }
    }
    if (out->nx && out->xx) {
        resp_error(&r->w, "ERR syntax error");
        return false;
    }
    return true;
}

void cmd_set(struct redis *r, struct args a)
{
    struct set_flags f = {.nx = false};
    struct place_at at;
    enum bough_kind kind = BOUGH_KIND_NONE;
    enum bough_err err = BOUGH_OK;
    size_t mark;

    if (!set_flags_parse(r, a, &f) || !place_write(r, a.v[1], &at))
        return;
    if (f.nx || f.xx || f.get) {
        err = bough_kv_exists(at.kv, at.path, &kind);
        if (err) {
            answer_kv(r, at.kv, err);
            return;
        }
    }
    mark = r->conn.out.len;
    if (f.get) {
        err = fetch(r, &at);
        answer_fetched(r, &at, err);
        if (err && err != BOUGH_ENOENT)
            return;
    }
    if ((f.nx && kind != BOUGH_KIND_NONE) || (f.xx && kind == BOUGH_KIND_NONE)) {
        if (!f.get)
            resp_null(&r->w);
        return;
    }
    err = bough_kv_set(at.kv, at.path, a.v[2], NULL);
    if (err) {
        r->conn.out.len = mark;
        answer_kv(r, at.kv, err);
    } else if (!f.get) {
        answer_ok(r);
    }
}

void cmd_setnx(struct redis *r, struct args a)
{
    struct place_at at;
    enum bough_kind kind;
    enum bough_err err;

    if (!place_write(r, a.v[1], &at))
        return;
    err = bough_kv_exists(at.kv, at.path, &kind);
    if (err)
        answer_kv(r, at.kv, err);
    else if (kind != BOUGH_KIND_NONE)
        resp_int(&r->w, 0);
    else if (put(r, &at, a.v[2]))
        resp_int(&r->w, 1);
}

/* GETSET and GETDEL: answer the old value, then change it. */
static void get_then(struct redis *r, struct bough_view key, const struct bough_view *value)
{
    struct place_at at;
    size_t mark = r->conn.out.len;
    enum bough_err err;

    if (!place_write(r, key, &at))
        return;
    err = fetch(r, &at);
    answer_fetched(r, &at, err);
    if (err && (err != BOUGH_ENOENT || value == NULL))
        return;
    err = value != NULL ? bough_kv_set(at.kv, at.path, *value, NULL)
                        : bough_kv_remove(at.kv, at.path);
    if (err) {
        r->conn.out.len = mark;
        answer_kv(r, at.kv, err);
    }
}

void cmd_getset(struct redis *r, struct args a)
{
    get_then(r, a.v[1], &a.v[2]);
}

void cmd_getdel(struct redis *r, struct args a)
{
    get_then(r, a.v[1], NULL);
}

/* All pairs in one batch, so that they are one commit. */
static enum bough_err set_pairs(struct redis *r, struct bough_kv *batch, struct args a)
{
    for (size_t i = 1; i + 1 < a.n; i += 2) {
        struct bough_view rev, rest;
        enum bough_err err;

        if (key_revision(a.v[i], &rev, &rest))
            return BOUGH_WHY(
                &batch->why, BOUGH_EREADONLY, "a revision is read-only", a.v[i].ptr, a.v[i].len);
        bough_buf_clear(&r->path);
        key_to_path(rest, &r->path);
        err = bough_kv_set(batch, bough_buf_view(&r->path), a.v[i + 1], NULL);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* False: an error was answered. */
static bool mset(struct redis *r, struct args a)
{
    struct place_at at;
    struct bough_kv *batch;
    enum bough_err err;

    if (a.n % 2 != 1) {
        resp_error(&r->w, "ERR wrong number of arguments for 'mset' command");
        return false;
    }
    if (!place_write(r, a.v[1], &at))
        return false;
    if (r->batch != NULL) {
        err = set_pairs(r, r->batch, a);
        if (err)
            answer_kv(r, r->batch, err);
        return err == BOUGH_OK;
    }
    err = bough_kv_begin(at.kv, BOUGH_TEST_AND_SET, &batch);
    if (err) {
        answer_kv(r, at.kv, err);
        return false;
    }
    err = set_pairs(r, batch, a);
    if (err) {
        answer_kv(r, batch, err);
        bough_kv_abort(batch);
        return false;
    }
    err = bough_kv_commit(batch);
    if (err)
        answer_kv(r, at.kv, err);
    return err == BOUGH_OK;
}

void cmd_mset(struct redis *r, struct args a)
{
    if (mset(r, a))
        answer_ok(r);
}

void cmd_msetnx(struct redis *r, struct args a)
{
    for (size_t i = 1; i < a.n; i += 2) {
        struct place_at at;
        enum bough_kind kind;
        enum bough_err err;

        if (!place_write(r, a.v[i], &at))
            return;
        err = bough_kv_exists(at.kv, at.path, &kind);
        if (err) {
            answer_kv(r, at.kv, err);
            return;
        }
        if (kind != BOUGH_KIND_NONE) {
            resp_int(&r->w, 0);
            return;
        }
    }
    if (mset(r, a))
        resp_int(&r->w, 1);
}

/* Write at an offset and answer the new length. */
static void set_part(
    struct redis *r, struct place_at *at, uint64_t offset, struct bough_view bytes, uint64_t size)
{
    struct bough_set_opts opts = {.flags = BOUGH_SET_HOLE};
    enum bough_err err;

    if (offset > size && offset + bytes.len > HOLE_END_MAX) {
        resp_error(&r->w, "ERR string exceeds maximum allowed size (512 MiB) for a hole");
        return;
    }
    err = bough_kv_set_part(at->kv, at->path, offset, bytes, &opts);
    if (err)
        answer_kv(r, at->kv, err);
    else
        resp_int(&r->w, (int64_t)(offset + bytes.len > size ? offset + bytes.len : size));
}

void cmd_append(struct redis *r, struct args a)
{
    struct place_at at;
    uint64_t size = 0;
    enum bough_err err;

    if (!place_write(r, a.v[1], &at))
        return;
    err = bough_kv_size(at.kv, at.path, &size);
    if (err && err != BOUGH_ENOENT)
        answer_kv(r, at.kv, err);
    else
        set_part(r, &at, size, a.v[2], size);
}

void cmd_setrange(struct redis *r, struct args a)
{
    struct place_at at;
    int64_t offset;
    uint64_t size = 0;
    enum bough_err err;

    if (!arg_int(r, a.v[2], &offset))
        return;
    if (offset < 0) {
        resp_error(&r->w, "ERR offset is out of range");
        return;
    }
    if (!place_write(r, a.v[1], &at))
        return;
    err = bough_kv_size(at.kv, at.path, &size);
    if (err && err != BOUGH_ENOENT)
        answer_kv(r, at.kv, err);
    else if (a.v[3].len == 0)
        resp_int(&r->w, (int64_t)size);
    else
        set_part(r, &at, (uint64_t)offset, a.v[3], size);
}

/* ---- Numbers ---- */

static void add(struct redis *r, struct bough_view key, int64_t delta)
{
    struct place_at at;
    enum bough_err err;
    int64_t x = 0;
    struct bough_buf text;

    if (!place_write(r, key, &at))
        return;
    err = fetch(r, &at);
    if (err && err != BOUGH_ENOENT) {
        answer_kv(r, at.kv, err);
        return;
    }
    if (!err && !arg_int(r, bough_buf_view(&r->scratch), &x))
        return;
    if ((delta > 0 && x > INT64_MAX - delta) || (delta < 0 && x < INT64_MIN - delta)) {
        resp_error(&r->w, "ERR increment or decrement would overflow");
        return;
    }
    bough_buf_init(&text, r->conn.server->mem);
    bough_buf_put_dec(&text, x + delta);
    if (text.err)
        resp_error(&r->w, "OOM");
    else if (put(r, &at, bough_buf_view(&text)))
        resp_int(&r->w, x + delta);
    bough_buf_fini(&text);
}

void cmd_incr(struct redis *r, struct args a)
{
    add(r, a.v[1], 1);
}

void cmd_decr(struct redis *r, struct args a)
{
    add(r, a.v[1], -1);
}

void cmd_incrby(struct redis *r, struct args a)
{
    int64_t by;

    if (arg_int(r, a.v[2], &by))
        add(r, a.v[1], by);
}

void cmd_decrby(struct redis *r, struct args a)
{
    int64_t by;

    if (!arg_int(r, a.v[2], &by))
        return;
    if (by == INT64_MIN)
        resp_error(&r->w, "ERR decrement would overflow");
    else
        add(r, a.v[1], -by);
}
