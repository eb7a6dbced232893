/*
 * runner_graph.c - steps on history.
 *
 *   graphs      commit-node, bases, diff, last-modified-commit
 *   merging     not in this version: the steps are known, and answer not-supported
 */
#include <string.h>

#include "merge/merge.h"
#include "runner.h"

static void node_name(struct run *r, struct bough_view name, const struct bough_oid *id)
{
    for (size_t i = 0; i < r->nodes_n; i++) {
        if (bough_view_eq(name, bough_view_str(r->nodes[i].name))) {
            r->nodes[i].id = *id;
            return;
        }
    }
    r->nodes = realloc(r->nodes, (r->nodes_n + 1) * sizeof *r->nodes);
    r->nodes[r->nodes_n++] =
        (struct node){.name = strndup((const char *)name.ptr, name.len), .id = *id};
}

/* ---- Graphs ---- */

/* The words in braces from `i` on become a tree. */
static bool braces_read(struct step *s, size_t i, struct bough_tree *t, bool *fine)
{
    const struct toks *w = &s->args;

    *fine = false;
    for (i++; i < w->n && w->t[i].kind != TOK_CLOSE;) {
        uint32_t mode = 0100644;
        struct bough_view key;
        char *path;

        if (w->t[i].kind == TOK_COMMA) {
            i++;
            continue;
        }
        key = w->t[i++].text;
        if (i < w->n && (tok_is(&w->t[i], "exec") || tok_is(&w->t[i], "link")))
            mode = tok_is(&w->t[i++], "exec") ? 0100755 : 0120000;
        if (i >= w->n || w->t[i].kind != TOK_WORD)
            return false;
        path = pool_get(&s->run->step, key.len + 1);
        key = bough_view(path, bough_path_normal(key, (uint8_t *)path));
        if (bough_tree_set(t, key, mode, NULL, w->t[i++].text) != BOUGH_OK)
            return true;
    }
    *fine = i < w->n;
    return i < w->n;
}

struct commit_node {
    struct bough_oid parents[16];
    size_t parents_n;
    struct bough_time time;
    struct bough_view message;
    size_t braces; /* where they open */
};

/* Zone text to minutes. */
static int16_t zone_minutes(struct bough_view zone)
{
    uint64_t hhmm = 0;
    int16_t minutes;

    if (zone.len < 2 || !text_number(bough_view(zone.ptr + 1, zone.len - 1), &hhmm))
        return 0;
    minutes = (int16_t)(hhmm / 100 * 60 + hhmm % 100);
    return zone.ptr[0] == '-' ? (int16_t)-minutes : minutes;
}

/* Parents, time, message up to the brace; false: the answer is made. */
static bool commit_node_args(struct step *s, struct commit_node *c)
{
    size_t i = 1;

    c->message = bough_view_str("node\n");
    c->time = bough_env_now(&s->run->env);
    while (i < s->args.n && s->args.t[i].kind != TOK_OPEN) {
        uint64_t sec;

        if (arg_is(s, i, "time") && text_number(arg(s, i + 1), &sec)) {
            c->time = (struct bough_time){.sec = (int64_t)sec};
            i += 2;
            if (arg(s, i).len == 5 && (arg(s, i).ptr[0] == '+' || arg(s, i).ptr[0] == '-'))
                c->time.zone_min = zone_minutes(arg(s, i++));
        } else if (arg_is(s, i, "message")) {
            c->message = arg(s, i + 1);
            i += 2;
        } else {
            if (c->parents_n == 16 || !node_arg(s, i, &c->parents[c->parents_n]))
                return false;
            c->parents_n++;
            i++;
        }
    }
    c->braces = i;
    if (i < s->args.n)
        return true;
    done_invalid(s);
    return false;
}

static enum bough_err commit_node_put(
    struct step *s, const struct commit_node *c, struct bough_tree *t, struct bough_oid *id)
{
    struct run *r = s->run;
    struct bough_commit_parts parts = {
        .parents = c->parents, .parents_n = (uint32_t)c->parents_n, .message = c->message};
    struct bough_txn *txn;
    struct bough_buf body;
    enum bough_err err = bough_txn_begin(r->store, &txn);

    if (err)
        return err;
    parts.author = r->info.author;
    if (parts.author.name.ptr == NULL) {
        parts.author.name = bough_view_str("Bough");
        parts.author.mail = bough_view_str("bough@localhost");
    }
    parts.author.time = c->time;
    parts.committer = parts.author;
    bough_buf_init(&body, r->env.mem);
    err = bough_tree_write(t, txn, &parts.tree);
    if (!err && bough_oid_eq(&parts.tree, bough_oid_empty_tree(r->opts.algo))) {
        struct bough_oid empty;

        err = bough_txn_put(txn, BOUGH_TREE, bough_view("", 0), &empty);
    }
    if (!err) {
        bough_commit_put(&body, r->opts.algo, &parts);
        err = body.err;
    }
    if (!err)
        err = bough_txn_put(txn, BOUGH_COMMIT, bough_buf_view(&body), id);
    bough_buf_fini(&body);
    if (!err)
        return bough_txn_commit(txn, BOUGH_DURABLE_NOW);
    bough_txn_abort(txn);
    return err;
}

static void step_commit_node(struct step *s)
{
    struct commit_node c = {.parents_n = 0};
    struct bough_tree *t;
    struct bough_oid id;
    bool fine;
    enum bough_err err;

    if (!commit_node_args(s, &c))
        return;
    err = bough_tree_open(s->run->repo, NULL, &t);
    if (err) {
        done_repo(s, err);
        return;
    }
    if (!braces_read(s, c.braces, t, &fine)) {
        done_invalid(s);
    } else {
        err = fine ? commit_node_put(s, &c, t, &id) : BOUGH_ENOMEM;
        if (!err)
            node_name(s->run, arg(s, 0), &id);
        done_repo(s, err);
    }
    bough_tree_close(t);
}

/* The root tree of the i-th argument. */
static bool root_arg(struct step *s, size_t i, struct bough_oid *root)
{
    struct bough_oid node;
    enum bough_err err;

    if (arg_is(s, i, "none")) {
        *root = *bough_oid_empty_tree(s->run->opts.algo);
        return true;
    }
    if (!node_arg(s, i, &node))
        return false;
    err = bough_repo_root_of(s->run->repo, &node, root);
    if (err)
        done_repo(s, err);
    return !err;
}

static void step_diff(struct step *s)
{
    char *path = pool_get(&s->run->step, arg(s, 2).len + 1);
    struct bough_view prefix = bough_view(path, bough_path_normal(arg(s, 2), (uint8_t *)path));
    struct bough_oid a, b;
    struct bough_diff_entry e;
    struct bough_diff *d;
    enum bough_err err;

    if (!root_arg(s, 0, &a) || !root_arg(s, 1, &b))
        return;
    err = bough_diff_open(s->run->repo, &a, &b, prefix, &d);
    if (err) {
        done_repo(s, err);
        return;
    }
    while ((err = bough_diff_next(d, &e)) == BOUGH_OK) {
        char kind[2] = {(char)e.kind, '\0'};
        char *key = pool_get(&s->run->step, e.path.len + 1);

        key[0] = '/';
        memcpy(key + 1, e.path.ptr, e.path.len);
        answer_item(s->got);
        answer_str(s->got, kind);
        answer_view(s->got, bough_view(key, e.path.len + 1));
    }
    bough_diff_close(d);
    if (err != BOUGH_ENOENT) {
        s->got->n = 0;
        done_repo(s, err);
    }
}

static void step_last_modified_commit(struct step *s)
{
    struct bough_oid node, id;
    struct bough_time when;
    size_t key = s->args.n > 1 ? 1 : 0;
    char *path = pool_get(&s->run->step, arg(s, key).len + 1);
    enum bough_err err;

    if (key == 1 ? !node_arg(s, 0, &node) : !head_of(s, &node))
        return;
    err = bough_history_last_change(s->run->repo, &node,
        bough_view(path, bough_path_normal(arg(s, key), (uint8_t *)path)), &id, &when);
    if (err == BOUGH_ENOENT)
        answer_err(s->got, "not-found", arg(s, key));
    else if (err)
        done_repo(s, err);
    else
        answer_oid(s->got, s->run->opts.algo, &id);
}

static void step_bases(struct step *s)
{
    struct bough_bases bases;
    struct bough_oid a, b;
    uint64_t depth = 0;
    enum bough_err err;

    if (s->args.n != 2 && (s->args.n != 4 || !arg_is(s, 2, "depth") ||
                              !text_number(arg(s, 3), &depth) || depth > UINT32_MAX)) {
        done_invalid(s);
        return;
    }
    if (!node_arg(s, 0, &a) || !node_arg(s, 1, &b))
        return;
    err = bough_merge_bases(s->run->repo, &a, &b, (uint32_t)depth, &bases);
    s->got->set = true;
    s->got->nodes = true;
    for (size_t i = 0; i < bases.n; i++) {
        answer_item(s->got);
        answer_oid(s->got, s->run->opts.algo, &bases.ids[i]);
    }
    if (err)
        done_repo(s, err);
    bough_bases_fini(&bases);
}

/* ---- Merging ---- */

static void step_later(struct step *s)
{
    answer_err(s->got, "not-supported", bough_view(NULL, 0));
}

const struct step_def *steps_graph(void)
{
    static const struct step_def defs[] = {
        {"commit-node", "history", step_commit_node},
        {"diff", "history", step_diff},
        {"last-modified-commit", "history", step_last_modified_commit},
        {"bases", "history", step_bases},
        {"merge", "merge", step_later},
        {"resolve", "merge", step_later},
        {"finish-merge", "merge", step_later},
        {"abort-merge", "merge", step_later},
        {"conflicts", "merge", step_later},
        {"attributes", "merge", step_later},
        {"revert", "merge", step_later},
        {NULL, NULL, NULL},
    };

    return defs;
}
