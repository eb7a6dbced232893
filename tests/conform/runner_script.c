/*
 * runner_script.c - scripts: steps, loops, features.
 *
 *   steps      found by name, skipped by feature, run, compared
 *   loops
 *   run        all lines, each beside the calls in it that fail (runner_points.h)
 */
#include <ctype.h>
#include <string.h>

#include "runner_script.h"

/* ---- Steps ---- */

static const struct step_def *def_find(const struct tok *name)
{
    const struct step_def *tables[] = {
        steps_kv(), steps_batch(), steps_repo(), steps_graph(), steps_watch(), steps_verify()};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const struct step_def *d = tables[i]; d->name != NULL; d++) {
            if (tok_is(name, d->name))
                return d;
        }
    }
    return NULL;
}

static void differs(struct script *sc, size_t line, struct bough_view want, const char *note,
    const struct answer *got)
{
    while (want.len > 0 && isspace(want.ptr[0]))
        want = bough_view(want.ptr + 1, want.len - 1);
    while (want.len > 0 && isspace(want.ptr[want.len - 1]))
        want.len--;
    printf("%s:%zu: expected %.*s, got ", sc->path, line + 1,
        (int)(want.len < 400 ? want.len : 400), (const char *)want.ptr);
    if (note != NULL)
        fputs(note, stdout);
    else
        answer_print(stdout, got);
    putchar('\n');
    sc->report->failed++;
}

/* Is this step one that the script may do without here? */
static bool step_skips(const struct script *sc, const char *feature)
{
    char word[64];

    if (*feature == '\0' || place_has(&sc->run.opts, feature))
        return false;
    snprintf(word, sizeof word, " %s ", feature);
    return strstr(sc->may_lack, word) != NULL;
}

static void fresh_run(struct script *sc, struct answer *got)
{
    struct bough_why why;
    enum bough_err err = place_fresh(&sc->run, &why);

    if (err)
        answer_why(got, err, &why);
    else
        answer_ok(got);
}

static void reopen_run(struct script *sc, struct answer *got)
{
    struct bough_why why;
    enum bough_err err;

    if (!place_has(&sc->run.opts, "reopen")) {
        answer_err(got, "not-supported", bough_view(NULL, 0));
        return;
    }
    err = place_reopen(&sc->run, &why);
    if (err)
        answer_why(got, err, &why);
    else
        answer_ok(got);
}

/* The place a step works on, by its `@NAME`. */
static bool step_place(struct script *sc, struct step *s, struct toks *words)
{
    const struct tok *first = &words->t[0];

    s->kv = sc->run.kv;
    if (first->quoted || first->text.len < 2 || first->text.ptr[0] != '@')
        return true;
    s->on = handle_find(&sc->run, bough_view(first->text.ptr + 1, first->text.len - 1));
    s->kv = s->on != NULL ? s->on->kv : NULL;
    words->t++;
    words->n--;
    return words->n > 0;
}

/* The feature that a place must have for this step. */
static const char *step_feature(
    const struct step *s, const struct tok *name, const struct step_def *def)
{
    if (tok_is(name, "reopen"))
        return "reopen";
    if (def != NULL && *def->feature != '\0')
        return def->feature;
    if (s->on != NULL)
        return s->on->kind == HANDLE_BATCH      ? "batch"
               : s->on->kind == HANDLE_SNAPSHOT ? "snapshot"
                                                : "handle";
    return "";
}

/* Run one step; false: it was skipped. */
static bool step_run(struct script *sc, struct toks words, struct answer *got)
{
    struct run *r = &sc->run;
    struct step s = {.run = r, .got = got};
    const struct step_def *def;
    const struct tok *name;
    bool fine = step_place(sc, &s, &words);

    name = fine ? &words.t[0] : NULL;
    def = fine ? def_find(name) : NULL;
    if (fine && step_skips(sc, step_feature(&s, name, def))) {
        if (words.n > 1)
            handle_skip(r, name, words.t[1].text);
        return false;
    }
    s.args = (struct toks){words.t + 1, fine ? words.n - 1 : 0};
    if (fine && tok_is(name, "fresh"))
        fresh_run(sc, got);
    else if (fine && tok_is(name, "reopen"))
        reopen_run(sc, got);
    else if (def == NULL)
        done_invalid(&s);
    else if (!place_has(&r->opts, def->feature))
        answer_err(got, "not-supported", bough_view(NULL, 0));
    else if ((r->dead || !r->open || s.kv == NULL) && !tok_is(name, "device"))
        answer_err(got, "gone", bough_view(NULL, 0));
    else
        def->fn(&s);
    if (r->dev != NULL && r->dev->cut.dead)
        r->dead = true;
    if (r->open && !r->dead)
        watch_tick(r);
    return true;
}

/* `$NAME = STEP`. */
static bool step_keeps(struct toks *words, struct bough_view *name)
{
    if (words->n < 3 || words->t[0].quoted || words->t[0].text.len < 2 ||
        words->t[0].text.ptr[0] != '$' || !tok_is(&words->t[1], "="))
        return false;
    *name = bough_view(words->t[0].text.ptr + 1, words->t[0].text.len - 1);
    words->t += 2;
    words->n -= 2;
    return true;
}

/* Did this step meet the allocation that fails? */
static bool step_met_fault(const struct script *sc, const struct answer *got)
{
    return sc->run.mem->n.hit && got->error && got->n > 0 &&
           bough_view_eq(got->items[0].t[0].text, bough_view_str("no-memory"));
}

/* Was it to make a place, and the device failed?  Nothing is there then. */
static bool step_met_io(const struct script *sc, struct toks words, const struct answer *got)
{
    return sc->run.io.hit && got->error &&
           (tok_is(&words.t[0], "fresh") || tok_is(&words.t[0], "device"));
}

/*
 * A step that failed so changed nothing: it can be had again.  Only a commit cannot, since its batch
 * is over whatever it answers.
 */
static void step_again(struct script *sc, struct toks words, struct answer *got)
{
    if (!step_met_fault(sc, got) && !step_met_io(sc, words, got))
        return;
    sc->run.mem->n.hit = sc->run.io.hit = false;
    for (size_t i = 0; i < words.n && i < 2; i++)
        sc->blind = sc->blind || tok_is(&words.t[i], "commit");
    *got = (struct answer){.pool = &sc->run.step};
    step_run(sc, words, got);
}

/*
 * The device failed once: what was in flight may have happened or not.  The place is opened again, and
 * what follows is another story.
 */
static void step_after_io(struct script *sc)
{
    struct run *r = &sc->run;
    struct bough_why why;

    if (!r->io.hit)
        return;
    r->io.hit = false;
    sc->blind = true;
    if (!r->dead && place_reopen(r, &why) != BOUGH_OK)
        r->open = false;
}

static void line_step(struct script *sc, size_t at, struct bough_view line)
{
    size_t arrow = text_arrow(&line);
    struct bough_view left = bough_view(line.ptr, arrow), right = bough_view("", 0);
    struct answer got = {.pool = &sc->run.step};
    struct bough_view keep = {0};
    struct toks words, want = {0};
    const char *why = NULL;
    bool compare = arrow < line.len, kept;

    if (compare)
        right = bough_view(line.ptr + arrow + 2, line.len - arrow - 2);
    if (!text_words(&sc->run.step, left, false, &words, &why) ||
        (compare && !text_words(&sc->run.step, right, true, &want, &why))) {
        differs(sc, at, line, why, NULL);
        return;
    }
    if (words.n == 0)
        return;
    kept = step_keeps(&words, &keep);
    for (size_t i = 0; i < words.n; i++)
        words.t[i] = tok_var(&sc->run, words.t[i]);
    if (!step_run(sc, words, &got)) {
        sc->report->skipped++;
        return;
    }
    step_again(sc, words, &got);
    step_after_io(sc);
    if (kept)
        var_set(&sc->run, keep, &got);
    if (sc->blind)
        return;
    if (!compare && got.n > 0 && got.error &&
        bough_view_eq(got.items[0].t[0].text, bough_view_str("invalid-step")))
        differs(sc, at, line, "no such step", NULL);
    if (compare && want_match(&sc->run, &want, &got))
        sc->report->passed++;
    else if (compare)
        differs(sc, at, right, NULL, &got);
}

/* Lines with `->` from here to the end, counted as skipped. */
static void skip_rest(struct script *sc, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct bough_view line = sc->lines[i];

        if (text_arrow(&line) < line.len)
            sc->report->skipped++;
    }
}

/* `@needs` and `@may-lack`; false: the script cannot run here. */
static bool line_features(struct script *sc, size_t at, struct bough_view line, bool needs)
{
    struct toks words;
    const char *why;

    text_arrow(&line);
    if (!text_words(&sc->run.step, line, true, &words, &why))
        return true;
    for (size_t i = 1; i < words.n; i++) {
        char *name = tok_str(&sc->run.step, &words.t[i]);

        if (words.t[i].kind != TOK_WORD)
            continue;
        if (!place_feature_known(name))
            differs(sc, at, line, "no such feature", NULL);
        else if (needs && !place_has(&sc->run.opts, name))
            return false;
        else if (!needs && strlen(sc->may_lack) + strlen(name) + 2 < sizeof sc->may_lack)
            strcat(strcat(sc->may_lack, name), " ");
    }
    return true;
}

/* ---- Loops ---- */

/* The line of the `end` that belongs to the `for` at `at`. */
static size_t loop_end(const struct script *sc, size_t at, size_t to)
{
    size_t deep = 0;

    for (size_t i = at; i < to; i++) {
        struct bough_view w = line_word(sc->lines[i]);

        deep += word_is(w, "for");
        if (word_is(w, "end") && --deep == 0)
            return i;
    }
    return to;
}

enum { LOOPS_MAX = 8 };

struct loop {
    size_t begin, end; /* lines of `for` and `end` */
    struct bough_view name;
    int64_t now, last;
};

static struct bough_view line_expand(
    struct script *sc, struct bough_view line, const struct loop *loops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char number[32];

        snprintf(number, sizeof number, "%lld", (long long)loops[i].now);
        line = line_replace(&sc->run.step, line, loops[i].name, number);
    }
    return line;
}

/* `for NAME FROM TO` at line `at`; false: it cannot be read. */
static bool loop_begin(struct script *sc, size_t at, struct bough_view line, struct loop *l)
{
    struct toks words;
    const char *why;
    uint64_t from, to;

    text_arrow(&line);
    if (!text_words(&sc->run.step, line, false, &words, &why) || words.n != 4 ||
        !text_number(words.t[2].text, &from) || !text_number(words.t[3].text, &to))
        return false;
    *l = (struct loop){.begin = at, .end = loop_end(sc, at, sc->n)};
    l->name = line_word(sc->lines[at]);
    l->name = line_word(bough_view(l->name.ptr + l->name.len,
        (size_t)(sc->lines[at].ptr + sc->lines[at].len - l->name.ptr) - l->name.len));
    l->now = (int64_t)from;
    l->last = (int64_t)to;
    return l->end < sc->n;
}

/* One line; `*at` moves on, loops come and go. */
static void line_run(struct script *sc, size_t *at, struct loop *loops, size_t *loops_n)
{
    struct bough_view line = line_expand(sc, sc->lines[*at], loops, *loops_n);
    struct bough_view word = line_word(line);

    if (word_is(word, "for")) {
        if (*loops_n == LOOPS_MAX || !loop_begin(sc, *at, line, &loops[*loops_n])) {
            differs(sc, *at, line, "a loop that cannot be read", NULL);
            *at = sc->n;
            return;
        }
        if (loops[*loops_n].now > loops[*loops_n].last)
            *at = loops[*loops_n].end;
        else
            ++*loops_n;
    } else if (word_is(word, "end") && *loops_n > 0) {
        struct loop *l = &loops[*loops_n - 1];

        if (++l->now <= l->last)
            *at = l->begin;
        else
            --*loops_n;
    } else if (word_is(word, "@needs")) {
        if (!line_features(sc, *at, line, true)) {
            skip_rest(sc, *at, sc->n);
            *at = sc->n;
            return;
        }
    } else if (word_is(word, "@may-lack")) {
        line_features(sc, *at, line, false);
    } else {
        line_step(sc, *at, line);
    }
    ++*at;
}

/* ---- Run ---- */

static bool script_fresh(struct script *sc)
{
    struct bough_why why;
    enum bough_err err = place_fresh(&sc->run, &why);

    if (err && (sc->run.mem->n.hit || sc->run.io.hit)) {
        sc->run.mem->n.hit = sc->run.io.hit = false; /* nothing was there yet */
        err = place_fresh(&sc->run, &why);
    }
    if (err) {
        struct answer got = {.pool = &sc->run.step};

        answer_why(&got, err, &why);
        differs(sc, 0, bough_view_str("a fresh place"), NULL, &got);
    }
    return !err;
}

/* Does this line make calls? */
static bool line_acts(struct bough_view line)
{
    struct bough_view word = line_word(line);

    return word.len > 0 && word.ptr[0] != '#' && word.ptr[0] != '@' && !word_is(word, "for") &&
           !word_is(word, "end");
}

void script_run(struct script *sc)
{
    struct loop loops[LOOPS_MAX];
    size_t loops_n = 0;
    bool more;

    strcpy(sc->may_lack, " ");
    points_fork(&sc->points, sc->path, 0);
    if (!script_fresh(sc))
        return;
    more = points_more(&sc->points);
    for (size_t at = 0; more && at < sc->n;) {
        bool acts = line_acts(sc->lines[at]);

        if (acts)
            points_fork(&sc->points, sc->path, at + 1);
        line_run(sc, &at, loops, &loops_n);
        pool_drop(&sc->run.step);
        more = !acts || points_more(&sc->points);
    }
    if (sc->blind || sc->points.child) {
        sc->blind = false;
        line_step(sc, sc->n - 1, bough_view_str("reopen -> ok or not-supported"));
        line_step(sc, sc->n - 1, bough_view_str("verify -> ok"));
    }
}

void script_end(struct script *sc)
{
    points_fork(&sc->points, sc->path, sc->n);
    run_fini(&sc->run);
    if (sc->run.mem->pieces != 0) {
        printf("%s: expected all memory back, got %llu pieces lost\n", sc->path,
            (unsigned long long)sc->run.mem->pieces);
        sc->report->failed++;
    }
    points_more(&sc->points);
}

void script_skip(struct script *sc)
{
    skip_rest(sc, 0, sc->n);
}
