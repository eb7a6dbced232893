/*
 * runner_answer.c - answers: made, parsed, compared, printed.
 */
#include <ctype.h>
#include <string.h>

#include "runner.h"

void answer_item(struct answer *a)
{
    if ((a->n & (a->n - 1)) == 0)
        a->items = pool_more(a->pool, a->items, a->n * sizeof *a->items,
            (a->n > 0 ? a->n * 2 : 1) * sizeof *a->items);
    a->items[a->n++] = (struct item){0};
}

static void item_tok(struct answer *a, struct tok t)
{
    struct item *it;

    if (a->n == 0)
        answer_item(a);
    it = &a->items[a->n - 1];
    if ((it->n & (it->n - 1)) == 0)
        it->t = pool_more(a->pool, it->t, it->n * sizeof t, (it->n > 0 ? it->n * 2 : 1) * sizeof t);
    it->t[it->n++] = t;
}

void answer_view(struct answer *a, struct bough_view text)
{
    void *copy = pool_more(a->pool, (void *)(uintptr_t)text.ptr, text.len, text.len);
    struct tok t = {.kind = TOK_WORD, .quoted = true, .text = bough_view(copy, text.len)};

    item_tok(a, t);
}

void answer_str(struct answer *a, const char *text)
{
    answer_view(a, bough_view_str(text));
}

void answer_number(struct answer *a, uint64_t n)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)n);
    answer_str(a, text);
}

void answer_oid(struct answer *a, enum bough_algo algo, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    a->nodes = true;
    answer_view(a, bough_view(hex, bough_oid_hex(algo, id, hex)));
}

void answer_ok(struct answer *a)
{
    answer_str(a, "ok");
}

const char *answer_err_name(enum bough_err err)
{
    switch (err) {
    case BOUGH_OK:
        return "ok";
    case BOUGH_EIO:
        return "io";
    case BOUGH_EGONE:
    case BOUGH_EEXPIRED:
        return "gone";
    case BOUGH_ECORRUPT:
        return "corrupt";
    case BOUGH_ENOENT:
        return "not-found";
    case BOUGH_ERANGE:
    case BOUGH_EFORMAT:
    case BOUGH_EINVAL:
        return "invalid-argument";
    case BOUGH_ENOMEM:
        return "no-memory";
    case BOUGH_ENOSPC:
        return "no-space";
    case BOUGH_EREADONLY:
        return "read-only";
    case BOUGH_EEXIST:
        return "already-present";
    case BOUGH_EKEY:
        return "invalid-key";
    case BOUGH_EDICT:
        return "dictionary-expected";
    case BOUGH_EVALUE:
        return "value-expected";
    case BOUGH_EPREFIX:
        return "rename-source-prefix";
    case BOUGH_ENESTED:
        return "nested-batch";
    case BOUGH_ERETRIES:
        return "too-many-retries";
    case BOUGH_ETEST:
        return "test-failed";
    case BOUGH_ECONFLICT:
        return "conflict";
    case BOUGH_ETOOBIG:
        return "too-large";
    case BOUGH_ENOTSUP:
        return "not-supported";
    case BOUGH_ELOCKED:
        return "locked";
    case BOUGH_EDENIED:
        return "denied";
    case BOUGH_EDEPTH:
        return "depth-exceeded";
    case BOUGH_EAGAIN:
        break;
    }
    return "internal";
}

void answer_err(struct answer *a, const char *name, struct bough_view key)
{
    a->error = true;
    answer_str(a, name);
    if (key.ptr != NULL)
        answer_view(a, key);
}

/* The errors that name their key. */
static bool err_has_key(enum bough_err err)
{
    return err == BOUGH_ENOENT || err == BOUGH_EDICT || err == BOUGH_EVALUE ||
           err == BOUGH_EEXIST || err == BOUGH_EKEY || err == BOUGH_ETEST;
}

void answer_why(struct answer *a, enum bough_err err, const struct bough_why *why)
{
    struct bough_view key = bough_view(why->key, why->key_len);
    const uint8_t *nul = memchr(key.ptr, 0, key.len);

    answer_err(a, answer_err_name(err), bough_view(NULL, 0));
    if (err == BOUGH_ERETRIES)
        answer_number(a, why->at);
    if (err == BOUGH_EPREFIX && nul != NULL) {
        answer_view(a, bough_view(key.ptr, (size_t)(nul - key.ptr)));
        answer_view(a, bough_view(nul + 1, key.len - (size_t)(nul + 1 - key.ptr)));
    } else if (err_has_key(err) && why->err == err) {
        answer_view(a, key);
    }
}

void answer_parse(struct answer *a, const struct tok *t, size_t n)
{
    if (n == 1 && tok_is(t, "nothing"))
        return;
    answer_item(a);
    for (size_t i = 0; i < n; i++) {
        if (t[i].kind == TOK_COMMA)
            answer_item(a);
        else
            item_tok(a, t[i]);
    }
}

static bool is_star(const struct tok *t)
{
    return !t->quoted && t->text.len == 1 && t->text.ptr[0] == '*';
}

/* A key in an error is cut at BOUGH_WHY_KEY_MAX bytes. */
static bool word_match(const struct answer *got, const struct tok *w, const struct tok *g)
{
    struct bough_view want = w->text;

    if (got->error && is_star(w))
        return true;
    if (got->error && g->text.len == BOUGH_WHY_KEY_MAX && want.len > g->text.len)
        want.len = g->text.len;
    return bough_view_eq(want, g->text);
}

static bool item_match(const struct answer *got, const struct item *w, const struct item *g)
{
    size_t i = 0;

    for (; i < w->n; i++) {
        if (i + 1 == w->n && i > 0 && is_star(&w->t[i]))
            return true;
        if (i >= g->n || !word_match(got, &w->t[i], &g->t[i]))
            return false;
    }
    return i == g->n || (got->error && w->n == 1);
}

static bool set_match(const struct answer *want, const struct answer *got)
{
    if (want->n != got->n)
        return false;
    for (size_t i = 0; i < want->n; i++) {
        bool found = false;

        for (size_t k = 0; k < got->n && !found; k++)
            found = item_match(got, &want->items[i], &got->items[k]);
        if (!found)
            return false;
    }
    return true;
}

static bool json_match(const struct answer *want, const struct answer *got)
{
    struct bough_view w, g;

    if (want->n != 1 || want->items[0].n != 1)
        return false;
    return json_canonical(got->pool, want->items[0].t[0].text, &w) &&
           json_canonical(got->pool, got->items[0].t[0].text, &g) && bough_view_eq(w, g);
}

bool answer_match(const struct answer *want, const struct answer *got)
{
    const struct item *first = want->n > 0 ? &want->items[0] : NULL;

    if (want->n == 1 && first->n == 1 && is_star(&first->t[0]))
        return true;
    if (want->n == 1 && first->n == 1 && tok_is(&first->t[0], "refused"))
        return got->error;
    if (got->json && !got->error)
        return json_match(want, got);
    if (got->set)
        return set_match(want, got);
    for (size_t i = 0; i < want->n; i++) {
        const struct item *w = &want->items[i];

        if (i >= got->n || !item_match(got, w, &got->items[i]))
            return false;
        if (i + 1 == want->n && w->n > 1 && is_star(&w->t[w->n - 1]))
            return true;
    }
    return want->n == got->n;
}

/* A word as a script would have it. */
static void word_print(FILE *f, const struct tok *t)
{
    bool plain = t->text.len > 0;

    for (size_t i = 0; i < t->text.len; i++)
        plain = plain && t->text.ptr[i] > ' ' && t->text.ptr[i] < 127 &&
                strchr("\",\\{}#", t->text.ptr[i]) == NULL;
    if (plain) {
        fwrite(t->text.ptr, 1, t->text.len, f);
        return;
    }
    fputc('"', f);
    for (size_t i = 0; i < t->text.len && i < 200; i++) {
        uint8_t c = t->text.ptr[i];

        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", f);
        else if (c < ' ' || c >= 127)
            fprintf(f, "\\x%02x", c);
        else
            fputc(c, f);
    }
    fputs(t->text.len > 200 ? "\"..." : "\"", f);
}

void answer_print(FILE *f, const struct answer *a)
{
    if (a->n == 0)
        fputs("nothing", f);
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->items[i].n; k++) {
            fputs(k > 0 ? " " : i > 0 ? ", " : "", f);
            word_print(f, &a->items[i].t[k]);
        }
    }
}
