/*
 * pathcache.c - values of branches by their whole path.
 *
 *   entries     a stamp, a path, a mode, and the value, or its id and where it is
 *   pages       of entries, found by bits of a hash
 *   table       pages, grown up to the limit
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
 * look at one line of tags, and a copy.  Its id is not there: who wants that makes it of the value,
 * which takes less time than all gets would wait for it.  Of a larger one there is its locator.  Entries hold the
 * whole path and are compared with it, so that no two paths can be taken for each other.
 *
 * Paths here have the inner form, so whoever asks with a key as it came is told nothing unless it
 * has that form: bough_branch_known() saves the look at it.
 *
 * A page is 64 lines of 64 bytes, those of the processor's cache, and a tag for each line.  An
 * entry begins with a line and fills as many as it takes.  The tag of its first line is 0x80 and
 * seven bits of the hash; of each other line, six other bits, and 1; of a free line, 0.  Tags
 * stand side by side before all pages, so that they stay in the cache.
 *
 *   tags    | 0 | 0xa3 | 0x17 | 0x17 | 0 | 0xc0 | 0x55 | 0 | - - -
 *   lines   |   | entry              |   | entry       |   | - - -
 *
 * The hash gives a home, too, the line where the entry begins if there is room: a get asks for
 * that line before it knows the tags, and mostly waits for memory once.  Without room it begins
 * at the next lines that are free; if none are, what is at home goes.  The tags of a home and of
 * the seven lines behind it are one word, which mostly says all.
 *
 * An entry: u64 stamp, u16 length of path, u16 length of value, u8 mode and 0x80 if the value is
 * inside; path; the value, or its locator as u64 and its id.  All in the order of this host.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/path_inner.h"
#include "repo/tree_inner.h"

enum {
    LINE = 64,
    LINES = 64, /* of a page, bits of a mask */
    PAGE = LINE * LINES,
    HOMES = LINES - 7, /* eight tags are read from there */
    ENTRY_HEAD = 13,
    PATH_LEN = 8, /* where these are in an entry */
    VALUE_LEN = 10,
    MODE = 12,
    INSIDE = 0x80, /* with the mode */
    PAGES_MIN = 64,
    PAGES_GROW = 4, /* times as many at each step */
    PATH_MAX_LEN = 1024,
    NONE = LINES,
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

/* Short paths and values are the rule: no call. */
static inline bool same(const uint8_t *a, const uint8_t *b, size_t n)
{
    if (n < 8)
        return memcmp(a, b, n) == 0;
    for (; n > 8; n -= 8, a += 8, b += 8) {
        if (bough_get64le(a) != bough_get64le(b))
            return false;
    }
    return bough_get64le(a + n - 8) == bough_get64le(b + n - 8); /* some of it again */
}

static inline bool entry_is(const uint8_t *e, const struct bough_tree *t, struct bough_view path)
{
    return memcmp(e, &t->stamp, sizeof t->stamp) == 0 && get16(e + PATH_LEN) == path.len &&
           same(e + ENTRY_HEAD, path.ptr, path.len);
}

/* Its value, or where that is. */
static inline uint8_t *entry_value(uint8_t *e)
{
    return e + ENTRY_HEAD + get16(e + PATH_LEN);
}

/* ---- Pages ---- */

struct page {
    uint8_t *tags, *data;
};

static const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

/* Bits of a hash that say nothing of the page. */
static uint32_t hash_home(uint64_t hash)
{
    return (uint32_t)((hash >> 20 & 0xfff) * HOMES >> 12);
}

static uint8_t hash_tag(uint64_t hash)
{
    return (uint8_t)(0x80 | (hash >> 6 & 0x7f));
}

static uint8_t hash_more(uint64_t hash)
{
    return (uint8_t)(1 | (hash >> 13 & 0x7f));
}

/* Does a line with that tag go on with what the line before it has? */
static bool tag_is_more(uint8_t tag)
{
    return tag > 0 && tag < 0x80;
}

/* May the entry of that hash begin with line `i`? */
static bool tags_fit(const uint8_t *tags, uint32_t i, uint64_t hash)
{
    return tags[i] == hash_tag(hash) &&
           (i + 1 == LINES || !tag_is_more(tags[i + 1]) || tags[i + 1] == hash_more(hash));
}

/* Begins the entry of `path` with line `i`? */
static bool page_has(
    struct page p, uint32_t i, uint64_t hash, const struct bough_tree *t, struct bough_view path)
{
    return tags_fit(p.tags, i, hash) && entry_is(p.data + (size_t)i * LINE, t, path);
}

/* The high bit of each tag that is `tag`; above the first one, of some others, too. */
static inline uint64_t tags_match(const uint8_t *tags, uint8_t tag)
{
    uint64_t x = bough_get64le(tags) ^ ones * tag;

    return (x - ones) & ~x & tops;
}

/* It does not begin at home, nor with the first line behind it that looks so: elsewhere? */
static __attribute__((noinline)) uint32_t page_search(
    struct page p, uint64_t hash, const struct bough_tree *t, struct bough_view path)
{
    uint32_t home = hash_home(hash);

    for (uint32_t n = 0; n < LINES; n += 8) {
        uint32_t at = (home + n) % LINES / 8 * 8;
        uint64_t match = tags_match(p.tags + at, hash_tag(hash));

        for (; match != 0; match &= match - 1) {
            uint32_t i = at + (uint32_t)__builtin_ctzll(match) / 8;

            if (page_has(p, i, hash, t, path))
                return i;
        }
    }
    return NONE;
}

/* The line with which the entry of `path` begins, or NONE. */
static inline __attribute__((always_inline)) uint32_t page_find(
    struct page p, uint64_t hash, const struct bough_tree *t, struct bough_view path)
{
    uint32_t home = hash_home(hash);
    uint64_t match = tags_match(p.tags + home, hash_tag(hash));

    if (match != 0) {
        uint32_t i = home + (uint32_t)__builtin_ctzll(match) / 8;

        if (entry_is(p.data + (size_t)i * LINE, t, path))
            return i;
    }
    return page_search(p, hash, t, path);
}

/* Lines [from, to) become free, and so does all of the entries that they are part of. */
static uint32_t page_free(struct page p, uint32_t from, uint32_t to)
{
    uint32_t freed = 0;

    while (from > 0 && tag_is_more(p.tags[from]))
        from--;
    for (; from < to || (from < LINES && tag_is_more(p.tags[from])); from++) {
        freed += p.tags[from] != 0;
        p.tags[from] = 0;
    }
    return freed;
}

/* Where `n` lines are free, from `home` on; or NONE. */
static uint32_t page_gap(struct page p, uint32_t home, uint32_t n)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t gap = 0;

    for (uint32_t i = 0; i < LINES; i += 8) {
        uint64_t x = bough_get64le(p.tags + i);
        uint64_t zero = ~(((x & low) + low) | x | low) >> 7; /* the low bit of each 0 */

        gap |= (zero * 0x0102040810204080u >> 56) << i;
    }
    for (; n > 1; n--)
        gap &= gap >> 1;
    if (gap == 0)
        return NONE;
    if (home > 0)
        gap = gap >> home | gap << (LINES - home);
    return (home + (uint32_t)__builtin_ctzll(gap)) % LINES;
}

/* Room for an entry of `n` lines; `*used` lines are in use. */
static uint8_t *page_room(struct page p, uint64_t hash, uint32_t n, uint64_t *used)
{
    uint32_t home = hash_home(hash), i = page_gap(p, home, n);

    if (i == NONE) {
        i = home + n > LINES ? LINES - n : home;
        *used -= page_free(p, i, i + n);
    }
    *used += n;
    p.tags[i] = hash_tag(hash);
    memset(p.tags + i + 1, hash_more(hash), n - 1);
    return p.data + (size_t)i * LINE;
}

/* ---- Table ---- */

static size_t paths_size(size_t pages)
{
    return pages == 0 ? 0 : pages * (LINES + PAGE) + 3 * LINE;
}

static uint64_t path_hash(const struct bough_repo *r, uint64_t stamp, struct bough_view path)
{
    return bough_mix64(r->key ^ stamp, path.ptr, path.len);
}

static struct page page_nth(const struct bough_repo__paths *p, size_t i)
{
    return (struct page){p->tags + i * LINES, p->tags + p->pages * LINES + i * PAGE};
}

static struct page path_page(const struct bough_repo__paths *p, uint64_t hash)
{
    return page_nth(p, (size_t)((hash >> 32) * p->pages >> 32));
}

/* Entries of a page come into the larger table. */
static void page_move(const struct bough_repo *r, struct page from, struct bough_repo__paths *p)
{
    for (uint32_t i = 0, n; i < LINES; i += n) {
        const uint8_t *e = from.data + (size_t)i * LINE;
        uint64_t stamp, hash;

        for (n = 1; i + n < LINES && tag_is_more(from.tags[i + n]);)
            n++;
        if (from.tags[i] == 0)
            continue;
        memcpy(&stamp, e, sizeof stamp);
        hash = path_hash(r, stamp, bough_view(e + ENTRY_HEAD, get16(e + PATH_LEN)));
        memcpy(page_room(path_page(p, hash), hash, n, &p->used), e, (size_t)n * LINE);
    }
}

/* More pages while the limit allows. */
static void paths_grow(struct bough_repo *r)
{
    struct bough_repo__paths *p = &r->paths, more = *p;
    size_t most = p->limit / (LINES + PAGE);

    most = most < UINT32_MAX ? most : UINT32_MAX;
    more.pages = p->pages == 0 ? PAGES_MIN : p->pages * PAGES_GROW;
    more.pages = more.pages < most ? more.pages : most;
    if (more.pages <= p->pages)
        return;
    more.memory = bough_mem_alloc(r->mem, paths_size(more.pages));
    if (more.memory == NULL)
        return;
    more.tags = more.memory + (LINE - (size_t)((uintptr_t)more.memory % LINE)) % LINE;
    more.used = 0;
    memset(more.tags, 0, more.pages * LINES);
    for (size_t i = 0; i < p->pages; i++)
        page_move(r, page_nth(p, i), &more);
    bough_mem_free(r->mem, p->memory, paths_size(p->pages));
    *p = more;
}

void bough_repo__paths_fini(struct bough_repo *r)
{
    bough_mem_free(r->mem, r->paths.memory, paths_size(r->paths.pages));
    r->paths = (struct bough_repo__paths){0};
}

/* ---- Getting, keeping, dropping ---- */

/* The entry of `path`, or NULL. */
static inline __attribute__((always_inline)) uint8_t *path_entry(
    const struct bough_tree *t, struct bough_view path)
{
    const struct bough_repo__paths *p = &t->r->paths;
    struct page page;
    uint64_t hash;
    uint8_t *e;
    uint32_t i;

    if (t->stamp == 0 || p->pages == 0)
        return NULL;
    hash = path_hash(t->r, t->stamp, path);
    page = path_page(p, hash);
    e = page.data + (size_t)hash_home(hash) * LINE;
    __builtin_prefetch(e);
    __builtin_prefetch(e + LINE);
    i = page_find(page, hash, t, path);
    return i == NONE ? NULL : page.data + (size_t)i * LINE;
}

bool bough_repo__path_get(
    struct bough_tree *t, struct bough_view path, struct bough_repo__known *out)
{
    uint8_t *e = path_entry(t, path);
    bool inside;

    if (e == NULL)
        return false;
    inside = (e[MODE] & INSIDE) != 0;
    out->mode = (enum bough_repo__mode)(e[MODE] & ~INSIDE);
    out->where = entry_value(e);
    out->bytes = bough_view(inside ? out->where : NULL, get16(e + VALUE_LEN));
    out->id = inside ? NULL : out->where + sizeof(uint64_t);
    return true;
}

bool bough_repo__path_value(
    const struct bough_tree *t, struct bough_view path, struct bough_view *out)
{
    uint8_t *e = path_entry(t, path);

    if (e == NULL || (e[MODE] & INSIDE) == 0)
        return false;
    *out = bough_view(entry_value(e), get16(e + VALUE_LEN));
    return true;
}

void bough_repo__path_keep(struct bough_tree *t, struct bough_view path,
    const struct bough_repo__change *is, uint64_t where, struct bough_view bytes)
{
    struct bough_repo *r = t->r;
    struct bough_repo__paths *p = &r->paths;
    bool inside = bytes.ptr != NULL && bytes.len <= BOUGH_REPO__PATH_VALUE_MAX;
    size_t value = inside ? bytes.len : sizeof where + r->hash_len, len;
    uint64_t hash;
    struct page page;
    uint8_t *e;
    uint32_t i;

    if (t->stamp == 0 || is->kind != BOUGH_NODE_VALUE || path.len > PATH_MAX_LEN)
        return;
    if (p->used >= p->pages * (LINES / 2))
        paths_grow(r);
    if (p->pages == 0)
        return;
    hash = path_hash(r, t->stamp, path);
    page = path_page(p, hash);
    i = page_find(page, hash, t, path);
    if (i != NONE)
        p->used -= page_free(page, i, i + 1);
    len = ENTRY_HEAD + path.len + value;
    e = page_room(page, hash, (uint32_t)((len + LINE - 1) / LINE), &p->used);
    memcpy(e, &t->stamp, sizeof t->stamp);
    put16(e + PATH_LEN, path.len);
    put16(e + VALUE_LEN, inside ? value : 0);
    e[MODE] = (uint8_t)((unsigned)is->mode | (inside ? INSIDE : 0));
    e += ENTRY_HEAD;
    memcpy(e, path.ptr, path.len);
    e += path.len;
    if (!inside) {
        memcpy(e, &where, sizeof where);
        memcpy(e + sizeof where, is->id.bytes, r->hash_len);
    } else if (value > 0) {
        memcpy(e, bytes.ptr, value);
    }
}

bool bough_repo__path_drop(struct bough_tree *t, struct bough_view path)
{
    struct bough_repo__paths *p = &t->r->paths;
    struct page page;
    uint64_t hash;
    uint32_t i;

    if (t->stamp == 0 || p->pages == 0)
        return false;
    hash = path_hash(t->r, t->stamp, path);
    page = path_page(p, hash);
    i = page_find(page, hash, t, path);
    if (i != NONE)
        p->used -= page_free(page, i, i + 1);
    return i != NONE;
}
