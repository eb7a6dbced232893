/*
 * gitdir_refs_posix.c - refs of the gitdir engine.
 *
 *   one        looked up, with what a tag leads to
 *   names      of a prefix, sorted, as of when a walk began
 *   cursor     the next name, and the ref as it is now
 *   clashes    a name that is a folder of another
 *
 * A walk takes one look at the names and goes by it for a moment; each ref is then read as it
 * is.  So a cursor sees the changes of others, at the latest in the next walk.
 */
#include <errno.h>
#include <stdlib.h>

#include "git/name.h"
#include "git/object.h"
#include "store/engine.h"
#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"

enum { NAMES_SEC = 2, TAGS_MAX = 32 /* tags of tags that are followed */ };

/* ---- One ---- */

static bool begins_with(struct bough_view name, struct bough_view prefix)
{
    return name.len >= prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

/* What the annotated tag `id` leads to; zero where it is none. */
static enum bough_err peel(
    struct bough_store__gitdir *g, const struct bough_oid *id, struct bough_oid *out)
{
    struct bough_store *s = &g->store;
    struct bough_oid at = *id;
    enum bough_err err = BOUGH_OK;

    memset(out, 0, sizeof *out);
    for (int depth = 0; depth < TAGS_MAX && !err; depth++) {
        struct bough_found found;
        struct bough_tag tag;
        struct bough_buf body;

        err = s->cls->find(s, &at, &found);
        if (err || found.type != BOUGH_TAG) {
            if (depth > 0)
                *out = at;
            break;
        }
        bough_buf_init(&body, s->env->mem);
        err = s->cls->read(s, 0, &at, &found.type, &body);
        if (!err && bough_tag_parse(s->algo, bough_buf_view(&body), &tag))
            err = BOUGH_ECORRUPT;
        if (!err)
            at = tag.object;
        bough_buf_fini(&body);
    }
    return err == BOUGH_ENOMEM || err == BOUGH_EIO ? err : BOUGH_OK; /* a bad one leads nowhere */
}

static enum bough_err show(
    struct bough_store__gitdir *g, const git_reference *ref, struct bough_ref *out)
{
    const char *name = git_reference_name(ref), *target = git_reference_symbolic_target(ref);
    size_t name_len = strlen(name), target_len = target != NULL ? strlen(target) : 0;
    const git_oid *id = git_reference_target(ref);

    *out = (struct bough_ref){.kind = target != NULL ? BOUGH_REF_SYM : BOUGH_REF_ID};
    if (target_len > BOUGH_REF_NAME_MAX)
        return BOUGH_WHY(
            &g->store.why, BOUGH_ETOOBIG, "a symbolic ref's target", name, (uint32_t)name_len);
    bough_buf_clear(&g->lent);
    bough_buf_put(&g->lent, name, name_len);
    bough_buf_put(&g->lent, target, target_len);
    if (g->lent.err)
        return g->lent.err;
    out->name = bough_view(g->lent.ptr, name_len);
    if (target != NULL)
        out->target = bough_view(g->lent.ptr + name_len, target_len);
    else if (id != NULL)
        out->id = bough_oid_raw(g->store.algo, id->id);
    if (out->kind == BOUGH_REF_SYM || begins_with(out->name, bough_view_str("refs/heads/")))
        return BOUGH_OK;
    return peel(g, &out->id, &out->peeled);
}

/* As a C string; false: libgit2 has no such names. */
static bool c_name(struct bough_view name, char dst[BOUGH_REF_NAME_MAX + 1])
{
    if (name.len > BOUGH_REF_NAME_MAX || bough_refname_check(name, BOUGH_REFNAME_ONELEVEL, NULL))
        return false;
    memcpy(dst, name.ptr, name.len);
    dst[name.len] = 0;
    return true;
}

enum bough_err bough_store__gitdir_ref(
    struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);
    char text[BOUGH_REF_NAME_MAX + 1];
    git_reference *ref;
    enum bough_err err;
    int code;

    if (bough_store__gitdir_side(name))
        return bough_store__gitdir_side_ref(g, name, out);
    if (!c_name(name, text))
        return BOUGH_ENOENT;
    errno = 0;
    code = git_reference_lookup(&ref, g->repo, text);
    if (code == GIT_EINVALIDSPEC)
        return BOUGH_ENOENT;
    if (code < 0)
        return bough_store__gitdir_err(g, code, "libgit2 could not read a ref", name);
    err = show(g, ref, out);
    git_reference_free(ref);
    return err;
}

/* ---- Names ---- */

void bough_store__gitdir_names_fini(struct bough_store__gitdir *g)
{
    struct bough_store__gitdir_names *w = &g->names;

    bough_buf_fini(&w->text);
    bough_buf_fini(&w->prefix);
    bough_mem_free(g->store.env->mem, w->at, w->cap * sizeof *w->at);
    w->at = NULL;
    w->n = w->cap = 0;
    w->good = false;
}

static const char *name_at(const struct bough_store__gitdir_names *w, size_t i)
{
    return (const char *)w->text.ptr + w->at[i];
}

static enum bough_err name_add(struct bough_store__gitdir *g, const char *name)
{
    struct bough_store__gitdir_names *w = &g->names;
    void *grown = w->at;
    enum bough_err err;

    if (!begins_with(bough_view_str(name), bough_buf_view(&w->prefix)))
        return BOUGH_OK;
    if (strlen(name) > BOUGH_REF_NAME_MAX)
        return w->unfit++, BOUGH_OK;
    err = bough_mem_grow(g->store.env->mem, &grown, &w->cap, w->n + 1, sizeof *w->at);
    w->at = grown;
    if (err)
        return err;
    w->at[w->n] = w->text.len;
    bough_buf_put(&w->text, name, strlen(name) + 1);
    if (!w->text.err)
        w->n++;
    return w->text.err;
}

/* All refs with the prefix, and HEAD. */
static enum bough_err names_walk(struct bough_store__gitdir *g)
{
    git_reference_iterator *it;
    const char *name;
    int code;
    enum bough_err err = name_add(g, "HEAD");

    if (err)
        return err;
    errno = 0;
    code = git_reference_iterator_new(&it, g->repo);
    if (code < 0)
        return bough_store__gitdir_err(
            g, code, "libgit2 could not list the refs", bough_view(NULL, 0));
    while (!err && (code = git_reference_next_name(&name, it)) >= 0)
        err = name_add(g, name);
    git_reference_iterator_free(it);
    if (!err && code < 0 && code != GIT_ITEROVER)
        err = bough_store__gitdir_err(
            g, code, "libgit2 could not list the refs", bough_view(NULL, 0));
    return err;
}

static int at_cmp(const void *a, const void *b, void *text)
{
    const size_t *x = a, *y = b;

    return strcmp((const char *)text + *x, (const char *)text + *y);
}

static enum bough_err names_take(struct bough_store__gitdir *g, struct bough_view prefix)
{
    struct bough_store__gitdir_names *w = &g->names;
    enum bough_err err;

    w->good = false;
    w->n = w->unfit = 0;
    bough_buf_clear(&w->text);
    bough_buf_clear(&w->prefix);
    bough_buf_put_view(&w->prefix, prefix);
    err = w->prefix.err ? w->prefix.err : names_walk(g);
    if (err)
        return err;
    if (w->n > 0)
        qsort_r(w->at, w->n, sizeof *w->at, at_cmp, w->text.ptr);
    w->taken = bough_env_now(g->store.env).sec;
    w->good = true;
    return BOUGH_OK;
}

/* ---- Cursor ---- */

/* The first name that is greater than `after`. */
static size_t names_after(const struct bough_store__gitdir_names *w, struct bough_view after)
{
    size_t lo = 0, hi = w->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (bough_view_cmp(bough_view_str(name_at(w, mid)), after) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool names_good(const struct bough_store__gitdir *g, struct bough_view prefix)
{
    const struct bough_store__gitdir_names *w = &g->names;
    int64_t now = bough_env_now(g->store.env).sec;

    return w->good && bough_view_eq(bough_buf_view(&w->prefix), prefix) && now >= w->taken &&
           now - w->taken <= NAMES_SEC;
}

enum bough_err bough_store__gitdir_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);
    bool begins = bough_view_cmp(after, prefix) < 0 || after.len == 0;
    enum bough_err err = BOUGH_OK;
    size_t i;

    if (bough_store__gitdir_side(prefix))
        return bough_store__gitdir_side_next(g, prefix, after, out);
    if (begins || !names_good(g, prefix))
        err = names_take(g, prefix);
    if (err)
        return err;
    for (i = names_after(&g->names, after); i < g->names.n; i++) {
        err = bough_store__gitdir_ref(s, bough_view_str(name_at(&g->names, i)), out);
        if (err != BOUGH_ENOENT)
            return err;
    }
    return BOUGH_ENOENT;
}

enum bough_err bough_store__gitdir_refs_count(
    struct bough_store__gitdir *g, struct bough_store_stats *out)
{
    enum bough_err err = names_take(g, bough_view(NULL, 0));

    out->refs = g->names.n;
    out->refs_unfit = g->names.unfit;
    return err;
}

/* ---- Clashes ---- */

/* Is `name` among the names taken? */
static bool was_there(const struct bough_store__gitdir_names *w, struct bough_view name)
{
    size_t i = names_after(w, name);

    return i > 0 && bough_view_eq(bough_view_str(name_at(w, i - 1)), name);
}

/* Will it be there once the transaction is done? */
static bool remains(const struct bough_store__gitdir *g, const struct bough_store__moves *moves,
    struct bough_view name)
{
    bool found;
    size_t i = bough_store__moves_seek(moves, name, &found);

    return found ? moves->rows[i].kind != BOUGH_REF_NONE : was_there(&g->names, name);
}

static enum bough_err clash(struct bough_store__gitdir *g, struct bough_view name)
{
    return BOUGH_WHY(&g->store.why, BOUGH_EEXIST, "another ref is in the way", name.ptr, name.len);
}

static enum bough_err clash_of(
    struct bough_store__gitdir *g, const struct bough_store__moves *moves, struct bough_view name)
{
    uint8_t below[BOUGH_REF_NAME_MAX + 1];

    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '/' && remains(g, moves, bough_view(name.ptr, i)))
            return clash(g, bough_view(name.ptr, i));
    }
    memcpy(below, name.ptr, name.len);
    below[name.len] = '/';
    for (size_t i = names_after(&g->names, bough_view(below, name.len + 1)); i < g->names.n; i++) {
        struct bough_view other = bough_view_str(name_at(&g->names, i));
        if (!begins_with(other, bough_view(below, name.len + 1)))
            break;
        if (remains(g, moves, other))
            return clash(g, other);
    }
    return BOUGH_OK;
}

enum bough_err bough_store__gitdir_clashes(
    struct bough_store__gitdir *g, const struct bough_store__moves *moves)
{
    bool taken = false;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < moves->n && !err; i++) {
        const struct bough_store__move *v = &moves->rows[i];
        if (v->kind == BOUGH_REF_NONE || v->was != BOUGH_REF_NONE ||
            bough_store__gitdir_side(bough_store__move_name(v)))
            continue;
        if (!taken)
            err = names_take(g, bough_view(NULL, 0));
        taken = true;
        if (!err)
            err = clash_of(g, moves, bough_store__move_name(v));
    }
    g->names.good = false; /* the transaction changes them */
    return err;
}
