/*
 * fsck_blob.c - the rules for the two blobs that git reads by name.
 *
 *   .gitattributes   not too large, no line too long
 *   .gitmodules      a reader of git-config's syntax (git-config(1)), then the settings that
 *                    would run or reach what they must not: name, url, path, update
 */
#include "git/inner.h"

/* ---- .gitattributes ---- */

enum bough_err bough_fsck_gitattributes(struct bough_fsck *f, struct bough_view body)
{
    size_t start = 0;

    bough_git__fsck_begin(f, body);
    if (body.len > BOUGH_GITATTRIBUTES_MAX)
        bough_git__fsck_report(f, BOUGH_FSCK_GITATTRIBUTES_LARGE, body.ptr, bough_view(NULL, 0));
    for (size_t i = 0; i <= body.len && !f->failed; i++) {
        if (i < body.len && body.ptr[i] != '\n')
            continue;
        if (i - start >= BOUGH_GITATTRIBUTES_LINE_MAX)
            bough_git__fsck_report(
                f, BOUGH_FSCK_GITATTRIBUTES_LINE_LENGTH, body.ptr + start, bough_view(NULL, 0));
        start = i + 1;
    }
    return bough_git__fsck_end(f);
}

/* ---- A reader of git-config's syntax ---- */

enum { TEXT_MAX = 2048 }; /* bytes of a section's name or a value that are kept */

/* Unescaped text; what does not fit is counted and left out. */
struct text {
    size_t len;
    uint8_t bytes[TEXT_MAX];
};

struct config {
    struct bough_view left;
    struct text section; /* `submodule.NAME` */
    struct text key;     /* lower case */
    struct text value;
    bool has_value; /* `key` alone is true, without one */
};

enum { CONFIG_END = -1 };

static void text_add(struct text *t, int c)
{
    if (t->len < TEXT_MAX)
        t->bytes[t->len] = (uint8_t)c;
    t->len++;
}

static bool text_fits(const struct text *t)
{
    return t->len <= TEXT_MAX;
}

static struct bough_view text_view(const struct text *t)
{
    return bough_view(t->bytes, text_fits(t) ? t->len : TEXT_MAX);
}

/* The next character, CR LF read as LF; not taken. */
static int config_peek(const struct config *c, size_t *len)
{
    *len = 0;
    if (c->left.len == 0)
        return CONFIG_END;
    *len = c->left.len > 1 && c->left.ptr[0] == '\r' && c->left.ptr[1] == '\n' ? 2 : 1;
    return c->left.ptr[*len - 1];
}

static int config_take(struct config *c)
{
    size_t len;
    int ch = config_peek(c, &len);

    c->left = bough_git__after(c->left, len);
    return ch;
}

static bool is_blank(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_key_char(int c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

static void comment_skip(struct config *c)
{
    int ch;

    do
        ch = config_take(c);
    while (ch != '\n' && ch != CONFIG_END);
}

/* ` "NAME"]`, behind the section's own name. */
static bool subsection_take(struct config *c)
{
    int ch;

    do
        ch = config_take(c);
    while (ch == ' ' || ch == '\t');
    if (ch != '"')
        return false;
    text_add(&c->section, '.');
    while ((ch = config_take(c)) != '"') {
        if (ch == '\\')
            ch = config_take(c);
        if (ch == '\n' || ch == CONFIG_END)
            return false;
        text_add(&c->section, ch);
    }
    return config_take(c) == ']';
}

/* `section]`, `section.sub]` or `section "sub"]`, behind the bracket. */
static bool section_take(struct config *c)
{
    int ch;

    c->section.len = 0;
    while ((ch = config_take(c)) != ']') {
        if (ch == ' ' || ch == '\t')
            return subsection_take(c);
        if (!is_key_char(ch) && ch != '.')
            return false;
        text_add(&c->section, bough_git__lower((uint8_t)ch));
    }
    return c->section.len > 0;
}

/* What a backslash in a value and the character behind it mean; 0: a line goes on; -1: an error. */
static int escape_take(struct config *c)
{
    switch (config_take(c)) {
    case '\n':
        return 0;
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case '\\':
        return '\\';
    case '"':
        return '"';
    default:
        return -1;
    }
}

/* A value up to its line's end: blanks around it and comments go, quotes keep both. */
static bool value_take(struct config *c)
{
    bool quoted = false;
    size_t keep = 0; /* length without the blanks at the end */
    int ch;

    c->value.len = 0;
    while ((ch = config_take(c)) != '\n' && ch != CONFIG_END) {
        if (!quoted && (ch == ';' || ch == '#')) {
            comment_skip(c);
            break;
        }
        if (!quoted && is_blank(ch)) {
            if (c->value.len > 0)
                text_add(&c->value, ch);
            continue;
        }
        if (ch == '"') {
            quoted = !quoted;
            continue;
        }
        if (ch == '\\') {
            ch = escape_take(c);
            if (ch < 0)
                return false;
            if (ch == 0)
                continue;
        }
        text_add(&c->value, ch);
        keep = c->value.len;
    }
    c->value.len = keep;
    return !quoted;
}

/* `key` or `key = value`, `first` being the key's first letter. */
static bool setting_take(struct config *c, int first)
{
    size_t len;
    int ch = first;

    c->key.len = 0;
    do {
        text_add(&c->key, bough_git__lower((uint8_t)ch));
        ch = config_peek(c, &len);
        if (is_key_char(ch))
            config_take(c);
    } while (is_key_char(ch));
    do
        ch = config_take(c);
    while (ch == ' ' || ch == '\t');
    c->has_value = ch == '=';
    if (c->has_value)
        return value_take(c);
    return ch == '\n' || ch == CONFIG_END;
}

/*
 * The next setting.
 *
 * BOUGH_ENOENT    there are no more
 * BOUGH_EFORMAT   not git-config's syntax
 */
static enum bough_err config_next(struct config *c)
{
    int ch;

    while ((ch = config_take(c)) != CONFIG_END) {
        if (is_blank(ch))
            continue;
        if (ch == '#' || ch == ';')
            comment_skip(c);
        else if (ch == '[' ? !section_take(c) : !is_letter(ch))
            return BOUGH_EFORMAT;
        else if (ch != '[')
            return setting_take(c, ch) ? BOUGH_OK : BOUGH_EFORMAT;
    }
    return BOUGH_ENOENT;
}

/* ---- .gitmodules ---- */

static bool key_is(const struct config *c, const char *key)
{
    return bough_view_eq(text_view(&c->key), bough_view_str(key));
}

static bool begins_with(const struct text *t, uint8_t c)
{
    return t->len > 0 && t->bytes[0] == c;
}

/* Look at one setting; `at` is where it stands. */
static void setting_check(struct bough_fsck *f, const struct config *c, const uint8_t *at)
{
    struct bough_view name = text_view(&c->section), value = text_view(&c->value);

    if (!bough_git__skip(&name, "submodule."))
        return;
    if (!text_fits(&c->section) || !bough_git__submodule_name_ok(name))
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_NAME, at, name);
    if (!c->has_value)
        return;
    if (key_is(c, "url") && (!text_fits(&c->value) || !bough_git__submodule_url_ok(value)))
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_URL, at, value);
    if (key_is(c, "path") && begins_with(&c->value, '-'))
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_PATH, at, value);
    if (key_is(c, "update") && begins_with(&c->value, '!'))
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_UPDATE, at, value);
}

enum bough_err bough_fsck_gitmodules(struct bough_fsck *f, struct bough_view body)
{
    struct config c;
    enum bough_err err;

    bough_git__fsck_begin(f, body);
    if (body.len > BOUGH_GITMODULES_MAX &&
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_LARGE, body.ptr, bough_view(NULL, 0)))
        return bough_git__fsck_end(f);
    c.left = body;
    c.section.len = 0;
    bough_git__skip(&c.left, "\xef\xbb\xbf");
    while ((err = config_next(&c)) == BOUGH_OK)
        setting_check(f, &c, c.left.ptr);
    if (err == BOUGH_EFORMAT)
        bough_git__fsck_report(f, BOUGH_FSCK_GITMODULES_PARSE, c.left.ptr, bough_view(NULL, 0));
    return bough_git__fsck_end(f);
}
