/*
 * overlay.c - refs in memory, sorted by name, and a ref as an item.
 *
 * As for all of the engine: `reserve` makes room and may fail, what comes
 * after it cannot, so a commit reserves first and then just happens.
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/refs_inner.h"

static struct bough_view name_of(const struct bough_log__ref *ref)
{
    return bough_view(ref->bytes, ref->name_len);
}

static size_t ref_size(const struct bough_log__ref *ref)
{
    return sizeof *ref + ref->name_len + ref->target_len;
}

size_t bough_log__refs_seek(const struct bough_log__refs *r, struct bough_view name, bool *found)
{
    size_t lo = 0, hi = r->n;

    *found = false;
    if (hi > 0 && bough_view_cmp(name_of(r->ref[hi - 1]), name) < 0)
        return hi; /* they often come in order */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = bough_view_cmp(name_of(r->ref[mid]), name);
        if (cmp == 0) {
            *found = true;
            return mid;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

enum bough_err bough_log__refs_reserve(
    struct bough_log__refs *r, struct bough_mem *mem, size_t more)
{
    void *ptr = r->ref;
    enum bough_err err = bough_mem_grow(mem, &ptr, &r->cap, r->n + more, sizeof *r->ref);

    r->ref = ptr;
    return err;
}

struct bough_log__ref *bough_log__ref_new(
    struct bough_mem *mem, const struct bough_log__ref_value *v)
{
    size_t target_len = v->ref.kind == BOUGH_REF_SYM ? v->ref.target.len : 0;
    struct bough_log__ref *ref = bough_mem_alloc(mem, sizeof *ref + v->ref.name.len + target_len);

    if (ref == NULL)
        return NULL;
    ref->kind = v->ref.kind;
    ref->seq = v->seq;
    ref->expiry = v->expiry;
    ref->id = v->ref.id;
    ref->peeled = v->ref.peeled;
    ref->name_len = (uint16_t)v->ref.name.len;
    ref->target_len = (uint16_t)target_len;
    memcpy(ref->bytes, v->ref.name.ptr, v->ref.name.len);
    if (target_len > 0)
        memcpy(ref->bytes + v->ref.name.len, v->ref.target.ptr, target_len);
    return ref;
}

void bough_log__ref_free(struct bough_mem *mem, struct bough_log__ref *ref)
{
    if (ref != NULL)
        bough_mem_free(mem, ref, ref_size(ref));
}

void bough_log__refs_set(
    struct bough_log__refs *r, struct bough_mem *mem, struct bough_log__ref *ref)
{
    bool found;
    size_t i = bough_log__refs_seek(r, name_of(ref), &found);

    if (found) {
        bough_log__ref_free(mem, r->ref[i]);
        r->ref[i] = ref;
        return;
    }
    BOUGH_ASSERT(r->n < r->cap);
    memmove(r->ref + i + 1, r->ref + i, (r->n - i) * sizeof *r->ref);
    r->ref[i] = ref;
    r->n++;
}

/* From the back, each one moves once. */
void bough_log__refs_take(
    struct bough_log__refs *r, struct bough_mem *mem, struct bough_log__refs *from)
{
    size_t i = r->n, k = from->n, to = r->n + from->n, all = to;

    BOUGH_ASSERT(all <= r->cap || from->n == 0);
    if (from->n == 0)
        return;
    while (k > 0) {
        int cmp = i > 0 ? bough_view_cmp(name_of(r->ref[i - 1]), name_of(from->ref[k - 1])) : -1;

        if (cmp > 0) {
            r->ref[--to] = r->ref[--i];
            continue;
        }
        r->ref[--to] = from->ref[--k];
        if (cmp == 0)
            bough_log__ref_free(mem, r->ref[--i]);
    }
    memmove(r->ref + i, r->ref + to, (all - to) * sizeof *r->ref); /* names that were there */
    r->n = i + (all - to);
    from->n = 0;
}

void bough_log__refs_clear(struct bough_log__refs *r, struct bough_mem *mem)
{
    for (size_t i = 0; i < r->n; i++)
        bough_log__ref_free(mem, r->ref[i]);
    r->n = 0;
}

void bough_log__refs_fini(struct bough_log__refs *r, struct bough_mem *mem)
{
    bough_log__refs_clear(r, mem);
    bough_mem_free(mem, r->ref, r->cap * sizeof *r->ref);
    *r = (struct bough_log__refs){0};
}

void bough_log__ref_show(const struct bough_log__ref *ref, struct bough_log__ref_value *out)
{
    out->ref.name = name_of(ref);
    out->ref.kind = ref->kind;
    out->ref.id = ref->id;
    out->ref.peeled = ref->peeled;
    out->ref.target = bough_view(ref->bytes + ref->name_len, ref->target_len);
    out->seq = ref->seq;
    out->expiry = ref->expiry;
    out->doubt = false;
}

/* ---- As an item ---- */

enum { FLAG_PEELED = 1, FLAG_COUNTS = 2 };

void bough_log__ref_encode(
    struct bough_buf *b, enum bough_algo algo, const struct bough_log__ref_value *v)
{
    size_t at = bough_log__item_begin(b, BOUGH_LOG__REF);
    bool peeled = v->ref.kind == BOUGH_REF_ID && !bough_oid_is_zero(&v->ref.peeled);

    bough_buf_put_u8(b, (uint8_t)v->ref.kind);
    bough_buf_put_u8(b, (uint8_t)((peeled ? FLAG_PEELED : 0) | (v->counts ? FLAG_COUNTS : 0)));
    bough_buf_put_u8(b, (uint8_t)v->ref.name.len);
    bough_buf_put_u8(b, (uint8_t)(v->ref.name.len >> 8));
    bough_buf_put64le(b, v->seq);
    bough_buf_put64le(b, v->expiry);
    bough_buf_put_view(b, v->ref.name);
    if (v->ref.kind == BOUGH_REF_ID)
        bough_buf_put(b, v->ref.id.bytes, bough_algo_len(algo));
    if (peeled)
        bough_buf_put(b, v->ref.peeled.bytes, bough_algo_len(algo));
    if (v->ref.kind == BOUGH_REF_SYM)
        bough_buf_put_view(b, v->ref.target);
    bough_log__item_end(b, at);
}

enum bough_err bough_log__ref_decode(
    struct bough_view body, enum bough_algo algo, struct bough_log__ref_value *out)
{
    struct bough_log__fields f = {.left = body};
    uint32_t kind = (uint32_t)bough_log__get(&f, 1), flags = (uint32_t)bough_log__get(&f, 1);
    uint64_t name_len = bough_log__get(&f, 2);

    *out = (struct bough_log__ref_value){.seq = bough_log__get(&f, 8)};
    out->expiry = bough_log__get(&f, 8);
    out->ref.name = bough_log__get_view(&f, name_len);
    if (kind > BOUGH_REF_SYM || name_len == 0 || name_len > BOUGH_REF_NAME_MAX)
        return BOUGH_ECORRUPT;
    out->ref.kind = (enum bough_ref_kind)kind;
    out->counts = (flags & FLAG_COUNTS) != 0;
    if (kind == BOUGH_REF_ID)
        out->ref.id = bough_log__get_id(&f, algo);
    if (kind == BOUGH_REF_ID && (flags & FLAG_PEELED))
        out->ref.peeled = bough_log__get_id(&f, algo);
    if (kind == BOUGH_REF_SYM)
        out->ref.target = bough_log__get_view(&f, f.left.len);
    if (f.bad || f.left.len != 0 || out->ref.target.len > BOUGH_REF_NAME_MAX)
        return BOUGH_ECORRUPT;
    return BOUGH_OK;
}
