/*
 * write_inner.h - what the calls that write share: write.c, splice.c, rename.c.
 */
#ifndef BOUGH_KV_WRITE_INNER_H
#define BOUGH_KV_WRITE_INNER_H

#include "kv/kv.h"

struct bough_kv__step;

/* A key, and what is there. */
struct bough_kv__aim {
    struct bough_view path; /* inner form */
    struct bough_node node;
    size_t through; /* bytes of the path that are a value in the way; 0: none */
};

/* May the place be written, and `key` as well?  `path` is its inner form. */
enum bough_err bough_kv__aim_key(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path);

/* The same for a key that cannot be the root. */
enum bough_err bough_kv__aim_below(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path);

/* What is at aim->path. */
enum bough_err bough_kv__aim_look(struct bough_kv *kv, struct bough_kv__aim *aim);

/* Aim at a key that cannot be the root: what is there. */
enum bough_err bough_kv__aim_at(
    struct bough_kv *kv, struct bough_view key, struct bough_kv__aim *aim);

/* Aim at a key that is to become a value. */
enum bough_err bough_kv__aim_value(struct bough_kv *kv, struct bough_view key,
    const struct bough_set_opts *opts, struct bough_kv__aim *aim);

/* The mode of a value set here: asked for, else executable is kept (`links` too). */
enum bough_err bough_kv__aim_mode(struct bough_kv *kv, const struct bough_kv__aim *aim,
    const struct bough_set_opts *opts, bool links, uint32_t *out);

/* Tell the batch, if this is one, and do one write. */
enum bough_err bough_kv__write_one(struct bough_kv *kv, const struct bough_kv__step *step,
    const struct bough_write *w, uint32_t flags);

/* Write a value that comes from `src`: at once when it is small or the driver knows no streams. */
enum bough_err bough_kv__write_source(struct bough_kv *kv, const struct bough_kv__aim *aim,
    uint32_t mode, uint64_t size, struct bough_source *src, uint32_t flags);

#endif
