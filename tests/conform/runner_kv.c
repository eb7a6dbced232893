/*
 * runner_kv.c - steps on keys and values.
 *
 *   reading    get, get-partial, get-json, get-sha256, exists, list, fold, size, digest,
 *              last-modified, mode
 *   writing    set, set-partial, allocate, remove, clear, rename, set-mode, put-stream, fill
 */
#include <string.h>

#include "runner.h"

/* ---- Reading ---- */

static void done_value(struct step *s, enum bough_err err, struct bough_buf *value)
{
    if (err)
        done_err(s, err);
    else
        answer_view(s->got, bough_view(value->ptr, value->len));
    bough_buf_fini(value);
}

static void step_get(struct step *s)
{
    struct bough_buf out;

    bough_buf_init(&out, s->run->env.mem);
    done_value(s, bough_kv_get(s->kv, arg(s, 0), &out), &out);
}

static void step_get_json(struct step *s)
{
    s->got->json = true;
    step_get(s);
}

static void step_get_partial(struct step *s)
{
    struct bough_buf out;
    uint64_t at, n;

    if (!text_number(arg(s, 1), &at) || !text_number(arg(s, 2), &n)) {
        done_invalid(s);
        return;
    }
    bough_buf_init(&out, s->run->env.mem);
    done_value(s, bough_kv_get_part(s->kv, arg(s, 0), at, n, &out), &out);
}

static void step_get_sha256(struct step *s)
{
    enum { PIECE = 1 << 16 };
    struct bough_hash h;
    struct bough_buf piece;
    uint8_t sum[BOUGH_DIGEST_MAX];
    uint64_t size;
    enum bough_err err = bough_kv_size(s->kv, arg(s, 0), &size);

    bough_hash_init(&h, BOUGH_SHA256);
    bough_buf_init(&piece, s->run->env.mem);
    for (uint64_t at = 0; !err && at < size; at += PIECE) {
        bough_buf_clear(&piece);
        err = bough_kv_get_part(s->kv, arg(s, 0), at, PIECE, &piece);
        bough_hash_update(&h, piece.ptr, piece.len);
    }
    bough_buf_fini(&piece);
    bough_hash_final(&h, sum);
    if (err) {
        done_err(s, err);
        return;
    }
    char hex[2 * BOUGH_DIGEST_MAX + 1];

    for (size_t i = 0; i < BOUGH_DIGEST_MAX; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    answer_str(s->got, hex);
}

static void step_exists(struct step *s)
{
    static const char *const names[] = {"none", "value", "dictionary"};
    enum bough_kind kind;
    enum bough_err err = bough_kv_exists(s->kv, arg(s, 0), &kind);

    if (err)
        done_err(s, err);
    else
        answer_str(s->got, names[kind]);
}

/* The last segment of a key: where a listing goes on. */
static struct bough_view name_of(struct bough_view key)
{
    size_t n = key.len;

    while (n > 0 && key.ptr[n - 1] == '/')
        n--;
    key.len = n;
    while (n > 0 && key.ptr[n - 1] != '/')
        n--;
    return bough_view(key.ptr + n, key.len - n);
}

static void step_list(struct step *s)
{
    struct bough_kv_entry e;
    struct bough_view after = bough_view("", 0);
    uint64_t limit = UINT64_MAX;

    for (size_t i = 1; i < s->args.n; i++) {
        if (arg_is(s, i, "after"))
            after = name_of(arg(s, ++i));
        else if (!arg_is(s, i, "limit") || !text_number(arg(s, ++i), &limit)) {
            done_invalid(s);
            return;
        }
    }
    for (uint64_t n = 0; n < limit; n++) {
        enum bough_err err = bough_kv_next(s->kv, arg(s, 0), after, &e);

        if (err == BOUGH_ENOENT && strcmp(s->kv->why.what, "end") == 0)
            return;
        if (err) {
            s->got->n = 0;
            done_err(s, err);
            return;
        }
        answer_item(s->got);
        answer_view(s->got, e.key);
        answer_str(s->got, e.kind == BOUGH_KIND_DICT ? "dictionary" : "value");
        after = e.name;
    }
}

static enum bough_err fold_entry(void *ctx, const struct bough_kv_entry *e)
{
    struct step *s = ctx;
    struct bough_buf value;
    enum bough_err err;

    if (e->kind != BOUGH_KIND_VALUE)
        return BOUGH_OK;
    bough_buf_init(&value, s->run->env.mem);
    err = bough_kv_get(s->kv, e->key, &value);
    if (err == BOUGH_ENOTSUP)
        err = BOUGH_OK;
    if (!err) {
        answer_item(s->got);
        answer_view(s->got, e->key);
        answer_view(s->got, bough_view(value.ptr, value.len));
    }
    bough_buf_fini(&value);
    return err;
}

static void step_fold(struct step *s)
{
    uint64_t depth = 0;
    enum bough_err err;

    if (s->args.n > 1 && (!arg_is(s, 1, "depth") || !text_number(arg(s, 2), &depth))) {
        done_invalid(s);
        return;
    }
    err = bough_kv_fold(s->kv, arg(s, 0), (uint32_t)depth, fold_entry, s);
    if (err) {
        s->got->n = 0;
        done_err(s, err);
    }
}

static void step_size(struct step *s)
{
    uint64_t size;
    enum bough_err err = bough_kv_size(s->kv, arg(s, 0), &size);

    if (err)
        done_err(s, err);
    else
        answer_number(s->got, size);
}

static void step_digest(struct step *s)
{
    struct bough_oid id;
    enum bough_err err = bough_kv_digest(s->kv, arg(s, 0), &id);

    if (err)
        done_err(s, err);
    else
        answer_oid(s->got, s->kv->algo, &id);
}

static void step_last_modified(struct step *s)
{
    struct bough_modified m;
    enum bough_err err = bough_kv_last_modified(s->kv, arg(s, 0), &m);

    if (err)
        done_err(s, err);
    else
        answer_number(s->got, (uint64_t)m.time.sec);
}

static const char *const mode_names[] = {"normal", "exec", "link"};

static void step_mode(struct step *s)
{
    enum bough_mode mode;
    enum bough_err err = bough_kv_mode(s->kv, arg(s, 0), &mode);

    if (err)
        done_err(s, err);
    else
        answer_str(s->got, mode_names[mode]);
}

/* ---- Writing ---- */

/* The options behind a write; false: there is something else. */
static bool opts_parse(struct step *s, size_t from, struct bough_set_opts *o)
{
    *o = (struct bough_set_opts){0};
    for (size_t i = from; i < s->args.n; i++) {
        if (arg_is(s, i, "force")) {
            o->flags |= BOUGH_SET_FORCE;
        } else if (arg_is(s, i, "again")) {
            o->flags |= BOUGH_SET_AGAIN;
        } else if (arg_is(s, i, "hole")) {
            o->flags |= BOUGH_SET_HOLE;
        } else if (arg_is(s, i, "if-digest")) {
            o->check = true;
            i++;
            if (!arg_is(s, i, "none") && bough_oid_parse(s->kv->algo, arg(s, i), &o->digest))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static void step_set(struct step *s)
{
    struct bough_set_opts o;

    if (!opts_parse(s, 2, &o))
        done_invalid(s);
    else
        done_err(s, bough_kv_set(s->kv, arg(s, 0), arg(s, 1), &o));
}

static void step_set_partial(struct step *s)
{
    struct bough_set_opts o;
    uint64_t at;

    if (!text_number(arg(s, 1), &at) || !opts_parse(s, 3, &o))
        done_invalid(s);
    else
        done_err(s, bough_kv_set_part(s->kv, arg(s, 0), at, arg(s, 2), &o));
}

static void step_allocate(struct step *s)
{
    uint64_t size;

    if (!text_number(arg(s, 1), &size))
        done_invalid(s);
    else
        done_err(s, bough_kv_allocate(s->kv, arg(s, 0), size));
}

static void step_remove(struct step *s)
{
    done_err(s, bough_kv_remove(s->kv, arg(s, 0)));
}

static void step_clear(struct step *s)
{
    done_err(s, bough_kv_clear(s->kv));
}

static void step_rename(struct step *s)
{
    done_err(s, bough_kv_rename(s->kv, arg(s, 0), arg(s, 1)));
}

static void step_set_mode(struct step *s)
{
    for (int m = 0; m < 3; m++) {
        if (arg_is(s, 1, mode_names[m])) {
            done_err(s, bough_kv_set_mode(s->kv, arg(s, 0), (enum bough_mode)m));
            return;
        }
    }
    done_invalid(s);
}

/*
 * The bytes of put-stream: splitmix64 from the seed, each number as eight bytes, the least
 * significant first.
 */
struct stream {
    struct bough_source src;
    uint64_t state, left;
    uint8_t piece[4096];
    size_t used, len;
};

static enum bough_err stream_peek(struct bough_source *src, struct bough_view *out)
{
    struct stream *g = (struct stream *)src;

    if (g->used == g->len && g->left > 0) {
        for (size_t i = 0; i < sizeof g->piece; i += 8) {
            uint64_t x = g->state += 0x9e3779b97f4a7c15;

            x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
            x = (x ^ x >> 27) * 0x94d049bb133111eb;
            bough_put64le(g->piece + i, x ^ x >> 31);
        }
        g->used = 0;
        g->len = g->left < sizeof g->piece ? (size_t)g->left : sizeof g->piece;
        g->left -= g->len;
    }
    *out = bough_view(g->piece + g->used, g->len - g->used);
    return BOUGH_OK;
}

static void stream_skip(struct bough_source *src, size_t n)
{
    ((struct stream *)src)->used += n;
}

static const struct bough_source_class stream_class = {"stream", stream_peek, stream_skip};

static void step_put_stream(struct step *s)
{
    struct stream g = {.src = {&stream_class}};
    struct bough_set_opts o;
    uint64_t size, seed = 0;
    size_t opts = 2;

    if (arg_is(s, 2, "seed")) {
        opts = 4;
        if (!text_number(arg(s, 3), &seed))
            opts = SIZE_MAX;
    }
    if (opts == SIZE_MAX || !text_number(arg(s, 1), &size) || !opts_parse(s, opts, &o)) {
        done_invalid(s);
        return;
    }
    g.state = seed;
    g.left = size;
    done_err(s, bough_kv_set_stream(s->kv, arg(s, 0), size, &g.src, &o));
}

/* KEY/0, KEY/1, ... until it fails, or 256 MiB are there. */
static void step_fill(struct step *s)
{
    struct bough_buf key;
    uint64_t most = (256u << 20) / (arg(s, 1).len + 64);
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&key, s->run->env.mem);
    for (uint64_t n = 0; !err && n < most; n++) {
        bough_buf_clear(&key);
        bough_buf_put_view(&key, arg(s, 0));
        bough_buf_put_u8(&key, '/');
        bough_buf_put_udec(&key, n);
        err = key.err;
        if (!err)
            err = bough_kv_set(s->kv, bough_buf_view(&key), arg(s, 1), NULL);
    }
    bough_buf_fini(&key);
    done_err(s, err);
}

const struct step_def *steps_kv(void)
{
    static const struct step_def defs[] = {
        {"get", "", step_get},
        {"get-partial", "", step_get_partial},
        {"get-json", "", step_get_json},
        {"get-sha256", "", step_get_sha256},
        {"exists", "", step_exists},
        {"list", "", step_list},
        {"fold", "", step_fold},
        {"size", "", step_size},
        {"digest", "", step_digest},
        {"last-modified", "", step_last_modified},
        {"mode", "mode", step_mode},
        {"set", "", step_set},
        {"set-partial", "rewrite", step_set_partial},
        {"allocate", "", step_allocate},
        {"remove", "rewrite", step_remove},
        {"clear", "rewrite", step_clear},
        {"rename", "rewrite", step_rename},
        {"set-mode", "mode", step_set_mode},
        {"put-stream", "", step_put_stream},
        {"fill", "", step_fill},
        {NULL, NULL, NULL},
    };

    return defs;
}
