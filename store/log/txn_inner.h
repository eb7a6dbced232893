/*
 * txn_inner.h - the log goes on.
 *
 *   frames     are made and cut                                   append.c
 *   objects    into them, or as segments of their own             txn.c, put.c, adopt.c
 *   tables     of rows that a transaction has too many of         ahead.c
 *   memory     follows what is written, or was replayed           log.c
 *   spools     bytes that are put aside                           spool.c
 */
#ifndef BOUGH_LOG_TXN_INNER_H
#define BOUGH_LOG_TXN_INNER_H

#include "store/store.h"

struct bough_log;
struct bough_log__segment;

/* ---- Frames ---- */

/* Make the frame being made hold `data` and `index` more bytes: cut it or go to the next zone. */
enum bough_err bough_log__frame_fit(struct bough_log *l, size_t data, size_t index);

/* Write the frame being made; `last`: it ends the transaction; `sync`: flush, too. */
enum bough_err bough_log__frame_cut(struct bough_log *l, bool last, bool sync);

/* The memory that frames are made in. */
struct bough_log__aligned;
void bough_log__aligned_init(struct bough_log__aligned *a, struct bough_mem *under);

/* Write space ahead of the log once, if it is time. */
enum bough_err bough_log__prepare(struct bough_log *l);

/* Make sure that a next zone is chosen, if there is one. */
void bough_log__next_zone(struct bough_log *l);

/* Between transactions: the log goes on in a new zone.  BOUGH_ENOSPC. */
enum bough_err bough_log__turn(struct bough_log *l);

/* ---- Transactions ---- */

enum bough_err bough_log__txn_begin(struct bough_store *s, struct bough_txn **out);

/* The packed entry in l->scratch becomes object `id` of the transaction.  BOUGH_ETOOBIG: it
   does not fit into a frame. */
enum bough_err bough_log__entry_append(struct bough_log *l, const struct bough_oid *id);

/* A transaction's put and put_delta; see struct bough_txn_class. */
enum bough_err bough_log__put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body);
enum bough_err bough_log__put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body);

/* Put it, whatever there is of it. */
enum bough_err bough_log__put_whole(
    struct bough_log *l, enum bough_type type, const struct bough_oid *id, struct bough_view body);

/* The segment, whose bytes and tables are written, joins the transaction and gets its number; its run
   is taken on success. */
enum bough_err bough_log__segment_adopt(struct bough_log *l, struct bough_log__segment *seg);

void bough_log__txn_fini(struct bough_log *l);
enum bough_err bough_log__sync(struct bough_store *s);

/* Apply to memory, after reserves: shared by commit and replay. */
void bough_log__apply_segment_table(struct bough_log *l, struct bough_log__segment *seg);
enum bough_err bough_log__tables_reserve(struct bough_log *l, size_t more);

/* ---- Tables written ahead (ahead.c) ---- */

/* The rows of the transaction leave memory. */
enum bough_err bough_log__ahead_write(struct bough_log *l);
enum bough_err bough_log__ahead_name(struct bough_log *l); /* their items, into the frame */
void bough_log__ahead_apply(struct bough_log *l);          /* after a reserve of tables */
void bough_log__ahead_drop(struct bough_log *l);

/* Replay one: the rows of the table stand for objects up to sequence *upto. */
enum bough_err bough_log__ahead_replay(struct bough_log *l, struct bough_view body);

/* ---- Spools ---- */

/* Put bytes aside. */
enum bough_err bough_log__spool(struct bough_store *s, struct bough_spool **out);

#endif
