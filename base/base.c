/*
 * base.c - see base.h.
 *
 *   errors    their names, struct bough_why
 *   bytes     views of strings, their order
 *   memory    cleared vectors, growing ones
 *   the world the methods of struct bough_env and their defaults
 */
#include "base/base.h"

/* Errors. */

const char *bough_err_name(enum bough_err err)
{
    static const char *const names[] = {
        "ok",
        "input/output error",
        "connection or device lost",
        "corrupt data",
        "not found",
        "out of range",
        "invalid argument",
        "out of memory",
        "no space left",
        "read-only",
        "already exists",
        "invalid key",
        "dictionary expected",
        "value expected",
        "rename into itself",
        "nested batch",
        "too many retries",
        "condition does not hold",
        "conflict",
        "too big",
        "not supported",
        "locked",
        "malformed data",
        "more is needed",
        "expired",
        "permission denied",
        "depth exceeded",
    };
    int at = -(int)err;

    if (at < 0 || (size_t)at >= sizeof names / sizeof *names)
        return "unknown error";
    return names[at];
}

void bough_why_place(struct bough_why *why, const char *file, int line)
{
    if (why == NULL)
        return;
    why->file = file;
    why->line = line;
}

void bough_why_fill(
    struct bough_why *why, enum bough_err err, const char *what, const void *key, size_t len)
{
    if (why == NULL)
        return;
    why->err = err;
    why->what = what != NULL ? what : "";
    why->at = 0;
    why->key_len = (uint32_t)(len < BOUGH_WHY_KEY_MAX ? len : BOUGH_WHY_KEY_MAX);
    if (why->key_len > 0)
        memcpy(why->key, key, why->key_len);
}

/* Bytes. */

struct bough_view bough_view_str(const char *str)
{
    size_t n = 0;

    while (str[n] != '\0')
        n++;
    return bough_view(str, n);
}

int bough_view_cmp(struct bough_view a, struct bough_view b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

/* Memory. */

void *bough_mem_zalloc(struct bough_mem *mem, size_t n, size_t size)
{
    void *ptr;

    if (size > 0 && n > SIZE_MAX / size)
        return NULL;
    ptr = bough_mem_alloc(mem, n * size);
    if (ptr != NULL)
        memset(ptr, 0, n * size);
    return ptr;
}

enum bough_err bough_mem_grow(
    struct bough_mem *mem, void **ptr, size_t *cap, size_t want, size_t size)
{
    enum { FIRST = 8 }; /* elements */
    size_t next = *cap < FIRST / 2 ? FIRST : *cap * 2;
    void *p;

    BOUGH_ASSERT(size > 0);
    if (want <= *cap)
        return BOUGH_OK;
    if (next < want || next / 2 < *cap)
        next = want;
    if (next > SIZE_MAX / size)
        return BOUGH_ENOMEM;
    p = mem->resize(mem, *ptr, *cap * size, next * size);
    if (p == NULL)
        return BOUGH_ENOMEM;
    *ptr = p;
    *cap = next;
    return BOUGH_OK;
}

/* The world. */

struct bough_time bough_env_now(const struct bough_env *env)
{
    struct bough_time t = {0, 0, 0};

    if (env->now != NULL)
        env->now(env->ctx, &t);
    return t;
}

void bough_env_random(const struct bough_env *env, void *dst, size_t n)
{
    uint8_t *p = (uint8_t *)dst;

    if (env->random != NULL) {
        env->random(env->ctx, dst, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i + 1);
}

void bough_env_log(const struct bough_env *env, enum bough_level level, const char *text)
{
    if (env->log != NULL)
        env->log(env->ctx, level, text);
}

/* 'K': 10; 0: none of them. */
static unsigned size_shift(uint8_t unit)
{
    static const char units[] = "kmgt";

    for (unsigned i = 0; i < sizeof units - 1; i++) {
        if ((unit | 0x20) == (uint8_t)units[i])
            return 10 * (i + 1);
    }
    return 0;
}

bool bough_size_parse(struct bough_view text, uint64_t *bytes)
{
    unsigned shift = text.len > 1 ? size_shift(text.ptr[text.len - 1]) : 0;
    size_t digits = text.len - (shift != 0);
    uint64_t n = 0;

    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = (uint8_t)(text.ptr[i] - '0');

        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (digits == 0 || n > UINT64_MAX >> shift)
        return false;
    *bytes = n << shift;
    return true;
}
