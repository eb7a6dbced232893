/*
 * cmd_git.c - what Redis has no word for: ids, history, branches.
 *
 * Answers are maps under RESP3 and flat arrays of pairs under RESP2.
 */
#include <stdio.h>

#include "git/object.h"
#include "server/redis.h"
#include "store/collect.h"

static void field(struct redis *r, const char *name, struct bough_view value)
{
    resp_bulk_str(&r->w, name);
    resp_bulk(&r->w, value);
}

static void answer_repo(struct redis *r, enum bough_err err)
{
    answer_why(r, err, bough_repo_why(r->conn.server->repo));
}

/* GIT.OID KEY: the Git id of a value or of a tree. */
void cmd_git_oid(struct redis *r, struct args a)
{
    struct place_at at;
    struct bough_oid id;
    enum bough_err err;

    if (!place_read(r, a.v[1], &at))
        return;
    err = bough_kv_digest(at.kv, at.path, &id);
    if (err == BOUGH_ENOENT)
        resp_null(&r->w);
    else if (err)
        answer_kv(r, at.kv, err);
    else
        answer_oid(r, &id);
    place_close(&at);
}

/* GIT.MODIFIED KEY: when, and by which commit, the key was last changed. */
void cmd_git_modified(struct redis *r, struct args a)
{
    struct place_at at;
    struct bough_modified m;
    enum bough_err err;

    if (!place_read(r, a.v[1], &at))
        return;
    err = bough_kv_last_modified(at.kv, at.path, &m);
    if (err == BOUGH_ENOENT) {
        resp_null(&r->w);
    } else if (err) {
        answer_kv(r, at.kv, err);
    } else {
        resp_map(&r->w, 2);
        resp_bulk_str(&r->w, "time");
        resp_int(&r->w, m.time.sec);
        resp_bulk_str(&r->w, "commit");
        if (bough_oid_is_zero(&m.commit))
            resp_null(&r->w);
        else
            answer_oid(r, &m.commit);
    }
    place_close(&at);
}

/* ---- GIT.LOG ---- */

struct log_args {
    struct bough_view key, rev;
    int64_t limit, skip;
};

static bool log_args_parse(struct redis *r, struct args a, struct log_args *out)
{
    size_t i = 1;

    *out = (struct log_args){.limit = 10};
    if (a.n > 1 && a.n % 2 == 0)
        out->key = a.v[i++];
    for (; i + 1 < a.n; i += 2) {
        if (word_is(a.v[i], "limit")) {
            if (!arg_int(r, a.v[i + 1], &out->limit))
                return false;
        } else if (word_is(a.v[i], "skip")) {
            if (!arg_int(r, a.v[i + 1], &out->skip))
                return false;
        } else if (word_is(a.v[i], "rev")) {
            out->rev = a.v[i + 1];
        } else {
            resp_error(&r->w, "ERR syntax: GIT.LOG [key] [REV rev] [LIMIT n] [SKIP n]");
            return false;
        }
    }
    if (out->limit < 0 || out->limit > 10000 || out->skip < 0) {
        resp_error(&r->w, "ERR LIMIT is 0 to 10000, SKIP is not negative");
        return false;
    }
    return true;
}

static void log_commit(struct redis *r, const struct bough_oid *id, const struct bough_commit *c)
{
    struct bough_ident who = {.name = {NULL, 0}};
    enum bough_err err = bough_ident_parse(c->author, &who);

    (void)err; /* an odd line still gives what can be read of it */
    resp_map(&r->w, 6);
    resp_bulk_str(&r->w, "id");
    answer_oid(r, id);
    resp_bulk_str(&r->w, "parents");
    resp_array(&r->w, c->parents_n);
    for (uint32_t i = 0; i < c->parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(c, i);
        answer_oid(r, &parent);
    }
    field(r, "author", who.name);
    field(r, "mail", who.mail);
    resp_bulk_str(&r->w, "time");
    resp_int(&r->w, who.time.sec);
    field(r, "message", c->message);
}

/* The next commit of the walk into the reply. */
static enum bough_err log_one(
    struct redis *r, struct bough_store *store, const struct bough_oid *id, struct bough_buf *raw)
{
    struct bough_commit c;
    enum bough_type type;
    enum bough_err err;

    bough_buf_clear(raw);
    err = bough_store_read(store, id, &type, raw);
    if (!err)
        err = bough_commit_parse(store->algo, bough_buf_view(raw), &c);
    if (!err && bough_store_boundary(store, id) == BOUGH_OK)
        c.parents_n = 0;
    if (!err)
        log_commit(r, id, &c);
    return err;
}

static enum bough_err log_items(struct redis *r, const struct log_args *la,
    const struct bough_oid *tip, struct bough_buf *items, size_t *n)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_walk_opts opts = {.tips = tip, .tips_n = 1};
    struct bough_buf raw, path;
    struct bough_walk *walk = NULL;
    struct bough_oid id;
    struct resp_writer w = r->w;
    enum bough_err err;

    bough_buf_init(&raw, r->conn.server->mem);
    bough_buf_init(&path, r->conn.server->mem);
    if (la->key.ptr != NULL)
        key_to_path(la->key, &path);
    opts.path = bough_buf_view(&path);
    err = bough_walk_open(repo, &opts, &walk);
    r->w.out = items;
    for (int64_t i = 0; !err && (i < la->skip || i - la->skip < la->limit); i++) {
        err = bough_walk_next(walk, &id);
        if (err || i < la->skip)
            continue;
        err = log_one(r, bough_repo_store(repo), &id, &raw);
        ++*n;
    }
    r->w = w;
    bough_walk_close(walk);
    bough_buf_fini(&raw);
    bough_buf_fini(&path);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

void cmd_git_log(struct redis *r, struct args a)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct log_args la;
    struct bough_view rest;
    struct bough_oid tip;
    struct bough_buf items;
    size_t n = 0;
    enum bough_err err;

    if (!log_args_parse(r, a, &la))
        return;
    if (la.key.ptr != NULL) {
        bool at = key_revision(la.key, &la.rev, &rest);
        la.key = at && rest.len == 0 ? bough_view(NULL, 0) : rest; /* "@rev:" is all of rev */
    }
    if (la.rev.ptr == NULL)
        la.rev = r->branch.len > 0 ? r->branch : bough_view_str("HEAD");
    bough_buf_init(&items, r->conn.server->mem);
    err = bough_repo_resolve(repo, la.rev, &tip);
    if (err == BOUGH_ENOENT && word_is(la.rev, "head")) /* nothing was written yet */
        err = BOUGH_OK;
    else if (!err)
        err = log_items(r, &la, &tip, &items, &n);
    if (err) {
        answer_repo(r, err);
    } else {
        resp_array(&r->w, n);
        bough_buf_put_view(&r->conn.out, bough_buf_view(&items));
    }
    bough_buf_fini(&items);
}

/* ---- GIT.BRANCH ---- */

static const char heads[] = "refs/heads/";

static void branch_list(struct redis *r)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_view prefix = bough_view_str(heads);
    struct bough_buf items, after;
    struct resp_writer w = r->w;
    struct bough_ref ref;
    enum bough_err err;
    size_t n = 0;

    bough_buf_init(&items, r->conn.server->mem);
    bough_buf_init(&after, r->conn.server->mem);
    r->w.out = &items;
    while ((err = bough_repo_ref_next(repo, prefix, bough_buf_view(&after), &ref)) == BOUGH_OK) {
        resp_bulk(&r->w, bough_view(ref.name.ptr + prefix.len, ref.name.len - prefix.len));
        answer_oid(r, &ref.id);
        bough_buf_clear(&after);
        bough_buf_put_view(&after, ref.name);
        n++;
    }
    r->w = w;
    if (err != BOUGH_ENOENT) {
        answer_repo(r, err);
    } else {
        resp_map(&r->w, n);
        bough_buf_put_view(&r->conn.out, bough_buf_view(&items));
    }
    bough_buf_fini(&items);
    bough_buf_fini(&after);
}

/* Move one ref by compare-and-swap; answers. */
static void branch_update(
    struct redis *r, struct bough_view name, const struct bough_oid *now, bool must_be_new)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_ref_update u = {
        .check = must_be_new, .now = *now, .reason = bough_view_str("branch")};
    struct bough_buf full;
    enum bough_err err = server_gather(r->conn.server);

    bough_buf_init(&full, r->conn.server->mem);
    bough_buf_put_str(&full, heads);
    bough_buf_put_view(&full, name);
    u.name = bough_buf_view(&full);
    if (!err)
        err = full.err ? full.err : bough_repo_update(repo, &u, 1, 0, NULL);
    if (err) {
        answer_repo(r, err);
    } else if (u.err) {
        char text[160];
        snprintf(text, sizeof text, "ERR branch '%.*s': %s", (int)(name.len > 64 ? 64 : name.len),
            (const char *)name.ptr,
            u.err == BOUGH_ETEST && must_be_new ? "already exists"
            : u.why != NULL                     ? u.why
                                                : bough_err_name(u.err));
        resp_error(&r->w, text);
    } else {
        answer_ok(r);
    }
    bough_buf_fini(&full);
}

static void branch_create(struct redis *r, struct args a)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_view from = a.n == 4            ? a.v[3]
                             : r->branch.len > 0 ? r->branch
                                                 : bough_view_str("HEAD");
    struct bough_oid id;
    enum bough_err err = bough_repo_resolve(repo, from, &id);

    if (err)
        answer_repo(r, err);
    else
        branch_update(r, a.v[2], &id, true);
}

static void branch_delete(struct redis *r, struct bough_view name)
{
    struct bough_oid zero = {{0}};
    struct bough_buf full;
    struct bough_ref ref;
    enum bough_err err;

    bough_buf_init(&full, r->conn.server->mem);
    bough_buf_put_str(&full, heads);
    bough_buf_put_view(&full, name);
    err = bough_repo_ref(r->conn.server->repo, bough_buf_view(&full), &ref);
    bough_buf_fini(&full);
    if (err)
        answer_repo(r, err);
    else
        branch_update(r, name, &zero, false);
}

/* GIT.BRANCH LIST | CREATE name [from] | DELETE name */
void cmd_git_branch(struct redis *r, struct args a)
{
    if (a.n == 2 && word_is(a.v[1], "list"))
        branch_list(r);
    else if ((a.n == 3 || a.n == 4) && word_is(a.v[1], "create"))
        branch_create(r, a);
    else if (a.n == 3 && word_is(a.v[1], "delete"))
        branch_delete(r, a.v[2]);
    else
        resp_error(&r->w, "ERR syntax: GIT.BRANCH LIST | CREATE name [from] | DELETE name");
}

/* GIT.LS [KEY]: the children of a tree, `name` or `name/`. */
void cmd_git_ls(struct redis *r, struct args a)
{
    struct bough_view root = bough_view("", 0);
    struct place_at at;
    struct bough_buf items, after, dir;
    struct resp_writer w = r->w;
    struct bough_kv_entry e;
    enum bough_err err;
    size_t n = 0;

    if (!place_read(r, a.n > 1 ? a.v[1] : root, &at))
        return;
    bough_buf_init(&items, r->conn.server->mem);
    bough_buf_init(&after, r->conn.server->mem);
    bough_buf_init(&dir, r->conn.server->mem);
    if (a.n > 1 && !(at.path.len == 1 && at.path.ptr[0] == '%')) /* "@rev:" is the root of rev */
        bough_buf_put_view(&dir, at.path);
    r->w.out = &items;
    while ((err = bough_kv_next(at.kv, bough_buf_view(&dir), bough_buf_view(&after), &e)) ==
           BOUGH_OK) {
        bough_buf_clear(&after);
        bough_buf_put_view(&after, e.name);
        resp_bulk_head(&r->w, e.name.len + (e.kind == BOUGH_KIND_DICT));
        bough_buf_put_view(&items, e.name);
        bough_buf_put_str(&items, e.kind == BOUGH_KIND_DICT ? "/\r\n" : "\r\n");
        n++;
    }
    r->w = w;
    if (err == BOUGH_ENOENT &&
        (n > 0 || bough_view_eq(bough_view_str(at.kv->why.what), bough_view_str("end")))) {
        resp_array(&r->w, n);
        bough_buf_put_view(&r->conn.out, bough_buf_view(&items));
    } else {
        answer_kv(r, at.kv, err);
    }
    place_close(&at);
    bough_buf_fini(&items);
    bough_buf_fini(&after);
    bough_buf_fini(&dir);
}
