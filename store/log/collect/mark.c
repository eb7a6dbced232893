/*
 * mark.c - a bit for each old row: does it live?
 *
 *   bits     found by id; the first frozen table that has the id decides, or says that a later one does
 *   marking  an object, alone or with what it reaches
 *   deltas   of a tree that is one on a tree that lives only what it inserts is looked at
 *   steps    one waiting object at a time: what it names is marked
 *
 * Commits go before trees, so that the trees of a history come oldest first: each is then a delta
 * of one that was read not long ago.  What waits is kept as locators, eight bytes each.
 */
#include "git/delta.h"
#include "git/object.h"
#include "store/inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { TREE_LARGE = 32 * 1024, TREE_PIECE = 256, ENTRY_COST = 32 }; /* bytes, entries, bytes each */
enum { NAMES_MAX = 16 * 1024 * 1024 }; /* rows for which names are noted; else it goes without */

enum bough_err bough_log__marks_init(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    uint64_t bits = 0;

    c->first_bits = c->frozen + 1;
    c->first_bit = bough_mem_zalloc(l->mem, c->first_bits, sizeof *c->first_bit);
    if (c->first_bit == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < c->frozen; i++) {
        c->first_bit[i] = bits;
        bits += (uint64_t)l->table[i].blocks * bough_log__rows_per_block(l);
        c->rows += l->table[i].rows;
    }
    c->first_bit[c->frozen] = bits;
    if (bits / 8 >= SIZE_MAX / 2)
        return BOUGH_ENOMEM;
    c->bits_len = (size_t)(bits / 8 + 1);
    c->bits = bough_mem_zalloc(l->mem, c->bits_len, 1);
    if (c->frozen > 1) {
        c->twice = bough_mem_zalloc(l->mem, c->bits_len, 1);
        if (c->twice == NULL)
            return BOUGH_ENOMEM;
    }
    if (c->opts.whole && c->opts.grace > 0) {
        c->graced = bough_mem_zalloc(l->mem, c->bits_len, 1);
        if (c->graced == NULL)
            return BOUGH_ENOMEM;
    }
    if (c->opts.whole && bits < NAMES_MAX) {
        c->names = bough_mem_zalloc(l->mem, (size_t)bits + 1, sizeof *c->names);
        c->names_len = c->names == NULL ? 0 : (size_t)bits + 1;
    }
    return c->bits == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

void bough_log__marks_fini(struct bough_log__cycle *c)
{
    struct bough_mem *mem = c->log->mem;

    bough_mem_free(mem, c->first_bit, c->first_bits * sizeof *c->first_bit);
    bough_mem_free(mem, c->bits, c->bits_len);
    bough_mem_free(mem, c->twice, c->bits_len);
    bough_mem_free(mem, c->graced, c->bits_len);
    bough_mem_free(mem, c->names, c->names_len * sizeof *c->names);
    bough_log__stack_fini(c, &c->commits);
    bough_log__stack_fini(c, &c->trees);
    bough_log__stack_fini(c, &c->others);
    bough_log__stack_fini(c, &c->deeps);
    bough_log__rows_fini(&c->lates, mem);
    bough_buf_fini(&c->body);
    bough_buf_fini(&c->tree);
}

/* ---- Bits ---- */

static enum bough_err old_find_in(struct bough_log__cycle *c, size_t table,
    const struct bough_oid *id, struct bough_log__row *row, uint64_t *bit)
{
    uint64_t place = 0;
    enum bough_err err = bough_log__table_place(c->log, &c->log->table[table], id, row, &place);

    *bit = c->first_bit[table] + place;
    return err;
}

enum bough_err bough_log__old_find(struct bough_log__cycle *c, const struct bough_oid *id,
    struct bough_log__row *row, uint64_t *bit)
{
    enum bough_err err = BOUGH_ENOENT;
    size_t i = 0;

    while (i < c->frozen && (err = old_find_in(c, i, id, row, bit)) == BOUGH_ENOENT)
        i++;
    if (err || c->twice == NULL || !(c->twice[*bit / 8] & 1u << *bit % 8))
        return err;
    for (i = c->frozen; i > 0; i--) { /* the newest that stands alone */
        err = old_find_in(c, i - 1, id, row, bit);
        if (err != BOUGH_ENOENT && (err || row->whole))
            return err;
    }
    return bough_log__corrupt(c->log, "a row is not where it was", *bit);
}

enum bough_err bough_log__lives(
    struct bough_log__cycle *c, const struct bough_oid *id, struct bough_log__row *row)
{
    uint64_t bit;
    enum bough_err err = bough_log__old_find(c, id, row, &bit);

    return err ? err : bough_log__is_marked(c, bit) ? BOUGH_OK : BOUGH_ENOENT;
}

enum bough_err bough_log__lives_at(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where, bool *yes)
{
    struct bough_log__row row;
    enum bough_err err = bough_log__lives(c, id, &row);

    *yes = !err && row.where == where;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Marking ---- */

enum bough_err bough_log__push(struct bough_log__cycle *c, struct bough_log__stack *s, uint64_t x)
{
    void *ptr = s->at;
    enum bough_err err = bough_mem_grow(c->log->mem, &ptr, &s->cap, s->n + 1, sizeof *s->at);

    s->at = ptr;
    if (!err)
        s->at[s->n++] = x;
    return err;
}

void bough_log__stack_fini(struct bough_log__cycle *c, struct bough_log__stack *s)
{
    bough_mem_free(c->log->mem, s->at, s->cap * sizeof *s->at);
    *s = (struct bough_log__stack){NULL, 0, 0};
}

enum bough_err bough_log__mark_alone(
    struct bough_log__cycle *c, const struct bough_oid *id, struct bough_log__row *row, bool *fresh)
{
    uint64_t bit;
    enum bough_err err = bough_log__old_find(c, id, row, &bit);

    if (err)
        return err;
    *fresh = !bough_log__is_marked(c, bit);
    if (!*fresh)
        return BOUGH_OK;
    if (c->late) {
        err = bough_log__rows_reserve(&c->lates, c->log->mem, 1);
        if (err)
            return err;
        bough_log__rows_add(&c->lates, row);
    } else if (c->stage == BOUGH_LOG__STAGE_CHOOSE) { /* it was counted as dead */
        bough_log__tally_find(c, bough_log__where_segment(row->where))->live++;
    }
    c->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
    if (c->gracing)
        c->graced[bit / 8] |= (uint8_t)(1u << bit % 8);
    if (c->names != NULL)
        c->names[bit] = c->name;
    c->marked++;
    return BOUGH_OK;
}

enum bough_err bough_log__mark(
    struct bough_log__cycle *c, const struct bough_oid *id, enum bough_type type)
{
    struct bough_log__row row;
    bool fresh;
    enum bough_err err = bough_log__mark_alone(c, id, &row, &fresh);

    if (err == BOUGH_ENOENT)
        *(bough_store__is_empty_tree(&c->log->store, id) ? &c->empty_tree : &c->missing) = true;
    if (err || !fresh || type == BOUGH_BLOB)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (type == BOUGH_COMMIT)
        return bough_log__push(c, &c->commits, row.where);
    return bough_log__push(c, type == BOUGH_TREE ? &c->trees : &c->others, row.where);
}

/*
 * Until a window was walked there is nothing that was reached by one, and marking is all.
 */
enum bough_err bough_log__mark_whole(
    struct bough_log__cycle *c, const struct bough_oid *id, enum bough_type type)
{
    struct bough_log__row row;
    bool fresh;
    enum bough_err err;

    if (type == BOUGH_BLOB || type == BOUGH_TREE || c->limits.seen.n == 0)
        return bough_log__mark(c, id, type);
    err = bough_log__mark_alone(c, id, &row, &fresh);
    if (err == BOUGH_ENOENT) {
        err = bough_log__young_whole(c, id, &row.where);
        return err == BOUGH_ENOENT ? BOUGH_OK
               : err               ? err
                                   : bough_log__push(c, &c->deeps, row.where);
    }
    if (err || (!fresh && !bough_log__uncut(c, id)))
        return err;
    return bough_log__push(c, &c->deeps, row.where);
}

/* As the one that names it. */
static enum bough_err mark_as(
    struct bough_log__cycle *c, const struct bough_oid *id, enum bough_type type)
{
    return c->deep ? bough_log__mark_whole(c, id, type) : bough_log__mark(c, id, type);
}

/* ---- What objects name ---- */

static enum bough_err commit_named(
    struct bough_log__cycle *c, const struct bough_oid *id, struct bough_view body)
{
    struct bough_store *s = &c->log->store;
    struct bough_commit commit;
    enum bough_err err = bough_commit_parse(s->algo, body, &commit);

    if (!err)
        err = bough_log__mark(c, &commit.tree, BOUGH_TREE);
    if (err || commit.parents_n == 0)
        return err;
    err = s->boundary == BOUGH_BOUNDARY_NONE ? BOUGH_ENOENT : bough_store_boundary(s, id);
    if (err != BOUGH_ENOENT)
        return err; /* its parents were given up, or that is not known */
    err = BOUGH_OK;
    for (uint32_t i = 0; i < commit.parents_n && !err; i++) {
        struct bough_oid parent = bough_commit_parent(&commit, i);
        err = mark_as(c, &parent, BOUGH_COMMIT);
    }
    return err;
}

/* The end of a name counts most: alike files mostly have like endings. */
static uint32_t name_of(struct bough_view name)
{
    uint32_t x = 0;

    for (size_t i = name.len > 16 ? name.len - 16 : 0; i < name.len; i++)
        x = (x >> 2) + ((uint32_t)name.ptr[i] << 24);
    return x;
}

/* So many entries more.  BOUGH_ENOENT: there are no more. */
static enum bough_err entries_named(
    struct bough_log__cycle *c, struct bough_tree_iter *it, uint32_t most)
{
    struct bough_tree_entry e;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < most && !err; i++) {
        uint32_t mode;

        err = bough_tree_iter_next(it, &e);
        if (err)
            return err;
        mode = bough_filemode(e.mode);
        if (mode == BOUGH_FILEMODE_GITLINK)
            continue;
        c->name = c->names == NULL ? 0 : name_of(e.name);
        err = bough_log__mark(c, &e.id,
            mode == BOUGH_FILEMODE_TREE ? BOUGH_TREE
            : mode == 0                 ? BOUGH_NONE
                                        : BOUGH_BLOB);
        c->name = 0;
    }
    return err;
}

static enum bough_err tree_named(struct bough_log__cycle *c, struct bough_view body)
{
    struct bough_tree_iter it;
    enum bough_err err;

    bough_tree_iter_init(&it, c->log->geo.algo, body, false);
    err = entries_named(c, &it, UINT32_MAX);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* A large tree, in c->body: its entries come in the steps that follow. */
static void tree_begin(struct bough_log__cycle *c)
{
    struct bough_buf was = c->tree;

    c->tree = c->body;
    c->body = was;
    bough_tree_iter_init(&c->tree_left, c->log->geo.algo, bough_buf_view(&c->tree), false);
}

static enum bough_err tree_step(struct bough_log__cycle *c)
{
    enum bough_err err = entries_named(c, &c->tree_left, TREE_PIECE);

    c->effort += TREE_PIECE * ENTRY_COST;
    if (!err)
        return err;
    bough_buf_clear(&c->tree);
    if (err == BOUGH_EFORMAT)
        err = bough_log__corrupt(c->log, "an object of a history makes no sense", 0);
    return err == BOUGH_ENOENT ? BOUGH_OK : bough_log__hold_if(c, c->tree_at, err);
}

enum bough_err bough_log__mark_named(struct bough_log__cycle *c, const struct bough_oid *id,
    enum bough_type type, struct bough_view body)
{
    struct bough_tag tag;
    enum bough_err err = BOUGH_OK;

    if (type == BOUGH_COMMIT)
        err = commit_named(c, id, body);
    else if (type == BOUGH_TREE && body.len > TREE_LARGE && body.ptr == c->body.ptr &&
             c->tree.len == 0)
        tree_begin(c);
    else if (type == BOUGH_TREE)
        err = tree_named(c, body);
    else if (type == BOUGH_TAG)
        err = bough_tag_parse(c->log->geo.algo, body, &tag);
    if (!err && type == BOUGH_TAG)
        err = mark_as(c, &tag.object, tag.type);
    if (err == BOUGH_EFORMAT) /* what it names is not known */
        return bough_log__corrupt(c->log, "an object of a history makes no sense", 0);
    return err;
}

/* ---- Trees that are deltas ---- */

/* Is `literal` made of whole entries, spelled as git spells them?  Then they are marked. */
static enum bough_err literal_named(struct bough_log__cycle *c, struct bough_view literal)
{
    struct bough_tree_iter it;
    struct bough_tree_entry e;
    enum bough_err err;

    bough_tree_iter_init(&it, c->log->geo.algo, literal, false);
    while (!(err = bough_tree_iter_next(&it, &e))) {
        if (bough_filemode(e.mode) != e.mode)
            return BOUGH_ENOTSUP; /* it may begin in the middle of one */
    }
    if (err != BOUGH_ENOENT)
        return BOUGH_ENOTSUP;
    return tree_named(c, literal);
}

/*
 * A tree that is a delta on one that lives: what it copies is marked with that one, so only what
 * it inserts is looked at.  BOUGH_ENOTSUP: it is not so, or an entry is put together from pieces.
 */
static enum bough_err delta_named(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_log__entry e;
    struct bough_delta_reader r;
    struct bough_delta_op op;
    struct bough_log__row row;
    enum bough_err err = bough_log__entry_open(c->log, where, &e);

    if (err || e.head.type != BOUGH_REF_DELTA)
        return err ? err : BOUGH_ENOTSUP;
    err = bough_log__lives(c, &e.head.base, &row);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_ENOTSUP : err;
    bough_buf_clear(&c->body);
    err = bough_log__entry_inflate(c->log, &e, &c->body);
    if (!err && bough_delta_open(&r, bough_buf_view(&c->body)))
        return BOUGH_ENOTSUP;
    while (!err && !(err = bough_delta_next(&r, &op))) {
        if (!op.copy)
            err = literal_named(c, bough_view(op.literal, (size_t)op.len));
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err == BOUGH_EFORMAT ? BOUGH_ENOTSUP : err;
}

/* ---- Steps ---- */

static enum bough_err named_at(struct bough_log__cycle *c, uint64_t where)
{
    enum bough_type type;
    struct bough_oid id = {{0}};
    enum bough_err err;

    bough_buf_clear(&c->body);
    c->tree_at = c->tree.len > 0 ? c->tree_at : where;
    err = bough_log__body_read(c->log, where, &type, &c->body);
    c->effort += c->body.len;
    if (!err && type == BOUGH_COMMIT && c->log->store.boundary != BOUGH_BOUNDARY_NONE)
        id = bough_oid_of(c->log->geo.algo, type, bough_buf_view(&c->body));
    if (!err)
        err = bough_log__mark_named(c, &id, type, bough_buf_view(&c->body));
    return bough_log__hold_if(c, where, err);
}

/* Of no type that is known. */
static enum bough_err other_at(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_found found;
    enum bough_err err = bough_log__look(c->log, where, &found);

    if (err || found.type == BOUGH_BLOB)
        return bough_log__hold_if(c, where, err);
    return named_at(c, where);
}

enum bough_err bough_log__mark_step(struct bough_log__cycle *c, bool with_trees)
{
    uint64_t where;
    enum bough_err err;

    if (c->tree.len > 0)
        return tree_step(c);
    if (c->others.n > 0)
        return other_at(c, c->others.at[--c->others.n]);
    if (c->deeps.n > 0) {
        c->deep = true;
        err = other_at(c, c->deeps.at[--c->deeps.n]);
        c->deep = false;
        return err;
    }
    if (c->commits.n > 0)
        return named_at(c, c->commits.at[--c->commits.n]);
    if (!with_trees || c->trees.n == 0)
        return BOUGH_ENOENT;
    where = c->trees.at[--c->trees.n];
    err = delta_named(c, where);
    return err == BOUGH_ENOTSUP ? named_at(c, where) : bough_log__hold_if(c, where, err);
}
