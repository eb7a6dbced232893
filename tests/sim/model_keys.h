/*
 * model_keys.h - commands on keys: reading, writing, several at once.
 *
 * Each draws what it is about, says it to the trace, carries it out on both sides and compares.
 */
#ifndef MODEL_KEYS_H
#define MODEL_KEYS_H

#include "tests/sim/model_world.h"

/* ---- Commands: reading ---- */

static inline void cmd_get(struct world *w)
{
    struct bough_buf out;
    enum bough_err err, want = BOUGH_OK;
    enum kind kind;
    char path[64];

    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    kind = model_kind(&w->m, w->branch, path);
    if (kind != KIND_VALUE)
        want = kind == KIND_DICT ? BOUGH_EVALUE : BOUGH_ENOENT;
    SAY(w, "get %s %s", w->branch, path);
    bough_buf_init(&out, &w->t.mem.mem);
    err = bough_kv_get(w->kv, text(path), &out);
    expect(w, err, want);
    if (!err) {
        struct bough_oid have = bough_oid_of(w->m.algo, BOUGH_BLOB, bough_buf_view(&out));
        struct bough_oid id = model_digest(&w->m, w->branch, path, LATEST);
        assert_true(bough_oid_eq(&id, &have));
    }
    bough_buf_fini(&out);
}

static inline void cmd_exists(struct world *w)
{
    static const enum kind kinds[] = {[BOUGH_KIND_NONE] = KIND_NONE,
        [BOUGH_KIND_VALUE] = KIND_VALUE,
        [BOUGH_KIND_DICT] = KIND_DICT};
    enum bough_kind kind = BOUGH_KIND_NONE;
    char path[64];
    enum bough_err err;

    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    SAY(w, "exists %s %s", w->branch, path);
    err = bough_kv_exists(w->kv, text(path), &kind);
    expect(w, err, BOUGH_OK);
    if (!err)
        assert_int_equal(kinds[kind], model_kind(&w->m, w->branch, path));
}

static inline void cmd_digest(struct world *w)
{
    struct bough_oid have, want;
    char path[64];
    bool there;
    enum bough_err err;

    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    if (draw(w->tape, 4) == 0)
        path[0] = '\0';
    there = model_kind(&w->m, w->branch, path) != KIND_NONE;
    SAY(w, "digest %s '%s'", w->branch, path);
    err = bough_kv_digest(w->kv, text(path), &have);
    expect(w, err, there ? BOUGH_OK : BOUGH_ENOENT);
    if (!err) {
        want = model_digest(&w->m, w->branch, path, LATEST);
        assert_true(bough_oid_eq(&have, &want));
    }
}

/* Children in order, values by walking below: each must be the model's next. */
struct walk {
    struct world *w;
    sqlite3_stmt *q;
};

static inline enum bough_err walk_value(void *ctx, const struct bough_kv_entry *e)
{
    struct walk *k = ctx;

    if (e->kind != BOUGH_KIND_VALUE)
        return BOUGH_OK;
    assert_int_equal(sqlite3_step(k->q), SQLITE_ROW);
    assert_int_equal(e->key.ptr[0], '/');
    assert_true(bough_view_eq(bough_view(e->key.ptr + 1, e->key.len - 1),
        text((const char *)sqlite3_column_text(k->q, 0))));
    return BOUGH_OK;
}

static inline void cmd_list(struct world *w)
{
    struct walk k = {.w = w};
    char path[64];
    enum bough_err err;

    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    if (draw(w->tape, 2) || model_kind(&w->m, w->branch, path) != KIND_DICT)
        path[0] = '\0';
    SAY(w, "list %s '%s'", w->branch, path);
    k.q = model_below(&w->m, w->branch, path, LATEST);
    err = bough_kv_fold(w->kv, text(path), 0, walk_value, &k);
    if (err)
        SAY(w, " (%s, %.*s)", w->kv->why.what, (int)sizeof w->kv->why.key,
            (const char *)w->kv->why.key);
    expect(w, err, BOUGH_OK);
    if (!err)
        assert_int_equal(sqlite3_step(k.q), SQLITE_DONE);
    sqlite3_finalize(k.q);
}

static inline void cmd_read_all(struct world *w)
{
    if (!kv_open(w, draw_branch(w, false)))
        return;
    SAY(w, "read all of %s\n", w->branch);
    assert_values(w, w->kv, w->branch, LATEST);
}

/* ---- Commands: writing ---- */

static inline void do_set(struct world *w, struct bough_kv *kv)
{
    struct bough_set_opts opts = {.flags = draw(w->tape, 8) == 0 ? BOUGH_SET_FORCE : 0};
    enum bough_err want = BOUGH_OK;
    uint32_t mode;
    struct bough_view value = draw_value(w);
    char path[64];

    draw_path(w, path);
    mode = model_mode(&w->m, w->branch, path);
    if (!opts.flags && model_blocked(&w->m, w->branch, path))
        want = BOUGH_EDICT;
    else if (!opts.flags && model_kind(&w->m, w->branch, path) == KIND_DICT)
        want = BOUGH_EVALUE;
    SAY(w, "set %s %s, %zu bytes%s", w->branch, path, value.len, opts.flags ? ", force" : "");
    if (want == BOUGH_OK)
        model_put(&w->m, w->branch, path, value, mode);
    changed(w, bough_kv_set(kv, text(path), value, &opts), want);
}

static inline void do_remove(struct world *w, struct bough_kv *kv)
{
    char path[64];
    bool there;

    draw_path(w, path);
    there = model_kind(&w->m, w->branch, path) != KIND_NONE;
    SAY(w, "remove %s %s", w->branch, path);
    if (there)
        model_remove(&w->m, w->branch, path);
    changed(w, bough_kv_remove(kv, text(path)), there ? BOUGH_OK : BOUGH_ENOENT);
}

static inline bool is_below(const char *path, const char *dir)
{
    return strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/';
}

/* What a rename answers; `to` becomes the place where it ends up. */
static inline enum bough_err rename_want(struct world *w, const char *from, char to[64])
{
    enum kind src = model_kind(&w->m, w->branch, from), dst;
    const char *base = strrchr(from, '/') != NULL ? strrchr(from, '/') + 1 : from;

    if (src == KIND_NONE)
        return BOUGH_ENOENT;
    if (is_below(to, from))
        return BOUGH_EPREFIX;
    if (model_blocked(&w->m, w->branch, to))
        return BOUGH_EDICT;
    dst = model_kind(&w->m, w->branch, to);
    if (dst == KIND_DICT) {
        assert_true(strlen(to) + strlen(base) + 2 <= 64);
        strcat(strcat(to, "/"), base);
        dst = model_kind(&w->m, w->branch, to);
        if (dst == KIND_DICT)
            return BOUGH_EVALUE;
    }
    return dst == KIND_VALUE && src == KIND_DICT ? BOUGH_EVALUE : BOUGH_OK;
}

static inline void do_rename(struct world *w, struct bough_kv *kv)
{
    char from[64], asked[64], to[64];
    enum bough_err want = BOUGH_OK;

    draw_path(w, from);
    draw_path(w, to);
    memcpy(asked, to, sizeof to);
    if (is_below(to, from) && model_kind(&w->m, w->branch, from) == KIND_VALUE)
        return;
    if (strcmp(from, to) != 0) {
        want = rename_want(w, from, to);
        if (strcmp(from, to) == 0)
            return; /* into the dictionary where it lies: said nowhere */
        if (want == BOUGH_OK)
            model_move(&w->m, w->branch, from, to);
    }
    SAY(w, "rename %s %s %s", w->branch, from, asked);
    changed(w, bough_kv_rename(kv, text(from), text(asked)), want);
}

static inline void do_mode(struct world *w, struct bough_kv *kv)
{
    bool exec = draw(w->tape, 2);
    enum bough_err want = BOUGH_OK;
    enum kind kind;
    char path[64];

    draw_path(w, path);
    kind = model_kind(&w->m, w->branch, path);
    if (kind != KIND_VALUE)
        want = kind == KIND_DICT ? BOUGH_EVALUE : BOUGH_ENOENT;
    else
        model_sql(&w->m,
            "CREATE TEMP TABLE one AS SELECT value FROM kv WHERE branch=%Q AND path=%Q AND "
            "died=" NEVER,
            w->branch, path);
    SAY(w, "mode %s %s %d", w->branch, path, exec);
    if (kind == KIND_VALUE) {
        model_remove(&w->m, w->branch, path);
        model_sql(&w->m,
            "INSERT INTO kv SELECT %Q, %Q, value, %d, %lld, " NEVER " FROM one; DROP TABLE one",
            w->branch, path, exec ? 0100755 : 0100644, w->m.state + 1);
    }
    changed(w, bough_kv_set_mode(kv, text(path), exec ? BOUGH_MODE_EXEC : BOUGH_MODE_NORMAL), want);
}

/* One of several changes that will happen together. */
static inline void do_any(struct world *w, struct bough_kv *kv)
{
    model_sql(&w->m, "SAVEPOINT one");
    switch (draw(w->tape, 8)) {
    case 0:
    case 1:
        do_remove(w, kv);
        break;
    case 2:
        do_rename(w, kv);
        break;
    case 3:
        do_mode(w, kv);
        break;
    default:
        do_set(w, kv);
    }
    model_sql(&w->m, "RELEASE one");
}

static inline void cmd_set(struct world *w)
{
    if (!kv_open(w, draw_branch(w, false)))
        return;
    do_set(w, w->kv);
}

static inline void cmd_remove(struct world *w)
{
    if (!kv_open(w, draw_branch(w, false)))
        return;
    do_remove(w, w->kv);
}

static inline void cmd_rename(struct world *w)
{
    if (!kv_open(w, draw_branch(w, false)))
        return;
    do_rename(w, w->kv);
}

static inline void cmd_mode(struct world *w)
{
    if (!kv_open(w, draw_branch(w, false)))
        return;
    do_mode(w, w->kv);
}

static inline void cmd_stream(struct world *w)
{
    struct bough_view value = draw_value(w);
    enum bough_err want = BOUGH_OK;
    struct bough_source_view src;
    char path[64];

    bough_source_view_init(&src, value);
    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    if (model_blocked(&w->m, w->branch, path))
        want = BOUGH_EDICT;
    else if (model_kind(&w->m, w->branch, path) == KIND_DICT)
        want = BOUGH_EVALUE;
    else
        model_put(&w->m, w->branch, path, value, model_mode(&w->m, w->branch, path));
    SAY(w, "stream %s %s, %zu bytes", w->branch, path, value.len);
    changed(w, bough_kv_set_stream(w->kv, text(path), value.len, &src.src, NULL), want);
}

/* ---- Commands: several at once ---- */

static inline void cmd_gather(struct world *w)
{
    uint32_t n = 1 + draw(w->tape, 6);
    enum bough_err err;

    SAY(w, "gather {\n");
    OK(bough_repo_gather_begin(w->r));
    w->gathering = true;
    for (uint32_t i = 0; i < n && !dead(w) && bough_repo_gathering(w->r); i++) {
        if (!kv_open(w, draw_branch(w, false)))
            break;
        SAY(w, "  ");
        do_any(w, w->kv);
        kv_close(w);
    }
    w->gathering = false;
    err = bough_repo_gather_end(w->r);
    SAY(w, "}");
    changed(w, err, BOUGH_OK);
}

/* A condition on a random path; true when it holds. */
static inline bool batch_expect(struct world *w, struct bough_kv *b)
{
    struct bough_oid id = {{0}};
    char path[64];
    bool there;

    draw_path(w, path);
    there = model_kind(&w->m, w->branch, path) != KIND_NONE;
    if (draw(w->tape, 3) == 0) {
        SAY(w, "  expect %s to be another\n", path);
        id.bytes[0] = 1;
        OK(bough_kv_expect(b, text(path), &id));
        return false;
    }
    if (there)
        id = model_digest(&w->m, w->branch, path, LATEST);
    SAY(w, "  expect %s as it is\n", path);
    OK(bough_kv_expect(b, text(path), &id));
    return true;
}

static inline void cmd_batch(struct world *w)
{
    uint32_t n = draw(w->tape, 6);
    bool holds = true, abort = draw(w->tape, 4) == 0;
    struct bough_kv *b;
    enum bough_err err;

    if (!kv_open(w, draw_branch(w, false)))
        return;
    SAY(w, "batch {\n");
    err = bough_kv_begin(w->kv, BOUGH_TEST_AND_SET, &b);
    if (err) {
        changed(w, err, BOUGH_OK);
        return;
    }
    if (draw(w->tape, 3) == 0)
        holds = batch_expect(w, b);
    w->gathering = true;
    for (uint32_t i = 0; i < n && !dead(w); i++) {
        SAY(w, "  ");
        do_any(w, b);
    }
    w->gathering = false;
    if (abort) {
        SAY(w, "} abort\n");
        bough_kv_abort(b);
        model_undo(&w->m);
        return;
    }
    SAY(w, "} commit");
    err = bough_kv_commit(b);
    if (!holds)
        model_undo(&w->m);
    changed(w, err, holds ? BOUGH_OK : BOUGH_ETEST);
}

/* Two batches on one branch: the later one fails when it wrote what the first did. */
static inline void cmd_race(struct world *w)
{
    char path[64], other[64];
    struct bough_kv *b;
    bool clash = draw(w->tape, 2);
    enum bough_err err;

    if (!kv_open(w, draw_branch(w, false)))
        return;
    draw_path(w, path);
    snprintf(other, sizeof other, "%s", clash ? path : "elsewhere");
    if (model_blocked(&w->m, w->branch, path) || model_kind(&w->m, w->branch, path) == KIND_DICT)
        return;
    SAY(w, "race for %s", path);
    err = bough_kv_begin(w->kv, BOUGH_TEST_AND_SET, &b);
    if (!err)
        err = bough_kv_set(b, text(other), text("theirs"), NULL);
    if (!err) {
        struct bough_kv *second;
        struct bough_view value = draw_value(w);
        err = bough_kv_branch_open(w->r, text(w->branch), &second);
        if (err) {
            bough_kv_abort(b);
            changed(w, err, BOUGH_OK);
            return;
        }
        if (value.len == 6)
            value.len = 5; /* surely not what the batch writes */
        if (clash && model_kind(&w->m, w->branch, path) == KIND_VALUE) {
            model_remove(&w->m, w->branch, path);
            err = bough_kv_remove(second, text(path));
        } else {
            model_put(&w->m, w->branch, path, value, model_mode(&w->m, w->branch, path));
            err = bough_kv_set(second, text(path), value, NULL);
        }
        bough_kv_close(second);
    }
    changed(w, err, BOUGH_OK);
    if (err || dead(w)) {
        bough_kv_abort(b);
        return;
    }
    SAY(w, "  the batch: set %s", other);
    if (!clash)
        model_put(&w->m, w->branch, other, text("theirs"), model_mode(&w->m, w->branch, other));
    changed(w, bough_kv_commit(b), clash ? BOUGH_ETEST : BOUGH_OK);
}

#endif
