/*
 * talk_bed.h - the bed that the conversations of a test are with, and the answers of upload-pack.
 *
 *   bed       made anew for each test
 *   answers   what is in a pack; the same for every split of the request
 *   chat      a request and what is said to it
 */
#ifndef TEST_TALK_BED_H
#define TEST_TALK_BED_H

#include "tests/lib/sync_bed.h"

static struct sync_bed bed;

static inline int bed_setup(void **state)
{
    (void)state;
    sync_bed_open(&bed, true);
    return 0;
}

static inline int bed_teardown(void **state)
{
    (void)state;
    sync_bed_close(&bed);
    return 0;
}

/* ---- Reading answers ---- */

/* The ids of whole objects in a pack, counted by type. */
struct counter {
    struct bough_pack_visitor visitor;
    uint32_t n[8];
};

static inline enum bough_err counter_end(
    struct bough_pack_visitor *v, const struct bough_pack_entry *e)
{
    ((struct counter *)(void *)v)->n[e->head.type]++;
    return BOUGH_OK;
}

static const struct bough_pack_visitor_class counter_class = {.entry_end = counter_end};

/* The pack in an answer: of band 1 where `bands`, else behind the last packet. */
static inline void pack_of(const struct bough_buf *said, bool bands, struct bough_buf *pack)
{
    size_t at = 0;
    while (at + 4 <= said->len && memcmp(said->ptr + at, "PACK", 4) != 0) {
        char digits[5] = {0};
        memcpy(digits, said->ptr + at, 4);
        size_t len = strtoul(digits, NULL, 16);
        if (bands && len > 5 && said->ptr[at + 4] == 1)
            bough_buf_put(pack, said->ptr + at + 5, len - 5);
        at += len < 4 ? 4 : len;
    }
    if (!bands)
        bough_buf_put(pack, said->ptr + at, said->len - at);
}

static inline struct counter count(const struct bough_buf *said, bool bands)
{
    struct counter c = {.visitor.cls = &counter_class};
    struct bough_pack_reader r;
    struct bough_buf pack;
    size_t used;
    bough_buf_init(&pack, &bed.t.mem.mem);
    pack_of(said, bands, &pack);
    OK(bough_pack_reader_init(&r, &bed.t.mem.mem, BOUGH_SHA1, &c.visitor, NULL, NULL));
    OK(bough_pack_reader_feed(&r, bough_buf_view(&pack), &used));
    assert_int_equal(used, pack.len);
    bough_pack_reader_fini(&r);
    bough_buf_fini(&pack);
    return c;
}

/* The same answer for every split; it is left in `said`. */
static inline enum bough_err talk_split(struct bough_view request, struct bough_buf *said)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 64, 997};
    struct bough_buf other;
    enum bough_err err = talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, request, 100000, said);
    bough_buf_init(&other, &bed.t.mem.mem);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bough_buf_clear(&other);
        assert_int_equal(talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, request, steps[i], &other), err);
        assert_int_equal(other.len, said->len);
        assert_memory_equal(other.ptr, said->ptr, said->len);
    }
    bough_buf_fini(&other);
    return err;
}

struct chat {
    struct bough_buf ask, said;
};

static inline void chat_begin(struct chat *c)
{
    bough_buf_init(&c->ask, &bed.t.mem.mem);
    bough_buf_init(&c->said, &bed.t.mem.mem);
}

static inline void chat_end(struct chat *c)
{
    bough_buf_fini(&c->ask);
    bough_buf_fini(&c->said);
}

static inline void chat_ok(struct chat *c)
{
    OK(talk_split(bough_buf_view(&c->ask), &c->said));
}

static inline void chat_fails(struct chat *c, enum bough_err err, const char *said)
{
    assert_int_equal(talk_split(bough_buf_view(&c->ask), &c->said), err);
    if (!holds(&c->said, said))
        print_error("%.*s\n", (int)c->said.len, (const char *)c->said.ptr);
    assert_true(holds(&c->said, said));
}

static inline void v2_begin(struct chat *c, const char *command)
{
    bed.opts.version = 2;
    chat_begin(c);
    say(&c->ask, "command=", NULL, command);
    say(&c->ask, "agent=x\n", NULL, "");
    say(&c->ask, "object-format=sha1", NULL, "");
    bough_pkt_put_delim(&c->ask);
}

#endif
