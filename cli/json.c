/*
 * json.c - what a verb tells with --json, item by item as it is found.
 *
 *   text     strings; bytes that are no UTF-8 become \udc80..\udcff, as Python's surrogateescape has them
 *   object   {"findings": [{"kind": ..., ...}, ...], sums}
 */
#include <stdio.h>

#include "cli/json.h"

/* ---- Text ---- */

/* Bytes of the UTF-8 character at `p`; 0: it is none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80                    ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0  ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0  ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;

    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

static void put_text(struct bough_view v)
{
    putchar('"');
    for (size_t at = 0; at < v.len;) {
        const uint8_t *p = v.ptr + at;
        size_t n = utf8_len(p, v.len - at);

        if (n == 0)
            printf("\\udc%02x", *p);
        else if (*p < 0x20 || *p == 0x7f)
            printf("\\u%04x", *p);
        else if (*p == '"' || *p == '\\')
            printf("\\%c", *p);
        else
            fwrite(p, 1, n, stdout);
        at += n > 0 ? n : 1;
    }
    putchar('"');
}

/* ---- Object ---- */

void json_begin(struct json *j)
{
    if (j->on)
        fputs("{\"findings\":[", stdout);
}

void json_item(struct json *j, const char *kind)
{
    if (!j->on)
        return;
    fputs(j->items ? ",\n{" : "\n{", stdout);
    j->items = true;
    j->fields = false;
    json_field(j, "kind", bough_view_str(kind));
}

void json_field(struct json *j, const char *name, struct bough_view value)
{
    if (!j->on)
        return;
    printf("%s\"%s\":", j->fields ? "," : "", name);
    put_text(value);
    j->fields = true;
}

void json_item_end(struct json *j)
{
    if (j->on)
        putchar('}');
}

void json_sum(struct json *j, const char *name, uint64_t value)
{
    if (!j->on)
        return;
    if (!j->list_done)
        putchar(']');
    j->list_done = true;
    printf(",\"%s\":%llu", name, (unsigned long long)value);
}

void json_end(struct json *j)
{
    if (j->on)
        puts(j->list_done ? "}" : "]}");
}
