/*
 * pathcache.c - values of branches by their whole path.
 *
 *   slots     a key, a mode, an id
 *   keys      a stamp and a path, as two keyed hashes
 *   table     sets of two slots (with SHA-1 a cache line), grown up to the limit
 *   finding, keeping, dropping
 *
 * The tree of a branch's head carries a stamp, a number that no other state of any tree had.
 * A slot says what the stamp's tree, edits included, has at a path; only values are kept, and
 * nothing about what is not there.  Invariant: as long as a tree keeps its stamp, every slot of
 * that stamp is true.  A changed value drops its slot; whatever else changes what is at other
 * paths (a dictionary that goes, a value that becomes a dictionary) takes a new stamp, and the
 * old slots are never asked for again.  Folding changes nothing that a slot says.
 *
 * The hashes are keyed with a random number, so that no path can be made to look like
 * another; by chance two do in one of 2^73 tries: 64 bits in the slot, nine or more in its set.
 */
#include "repo/inner.h"

enum { WAYS = 2, SETS_MIN = 512, LINE = 64, AT_MODE = 8, AT_ID = 12 };

/* ---- Slots: u64 key (0: free), u32 mode, id; 32 or 48 bytes, in the order of this host ---- */

static size_t slot_len(const struct bough_repo *r)
{
    return r->hash_len == 20 ? 32 : 48;
}

static uint64_t slot_key(const uint8_t *slot)
{
    uint64_t key;

    memcpy(&key, slot, sizeof key);
    return key;
}

/* ---- Keys ---- */

struct key {
    uint64_t slot; /* kept in the slot; never 0 */
    uint64_t set;  /* chooses the set, by its low bits */
};

static struct key key_of(const struct bough_tree *t, struct bough_view path)
{
    uint64_t hash = bough_mix64(t->r->key ^ t->stamp, path.ptr, path.len);
    uint64_t other = bough_mix64(~t->r->key + t->stamp, path.ptr, path.len);

    return (struct key){.slot = hash | 1, .set = other};
}

/* ---- Table ---- */

static size_t paths_size(const struct bough_repo *r, size_t sets)
{
    return sets == 0 ? 0 : sets * WAYS * slot_len(r) + LINE;
}

static uint8_t *path_set(const struct bough_repo *r, const struct key *k)
{
    const struct bough_repo__paths *p = &r->paths;

    return p->slots + ((size_t)k->set & (p->sets - 1)) * WAYS * slot_len(r);
}

static uint8_t *path_find(const struct bough_repo *r, const struct key *k)
{
    uint8_t *s;

    if (r->paths.sets == 0)
        return NULL;
    s = path_set(r, k);
    for (int i = 0; i < WAYS; i++, s += slot_len(r)) {
        if (slot_key(s) == k->slot)
            return s;
    }
    return NULL;
}

/* Begin anew with more sets while the limit allows; what is asked for comes back. */
static void paths_grow(struct bough_repo *r)
{
    struct bough_repo__paths *p = &r->paths;
    size_t sets = p->sets == 0 ? SETS_MIN : p->sets * 4;
    uint8_t *memory;

    if (paths_size(r, sets) > p->limit + LINE)
        sets /= 2;
    if (sets <= p->sets || paths_size(r, sets) > p->limit + LINE)
        return;
    memory = bough_mem_zalloc(r->mem, 1, paths_size(r, sets));
    if (memory == NULL)
        return;
    bough_mem_free(r->mem, p->memory, paths_size(r, p->sets));
    p->memory = memory;
    p->slots = memory + (LINE - (size_t)((uintptr_t)memory % LINE)) % LINE;
    p->sets = sets;
    p->kept = 0;
}

void bough_repo__paths_fini(struct bough_repo *r)
{
    bough_mem_free(r->mem, r->paths.memory, paths_size(r, r->paths.sets));
    r->paths = (struct bough_repo__paths){0};
}

/* ---- Finding, keeping, dropping ---- */

bool bough_repo__path_get(
    struct bough_tree *t, struct bough_view path, struct bough_repo__change *out)
{
    const uint8_t *s;
    uint32_t mode;
    struct key k;

    if (t->stamp == 0)
        return false;
    k = key_of(t, path);
    s = path_find(t->r, &k);
    if (s == NULL)
        return false;
    memcpy(&mode, s + AT_MODE, sizeof mode);
    *out =
        (struct bough_repo__change){.kind = BOUGH_NODE_VALUE, .mode = (enum bough_repo__mode)mode};
    memcpy(out->id.bytes, s + AT_ID, t->r->hash_len);
    return true;
}

void bough_repo__path_keep(
    struct bough_tree *t, struct bough_view path, const struct bough_repo__change *is)
{
    struct bough_repo__paths *p = &t->r->paths;
    uint32_t mode = is->mode;
    struct key k;
    uint8_t *s;

    if (t->stamp == 0 || is->kind != BOUGH_NODE_VALUE || is->bytes != NULL)
        return;
    if (p->kept >= p->sets) /* as many came since it grew as it has sets */
        paths_grow(t->r);
    if (p->sets == 0)
        return;
    k = key_of(t, path);
    s = path_set(t->r, &k);
    if (slot_key(s) != 0 && (slot_key(s + slot_len(t->r)) == 0 || (p->kept & 1) != 0))
        s += slot_len(t->r);
    p->kept++;
    memcpy(s, &k.slot, sizeof k.slot);
    memcpy(s + AT_MODE, &mode, sizeof mode);
    memcpy(s + AT_ID, is->id.bytes, t->r->hash_len);
}

void bough_repo__path_drop(struct bough_tree *t, struct bough_view path)
{
    struct key k = key_of(t, path);
    uint8_t *s = path_find(t->r, &k);

    if (s != NULL)
        memset(s, 0, slot_len(t->r));
}
