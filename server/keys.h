/*
 * keys.h - Redis keys and the paths that they are.
 *
 * A key is split at '/'; its components are path segments.  Components that cannot be segments
 * (an empty one, `.`, `..`, `.git` in any disguise) get a `%` in front, and so do those that are
 * such a component behind one or more `%`: so every key has its own path, and paths that git
 * pushed are their own keys.
 *
 *   key_is_path(), key_to_path(), path_to_key()
 *   key_revision()     `@rev:key`, and `@@` for a literal `@`
 *   walk_next()        values of a place in path order, from anywhere
 *   scan_*             SCAN cursors: snapshots in a bounded table
 *   glob_*             Redis patterns
 */
#ifndef BOUGH_SERVER_KEYS_H
#define BOUGH_SERVER_KEYS_H

#include "server/inner.h"

/* Is it plain that the path of `key` is `key` itself?  Mostly so. */
bool key_is_path(struct bough_view key);

/* Append the path of `key`, or the key of inner `path`, to `out`. */
void key_to_path(struct bough_view key, struct bough_buf *out);
void path_to_key(struct bough_view path, struct bough_buf *out);

/*
 * Split `@rev:key`: true when `key` names a revision, which is then in `*rev` and the rest in `*rest`;
 * else `*rest` is the key without its escape.
 */
bool key_revision(struct bough_view key, struct bough_view *rev, struct bough_view *rest);

/*
 * Replace `path` (inner form) by the next value's path in path order, below the directory that is
 * its first `base` bytes (0: the root); begin with exactly that directory.
 * BOUGH_ENOENT: no more.
 */
enum bough_err walk_next(struct bough_kv *kv, struct bough_buf *path, size_t base);

/* Does a Redis pattern match all of `text`? */
bool glob_match(struct bough_view pattern, struct bough_view text);

/* Append the path of the directory that every key matching `pattern` lies below; "" for the root. */
void glob_base(struct bough_view pattern, struct bough_buf *out);

/* A new scan on a snapshot of `kv` of what may match `pattern`, or the one that `cursor` names; NULL: expired (start again). */
struct scan *scan_begin(struct server *s, struct bough_kv *kv, struct bough_view pattern);
struct scan *scan_find(struct server *s, uint64_t cursor);
void scan_end(struct server *s, struct scan *scan);
void server_scans_fini(struct server *s);

#endif
