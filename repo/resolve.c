/*
 * resolve.c - a revision to an id.
 *
 *   names       ids, abbreviated ids, refs in git's order
 *   logs        ref@{n}, ref@{seconds}, @{2026-11-21}, @{2026-11-21T15:00:00+0100}
 *   suffixes    ~n ^n ^{type} ^{}
 *   paths       rev:path
 *
 * Ref names hold none of ~ ^ : and no "@{", so the name ends where the first of them stands.
 * What is in braces after @ is looked up in the log of the ref that the name before it is.
 */
#include "repo/commit_inner.h"
#include "repo/graph.h"
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"
#include "repo/txn_inner.h"

enum {
    ABBREV_MIN = 4,
    ABBREV_CANDIDATES = 32,
    NUMBER_MAX = 1000000000,
    TIMES_FROM = 100000000 /* a number in braces from here on is a time */
};

static enum bough_err refuse(
    struct bough_repo *r, enum bough_err err, const char *what, struct bough_view part)
{
    return BOUGH_WHY(&r->why, err, what, part.ptr, part.len);
}

static bool view_is(struct bough_view v, const char *str)
{
    return bough_view_eq(v, bough_view_str(str));
}

static struct bough_view view_from(struct bough_view v, size_t at)
{
    return bough_view(v.ptr + at, v.len - at);
}

/* ---- Names ---- */

static bool is_hex(struct bough_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return v.len > 0;
}

/* Follow the ref `full` to an id; then it is the name of the last one. */
static enum bough_err ref_id(struct bough_repo *r, struct bough_buf *full, struct bough_oid *out)
{
    struct bough_ref ref;
    enum bough_err err;

    for (int i = 0; i < 5; i++) { /* git's limit of symbolic refs */
        err = full->err ? full->err : bough_repo_ref(r, bough_buf_view(full), &ref);
        if (err || ref.kind != BOUGH_REF_SYM)
            break;
        bough_buf_clear(full);
        bough_buf_put_view(full, ref.target);
    }
    if (err)
        return err;
    if (ref.kind != BOUGH_REF_ID)
        return refuse(r, BOUGH_EINVAL, "symbolic refs in a circle", bough_buf_view(full));
    *out = ref.id;
    return BOUGH_OK;
}

/* A ref by its short name, in git's order; `full` is its name, or empty. */
static enum bough_err name_ref(
    struct bough_repo *r, struct bough_view name, struct bough_buf *full, struct bough_oid *out)
{
    static const char *const rules[][2] = {{"", ""}, {"refs/", ""}, {"refs/tags/", ""},
        {"refs/heads/", ""}, {"refs/remotes/", ""}, {"refs/remotes/", "/HEAD"}};
    enum bough_err err = BOUGH_ENOENT;

    for (size_t i = 0; i < sizeof rules / sizeof *rules && err == BOUGH_ENOENT; i++) {
        bough_buf_clear(full);
        bough_buf_put_str(full, rules[i][0]);
        bough_buf_put_view(full, name);
        bough_buf_put_str(full, rules[i][1]);
        if (full->len <= BOUGH_REF_NAME_MAX)
            err = full->err ? full->err : ref_id(r, full, out);
    }
    if (err)
        bough_buf_clear(full);
    return err;
}

/* Ids that begin so; more than one: those that can be what the suffix wants. */
static enum bough_err name_abbrev(
    struct bough_repo *r, struct bough_view name, bool treeish, struct bough_oid *out)
{
    struct bough_oid prefix = {{0}}, ids[ABBREV_CANDIDATES];
    size_t n = 0, fit = 0;
    enum bough_err err;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i], x = (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);

        prefix.bytes[i / 2] |= (uint8_t)(i % 2 == 0 ? x << 4 : x);
    }
    err = bough_store_abbrev(r->store, &prefix, (uint32_t)name.len, ids, ABBREV_CANDIDATES, &n);
    if (err || n == 0)
        return err ? err : BOUGH_ENOENT;
    if (n == 1) {
        *out = ids[0];
        return BOUGH_OK;
    }
    for (size_t i = 0; i < n && treeish; i++) {
        struct bough_oid id;
        enum bough_type type;

        err = bough_repo__peel(r, &ids[i], &id, &type);
        if (err)
            return err;
        if (type == BOUGH_COMMIT) {
            *out = ids[i];
            fit++;
        }
    }
    return fit == 1 ? BOUGH_OK : refuse(r, BOUGH_EINVAL, "ambiguous id", name);
}

static enum bough_err name_resolve(struct bough_repo *r, struct bough_view name, bool suffixed,
    struct bough_buf *full, struct bough_oid *out)
{
    size_t hex_len = (size_t)r->hash_len * 2;
    enum bough_err err;

    if (name.len == 0 || view_is(name, "@"))
        name = bough_view_str("HEAD");
    if (name.len == hex_len && is_hex(name))
        return bough_oid_parse(r->algo, name, out);
    err = name_ref(r, name, full, out);
    if (err == BOUGH_ENOENT && name.len >= ABBREV_MIN && name.len < hex_len && is_hex(name))
        err = name_abbrev(r, name, suffixed, out);
    return err == BOUGH_ENOENT ? refuse(r, err, "unknown revision", name) : err;
}

/* ---- Dates ---- */

/* Exactly `n` digits at `*at`, or as many as there are (n == 0). */
static bool digits(struct bough_view v, size_t *at, size_t n, int64_t *out)
{
    size_t from = *at;

    *out = 0;
    while (*at < v.len && (n == 0 || *at - from < n) && v.ptr[*at] >= '0' && v.ptr[*at] <= '9') {
        if (*out > INT64_MAX / 100)
            return false;
        *out = *out * 10 + (v.ptr[(*at)++] - '0');
    }
    return n == 0 ? *at > from : *at - from == n;
}

static bool skip(struct bough_view v, size_t *at, const char *any)
{
    for (; *any != 0 && *at < v.len; any++) {
        if (v.ptr[*at] == (uint8_t)*any) {
            (*at)++;
            return true;
        }
    }
    return false;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    int64_t era, in_era;

    y -= m <= 2;
    era = y / 400;
    in_era = y - era * 400;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
           (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 - 719468;
}

/* "+0100", "-05:30", "Z"; nothing is UTC. */
static bool zone_parse(struct bough_view v, size_t *at, int64_t *sec)
{
    int64_t h, m;
    bool minus = *at < v.len && v.ptr[*at] == '-';

    *sec = 0;
    if (*at == v.len || skip(v, at, "Z"))
        return *at == v.len;
    if (!skip(v, at, "+-") || !digits(v, at, 2, &h))
        return false;
    (void)skip(v, at, ":");
    if (!digits(v, at, 2, &m) || *at != v.len)
        return false;
    *sec = (h * 60 + m) * (minus ? -60 : 60);
    return true;
}

static bool time_parse(struct bough_view v, int64_t *out)
{
    int64_t y, m, d, h = 0, min = 0, s = 0, zone;
    size_t at = 0;

    if (digits(v, &at, 0, &y) && at == v.len) {
        *out = y;
        return true;
    }
    at = 0;
    if (!digits(v, &at, 4, &y) || !skip(v, &at, "-") || !digits(v, &at, 2, &m) ||
        !skip(v, &at, "-") || !digits(v, &at, 2, &d) || m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    if (skip(v, &at, "T ")) {
        if (!digits(v, &at, 2, &h) || !skip(v, &at, ":") || !digits(v, &at, 2, &min))
            return false;
        if (skip(v, &at, ":") && !digits(v, &at, 2, &s))
            return false;
    }
    (void)skip(v, &at, " ");
    if (!zone_parse(v, &at, &zone))
        return false;
    *out = days_of(y, m, d) * 86400 + h * 3600 + min * 60 + s - zone;
    return true;
}

/* ---- Suffixes ---- */

static enum bough_err peel_to(struct bough_repo *r, struct bough_oid *id, enum bough_type want)
{
    struct bough_oid peeled;
    enum bough_type type;
    enum bough_err err = bough_repo__peel(r, id, &peeled, &type);

    if (err)
        return err;
    if (want == BOUGH_TREE && type == BOUGH_COMMIT)
        return bough_repo__root_in(r, r->store, &peeled, NULL, id);
    if (want != BOUGH_NONE && want != type)
        return refuse(r, BOUGH_EINVAL, "object of another type", bough_view(NULL, 0));
    *id = peeled;
    return BOUGH_OK;
}

/* Parent `n` of a commit, 1 the first; 0 the commit itself. */
static enum bough_err parent_of(
    struct bough_graph *g, struct bough_oid *id, int64_t n, struct bough_graph_commit **c)
{
    enum bough_err err = peel_to(g->r, id, BOUGH_COMMIT);

    if (err == BOUGH_OK)
        err = bough_graph_get(g, id, c);
    if (err == BOUGH_OK)
        err = bough_graph_parse(g, *c);
    if (err || n == 0)
        return err;
    if (n > (int64_t)(*c)->parents_n)
        return refuse(g->r, BOUGH_ENOENT, "no such parent", bough_view(NULL, 0));
    *id = (*c)->parents[n - 1]->id;
    return BOUGH_OK;
}

static enum bough_err step_back(struct bough_repo *r, struct bough_oid *id, int64_t nth, int64_t n)
{
    struct bough_graph g;
    struct bough_graph_commit *c;
    enum bough_err err = BOUGH_OK;

    bough_graph_init(&g, r, sizeof(struct bough_graph_commit));
    if (n == 0)
        err = parent_of(&g, id, 0, &c);
    for (; n > 0 && err == BOUGH_OK; n--)
        err = parent_of(&g, id, nth, &c);
    bough_graph_fini(&g);
    return err;
}

/* The text between braces at the front of `left`, taken off. */
static bool braces(struct bough_view *left, struct bough_view *out)
{
    for (size_t i = 1; i < left->len && left->ptr[0] == '{'; i++) {
        if (left->ptr[i] == '}') {
            *out = bough_view(left->ptr + 1, i - 1);
            *left = view_from(*left, i + 1);
            return true;
        }
    }
    return false;
}

static enum bough_err suffix_braced(
    struct bough_repo *r, uint8_t op, struct bough_view in, struct bough_oid *id)
{
    if (op == '@')
        return refuse(r, BOUGH_EINVAL, "only a ref has a log", in);
    if (in.len == 0)
        return peel_to(r, id, BOUGH_NONE);
    if (view_is(in, "object"))
        return bough_store_has(r->store, id);
    if (bough_type_parse(in) == BOUGH_NONE)
        return refuse(r, BOUGH_EINVAL, "malformed revision", in);
    if (bough_type_parse(in) == BOUGH_TAG) {
        struct bough_found found;
        enum bough_err err = bough_store_find(r->store, id, &found);

        return err || found.type == BOUGH_TAG
                   ? err
                   : refuse(r, BOUGH_EINVAL, "object of another type", in);
    }
    return peel_to(r, id, bough_type_parse(in));
}

/* One suffix off the front of `left`. */
static enum bough_err suffix_take(
    struct bough_repo *r, struct bough_view *left, struct bough_oid *id)
{
    struct bough_view whole = *left, in;
    uint8_t op = left->ptr[0];
    int64_t n = 1;
    size_t at = 0;

    *left = view_from(*left, 1);
    if (left->len > 0 && left->ptr[0] == '{' && op != '~')
        return braces(left, &in) ? suffix_braced(r, op, in, id)
                                 : refuse(r, BOUGH_EINVAL, "malformed revision", whole);
    if (op == '@')
        return refuse(r, BOUGH_EINVAL, "malformed revision", whole);
    if (left->len > 0 && left->ptr[0] >= '0' && left->ptr[0] <= '9' &&
        (!digits(*left, &at, 0, &n) || n > NUMBER_MAX))
        return refuse(r, BOUGH_EINVAL, "malformed revision", whole);
    *left = view_from(*left, at);
    return op == '~' ? step_back(r, id, 1, n) : step_back(r, id, n, n == 0 ? 0 : 1);
}

/* Where the name ends: at the first ~ ^ : or "@{". */
static size_t name_end(struct bough_view rev)
{
    for (size_t i = 0; i < rev.len; i++) {
        uint8_t c = rev.ptr[i];

        if (c == '~' || c == '^' || c == ':' ||
            (c == '@' && i + 1 < rev.len && rev.ptr[i + 1] == '{'))
            return i;
    }
    return rev.len;
}

/* ---- Paths ---- */

static enum bough_err path_take(struct bough_repo *r, struct bough_view path, struct bough_oid *id)
{
    struct bough_repo__look look;
    struct bough_repo__at at;
    enum bough_err err = peel_to(r, id, BOUGH_TREE);
    size_t len = path.len;

    if (err)
        return err;
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    err = bough_repo__look_init(&look, r, path);
    if (err == BOUGH_OK)
        err = bough_repo__look_in(&look, id, &at);
    bough_repo__look_fini(&look);
    if (err)
        return err;
    if (at.kind == BOUGH_NODE_NONE || (path.len < len && at.kind != BOUGH_NODE_DICT))
        return refuse(r, BOUGH_ENOENT, "no such path", path);
    *id = at.id;
    return BOUGH_OK;
}

/* ref@{...}: what the ref was; other suffixes are left alone. */
static enum bough_err log_take(
    struct bough_repo *r, struct bough_view ref, struct bough_view *left, struct bough_oid *id)
{
    struct bough_view from = view_from(*left, left->len > 0), in;
    int64_t n;
    size_t at = 0;

    if (ref.len == 0 || left->len == 0 || left->ptr[0] != '@' || !braces(&from, &in))
        return BOUGH_OK;
    *left = from;
    if (digits(in, &at, 0, &n) && at == in.len && n < TIMES_FROM)
        return bough_repo__reflog_nth(r, ref, (uint64_t)n, id);
    return time_parse(in, &n) ? bough_repo__reflog_at(r, ref, n, id)
                              : refuse(r, BOUGH_EINVAL, "malformed time", in);
}

enum bough_err bough_repo_resolve(
    struct bough_repo *r, struct bough_view rev, struct bough_oid *out)
{
    size_t end = name_end(rev);
    struct bough_view left = view_from(rev, end);
    struct bough_buf full;
    enum bough_err err;

    if (rev.len == 0 || (end == 0 && left.ptr[0] != '@'))
        return refuse(r, BOUGH_EINVAL, "malformed revision", rev);
    bough_buf_init(&full, r->mem);
    err = name_resolve(r, bough_view(rev.ptr, end), left.len > 0, &full, out);
    if (err == BOUGH_OK)
        err = log_take(r, bough_buf_view(&full), &left, out);
    bough_buf_fini(&full);
    while (err == BOUGH_OK && left.len > 0 && left.ptr[0] != ':') {
        if (left.ptr[0] != '~' && left.ptr[0] != '^' && left.ptr[0] != '@')
            return refuse(r, BOUGH_EINVAL, "malformed revision", rev);
        err = suffix_take(r, &left, out);
    }
    if (err == BOUGH_OK && left.len > 0)
        return path_take(r, view_from(left, 1), out);
    if (err == BOUGH_OK && bough_store_has(r->store, out) == BOUGH_ENOENT)
        return refuse(r, BOUGH_ENOENT, "unknown revision", rev);
    return err;
}
