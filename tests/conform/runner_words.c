/*
 * runner_words.c - what a step is given, and what it is to answer.
 *
 *   helpers   of steps: their arguments, their answers
 *   words     variables and names of commits put in
 */
#include <string.h>

#include "runner_script.h"

/* ---- Steps' helpers ---- */

struct bough_view arg(const struct step *s, size_t i)
{
    return i < s->args.n ? s->args.t[i].text : bough_view("", 0);
}

bool arg_is(const struct step *s, size_t i, const char *word)
{
    return i < s->args.n && tok_is(&s->args.t[i], word);
}

void done_err(struct step *s, enum bough_err err)
{
    if (err)
        answer_why(s->got, err, &s->kv->why);
    else
        answer_ok(s->got);
}

void done_invalid(struct step *s)
{
    answer_err(s->got, "invalid-step", bough_view(NULL, 0));
}

/* ---- Words ---- */

static struct var *var_find(struct run *r, struct bough_view name)
{
    for (size_t i = 0; i < r->vars_n; i++) {
        if (bough_view_eq(name, bough_view_str(r->vars[i].name)))
            return &r->vars[i];
    }
    return NULL;
}

struct tok tok_var(struct run *r, struct tok t)
{
    struct var *v = NULL;

    if (t.kind == TOK_WORD && !t.quoted && t.text.len > 1 && t.text.ptr[0] == '$')
        v = var_find(r, bough_view(t.text.ptr + 1, t.text.len - 1));
    if (v == NULL || v->a.n != 1 || v->a.items[0].n != 1)
        return t;
    v->a.items[0].t[0].quoted = true;
    return v->a.items[0].t[0];
}

void var_set(struct run *r, struct bough_view name, const struct answer *got)
{
    struct var *v = var_find(r, name);

    if (v == NULL) {
        r->vars = realloc(r->vars, (r->vars_n + 1) * sizeof *r->vars);
        v = &r->vars[r->vars_n++];
        v->name = strndup((const char *)name.ptr, name.len);
    }
    v->a = (struct answer){.pool = &r->script};
    for (size_t i = 0; i < got->n; i++) {
        answer_item(&v->a);
        for (size_t k = 0; k < got->items[i].n; k++)
            answer_view(&v->a, got->items[i].t[k].text);
    }
}

/* One wanted answer from words; a lone variable stands for the whole answer it keeps. */
static void want_make(
    struct run *r, struct answer *want, const struct answer *got, const struct tok *t, size_t n)
{
    struct tok *copy = pool_get(&r->step, (n + 1) * sizeof *copy);

    *want = (struct answer){.pool = &r->step};
    if (n == 1 && !t[0].quoted && t[0].text.len > 1 && t[0].text.ptr[0] == '$') {
        const struct var *v = var_find(r, bough_view(t[0].text.ptr + 1, t[0].text.len - 1));

        if (v != NULL) {
            *want = v->a;
            return;
        }
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = tok_var(r, t[i]);
        for (size_t k = 0; got->nodes && k < r->nodes_n; k++) {
            if (bough_view_eq(copy[i].text, bough_view_str(r->nodes[k].name))) {
                struct answer hex = {.pool = &r->step};

                answer_oid(&hex, r->opts.algo, &r->nodes[k].id);
                copy[i] = hex.items[0].t[0];
            }
        }
    }
    answer_parse(want, copy, n);
}

bool want_match(struct run *r, const struct toks *want, const struct answer *got)
{
    size_t begin = 0;

    for (size_t i = 0; i <= want->n; i++) {
        struct answer w;

        if (i < want->n && !tok_is(&want->t[i], "or"))
            continue;
        want_make(r, &w, got, want->t + begin, i - begin);
        if (answer_match(&w, got))
            return true;
        begin = i + 1;
    }
    return false;
}
