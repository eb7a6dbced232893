/*
 * sync.h - Git's transfer protocol, the server's side: fetches and pushes.
 *
 *   hello         which service, which repository, which version a client asks for
 *   options       struct bough_sync_opts: version, transport, limits, policy
 *   sessions      struct bough_sync: feed, step, pull, eof, idle, close
 *   upload-pack   bough_upload_open(): clones and fetches, versions 0, 1 and 2
 *   receive-pack  bough_receive_open(): pushes, versions 0 and 1
 *
 * A session does no I/O: the caller carries bytes from a socket, a pipe, an
 * HTTP body or a test into feed() and takes the answer with pull(), in any
 * split.  git://, ssh-like stdio and HTTP differ in opts.transport only.
 *
 * `state` says what the session waits for; this loop drives every session:
 *
 *   INPUT    feed() what was read (eof() when there is no more)
 *   WORK     step(), which takes a bounded bite; other sessions may run between
 *   OUTPUT   nothing but pull() helps: enough is buffered
 *   DONE     pull() what is left, then close: all was said
 *   FAILED   the same; `why` says what went wrong (the client was told where it can be)
 *
 *        +---------------------+
 *        v                     |
 *      INPUT --> WORK <--> OUTPUT        any state --> DONE or FAILED
 *
 * pull() is right in every state and should be called after each feed() and step().
 *
 * Bounds.  At most BOUGH_SYNC_OUT_MAX bytes of output are buffered, and a pack is made as
 * the client drains it.  feed() takes nothing but in INPUT, so that a slow store slows the
 * sender down.  What one session may hold in memory follows from its limits.
 *
 * After DONE or FAILED the client may still be sending: read on and drop for a while before
 * closing a socket, or the reset takes the last words away.  A caller who gathers
 * (bough_repo_gather_begin) ends the gathering before it sends what was pulled since: a push is
 * reported when its refs were updated, which is durable then only without a gathering.
 *
 * A session uses its repository between other calls on it: refs may move, objects and commits
 * may come while it waits.  It must be closed before the repository, and before anything takes
 * objects away.
 */
#ifndef BOUGH_SYNC_H
#define BOUGH_SYNC_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_sync;

enum bough_service {
    BOUGH_SERVICE_NONE = 0,
    BOUGH_SERVICE_UPLOAD_PACK = 1,  /* the client fetches */
    BOUGH_SERVICE_RECEIVE_PACK = 2, /* the client pushes */
};

/* "git-upload-pack", "git-receive-pack"; "" for anything else. */
const char *bough_service_name(enum bough_service service);

/* The service of that name, with or without `git-`; BOUGH_SERVICE_NONE when there is none. */
enum bough_service bough_service_parse(struct bough_view name);

/* ---- Hello: the request line of git:// and its like ---- */

/* What a client asks for.  Views are borrowed from the line that was parsed. */
struct bough_hello {
    enum bough_service service;
    struct bough_view path; /* as sent, with its leading slash */
    struct bough_view host; /* without `host=`; empty when not sent */
    uint32_t version;       /* 0, 1 or 2 */
};

/*
 * Parse the content of the first packet of a git:// connection, "git-upload-pack
 * /path\0host=h\0\0version=2\0" (its four length digits are already gone).
 *
 * BOUGH_EFORMAT   not such a line, an unknown service, or a path with LF, NUL or a `..` segment
 */
enum bough_err bough_hello_parse(struct bough_view line, struct bough_hello *out);

/*
 * The greatest version that a colon-separated list asks for ("version=2:x=y", of the HTTP header
 * Git-Protocol or the variable GIT_PROTOCOL); 0 when it asks for none that we know.
 */
uint32_t bough_sync_version_parse(struct bough_view list);

/* ---- Options ---- */

/* How bytes travel. */
enum bough_transport {
    BOUGH_TRANSPORT_DUPLEX = 0, /* git://, ssh, stdio: advertise, then talk until done */
    BOUGH_TRANSPORT_ADVERTISE, /* GET info/refs: `# service=...` and the advertisement, then DONE */
    BOUGH_TRANSPORT_REQUEST,   /* POST: no advertisement, one request, its answer, then DONE */
};

/* What a client may ask of us; zero takes the default.  What is over one is named in `why`. */
struct bough_sync_limits {
    uint32_t wants_max;        /* ids or refs wanted in a request; default 100,000 */
    uint32_t haves_max;        /* ids offered in a session; default 1 million */
    uint32_t ref_prefixes_max; /* beyond it all are ignored, as git does; default 65,536 */
    uint32_t commands_max;     /* refs in a push; default 100,000 */
    uint64_t commands_len_max; /* bytes of ref names in a push; default 16 MiB */
    uint64_t selected_max;     /* objects selected or walked for a session; default 100 million */
    uint32_t walk_max; /* commits to send that a fetch walks over before it takes reachability
                          bitmaps, where there are some; default 2,000 */
    struct bough_intake_limits intake; /* of a pushed pack */
};

/* One change that a push asks for, for a policy to judge. */
struct bough_push_command {
    struct bough_view ref;     /* full name */
    struct bough_oid old, now; /* zero: does not exist, is deleted */
};

/*
 * May this ref change?  NULL: yes; else why not, in a few words that the client is shown after
 * `! [remote rejected]`; static text.  `view` sees the pushed objects over the store's own.
 */
typedef const char *bough_push_policy_fn(
    void *ctx, struct bough_store *view, const struct bough_push_command *command);

enum {
    BOUGH_SYNC_DENY_NON_FAST_FORWARD = 1 << 0, /* push: a branch only moves forward */
    BOUGH_SYNC_DENY_DELETES = 1 << 1,          /* push: no ref is deleted */
    BOUGH_SYNC_ALLOW_DELETE_HEAD = 1 << 2,     /* push: even HEAD's branch may be deleted */
    BOUGH_SYNC_TRUST = 1 << 3,                 /* push: no fsck rules; ids and connectivity only */
    BOUGH_SYNC_TIPS_ONLY = 1 << 4, /* fetch: wants must be advertised, not merely reachable */
    BOUGH_SYNC_ANY_WANT = 1 << 5,  /* upload: what is wanted need not be reached from a ref */
};

struct bough_sync_opts {
    uint32_t version; /* as the client asked: 0, 1 or 2; receive-pack answers 2 with 0 */
    enum bough_transport transport;
    uint32_t flags;                  /* BOUGH_SYNC_... */
    const char *agent;               /* borrowed until close; NULL: "bough" */
    struct bough_sync_limits limits; /* zero: defaults */
    bough_push_policy_fn *policy;    /* NULL: none */
    void *policy_ctx;
};

/* ---- Sessions ---- */

enum { BOUGH_SYNC_OUT_MAX = 256 * 1024 }; /* bytes of output buffered, give or take a packet */

enum bough_sync_state {
    BOUGH_SYNC_INPUT,
    BOUGH_SYNC_WORK,
    BOUGH_SYNC_OUTPUT,
    BOUGH_SYNC_DONE,
    BOUGH_SYNC_FAILED,
};

/* One conversation.  The fields are facts to read. */
struct bough_sync {
    const struct bough_sync_class *cls;
    enum bough_sync_state state;
    struct bough_why why; /* when FAILED */
    uint64_t in, out;     /* bytes fed and pulled so far */
    uint64_t objects;     /* objects sent or received in packs so far */
    bool packing;         /* a part of a pack was received */
};

/*
 * Open a session on `repo` (borrowed until close); `opts` are copied.
 *
 * BOUGH_ENOMEM
 * BOUGH_EINVAL    a version over 2
 * BOUGH_ENOTSUP   receive-pack on a store without BOUGH_STORE_INTAKE
 */
enum bough_err bough_upload_open(
    struct bough_repo *repo, const struct bough_sync_opts *opts, struct bough_sync **out);
enum bough_err bough_receive_open(
    struct bough_repo *repo, const struct bough_sync_opts *opts, struct bough_sync **out);

/* The same by service. */
enum bough_err bough_sync_open(enum bough_service service, struct bough_repo *repo,
    const struct bough_sync_opts *opts, struct bough_sync **out);

/*
 * Give what the client sent; `*used` bytes of it were taken, fewer than bytes.len when the
 * session wants to work or to be pulled first: step() and pull(), then feed the rest again.
 * Takes everything once DONE or FAILED, and ignores it.  Costs little for input up to 64 KiB.
 *
 * Any error is also in `why`, the state is FAILED, and pull() may still hold a last word.
 */
enum bough_err bough_sync_feed(struct bough_sync *s, struct bough_view bytes, size_t *used);

/* The client will send no more.  Where that is no proper end the session fails with BOUGH_EGONE. */
enum bough_err bough_sync_eof(struct bough_sync *s);

/*
 * Do a bounded piece of what is to do: about `budget` bytes' worth of reading, inflating and
 * writing (0: a default that stays under two milliseconds).  No work in states other than WORK.
 *
 * BOUGH_EAGAIN   more is to do: state is WORK
 * BOUGH_OK       nothing to do before input comes or output goes
 * errors as for feed()
 */
enum bough_err bough_sync_step(struct bough_sync *s, size_t budget);

/* Append at most `max` bytes of output to `out`; errors stick there, and then nothing is lost. */
void bough_sync_pull(struct bough_sync *s, struct bough_buf *out, size_t max);

/* Bytes that pull() would give now. */
size_t bough_sync_pending(const struct bough_sync *s);

/*
 * Nothing was pulled for a while (call it every five seconds of that): adds a keep-alive where
 * the protocol has one at this point, so that no client and no proxy gives up on a long walk.
 */
void bough_sync_idle(struct bough_sync *s);

/* End it.  A push that is not DONE leaves nothing behind.  NULL is fine. */
void bough_sync_close(struct bough_sync *s);

/* ---- For those who write a session ---- */

struct bough_sync_class {
    const char *name; /* "upload-pack", "receive-pack" */
    enum bough_err (*feed)(struct bough_sync *s, struct bough_view bytes, size_t *used);
    enum bough_err (*eof)(struct bough_sync *s);
    enum bough_err (*step)(struct bough_sync *s, size_t budget);
    void (*idle)(struct bough_sync *s);
    void (*close)(struct bough_sync *s);
};

#ifdef __cplusplus
}
#endif

#endif
