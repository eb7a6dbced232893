/*
 * mem_parts.c - what the memory engine keeps things in; see mem_inner.h.
 *
 *   pointers in a row
 *   objects and their table
 *   refs
 *   records
 */
#include "store/mem_inner.h"

/* ---- Pointers in a row ---- */

enum bough_err bough_store__mem_vec_reserve(
    struct bough_store__mem_vec *v, struct bough_mem *mem, size_t more)
{
    void *ptr = v->ptr;
    enum bough_err err;

    if (more <= v->cap - v->n)
        return BOUGH_OK;
    if (more > SIZE_MAX - v->n)
        return BOUGH_ENOMEM;
    err = bough_mem_grow(mem, &ptr, &v->cap, v->n + more, sizeof *v->ptr);
    v->ptr = ptr;
    return err;
}

void bough_store__mem_vec_insert(struct bough_store__mem_vec *v, size_t at, void *ptr)
{
    BOUGH_ASSERT(v->n < v->cap && at <= v->n);
    memmove(v->ptr + at + 1, v->ptr + at, (v->n - at) * sizeof *v->ptr);
    v->ptr[at] = ptr;
    v->n++;
}

static void vec_remove(struct bough_store__mem_vec *v, size_t at)
{
    BOUGH_ASSERT(at < v->n);
    v->n--;
    memmove(v->ptr + at, v->ptr + at + 1, (v->n - at) * sizeof *v->ptr);
}

void bough_store__mem_vec_fini(struct bough_store__mem_vec *v, struct bough_mem *mem)
{
    bough_mem_free(mem, v->ptr, v->cap * sizeof *v->ptr);
    *v = (struct bough_store__mem_vec){NULL, 0, 0};
}

/* ---- Objects ---- */

static struct bough_store__mem_object *object_alloc(
    struct bough_mem *mem, const struct bough_oid *id, enum bough_type type, size_t room)
{
    struct bough_store__mem_object *o;

    if (room > SIZE_MAX - sizeof *o)
        return NULL;
    o = bough_mem_alloc(mem, sizeof *o + room);
    if (o != NULL)
        *o = (struct bough_store__mem_object){.id = *id, .type = type, .holders = 1};
    return o;
}

struct bough_store__mem_object *bough_store__mem_object_new(
    struct bough_mem *mem, const struct bough_oid *id, enum bough_type type, struct bough_view body)
{
    struct bough_store__mem_object *o = object_alloc(mem, id, type, body.len);

    if (o == NULL)
        return NULL;
    o->size = body.len;
    if (body.len > 0)
        memcpy(o->body, body.ptr, body.len);
    return o;
}

struct bough_store__mem_object *bough_store__mem_object_new_packed(struct bough_mem *mem,
    const struct bough_store__intake_row *row, struct bough_store__mem_pack *pack)
{
    struct bough_store__mem_object *o = NULL;

    if (row->size <= SIZE_MAX)
        o = object_alloc(mem, &row->id, row->type, 0);
    if (o == NULL)
        return NULL;
    o->size = (size_t)row->size;
    o->pack = pack;
    o->at = row->at;
    o->packed_len = row->packed_len;
    pack->holders++;
    return o;
}

void bough_store__mem_object_drop(struct bough_mem *mem, struct bough_store__mem_object *o)
{
    if (o == NULL || --o->holders > 0)
        return;
    bough_store__mem_pack_drop(o->pack);
    bough_mem_free(mem, o, sizeof *o + (o->pack == NULL ? o->size : 0));
}

static uint64_t objects_hash(const struct bough_store__mem_objects *t, const struct bough_oid *id)
{
    return bough_mix64(t->key, id->bytes, sizeof id->bytes);
}

/* The slot that holds `id`, or the free one where it belongs. */
static size_t objects_slot(
    const struct bough_store__mem_objects *t, const struct bough_oid *id, uint64_t hash)
{
    size_t i = (size_t)hash & (t->cap - 1);

    for (; t->slots[i].row != 0; i = (i + 1) & (t->cap - 1)) {
        const struct bough_store__mem_object *o;
        if (t->slots[i].tag != (uint32_t)(hash >> 32))
            continue;
        o = t->rows.ptr[t->slots[i].row - 1];
        if (bough_oid_eq(&o->id, id))
            break;
    }
    return i;
}

struct bough_store__mem_object *bough_store__mem_objects_find(
    const struct bough_store__mem_objects *t, const struct bough_oid *id)
{
    size_t i;

    if (t->cap == 0)
        return NULL;
    i = objects_slot(t, id, objects_hash(t, id));
    return t->slots[i].row == 0 ? NULL : t->rows.ptr[t->slots[i].row - 1];
}

enum bough_err bough_store__mem_objects_reserve(
    struct bough_store__mem_objects *t, struct bough_mem *mem, size_t more)
{
    struct bough_store__mem_objects wide = *t;
    enum bough_err err = bough_store__mem_vec_reserve(&t->rows, mem, more);

    if (err)
        return err;
    if (t->rows.n + more > UINT32_MAX / 4)
        return BOUGH_ENOMEM;
    wide.rows = t->rows;
    if (wide.cap == 0)
        wide.cap = 64;
    while (wide.cap / 4 * 3 < t->rows.n + more)
        wide.cap *= 2;
    if (wide.cap == t->cap)
        return BOUGH_OK;
    wide.slots = bough_mem_zalloc(mem, wide.cap, sizeof *wide.slots);
    if (wide.slots == NULL)
        return BOUGH_ENOMEM;
    for (size_t row = 0; row < t->rows.n; row++) {
        const struct bough_store__mem_object *o = t->rows.ptr[row];
        uint64_t hash = objects_hash(t, &o->id);
        wide.slots[objects_slot(&wide, &o->id, hash)] =
            (struct bough_store__mem_slot){(uint32_t)(hash >> 32), (uint32_t)row + 1};
    }
    bough_mem_free(mem, t->slots, t->cap * sizeof *t->slots);
    *t = wide;
    return BOUGH_OK;
}

void bough_store__mem_objects_add(
    struct bough_store__mem_objects *t, struct bough_mem *mem, struct bough_store__mem_object *o)
{
    uint64_t hash = objects_hash(t, &o->id);
    size_t i = objects_slot(t, &o->id, hash);

    if (t->slots[i].row != 0) {
        bough_store__mem_object_drop(mem, o);
        return;
    }
    bough_store__mem_vec_insert(&t->rows, t->rows.n, o);
    t->slots[i] = (struct bough_store__mem_slot){(uint32_t)(hash >> 32), (uint32_t)t->rows.n};
    o->row = t->rows.n;
    t->bytes += o->pack == NULL ? o->size : o->packed_len;
}

void bough_store__mem_objects_move(struct bough_store__mem_objects *to, struct bough_mem *mem,
    struct bough_store__mem_objects *from)
{
    for (size_t i = 0; i < from->rows.n; i++)
        bough_store__mem_objects_add(to, mem, from->rows.ptr[i]);
    from->rows.n = 0;
    bough_store__mem_objects_fini(from, mem);
}

void bough_store__mem_objects_fini(struct bough_store__mem_objects *t, struct bough_mem *mem)
{
    for (size_t i = 0; i < t->rows.n; i++)
        bough_store__mem_object_drop(mem, t->rows.ptr[i]);
    bough_store__mem_vec_fini(&t->rows, mem);
    bough_mem_free(mem, t->slots, t->cap * sizeof *t->slots);
    *t = (struct bough_store__mem_objects){.key = t->key};
}

/* ---- Refs ---- */

static struct bough_view ref_name(const struct bough_store__mem_ref *ref)
{
    return bough_view(ref->bytes, ref->name_len);
}

static void ref_free(struct bough_mem *mem, struct bough_store__mem_ref *ref)
{
    bough_mem_free(mem, ref, sizeof *ref + ref->name_len + ref->target_len);
}

static struct bough_store__mem_ref *ref_new(struct bough_mem *mem, const struct bough_ref_change *c)
{
    size_t target_len = c->kind == BOUGH_REF_SYM ? c->target.len : 0;
    struct bough_store__mem_ref *ref = bough_mem_alloc(mem, sizeof *ref + c->name.len + target_len);

    if (ref == NULL)
        return NULL;
    *ref = (struct bough_store__mem_ref){
        .kind = c->kind,
        .name_len = c->name.len,
        .target_len = target_len,
    };
    if (c->kind == BOUGH_REF_ID) {
        ref->id = c->id;
        ref->peeled = c->peeled;
    }
    memcpy(ref->bytes, c->name.ptr, c->name.len);
    if (target_len > 0)
        memcpy(ref->bytes + c->name.len, c->target.ptr, target_len);
    return ref;
}

void bough_store__mem_ref_show(const struct bough_store__mem_ref *ref, struct bough_ref *out)
{
    *out = (struct bough_ref){
        .name = ref_name(ref),
        .kind = ref->kind,
        .id = ref->id,
        .peeled = ref->peeled,
        .target = bough_view(ref->bytes + ref->name_len, ref->target_len),
    };
}

size_t bough_store__mem_refs_seek(
    const struct bough_store__mem_refs *r, struct bough_view name, bool *found)
{
    size_t low = 0, high = r->rows.n;

    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = bough_view_cmp(ref_name(r->rows.ptr[mid]), name);
        if (cmp == 0) {
            *found = true;
            return mid;
        }
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct bough_store__mem_ref *bough_store__mem_refs_find(
    const struct bough_store__mem_refs *r, struct bough_view name)
{
    bool found;
    size_t i = bough_store__mem_refs_seek(r, name, &found);

    return found ? r->rows.ptr[i] : NULL;
}

/* Put `ref` (taken) in its place, for which there is room. */
static void refs_put(
    struct bough_store__mem_refs *r, struct bough_mem *mem, struct bough_store__mem_ref *ref)
{
    bool found;
    size_t i = bough_store__mem_refs_seek(r, ref_name(ref), &found);

    if (found) {
        ref_free(mem, r->rows.ptr[i]);
        r->rows.ptr[i] = ref;
    } else {
        bough_store__mem_vec_insert(&r->rows, i, ref);
    }
}

enum bough_err bough_store__mem_refs_set(
    struct bough_store__mem_refs *r, struct bough_mem *mem, const struct bough_ref_change *change)
{
    enum bough_err err = bough_store__mem_vec_reserve(&r->rows, mem, 1);
    struct bough_store__mem_ref *ref;

    if (err)
        return err;
    ref = ref_new(mem, change);
    if (ref == NULL)
        return BOUGH_ENOMEM;
    refs_put(r, mem, ref);
    return BOUGH_OK;
}

void bough_store__mem_refs_apply(
    struct bough_store__mem_refs *r, struct bough_mem *mem, struct bough_store__mem_refs *from)
{
    for (size_t i = 0; i < from->rows.n; i++) {
        struct bough_store__mem_ref *ref = from->rows.ptr[i];
        bool found;
        size_t at;

        if (ref->kind != BOUGH_REF_NONE) {
            refs_put(r, mem, ref);
            continue;
        }
        at = bough_store__mem_refs_seek(r, ref_name(ref), &found);
        if (found) {
            ref_free(mem, r->rows.ptr[at]);
            vec_remove(&r->rows, at);
        }
        ref_free(mem, ref);
    }
    from->rows.n = 0;
    bough_store__mem_refs_fini(from, mem);
}

void bough_store__mem_refs_fini(struct bough_store__mem_refs *r, struct bough_mem *mem)
{
    for (size_t i = 0; i < r->rows.n; i++)
        ref_free(mem, r->rows.ptr[i]);
    bough_store__mem_vec_fini(&r->rows, mem);
}

/* ---- Records ---- */

static void record_free(struct bough_mem *mem, struct bough_store__mem_record *rec)
{
    bough_mem_free(mem, rec, sizeof *rec + rec->stream_len + rec->len);
}

enum bough_err bough_store__mem_records_add(struct bough_store__mem_records *r,
    struct bough_mem *mem, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    struct bough_store__mem_record *rec;
    enum bough_err err = bough_store__mem_vec_reserve(&r->rows, mem, 1);

    if (err)
        return err;
    rec = bough_mem_alloc(mem, sizeof *rec + stream.len + bytes.len);
    if (rec == NULL)
        return BOUGH_ENOMEM;
    *rec = (struct bough_store__mem_record){seq, stream.len, bytes.len};
    memcpy(rec->bytes, stream.ptr, stream.len);
    if (bytes.len > 0)
        memcpy(rec->bytes + stream.len, bytes.ptr, bytes.len);
    bough_store__mem_vec_insert(&r->rows, r->rows.n, rec);
    return BOUGH_OK;
}

void bough_store__mem_records_retire(struct bough_store__mem_records *r, struct bough_mem *mem,
    struct bough_view stream, uint64_t seq)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->rows.n; i++) {
        struct bough_store__mem_record *rec = r->rows.ptr[i];
        if (rec->seq <= seq && bough_view_eq(bough_store__mem_record_stream(rec), stream))
            record_free(mem, rec);
        else
            r->rows.ptr[kept++] = rec;
    }
    r->rows.n = kept;
}

void bough_store__mem_records_fini(struct bough_store__mem_records *r, struct bough_mem *mem)
{
    for (size_t i = 0; i < r->rows.n; i++)
        record_free(mem, r->rows.ptr[i]);
    bough_store__mem_vec_fini(&r->rows, mem);
}
