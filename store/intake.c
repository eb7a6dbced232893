/*
 * intake.c - a received pack is indexed and checked in bounded memory.
 *
 *   failing, work   why, and how much
 *   resolved        what happens to every object, once
 *   pass 1          the visitor of the pack reader
 *   phases          each goes on for a while (see intake_inner.h)
 *   rows            handed out and looked up
 *   open, close
 */
#include "store/intake_inner.h"

enum { BODY_KEEP = 1 << 20 };            /* bytes of a buffer that is kept for the next object */
enum { SORT_COST = 64, LINK_COST = 16 }; /* what a step of a phase spends of the budget */

/* ---- failing, work ---- */

enum bough_err bough_store__intake_fail(
    struct bough_store__intake *in, enum bough_err err, const char *what, uint64_t at)
{
    (void)BOUGH_WHY(in->why, err, what, NULL, 0);
    if (in->why != NULL)
        in->why->at = at;
    return err;
}

enum bough_err bough_store__intake_fail_id(struct bough_store__intake *in, enum bough_err err,
    const char *what, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    return BOUGH_WHY(in->why, err, what, hex, bough_oid_hex(in->algo, id, hex));
}

enum bough_err bough_store__intake_work(struct bough_store__intake *in, uint64_t bytes)
{
    const struct bough_pack_limits *l = &in->reader.limits;
    uint64_t len = in->reader.at;
    uint64_t most =
        len < UINT64_MAX / 2 / l->inflated_factor ? len * l->inflated_factor : UINT64_MAX / 2;

    in->work += bytes;
    in->spent += bytes;
    if (in->work > l->inflated_base && in->work - l->inflated_base > most)
        return bough_store__intake_fail(
            in, BOUGH_ETOOBIG, "unpacked bytes too many", l->inflated_factor);
    return BOUGH_OK;
}

/* ---- resolved ---- */

/* If the store has it, its bytes must be these; large blobs are compared later. */
static enum bough_err known_compare(
    struct bough_store__intake *in, uint32_t i, const struct bough_oid *id, struct bough_view body)
{
    const struct bough_store__intake_host_class *cls = in->host->cls;
    struct bough_store__node *node = bough_store__node(in, i);
    struct bough_found found = {.type = (enum bough_type)node->type, .size = node->size};
    enum bough_err err = cls->known ? cls->known(in->host, id) : BOUGH_ENOENT;

    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    node->flags |= BOUGH_STORE__KNOWN;
    if (body.ptr == NULL) {
        node->flags |= BOUGH_STORE__UNSEEN;
        return BOUGH_OK;
    }
    err = cls->compare(in->host, id, &found, 0, body);
    return err == BOUGH_EFORMAT
               ? bough_store__intake_fail_id(in, err, "collision with a stored object", id)
               : err;
}

enum bough_err bough_store__intake_resolved(struct bough_store__intake *in, uint32_t i,
    const struct bough_oid *id, enum bough_type type, uint64_t size, struct bough_view body)
{
    struct bough_store__node *node = bough_store__node(in, i);
    enum bough_err err;

    node->type = (uint8_t)type;
    node->size = size;
    node->order = in->resolved++;
    node->flags |= BOUGH_STORE__RESOLVED;
    memcpy(bough_store__node_id(in, i), id->bytes, in->id_len);
    err = known_compare(in, i, id, body);
    if (err || in->opts.check == NULL)
        return err;
    if (type == BOUGH_BLOB && size > BOUGH_STORE__INTAKE_BODY_MAX)
        body = bough_view(NULL, 0);
    err = in->opts.check(in->opts.check_ctx, id, type, size, body, in->why);
    return err == BOUGH_EAGAIN ? BOUGH_EINVAL : err; /* that would mean: call again */
}

/* ---- pass 1 ---- */

static struct bough_store__intake *intake_of(struct bough_pack_visitor *v)
{
    return (
        struct bough_store__intake *)((uint8_t *)v - offsetof(struct bough_store__intake, visitor));
}

static enum bough_err hear_raw(struct bough_pack_visitor *v, struct bough_view bytes)
{
    struct bough_store__intake *in = intake_of(v);

    in->area_len += bytes.len;
    return in->host->cls->append(in->host, bytes);
}

/* Is the object shown whole to the check and the comparison? */
static bool is_shown(const struct bough_pack_entry *e)
{
    if (bough_entry_is_delta(e->head.type))
        return false;
    return e->head.type != BOUGH_BLOB || e->head.size <= BOUGH_STORE__INTAKE_BODY_MAX;
}

static enum bough_err hear_entry(struct bough_pack_visitor *v, const struct bough_pack_entry *e)
{
    struct bough_store__intake *in = intake_of(v);

    (void)e;
    if (in->body.cap > BODY_KEEP)
        bough_buf_fini(&in->body);
    bough_buf_clear(&in->body);
    in->shown = bough_view("", 0);
    return BOUGH_OK;
}

static enum bough_err hear_data(
    struct bough_pack_visitor *v, const struct bough_pack_entry *e, struct bough_view piece)
{
    struct bough_store__intake *in = intake_of(v);

    if (!is_shown(e))
        return BOUGH_OK;
    if (piece.len == e->head.size) { /* it is lent until the entry's end */
        in->shown = piece;
        return BOUGH_OK;
    }
    bough_buf_put_view(&in->body, piece);
    in->shown = bough_buf_view(&in->body);
    return in->body.err;
}

/* A delta: note what leads to its base. */
static enum bough_err delta_note(
    struct bough_store__intake *in, uint32_t i, const struct bough_pack_entry *e)
{
    struct bough_store__node *node = bough_store__node(in, i);

    node->order = 1;
    if (e->head.type == BOUGH_REF_DELTA)
        return bough_store__ref_add(in, &e->head.base, i);
    node->next = bough_store__node_at(in, e->at - e->head.back);
    if (node->next == BOUGH_STORE__NIL)
        return bough_store__intake_fail(in, BOUGH_EFORMAT, "delta base is no entry", e->at);
    return BOUGH_OK;
}

static enum bough_err hear_entry_end(struct bough_pack_visitor *v, const struct bough_pack_entry *e)
{
    struct bough_store__intake *in = intake_of(v);
    struct bough_store__node *node;
    enum bough_err err;
    uint32_t i;

    if (in->reader.count >= BOUGH_STORE__NIL / 2) /* completing entries need numbers, too */
        return bough_store__intake_fail(
            in, BOUGH_ETOOBIG, "too many objects in the pack", BOUGH_STORE__NIL / 2);
    err = bough_store__node_add(in, &i);
    if (err)
        return err;
    node = bough_store__node(in, i);
    node->at = e->at;
    node->size = e->head.size;
    node->crc = e->crc;
    node->stored = (uint8_t)e->head.type;
    in->data_end = e->at + e->packed_len;
    if (bough_entry_is_delta(e->head.type))
        return delta_note(in, i, e);
    return bough_store__intake_resolved(
        in, i, &e->id, e->head.type, e->head.size, is_shown(e) ? in->shown : bough_view(NULL, 0));
}

static const struct bough_pack_visitor_class visitor_class = {
    .raw = hear_raw,
    .entry = hear_entry,
    .data = hear_data,
    .entry_end = hear_entry_end,
};

enum bough_err bough_store__intake_feed(
    struct bough_store__intake *in, struct bough_view bytes, size_t *used)
{
    enum bough_err err;

    *used = 0;
    if (in->err || in->phase != BOUGH_STORE__RECEIVE)
        return in->err;
    err = bough_pack_reader_feed(&in->reader, bytes, used);
    in->work = in->reader.inflated;
    if (err == BOUGH_EAGAIN)
        return BOUGH_OK;
    in->err = err;
    if (err)
        return err;
    in->pack_nodes = in->nodes;
    in->phase = BOUGH_STORE__SORT_REFS;
    bough_buf_fini(&in->body);
    return BOUGH_OK;
}

/* ---- phases: each answers BOUGH_EAGAIN while it has more to do ---- */

static enum bough_err sort_run(struct bough_store__intake *in, bool refs, uint64_t budget)
{
    uint64_t steps = budget / SORT_COST + 1;

    in->spent += steps * SORT_COST;
    return bough_store__sort_step(in, refs, steps) ? BOUGH_OK : BOUGH_EAGAIN;
}

/* Each OFS delta joins its base; bases come before, so weights are whole when they are used. */
static enum bough_err link_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->pack_nodes && in->spent < budget; in->at++, in->spent += LINK_COST) {
        uint32_t i = in->pack_nodes - 1 - in->at;
        struct bough_store__node *node = bough_store__node(in, i), *base;

        if (node->stored != BOUGH_OFS_DELTA)
            continue;
        base = bough_store__node(in, node->next);
        if (!(base->flags & BOUGH_STORE__RESOLVED))
            base->order += node->order;
        bough_store__kid_add(in, &base->kids, i);
    }
    return in->at < in->pack_nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

/* Go on with the walk under way until it is over. */
static enum bough_err walk_run(struct bough_store__intake *in, uint64_t budget)
{
    bool over = in->depth == 0;

    while (!over && in->spent < budget) {
        enum bough_err err = bough_store__walk_step(in, &over);
        if (err)
            return err;
    }
    return over ? BOUGH_OK : BOUGH_EAGAIN;
}

static enum bough_err roots_run(struct bough_store__intake *in, uint64_t budget)
{
    for (;; in->at++, in->spent += LINK_COST) {
        enum bough_err err = walk_run(in, budget);
        uint32_t kids;

        if (err)
            return err;
        while (in->at < in->pack_nodes &&
               bough_entry_is_delta((enum bough_type)bough_store__node(in, in->at)->stored))
            in->at++;
        if (in->at == in->pack_nodes)
            return BOUGH_OK;
        kids = bough_store__node(in, in->at)->kids;
        if (in->ref_count > 0) {
            struct bough_oid id = bough_oid_raw(in->algo, bough_store__node_id(in, in->at));
            bough_store__refs_link(in, &id, &kids);
        }
        if (kids != BOUGH_STORE__NIL)
            err = bough_store__walk_begin(in, in->at, kids);
        if (err)
            return err;
    }
}

/* The first delta that no walk reached is what the refusal names. */
static enum bough_err unreached(struct bough_store__intake *in)
{
    for (size_t k = 0; k < in->ref_count; k++)
        if (in->refs[k].node != BOUGH_STORE__NIL)
            return bough_store__intake_fail_id(
                in, BOUGH_EFORMAT, "delta base missing, or deltas in a circle", &in->refs[k].base);
    return bough_store__intake_fail(in, BOUGH_EFORMAT, "unresolved deltas", in->nodes);
}

static enum bough_err thin_run(struct bough_store__intake *in, uint64_t budget)
{
    for (;; in->at++) {
        enum bough_err err = walk_run(in, budget);

        if (err)
            return err;
        while (in->at < in->ref_count && in->refs[in->at].node == BOUGH_STORE__NIL)
            in->at++;
        if (in->at == in->ref_count)
            break;
        err = bough_store__walk_fetch(in, &in->refs[in->at].base);
        if (err && err != BOUGH_ENOENT)
            return err;
    }
    return in->resolved == in->nodes ? BOUGH_OK : unreached(in);
}

static enum bough_err compare_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->pack_nodes && in->spent < budget; in->spent += LINK_COST) {
        bool more = false;
        enum bough_err err = BOUGH_OK;

        if (bough_store__node(in, in->at)->flags & BOUGH_STORE__UNSEEN)
            err = bough_store__entry_compare(in, in->at, &more);
        if (err)
            return err;
        if (!more)
            in->at++;
    }
    return in->at < in->pack_nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

static enum bough_err rows_sort(struct bough_store__intake *in, uint64_t budget)
{
    if (in->perm == NULL && in->nodes > 0) {
        in->perm = (uint32_t *)bough_mem_alloc(in->mem, in->nodes * sizeof *in->perm);
        if (in->perm == NULL)
            return BOUGH_ENOMEM;
        in->perm_cap = in->nodes;
        for (uint32_t i = 0; i < in->nodes; i++)
            in->perm[i] = i;
    }
    return sort_run(in, false, budget);
}

/* Keep the first of each id, and hand it out. */
static enum bough_err rows_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->nodes && in->spent < budget; in->at++, in->spent += LINK_COST) {
        uint32_t i = in->perm[in->at], last = in->rows > 0 ? in->perm[in->rows - 1] : i;
        const struct bough_store__node *node = bough_store__node(in, i),
                                       *before = bough_store__node(in, last);
        struct bough_store__intake_row row;
        enum bough_err err;

        if (in->rows > 0 &&
            memcmp(bough_store__node_id(in, i), bough_store__node_id(in, last), in->id_len) == 0) {
            if (node->type != before->type || node->size != before->size)
                return bough_store__intake_fail(
                    in, BOUGH_EFORMAT, "collision inside the pack", node->at);
            continue;
        }
        in->perm[in->rows++] = i;
        if (in->host->cls->row == NULL)
            continue;
        row = bough_store__intake_row(in, in->rows - 1);
        err = in->host->cls->row(in->host, &row);
        if (err)
            return err;
    }
    return in->at < in->nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

static enum bough_err phase_run(struct bough_store__intake *in, uint64_t budget)
{
    switch (in->phase) {
    case BOUGH_STORE__RECEIVE:
        return BOUGH_EINVAL;
    case BOUGH_STORE__SORT_REFS:
        return sort_run(in, true, budget);
    case BOUGH_STORE__LINK:
        return link_run(in, budget);
    case BOUGH_STORE__ROOTS:
        return roots_run(in, budget);
    case BOUGH_STORE__THIN:
        return thin_run(in, budget);
    case BOUGH_STORE__COMPARE:
        return compare_run(in, budget);
    case BOUGH_STORE__SORT_ROWS:
        return rows_sort(in, budget);
    case BOUGH_STORE__ROWS:
        return rows_run(in, budget);
    case BOUGH_STORE__DONE:
        break;
    }
    return BOUGH_OK;
}

enum bough_err bough_store__intake_step(struct bough_store__intake *in, uint64_t budget)
{
    BOUGH_ASSERT(in->err || in->phase != BOUGH_STORE__RECEIVE);
    if (budget == 0)
        budget = 1;
    in->spent = 0;
    while (!in->err && in->phase != BOUGH_STORE__DONE) {
        enum bough_err err;

        if (in->spent >= budget)
            return BOUGH_EAGAIN;
        err = phase_run(in, budget);
        if (err == BOUGH_EAGAIN)
            return err;
        in->err = err;
        in->at = 0;
        in->phase++;
    }
    return in->err;
}

/* ---- rows ---- */

struct bough_store__intake_row bough_store__intake_row(
    const struct bough_store__intake *in, uint64_t n)
{
    const struct bough_store__node *node;
    uint32_t i;

    BOUGH_ASSERT(n < in->rows);
    i = in->perm[n];
    node = bough_store__node(in, i);
    return (struct bough_store__intake_row){
        .id = bough_oid_raw(in->algo, bough_store__node_id(in, i)),
        .type = (enum bough_type)node->type,
        .stored = (enum bough_type)node->stored,
        .size = node->size,
        .at = node->at,
        .packed_len = bough_store__node_end(in, i) - node->at,
        .crc = node->crc,
        .known = (node->flags & BOUGH_STORE__KNOWN) != 0,
        .completed = (node->flags & BOUGH_STORE__APPENDED) != 0,
    };
}

enum bough_err bough_store__intake_find(
    const struct bough_store__intake *in, const struct bough_oid *id, uint64_t *n)
{
    uint32_t lo = 0, hi = in->phase == BOUGH_STORE__DONE ? in->rows : 0;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int cmp = memcmp(bough_store__node_id(in, in->perm[mid]), id->bytes, in->id_len);

        if (cmp == 0) {
            *n = mid;
            return BOUGH_OK;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return BOUGH_ENOENT;
}

struct bough_store__intake_facts bough_store__intake_facts(const struct bough_store__intake *in)
{
    return (struct bough_store__intake_facts){
        .received = in->phase != BOUGH_STORE__RECEIVE,
        .done = in->phase == BOUGH_STORE__DONE && !in->err,
        .len = in->reader.at,
        .area_len = in->area_len,
        .entries = in->reader.count,
        .resolved = in->resolved,
        .count = in->rows,
        .work = in->work,
    };
}

/* ---- open, close ---- */

enum bough_err bough_store__intake_open(struct bough_store__intake **out, struct bough_mem *mem,
    enum bough_algo algo, struct bough_store__intake_host *host,
    const struct bough_intake_opts *opts, bool complete, struct bough_why *why)
{
    const struct bough_intake_limits *l = &opts->limits;
    struct bough_pack_limits pack = {.pack_len_max = l->pack_len_max,
        .object_max = l->object_max,
        .inflated_factor = l->inflated_factor,
        .count_max = l->count_max};
    struct bough_store__intake *in;
    enum bough_err err;

    if (l->memory != 0 && l->memory < BOUGH_STORE__INTAKE_MEMORY_MIN)
        return BOUGH_EINVAL;
    in = (struct bough_store__intake *)bough_mem_zalloc(mem, 1, sizeof *in);
    if (in == NULL)
        return BOUGH_ENOMEM;
    in->mem = mem;
    in->algo = algo;
    in->id_len = bough_algo_len(algo);
    in->host = host;
    in->opts = *opts;
    in->complete = complete;
    in->why = why;
    in->visitor.cls = &visitor_class;
    in->live_low = in->live_top = BOUGH_STORE__NIL;
    bough_buf_init(&in->body, mem);
    bough_buf_init(&in->packed, mem);
    bough_buf_init(&in->delta, mem);
    err = bough_pack_reader_init(&in->reader, mem, algo, &in->visitor, &pack, why);
    if (err) {
        bough_mem_free(mem, in, sizeof *in);
        return err;
    }
    in->opts.limits.object_max = in->reader.limits.object_max;
    if (l->memory == 0)
        in->opts.limits.memory = 16 << 20;
    *out = in;
    return BOUGH_OK;
}

void bough_store__intake_close(struct bough_store__intake *in)
{
    if (in == NULL)
        return;
    bough_store__walk_fini(in);
    bough_store__table_fini(in);
    bough_inflater_fini(&in->stream.zip);
    bough_buf_fini(&in->body);
    bough_buf_fini(&in->packed);
    bough_buf_fini(&in->delta);
    bough_pack_reader_fini(&in->reader);
    bough_mem_free(in->mem, in, sizeof *in);
}
