/*
 * runner_batch.c - steps on handles, batches and snapshots, and who writes when.
 */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "runner.h"

struct handle *handle_find(struct run *r, struct bough_view name)
{
    for (size_t i = r->handles_n; i-- > 0;) {
        if (bough_view_eq(name, bough_view_str(r->handles[i].name)))
            return &r->handles[i];
    }
    return NULL;
}

/* A new name for a place (an old one of that name is let go). */
static struct handle *handle_add(struct run *r, struct bough_view name)
{
    struct handle *old = handle_find(r, name), *h;

    if (old != NULL) {
        if (old->kind != HANDLE_BATCH)
            bough_kv_close(old->kv);
        else if (old->kv != NULL)
            bough_kv_abort(old->kv);
        old->kv = NULL;
        free(old->name);
        *old = (struct handle){.name = strndup((const char *)name.ptr, name.len)};
        return old;
    }
    r->handles = realloc(r->handles, (r->handles_n + 1) * sizeof *r->handles);
    h = &r->handles[r->handles_n++];
    *h = (struct handle){.name = strndup((const char *)name.ptr, name.len)};
    return h;
}

void handle_skip(struct run *r, const struct tok *call, struct bough_view name)
{
    if (tok_is(call, "begin"))
        handle_add(r, name)->kind = HANDLE_BATCH;
    else if (tok_is(call, "snapshot"))
        handle_add(r, name)->kind = HANDLE_SNAPSHOT;
    else if (tok_is(call, "handle"))
        handle_add(r, name)->kind = HANDLE_PLAIN;
}

/* ---- Handles and snapshots ---- */

static void step_handle(struct step *s)
{
    struct bough_kv *kv = NULL;
    enum bough_err err = place_handle(s->run, &kv);

    if (!err) {
        struct handle *h = handle_add(s->run, arg(s, 0));

        h->kind = HANDLE_PLAIN;
        h->kv = kv;
    }
    done_err(s, err);
}

static void step_snapshot(struct step *s)
{
    struct bough_kv *kv = NULL;
    struct bough_oid commit = {{0}};
    enum bough_err err = bough_kv_snapshot(s->kv, &kv);

    if (!err && s->run->repo != NULL && bough_kv_branch(s->kv) != NULL)
        err = bough_branch_head(bough_kv_branch(s->kv), &commit);
    if (!err) {
        struct handle *h = handle_add(s->run, arg(s, 0));

        h->kind = HANDLE_SNAPSHOT;
        h->kv = kv;
        h->commit = commit;
    }
    done_err(s, err);
}

/* ---- Batches ---- */

static void step_begin(struct step *s)
{
    enum bough_strategy strategy = BOUGH_TEST_AND_SET;
    struct bough_kv *batch = NULL;
    uint64_t n = 13;
    enum bough_err err;

    if (arg_is(s, 1, "retry")) {
        strategy = BOUGH_RETRY;
        if (s->args.n > 2 && !text_number(arg(s, 2), &n))
            strategy = (enum bough_strategy) - 1;
    } else if (arg_is(s, 1, "merge")) {
        strategy = BOUGH_MERGE;
    } else if (s->args.n > 1 && !arg_is(s, 1, "test-and-set")) {
        strategy = (enum bough_strategy) - 1;
    }
    if ((int)strategy < 0 || s->args.n == 0) {
        done_invalid(s);
        return;
    }
    bough_kv_retries(s->kv, (uint32_t)n);
    err = bough_kv_begin(s->kv, strategy, &batch);
    if (!err) {
        struct handle *h = handle_add(s->run, arg(s, 0));

        h->kind = HANDLE_BATCH;
        h->kv = batch;
        h->parent = s->kv;
    }
    done_err(s, err);
}

/* The batch that a step names, or NULL and the answer is made. */
static struct handle *batch_arg(struct step *s)
{
    struct handle *h = handle_find(s->run, arg(s, 0));

    if (h == NULL || h->kind != HANDLE_BATCH || h->kv == NULL) {
        answer_err(s->got, "gone", bough_view(NULL, 0));
        return NULL;
    }
    return h;
}

static void step_commit(struct step *s)
{
    struct handle *h = batch_arg(s);
    enum bough_err err;

    if (h == NULL)
        return;
    err = bough_kv_commit(h->kv);
    h->kv = NULL;
    s->kv = h->parent;
    done_err(s, err);
}

static void step_abort(struct step *s)
{
    struct handle *h = batch_arg(s);

    if (h == NULL)
        return;
    bough_kv_abort(h->kv);
    h->kv = NULL;
    answer_ok(s->got);
}

static void step_expect_digest(struct step *s)
{
    struct handle *h = batch_arg(s);
    struct bough_oid id = {{0}};

    if (h == NULL)
        return;
    if (!arg_is(s, 2, "none") && bough_oid_parse(h->kv->algo, arg(s, 2), &id)) {
        done_invalid(s);
        return;
    }
    s->kv = h->kv;
    done_err(s, bough_kv_expect(h->kv, arg(s, 1), &id));
}

/* ---- Who, when, why ---- */

enum bough_err info_apply(struct run *r, struct bough_kv *kv)
{
    return bough_kv_info(kv, &r->info);
}

/* All that is open writes under the new names. */
static void info_all(struct step *s)
{
    struct run *r = s->run;
    enum bough_err err = info_apply(r, r->kv);

    for (size_t i = 0; !err && i < r->handles_n; i++) {
        if (r->handles[i].kv != NULL && r->handles[i].kind != HANDLE_SNAPSHOT)
            err = info_apply(r, r->handles[i].kv);
    }
    if (err)
        answer_err(s->got, answer_err_name(err), bough_view(NULL, 0));
    else
        answer_ok(s->got);
}

/* `Name With Spaces <mail>`. */
static bool ident_parse(struct step *s, struct bough_ident *out)
{
    struct pool *p = &s->run->script;
    struct bough_view mail = arg(s, s->args.n - 1);
    size_t n = 0, room = 1;
    char *name;

    if (s->args.n < 1 || mail.len < 2 || mail.ptr[0] != '<' || mail.ptr[mail.len - 1] != '>')
        return false;
    for (size_t i = 0; i + 1 < s->args.n; i++)
        room += arg(s, i).len + 1;
    name = pool_get(p, room);
    for (size_t i = 0; i + 1 < s->args.n; i++) {
        if (i > 0)
            name[n++] = ' ';
        memcpy(name + n, arg(s, i).ptr, arg(s, i).len);
        n += arg(s, i).len;
    }
    out->name = bough_view(name, n);
    out->mail = bough_view(
        pool_more(p, (void *)(uintptr_t)(mail.ptr + 1), mail.len - 2, mail.len), mail.len - 2);
    out->time.sec = INT64_MIN;
    return true;
}

static void step_author(struct step *s)
{
    if (ident_parse(s, &s->run->info.author))
        info_all(s);
    else
        done_invalid(s);
}

static void step_committer(struct step *s)
{
    if (ident_parse(s, &s->run->info.committer))
        info_all(s);
    else
        done_invalid(s);
}

static void step_message(struct step *s)
{
    struct bough_view text = arg(s, 0);

    s->run->info.message = bough_view(NULL, 0);
    if (s->args.n > 0)
        s->run->info.message = bough_view(
            pool_more(&s->run->script, (void *)(uintptr_t)text.ptr, text.len, text.len + 1),
            text.len);
    info_all(s);
}

static void step_clock(struct step *s)
{
    struct run *r = s->run;
    struct bough_view zone = arg(s, 1);
    uint64_t sec, hhmm = 0;

    if (!text_number(arg(s, 0), &sec) ||
        (zone.len > 0 && !text_number(bough_view(zone.ptr + 1, zone.len - 1), &hhmm))) {
        done_invalid(s);
        return;
    }
    r->clock_fixed = true;
    r->clock = (struct bough_time){.sec = (int64_t)sec,
        .zone_min = (int16_t)((hhmm / 100 * 60 + hhmm % 100) * (zone.len > 0 ? 1 : 0))};
    if (zone.len > 0 && zone.ptr[0] == '-')
        r->clock.zone_min = (int16_t)-r->clock.zone_min;
    answer_ok(s->got);
}

static void step_no_clock(struct step *s)
{
    s->run->clock_fixed = false;
    answer_ok(s->got);
}

const struct step_def *steps_batch(void)
{
    static const struct step_def defs[] = {
        {"handle", "handle", step_handle},
        {"snapshot", "snapshot", step_snapshot},
        {"begin", "batch", step_begin},
        {"commit", "batch", step_commit},
        {"abort", "batch", step_abort},
        {"expect-digest", "batch", step_expect_digest},
        {"author", "", step_author},
        {"committer", "", step_committer},
        {"message", "", step_message},
        {"clock", "", step_clock},
        {"no-clock", "", step_no_clock},
        {NULL, NULL, NULL},
    };

    return defs;
}
