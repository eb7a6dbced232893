/*
 * fuzz_refname.c - any bytes as names of refs and of entries in trees.
 *
 * Beside not breaking: a good name stays good with more freedom, never holds
 * what would break a line or a path, and good parts make good names.
 */
#include "git/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refname(struct bough_view name)
{
    struct bough_why why = {0};
    enum bough_err err = bough_refname_check(name, 0, &why);

    BOUGH_ASSERT((err == BOUGH_OK) == (why.what == NULL));
    if (err != BOUGH_OK)
        return;
    BOUGH_ASSERT(bough_refname_check(name, BOUGH_REFNAME_ONELEVEL, NULL) == BOUGH_OK);
    BOUGH_ASSERT(bough_refname_check(name, BOUGH_REFNAME_PATTERN, NULL) == BOUGH_OK);
    for (size_t i = 0; i < name.len; i++)
        BOUGH_ASSERT(name.ptr[i] > ' ' && name.ptr[i] != 0x7f && name.ptr[i] != '*');
    for (size_t i = 0; i < name.len; i++) {
        struct bough_view dir = bough_view(name.ptr, i);

        BOUGH_ASSERT(bough_refname_clash(name, dir) == (name.ptr[i] == '/'));
    }
}

static void segment(struct bough_view name)
{
    struct bough_why why = {0};
    bool git = bough_name_is_dot(name, BOUGH_DOT_GIT);
    enum bough_err err = bough_name_check(name, &why);

    BOUGH_ASSERT((err == BOUGH_OK) == (why.what == NULL));
    BOUGH_ASSERT(!git || err == BOUGH_EKEY);
    for (int dot = BOUGH_DOT_GIT; dot <= BOUGH_DOT_MAILMAP; dot++)
        bough_name_is_dot(name, (enum bough_name_dot)dot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_view name = bough_view(data, size);

    refname(name);
    segment(name);
    return 0;
}
