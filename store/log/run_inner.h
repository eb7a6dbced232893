/*
 * run_inner.h - bytes that go on from zone to zone: runs, and writers onto them (run.c).
 */
#ifndef BOUGH_LOG_RUN_INNER_H
#define BOUGH_LOG_RUN_INNER_H

#include "store/log/zone_inner.h"

struct bough_log;
struct bough_log__sums;

/* Bytes over zones in any order. */
struct bough_log__run {
    uint64_t start; /* in the first zone */
    uint64_t len;   /* bytes written */
    uint32_t n;
    size_t cap;
    uint32_t *zones;
};

void bough_log__run_fini(struct bough_log *l, struct bough_log__run *r);
enum bough_err bough_log__run_add(struct bough_log *l, struct bough_log__run *r, uint32_t zone);

/* The device byte of byte `at` of the run; `*left` bytes follow in the same zone.  BOUGH_ECORRUPT
   when it lies outside. */
enum bough_err bough_log__run_at(const struct bough_log *l, const struct bough_log__run *r,
    uint64_t at, uint64_t *dev, uint64_t *left);
enum bough_err bough_log__run_read(
    struct bough_log *l, const struct bough_log__run *r, uint64_t at, void *dst, size_t n);

/* A writer onto a run that takes zones as it goes. */
struct bough_log__out {
    struct bough_log *log;
    struct bough_log__run *run; /* borrowed; its len is what was flushed and what waits */
    enum bough_log__zone_use use;
    uint32_t reserve; /* zones to leave free */
    bool collects;    /* where no zone is free a collection is made, if one may be */
    uint8_t *buf;
    size_t fill;                  /* bytes that wait */
    struct bough_log__sums *sums; /* of what is put; NULL: none are made */
};

enum { BOUGH_LOG__OUT_BUF = 64 * 1024 };

/* Begin at run->len, which is a multiple of the granule. */
enum bough_err bough_log__out_init(struct bough_log__out *o, struct bough_log *l,
    struct bough_log__run *run, enum bough_log__zone_use use);
void bough_log__out_fini(struct bough_log__out *o); /* what waits is dropped */
enum bough_err bough_log__out_put(struct bough_log__out *o, const void *src, size_t n);
enum bough_err bough_log__out_pad(struct bough_log__out *o, uint32_t align);
enum bough_err bough_log__out_flush(struct bough_log__out *o); /* at a granule's end only */

/* Read back what was put, waiting bytes included. */
enum bough_err bough_log__out_read(struct bough_log__out *o, uint64_t at, void *dst, size_t n);

#endif
