/*
 * edit_inner.h - edited directories: changes over a base tree, ordered by name.
 *
 *   pools         memory for the edits of one tree             pool.c
 *   changes       what is made of a name, with its bytes
 *   edits         by name and in order                         edits.c
 *   directories   looked in, put into; a trie of them          edit.c
 */
#ifndef BOUGH_REPO_EDIT_INNER_H
#define BOUGH_REPO_EDIT_INNER_H

#include "base/base.h"
#include "git/oid.h"
#include "repo/name_inner.h"
#include "repo/repo.h"

struct bough_repo__node;

/*
 * Memory for the edits of one tree, with the directories that they are in (pool.c).  Pieces can be
 * given back; the rest goes with it.
 */
struct bough_repo__pool {
    struct bough_mem mem;           /* use this one */
    struct bough_repo__dir *top;    /* which it goes with */
    struct bough_repo__dir *opened; /* all of its directories */
};

struct bough_repo__pool *bough_repo__pool_new(struct bough_mem *under); /* NULL: no memory */
void bough_repo__pool_free(struct bough_repo__pool *pool);

enum { BOUGH_REPO__LEVELS = 12 };

/* What one change makes of a name. */
struct bough_repo__change {
    enum bough_node_kind kind; /* NONE: removed */
    enum bough_repo__mode mode;
    bool own;                    /* `value` is of the pool, its bytes behind it */
    struct bough_oid id;         /* of a value; of a dictionary without `dir` */
    struct bough_lent *value;    /* with bytes: not stored yet; NULL: stored */
    struct bough_repo__dir *dir; /* edits of a dictionary; owned */
};

/* The bytes of a value that is not stored yet; ptr NULL: it is, or it is no value. */
static inline struct bough_view bough_repo__change_bytes(const struct bough_repo__change *c)
{
    return c->value != NULL ? c->value->bytes : bough_view(NULL, 0);
}

/* Give `c` a copy of `bytes`, in `pool`, which `c` then owns; release it. */
enum bough_err bough_repo__value_own(
    struct bough_repo__pool *pool, struct bough_repo__change *c, struct bough_view bytes);
void bough_repo__value_drop(struct bough_repo__pool *pool, struct bough_repo__change *c);

/* Where a list of edits goes on.  The key is here, so that most edits need not be looked at. */
struct bough_repo__link {
    struct bough_repo__edit *to;
    uint64_t first8; /* of its name, big-endian, padded with zeros */
};

struct bough_repo__edit {
    struct bough_repo__change to;
    uint32_t hash;
    uint32_t base; /* index in the directory's base, or UINT32_MAX */
    uint32_t name_len;
    uint32_t levels;
    struct bough_repo__link next[]; /* levels of them, then the name */
};

struct bough_repo__slot {
    struct bough_repo__edit *edit;
    uint32_t hash; /* of its name */
};

/* Is the id of a directory known, and is it in the store? */
enum bough_repo__state {
    BOUGH_REPO__CLEAN,  /* known and stored */
    BOUGH_REPO__HASHED, /* known, not stored */
    BOUGH_REPO__DIRTY,  /* not known; then those above are dirty too */
};

/*
 * An edited directory: changes over a base tree, a skip list by name bytes.
 * One without live children is not there.
 */
struct bough_repo__dir {
    struct bough_repo__dir *up;
    struct bough_repo__pool *pool;
    struct bough_repo__dir *next_opened, **at_opened; /* of the pool */
    struct bough_repo__node *base;                    /* pinned; NULL: a new directory */
    struct bough_oid now;                             /* unless dirty */
    enum bough_repo__state state;
    bool moved;     /* the entries of the base, since edits noted where theirs are */
    bool ordered;   /* somebody asked for the order of edits: it is kept from then on */
    bool loose;     /* the list has no order yet */
    uint32_t found; /* the base's entry that was looked up last, when it has so many */
    uint64_t live;  /* children that are there */
    size_t edits_n;
    struct bough_repo__slot *slots; /* edits by hash, a power of two; NULL: few enough without */
    size_t slots_n;
    struct bough_repo__edit *cursor; /* of walks over the trie */
    struct bough_repo__edit *last;   /* that was found: one change asks for a name several times */
    struct bough_repo__link next[BOUGH_REPO__LEVELS];
};

static inline struct bough_view bough_repo__edit_name(const struct bough_repo__edit *e)
{
    return bough_view(e->next + e->levels, e->name_len);
}

/* Is what it makes of its name something? */
bool bough_repo__edit_there(const struct bough_repo__edit *e);

/* A directory over tree `base` (NULL: empty), in `pool`; NULL: the top of a new one. */
enum bough_err bough_repo__dir_new(struct bough_repo *r, struct bough_repo__pool *pool,
    const struct bough_oid *base, struct bough_repo__dir **out);
void bough_repo__dir_free(struct bough_repo *r, struct bough_repo__dir *d); /* and all below */

/* The change of `name`, or NULL; the first one after `name`, or NULL. */
struct bough_repo__edit *bough_repo__dir_edit(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name);
struct bough_repo__edit *bough_repo__dir_after(struct bough_repo__dir *d, struct bough_view name);

/* The first change by name: the others follow by next[0]; the way into the list. */
struct bough_repo__edit *bough_repo__dir_first(struct bough_repo__dir *d);

/* Make one, not linked yet (NULL: no memory); link it, take it out and release it; release it. */
struct bough_repo__edit *bough_repo__edit_new(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name);
void bough_repo__edit_link(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edit_unlink(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edit_free(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edits_drop(struct bough_repo__dir *d); /* the table */

/* What is at `name` now, base and change together (dead directories are NONE). */
void bough_repo__dir_look(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out);

/* The entry that the base has for an edit, or UINT32_MAX. */
uint32_t bough_repo__edit_base(
    struct bough_repo *r, const struct bough_repo__dir *d, const struct bough_repo__edit *e);

/* What the base has at `name`. */
void bough_repo__dir_base(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out);

/*
 * Make `to` of `name`, in place of whatever it was; what `to` owns is taken on BOUGH_OK.
 * Counts and states are kept, up to the root.
 */
enum bough_err bough_repo__dir_put(struct bough_repo *r, struct bough_repo__dir *d,
    struct bough_view name, const struct bough_repo__change *to);

#endif
