/*
 * fuzz_object.c - any bytes as a tree, commit, tag, ident, .gitmodules.
 *
 * The first byte chooses what the rest is and with which algorithm.  Beside
 * not breaking: what fsck lets through can be parsed, what strict reading
 * takes is in order, and a tree written again from its entries is the same.
 */
#include "base/posix.h"
#include "git/fsck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum bough_algo algo;

static void tree(struct bough_view raw, enum bough_err judged)
{
    struct bough_buf again;
    struct bough_tree_iter it;
    struct bough_tree_entry e, last = {.name = {NULL, 0}};
    enum bough_err err;

    bough_buf_init(&again, bough_posix_mem());
    bough_tree_iter_init(&it, algo, raw, true);
    while ((err = bough_tree_iter_next(&it, &e)) == BOUGH_OK) {
        BOUGH_ASSERT(
            last.name.len == 0 || bough_tree_name_cmp(last.name, last.mode == BOUGH_FILEMODE_TREE,
                                      e.name, e.mode == BOUGH_FILEMODE_TREE) < 0);
        bough_tree_entry_put(&again, algo, e.mode, e.name, &e.id);
        last = e;
    }
    BOUGH_ASSERT(again.err == BOUGH_OK);
    BOUGH_ASSERT(err != BOUGH_ENOENT || bough_view_eq(raw, bough_buf_view(&again)));
    bough_buf_fini(&again);
    bough_tree_iter_init(&it, algo, raw, false);
    while ((err = bough_tree_iter_next(&it, &e)) == BOUGH_OK)
        ;
    BOUGH_ASSERT(judged || err == BOUGH_ENOENT);
}

static void ident(struct bough_view line, bool good)
{
    struct bough_ident who;
    struct bough_buf out;
    enum bough_err err = bough_ident_parse(line, &who);

    BOUGH_ASSERT(!good || err == BOUGH_OK);
    bough_buf_init(&out, bough_posix_mem());
    bough_ident_put(&out, &who);
    if (out.err == BOUGH_OK) { /* what was cleaned once is clean */
        struct bough_ident again;
        struct bough_view first = bough_buf_view(&out);
        struct bough_buf second;

        BOUGH_ASSERT(bough_ident_parse(first, &again) == BOUGH_OK);
        bough_buf_init(&second, bough_posix_mem());
        bough_ident_put(&second, &again);
        BOUGH_ASSERT(bough_view_eq(first, bough_buf_view(&second)));
        bough_buf_fini(&second);
    }
    bough_buf_fini(&out);
}

/* A commit made of the parts of another one passes every check. */
static void commit_again(const struct bough_commit *c)
{
    struct bough_commit_parts parts = {.tree = c->tree, .message = c->message};
    struct bough_buf out;
    struct bough_fsck f;

    if (bough_ident_parse(c->author, &parts.author) ||
        bough_ident_parse(c->committer, &parts.committer))
        return;
    bough_buf_init(&out, bough_posix_mem());
    bough_commit_put(&out, algo, &parts);
    if (out.err == BOUGH_OK) {
        bough_fsck_init(&f, algo);
        BOUGH_ASSERT(bough_fsck_object(&f, BOUGH_COMMIT, bough_buf_view(&out)) == BOUGH_OK);
    }
    bough_buf_fini(&out);
}

static void commit(struct bough_view raw, enum bough_err judged)
{
    struct bough_commit c;
    struct bough_view headers, value;
    struct bough_header h;
    enum bough_err err = bough_commit_parse(algo, raw, &c);
    struct bough_buf out;

    BOUGH_ASSERT(judged || err == BOUGH_OK);
    if (err)
        return;
    for (uint32_t i = 0; i < c.parents_n; i++)
        bough_commit_parent(&c, i);
    bough_buf_init(&out, bough_posix_mem());
    for (headers = c.headers; bough_header_next(&headers, &h);)
        bough_header_unfold(&out, h.value);
    bough_buf_fini(&out);
    bough_header_find(c.headers, "gpgsig", &value);
    ident(c.author, judged == BOUGH_OK);
    ident(c.committer, judged == BOUGH_OK);
    commit_again(&c);
}

static void tag(struct bough_view raw, enum bough_err judged)
{
    struct bough_tag t;
    enum bough_err err = bough_tag_parse(algo, raw, &t);

    BOUGH_ASSERT(judged || err == BOUGH_OK);
    if (err == BOUGH_OK && t.tagger.ptr != NULL)
        ident(t.tagger, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_why why = {0};
    struct bough_view raw;
    struct bough_fsck f;
    enum bough_err err = BOUGH_OK;

    if (size == 0)
        return 0;
    raw = bough_view(data + 1, size - 1);
    algo = data[0] & 0x10 ? BOUGH_SHA256 : BOUGH_SHA1;
    bough_fsck_init(&f, algo);
    f.why = &why;
    switch (data[0] & 0xf) {
    case BOUGH_COMMIT:
        commit(raw, bough_fsck_object(&f, BOUGH_COMMIT, raw));
        break;
    case BOUGH_TREE:
        tree(raw, bough_fsck_object(&f, BOUGH_TREE, raw));
        break;
    case BOUGH_TAG:
        tag(raw, bough_fsck_object(&f, BOUGH_TAG, raw));
        break;
    case BOUGH_BLOB:
        err = bough_fsck_gitmodules(&f, raw);
        err = err ? err : bough_fsck_gitattributes(&f, raw);
        break;
    default:
        ident(raw, false);
    }
    (void)err;
    return 0;
}
