/*
 * golden_tell.c - what the repositories of golden_full.c answer.
 *
 *   objects, refs    as the store has them
 *   answers          that the index of history, bitmaps and checksums of stretches give
 */
#include <string.h>

#include "store/collect.h"
#include "store/reach.h"
#include "tests/interop/golden.h"

static void fault(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    printf("%s: %s: %.*s\n", bough_err_name(err), what, (int)key.len, (const char *)key.ptr);
}

struct sums {
    struct bough_store *s;
    uint64_t n[8], bytes[8], crcs[8], unread;
};

static enum bough_err sum_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct sums *x = ctx;
    struct bough_buf body;
    enum bough_type type;

    (void)found;
    bough_buf_init(&body, &golden_mem);
    if (bough_store_read(x->s, id, &type, &body)) {
        x->unread++;
    } else {
        x->n[type]++;
        x->bytes[type] += body.len;
        x->crcs[type] += bough_crc32(0, body.ptr, body.len);
    }
    bough_buf_fini(&body);
    return BOUGH_OK;
}

static void tell_objects(struct golden *g)
{
    struct sums x = {.s = g->s};

    golden_must(bough_store_each(g->s, sum_object, &x), "objects");
    for (int i = 0; i < 8; i++) {
        if (x.n[i] > 0)
            printf("objects of type %d: %lu of %lu bytes, sum %lx\n", i, (unsigned long)x.n[i],
                (unsigned long)x.bytes[i], (unsigned long)(x.crcs[i] & 0xffffffff));
    }
    printf("unreadable: %lu\n", (unsigned long)x.unread);
}

static void tell_refs(struct golden *g)
{
    char name[200];
    struct bough_view after = {(const uint8_t *)name, 0};
    struct bough_ref r;

    while (!bough_store_ref_next(g->s, bough_view("", 0), after, &r)) {
        memcpy(name, r.name.ptr, r.name.len);
        after.len = r.name.len;
        printf("ref %.*s ", (int)after.len, name);
        if (r.kind == BOUGH_REF_ID) {
            golden_id(g->s->algo, &r.id);
            printf(" peeled ");
            golden_id(g->s->algo, &r.peeled);
        } else if (after.len > 5 && memcmp(name, "logs/", 5) == 0) {
            printf("crc %08lx", (unsigned long)bough_crc32(0, r.target.ptr, r.target.len));
        } else {
            printf("-> %.*s", (int)r.target.len, (const char *)r.target.ptr);
        }
        printf("\n");
    }
}

/* Which commit changed each path last, as the index of history finds it. */
static void tell_changes(struct golden *g, const char *branch)
{
    struct bough_oid tip = golden_head(g, branch), id;
    struct bough_time when;
    char path[40];

    for (int i = 0; i < 7 * 4; i++) {
        snprintf(path, sizeof path, i < 21 ? "d%d/e%d/k%d" : "d%d/e%d", i % 3, i % 4, i % 7);
        if (bough_history_last_change(g->r, &tip, bough_view_str(path), &id, &when))
            continue;
        printf("%s: %s changed by ", branch, path);
        golden_id(g->s->algo, &id);
        printf(" at %lu\n", (unsigned long)when.sec);
    }
}

/* How much each branch reaches, where a bitmap knows it. */
static void tell_reach(struct golden *g)
{
    static const char *const branch[] = {"refs/heads/main", "refs/heads/side", "refs/heads/short",
        "refs/heads/moved", "refs/heads/many", "refs/heads/half", "refs/heads/root/2",
        "refs/heads/root/3", "refs/heads/late"};
    struct bough_reach *x;

    for (size_t i = 0; i < sizeof branch / sizeof *branch; i++) {
        struct bough_ref ref;
        enum bough_err err;
        if (bough_store_ref(g->s, bough_view_str(branch[i]), &ref) || bough_store_reach(g->s, &x))
            continue;
        printf("%s: ", branch[i]);
        if (bough_reach_covers(x, &ref.id)) {
            while ((err = bough_reach_add(x, BOUGH_REACH_WANT, &ref.id)) == BOUGH_EAGAIN)
                continue;
            golden_must(err, "reach");
            printf("reaches %lu objects\n", (unsigned long)bough_reach_count(x));
        } else {
            printf("has no bitmap\n");
        }
        bough_reach_close(x);
    }
}

static void tell_part(struct golden *g)
{
    struct bough_branch *b = golden_branch(g, "main");
    struct bough_tree *t;
    struct bough_node n;
    struct bough_buf bytes;

    bough_buf_init(&bytes, &golden_mem);
    golden_must(bough_branch_tree(b, &t), "tree");
    if (!bough_tree_get(t, bough_view_str("big"), 123456, 5000, &n, &bytes) && bytes.len > 0)
        printf("a part of big: %lu bytes, crc %08lx\n", (unsigned long)bytes.len,
            (unsigned long)bough_crc32(0, bytes.ptr, bytes.len));
    bough_buf_fini(&bytes);
    bough_branch_close(b);
}

void golden_full_tell(size_t bytes)
{
    struct bough_history_stats st;
    struct bough_store_stats stats;
    struct golden g = {.s = NULL};

    golden_device_has(bytes);
    golden_begin(&g, 60000);
    golden_must(bough_store_stat(g.s, &stats), "stat");
    printf("records %lu, bitmaps of %lu commits\n", (unsigned long)stats.records,
        (unsigned long)stats.reach_commits);
    printf("check: %s\n", bough_err_name(bough_store_check(g.s, fault, NULL)));
    if (bough_history_stat(g.r, 1000, &st) == BOUGH_OK) /* else what is damaged hides it */
        printf(
            "%lu commits indexed, %lu not\n", (unsigned long)st.indexed, (unsigned long)st.waiting);
    printf("check: %s\n", bough_err_name(bough_history_check(g.r, fault, NULL)));
    tell_objects(&g);
    tell_reach(&g);
    golden_must(bough_repo_fold_all(g.r), "fold");
    tell_refs(&g);
    tell_changes(&g, "main");
    tell_changes(&g, "side");
    tell_part(&g);
    golden_end(&g);
}
