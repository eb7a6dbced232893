/*
 * runner_text.c - lines, words, answers.
 *
 *   pool       memory that dies together
 *   words      strings with escapes, repeats and joins; bare words; commas, braces
 *   numbers
 *   answers    made, parsed, compared, printed
 */
#include <ctype.h>
#include <string.h>

#include "runner.h"

/* ---- Pool ---- */

struct pool_block {
    struct pool_block *next;
    max_align_t data[];
};

void *pool_get(struct pool *p, size_t n)
{
    struct pool_block *b = malloc(sizeof *b + n + 1);

    if (b == NULL) {
        fprintf(stderr, "conform: no memory\n");
        exit(3);
    }
    b->next = p->head;
    p->head = b;
    return b->data;
}

void *pool_more(struct pool *p, void *old, size_t old_n, size_t n)
{
    void *fresh = pool_get(p, n);

    if (old_n > 0)
        memcpy(fresh, old, old_n);
    return fresh;
}

void pool_drop(struct pool *p)
{
    while (p->head != NULL) {
        struct pool_block *b = p->head;

        p->head = b->next;
        free(b);
    }
}

/* ---- Words ---- */

struct scan {
    struct pool *pool;
    const char *at, *end;
    const char *why;
    bool commas;
};

struct bytes {
    char *p;
    size_t n, cap;
};

static void bytes_put(struct scan *s, struct bytes *b, const char *src, size_t n)
{
    if (n == 0)
        return;
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2;
        b->p = pool_more(s->pool, b->p, b->n, b->cap);
    }
    memcpy(b->p + b->n, src, n);
    b->n += n;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind a backslash. */
static bool scan_escape(struct scan *s, struct bytes *out)
{
    static const char from[] = "abfnrtv\\\"'?", to[] = "\a\b\f\n\r\t\v\\\"'?";
    char c = *s->at++, byte;
    const char *hit = c != '\0' ? strchr(from, c) : NULL;

    if (hit != NULL) {
        byte = to[hit - from];
    } else if (c == 'x') {
        int hi = s->at < s->end ? hex_digit(s->at[0]) : -1;
        int lo = s->at + 1 < s->end ? hex_digit(s->at[1]) : -1;

        if (hi < 0 || lo < 0) {
            s->why = "\\x needs two digits";
            return false;
        }
        byte = (char)(hi * 16 + lo);
        s->at += 2;
    } else if (c >= '0' && c <= '7') {
        int n = c - '0';

        for (int i = 0; i < 2 && s->at < s->end && *s->at >= '0' && *s->at <= '7'; i++)
            n = n * 8 + (*s->at++ - '0');
        byte = (char)n;
    } else {
        s->why = "unknown escape";
        return false;
    }
    bytes_put(s, out, &byte, 1);
    return true;
}

/* A quoted string, and how often it repeats. */
static bool scan_string(struct scan *s, struct bytes *out)
{
    size_t begin = out->n, len;
    uint64_t times = 1;

    for (s->at++; s->at < s->end && *s->at != '"';) {
        const char *run = s->at;

        if (*s->at == '\\' && s->at + 1 < s->end) {
            s->at++;
            if (!scan_escape(s, out))
                return false;
            continue;
        }
        while (s->at < s->end && *s->at != '"' && *s->at != '\\')
            s->at++;
        bytes_put(s, out, run, (size_t)(s->at - run));
        if (run == s->at)
            break;
    }
    if (s->at >= s->end || *s->at != '"') {
        s->why = "a string does not end";
        return false;
    }
    s->at++;
    if (s->at + 1 < s->end && *s->at == '*' && isdigit((unsigned char)s->at[1])) {
        const char *digits = ++s->at;

        while (s->at < s->end && isalnum((unsigned char)*s->at))
            s->at++;
        if (!text_number(bough_view(digits, (size_t)(s->at - digits)), &times)) {
            s->why = "not a number of repeats";
            return false;
        }
    }
    len = out->n - begin;
    if (times == 0)
        out->n = begin;
    if (times > 1 && len > 0) {
        char *once = pool_more(s->pool, out->p + begin, len, len);

        if (times > (1u << 30) / len) {
            s->why = "a string over 1 GiB";
            return false;
        }
        out->cap = begin + len * times;
        out->p = pool_more(s->pool, out->p, out->n, out->cap);
        for (uint64_t i = 1; i < times; i++)
            bytes_put(s, out, once, len);
    }
    return true;
}

static bool at_space(const struct scan *s)
{
    return s->at >= s->end || *s->at == ' ' || *s->at == '\t' || *s->at == '\r';
}

/* Behind a string: a plus that joins another one, spaces around it allowed. */
static bool scan_join(struct scan *s)
{
    const char *at = s->at;

    while (at < s->end && (*at == ' ' || *at == '\t'))
        at++;
    if (at >= s->end || *at != '+')
        return false;
    for (at++; at < s->end && (*at == ' ' || *at == '\t');)
        at++;
    if (at >= s->end || *at != '"')
        return false;
    s->at = at;
    return true;
}

/* Text in round brackets is one word, with them. */
static bool scan_round(struct scan *s, struct tok *out)
{
    const char *begin = s->at;
    int deep = 0;

    do {
        deep += *s->at == '(' ? 1 : *s->at == ')' ? -1 : 0;
        s->at++;
    } while (s->at < s->end && deep > 0);
    out->text = bough_view(begin, (size_t)(s->at - begin));
    return true;
}

static bool word_ends(const struct scan *s)
{
    return at_space(s) || (s->commas && *s->at == ',') || (s->commas && *s->at == '}');
}

static bool scan_word(struct scan *s, struct tok *out)
{
    struct bytes b = {0};
    bool joined = true;

    out->quoted = *s->at == '"';
    if (*s->at == '(')
        return scan_round(s, out);
    while (joined || !word_ends(s)) {
        const char *begin = s->at;

        joined = false;
        if (*s->at == '"') {
            if (!scan_string(s, &b))
                return false;
            joined = scan_join(s);
            if (!joined && s->at < s->end && *s->at == '+' && !at_space(s)) {
                s->at++;
            }
            continue;
        }
        while (!word_ends(s) && *s->at != '"')
            s->at++;
        if (s->at < s->end && *s->at == '"' && s->at > begin && s->at[-1] == '+')
            bytes_put(s, &b, begin, (size_t)(s->at - begin) - 1);
        else
            bytes_put(s, &b, begin, (size_t)(s->at - begin));
        if (s->at == begin)
            break;
    }
    out->text = bough_view(b.p != NULL ? b.p : "", b.n);
    return true;
}

bool text_words(
    struct pool *p, struct bough_view line, bool commas, struct toks *out, const char **why)
{
    const char *begin = (const char *)line.ptr;
    struct scan s = {.pool = p, .at = begin, .end = begin + line.len, .commas = commas};
    bool braces = false;
    size_t cap = 0;

    *out = (struct toks){0};
    for (;;) {
        struct tok t = {.kind = TOK_WORD};

        while (s.at < s.end && at_space(&s))
            s.at++;
        if (s.at >= s.end)
            return true;
        if (*s.at == '{' || (braces && *s.at == '}')) {
            t.kind = *s.at == '{' ? TOK_OPEN : TOK_CLOSE;
            braces = t.kind == TOK_OPEN;
            s.commas = commas || braces;
            t.text = bough_view(s.at++, 1);
        } else if (s.commas && *s.at == ',') {
            t.kind = TOK_COMMA;
            t.text = bough_view(s.at++, 1);
        } else if (!scan_word(&s, &t)) {
            *why = s.why;
            return false;
        }
        if (out->n == cap) {
            out->t = pool_more(p, out->t, cap * sizeof t, (cap * 2 + 8) * sizeof t);
            cap = cap * 2 + 8;
        }
        out->t[out->n++] = t;
    }
}

size_t text_arrow(struct bough_view *line)
{
    const uint8_t *p = line->ptr;
    size_t arrow = SIZE_MAX;
    bool quoted = false;

    for (size_t i = 0; i < line->len; i++) {
        bool start = i == 0 || p[i - 1] == ' ' || p[i - 1] == '\t';

        if (quoted && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            quoted = !quoted;
        else if (!quoted && start && p[i] == '#')
            line->len = i;
        else if (!quoted && start && arrow == SIZE_MAX && i + 1 < line->len && p[i] == '-' &&
                 p[i + 1] == '>' && (i + 2 == line->len || p[i + 2] == ' ' || p[i + 2] == '\t'))
            arrow = i;
    }
    return arrow < line->len ? arrow : line->len;
}

bool tok_is(const struct tok *t, const char *word)
{
    return t->kind == TOK_WORD && !t->quoted && bough_view_eq(t->text, bough_view_str(word));
}

char *tok_str(struct pool *p, const struct tok *t)
{
    char *s = pool_more(p, (void *)(uintptr_t)t->text.ptr, t->text.len, t->text.len + 1);

    s[t->text.len] = '\0';
    return s;
}

/* ---- Numbers ---- */

bool text_number(struct bough_view text, uint64_t *out)
{
    uint64_t n = 0, unit = 1;
    size_t i = 0;
    bool minus = text.len > 0 && text.ptr[0] == '-';

    for (i = minus; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        if (n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (i == minus)
        return false;
    if (i + 1 == text.len)
        unit = text.ptr[i] == 'K'   ? 1u << 10
               : text.ptr[i] == 'M' ? 1u << 20
               : text.ptr[i] == 'G' ? 1u << 30
                                    : 0;
    else if (i != text.len)
        return false;
    if (unit == 0 || n > UINT64_MAX / unit)
        return false;
    *out = minus ? 0 - n * unit : n * unit;
    return true;
}

/* ---- Answers ---- */

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
