/*
 * bitmap_make.c - bitmaps for the first table, made in steps after a collection.
 *
 *   tips     HEAD's branch, then the refs in order of names: so many commits, peeled
 *   lines    the first-parent line of each, down to where it meets an earlier one: a joint
 *   picking  of a line: its tip, joints, and each so manieth commit
 *   marking  the oldest first: what a commit reaches, on top of what the one before it reaches
 *   writing  what was added, compressed; the directory, a checkpoint, the head at last
 *
 * Marking is the collection's (mark.c), with one table.  A commit that reaches something without
 * a row there has no bitmap, nor have those above it.  Each object is mostly looked at once.  In
 * memory: five bits for each place, and the picked commits of a line.
 *
 * The region is within the table's run, so that whatever becomes of the table becomes of it; and
 * nothing is believed before the head is there.  Anything that fails ends the making: a cache.
 */
#include "git/object.h"
#include "store/log/reach_inner.h"

enum { TIPS_MAX = 256, LINE_MAX = 512, EVERY = 5000, ROWS = 4096 };

struct line {
    struct bough_oid start; /* the tip, or the first one with a row */
};

struct bough_log__bitmapper {
    struct bough_log *log;
    uint32_t number; /* of the table */
    struct bough_log__cycle marks;
    enum { TIPS, LINES, PICK, BASE, MARK, WRITE, END } stage;
    uint8_t *lines, *joints, *prev, *all;
    size_t len;     /* bytes of each */
    uint64_t every; /* commits between bitmaps */

    struct line line[TIPS_MAX];
    uint32_t n, at; /* lines; the one under way */
    uint8_t ref_name[BOUGH_REF_NAME_MAX];
    size_t ref_len;

    struct bough_oid commit; /* of the walk along the line */
    bool walking, joined;
    uint64_t steps;
    struct bough_oid *picked; /* the newest first */
    size_t picked_n, picked_cap;

    struct bough_log__bitmaps maps; /* in the order of making, until the end */
    uint32_t base;                  /* of the next one, plus one */
    struct bough_log__bitmap_reader reader;
    uint8_t *decode;              /* NULL, or bits that a chain of bitmaps is being read to */
    uint32_t reading;             /* the bitmap of the chain, plus one */
    struct bough_log__bitmap map; /* being written */
    size_t write_at;
    struct bough_log__out out;
    struct bough_buf bytes;
};

/* ---- Begin, end ---- */

void bough_log__bitmaps_end(struct bough_log *l)
{
    struct bough_log__bitmapper *m = l->bitmapper;

    if (m == NULL)
        return;
    bough_mem_free(l->mem, m->lines, m->len);
    bough_mem_free(l->mem, m->joints, m->len);
    bough_mem_free(l->mem, m->prev, m->len);
    bough_mem_free(l->mem, m->all, m->len);
    bough_mem_free(l->mem, m->picked, m->picked_cap * sizeof *m->picked);
    bough_log__bitmaps_fini(l, &m->maps);
    bough_buf_fini(&m->reader.left);
    bough_buf_fini(&m->bytes);
    bough_log__out_fini(&m->out);
    bough_log__marks_fini(&m->marks);
    bough_mem_free(l->mem, m, sizeof *m);
    l->bitmapper = NULL;
}

static enum bough_err bits_new(struct bough_log__bitmapper *m, uint8_t **bits)
{
    *bits = bough_mem_zalloc(m->log->mem, m->len, 1);
    return *bits == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

static enum bough_err memory_begin(struct bough_log__bitmapper *m, const struct bough_log__table *t)
{
    struct bough_log *l = m->log;
    enum bough_err err = bough_log__marks_init(&m->marks);

    if (err)
        return err;
    bough_mem_free(l->mem, m->marks.bits, m->marks.bits_len);
    m->len = bough_log__places_len(l, t);
    m->marks.bits_len = m->len;
    err = bits_new(m, &m->marks.bits);
    if (!err)
        err = bits_new(m, &m->lines);
    if (!err)
        err = bits_new(m, &m->joints);
    if (!err)
        err = bits_new(m, &m->prev);
    return err ? err : bits_new(m, &m->all);
}

/* Is something else written behind the table's blocks, in the same zone? */
static bool zone_is_shared(const struct bough_log *l, const struct bough_log__table *t)
{
    uint64_t end = t->run.start + (uint64_t)t->blocks * BOUGH_LOG__BLOCK;
    uint32_t zone = t->run.zones[(end - 1) / l->geo.zone], n = 0;

    for (size_t i = 0; i < l->tables; i++) {
        for (uint32_t k = 0; k < l->table[i].run.n; k++)
            n += l->table[i].run.zones[k] == zone;
    }
    for (uint32_t i = 0; i < l->reftables; i++) {
        for (uint32_t k = 0; k < l->reftable[i].run.n; k++)
            n += l->reftable[i].run.zones[k] == zone;
    }
    for (uint32_t k = 0; k < l->root_run.n; k++)
        n += l->root_run.zones[k] == zone;
    return n > 1 || l->open_zone == zone;
}

/* The region begins with room for its head. */
static enum bough_err region_begin(struct bough_log__bitmapper *m, struct bough_log__table *t)
{
    static const uint8_t zero[1];
    struct bough_log *l = m->log;
    enum bough_err err;

    m->maps.region = bough_log__region_at(l, t, zone_is_shared(l, t));
    t->run.len = m->maps.region;
    err = bough_log__out_init(&m->out, l, &t->run, BOUGH_LOG__ZONE_TABLE);
    m->out.reserve = bough_log__reserve(l);
    if (!err)
        err = bough_log__out_put(&m->out, zero, sizeof zero);
    return err ? err : bough_log__out_pad(&m->out, l->geo.granule);
}

static enum bough_err maker_begin(struct bough_log *l, struct bough_log__table *t)
{
    struct bough_log__bitmapper *m = bough_mem_zalloc(l->mem, 1, sizeof *m);
    enum bough_err err;

    if (m == NULL)
        return BOUGH_ENOMEM;
    l->bitmapper = m;
    m->log = m->marks.log = l;
    m->number = t->number;
    m->every = l->opts.reach_every > 0 ? l->opts.reach_every : EVERY;
    m->marks.frozen = 1;
    bough_buf_init(&m->marks.body, l->mem);
    bough_buf_init(&m->marks.tree, l->mem);
    bough_buf_init(&m->bytes, l->mem);
    bough_buf_init(&m->reader.left, l->mem);
    err = memory_begin(m, t);
    if (!err)
        err = bough_log__boundary_sum(l, &m->maps.boundary_n, &m->maps.boundary_crc);
    return err ? err : region_begin(m, t);
}

/* ---- Commits ---- */

/* The place of `id` in the table.  BOUGH_ENOENT. */
static enum bough_err place_of(
    struct bough_log__bitmapper *m, const struct bough_oid *id, uint64_t *place)
{
    struct bough_log__row row;

    return bough_log__table_place(m->log, &m->log->table[0], id, &row, place);
}

/* To the first parent; the walk ends where there is none. */
static enum bough_err parent_next(struct bough_log__bitmapper *m)
{
    struct bough_store *s = &m->log->store;
    struct bough_buf *body = &m->marks.body;
    struct bough_commit c;
    enum bough_type type;
    enum bough_err err;

    m->walking = false;
    bough_buf_clear(body);
    err = bough_store_read(s, &m->commit, &type, body);
    if (err || type != BOUGH_COMMIT)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (bough_commit_parse(s->algo, bough_buf_view(body), &c))
        return BOUGH_ECORRUPT;
    if (c.parents_n == 0)
        return BOUGH_OK;
    err = bough_store_boundary(s, &m->commit);
    if (err != BOUGH_ENOENT)
        return err;
    m->commit = bough_commit_parent(&c, 0);
    m->walking = true;
    return BOUGH_OK;
}

static bool is_commit(struct bough_log__bitmapper *m, const struct bough_oid *id)
{
    struct bough_found found;

    return !bough_store_find(&m->log->store, id, &found) && found.type == BOUGH_COMMIT;
}

/* ---- Tips ---- */

static void tip_add(struct bough_log__bitmapper *m, const struct bough_ref *ref)
{
    const struct bough_oid *id = bough_oid_is_zero(&ref->peeled) ? &ref->id : &ref->peeled;

    if (ref->kind == BOUGH_REF_ID && is_commit(m, id))
        m->line[m->n++].start = *id;
}

static enum bough_err head_tip(struct bough_log__bitmapper *m)
{
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(&m->log->store, bough_view_str("HEAD"), &ref);

    if (!err && ref.kind == BOUGH_REF_SYM) {
        struct bough_view target = bough_view(m->ref_name, ref.target.len);
        memcpy(m->ref_name, ref.target.ptr, ref.target.len);
        err = bough_store_ref(&m->log->store, target, &ref);
    }
    if (!err)
        tip_add(m, &ref);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* BOUGH_ENOENT: no more. */
static enum bough_err tips_step(struct bough_log__bitmapper *m)
{
    struct bough_ref ref;
    enum bough_err err = m->ref_len == 0 ? head_tip(m) : BOUGH_OK;

    if (err || m->n == TIPS_MAX)
        return err ? err : BOUGH_ENOENT;
    err = bough_store_ref_next(
        &m->log->store, bough_view_str("refs/"), bough_view(m->ref_name, m->ref_len), &ref);
    if (err)
        return err;
    memcpy(m->ref_name, ref.name.ptr, ref.name.len);
    m->ref_len = ref.name.len;
    tip_add(m, &ref);
    return BOUGH_OK;
}

/* ---- Lines ---- */

static void line_begin(struct bough_log__bitmapper *m)
{
    m->commit = m->line[m->at].start;
    m->walking = true;
    m->joined = false;
    m->picked_n = 0;
}

static enum bough_err line_commit(struct bough_log__bitmapper *m, bool first)
{
    uint64_t place;
    enum bough_err err = place_of(m, &m->commit, &place);

    if (err == BOUGH_ENOENT && first) { /* the branch went on since */
        err = parent_next(m);
        m->line[m->at].start = m->commit;
        return err;
    }
    if (err == BOUGH_ENOENT)
        m->walking = false;
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (bough_log__bit(m->lines, place)) {
        bough_log__bit_set(m->joints, place);
        m->walking = false;
        return BOUGH_OK;
    }
    bough_log__bit_set(m->lines, place);
    m->steps++;
    return parent_next(m);
}

static enum bough_err lines_step(struct bough_log__bitmapper *m)
{
    bool first = bough_oid_eq(&m->commit, &m->line[m->at].start);

    if (m->walking)
        return line_commit(m, first);
    if (++m->at >= m->n)
        return BOUGH_ENOENT;
    line_begin(m);
    return BOUGH_OK;
}

/* ---- Picking ---- */

static enum bough_err pick(struct bough_log__bitmapper *m)
{
    void *ptr = m->picked;
    enum bough_err err =
        bough_mem_grow(m->log->mem, &ptr, &m->picked_cap, m->picked_n + 1, sizeof *m->picked);

    m->picked = ptr;
    if (!err)
        m->picked[m->picked_n++] = m->commit;
    return err;
}

/* Down the line once more, until it ends or meets one that was picked from before. */
static enum bough_err pick_step(struct bough_log__bitmapper *m)
{
    uint64_t place, n = m->steps++;
    enum bough_err err = m->walking ? place_of(m, &m->commit, &place) : BOUGH_ENOENT;

    if (err)
        return err;
    if (!bough_log__bit(m->lines, place)) {
        m->joined = true;
        return BOUGH_ENOENT;
    }
    m->lines[place / 8] &= (uint8_t) ~(1u << place % 8);
    if (n == 0 || n % m->every == 0 || bough_log__bit(m->joints, place))
        err = pick(m);
    return err ? err : parent_next(m);
}

/* The bitmap of `id` among those made, plus one; 0: there is none. */
static uint32_t made_find(const struct bough_log__bitmapper *m, const struct bough_oid *id)
{
    for (uint32_t i = m->maps.n; i > 0; i--) {
        if (bough_oid_eq(&m->maps.bitmap[i - 1].commit, id))
            return i;
    }
    return 0;
}

/* To the next line, or the end. */
static void line_next(struct bough_log__bitmapper *m)
{
    m->stage = ++m->at < m->n ? PICK : END;
    m->steps = 0;
    if (m->stage == PICK)
        line_begin(m);
}

static void pick_over(struct bough_log__bitmapper *m)
{
    m->base = m->joined ? made_find(m, &m->commit) : 0;
    if (m->picked_n == 0 || (m->joined && m->base == 0)) {
        line_next(m); /* nothing on it, or what is below could not be done */
        return;
    }
    memset(m->marks.bits, 0, m->len);
    m->reading = m->base;
    m->stage = BASE;
}

/* What the base reaches, bitmap after bitmap. */
static enum bough_err base_step(struct bough_log__bitmapper *m)
{
    struct bough_log__bitmap_reader *r = &m->reader;
    enum bough_err err;

    if (m->reading == 0)
        return BOUGH_ENOENT;
    if (r->bitmap == NULL) {
        bough_buf_clear(&r->left);
        *r = (struct bough_log__bitmap_reader){.bitmap = &m->maps.bitmap[m->reading - 1],
            .region = m->maps.region,
            .out = &m->out,
            .left = r->left};
    }
    err = bough_log__bitmap_step(m->log, &m->log->table[0], r, m->marks.bits, m->len);
    if (err)
        return err == BOUGH_EAGAIN ? BOUGH_OK : err;
    m->reading = r->bitmap->base;
    r->bitmap = NULL;
    return BOUGH_OK;
}

/* ---- Marking, writing ---- */

static enum bough_err mark_begin(struct bough_log__bitmapper *m)
{
    m->stage = MARK;
    m->marks.missing = false;
    memcpy(m->prev, m->marks.bits, m->len);
    return bough_log__mark(&m->marks, &m->picked[m->picked_n - 1], BOUGH_COMMIT);
}

static enum bough_err mark_over(struct bough_log__bitmapper *m)
{
    if (m->marks.missing || m->maps.n == BOUGH_LOG__BITMAPS_MAX) {
        line_next(m);
        return BOUGH_OK;
    }
    m->map = (struct bough_log__bitmap){.commit = m->picked[--m->picked_n],
        .at = m->out.run->len - m->maps.region,
        .base = m->base};
    m->write_at = 0;
    m->stage = WRITE;
    return BOUGH_OK;
}

static enum bough_err write_step(struct bough_log__bitmapper *m)
{
    enum { CHUNKS = 64 };
    enum bough_err err;

    if (m->write_at == m->len)
        return BOUGH_ENOENT;
    bough_buf_clear(&m->bytes);
    for (int i = 0; i < CHUNKS && m->write_at < m->len; i++)
        m->map.count +=
            bough_log__bits_encode(&m->bytes, m->marks.bits, m->prev, m->len, &m->write_at);
    if (m->map.len > UINT32_MAX / 2)
        return BOUGH_ETOOBIG;
    m->map.crc = bough_crc32(m->map.crc, m->bytes.ptr, m->bytes.len);
    m->map.len += (uint32_t)m->bytes.len;
    err = m->bytes.err;
    return err ? err : bough_log__out_put(&m->out, m->bytes.ptr, m->bytes.len);
}

/* It is one of those made, and the next one of the line adds to it. */
static enum bough_err write_over(struct bough_log__bitmapper *m)
{
    void *ptr = m->maps.bitmap;
    enum bough_err err =
        bough_mem_grow(m->log->mem, &ptr, &m->maps.cap, m->maps.n + 1, sizeof *m->maps.bitmap);

    m->maps.bitmap = ptr;
    if (err)
        return err;
    m->maps.bitmap[m->maps.n++] = m->map;
    m->base = m->maps.n;
    for (size_t i = 0; i < m->len; i++)
        m->all[i] |= m->marks.bits[i];
    if (m->picked_n > 0)
        return mark_begin(m);
    line_next(m);
    return BOUGH_OK;
}

/* ---- The end ---- */

/* By commit; bases are numbered anew. */
static enum bough_err maps_sort(struct bough_log__bitmapper *m)
{
    struct bough_log__bitmaps *b = &m->maps;
    uint32_t *to = bough_mem_zalloc(m->log->mem, b->n, sizeof *to);

    if (to == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i < b->n; i++) { /* at most a few thousand */
        for (uint32_t k = 0; k < b->n; k++)
            to[i] += bough_oid_cmp(&b->bitmap[k].commit, &b->bitmap[i].commit) < 0;
    }
    for (uint32_t i = 0; i < b->n; i++)
        b->bitmap[i].base = b->bitmap[i].base > 0 ? to[b->bitmap[i].base - 1] + 1 : 0;
    for (uint32_t i = 0; i < b->n; i++) {
        while (to[i] != i) {
            uint32_t k = to[i], was = to[k];
            struct bough_log__bitmap keep = b->bitmap[k];
            b->bitmap[k] = b->bitmap[i];
            b->bitmap[i] = keep;
            to[k] = k;
            to[i] = was;
        }
    }
    bough_mem_free(m->log->mem, to, b->n * sizeof *to);
    return BOUGH_OK;
}

static enum bough_err dir_write(struct bough_log__bitmapper *m)
{
    struct bough_log *l = m->log;
    enum bough_err err = maps_sort(m);

    if (err)
        return err;
    bough_buf_clear(&m->bytes);
    bough_log__bitmap_dir_encode(l, &m->maps, &m->bytes);
    err = m->bytes.err;
    m->maps.dir_at = m->out.run->len - m->maps.region;
    m->maps.dir_len = (uint32_t)m->bytes.len;
    m->maps.dir_crc = bough_crc32(0, m->bytes.ptr, m->bytes.len);
    m->maps.flags = m->marks.empty_tree ? BOUGH_LOG__BITMAP_EMPTY_TREE : 0;
    for (size_t i = 0; i < m->len; i += 8)
        m->maps.objects += bough_log__bits_ones(bough_get64le(m->all + i));
    if (!err)
        err = bough_log__out_put(&m->out, m->bytes.ptr, m->bytes.len);
    if (!err)
        err = bough_log__out_pad(&m->out, l->geo.granule);
    return err ? err : bough_log__out_flush(&m->out);
}

/* All is durable and named before the head is there. */
static enum bough_err head_write(struct bough_log__bitmapper *m)
{
    struct bough_log *l = m->log;
    const struct bough_log__table *t;
    uint64_t dev = 0, left;
    uint8_t *head;
    enum bough_err err;

    l->super.compat |= BOUGH_LOG__COMPAT_BITMAPS;
    err = bough_log__checkpoint(l);
    t = bough_log__region_table(l);
    if (err || t == NULL || t->number != m->number)
        return err;
    head = bough_mem_zalloc(l->mem, l->geo.granule, 1);
    if (head == NULL)
        return BOUGH_ENOMEM;
    bough_log__bitmap_head_encode(l, t, &m->maps, head);
    err = bough_log__run_at(l, &t->run, m->maps.region, &dev, &left);
    if (!err)
        err = bough_log__write(l, dev, head, l->geo.granule, false);
    bough_mem_free(l->mem, head, l->geo.granule);
    return err;
}

static enum bough_err maker_finish(struct bough_log__bitmapper *m)
{
    enum bough_err err;

    if (m->maps.n == 0)
        return BOUGH_ENOENT;
    err = dir_write(m);
    if (!err)
        err = head_write(m);
    return err ? err : BOUGH_ENOENT;
}

/* ---- Steps ---- */

static enum bough_err stage_step(struct bough_log__bitmapper *m)
{
    switch (m->stage) {
    case TIPS:
        return tips_step(m);
    case LINES:
        return lines_step(m);
    case PICK:
        return pick_step(m);
    case BASE:
        return base_step(m);
    case MARK:
        return bough_log__mark_step(&m->marks, true);
    case WRITE:
        return write_step(m);
    default:
        return maker_finish(m);
    }
}

/* A stage is done.  BOUGH_ENOENT: that was the last. */
static enum bough_err stage_over(struct bough_log__bitmapper *m)
{
    switch (m->stage) {
    case TIPS:
        m->stage = m->n > 0 ? LINES : END;
        m->at = 0;
        line_begin(m);
        return BOUGH_OK;
    case LINES:
        while (m->steps / m->every > LINE_MAX)
            m->every *= 2;
        m->at = UINT32_MAX;
        line_next(m);
        return BOUGH_OK;
    case PICK:
        pick_over(m);
        return BOUGH_OK;
    case BASE:
        return mark_begin(m);
    case MARK:
        return mark_over(m);
    case WRITE:
        return write_over(m);
    default:
        return BOUGH_ENOENT;
    }
}

static uint64_t traffic(const struct bough_log *l)
{
    return l->pages.read_bytes + l->pages.written_bytes;
}

static enum bough_err maker_work(struct bough_log__bitmapper *m, uint64_t budget)
{
    enum { STEP_COST = 64 };
    uint64_t used = 0, before = traffic(m->log);
    enum bough_err err = BOUGH_OK;

    while (!err && used < budget) {
        uint64_t now;

        err = stage_step(m);
        if (err == BOUGH_ENOENT)
            err = stage_over(m);
        now = traffic(m->log);
        used += now - before + STEP_COST;
        before = now;
    }
    return err;
}

/* Is there a table for which they are to be made, and may they be now? */
static struct bough_log__table *table_due(struct bough_log *l)
{
    struct bough_log__table *t = bough_log__region_table(l);
    uint64_t rows = l->opts.reach_rows > 0 ? l->opts.reach_rows : ROWS;

    if (l->bitmaps_due == 0 || l->settle.on || t == NULL || t->number != l->bitmaps_due ||
        t->rows < rows || l->zones.free < bough_log__reserve(l) + l->geo.zones / 16)
        return NULL;
    return t;
}

enum bough_err bough_log__bitmaps_make(struct bough_log *l, uint64_t budget, bool *more)
{
    struct bough_log__table *t = table_due(l);
    enum bough_err err = BOUGH_OK;

    *more = false;
    if (t == NULL) {
        bough_log__bitmaps_end(l);
        l->bitmaps_due = 0;
        return BOUGH_OK;
    }
    if (l->cycle != NULL || l->tiers != NULL)
        return BOUGH_OK; /* later */
    if (l->bitmapper == NULL)
        err = maker_begin(l, t);
    if (!err) {
        l->bitmapper->out.run = &t->run; /* the list may have moved since */
        err = maker_work(l->bitmapper, budget);
    }
    *more = !err;
    if (!err)
        return BOUGH_OK;
    bough_log__bitmaps_end(l);
    l->bitmaps_due = 0;
    return err == BOUGH_EIO || err == BOUGH_EGONE ? err : BOUGH_OK;
}
