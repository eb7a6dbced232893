/*
 * resp.h - the Redis protocol as bytes: commands in, replies out; no I/O.
 *
 *   reading   struct resp_parser: RESP arrays of bulk strings, and inline commands
 *   writing   struct resp_writer: RESP2 or RESP3 replies into a buffer
 *
 * Source: the RESP2 and RESP3 specifications of redis.io.
 */
#ifndef BOUGH_SERVER_RESP_H
#define BOUGH_SERVER_RESP_H

#include "base/buf.h"

enum {
    RESP_ARGS_MAX = 1024 * 1024,         /* arguments of a command */
    RESP_INLINE_MAX = 64 * 1024,         /* bytes of an inline command */
    RESP_BULK_MAX = 32 * 1024 * 1024,    /* bytes of an argument that is not streamed */
    RESP_BIG = 1024 * 1024,              /* arguments from this size on are offered as a stream */
    RESP_COMMAND_MAX = 64 * 1024 * 1024, /* bytes of a command, without what is streamed */
    RESP_ARGS_KEEP = 1024,               /* arguments that an idle parser keeps room for */
};

enum resp_event {
    RESP_MORE,    /* the command is not whole yet */
    RESP_COMMAND, /* argv holds it */
    RESP_LARGE,   /* the next argument, number argc, has `big` bytes, which follow */
    RESP_BROKEN,  /* not the protocol: `error` says why; close */
};

/*
 * A command being read.  Feed it the same bytes again with more at the end until it is whole;
 * it remembers how far it came.  Arguments are views into those bytes.
 */
struct resp_parser {
    struct bough_mem *mem;
    struct resp_arg {
        size_t at, len; /* in the bytes of the command */
    } * args;
    size_t args_cap;
    struct bough_view *argv; /* of a RESP_COMMAND, good until the next call */
    size_t argv_cap;
    size_t argc;  /* arguments complete so far */
    int64_t want; /* arguments announced; -1: none yet */
    int64_t bulk; /* length of the argument being read; -1: not known yet */
    size_t pos;   /* bytes parsed */
    uint64_t big;
    const char *error;
};

void resp_parser_init(struct resp_parser *p, struct bough_mem *mem);
void resp_parser_fini(struct resp_parser *p);

/*
 * Parse `in`, which begins where the command begins.  After RESP_COMMAND, `p->pos` bytes belong
 * to it: drop them and call resp_parser_next().
 */
enum resp_event resp_parse(struct resp_parser *p, struct bough_view in);
void resp_parser_next(struct resp_parser *p);

/*
 * After RESP_LARGE: collect that argument like any other.  Who streams it instead copies what he
 * needs of p->args, drops p->pos bytes of input, calls resp_parser_next() and consumes `big`
 * bytes and the line end after them himself (so it must be the last argument).
 */
void resp_parser_keep(struct resp_parser *p);

/* Replies. */
struct resp_writer {
    struct bough_buf *out;
    int proto; /* 2 or 3 */
};

void resp_simple(struct resp_writer *w, const char *text);
void resp_error(
    struct resp_writer *w, const char *text); /* "WRONGTYPE ..." ; CR and LF become spaces */
void resp_int(struct resp_writer *w, int64_t x);
void resp_bulk(struct resp_writer *w, struct bough_view v);
void resp_bulk_str(struct resp_writer *w, const char *text);
void resp_bulk_head(struct resp_writer *w, uint64_t len); /* the bytes and CR LF follow */
void resp_null(struct resp_writer *w);
void resp_null_array(struct resp_writer *w);
void resp_array(struct resp_writer *w, size_t n);
void resp_map(struct resp_writer *w, size_t n); /* n pairs; RESP2: an array of 2n */
void resp_set(struct resp_writer *w, size_t n);
void resp_push(struct resp_writer *w, size_t n); /* RESP2: an array */
void resp_bool(struct resp_writer *w, bool x);   /* RESP2: 1 or 0 */

#endif
