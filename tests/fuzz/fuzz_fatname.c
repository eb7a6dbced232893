/*
 * fuzz_fatname.c - any bytes as a name for FAT, and as entries of a directory.
 *
 * Beside not breaking: a good name comes back from UTF-16 and from its entries, is the same
 * name as itself in capitals, and its alias is a short name; entries that make a name make the
 * same ones again.
 */
#include <stdlib.h>

#include "fat/fat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *mem_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    (void)mem;
    (void)old;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static struct bough_mem mem = {mem_resize};

static bool few_taken(void *ctx, const uint8_t alias[BOUGH_FAT_SHORT])
{
    (void)alias;
    return ++*(int *)ctx < 12;
}

static bool units_same(const struct bough_fat_name *a, const struct bough_fat_name *b)
{
    return a->n == b->n && memcmp(a->units, b->units, a->n * sizeof *a->units) == 0;
}

static void through_entries(const struct bough_fat_name *name, const uint8_t *alias)
{
    struct bough_fat_long l = {.count = 0};
    struct bough_fat_name back;
    uint8_t entry[BOUGH_FAT_ENTRY];

    for (uint32_t i = 0; i < bough_fat_long_count(name); i++) {
        bough_fat_long_write(name, bough_fat_checksum(alias), i, entry);
        BOUGH_ASSERT(bough_fat_long_feed(&l, entry, NULL) == BOUGH_OK);
    }
    BOUGH_ASSERT(bough_fat_long_take(&l, alias, &back, NULL) == BOUGH_OK);
    BOUGH_ASSERT(units_same(name, &back));
}

static void good_name(struct bough_view utf8, const struct bough_fat_name *name)
{
    uint8_t alias[BOUGH_FAT_SHORT];
    struct bough_fat_name back, big = {.n = name->n};
    struct bough_buf out;
    int asked = 0;

    bough_buf_init(&out, &mem);
    BOUGH_ASSERT(bough_fat_name_put(name, &out) == BOUGH_OK);
    BOUGH_ASSERT(bough_view_eq(bough_buf_view(&out), utf8));
    bough_buf_fini(&out);
    for (uint32_t i = 0; i < name->n; i++)
        big.units[i] = bough_fat_upper(name->units[i]);
    BOUGH_ASSERT(bough_fat_name_same(name, &big));
    if (bough_fat_short_is(name, alias)) {
        BOUGH_ASSERT(bough_fat_short_name(alias, 0, &back) == BOUGH_OK && units_same(name, &back));
    }
    BOUGH_ASSERT(bough_fat_alias(name, few_taken, &asked, alias) == BOUGH_OK);
    BOUGH_ASSERT(bough_fat_short_name(alias, 0, &back) == BOUGH_OK);
    BOUGH_ASSERT(bough_fat_short_is(&back, alias));
    through_entries(name, alias);
}

static void entries(struct bough_view left)
{
    struct bough_fat_long l = {.count = 0};

    for (; left.len >= BOUGH_FAT_ENTRY;
         left = bough_view(left.ptr + BOUGH_FAT_ENTRY, left.len - BOUGH_FAT_ENTRY)) {
        struct bough_fat_name name;
        struct bough_why why = {0};

        if (bough_fat_long_is(left.ptr)) {
            enum bough_err err = bough_fat_long_feed(&l, left.ptr, &why);

            BOUGH_ASSERT((err == BOUGH_OK) == (why.what == NULL));
        } else if (bough_fat_long_take(&l, left.ptr, &name, &why) == BOUGH_OK) {
            through_entries(&name, left.ptr);
        } else {
            (void)!bough_fat_short_name(left.ptr, left.ptr[12], &name);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_view utf8 = bough_view(data, size);
    struct bough_fat_name name;
    struct bough_why why = {0};
    enum bough_err err = bough_fat_name_set(&name, utf8, &why);

    BOUGH_ASSERT((err == BOUGH_OK) == (why.what == NULL));
    if (err == BOUGH_OK)
        good_name(utf8, &name);
    entries(utf8);
    return 0;
}
