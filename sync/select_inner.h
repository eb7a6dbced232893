/*
 * select_inner.h - what the parts of a selection share.
 *
 *   flags     of what is known of an object, in short
 *   lists     the set of objects looked at, the list of what is sent (select.c)
 *   commits   nodes, painting, the list of commits (select_commits.c)
 *   trees     what commits have in their trees (select_trees.c)
 *   bitmaps   what the store knows of all this already (select_reach.c)
 *
 * A step does a piece of its phase; after the last one it begins the next phase.
 */
#ifndef BOUGH_SYNC_SELECT_INNER_H
#define BOUGH_SYNC_SELECT_INNER_H

#include "sync/inner.h"

#define WANT    BOUGH_SYNC__WANT
#define HAVE    BOUGH_SYNC__HAVE
#define QUEUED  BOUGH_SYNC__QUEUED
#define WANTED  BOUGH_SYNC__WANTED
#define HAD     BOUGH_SYNC__HAD
#define CUT     BOUGH_SYNC__CUT
#define SEND    BOUGH_SYNC__SEND
#define COVERED BOUGH_SYNC__COVERED
#define BELOW   BOUGH_SYNC__BELOW

/* ---- Lists ---- */

/* The row of an object, new or known; no more than the limit selected_max. */
enum bough_err bough_sync__select_row(
    struct bough_sync__select *sel, const struct bough_oid *id, uint32_t *row);

/* Put a row on the list of what is sent, once. */
enum bough_err bough_sync__select_send(struct bough_sync__select *sel, uint32_t row);

/* ---- Commits ---- */

/* A commit is wanted (WANT) or had (HAVE): see that its parents hear of it. */
enum bough_err bough_sync__select_paint(
    struct bough_sync__select *sel, uint32_t row, uint64_t flag);

static inline uint32_t bough_sync__select_parent(
    const struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i)
{
    return sel->parents.items[node->at + i];
}

/* The tree of parent number `i`. */
enum bough_err bough_sync__select_parent_tree(struct bough_sync__select *sel,
    const struct bough_sync__node *node, uint32_t i, uint32_t *tree);

enum bough_err bough_sync__select_commits_step(struct bough_sync__select *sel);
enum bough_err bough_sync__select_list_step(struct bough_sync__select *sel);

/* ---- Trees ---- */

/* An entry that the walk of a tree tells: bough_sync__trees.entry. */
enum bough_err bough_sync__select_entry(
    void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter);

enum bough_err bough_sync__select_had_step(struct bough_sync__select *sel);
enum bough_err bough_sync__select_loose_step(struct bough_sync__select *sel);
enum bough_err bough_sync__select_anchors_step(struct bough_sync__select *sel);
enum bough_err bough_sync__select_marks_step(struct bough_sync__select *sel);
enum bough_err bough_sync__select_trees_step(struct bough_sync__select *sel);

/* ---- Bitmaps ---- */

/* Take bitmaps if there are any and they fit what is asked for. */
enum bough_err bough_sync__map_begin(struct bough_sync__select *sel, bool any_have);
/* A commit gets a flag; *over: its parents need not hear of it. */
enum bough_err bough_sync__map_paint(
    struct bough_sync__select *sel, uint32_t row, uint64_t flag, bool *over);
/* On which sides is it, by the sets? */
enum bough_err bough_sync__map_has(
    struct bough_sync__select *sel, const struct bough_oid *id, uint32_t *sides);
/* The client has an object; *enter: what it names is to be looked at, too. */
enum bough_err bough_sync__map_had(
    struct bough_sync__select *sel, const struct bough_oid *id, enum bough_type type, bool *enter);
/* The walk of a fetch got long. */
enum bough_err bough_sync__map_restart(struct bough_sync__select *sel);
/* Bitmaps proved to be of no use: all is selected again, without them. */
enum bough_err bough_sync__map_fail(struct bough_sync__select *sel);
enum bough_err bough_sync__map_add(struct bough_sync__select *sel); /* a piece of the next bitmap */
enum bough_err bough_sync__map_over(struct bough_sync__select *sel); /* all is selected */

#endif
