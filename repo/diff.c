/*
 * diff.c - values that differ between two trees, in path order.
 *
 *   levels     a pair of directories under way, a stack of them
 *   pairs      what both have under one name
 *   iterating  down into dictionaries that differ, out what is a value
 *
 * Memory is the stack: two pinned nodes a level.  Path order is bytewise by segments, so
 * both sides are read in the byte order of their names.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/tree_inner.h"

enum { DEPTH_MAX = 2048 }; /* levels; git's own limit */

struct level {
    struct bough_repo__node *node[2]; /* NULL: nothing on that side */
    uint32_t place[2];
    size_t path_len; /* of the directory */
};

struct bough_diff {
    struct bough_repo *r;
    struct level *levels;
    size_t n, cap;
    struct bough_buf path;
    bool waiting; /* the prefix itself is a value: `next` is given first */
    struct bough_diff_entry next;
    struct bough_store_pin pin[2]; /* both trees */
    bool all;                      /* dictionaries that differ are given, too */
    uint64_t cost;                 /* bytes of the trees it went through */
};

/* One side of a name. */
struct side {
    bool is, dir;
    uint32_t mode;
    struct bough_oid id;
};

/* ---- Levels ---- */

/* The node of one side; BOUGH_ETOOBIG where all is wanted and it is too dear to go through. */
static enum bough_err side_open(
    struct bough_diff *d, const struct bough_oid *id, struct bough_repo__node **out)
{
    enum bough_err err = BOUGH_OK;

    if (id != NULL)
        err = d->all ? bough_repo__node_look(d->r, id, out) : bough_repo__node_get(d->r, id, out);
    if (err || id == NULL)
        return err;
    if (*out == NULL)
        return BOUGH_WHY(&d->r->why, BOUGH_ETOOBIG, "size of a tree", NULL, 0);
    d->cost += (*out)->raw.len;
    return BOUGH_OK;
}

static enum bough_err diff_push(
    struct bough_diff *d, const struct bough_oid *a, const struct bough_oid *b)
{
    const struct bough_oid *ids[2] = {a, b};
    struct level *l;
    void *levels = d->levels;
    enum bough_err err;

    if (d->n == DEPTH_MAX)
        return BOUGH_WHY(&d->r->why, BOUGH_ETOOBIG, "depth of a tree", NULL, 0);
    err = bough_mem_grow(d->r->mem, &levels, &d->cap, d->n + 1, sizeof *d->levels);
    d->levels = (struct level *)levels;
    if (err)
        return err;
    l = &d->levels[d->n];
    *l = (struct level){.path_len = d->path.len};
    for (int i = 0; i < 2; i++) {
        err = side_open(d, ids[i], &l->node[i]);
        if (err) {
            bough_repo__node_unpin(d->r, l->node[0]);
            return err;
        }
    }
    d->n++;
    return BOUGH_OK;
}

static void diff_pop(struct bough_diff *d)
{
    struct level *l = &d->levels[--d->n];

    bough_repo__node_unpin(d->r, l->node[0]);
    bough_repo__node_unpin(d->r, l->node[1]);
}

/* ---- Pairs ---- */

static bool level_name(const struct level *l, int i, struct bough_view *name)
{
    const struct bough_repo__node *n = l->node[i];

    if (n == NULL || l->place[i] >= n->n)
        return false;
    *name = bough_repo__node_name(n, bough_repo__node_nth(n, l->place[i]));
    return true;
}

static void side_take(struct bough_diff *d, struct level *l, int i, struct side *out)
{
    const struct bough_repo__node *n = l->node[i];
    uint32_t at = bough_repo__node_nth(n, l->place[i]++);
    enum bough_repo__mode mode = bough_repo__node_mode(n, at);

    *out = (struct side){.is = true, .dir = mode == BOUGH_REPO__DIR};
    out->mode = bough_repo__mode_of(mode);
    out->id = bough_repo__node_id(d->r, n, at);
}

/* The next name of a level and what both sides have there; false: no more. */
static bool level_next(struct bough_diff *d, struct level *l, struct side s[2])
{
    struct bough_view name[2];
    bool has[2] = {level_name(l, 0, &name[0]), level_name(l, 1, &name[1])};
    int cmp = has[0] && has[1] ? bough_view_cmp(name[0], name[1]) : has[0] ? -1 : 1;

    if (!has[0] && !has[1])
        return false;
    memset(s, 0, 2 * sizeof s[0]);
    d->path.len = l->path_len;
    if (d->path.len > 0)
        bough_buf_put_u8(&d->path, '/');
    bough_buf_put_view(&d->path, cmp <= 0 ? name[0] : name[1]);
    if (cmp <= 0)
        side_take(d, l, 0, &s[0]);
    if (cmp >= 0)
        side_take(d, l, 1, &s[1]);
    return true;
}

static void entry_say(const struct side s[2], struct bough_diff_entry *out)
{
    bool old = s[0].is && !s[0].dir, now = s[1].is && !s[1].dir;

    *out = (struct bough_diff_entry){.kind = BOUGH_DIFF_CHANGED};
    if (old) {
        out->old_mode = s[0].mode;
        out->old_id = s[0].id;
    }
    if (now) {
        out->new_mode = s[1].mode;
        out->new_id = s[1].id;
    }
    if (!old)
        out->kind = BOUGH_DIFF_ADDED;
    else if (!now)
        out->kind = BOUGH_DIFF_REMOVED;
    else if (bough_oid_eq(&s[0].id, &s[1].id))
        out->kind = BOUGH_DIFF_MODE;
}

/* ---- Iterating ---- */

/*
 * Deal with one name: an entry to give (*given), and a level to go down to.  A value comes
 * before what is below a dictionary of the same name.
 */
static enum bough_err pair_take(
    struct bough_diff *d, const struct side s[2], struct bough_diff_entry *out, bool *given)
{
    bool dirs = s[0].dir || s[1].dir;
    bool values = (s[0].is && !s[0].dir) || (s[1].is && !s[1].dir);

    *given = false;
    if (s[0].is && s[1].is && s[0].mode == s[1].mode && bough_oid_eq(&s[0].id, &s[1].id))
        return BOUGH_OK;
    if (values || d->all) {
        entry_say(s, out);
        out->path = bough_buf_view(&d->path);
        *given = true;
    }
    if (!dirs)
        return BOUGH_OK;
    return diff_push(d, s[0].dir ? &s[0].id : NULL, s[1].dir ? &s[1].id : NULL);
}

enum bough_err bough_diff_next(struct bough_diff *d, struct bough_diff_entry *out)
{
    bool given = false;
    enum bough_err err = BOUGH_OK;

    if (d->waiting) {
        d->waiting = false;
        *out = d->next;
        out->path = bough_buf_view(&d->path);
        return BOUGH_OK;
    }
    if (d->pin[0].expired || d->pin[1].expired)
        return BOUGH_WHY(&d->r->why, BOUGH_EEXPIRED, "it was given up to make room", NULL, 0);
    while (d->n > 0 && !given && err == BOUGH_OK) {
        struct side s[2];

        if (!level_next(d, &d->levels[d->n - 1], s)) {
            diff_pop(d);
            continue;
        }
        err = d->path.err ? d->path.err : pair_take(d, s, out, &given);
    }
    if (err)
        return err;
    return given ? BOUGH_OK : BOUGH_ENOENT;
}

/* What is at `prefix` below a root, on one side. */
static enum bough_err side_find(
    struct bough_diff *d, const struct bough_oid *root, struct bough_view prefix, struct side *out)
{
    struct bough_tree t;
    struct bough_repo__change is;
    enum bough_err err;

    *out = (struct side){0};
    if (root == NULL || bough_oid_eq(root, bough_oid_empty_tree(d->r->algo)))
        return BOUGH_OK;
    bough_repo__tree_init(&t, d->r, root);
    err = bough_repo__tree_look(&t, prefix, &is, NULL);
    if (err || is.kind == BOUGH_NODE_NONE)
        return err;
    *out = (struct side){.is = true, .dir = is.kind == BOUGH_NODE_DICT, .id = is.id};
    out->mode = bough_repo__mode_of(is.mode);
    return BOUGH_OK;
}

enum bough_err bough_diff_open(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_view prefix, struct bough_diff **out)
{
    struct bough_diff *d = bough_mem_zalloc(r->mem, 1, sizeof *d);
    struct side s[2];
    enum bough_err err;

    if (d == NULL)
        return BOUGH_ENOMEM;
    d->r = r;
    bough_store_pin(r->store, &d->pin[0], a != NULL ? a : bough_oid_empty_tree(r->algo));
    bough_store_pin(r->store, &d->pin[1], b != NULL ? b : bough_oid_empty_tree(r->algo));
    bough_buf_init(&d->path, r->mem);
    bough_buf_put_view(&d->path, prefix);
    err = d->path.err;
    if (err == BOUGH_OK)
        err = side_find(d, a, prefix, &s[0]);
    if (err == BOUGH_OK)
        err = side_find(d, b, prefix, &s[1]);
    if (err == BOUGH_OK)
        err = pair_take(d, s, &d->next, &d->waiting);
    if (err) {
        bough_diff_close(d);
        return err;
    }
    *out = d;
    return BOUGH_OK;
}

enum bough_err bough_repo__diff_all(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_diff **out)
{
    enum bough_err err = bough_diff_open(r, NULL, NULL, bough_view(NULL, 0), out);

    if (err)
        return err;
    (*out)->all = true;
    err = diff_push(*out, a, b);
    if (err)
        bough_diff_close(*out);
    return err;
}

uint64_t bough_repo__diff_cost(const struct bough_diff *d)
{
    return d->cost;
}

void bough_diff_close(struct bough_diff *d)
{
    if (d == NULL)
        return;
    while (d->n > 0)
        diff_pop(d);
    bough_store_unpin(d->r->store, &d->pin[0]);
    bough_store_unpin(d->r->store, &d->pin[1]);
    bough_mem_free(d->r->mem, d->levels, d->cap * sizeof *d->levels);
    bough_buf_fini(&d->path);
    bough_mem_free(d->r->mem, d, sizeof *d);
}
