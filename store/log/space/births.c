/*
 * births.c - when was what lies at a locator written?
 *
 *   the log   places in it and times, both ascending, as segments are numbered in the order of time
 *   packs     places in pack segments: what came with a push, and what a collection moved, which keeps its time
 *   asking    the time of a place, or the latest of a segment
 *   items     docs/format.md 5
 *
 * Invariant: nothing ever looks older than it is.  There are few places in the log: when they are too many,
 * two neighbours become one with the earlier place and the later time, those whose times are closest for
 * their age, so that an age is known to about an eighth.  What lies in a pack segment of which nothing is
 * noted has its time by the segment's number.
 */
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/zone_inner.h"

enum { GRAIN = 1 }; /* seconds: what is written again within them need not be */
enum { BLUR = 6 * 3600, OLD = 90 * 86400, AGE_MAX = 1 << 30, COARSE = 3 }; /* ages, in seconds */

static uint64_t now_of(const struct bough_log *l)
{
    struct bough_time t = bough_env_now(l->store.env);

    return t.sec < 0 ? 0 : (uint64_t)t.sec;
}

/* ---- The log ---- */

/* To how much an age has to be known. */
static uint64_t scale_of(uint64_t now, uint64_t time)
{
    uint64_t age = now > time ? now - time : 0;

    if (age < BLUR)
        return BLUR;
    age = age < AGE_MAX ? age : AGE_MAX;
    return age > OLD ? COARSE * age : age;
}

/* Of how many seconds nobody can tell any more when number i takes the time of the one after it. */
static uint64_t blur_of(const struct bough_log__births *b, uint32_t i)
{
    uint64_t blur = b->at[i + 1].time - b->at[i - 1].time;

    return blur < AGE_MAX ? blur : AGE_MAX;
}

/* Two become one; the first one and the newest stay. */
static void births_thin(struct bough_log__births *b, uint64_t now)
{
    uint32_t best = 1;

    for (uint32_t i = 2; i + 2 < b->n; i++) {
        if (blur_of(b, i) * scale_of(now, b->at[best + 1].time) <
            blur_of(b, best) * scale_of(now, b->at[i + 1].time))
            best = i;
    }
    b->at[best].time = b->at[best + 1].time;
    memmove(&b->at[best + 1], &b->at[best + 2], (b->n - best - 2) * sizeof b->at[0]);
    b->n--;
}

static void note(struct bough_log__births *b, uint64_t where, uint64_t time)
{
    if (b->n > 0 && time < b->at[b->n - 1].time + GRAIN)
        return;
    if (b->n > 0 && b->at[b->n - 1].where == where) {
        b->at[b->n - 1].time = time;
        return;
    }
    if (b->n == BOUGH_LOG__BIRTHS_MAX)
        births_thin(b, time);
    b->at[b->n++] = (struct bough_log__birth){where, time};
}

void bough_log__births_note(struct bough_log *l)
{
    note(&l->births, bough_log__where(l->head.segment, l->head.at), now_of(l));
}

void bough_log__births_replay(struct bough_log *l, uint64_t where, uint64_t time)
{
    note(&l->births, where, time != 0 ? time : now_of(l));
}

uint64_t bough_log__births_last(const struct bough_log *l)
{
    return l->births.n > 0 ? l->births.at[l->births.n - 1].time : 0;
}

/* ---- Packs ---- */

size_t bough_log__births_room(const struct bough_log *l)
{
    enum { MOST = 1024, EACH = 2 };

    return l->geo.zones < MOST / EACH ? EACH * (size_t)l->geo.zones : MOST;
}

void bough_log__births_packs_fini(struct bough_log *l, struct bough_log__places *p)
{
    bough_mem_free(l->mem, p->at, p->cap * sizeof *p->at);
    *p = (struct bough_log__places){NULL, 0, 0};
}

enum bough_err bough_log__births_add(
    struct bough_log *l, struct bough_log__places *p, struct bough_log__birth birth)
{
    void *ptr = p->at;
    enum bough_err err = bough_mem_grow(l->mem, &ptr, &p->cap, p->n + 1, sizeof *p->at);

    p->at = ptr;
    if (!err)
        p->at[p->n++] = birth;
    return err;
}

void bough_log__births_adopted(struct bough_log *l, uint32_t segment)
{
    struct bough_log__places *p = &l->births.packs;
    struct bough_log__birth birth = {bough_log__where(segment, 0), bough_log__births_last(l)};
    size_t i = p->n;

    if (p->n >= bough_log__births_room(l) / 2 || bough_log__births_add(l, p, birth) != BOUGH_OK)
        return; /* what was moved needs the room more */
    for (; i > 0 && p->at[i - 1].where > birth.where; i--)
        p->at[i] = p->at[i - 1];
    p->at[i] = birth;
}

/* ---- Asking ---- */

/* The last that is not behind `where`: so many are before the end of it. */
static size_t upto(const struct bough_log__birth *at, size_t n, uint64_t where)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (at[mid].where <= where)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool is_of(const struct bough_log__birth *b, uint64_t where)
{
    return bough_log__where_segment(b->where) == bough_log__where_segment(where);
}

bool bough_log__births_noted(const struct bough_log *l, uint32_t segment)
{
    const struct bough_log__places *p = &l->births.packs;
    uint64_t where = bough_log__where(segment, 0);
    size_t i = upto(p->at, p->n, where);

    return i > 0 && is_of(&p->at[i - 1], where);
}

uint64_t bough_log__births_of(const struct bough_log *l, uint64_t where)
{
    const struct bough_log__births *b = &l->births;
    size_t i = upto(b->packs.at, b->packs.n, where);

    if (i > 0 && is_of(&b->packs.at[i - 1], where))
        return b->packs.at[i - 1].time;
    i = upto(b->at, b->n, where);
    return i > 0 ? b->at[i - 1].time : 0;
}

uint64_t bough_log__births_latest(const struct bough_log *l, uint32_t segment)
{
    const struct bough_log__places *p = &l->births.packs;
    uint64_t end = bough_log__where(segment + 1, 0) - 1, time = bough_log__births_of(l, end);

    for (size_t i = upto(p->at, p->n, end); i > 0 && is_of(&p->at[i - 1], end); i--)
        time = p->at[i - 1].time > time ? p->at[i - 1].time : time;
    return time;
}

bool bough_log__births_is_now(const struct bough_log *l, uint64_t where)
{
    const struct bough_log__births *b = &l->births;

    return b->n > 0 && bough_log__births_of(l, where) >= b->at[b->n - 1].time;
}

uint64_t bough_log__births_since(const struct bough_log *l, uint64_t age)
{
    uint64_t now = now_of(l);

    return age == 0 ? UINT64_MAX : now >= age ? now - age + 1 : 0;
}

/* ---- Items ---- */

static void places_encode(const struct bough_log__birth *at, size_t n, struct bough_buf *b)
{
    for (size_t i = 0; i < n; i++) {
        bough_buf_put64le(b, at[i].where);
        bough_buf_put64le(b, at[i].time);
    }
}

void bough_log__births_encode(const struct bough_log *l, struct bough_buf *b)
{
    places_encode(l->births.at, l->births.n, b);
}

void bough_log__births_packs_encode(const struct bough_log *l, struct bough_buf *b)
{
    places_encode(l->births.packs.at, l->births.packs.n, b);
}

enum bough_err bough_log__births_decode(struct bough_log *l, struct bough_view body)
{
    struct bough_log__births *b = &l->births;
    uint64_t where = 0, time = 0;

    if (body.len % 16 != 0 || body.len / 16 > BOUGH_LOG__BIRTHS_MAX)
        return BOUGH_ECORRUPT;
    for (b->n = 0; b->n < body.len / 16; b->n++) {
        const uint8_t *p = body.ptr + 16 * (size_t)b->n;
        b->at[b->n] = (struct bough_log__birth){bough_get64le(p), bough_get64le(p + 8)};
        if (b->at[b->n].where < where || b->at[b->n].time < time)
            return BOUGH_ECORRUPT;
        where = b->at[b->n].where;
        time = b->at[b->n].time;
    }
    return BOUGH_OK;
}

enum bough_err bough_log__births_packs_decode(struct bough_log *l, struct bough_view body)
{
    struct bough_log__places *p = &l->births.packs;
    enum bough_err err = body.len % 16 == 0 && p->n == 0 ? BOUGH_OK : BOUGH_ECORRUPT;

    for (size_t at = 0; at < body.len && !err; at += 16) {
        struct bough_log__birth birth = {
            bough_get64le(body.ptr + at), bough_get64le(body.ptr + at + 8)};

        if (p->n > 0 && p->at[p->n - 1].where >= birth.where)
            return BOUGH_ECORRUPT;
        err = bough_log__births_add(l, p, birth);
    }
    return err;
}
