/*
 * fsck.h - what is damaged, and who needs it.
 *
 *   bough_fsck_open()       begin
 *   bough_fsck_damaged()    tell of an object that bough_store_check() found damaged
 *   bough_fsck_run()        walk from every ref; each bad object is reported with the commit and
 *                           path that need it, each ref that needs one by its name
 *   bough_fsck_whole()      after it: is an object there with all it reaches?
 *
 * A commit, tree or tag is visited once; memory is about 80 bytes for each.
 */
#ifndef BOUGH_REPO_FSCK_H
#define BOUGH_REPO_FSCK_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

enum bough_fsck_kind {
    BOUGH_FSCK_MISSING, /* an object is not there */
    BOUGH_FSCK_DAMAGED, /* it cannot be read, or is not what its id says */
    BOUGH_FSCK_REF,     /* a ref reaches one of those */
    BOUGH_FSCK_PATH,    /* a path in the commit that a ref names is, or lies below, one of those */
};

struct bough_fsck_finding {
    enum bough_fsck_kind kind;
    struct bough_oid id;     /* of the bad object; of REF: what the ref names */
    struct bough_oid commit; /* of the others: the commit that needs it, or zero */
    struct bough_view path;  /* in it; ptr NULL: the commit or its root itself; not of REF */
    struct bough_view ref;   /* of REF and PATH */
};
/* Views are borrowed for the call. */
typedef void bough_fsck_report_fn(void *ctx, const struct bough_fsck_finding *finding);

struct bough_fsck;
enum bough_err bough_fsck_open(struct bough_repo *r, struct bough_fsck **out);
enum bough_err bough_fsck_damaged(struct bough_fsck *f, const struct bough_oid *id);

/* BOUGH_ECORRUPT when anything was reported. */
enum bough_err bough_fsck_run(struct bough_fsck *f, bough_fsck_report_fn *report, void *ctx);

/* BOUGH_OK: yes.  BOUGH_ECORRUPT: no.  What run() did not meet is walked now, without a word. */
enum bough_err bough_fsck_whole(struct bough_fsck *f, const struct bough_oid *id);

void bough_fsck_close(struct bough_fsck *f); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
