/*
 * runner_repo.c - steps on branches.
 *
 *   names       a commit by its name in the script, a branch, a revision
 *   branches    branch, switch, branches, delete-branch, fast-forward
 *   heads       head, tree, count-commits, log
 */
#include <string.h>

#include "runner.h"

/* ---- Names ---- */

static bool id_is_zero(const struct bough_oid *id)
{
    return bough_oid_is_zero(id);
}

static bool branch_id(struct run *r, struct bough_view name, struct bough_oid *out)
{
    struct bough_ref ref;
    char full[BOUGH_REF_NAME_MAX];
    int n = snprintf(full, sizeof full, "refs/heads/%.*s", (int)name.len, (const char *)name.ptr);

    if (n < 0 || (size_t)n >= sizeof full ||
        bough_repo_ref(r->repo, bough_view(full, (size_t)n), &ref) != BOUGH_OK ||
        ref.kind != BOUGH_REF_ID)
        return false;
    *out = ref.id;
    return true;
}

bool node_resolve(struct run *r, struct bough_view name, struct bough_oid *out)
{
    for (size_t i = 0; i < r->nodes_n; i++) {
        if (bough_view_eq(name, bough_view_str(r->nodes[i].name))) {
            *out = r->nodes[i].id;
            return true;
        }
    }
    if (branch_id(r, name, out))
        return true;
    return bough_repo_resolve(r->repo, name, out) == BOUGH_OK;
}

bool node_arg(struct step *s, size_t i, struct bough_oid *out)
{
    if (node_resolve(s->run, arg(s, i), out))
        return true;
    answer_err(s->got, "not-found", arg(s, i));
    return false;
}

void done_repo(struct step *s, enum bough_err err)
{
    if (err)
        answer_why(s->got, err, bough_repo_why(s->run->repo));
    else
        answer_ok(s->got);
}

/* ---- Branches ---- */

/* One change of refs/heads/NAME. */
static void ref_set(struct step *s, struct bough_view name, const struct bough_oid *old,
    const struct bough_oid *now, uint32_t flags)
{
    char full[BOUGH_REF_NAME_MAX];
    int n = snprintf(full, sizeof full, "refs/heads/%.*s", (int)name.len, (const char *)name.ptr);
    struct bough_ref_update u = {.now = *now};
    enum bough_err err;

    if (n < 0 || (size_t)n >= sizeof full) {
        answer_err(s->got, "too-large", bough_view(NULL, 0));
        return;
    }
    u.name = bough_view(full, (size_t)n);
    u.check = old != NULL;
    if (old != NULL)
        u.old = *old;
    err = bough_repo_update(s->run->repo, &u, 1, flags, NULL);
    if (err)
        done_repo(s, err);
    else if (u.err)
        answer_err(s->got, answer_err_name(u.err), name);
    else
        answer_ok(s->got);
}

static void step_branch(struct step *s)
{
    struct bough_oid from, was, none = {{0}};

    if (s->args.n < 1 || s->args.n > 2) {
        done_invalid(s);
        return;
    }
    if (branch_id(s->run, arg(s, 0), &was)) {
        answer_err(s->got, "already-present", arg(s, 0));
        return;
    }
    if (arg_is(s, 1, "none")) {
        answer_ok(s->got); /* an orphan is born with its first commit */
        return;
    }
    if (s->args.n == 1) {
        if (!node_resolve(s->run, bough_view_str(s->run->branch), &from)) {
            answer_err(s->got, "not-found", bough_view_str(s->run->branch));
            return;
        }
    } else if (!node_arg(s, 1, &from)) {
        return;
    }
    ref_set(s, arg(s, 0), &none, &from, 0);
}

static void step_switch(struct step *s)
{
    struct run *r = s->run;
    char *was = r->branch, *name = strndup((const char *)arg(s, 0).ptr, arg(s, 0).len);
    struct bough_kv *kv = NULL;
    enum bough_err err;

    r->branch = name;
    err = place_handle(r, &kv);
    if (!err)
        err = bough_repo_set_head_branch(r->repo, arg(s, 0));
    if (err) {
        bough_kv_close(kv);
        r->branch = was;
        free(name);
        done_repo(s, err);
        return;
    }
    for (size_t i = 0; i < r->handles_n; i++) {
        struct handle *h = &r->handles[i];

        if (h->kind == HANDLE_BATCH && h->parent == r->kv)
            h->kv = NULL; /* closing its handle aborts it */
    }
    bough_kv_close(r->kv);
    r->kv = kv;
    free(was);
    answer_ok(s->got);
}

static void step_branches(struct step *s)
{
    struct bough_view prefix = bough_view_str("refs/heads/");
    char after[BOUGH_REF_NAME_MAX] = "";
    size_t after_n = 0;
    struct bough_ref ref;

    s->got->set = true;
    while (
        bough_repo_ref_next(s->run->repo, prefix, bough_view(after, after_n), &ref) == BOUGH_OK) {
        memcpy(after, ref.name.ptr, ref.name.len);
        after_n = ref.name.len;
        answer_item(s->got);
        answer_view(s->got, bough_view(ref.name.ptr + prefix.len, ref.name.len - prefix.len));
    }
}

static void step_delete_branch(struct step *s)
{
    struct bough_oid was, none = {{0}};

    if (!branch_id(s->run, arg(s, 0), &was)) {
        answer_err(s->got, "not-found", arg(s, 0));
        return;
    }
    ref_set(s, arg(s, 0), &was, &none, BOUGH_UPDATE_FORCE_HEAD);
}

static void step_fast_forward(struct step *s)
{
    struct bough_oid was = {{0}}, to;
    bool below = true;
    enum bough_err err = BOUGH_OK;

    if (!node_arg(s, 1, &to))
        return;
    if (branch_id(s->run, arg(s, 0), &was)) {
        err = bough_history_is_ancestor(s->run->repo, &was, &to, &below);
        if (err) {
            done_repo(s, err);
            return;
        }
    }
    if (bough_oid_eq(&was, &to))
        answer_str(s->got, "up-to-date");
    else if (!below)
        answer_str(s->got, "rejected");
    else
        ref_set(s, arg(s, 0), &was, &to, 0);
}

/* ---- Heads ---- */

bool head_of(struct step *s, struct bough_oid *out)
{
    struct bough_branch *b = bough_kv_branch(s->kv);
    enum bough_err err;

    if (b == NULL && s->on != NULL && s->on->kind == HANDLE_SNAPSHOT) {
        *out = s->on->commit;
        return true;
    }
    if (b == NULL) {
        answer_err(s->got, "not-supported", bough_view(NULL, 0));
        return false;
    }
    err = bough_branch_head(b, out);
    if (err)
        done_repo(s, err);
    return !err;
}

static void step_head(struct step *s)
{
    struct bough_oid head;

    if (!head_of(s, &head))
        return;
    if (id_is_zero(&head))
        answer_str(s->got, "none");
    else
        answer_oid(s->got, s->run->opts.algo, &head);
}

static void step_tree(struct step *s)
{
    struct bough_oid id;
    enum bough_err err;

    if (s->args.n > 0) {
        struct bough_oid node;

        if (!node_arg(s, 0, &node))
            return;
        err = bough_repo_root_of(s->run->repo, &node, &id);
    } else {
        err = bough_kv_digest(s->kv, bough_view("", 0), &id);
    }
    if (err)
        done_repo(s, err);
    else
        answer_oid(s->got, s->run->opts.algo, &id);
}

/* All commits behind `head`, told or counted. */
static void walk_tell(struct step *s, const struct bough_oid *head, struct bough_view path,
    uint64_t limit, bool count)
{
    struct bough_walk_opts o = {.tips = head, .tips_n = 1, .path = path};
    struct bough_walk *w = NULL;
    struct bough_oid id;
    uint64_t n = 0;
    enum bough_err err = bough_walk_open(s->run->repo, &o, &w);

    while (!err && n < limit) {
        err = bough_walk_next(w, &id);
        if (err)
            break;
        n++;
        if (!count) {
            answer_item(s->got);
            answer_oid(s->got, s->run->opts.algo, &id);
        }
    }
    bough_walk_close(w);
    if (err && err != BOUGH_ENOENT) {
        s->got->n = 0;
        done_repo(s, err);
    } else if (count) {
        answer_number(s->got, n);
    }
}

static void step_count_commits(struct step *s)
{
    struct bough_oid head;

    if (s->args.n > 0 ? !node_arg(s, 0, &head) : !head_of(s, &head))
        return;
    if (id_is_zero(&head))
        answer_number(s->got, 0);
    else
        walk_tell(s, &head, bough_view("", 0), UINT64_MAX, true);
}

/* `log [NODE] [/key] [limit N]`. */
static void step_log(struct step *s)
{
    char *path = pool_get(&s->run->step, arg(s, 1).len + arg(s, 0).len + 1);
    struct bough_view key = bough_view("", 0);
    struct bough_oid head;
    uint64_t limit = UINT64_MAX;
    size_t i = 0;

    if (i < s->args.n && arg(s, i).len > 0 && arg(s, i).ptr[0] != '/' && !arg_is(s, i, "limit")) {
        if (!node_resolve(s->run, arg(s, i), &head)) {
            if (!bough_view_eq(arg(s, i), bough_view_str(s->run->branch)))
                answer_err(s->got, "not-found", arg(s, i));
            return; /* of an unborn branch: nothing */
        }
        i++;
    } else if (!head_of(s, &head)) {
        return;
    }
    if (i < s->args.n && !arg_is(s, i, "limit")) {
        key = arg(s, i++);
        key = bough_view(path, bough_path_normal(key, (uint8_t *)path));
    }
    if (arg_is(s, i, "limit") && !text_number(arg(s, i + 1), &limit)) {
        done_invalid(s);
        return;
    }
    if (!id_is_zero(&head))
        walk_tell(s, &head, key, limit, false);
}

const struct step_def *steps_repo(void)
{
    static const struct step_def defs[] = {
        {"branch", "branch", step_branch},
        {"switch", "branch", step_switch},
        {"branches", "branch", step_branches},
        {"delete-branch", "branch", step_delete_branch},
        {"fast-forward", "branch", step_fast_forward},
        {"head", "history", step_head},
        {"tree", "history", step_tree},
        {"count-commits", "history", step_count_commits},
        {"log", "history", step_log},
        {NULL, NULL, NULL},
    };

    return defs;
}
