/*
 * fsck.c - what is damaged, and who needs it: the refs, and what is told of them.
 *
 *   open, close
 *   telling     a finding, with where the walk is
 *   refs        each is walked; one that reaches something bad is told with the paths it loses
 */
#include "repo/commit_inner.h"
#include "repo/fsck_inner.h"
#include "repo/inner.h"

/* ---- Open, close ---- */

enum bough_err bough_fsck_open(struct bough_repo *r, struct bough_fsck **out)
{
    struct bough_fsck *f = bough_mem_zalloc(r->mem, 1, sizeof *f);

    *out = NULL;
    if (f == NULL)
        return BOUGH_ENOMEM;
    f->r = r;
    f->marks.mem = r->mem;
    bough_buf_init(&f->path, r->mem);
    bough_buf_init(&f->raw, r->mem);
    f->there = bough_mem_zalloc(r->mem, BOUGH_REPO__THERE, sizeof *f->there);
    if (f->there == NULL) {
        bough_fsck_close(f);
        return BOUGH_ENOMEM;
    }
    *out = f;
    return BOUGH_OK;
}

void bough_fsck_close(struct bough_fsck *f)
{
    if (f == NULL)
        return;
    bough_repo__marks_fini(&f->marks);
    bough_buf_fini(&f->path);
    bough_buf_fini(&f->raw);
    bough_mem_free(f->r->mem, f->there, BOUGH_REPO__THERE * sizeof *f->there);
    bough_repo__fsck_stacks_fini(f);
    bough_mem_free(f->r->mem, f, sizeof *f);
}

enum bough_err bough_fsck_damaged(struct bough_fsck *f, const struct bough_oid *id)
{
    return bough_repo__mark_set(&f->marks, id, BOUGH_REPO__BAD);
}

/* ---- Telling ---- */

void bough_repo__fsck_tell(
    struct bough_fsck *f, enum bough_fsck_kind kind, const struct bough_oid *id)
{
    struct bough_fsck_finding finding = {.kind = kind, .id = *id, .commit = f->commit};

    f->found = true;
    finding.ref = f->ref;
    if (f->path.len > 0)
        finding.path = bough_buf_view(&f->path);
    if (f->report != NULL)
        f->report(f->ctx, &finding);
}

/* ---- Refs ---- */

/* Something that the ref reaches is bad: say so, and which paths of what it names are lost. */
static enum bough_err ref_tell(
    struct bough_fsck *f, struct bough_view name, const struct bough_oid *id)
{
    struct bough_oid commit = *id;
    enum bough_type type;
    enum bough_err err;

    f->ref = name;
    f->path.len = 0;
    f->commit = (struct bough_oid){{0}};
    bough_repo__fsck_tell(f, BOUGH_FSCK_REF, id);
    err = bough_repo__peel(f->r, id, &commit, &type);
    if (err == BOUGH_OK && type == BOUGH_COMMIT)
        err = bough_repo__fsck_lost(f, &commit);
    else if (err != BOUGH_ENOMEM && err != BOUGH_EIO)
        err = BOUGH_OK;
    f->ref = (struct bough_view){NULL, 0};
    return err;
}

/* The next ref that has an id; `name` goes along. */
static enum bough_err ref_next(struct bough_fsck *f, struct bough_buf *name, struct bough_oid *id)
{
    struct bough_ref ref;
    enum bough_err err;

    do {
        err =
            bough_store_ref_next(f->r->store, bough_view_str("refs/"), bough_buf_view(name), &ref);
        if (err)
            return err;
        bough_buf_clear(name);
        bough_buf_put_view(name, ref.name);
        *id = ref.id;
    } while (ref.kind != BOUGH_REF_ID);
    return name->err;
}

enum bough_err bough_fsck_run(struct bough_fsck *f, bough_fsck_report_fn *report, void *ctx)
{
    struct bough_oid id;
    struct bough_buf name;
    enum bough_repo__mark mark;
    enum bough_err err = BOUGH_OK;

    f->report = report;
    f->ctx = ctx;
    f->found = false;
    bough_buf_init(&name, f->r->mem);
    while (!err && !(err = ref_next(f, &name, &id)))
        err = bough_repo__fsck_walk(f, &id, &mark);
    bough_buf_clear(&name);
    err = err == BOUGH_ENOENT ? BOUGH_OK : err;
    while (!err && f->found && !(err = ref_next(f, &name, &id))) {
        err = bough_repo__fsck_walk(f, &id, &mark);
        if (!err && mark != BOUGH_REPO__WHOLE)
            err = ref_tell(f, bough_buf_view(&name), &id);
    }
    bough_buf_fini(&name);
    f->report = NULL;
    if (err && err != BOUGH_ENOENT)
        return err;
    return f->found ? BOUGH_ECORRUPT : BOUGH_OK;
}

enum bough_err bough_fsck_whole(struct bough_fsck *f, const struct bough_oid *id)
{
    enum bough_repo__mark mark;
    enum bough_err err = bough_repo__fsck_walk(f, id, &mark);

    return err ? err : mark == BOUGH_REPO__WHOLE ? BOUGH_OK : BOUGH_ECORRUPT;
}
