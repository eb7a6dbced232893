/*
 * births.c - when was what lies at a locator written?
 *
 * Places in the log and times, both ascending: what lies at or behind a place was written at or
 * after its time, as segments are numbered in the order of time.  There are few of them: when
 * they are too many, two neighbours become one with the earlier place and the later time, so
 * nothing ever looks older than it is.
 */
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/zone_inner.h"

enum { GRAIN = 1 }; /* seconds: what is written again within them need not be */

static uint64_t now_of(const struct bough_log *l)
{
    struct bough_time t = bough_env_now(l->store.env);

    return t.sec < 0 ? 0 : (uint64_t)t.sec;
}

/* The two whose times are closest together become one; the newest ones stay. */
static void births_thin(struct bough_log__births *b)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i + 2 < b->n; i++) {
        if (b->at[i + 1].time - b->at[i].time < b->at[best + 1].time - b->at[best].time)
            best = i;
    }
    b->at[best].time = b->at[best + 1].time;
    memmove(&b->at[best + 1], &b->at[best + 2], (b->n - best - 2) * sizeof b->at[0]);
    b->n--;
}

void bough_log__births_note(struct bough_log *l)
{
    struct bough_log__births *b = &l->births;
    uint64_t where = bough_log__where(l->head.segment, l->head.at), now = now_of(l);

    if (b->n > 0 && now < b->at[b->n - 1].time + GRAIN)
        return;
    if (b->n > 0 && b->at[b->n - 1].where == where) {
        b->at[b->n - 1].time = now;
        return;
    }
    if (b->n == BOUGH_LOG__BIRTHS_MAX)
        births_thin(b);
    b->at[b->n++] = (struct bough_log__birth){where, now};
}

bool bough_log__births_is_now(const struct bough_log *l, uint64_t where)
{
    const struct bough_log__births *b = &l->births;

    return b->n > 0 && where >= b->at[b->n - 1].where;
}

uint64_t bough_log__births_since(const struct bough_log *l, uint64_t age)
{
    const struct bough_log__births *b = &l->births;
    uint64_t now = now_of(l);

    for (uint32_t i = 0; i < b->n && age > 0; i++) {
        if (b->at[i].time + age > now || b->at[i].time + age < age)
            return b->at[i].where;
    }
    return UINT64_MAX;
}

void bough_log__births_encode(const struct bough_log *l, struct bough_buf *b)
{
    for (uint32_t i = 0; i < l->births.n; i++) {
        bough_buf_put64le(b, l->births.at[i].where);
        bough_buf_put64le(b, l->births.at[i].time);
    }
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
