/*
 * runner_text.c - a line to words.
 *
 *   pool       memory that dies together
 *   words      strings with escapes, repeats and joins; bare words; commas, braces
 *   numbers
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
