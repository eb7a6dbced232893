/*
 * repair.c - what is intact in a damaged store, into a new one.
 *
 *   looking    what is damaged, as `bough fsck` finds it; also behind damage in the log
 *   refs       those that are whole go over as they are; of a damaged one the newest commit that is
 *   logs       of refs, as far as what they name is whole
 *   found      commits that are whole and that nothing whole reaches any more: refs/found/ID
 *   verb       and then the values of each branch that differs (salvage.c)
 *
 * The damaged store is only read.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/repair.h"
#include "git/object.h"

/* ---- Looking ---- */

struct looking {
    struct repair *x;
    enum bough_err err;
};

static void note_damaged(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    struct looking *l = ctx;
    enum bough_algo algo = l->x->src->engine->algo;
    struct bough_oid id;

    if (key.len != 2 * bough_algo_len(algo) || bough_oid_parse(algo, key, &id)) {
        l->x->broken++;
        json_item(&l->x->json, "structure");
        json_field(&l->x->json, "error", bough_view_str(bough_err_name(err)));
        json_field(&l->x->json, "what", bough_view_str(what));
        json_field(&l->x->json, "where", key);
        json_item_end(&l->x->json);
        fprintf(stderr, "bough: repair: %s: %s: %.*s\n", bough_err_name(err), what, (int)key.len,
            (const char *)key.ptr);
    } else if (!l->err) {
        l->err = bough_fsck_damaged(l->x->fsck, &id);
    }
}

static enum bough_err look(struct repair *x)
{
    struct looking l = {.x = x};
    enum bough_err err = bough_store_check(x->src->engine, note_damaged, &l);

    if (err && err != BOUGH_ECORRUPT)
        return err;
    err = l.err ? l.err : bough_fsck_run(x->fsck, NULL, NULL);
    return err == BOUGH_ECORRUPT ? BOUGH_OK : err;
}

/* ---- Refs ---- */

/* Commit `id` as a whole object of its own; BOUGH_ENOENT: it cannot be read. */
static enum bough_err first_parent(struct repair *x, struct bough_oid *id)
{
    struct bough_commit c;
    struct bough_buf raw;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&raw, x->src->env.mem);
    err = bough_store_read(x->src->engine, id, &type, &raw);
    if (!err && type != BOUGH_COMMIT)
        err = BOUGH_ENOENT;
    if (!err)
        err = bough_commit_parse(x->src->engine->algo, bough_buf_view(&raw), &c);
    if (!err && c.parents_n == 0)
        err = BOUGH_ENOENT;
    if (!err)
        *id = bough_commit_parent(&c, 0);
    bough_buf_fini(&raw);
    return err == BOUGH_ENOMEM ? err : err ? BOUGH_ENOENT : BOUGH_OK;
}

/* A line about a ref, `cut`, `lost` or `found`. */
static void tell_ref(struct repair *x, const char *kind, struct bough_view ref)
{
    json_item(&x->json, kind);
    json_field(&x->json, "ref", ref);
    json_item_end(&x->json);
    if (!x->json.on)
        printf("%s %.*s\n", kind, (int)ref.len, (const char *)ref.ptr);
}

/* A ref that is damaged: the newest whole commit down its first parents, if there is one. */
static enum bough_err ref_cut(struct repair *x, const struct bough_ref *ref)
{
    struct bough_oid id = ref->id;
    enum bough_err err;

    x->cut++;
    do {
        err = first_parent(x, &id);
    } while (!err && (err = bough_fsck_whole(x->fsck, &id)) == BOUGH_ECORRUPT);
    tell_ref(x, err ? "lost" : "cut", ref->name);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    return transfer_add(&x->t, ref->name, &id, bough_view(NULL, 0));
}

static enum bough_err ref_take(struct repair *x, const struct bough_ref *ref)
{
    static const struct bough_oid none;
    enum bough_err err;

    if (ref->kind == BOUGH_REF_SYM)
        return transfer_add(&x->t, ref->name, &none, ref->target);
    err = bough_fsck_whole(x->fsck, &ref->id);
    if (err == BOUGH_ECORRUPT)
        return ref_cut(x, ref);
    return err ? err : transfer_add(&x->t, ref->name, &ref->id, bough_view(NULL, 0));
}

static enum bough_err refs_take(struct repair *x)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(x->src->engine, bough_view_str("HEAD"), &ref);

    if (!err)
        err = ref_take(x, &ref);
    if (err && err != BOUGH_ENOENT)
        return err;
    while (!(err = bough_store_ref_next(x->src->engine, bough_view_str("refs/"), after, &ref))) {
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        ref.name = after;
        err = ref_take(x, &ref);
        if (err)
            return err;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Logs ---- */

static bool is_whole(void *ctx, const struct bough_oid *id)
{
    const struct repair *x = ctx;

    return bough_fsck_whole(x->fsck, id) == BOUGH_OK;
}

static enum bough_err logs_take(struct repair *x)
{
    enum bough_err err = BOUGH_OK;

    if (address_rest(x->dst->store, "git:") == NULL) /* which writes its own */
        err = transfer_logs_take(&x->t, x->src->engine, is_whole, x);
    return err == BOUGH_ECORRUPT ? BOUGH_OK : err; /* as far as they can be read */
}

/* ---- Found ---- */

struct found {
    struct repair *x;
    struct bough_oid *id;
    size_t n, cap;
};

static enum bough_err found_note(
    void *ctx, const struct bough_oid *id, const struct bough_found *what)
{
    struct found *f = ctx;
    void *ptr = f->id;
    enum bough_err err;

    if (what->type != BOUGH_COMMIT || bough_store_has(f->x->dst->engine, id) != BOUGH_ENOENT ||
        bough_fsck_whole(f->x->fsck, id))
        return BOUGH_OK;
    err = bough_mem_grow(f->x->src->env.mem, &ptr, &f->cap, f->n + 1, sizeof *f->id);
    f->id = ptr;
    if (!err)
        f->id[f->n++] = *id;
    return err;
}

static int by_id(const void *a, const void *b)
{
    return bough_oid_cmp(a, b);
}

/* Those that are no first parent of another: the newest of each line. */
static enum bough_err found_take(struct found *f, struct transfer *t)
{
    char name[16 + BOUGH_HEX_MAX] = "refs/found/";
    size_t at = strlen(name);
    bool *older = calloc(f->n + 1, sizeof *older);
    enum bough_err err = older == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    qsort(f->id, f->n, sizeof *f->id, by_id);
    for (size_t i = 0; i < f->n && !err; i++) {
        struct bough_oid parent = f->id[i], *p;
        if (first_parent(f->x, &parent))
            continue;
        p = bsearch(&parent, f->id, f->n, sizeof *f->id, by_id);
        if (p != NULL)
            older[p - f->id] = true;
    }
    for (size_t i = 0; i < f->n && !err; i++) {
        size_t len = at + bough_oid_hex(f->x->src->engine->algo, &f->id[i], name + at);
        if (older[i])
            continue;
        tell_ref(f->x, "found", bough_view(name, len));
        err = transfer_add(t, bough_view(name, len), &f->id[i], bough_view(NULL, 0));
    }
    free(older);
    return err;
}

static enum bough_err found_copy(struct repair *x, struct bough_why *why)
{
    struct found f = {.x = x};
    struct transfer t;
    enum bough_err err;

    transfer_init(&t, x->src->env.mem, x->src->engine->algo);
    err = bough_store_each(x->src->engine, found_note, &f);
    if (err == BOUGH_ECORRUPT || err == BOUGH_EIO)
        err = BOUGH_OK; /* as far as the tables can be read */
    if (!err && f.n > 0)
        err = found_take(&f, &t);
    if (!err && t.n > 0)
        err = transfer_copy(&t, x->src->repo, x->dst->repo, why);
    transfer_fini(&t);
    bough_mem_free(x->src->env.mem, f.id, f.cap * sizeof *f.id);
    return err;
}

/* ---- Verb ---- */

static enum bough_err repair(struct repair *x, struct bough_why *why)
{
    enum bough_err err = bough_fsck_open(x->src->repo, &x->fsck);

    if (!err)
        err = look(x);
    if (!err)
        err = refs_take(x);
    if (!err)
        err = logs_take(x);
    if (!err)
        err = transfer_boundary_take(&x->t, x->src->engine);
    if (!err)
        err = transfer_boundary_set(&x->t, x->dst->engine);
    if (!err)
        err = transfer_keep(x->src->engine, x->dst->engine);
    if (!err)
        err = transfer_copy(&x->t, x->src->repo, x->dst->repo, why);
    if (!err && address_rest(x->dst->store, "git:") == NULL)
        err = transfer_logs_set(&x->t, x->dst->engine);
    if (!err && x->cut > 0)
        err = found_copy(x, why);
    return err ? err : salvage(x, why);
}

static void tell_sums(struct repair *x)
{
    json_sum(&x->json, "refs_damaged", x->cut);
    json_sum(&x->json, "values_lost", x->lost);
    json_sum(&x->json, "structures_damaged", x->broken);
    json_end(&x->json);
}

int verb_repair(struct cli *cli, int argc, char **argv)
{
    struct cli dst = {.env = cli->env, .level = cli->level, .author = cli->author};
    struct repair x = {.src = cli, .dst = &dst, .json = {.on = cli->json}};
    struct bough_why why = {.err = BOUGH_OK};
    enum bough_err err;
    int code;

    if (argc != 3)
        return say_usage("repair", "the damaged store, and a new one");
    if (strcmp(argv[1], argv[2]) == 0)
        return say_usage("repair", "the new store cannot be the damaged one");
    cli_address(cli, argv[1]);
    dst.store = argv[2];
    code = cli_open(cli, OPEN_READ | OPEN_PAST);
    if (code != 0)
        return code;
    transfer_init(&x.t, cli->env.mem, cli->engine->algo);
    code = transfer_open_target(&dst, cli->engine->algo, 0);
    if (code == 0) {
        json_begin(&x.json);
        err = repair(&x, &why);
        tell_sums(&x);
        if (err)
            code = say_error(err, dst.store, &why);
    }
    bough_fsck_close(x.fsck);
    transfer_fini(&x.t);
    cli_close(&dst);
    if (code == 0)
        fprintf(stderr, "bough: repair: %llu refs were damaged, %llu values are lost%s\n",
            (unsigned long long)x.cut, (unsigned long long)x.lost,
            x.broken > 0 ? "; what else damaged structures told of is not known" : "");
    return code != 0 ? code : x.cut + x.lost + x.broken > 0 ? EXIT_CORRUPT : EXIT_YES;
}
