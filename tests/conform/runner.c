/*
 * runner.c - scripts: lines, loops, variables, features, the report; main().
 *
 *   lines      a script's text, its loops unrolled as it runs
 *   words      variables and names of commits put in
 *   steps      found by name, skipped by feature, run, compared
 *   faults     a call failing: each (runner_points.h), or a few in a run each
 *   main
 */
#include <ctype.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "runner.h"
#include "runner_points.h"

struct report {
    uint64_t passed, failed, skipped;
};

struct script {
    const char *path;
    char *text;
    struct bough_view *lines; /* counted from 0 */
    size_t n;
    struct run run;
    struct report *report;
    char may_lack[256];
    struct points points;
    bool blind; /* the failure ended a batch, so what follows is another story: not compared */
};

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

/* ---- Lines ---- */

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

static bool script_read(struct script *sc, const char *path)
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

/* The first word of a line, without looking at the rest. */
static struct bough_view line_word(struct bough_view line)
{
    size_t i = 0, n;

    while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'))
        i++;
    for (n = i; n < line.len && !isspace(line.ptr[n]);)
        n++;
    return bough_view(line.ptr + i, n - i);
}

static bool word_is(struct bough_view w, const char *text)
{
    return bough_view_eq(w, bough_view_str(text));
}

/* `line` with every `$NAME` replaced. */
static struct bough_view line_replace(
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

/* ---- Words ---- */

static struct var *var_find(struct run *r, struct bough_view name)
{
    for (size_t i = 0; i < r->vars_n; i++) {
        if (bough_view_eq(name, bough_view_str(r->vars[i].name)))
            return &r->vars[i];
    }
    return NULL;
}

static struct tok tok_var(struct run *r, struct tok t)
{
    struct var *v = NULL;

    if (t.kind == TOK_WORD && !t.quoted && t.text.len > 1 && t.text.ptr[0] == '$')
        v = var_find(r, bough_view(t.text.ptr + 1, t.text.len - 1));
    if (v == NULL || v->a.n != 1 || v->a.items[0].n != 1)
        return t;
    v->a.items[0].t[0].quoted = true;
    return v->a.items[0].t[0];
}

static void var_set(struct run *r, struct bough_view name, const struct answer *got)
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

/* Does `got` agree with one of the answers parted by `or`? */
static bool want_match(struct run *r, const struct toks *want, const struct answer *got)
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

/* ---- Steps ---- */

static const struct step_def *def_find(const struct tok *name)
{
    const struct step_def *tables[] = {
        steps_kv(), steps_batch(), steps_repo(), steps_watch(), steps_verify()};

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

static void script_run(struct script *sc)
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

/* ---- Faults ---- */

enum fault { FAULT_NONE, FAULT_ALLOC, FAULT_IO };

struct options {
    struct place_opts place;
    enum fault fault;
    bool every;        /* each call fails */
    uint64_t runs, at; /* or so many, evenly spread, in a run each; or this one */
    const char *dir;
};

/* The end of a run: its calls, too, are failed. */
static void script_end(struct script *sc)
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

/*
 * One script from its first line to its last, with the n-th allocation or device call failing;
 * `*calls` is how many there were.
 */
static void script_once(const struct options *o, const char *path, struct report *report,
    uint64_t fail_at, uint64_t *calls)
{
    struct script sc = {.path = path, .report = report};
    uint64_t failed = report->failed;
    struct fault_count *n;
    struct fault_mem mem;

    if (!script_read(&sc, path)) {
        fprintf(stderr, "conform: cannot read %s\n", path);
        report->failed++;
        return;
    }
    fault_mem_init(&mem);
    run_init(&sc.run, &o->place, &mem, o->dir);
    n = o->fault == FAULT_IO ? &sc.run.io : &mem.n;
    n->fail_at = fail_at;
    sc.points.what = o->fault == FAULT_IO ? "device call" : "allocation";
    sc.points.n = o->every && place_forks(&o->place) ? n : NULL;
    sc.run.faults = o->fault != FAULT_NONE;
    script_run(&sc);
    script_end(&sc);
    points_end(&sc.points, report->failed == failed);
    *calls = n->calls;
    report->passed += sc.points.passed;
    report->failed += sc.points.failed;
    free(sc.lines);
    free(sc.text);
}

static void script_all(const struct options *o, const char *path, struct report *report)
{
    uint64_t before = report->failed, calls, ignored, step;

    script_once(o, path, report, o->at, &calls);
    if (o->runs == 0 && (!o->every || place_forks(&o->place)))
        return;
    step = o->every ? 1 : calls / o->runs + 1;
    for (uint64_t n = 0; n < calls; n += step) {
        script_once(o, path, report, n, &ignored);
        if (report->failed > before) {
            printf("%s: with %s %llu failing\n", path,
                o->fault == FAULT_IO ? "device call" : "allocation", (unsigned long long)n);
            return;
        }
    }
}

/* ---- Main ---- */

static const char help[] =
    "usage: conform [OPTIONS] PLACE SCRIPT...\n"
    "\n"
    "Runs each script on a fresh place.  A line for each difference; `N passed, N failed, N "
    "skipped`\n"
    "(steps with an answer) last.  Exit 0 only if none failed.\n"
    "\n"
    "places\n"
    "  mem:          the memory KV            mem-store:    a branch of a store in memory\n"
    "  log:          a branch of a log store  dir:          a folder of the host\n"
    "  Options behind the colon, by commas: size=4M unit=512 granule=4096 commit=each "
    "format=sha256.\n"
    "  git: lmdb: fat: tar: are not available in this version: their steps count as skipped.\n"
    "\n"
    "options\n"
    "  --via lib              how the place is spoken to; cli, redis and http are not available "
    "yet\n"
    "  --fail-alloc           each script with each allocation failing, in a process of its own "
    "that runs\n"
    "                         the step that makes it and a few more: the step must have changed "
    "nothing,\n"
    "                         so it is run once more, and then everything must be as the script "
    "says;\n"
    "                         with =RUNS so many of them, each in a run from the first line to the "
    "last\n"
    "                         (so are all in places on a filesystem); with @N the N-th alone\n"
    "  --fail-io              so with each call of the device failing; after it the place is "
    "opened\n"
    "                         again, and must be sound at the end\n"
    "  --help\n"
    "\n"
    "what a --via cannot do (such steps are skipped)\n"
    "  lib    -\n"
    "  cli    handle snapshot begin commit abort expect-digest window fold-now commit-each watch\n"
    "         events commit-node crash-at-write device fill\n"
    "  redis  set-partial hole, allocate, set-mode, fold, snapshot, commit-node, bases, device,\n"
    "         crash-at-write, clock, author, committer, message\n"
    "  http   handle, begin, commit, abort, window, fold-now, commit-each, commit-node, device,\n"
    "         crash-at-write, clock\n"
    "\n"
    "put-stream KEY SIZE seed N writes splitmix64 from N: each number as eight bytes, the least\n"
    "significant first.\n";

static void scripts_skip(char **paths, int n, struct report *report)
{
    for (int i = 0; i < n; i++) {
        struct script sc = {.path = paths[i], .report = report};

        if (script_read(&sc, paths[i]))
            skip_rest(&sc, 0, sc.n);
        free(sc.lines);
        free(sc.text);
    }
}

static int dir_entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* "", "=RUNS" or "@N". */
static void fault_parse(const char *text, enum fault fault, struct options *o)
{
    o->fault = fault;
    if (*text == '=')
        o->runs = strtoull(text + 1, NULL, 10);
    else if (*text == '@')
        o->at = strtoull(text + 1, NULL, 10);
    else
        o->every = true;
}

/* Options up to the place: the index of the place, or -1. */
static int options_parse(int argc, char **argv, struct options *o, bool *via_lib)
{
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        } else if (strcmp(argv[i], "--via") == 0 && i + 1 < argc) {
            *via_lib = strcmp(argv[++i], "lib") == 0;
        } else if (strncmp(argv[i], "--via=", 6) == 0) {
            *via_lib = strcmp(argv[i] + 6, "lib") == 0;
        } else if (strncmp(argv[i], "--fail-alloc", 12) == 0) {
            fault_parse(argv[i] + 12, FAULT_ALLOC, o);
        } else if (strncmp(argv[i], "--fail-io", 9) == 0) {
            fault_parse(argv[i] + 9, FAULT_IO, o);
        } else {
            return -1;
        }
    }
    return i + 1 < argc ? i : -1;
}

int main(int argc, char **argv)
{
    struct options o = {.at = FAULT_NEVER};
    struct report report = {0};
    bool via_lib = true;
    char dir[] = "/tmp/bough-conform-XXXXXX";
    int at = options_parse(argc, argv, &o, &via_lib), fit;

    fit = at > 0 ? place_parse(argv[at], &o.place) : 2;
    if (fit == 2) {
        fputs(help, stderr);
        return 2;
    }
    if (fit == 1 || !via_lib) {
        fprintf(stderr, "conform: %s is not available in this version\n",
            fit == 1 ? argv[at] : "this --via");
        scripts_skip(argv + at + 1, argc - at - 1, &report);
    } else if (mkdtemp(dir) == NULL) {
        perror("conform: a temporary directory");
        return 3;
    } else {
        o.dir = dir;
        for (int i = at + 1; i < argc; i++)
            script_all(&o, argv[i], &report);
        nftw(dir, dir_entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
    printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)report.passed,
        (unsigned long long)report.failed, (unsigned long long)report.skipped);
    return report.failed == 0 ? 0 : 1;
}
