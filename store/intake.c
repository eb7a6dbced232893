/*
 * intake.c - a received pack is indexed and checked in bounded memory.
 *
 *   failing, work   why, and how much
 *   resolved        what happens to every object, once
 *   pass 1          the visitor of the pack reader
 *   open, close
 *
 * What comes after the pack is received is in intake_phase.c.
 */
#include "store/intake_inner.h"

enum { BODY_KEEP = 1 << 20 }; /* bytes of a buffer that is kept for the next object */

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

/* Completing entries need numbers, too. */
static enum bough_err hear_start(struct bough_pack_visitor *v, uint64_t count)
{
    if (count < BOUGH_STORE__NIL / 2)
        return BOUGH_OK;
    return bough_store__intake_fail(
        intake_of(v), BOUGH_ETOOBIG, "too many objects in the pack", BOUGH_STORE__NIL / 2);
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
    .start = hear_start,
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
    in->phase = BOUGH_STORE__KNOWN_AGAIN;
    bough_buf_fini(&in->body);
    return BOUGH_OK;
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
