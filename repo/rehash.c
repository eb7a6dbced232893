/*
 * rehash.c - the id of a large tree that changed a little.
 *
 * A digest of so many bytes goes through the same states up to where they changed.  A node of a
 * large tree keeps the state at every so many bytes; its next version, when it is as long as the
 * one before, goes on from the last one that still holds: of a value in a random place, half of
 * the tree is hashed.  (Where the length differs the head differs, and all states with it.)
 *
 * Invariant: state k is that of a digest which was given the head and the first k * STEP bytes of
 * a body of `len` bytes, on guard, and of the node's own body as far as it is believed.
 */
#include "repo/inner.h"
#include "repo/node_inner.h"

enum { STEP = 256 * 1024, MIN = 2 * STEP }; /* bytes from state to state; of a body that has any */

size_t bough_repo__states_size(const struct bough_repo__states *s)
{
    return s == NULL ? 0 : sizeof *s + s->cap * sizeof s->state[0];
}

void bough_repo__states_free(struct bough_repo *r, struct bough_repo__states *s)
{
    bough_mem_free(r->mem, s, bough_repo__states_size(s));
}

void bough_repo__states_cut(struct bough_repo__states *s, size_t from)
{
    if (s != NULL && s->n > from / STEP + 1)
        s->n = (uint32_t)(from / STEP + 1);
}

/* None yet, with room for a body of that length; NULL: no memory, so without states. */
static struct bough_repo__states *states_new(struct bough_repo *r, size_t len)
{
    size_t cap = len / STEP + 1;
    struct bough_repo__states *s = bough_mem_alloc(r->mem, sizeof *s + cap * sizeof s->state[0]);

    if (s != NULL)
        *s = (struct bough_repo__states){.len = len, .cap = (uint32_t)cap};
    return s;
}

enum bough_err bough_repo__states_id(struct bough_repo *r, struct bough_repo__states **states,
    struct bough_view body, size_t from, struct bough_oid *id)
{
    struct bough_repo__states *s = *states;
    struct bough_hash h;
    size_t at;

    if (s == NULL || s->len != body.len) {
        bough_repo__states_free(r, s);
        s = body.len < MIN || body.len > UINT32_MAX ? NULL : states_new(r, body.len);
        *states = s;
    }
    if (s == NULL)
        return bough_oid_make(r->algo, BOUGH_TREE, body, id, &r->why);
    bough_repo__states_cut(s, from);
    if (s->n == 0)
        bough_oid_begin_guarded(&s->state[s->n++], r->algo, BOUGH_TREE, body.len);
    h = s->state[s->n - 1];
    for (at = (size_t)(s->n - 1) * STEP; body.len - at > STEP; at += STEP) {
        bough_hash_update(&h, body.ptr + at, STEP);
        s->state[s->n++] = h;
    }
    bough_hash_update(&h, body.ptr + at, body.len - at);
    return bough_oid_end_guarded(&h, id, &r->why);
}
