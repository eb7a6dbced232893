/*
 * conn.h - a connection: bytes in, bytes out, bounded, on the loop's thread.
 *
 * A protocol fills in struct conn_class.  Input is appended to `in`; the protocol takes what it
 * uses.  Output is appended to `out` and leaves when the turn of the loop ends.
 */
#ifndef BOUGH_SERVER_CONN_H
#define BOUGH_SERVER_CONN_H

#include <uv.h>

#include "base/buf.h"

struct server;
struct conn;

enum {
    LINGER_MS = 2000,            /* a finished connection waits so long for the peer to close */
    CONN_READ = 64 * 1024,       /* bytes asked of a read */
    CONN_KEEP = 16 * 1024,       /* room that an idle connection may keep in a buffer */
    CONN_OUT_HIGH = 1024 * 1024, /* unsent bytes from which on no more input is processed */
    CONN_OUT_MAX = 128 * 1024 * 1024, /* unsent bytes at which a connection is cut */
};

struct conn_class {
    const char *name;
    void (*input)(struct conn *c); /* more bytes are in c->in */
    void (*end)(struct conn *c);   /* the peer closed its side, and may still read */
    void (*drained)(
        struct conn *c); /* all output left, or output fell below the mark; NULL: nothing */
    void (*gone)(struct conn *c); /* closed: release what is yours, but not c itself */
    bool (*halfway)(const struct conn
            *c); /* something is begun that only the peer can go on with; NULL: never */
};

struct conn {
    const struct conn_class *cls;
    struct server *server;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    } uv;
    struct bough_buf in, out;
    struct bough_buf sending; /* in the kernel's hands */
    uv_write_t write;
    uv_shutdown_t shut;
    uint64_t linger_ms; /* loop time at which a lingering connection is cut */
    size_t size;        /* of the struct that embeds this, for release */
    uint64_t id;
    uint64_t since_ms; /* loop time of its start and of its last input */
    uint64_t input_ms;
    uint64_t moved_ms; /* when bytes last came or left, or the peer was last not waited for */
    struct conn *prev, *next; /* all connections */
    struct conn *dirty_next;  /* those with output this turn */
    bool dirty, busy, paused, ended, closing, close_after, lingering;
    char peer[64];
};

/* Accept from `listener` into a cleared struct of `size` bytes whose first field is a conn. */
struct conn *conn_accept(
    struct server *s, uv_stream_t *listener, const struct conn_class *cls, size_t size);

void conn_touch(struct conn *c); /* there is output: send it at the end of the turn */
void conn_flush(struct conn *c); /* send now */
void conn_pause(struct conn *c); /* read no more until resumed */
void conn_resume(struct conn *c);
void conn_close(struct conn *c);         /* at once */
bool conn_cut_stalled(struct server *s); /* close those that are halfway too long; are others? */
void conn_finish(struct conn *c); /* when all output has left and the peer had time to read it */
bool conn_full(const struct conn *c); /* unsent output is over the mark */
void conn_rest(struct bough_buf *b);  /* give back the room of an empty buffer, if it is much */

#endif
