/*
 * open.c - opening a store; docs/format.md 9.
 *
 *   base     superblocks, and the newest checkpoint that is whole
 *   mount    who opens for writing says so before it writes
 *   start    the log behind the checkpoint
 *   why      what is wrong with a device that cannot be opened
 *
 * Who wants what is left of a store (past_damage) gets it where superblocks or checkpoints are
 * damaged, too: all roots that are still there are looked for (scan.c), and where none is, all frames.
 */
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

struct opening {
    struct bough_block *dev;
    const struct bough_env *env;
    const struct bough_log_open_opts *opts; /* or NULL */
    struct bough_log__supers *all;
    struct bough_log *log; /* what is opened */
    struct bough_why why;  /* err set: why it cannot be */
    bool scanned;          /* roots were looked for on the whole device */
    bool cut;              /* the device is shorter than the store */
};

/* ---- Base ---- */

static bool is_past(const struct opening *o)
{
    return o->opts != NULL && o->opts->read_only && o->opts->past_damage;
}

static enum bough_err why_say(struct opening *o, enum bough_err err, const char *what)
{
    return BOUGH_WHY(&o->why, err, what, NULL, 0);
}

/* All roots that there are, when it is for who wants what is left. */
static enum bough_err roots_scan(struct opening *o, enum bough_err err)
{
    enum bough_err found;

    if (!is_past(o) || o->scanned || (err != BOUGH_ECORRUPT && err != BOUGH_ENOENT))
        return err;
    o->scanned = true;
    found = bough_log__supers_scan(o->dev, o->env->mem, o->all);
    return found == BOUGH_ENOENT ? err : found;
}

static void base_drop(struct opening *o)
{
    if (o->log != NULL)
        bough_store_close(&o->log->store);
    o->log = NULL;
}

/* The newest checkpoint that is whole; each attempt begins with a fresh store. */
static enum bough_err base_try(struct opening *o)
{
    const struct bough_log__supers *all = o->all;
    enum bough_err err = BOUGH_ECORRUPT;

    for (uint32_t i = 0; i < all->n && err == BOUGH_ECORRUPT; i++) {
        const struct bough_log__super *s = &all->s[i];

        if (i > 0 && s->checkpoint == all->s[i - 1].checkpoint)
            continue; /* the same, tried already */
        base_drop(o);
        err = bough_log__new(o->dev, o->env, o->opts, &all->geo, &o->log);
        if (!err)
            err = bough_log__root_load(o->log, s);
        if (!err)
            o->log->super = o->log->root = *s;
    }
    return err;
}

/* `N bytes, and its superblock says M`, as the key of a reason. */
static void say_lengths(struct bough_why *why, uint64_t is, uint64_t should)
{
    static const char between[] = " bytes, and the superblock says ";
    uint64_t both[2] = {is, should};
    size_t len = 0;
    char text[96];

    for (size_t k = 0; k < 2; k++) {
        char digits[20];
        size_t n = 0;

        do {
            digits[n++] = (char)('0' + both[k] % 10);
            both[k] /= 10;
        } while (both[k] > 0);
        while (n > 0)
            text[len++] = digits[--n];
        if (k == 0) {
            memcpy(text + len, between, sizeof between - 1);
            len += sizeof between - 1;
        }
    }
    (void)BOUGH_WHY(why, BOUGH_ECORRUPT, "the device is shorter than its store", text, len);
    why->at = is;
}

/* A device that was cut is opened for who wants what is left only. */
static enum bough_err length_check(struct opening *o)
{
    uint64_t is = o->dev->count * o->dev->unit;
    uint64_t should = (uint64_t)o->all->geo.zones * o->all->geo.zone;

    if (should <= is)
        return BOUGH_OK;
    say_lengths(&o->why, is, should);
    o->cut = true;
    return is_past(o) ? BOUGH_OK : BOUGH_ECORRUPT;
}

/* What is noted as damage of what was found. */
static void base_note(struct opening *o, uint32_t supers, uint64_t newest)
{
    struct bough_why why = {.err = BOUGH_ECORRUPT, .at = newest};

    if (o->cut)
        bough_log__damage_note(o->log, &o->why);
    if (supers == 0)
        why.what = "no superblock is left; a checkpoint was found without one";
    else if (o->log->super.checkpoint < newest)
        why.what = "the newest checkpoint is damaged; one before it was taken";
    if (why.what != NULL)
        bough_log__damage_note(o->log, &why);
}

/* No root is left, but it is known which store it was: an empty one, and all frames that there are. */
static enum bough_err frames_load(struct opening *o, const struct bough_log__super *newest)
{
    const struct bough_why why = {.err = BOUGH_ECORRUPT,
        .what = "no checkpoint is whole; what frames of the log have was taken",
        .at = newest->checkpoint};
    enum bough_err err;

    base_drop(o);
    o->all->s[0] = *newest;
    err = bough_log__new(o->dev, o->env, o->opts, &o->all->geo, &o->log);
    if (err)
        return err;
    o->log->super = o->log->root = *newest;
    o->log->next_segment = o->log->next_table = 1;
    o->log->next_record = 1;
    o->log->rootless = true;
    if (o->cut)
        bough_log__damage_note(o->log, &o->why);
    bough_log__damage_note(o->log, &why);
    return BOUGH_OK;
}

static enum bough_err base_load(struct opening *o)
{
    struct bough_log__supers *all = o->all;
    enum bough_err err = bough_log__supers_find(o->dev, o->env->mem, all);
    uint32_t supers = err ? 0 : all->n;
    struct bough_log__super newest;

    if (err)
        err = roots_scan(o, err);
    if (err == BOUGH_ENOTSUP) {
        o->why = all->unread;
        return err;
    }
    if (err)
        return why_say(o, err,
            err == BOUGH_ENOENT     ? "no store on this device"
            : err == BOUGH_ECORRUPT ? "no superblock is whole"
            : err == BOUGH_ENOMEM   ? "no memory to open a store"
                                    : "the superblocks could not be read");
    newest = all->s[0];
    err = length_check(o);
    if (err)
        return err;
    err = base_try(o);
    if (err == BOUGH_ECORRUPT && !o->scanned) {
        err = roots_scan(o, err);
        if (!err)
            err = base_try(o);
    }
    if (!err)
        base_note(o, supers, supers > 0 ? newest.checkpoint : o->log->super.checkpoint);
    else if (err == BOUGH_ECORRUPT && is_past(o))
        err = frames_load(o, &newest);
    else if (err == BOUGH_ECORRUPT && !o->cut)
        (void)why_say(o, err, "no checkpoint is whole");
    return err;
}

/* ---- Mount ---- */

/* Say that we are here: what was replayed is durable after this, and tails of before are void.
   Said in both rings: without the epoch this mount's frames could not be told from tails. */
static enum bough_err mount(struct bough_log *l, const struct bough_log__supers *all)
{
    uint8_t skip[4];
    enum bough_err err = BOUGH_OK;

    /* Frames of a process that ended before their flush were read back from a cache, perhaps. */
    if (l->head.seq > all->s[0].mount_seq)
        err = bough_log__flush(l);
    if (err)
        return err;
    l->super.compat = all->s[0].compat;
    l->super.generation = all->s[0].generation;
    l->super.epoch = all->s[0].epoch + 1;
    bough_log__settle_init(l, all);
    if (l->settle.on) { /* the epoch of a mount whose superblocks were lost is not used again */
        bough_env_random(l->store.env, skip, sizeof skip);
        l->super.epoch += bough_get32le(skip) >> 8;
    }
    l->super.mount_seq = l->head.seq;
    bough_log__super_mounts(&l->super, &all->s[0]);
    l->given_up = l->head.seq; /* a torn frame may lie where the log goes on */
    l->made = all->s[0].checkpoint;
    bough_env_random(l->store.env, &l->super.nonce, sizeof l->super.nonce);
    if (l->super.checkpoint == all->s[0].checkpoint && l->root_run.n > 0) {
        l->open_zone = l->root_run.zones[l->root_run.n - 1];
        l->open_at = (uint32_t)(bough_log__up(l->root_run.start + l->root_run.len, l->geo.align) -
                                (uint64_t)(l->root_run.n - 1) * l->geo.zone);
    }
    bough_log__zones_mount(l);
    l->head.spare = bough_log__zones_room(l) + 1 < bough_log__reserve(l);
    l->store.tight = l->head.spare;
    if (!l->settle.on)
        l->durable_to = l->head.seq - 1;
    err = bough_log__supers_heal(l, all);
    if (!err)
        err = bough_log__super_write(l, false);
    if (!err)
        err = bough_log__super_write(l, true);
    if (err)
        return err;
    l->owner_checked = bough_env_now(l->store.env).sec;
    if (!l->settle.on)
        l->zones.durable = l->super.checkpoint;
    l->mounted = true;
    bough_log__zones_release(l);
    return bough_log__settle_move(l);
}

static enum bough_err next_claim(struct bough_log *l)
{
    if (l->head.next == 0)
        return BOUGH_OK;
    return bough_log__zone_claim(l, l->head.next, BOUGH_LOG__ZONE_LOG);
}

/* ---- Start ---- */

static enum bough_err log_start(struct opening *o)
{
    struct bough_log *l = o->log;
    const struct bough_log__supers *all = o->all;
    enum bough_err err;

    err = bough_log__replay(l, &all->s[0]);
    if (!err)
        err = next_claim(l);
    bough_log__zones_count(l);
    if (err == BOUGH_ECORRUPT && l->opts.read_only) {
        bough_log__damage_note(l, &l->store.why); /* what is whole can be read */
        l->lost_to = UINT64_MAX;
        err = BOUGH_OK;
    }
    if (!err && l->rootless && l->segments == 0)
        err = o->cut ? BOUGH_ECORRUPT
                     : why_say(o, BOUGH_ECORRUPT, "no checkpoint is whole, and no frame is left");
    if (l->rootless)
        l->lost_to = UINT64_MAX;
    if (!err && l->opts.read_only && l->opts.past_damage)
        err = bough_log__past_rows(l);
    for (uint32_t i = 0; i < l->damages && !err; i++)
        bough_env_log(l->store.env, BOUGH_LOG_WARN, l->damage[i].what);
    if (all->s[0].ro_compat != 0) {
        if (!l->store.read_only)
            bough_env_log(l->store.env, BOUGH_LOG_WARN,
                "made with a feature that this build does not know: open for reading only");
        l->store.read_only = true;
    }
    if (!err && !l->store.read_only)
        err = mount(l, all);
    return err;
}

/* ---- Open ---- */

enum bough_err bough_log_open(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_open_opts *opts, struct bough_store **out, struct bough_why *why)
{
    struct opening o = {.dev = dev, .env = env, .opts = opts};
    enum bough_err err;

    *out = NULL;
    o.all = bough_mem_alloc(env->mem, sizeof *o.all);
    if (o.all == NULL)
        return BOUGH_WHY(why, BOUGH_ENOMEM, "no memory to open a store", NULL, 0);
    o.all->fresh = false;
    err = base_load(&o);
    if (!err)
        err = log_start(&o);
    if (err && why != NULL) {
        *why = o.why.err == err                               ? o.why
               : o.log != NULL && o.log->store.why.err == err ? o.log->store.why
                                                              : (struct bough_why){.err = BOUGH_OK};
        if (why->err != err)
            (void)BOUGH_WHY(why, err, "the store could not be opened", NULL, 0);
    }
    bough_mem_free(env->mem, o.all, sizeof *o.all);
    if (err)
        base_drop(&o);
    else
        *out = &o.log->store;
    return err;
}
