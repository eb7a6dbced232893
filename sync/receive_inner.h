/*
 * receive_inner.h - what the parts of receive-pack share.
 *
 *   commands   struct bough_sync__commands: what a push asks for (commands.c)
 *   connect    struct bough_sync__connect: is all there that the pack names? (connect.c)
 *   ancestor   struct bough_sync__ancestor: does a branch move forward? (connect.c)
 *   receive    struct bough_sync__receive: the session (receive.c, receive_check.c, receive_report.c)
 */
#ifndef BOUGH_SYNC_RECEIVE_INNER_H
#define BOUGH_SYNC_RECEIVE_INNER_H

#include "git/fsck.h"
#include "sync/inner.h"

/* ---- Commands ---- */

struct bough_sync__command {
    size_t name_at, name_len; /* in `names` */
    size_t real_at, real_len; /* in `names`: where its name leads, when that is a symbolic ref */
    size_t same; /* the command that asks the same of the ref this one leads to, plus one */
    struct bough_oid old, now;
    const char *refused; /* why, in git's words; NULL: it was not */
};

struct bough_sync__commands {
    struct bough_mem *mem;
    struct bough_sync__command *v;
    size_t n, cap;
    struct bough_buf names;
    bool report, atomic, side_band, options, quiet;
    bool needs_pack; /* one of them is no deletion */
    bool shallow;    /* the client's history ends somewhere */
};

void bough_sync__commands_init(struct bough_sync__commands *c, struct bough_mem *mem);
void bough_sync__commands_fini(struct bough_sync__commands *c);

/* Take a line: `old SP new SP name`, behind a NUL the capabilities in the first one; or shallow. */
enum bough_err bough_sync__commands_line(
    struct bough_sync__commands *c, struct bough_sync__session *s, struct bough_view line);

struct bough_view bough_sync__command_name(
    const struct bough_sync__commands *c, const struct bough_sync__command *command);

/*
 * See where names lead that are symbolic refs, as git does: a command on one is a command on the
 * ref it leads to, and two commands on one ref must agree.
 */
enum bough_err bough_sync__commands_alias(
    struct bough_sync__commands *c, struct bough_sync__session *s);
/* The ref that the command changes; its own name but for symbolic refs. */
struct bough_view bough_sync__command_real(
    const struct bough_sync__commands *c, const struct bough_sync__command *command);

/* Refuse all that are not refused yet. */
void bough_sync__commands_refuse(struct bough_sync__commands *c, const char *why);

/* ---- Connect ---- */

/* Of objects received, in their number: the type in the low bits. */
enum {
    BOUGH_SYNC__TYPE_MASK = 7,
    BOUGH_SYNC__VISITED = 1 << 3, /* a tree: its entries were looked at, or are about to be */
    BOUGH_SYNC__WHOLE = 1 << 4,   /* a commit: all of its tree is there */
};

/*
 * Checks that all objects are there, and of the right type, that those received name.  Not only
 * what the new tips reach: whatever is adopted must be closed.
 */
struct bough_sync__connect {
    struct bough_sync__session *session;
    struct bough_store *view;        /* the quarantine over the store */
    struct bough_sync__ids *objects; /* those received, with their types */
    struct bough_sync__trees trees;
    struct bough_buf body;
    uint32_t left; /* rows still to be looked at in this phase */
    bool anchored; /* first phase over: `anchor` was looked for */
    struct bough_oid
        anchor;   /* the tree of a commit here before that a received one has as parent */
    bool bare;    /* last phase: trees that no commit received has, and tags */
    bool missing; /* what failed is that an object is not there, or is another one */
};

void bough_sync__connect_init(struct bough_sync__connect *c, struct bough_sync__session *s,
    struct bough_store *view, struct bough_sync__ids *objects);
void bough_sync__connect_fini(struct bough_sync__connect *c);

/* BOUGH_EAGAIN: more to do.  BOUGH_EFORMAT with c->missing: the session's why names what. */
enum bough_err bough_sync__connect_step(struct bough_sync__connect *c, size_t budget);

/* ---- Ancestor ---- */

/* Is `old` reachable from `now`? */
struct bough_sync__ancestor {
    struct bough_store *store;
    struct bough_oid old;
    struct bough_sync__ids seen;
    struct bough_sync__queue queue;
    struct bough_buf body;
    bool begun, yes;
};

void bough_sync__ancestor_init(struct bough_sync__ancestor *a, struct bough_store *store);
void bough_sync__ancestor_fini(struct bough_sync__ancestor *a);
/* BOUGH_EAGAIN: more to do.  At BOUGH_OK a->yes is the answer, and the next call begins anew. */
enum bough_err bough_sync__ancestor_step(struct bough_sync__ancestor *a,
    const struct bough_oid *old, const struct bough_oid *now, size_t budget);

/* ---- Receive ---- */

enum bough_sync__receive_phase {
    BOUGH_SYNC__RECEIVE_TELL,
    BOUGH_SYNC__RECEIVE_COMMANDS, /* waits */
    BOUGH_SYNC__RECEIVE_OPTIONS,  /* waits */
    BOUGH_SYNC__RECEIVE_PACK,     /* waits */
    BOUGH_SYNC__RECEIVE_PAUSE,    /* between two pieces of the pack */
    BOUGH_SYNC__RECEIVE_RESOLVE,
    BOUGH_SYNC__RECEIVE_SPECIAL,
    BOUGH_SYNC__RECEIVE_CONNECT,
    BOUGH_SYNC__RECEIVE_JUDGE,
    BOUGH_SYNC__RECEIVE_UPDATE,
    BOUGH_SYNC__RECEIVE_REPORT,
};

struct bough_sync__receive {
    struct bough_sync__session session;
    enum bough_sync__receive_phase phase;
    struct bough_sync__refs refs;
    struct bough_sync__commands commands;
    struct bough_intake *intake;
    struct bough_fsck fsck;
    struct bough_sync__ids objects;  /* all of the pack, with their types */
    struct bough_sync__ids specials; /* blobs that git reads by name; their kind */
    struct bough_sync__connect connect;
    struct bough_sync__ancestor ancestor;
    struct bough_buf scratch; /* a blob; lines of the report */
    size_t at;                /* progress within the phase */
    bool unpack_failed;       /* pub.why says how */
};

static inline struct bough_sync__receive *bough_sync__receive_of(struct bough_sync *s)
{
    return (struct bough_sync__receive *)(void *)s;
}

void bough_sync__receive_phase(struct bough_sync__receive *r, enum bough_sync__receive_phase phase);

/* As the pack is indexed: of bough_fsck and of the intake. */
void bough_sync__receive_special(
    void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob);
enum bough_err bough_sync__receive_object(void *ctx, const struct bough_oid *id,
    enum bough_type type, uint64_t size, struct bough_view body, struct bough_why *why);

/* A piece of the phase; the last one begins the next phase. */
enum bough_err bough_sync__receive_specials(struct bough_sync__receive *r);
enum bough_err bough_sync__receive_connect(struct bough_sync__receive *r, size_t budget);
enum bough_err bough_sync__receive_judge(struct bough_sync__receive *r, size_t budget);
enum bough_err bough_sync__receive_update(struct bough_sync__receive *r);
enum bough_err bough_sync__receive_report(struct bough_sync__receive *r);

#endif
