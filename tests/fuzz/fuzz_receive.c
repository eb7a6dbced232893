/*
 * fuzz_receive.c - any bytes as what a client that pushes says.
 *
 * The first byte chooses transport, flags and split, and whether the last 20
 * bytes are made the digest of the pack, which no fuzzer would find.  Whatever
 * comes, every object of the store is closed and whole afterwards, and all
 * memory comes back.
 */
#include "tests/lib/sync_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)key;
    (void)err;
    fprintf(stderr, "check: %s\n", what);
}

static void must_be_there(struct bough_store *s, const struct bough_oid *id)
{
    BOUGH_ASSERT(bough_store_has(s, id) == BOUGH_OK);
}

/* Is all there that this object names?  `ctx` is the store. */
static enum bough_err closed(void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct bough_store *s = ctx;
    struct bough_buf body;
    struct bough_commit commit;
    struct bough_tag tag;
    struct bough_tree_iter it;
    struct bough_tree_entry e;
    bough_buf_init(&body, s->env->mem);
    BOUGH_ASSERT(bough_store_read(s, id, NULL, &body) == BOUGH_OK);
    if (found->type == BOUGH_COMMIT) {
        BOUGH_ASSERT(!bough_commit_parse(s->algo, bough_buf_view(&body), &commit));
        must_be_there(s, &commit.tree);
        for (uint32_t i = 0; i < commit.parents_n; i++) {
            struct bough_oid parent = bough_commit_parent(&commit, i);
            must_be_there(s, &parent);
        }
    } else if (found->type == BOUGH_TAG) {
        BOUGH_ASSERT(!bough_tag_parse(s->algo, bough_buf_view(&body), &tag));
        must_be_there(s, &tag.object);
    } else if (found->type == BOUGH_TREE) {
        bough_tree_iter_init(&it, s->algo, bough_buf_view(&body), true);
        while (!bough_tree_iter_next(&it, &e))
            if (e.mode != BOUGH_FILEMODE_GITLINK)
                must_be_there(s, &e.id);
    }
    bough_buf_fini(&body);
    return BOUGH_OK;
}

/* Make the end of `request` the digest of the pack in it, if there is one. */
static void sign(struct bough_buf *request)
{
    for (size_t at = 0; at + 32 <= request->len; at++) {
        struct bough_hash h;
        if (memcmp(request->ptr + at, "PACK", 4) != 0)
            continue;
        bough_hash_init(&h, BOUGH_SHA1);
        bough_hash_update(&h, request->ptr + at, request->len - at - 20);
        bough_hash_final(&h, request->ptr + request->len - 20);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sync_bed b;
    struct bough_buf said, request;
    if (size < 1)
        return 0;
    sync_bed_open(&b, true);
    b.opts.transport = (enum bough_transport)(data[0] % 3);
    b.opts.flags = (data[0] & 4) != 0 ? BOUGH_SYNC_DENY_NON_FAST_FORWARD : 0;
    b.opts.limits.intake.object_max = 1 << 20;
    bough_buf_init(&said, &b.t.mem.mem);
    bough_buf_init(&request, &b.t.mem.mem);
    bough_buf_put(&request, data + 1, size - 1);
    if ((data[0] & 8) != 0)
        sign(&request);
    (void)!talk(&b, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&request),
        (data[0] & 16) != 0 ? 1 << 20 : (size_t)data[0] / 8 + 1, &said);
    bough_buf_fini(&said);
    bough_buf_fini(&request);
    BOUGH_ASSERT(bough_store_each(b.store, closed, b.store) == BOUGH_OK);
    BOUGH_ASSERT(bough_store_check(b.store, report, NULL) == BOUGH_OK);
    sync_bed_close(&b);
    return 0;
}
