/*
 * pathcache.c - values of branches by their whole path.
 *
 *   entries     a stamp, a path, a mode, an id, and the value or where it is
 *   sets        pages of entries, found by 16 bits of a hash
 *   table       sets, grown up to the limit
 *   getting, keeping, dropping
 *
 * The tree of a branch's head carries a stamp, a number that no other state of any tree had.
 * An entry says what the stamp's tree, edits included, has at a path; only values are kept, and
 * nothing about what is not there.  Invariant: as long as a tree keeps its stamp, every entry of
 * that stamp is true.  A changed value replaces or drops its entry; whatever else changes what is
 * at other paths (a dictionary that goes, a value that becomes a dictionary) takes a new stamp,
 * and the old entries are never asked for again.  Folding changes nothing that an entry says.
 *
 * A small value is in the entry itself, checked when it came in: a get that hits is one hash, a
 * look at one line of tags, and a copy.  Of a larger one there is its locator.  Entries hold the
 * whole path and are compared with it, so that no two paths can be taken for each other.
 *
 * A set is a head and 4 KiB of entries.  The head, 256 bytes: the number n of entries and where they
 * end; 63 times a tag and where its entry begins, two bytes each.  Heads stand side by side, so
 * that they stay in the processor's cache; entries stand oldest first, without gaps.
 *
 *   +---+-----+-------+------+-------+------+-- - -    +---------+---------+-- - - ---+
 *   | n | end | tag 0 | at 0 | tag 1 | at 1 |          | entry 0 | entry 1 |          |
 *   +---+-----+-------+------+-------+------+-- - -    +---------+---------+-- - - ---+
 *
 * An entry: u64 stamp, u16 length of path, u16 length of value, u8 mode, u8 inside; id; path; the
 * value, or its locator as u64.  All in the order of this host.
 */
#include "repo/inner.h"

enum {
    SET = 4096,
    ENTRIES_MAX = 63,
    HEAD = 4 + 4 * ENTRIES_MAX,
    ENTRY_HEAD = 14,
    PATH_LEN = 8, /* where these are in an entry */
    VALUE_LEN = 10,
    MODE = 12,
    INSIDE = 13,
    SETS_MIN = 64,
    SETS_GROW = 4, /* times as many at each step */
    GROW_AT = 16,  /* entries kept for each set, then there are to be more sets */
    PATH_MAX_LEN = 1024,
    LINE = 64,
};

/* ---- Entries ---- */

static uint32_t get16(const uint8_t *p)
{
    uint16_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static void put16(uint8_t *p, size_t x)
{
    uint16_t y = (uint16_t)x;

    memcpy(p, &y, sizeof y);
}

static bool entry_is(const uint8_t *e, const struct bough_tree *t, struct bough_view path)
{
    return memcmp(e, &t->stamp, sizeof t->stamp) == 0 && get16(e + PATH_LEN) == path.len &&
           memcmp(e + ENTRY_HEAD + t->r->hash_len, path.ptr, path.len) == 0;
}

/* ---- Sets ---- */

struct set {
    uint8_t *head, *data;
};

static uint32_t set_count(struct set s)
{
    return get16(s.head);
}

static uint32_t set_end(struct set s)
{
    return get16(s.head + 2);
}

/* The tag of entry `i`, and behind it where it begins. */
static uint8_t *set_tag(struct set s, uint32_t i)
{
    return s.head + 4 + 4 * (size_t)i;
}

static uint32_t set_at(struct set s, uint32_t i)
{
    return get16(set_tag(s, i) + 2);
}

/* The entry of `path`, or UINT32_MAX. */
static uint32_t set_find(
    struct set s, uint64_t hash, const struct bough_tree *t, struct bough_view path)
{
    uint32_t n = set_count(s), tag = (uint32_t)hash & 0xffff;

    for (uint32_t i = 0; i < n; i++) {
        if (get16(set_tag(s, i)) == tag && entry_is(s.data + set_at(s, i), t, path))
            return i;
    }
    return UINT32_MAX;
}

/* Entries [from, to) go; those behind move up. */
static void set_cut(struct set s, uint32_t from, uint32_t to)
{
    uint32_t n = set_count(s), end = set_end(s), at = set_at(s, from);
    uint32_t next = to == n ? end : set_at(s, to);

    memmove(s.data + at, s.data + next, end - next);
    memmove(set_tag(s, from), set_tag(s, to), 4 * (size_t)(n - to));
    n -= to - from;
    for (uint32_t i = from; i < n; i++)
        put16(set_tag(s, i) + 2, set_at(s, i) - (next - at));
    put16(s.head, n);
    put16(s.head + 2, end - (next - at));
}

/* Room for an entry of `len` bytes at the end, in place of as many old ones as it takes. */
static uint8_t *set_room(struct set s, uint64_t hash, size_t len)
{
    uint32_t n = set_count(s), end = set_end(s), old = n == ENTRIES_MAX;

    while (old < n && end - set_at(s, old) + len > SET)
        old++;
    if (old > 0)
        set_cut(s, 0, old);
    n = set_count(s);
    end = set_end(s);
    put16(set_tag(s, n), (size_t)hash & 0xffff);
    put16(set_tag(s, n) + 2, end);
    put16(s.head, n + 1);
    put16(s.head + 2, end + len);
    return s.data + end;
}

/* ---- Table ---- */

static size_t paths_size(size_t sets)
{
    return sets == 0 ? 0 : sets * (HEAD + SET) + LINE;
}

static uint64_t path_hash(const struct bough_repo *r, uint64_t stamp, struct bough_view path)
{
    return bough_mix64(r->key ^ stamp, path.ptr, path.len);
}

static struct set path_set(const struct bough_repo__paths *p, uint64_t hash)
{
    size_t i = (size_t)((hash >> 32) * p->sets >> 32);

    return (struct set){p->set + i * HEAD, p->set + p->sets * HEAD + i * SET};
}

/* Entries of a set come into the larger table. */
static void set_move(const struct bough_repo *r, struct set from, const struct bough_repo__paths *p)
{
    for (uint32_t i = 0, n = set_count(from); i < n; i++) {
        const uint8_t *e = from.data + set_at(from, i);
        size_t len = (i + 1 < n ? set_at(from, i + 1) : set_end(from)) - set_at(from, i);
        uint64_t stamp, hash;

        memcpy(&stamp, e, sizeof stamp);
        hash = path_hash(r, stamp, bough_view(e + ENTRY_HEAD + r->hash_len, get16(e + PATH_LEN)));
        memcpy(set_room(path_set(p, hash), hash, len), e, len);
    }
}

/* More sets while the limit allows. */
static void paths_grow(struct bough_repo *r)
{
    struct bough_repo__paths *p = &r->paths, more = *p;
    size_t most = p->limit / (HEAD + SET);

    most = most < UINT32_MAX ? most : UINT32_MAX;
    more.sets = p->sets == 0 ? SETS_MIN : p->sets * SETS_GROW;
    more.sets = more.sets < most ? more.sets : most;
    if (more.sets <= p->sets)
        return;
    more.memory = bough_mem_zalloc(r->mem, 1, paths_size(more.sets));
    if (more.memory == NULL)
        return;
    more.set = more.memory + (LINE - (size_t)((uintptr_t)more.memory % LINE)) % LINE;
    for (size_t i = 0; i < p->sets; i++)
        set_move(r, (struct set){p->set + i * HEAD, p->set + p->sets * HEAD + i * SET}, &more);
    bough_mem_free(r->mem, p->memory, paths_size(p->sets));
    *p = more;
}

void bough_repo__paths_fini(struct bough_repo *r)
{
    bough_mem_free(r->mem, r->paths.memory, paths_size(r->paths.sets));
    r->paths = (struct bough_repo__paths){0};
}

/* ---- Getting, keeping, dropping ---- */

bool bough_repo__path_get(
    struct bough_tree *t, struct bough_view path, struct bough_repo__known *out)
{
    const struct bough_repo *r = t->r;
    uint8_t *e, *value;
    struct set set;
    uint64_t hash;
    uint32_t i;

    if (t->stamp == 0 || r->paths.sets == 0)
        return false;
    hash = path_hash(t->r, t->stamp, path);
    set = path_set(&r->paths, hash);
    i = set_find(set, hash, t, path);
    if (i == UINT32_MAX)
        return false;
    e = set.data + set_at(set, i);
    value = e + ENTRY_HEAD + r->hash_len + path.len;
    out->mode = (enum bough_repo__mode)e[MODE];
    memcpy(out->id.bytes, e + ENTRY_HEAD, r->hash_len);
    memset(out->id.bytes + r->hash_len, 0, sizeof out->id.bytes - r->hash_len);
    out->bytes = bough_view(NULL, 0);
    out->where = NULL;
    if (e[INSIDE] != 0)
        out->bytes = bough_view(value, get16(e + VALUE_LEN));
    else
        out->where = value;
    return true;
}

void bough_repo__path_keep(struct bough_tree *t, struct bough_view path,
    const struct bough_repo__change *is, uint64_t where, struct bough_view bytes)
{
    struct bough_repo *r = t->r;
    struct bough_repo__paths *p = &r->paths;
    bool inside = bytes.ptr != NULL && bytes.len <= BOUGH_REPO__PATH_VALUE_MAX;
    size_t value = inside ? bytes.len : sizeof where, len;
    uint64_t hash;
    struct set set;
    uint8_t *e;
    uint32_t i;

    if (t->stamp == 0 || is->kind != BOUGH_NODE_VALUE || path.len > PATH_MAX_LEN)
        return;
    if (p->kept >= p->sets * GROW_AT)
        paths_grow(r);
    if (p->sets == 0)
        return;
    hash = path_hash(t->r, t->stamp, path);
    set = path_set(&r->paths, hash);
    i = set_find(set, hash, t, path);
    if (i != UINT32_MAX)
        set_cut(set, i, i + 1);
    else
        p->kept++;
    len = ENTRY_HEAD + r->hash_len + path.len + value;
    e = set_room(set, hash, len);
    memcpy(e, &t->stamp, sizeof t->stamp);
    put16(e + PATH_LEN, path.len);
    put16(e + VALUE_LEN, inside ? value : 0);
    e[MODE] = (uint8_t)is->mode;
    e[INSIDE] = inside;
    e += ENTRY_HEAD;
    memcpy(e, is->id.bytes, r->hash_len);
    e += r->hash_len;
    memcpy(e, path.ptr, path.len);
    e += path.len;
    if (!inside)
        memcpy(e, &where, sizeof where);
    else if (value > 0)
        memcpy(e, bytes.ptr, value);
}

bool bough_repo__path_drop(struct bough_tree *t, struct bough_view path)
{
    uint64_t hash;
    struct set set;
    uint32_t i;

    if (t->stamp == 0 || t->r->paths.sets == 0)
        return false;
    hash = path_hash(t->r, t->stamp, path);
    set = path_set(&t->r->paths, hash);
    i = set_find(set, hash, t, path);
    if (i != UINT32_MAX)
        set_cut(set, i, i + 1);
    return i != UINT32_MAX;
}
