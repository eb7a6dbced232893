/*
 * transfer.h - everything of one repository, into another or into a file.
 *
 *   refs       taken from a repository, or gathered one by one
 *   sending    the pack of all that they reach, as a fetch of it would get it
 *   receiving  refs and a pack into an empty repository, as a push of them would be taken
 *
 * Both ends are sessions of sync/, so what is sent and what is believed follows the same rules as
 * on the network; memory is bounded the same way.
 */
#ifndef BOUGH_TRANSFER_H
#define BOUGH_TRANSFER_H

#include "cli/cli.h"
#include "sync/sync.h"

struct transfer_ref {
    size_t name, name_len;     /* in text */
    size_t target, target_len; /* of a symbolic one */
    struct bough_oid id;       /* of a symbolic one: what it leads to, or zero */
};

struct transfer {
    struct bough_mem *mem;
    enum bough_algo algo;
    struct bough_buf text;
    struct transfer_ref *refs; /* HEAD and those below refs/, by name */
    size_t n, cap;
    struct bough_oid *cut; /* commits whose parents were given up */
    size_t cuts, cuts_cap;
    uint64_t objects; /* sent or received so far */
};

void transfer_init(struct transfer *t, struct bough_mem *mem, enum bough_algo algo);
void transfer_fini(struct transfer *t);

/* A ref more; `target` is empty for one that names an id. */
enum bough_err transfer_add(struct transfer *t, struct bough_view name, const struct bough_oid *id,
    struct bough_view target);

/* A commit more whose parents were given up. */
enum bough_err transfer_cut_add(struct transfer *t, const struct bough_oid *id);

/* All refs of `r`, whose windows are folded first. */
enum bough_err transfer_take(struct transfer *t, struct bough_repo *r);

static inline struct bough_view transfer_name(const struct transfer *t, size_t i)
{
    return bough_view(t->text.ptr + t->refs[i].name, t->refs[i].name_len);
}

static inline struct bough_view transfer_target(const struct transfer *t, size_t i)
{
    return bough_view(t->text.ptr + t->refs[i].target, t->refs[i].target_len);
}

/* Is it a row of a reflog (repo/reflog.c)?  convert.c sets these when all else is there. */
static inline bool transfer_is_log(const struct transfer *t, size_t i)
{
    return t->refs[i].name_len > 5 && memcmp(t->text.ptr + t->refs[i].name, "logs/", 5) == 0;
}

/* ---- Ends (convert.c) ---- */

/* Open what is sent, with nothing left in its journal; `all`: refused where it has refs that no other
   store could hold.  The exit code after an error was said. */
int transfer_open_source(struct cli *src, bool all);

/* Open dst->store, made anew where there is none; it must be empty and have ids of this kind. */
int transfer_open_target(struct cli *dst, enum bough_algo algo, uint64_t size);

/* Where history ends, of `src` into `t`; and into `dst`, before the objects come, which would else be
   incomplete: there it ends nowhere else afterwards. */
enum bough_err transfer_boundary_take(struct transfer *t, struct bough_store *src);
enum bough_err transfer_boundary_set(const struct transfer *t, struct bough_store *dst);

/* How much of it branches keep. */
enum bough_err transfer_keep(struct bough_store *src, struct bough_store *dst);

/* Rows of reflogs become refs of `t`; what the ref was before comes along where `has` says so. */
typedef bool transfer_has(void *ctx, const struct bough_oid *id);
enum bough_err transfer_logs_take(
    struct transfer *t, struct bough_store *src, transfer_has *has, void *ctx);

/* The logs of `dst` become the rows in `t`: that all refs came into being a moment ago is not what they
   are to say. */
enum bough_err transfer_logs_set(const struct transfer *t, struct bough_store *dst);

/* All refs of `t`: the pack of what they reach in `src`, and then the refs, to `dst`. */
enum bough_err transfer_copy(
    struct transfer *t, struct bough_repo *src, struct bough_repo *dst, struct bough_why *why);

/* ---- Sending ---- */

typedef enum bough_err transfer_sink(void *ctx, struct bough_view bytes);

/* Give the pack of all that the refs reach to `sink`; nothing when they reach nothing. */
enum bough_err transfer_send(struct transfer *t, struct bough_repo *r, transfer_sink *sink,
    void *ctx, struct bough_why *why);

/* ---- Receiving ---- */

struct receiver {
    struct transfer *t;
    struct bough_repo *repo;
    struct bough_sync *session; /* NULL: no ref names an id, nothing will come */
    struct bough_buf said;      /* the report, as far as it came */
    bool held; /* the last ref only brings what a detached HEAD names; it goes when HEAD is set */
};

/*
 * Begin to receive a pack for the refs of `t`.  `trust`: objects are taken as they are, as long as
 * their ids are right and nothing is missing; else git's rules are applied, too.
 */
enum bough_err receiver_open(struct receiver *x, struct transfer *t, struct bough_repo *repo,
    bool trust, struct bough_why *why);

/* Pack bytes: a transfer_sink. */
enum bough_err receiver_feed(void *receiver, struct bough_view bytes);

/* All came: check it, set the refs below refs/, then symbolic ones and HEAD. */
enum bough_err receiver_finish(struct receiver *x, struct bough_why *why);

/* Drop what did not become part of the repository. */
void receiver_close(struct receiver *x);

#endif
