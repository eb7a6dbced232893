/*
 * range.c - names looked up in large trees that are not decoded.
 *
 *   worth       is a tree better decoded?
 *   windows     a stretch of the tree's body, in memory
 *   entries     one, from where it begins
 *   boundaries  where entries begin behind any byte
 *   bisection   the first entry that is not before a name
 *   finding     a name; the next one in byte order
 *
 * A tree is entries `mode SP name NUL id` without marks between them, in the order of their names.
 * Where does an entry begin behind byte p?  If p is in a mode or a name, or on the NUL, then the
 * next entry begins a NUL and an id behind the first NUL from p on; else p is in an id, or is
 * itself a beginning, and the next entry begins at most an id's length behind p.  One of these few
 * places is the right one.  From each of them entries are decoded onwards: what cannot be decoded
 * is none, and the right one always can; once all that are left have met in one place, this is
 * where an entry begins, whatever names and ids say.  Bytes made to keep wrong places going cost
 * time, not truth: then entries are decoded from the last place that is known.
 *
 * Trees are taken to be in order, as git takes them; git's fsck refuses others.
 */
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/range_inner.h"

enum {
    PROBE = 512,            /* bytes of a window, at first */
    NEAR = 2048,            /* bytes that are decoded one entry after the other */
    SYNC_MAX = 64 * 1024,   /* bytes in which the places must meet */
    SMALL = 256 * 1024,     /* bytes that are decoded as fast as they are looked in */
    LOOK_COSTS = 16 * 1024, /* bytes that are decoded in the time of a look */
    MODE_DIGITS_MAX = 8,
};

/* ---- Worth ---- */

static struct bough_repo__range *range_of(struct bough_repo *r, const struct bough_oid *id)
{
    struct bough_repo__range *best = &r->range[0];

    for (int i = 0; i < BOUGH_REPO__RANGES; i++) {
        struct bough_repo__range *x = &r->range[i];

        if (x->used > 0 && bough_oid_eq(&x->id, id)) {
            x->used = ++r->range_clock;
            return x;
        }
        if (x->used < best->used)
            best = x;
    }
    *best = (struct bough_repo__range){.id = *id, .used = ++r->range_clock};
    return best;
}

bool bough_repo__range_can(struct bough_repo *r, const struct bough_oid *id)
{
    struct bough_object *o;

    return !bough_store_object_lend(r->store, id, &o) && o->jumps && o->type == BOUGH_TREE;
}

bool bough_repo__range_serves(struct bough_repo *r, const struct bough_oid *id, uint64_t size)
{
    struct bough_repo__range *x = range_of(r, id);

    if (size / 2 <= r->cache.limit && (size < SMALL || x->looks >= (size - SMALL) / LOOK_COSTS))
        return false;
    x->looks++;
    return bough_repo__range_can(r, id);
}

/* ---- Windows ---- */

struct window {
    struct bough_repo *r;
    const struct bough_oid *id;
    struct bough_buf *buf; /* bytes from `at` on */
    uint64_t at, size;     /* of the tree */
    struct bough_repo__range *range;
};

static enum bough_err window_open(struct window *w)
{
    struct bough_object *o;
    enum bough_err err = bough_store_object_lend(w->r->store, w->id, &o);

    if (err) {
        w->r->why = w->r->store->why;
        return err == BOUGH_ENOENT ? bough_repo__node_broken(w->r, w->id) : err;
    }
    w->size = o->size;
    w->range = range_of(w->r, w->id);
    return o->type == BOUGH_TREE ? BOUGH_OK : bough_repo__node_broken(w->r, w->id);
}

/* The window goes to [at, at + n), or to the end of the tree. */
static enum bough_err window_read(struct window *w, uint64_t at, size_t n)
{
    struct bough_object *o;
    enum bough_err err = bough_store_object_lend(w->r->store, w->id, &o);
    size_t got = 0;
    uint8_t *dst;

    bough_buf_clear(w->buf);
    n = n < w->size - at ? n : (size_t)(w->size - at);
    dst = bough_buf_room(w->buf, n);
    if (!err && dst == NULL && n > 0)
        err = w->buf->err;
    else if (!err)
        err = bough_object_read(o, at, dst, n, &got);
    if (err)
        w->r->why = w->r->store->why;
    w->at = at;
    w->buf->len = err ? 0 : got;
    return err;
}

/* What of the window lies at and behind `at`. */
static struct bough_view window_from(const struct window *w, uint64_t at)
{
    size_t skip = at < w->at || at - w->at > w->buf->len ? w->buf->len : (size_t)(at - w->at);

    return bough_view(w->buf->ptr + skip, w->buf->len - skip);
}

static bool window_ends(const struct window *w)
{
    return w->at + w->buf->len == w->size;
}

/* ---- Entries ---- */

struct entry {
    uint64_t at, next;
    struct bough_view name; /* in the window */
    enum bough_repo__mode mode;
    const uint8_t *id;
    bool end; /* there is none: this is the tree's end */
};

/* BOUGH_EAGAIN: it may go on behind `bytes`; BOUGH_EFORMAT: it is none. */
static enum bough_err entry_parse(struct bough_view bytes, uint32_t hash_len, struct entry *out)
{
    uint32_t mode = 0;
    size_t i = 0, from;

    for (; i < bytes.len && i <= MODE_DIGITS_MAX && bytes.ptr[i] != ' '; i++) {
        if (bytes.ptr[i] < '0' || bytes.ptr[i] > '7')
            return BOUGH_EFORMAT;
        mode = mode << 3 | (uint32_t)(bytes.ptr[i] - '0');
    }
    if (i > MODE_DIGITS_MAX || (i == 0 && bytes.len > 0))
        return BOUGH_EFORMAT;
    if (++i > bytes.len)
        return BOUGH_EAGAIN;
    from = i;
    i = (size_t)(bough_repo__nul_find(bytes.ptr + from, bytes.ptr + bytes.len) - bytes.ptr);
    if (i == from && i < bytes.len)
        return BOUGH_EFORMAT;
    if (i >= bytes.len || bytes.len - i < (size_t)hash_len + 1)
        return BOUGH_EAGAIN;
    out->name = bough_view(bytes.ptr + from, i - from);
    out->mode = bough_repo__mode_class(mode);
    out->id = bytes.ptr + i + 1;
    out->next = out->at + i + 1 + hash_len;
    return BOUGH_OK;
}

/* The entry that begins at `at`, which is known. */
static enum bough_err entry_read(struct window *w, uint64_t at, struct entry *out)
{
    *out = (struct entry){.at = at, .end = at == w->size};
    if (out->end)
        return BOUGH_OK;
    for (size_t n = PROBE;; n *= 4) {
        enum bough_err err = entry_parse(window_from(w, at), w->r->hash_len, out);

        if (err == BOUGH_OK)
            return err;
        if (err == BOUGH_EFORMAT || (window_ends(w) && w->at <= at))
            return bough_repo__node_broken(w->r, w->id);
        err = window_read(w, at, n);
        if (err)
            return err;
    }
}

static bool entry_before(const struct entry *e, struct bough_view name, bool dir)
{
    return !e->end && bough_tree_name_cmp(e->name, e->mode == BOUGH_REPO__DIR, name, dir) < 0;
}

/* ---- Boundaries ---- */

enum { PLACES_MAX = BOUGH_DIGEST_MAX + 2 };

/* Where an entry may begin, ascending. */
struct places {
    uint64_t at[PLACES_MAX];
    size_t n;
};

static void place_put(struct places *p, uint64_t at)
{
    size_t i = p->n;

    while (i > 0 && p->at[i - 1] > at)
        i--;
    if (i > 0 && p->at[i - 1] == at)
        return;
    memmove(p->at + i + 1, p->at + i, (p->n - i) * sizeof *p->at);
    p->at[i] = at;
    p->n++;
}

static void place_drop(struct places *p)
{
    memmove(p->at, p->at + 1, --p->n * sizeof *p->at);
}

/* All places where the first entry behind `at` can begin.  BOUGH_EAGAIN: the window is too short. */
static enum bough_err places_init(const struct window *w, uint64_t at, struct places *p)
{
    struct bough_view bytes = window_from(w, at);
    uint32_t hash_len = w->r->hash_len;
    size_t nul = (size_t)(bough_repo__nul_find(bytes.ptr, bytes.ptr + bytes.len) - bytes.ptr);

    p->n = 0;
    if (nul == bytes.len && !window_ends(w))
        return BOUGH_EAGAIN;
    for (uint32_t i = 0; i <= hash_len && at + i <= w->size; i++)
        place_put(p, at + i);
    if (at + nul + 1 + hash_len <= w->size)
        place_put(p, at + nul + 1 + hash_len);
    return BOUGH_OK;
}

/* Decode onwards until the places have met.  BOUGH_EAGAIN: not within the window. */
static enum bough_err places_meet(const struct window *w, struct places *p)
{
    while (p->n > 1) {
        struct entry e = {.at = p->at[0]};
        enum bough_err err = entry_parse(window_from(w, e.at), w->r->hash_len, &e);

        if (err == BOUGH_EAGAIN && !window_ends(w))
            return err;
        place_drop(p);
        if (err == BOUGH_OK && e.next <= w->size)
            place_put(p, e.next);
    }
    return p->n == 1 ? BOUGH_OK : bough_repo__node_broken(w->r, w->id);
}

/* Where an entry begins, or the tree's end, at or behind `at`.  BOUGH_ENOTSUP: it cannot be told. */
static enum bough_err boundary(struct window *w, uint64_t at, uint64_t *out)
{
    for (size_t n = PROBE; n <= SYNC_MAX; n *= 4) {
        struct places p = {.n = 0};
        enum bough_err err = window_read(w, at, n);

        if (err)
            return err;
        err = places_init(w, at, &p);
        if (err == BOUGH_OK)
            err = places_meet(w, &p);
        *out = p.at[0];
        if (err != BOUGH_EAGAIN)
            return err;
    }
    return BOUGH_ENOTSUP;
}

/* ---- Bisection ---- */

/* Decode from `at` on up to the first entry that is not before (name, dir). */
static enum bough_err scan(
    struct window *w, uint64_t at, struct bough_view name, bool dir, struct entry *out)
{
    enum bough_err err = entry_read(w, at, out);

    while (err == BOUGH_OK && entry_before(out, name, dir))
        err = entry_read(w, out->next, out);
    w->range->looks += (uint32_t)((out->at - at) / LOOK_COSTS);
    return err;
}

/* The same entry, when it is near the one that was found last: who lists asks for the next. */
static enum bough_err seek_near(
    struct window *w, struct bough_view name, bool dir, struct entry *out, bool *found)
{
    uint64_t last = w->range->last;
    enum bough_err err;

    *found = false;
    if (last == 0 || last >= w->size)
        return BOUGH_OK;
    err = entry_read(w, last, out);
    if (err || !entry_before(out, name, dir))
        return err;
    while (err == BOUGH_OK && entry_before(out, name, dir) && out->at - last < PROBE)
        err = entry_read(w, out->next, out);
    *found = err == BOUGH_OK && !entry_before(out, name, dir);
    return err;
}

/* The first entry that is not before (name, dir), or the end. */
static enum bough_err seek(struct window *w, struct bough_view name, bool dir, struct entry *out)
{
    uint64_t lo = 0, hi = w->size; /* what begins at lo is before it, but for 0; at hi not */
    uint64_t top = hi;             /* nothing is known to begin between top and hi */
    bool found;
    enum bough_err err = seek_near(w, name, dir, out, &found);

    while (err == BOUGH_OK && !found && top - lo > NEAR) {
        uint64_t mid = lo + (top - lo) / 2, at = 0;
        struct entry e;

        err = boundary(w, mid, &at);
        if (err == BOUGH_ENOTSUP || (err == BOUGH_OK && at >= hi)) {
            top = mid;
            err = BOUGH_OK;
            continue;
        }
        if (err == BOUGH_OK)
            err = entry_read(w, at, &e);
        if (err)
            return err;
        if (entry_before(&e, name, dir))
            lo = at;
        else
            hi = at;
        top = top < hi ? top : hi;
        if (lo > top)
            top = hi;
    }
    if (err == BOUGH_OK && !found)
        err = scan(w, lo, name, dir, out);
    if (err == BOUGH_OK)
        w->range->last = out->end ? 0 : out->at;
    return err;
}

/* ---- Finding ---- */

static enum bough_err entry_say(struct window *w, const struct entry *e, struct bough_view name,
    struct bough_repo__range_entry *out)
{
    *out = (struct bough_repo__range_entry){.name = name, .mode = e->mode};
    memcpy(out->id.bytes, e->id, w->r->hash_len);
    return BOUGH_OK;
}

static bool begins_with(struct bough_view name, struct bough_view with)
{
    return name.len >= with.len && memcmp(name.ptr, with.ptr, with.len) == 0;
}

enum bough_err bough_repo__range_find(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view name, struct bough_buf *buf, struct bough_repo__range_entry *out)
{
    struct window w = {.r = r, .id = id, .buf = buf};
    struct entry e;
    enum bough_err err = window_open(&w);

    if (err == BOUGH_OK)
        err = seek(&w, name, false, &e);
    /* Names that begin with this one stand between it as a value and it as a directory. */
    if (err == BOUGH_OK && !e.end && e.name.len > name.len && begins_with(e.name, name))
        err = seek(&w, name, true, &e);
    if (err)
        return err;
    return e.end || !bough_view_eq(e.name, name) ? BOUGH_ENOENT : entry_say(&w, &e, e.name, out);
}

/*
 * A directory stands behind the names that begin with its own and go on with less than '/', but
 * before them in byte order: is one of them next in place of `first`, and greater than `after`?
 */
static enum bough_err next_dir(struct window *w, struct bough_view first, struct bough_view after,
    struct bough_repo__range_entry *out)
{
    for (size_t n = 1; n < first.len; n++) {
        struct bough_view name = bough_view(first.ptr, n);
        struct entry e;
        enum bough_err err;

        if (first.ptr[n] >= '/' || bough_view_cmp(name, after) <= 0)
            continue;
        err = seek(w, name, true, &e);
        if (err)
            return err;
        if (!e.end && bough_view_eq(e.name, name))
            return entry_say(w, &e, name, out);
    }
    return BOUGH_ENOENT;
}

enum bough_err bough_repo__range_next(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view after, struct bough_buf *buf, struct bough_repo__range_entry *out)
{
    struct bough_buf bytes;
    struct window w = {.r = r, .id = id, .buf = &bytes};
    struct bough_repo__range_entry dir;
    struct entry e;
    enum bough_err err;

    bough_buf_init(&bytes, r->mem);
    err = window_open(&w);
    if (err == BOUGH_OK)
        err = seek(&w, after, false, &e);
    while (err == BOUGH_OK && !e.end && bough_view_cmp(e.name, after) <= 0)
        err = entry_read(&w, e.next, &e); /* it, or a directory whose name it begins with */
    if (err == BOUGH_OK && e.end)
        err = BOUGH_ENOENT;
    if (err == BOUGH_OK) {
        bough_buf_clear(buf);
        bough_buf_put_view(buf, e.name);
        err = buf->err ? buf->err : entry_say(&w, &e, bough_buf_view(buf), out);
    }
    if (err == BOUGH_OK) {
        err = next_dir(&w, out->name, after, &dir);
        if (err == BOUGH_OK)
            *out = dir;
        err = err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    bough_buf_fini(&bytes);
    return err;
}
