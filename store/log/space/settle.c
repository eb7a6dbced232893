/*
 * settle.c - devices without flush: what is durable is told by time and by later writes.
 *
 * The device promises that a write has settled once so many seconds, or so many bytes of later
 * writes, have gone by.  "Durable" means settled here, and the rules of a device with flush hold
 * word for word:
 *
 *   1. A superblock is written when the root it names, and all before that, has settled; until
 *      then the root waits, and the log goes on from the superblock before it.
 *   2. A zone is free when a superblock that does without it has settled, and one checkpoint more.
 *   3. `durable_to` of a frame is the newest frame that has settled.
 *   4. The newest superblock that is known to have settled is not written over.
 *
 * So the newest commits can be lost, the store never: what the settled superblock names has
 * settled, and the chain behind it ends at the first frame that is not whole (replay.c).
 *
 *   marks   what was written up to a moment; when it settles, all of that has
 *   roots   those that wait for their superblock
 */
#include "store/log/inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

enum { SECONDS = 30, PARTS = 16 };
static const uint64_t bytes_default = 64 * 1024 * 1024;

void bough_log__settle_init(struct bough_log *l, const struct bough_log__supers *all)
{
    struct bough_log__settle *s = &l->settle;
    int64_t now = bough_env_now(l->store.env).sec;
    uint32_t i = 0;

    *s = (struct bough_log__settle){.on = !(l->dev->caps & BOUGH_BLOCK_SYNC)};
    if (!s->on)
        return;
    s->seconds = l->opts.settle_s > 0 ? l->opts.settle_s : SECONDS;
    s->bytes = l->opts.settle_bytes > 0 ? l->opts.settle_bytes : bytes_default;
    while (i < all->n && (all->s[i].written == 0 || now - all->s[i].written <= s->seconds))
        i++;
    if (i < all->n)
        l->zones.durable = all->s[i].checkpoint;
    s->generation = all->s[i < all->n ? i : 0].generation;
    bough_env_log(l->store.env, BOUGH_LOG_WARN,
        "this device cannot flush: after a power cut the newest commits may be lost");
}

static struct bough_log__moment moment_now(const struct bough_log *l)
{
    return (struct bough_log__moment){l->pages.written_bytes, bough_env_now(l->store.env).sec};
}

static bool has_settled(const struct bough_log *l, const struct bough_log__moment *now,
    const struct bough_log__moment *then)
{
    return now->bytes - then->bytes >= l->settle.bytes || now->sec - then->sec > l->settle.seconds;
}

/* The clock was set back: what waited begins to wait again, and not until that time comes anew. */
static void clock_back(struct bough_log__settle *s, const struct bough_log__moment *now)
{
    for (uint32_t i = 0; i < s->marks; i++) {
        if (s->mark[i].at.sec > now->sec)
            s->mark[i].at.sec = now->sec;
    }
    for (uint32_t i = 0; i < s->roots; i++) {
        if (s->root[i].at.sec > now->sec)
            s->root[i].at.sec = now->sec;
    }
}

/* ---- Marks ---- */

/* Does it pay to note what was written since the newest mark? */
static bool mark_is_due(const struct bough_log *l, const struct bough_log__moment *now)
{
    const struct bough_log__settle *s = &l->settle;
    const struct bough_log__mark *last = &s->mark[s->marks > 0 ? s->marks - 1 : 0];

    if (s->marks == 0)
        return l->durable_to < l->head.seq - 1 || s->generation < l->super.generation;
    return s->marks < BOUGH_LOG__MARKS && now->bytes > last->at.bytes &&
           (now->bytes - last->at.bytes >= s->bytes / PARTS ||
               now->sec - last->at.sec > s->seconds / PARTS);
}

static void marks_move(struct bough_log *l, const struct bough_log__moment *now)
{
    struct bough_log__settle *s = &l->settle;
    uint32_t n = 0;

    while (n < s->marks && has_settled(l, now, &s->mark[n].at))
        n++;
    if (n > 0) {
        const struct bough_log__mark *m = &s->mark[n - 1];

        l->durable_to = m->seq > l->durable_to ? m->seq : l->durable_to;
        s->generation = m->generation;
        l->zones.durable = m->checkpoint;
        s->marks -= n;
        memmove(s->mark, s->mark + n, s->marks * sizeof *s->mark);
        bough_log__zones_release(l);
    }
    if (mark_is_due(l, now))
        s->mark[s->marks++] = (struct bough_log__mark){
            *now, l->head.seq - 1, l->super.generation, l->super.checkpoint};
}

/* ---- Roots ---- */

void bough_log__settle_root(struct bough_log *l, const struct bough_log__super *root)
{
    struct bough_log__settle *s = &l->settle;

    if (s->roots == BOUGH_LOG__ROOTS)
        s->roots--; /* the newest that waits gives way: the oldest must have its turn */
    s->root[s->roots].super = *root;
    s->root[s->roots++].at = moment_now(l);
}

static enum bough_err roots_move(struct bough_log *l, const struct bough_log__moment *now)
{
    struct bough_log__settle *s = &l->settle;
    uint32_t n = 0;

    while (n < s->roots && has_settled(l, now, &s->root[n].at))
        n++;
    if (n == 0)
        return BOUGH_OK;
    bough_log__super_root(&l->super, &s->root[n - 1].super);
    s->roots -= n;
    memmove(s->root, s->root + n, s->roots * sizeof *s->root);
    return bough_log__super_write(l, false);
}

enum bough_err bough_log__settle_move(struct bough_log *l)
{
    struct bough_log__moment now;
    enum bough_err err;

    if (!l->settle.on || l->store.txn != NULL)
        return BOUGH_OK;
    now = moment_now(l);
    clock_back(&l->settle, &now);
    err = roots_move(l, &now);
    if (!err)
        marks_move(l, &now);
    return err;
}
