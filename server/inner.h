/* inner.h - what the files of server/ share: the server, its clock, its branches. */
#ifndef BOUGH_SERVER_INNER_H
#define BOUGH_SERVER_INNER_H

#include <uv.h>

#include "kv/kv.h"
#include "server/conn.h"
#include "server/server.h"
#include "store/collect.h"

enum { SCANS_MAX = 256, PLACES_MAX = 64 }; /* remembered at a time */

/* An opened branch, shared by all clients that use it. */
struct place {
    struct bough_kv *kv;
    char *name;
    size_t len;
    struct place *next;
};

/* A SCAN under way: a snapshot and how far it came. */
struct scan {
    uint64_t cursor; /* what the client holds; 0: free */
    uint64_t used;   /* when last; the least is thrown out */
    struct bough_kv *kv;
    struct bough_buf last; /* inner path of the last key given */
    size_t base;           /* its first bytes: the directory that is scanned */
};

/* Upkeep of the store between the work for clients; see upkeep.c. */
struct upkeep {
    uv_timer_t timer;  /* runs while there is some to do */
    uint64_t budget;   /* bytes of the next step */
    uint64_t commands; /* run when the last step ended */
    bool wanted;       /* a collection, as `wish` says */
    struct bough_collect_opts wish;
    uint64_t reflog_sec;
    uint64_t resize;    /* bytes that the store is to have; 0: no such wish */
    bool waits;         /* for others, with that */
    enum bough_err err; /* of the last step; told to the log once */
    uint64_t steps, ns, ns_max;
};

struct server {
    uv_loop_t loop;
    const struct bough_server_opts *opts;
    struct bough_repo *repo;
    struct bough_mem *mem;
    uv_tcp_t listeners[3];
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t tick;   /* runs while a window is open */
    uv_timer_t alive;  /* runs while Git clients are there, or big values on their way */
    uv_timer_t sync;   /* runs when writes are made durable each second */
    uv_timer_t linger; /* runs while finished connections wait for their peers */
    uv_signal_t signals[2];
    struct upkeep upkeep;
    bool ending; /* somebody asked for it: stop when this turn ends */
    bool stopping, pid_written;
    struct conn *conns; /* all of them, newest first */
    struct conn *dirty; /* with output to send when this turn ends */
    uint64_t conns_n, conn_ids;
    uint64_t turn; /* number of this turn of the loop */
    struct place *places;
    struct scan scans[SCANS_MAX];
    uint64_t scan_ids;
    struct bough_time started;
    struct http *http;
    struct worker *workers;  /* sessions with work to do, a bite a turn (gitd.c) */
    struct bough_buf spare;  /* what the next connection reads into; see conn.c */
    enum bough_err tick_err; /* told to the log once */
    /* What INFO tells. */
    uint64_t bytes_out, commands, accepted, gathers, gather_failures, pushes, fetches, stalled;
};

/* Open the gather of this turn: every write of a client goes into it. */
enum bough_err server_gather(struct server *s);

/* The shared place of a branch ("" : HEAD's), good until the next call; NULL with repo's why. */
struct bough_kv *server_place(struct server *s, struct bough_view branch);

/* redis.c, gitd.c, http.c: their listeners' accept and their ends. */
void redis_accept(uv_stream_t *listener, int status);
void git_accept(uv_stream_t *listener, int status);
void redis_turn_failed(struct conn *c, enum bough_err err); /* replace this turn's replies */
extern const struct conn_class redis_class;
void git_work(struct server *s); /* a bite for each session that has work */
bool git_has_work(const struct server *s);
bool git_keep_alive(struct server *s);    /* call it about once a second while it is true */
void server_keep_alive(struct server *s); /* a Git client came, or one that may stall: see to it */

/* upkeep.c */
void server_upkeep_init(struct server *s);
void server_upkeep_wake(
    struct server *s);                    /* something was written: look soon what there is to do */
void server_upkeep_now(struct server *s); /* something was asked for */

/* What INFO tells of it (cmd_upkeep.c). */
void server_upkeep_info(struct server *s, struct bough_buf *out,
    void (*line)(struct bough_buf *out, const char *name, uint64_t value));

/* Is `/NAME.git` (or without .git) what this server serves? */
bool server_serves(const struct server *s, struct bough_view path);

enum bough_err http_start(struct server *s, const char *bind, int port);
void http_stop(struct server *s);
void http_free(struct server *s); /* after the loop closed its handles */
void http_work(struct server *s); /* the same for sessions over HTTP */
bool http_has_work(const struct server *s);

#endif
