/*
 * runner_lines.c - a script's text, line by line.
 */
#include <ctype.h>
#include <string.h>

#include "runner_script.h"

static void lines_split(struct script *sc)
{
    char *at = sc->text;
    size_t cap = 0;

    while (*at != '\0') {
        size_t n = strcspn(at, "\n");

        if (sc->n == cap) {
            cap = cap * 2 + 64;
            sc->lines = realloc(sc->lines, cap * sizeof *sc->lines);
        }
        sc->lines[sc->n++] = bough_view(at, n);
        at += n + (at[n] == '\n');
    }
}

bool script_read(struct script *sc, const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t n = 0, cap = 0, got;

    sc->path = path;
    if (f == NULL)
        return false;
    do {
        if (cap - n < 4096)
            sc->text = realloc(sc->text, cap = cap * 2 + 8192);
        got = fread(sc->text + n, 1, cap - n - 1, f);
        n += got;
    } while (got > 0);
    sc->text[n] = '\0';
    if (f != stdin)
        fclose(f);
    lines_split(sc);
    return true;
}

void script_free(struct script *sc)
{
    free(sc->lines);
    free(sc->text);
}

struct bough_view line_word(struct bough_view line)
{
    size_t i = 0, n;

    while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'))
        i++;
    for (n = i; n < line.len && !isspace(line.ptr[n]);)
        n++;
    return bough_view(line.ptr + i, n - i);
}

bool word_is(struct bough_view w, const char *text)
{
    return bough_view_eq(w, bough_view_str(text));
}

struct bough_view line_replace(
    struct pool *p, struct bough_view line, struct bough_view name, const char *with)
{
    size_t with_n = strlen(with), n = 0;
    char *out = pool_get(p, line.len * (with_n + 1) + 1);

    for (size_t i = 0; i < line.len;) {
        size_t rest = line.len - i;
        bool hit = line.ptr[i] == '$' && rest > name.len &&
                   memcmp(line.ptr + i + 1, name.ptr, name.len) == 0 &&
                   (rest == name.len + 1 ||
                       !(isalnum(line.ptr[i + 1 + name.len]) || line.ptr[i + 1 + name.len] == '_'));

        if (hit) {
            memcpy(out + n, with, with_n);
            n += with_n;
            i += name.len + 1;
        } else {
            out[n++] = (char)line.ptr[i++];
        }
    }
    return bough_view(out, n);
}
