/*
 * flow.h - bytes on their way.
 *
 *   struct bough_source   peek what is there, skip what was used
 *   struct bough_sink     put bytes, then end
 *   ready-made ones       over a view, into a buffer
 */
#ifndef BOUGH_FLOW_H
#define BOUGH_FLOW_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_source;
struct bough_sink;

/*
 * Where bytes come from.  `peek` lends the next bytes, at least one, until
 * the next call; len 0 is the end.  BOUGH_EAGAIN: none yet.  `skip` takes
 * the first `n` of those lent.
 */
struct bough_source_class {
    const char *name;
    enum bough_err (*peek)(struct bough_source *src, struct bough_view *out);
    void (*skip)(struct bough_source *src, size_t n);
};
struct bough_source {
    const struct bough_source_class *cls;
};

/* Where bytes go.  `put` takes all of them or fails; `end` says that no more come. */
struct bough_sink_class {
    const char *name;
    enum bough_err (*put)(struct bough_sink *sink, struct bough_view bytes);
    enum bough_err (*end)(struct bough_sink *sink); /* NULL: nothing to do */
};
struct bough_sink {
    const struct bough_sink_class *cls;
};

enum bough_err bough_source_peek(struct bough_source *src, struct bough_view *out);
void bough_source_skip(struct bough_source *src, size_t n);
enum bough_err bough_sink_put(struct bough_sink *sink, struct bough_view bytes);
enum bough_err bough_sink_end(struct bough_sink *sink);

/* Read exactly `n` bytes into `dst`. BOUGH_EFORMAT: the source ended before. */
enum bough_err bough_source_read(struct bough_source *src, void *dst, size_t n);

/* A source over bytes in memory (borrowed while it is used). */
struct bough_source_view {
    struct bough_source src; /* use this one */
    struct bough_view left;
};
void bough_source_view_init(struct bough_source_view *s, struct bough_view bytes);

/* A sink that appends to `buf` (borrowed while it is used). */
struct bough_sink_buf {
    struct bough_sink sink; /* use this one */
    struct bough_buf *buf;
};
void bough_sink_buf_init(struct bough_sink_buf *s, struct bough_buf *buf);

#ifdef __cplusplus
}
#endif

#endif
