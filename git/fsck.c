/*
 * fsck.c - the rules, and those for commits and tags.
 *
 *   rules     names, texts and levels
 *   config    bough_fsck_set()
 *   report    where each broken rule passes
 *   people    ident lines
 *   commits, tags
 *   entry     bough_fsck_object()
 */
#include "git/inner.h"

/* ---- Rules ---- */

struct fsck_rule {
    const char *text; /* the id, a colon, git's explanation */
    uint8_t level;
    bool fixed; /* can not be relaxed: later checks rely on it */
};

#define ERROR_(text)                                                                               \
    {                                                                                              \
        text, BOUGH_FSCK_ERROR, false                                                              \
    }
#define INFO_(text)                                                                                \
    {                                                                                              \
        text, BOUGH_FSCK_INFO, false                                                               \
    }

static const struct fsck_rule fsck_rules[BOUGH_FSCK_IDS] = {
    [BOUGH_FSCK_NUL_IN_HEADER] = {"nulInHeader: unterminated header: NUL", BOUGH_FSCK_ERROR, true},
    [BOUGH_FSCK_UNTERMINATED_HEADER] = {"unterminatedHeader: unterminated header", BOUGH_FSCK_ERROR,
        true},
    [BOUGH_FSCK_BAD_DATE] = ERROR_("badDate: invalid author/committer line - bad date"),
    [BOUGH_FSCK_BAD_DATE_OVERFLOW] =
        ERROR_("badDateOverflow: invalid author/committer line - date causes integer overflow"),
    [BOUGH_FSCK_BAD_EMAIL] = ERROR_("badEmail: invalid author/committer line - bad email"),
    [BOUGH_FSCK_BAD_NAME] = ERROR_("badName: invalid author/committer line - bad name"),
    [BOUGH_FSCK_BAD_OBJECT_SHA1] = ERROR_("badObjectSha1: invalid 'object' line format - bad sha1"),
    [BOUGH_FSCK_BAD_PARENT_SHA1] = ERROR_("badParentSha1: invalid 'parent' line format - bad sha1"),
    [BOUGH_FSCK_BAD_TIMEZONE] =
        ERROR_("badTimezone: invalid author/committer line - bad time zone"),
    [BOUGH_FSCK_BAD_TREE] = {"badTree: cannot be parsed as a tree", BOUGH_FSCK_ERROR, true},
    [BOUGH_FSCK_BAD_TREE_SHA1] = ERROR_("badTreeSha1: invalid 'tree' line format - bad sha1"),
    [BOUGH_FSCK_BAD_TYPE] = ERROR_("badType: invalid 'type' value"),
    [BOUGH_FSCK_DUPLICATE_ENTRIES] = ERROR_("duplicateEntries: contains duplicate file entries"),
    [BOUGH_FSCK_MISSING_AUTHOR] = ERROR_("missingAuthor: invalid format - expected 'author' line"),
    [BOUGH_FSCK_MISSING_COMMITTER] =
        ERROR_("missingCommitter: invalid format - expected 'committer' line"),
    [BOUGH_FSCK_MISSING_EMAIL] =
        ERROR_("missingEmail: invalid author/committer line - missing email"),
    [BOUGH_FSCK_MISSING_NAME_BEFORE_EMAIL] = ERROR_(
        "missingNameBeforeEmail: invalid author/committer line - missing space before email"),
    [BOUGH_FSCK_MISSING_OBJECT] = ERROR_("missingObject: invalid format - expected 'object' line"),
    [BOUGH_FSCK_MISSING_SPACE_BEFORE_DATE] =
        ERROR_("missingSpaceBeforeDate: invalid author/committer line - missing space before date"),
    [BOUGH_FSCK_MISSING_SPACE_BEFORE_EMAIL] = ERROR_(
        "missingSpaceBeforeEmail: invalid author/committer line - missing space before email"),
    [BOUGH_FSCK_MISSING_TAG] =
        ERROR_("missingTag: invalid format - unexpected end after 'type' line"),
    [BOUGH_FSCK_MISSING_TAG_ENTRY] =
        ERROR_("missingTagEntry: invalid format - expected 'tag' line"),
    [BOUGH_FSCK_MISSING_TREE] = ERROR_("missingTree: invalid format - expected 'tree' line"),
    [BOUGH_FSCK_MISSING_TYPE] =
        ERROR_("missingType: invalid format - unexpected end after 'type' line"),
    [BOUGH_FSCK_MISSING_TYPE_ENTRY] =
        ERROR_("missingTypeEntry: invalid format - expected 'type' line"),
    [BOUGH_FSCK_MULTIPLE_AUTHORS] =
        ERROR_("multipleAuthors: invalid format - multiple 'author' lines"),
    [BOUGH_FSCK_TREE_NOT_SORTED] = ERROR_("treeNotSorted: not properly sorted"),
    [BOUGH_FSCK_ZERO_PADDED_DATE] =
        ERROR_("zeroPaddedDate: invalid author/committer line - zero-padded date"),
    [BOUGH_FSCK_GITMODULES_BLOB] = ERROR_("gitmodulesBlob: non-blob found at .gitmodules"),
    [BOUGH_FSCK_GITMODULES_LARGE] = ERROR_("gitmodulesLarge: .gitmodules too large to parse"),
    [BOUGH_FSCK_GITMODULES_NAME] = ERROR_("gitmodulesName: disallowed submodule name"),
    [BOUGH_FSCK_GITMODULES_SYMLINK] = ERROR_("gitmodulesSymlink: .gitmodules is a symbolic link"),
    [BOUGH_FSCK_GITMODULES_URL] = ERROR_("gitmodulesUrl: disallowed submodule url"),
    [BOUGH_FSCK_GITMODULES_PATH] = ERROR_("gitmodulesPath: disallowed submodule path"),
    [BOUGH_FSCK_GITMODULES_UPDATE] =
        ERROR_("gitmodulesUpdate: disallowed submodule update setting"),
    [BOUGH_FSCK_GITATTRIBUTES_BLOB] = ERROR_("gitattributesBlob: non-blob found at .gitattributes"),
    [BOUGH_FSCK_GITATTRIBUTES_LARGE] =
        ERROR_("gitattributesLarge: .gitattributes too large to parse"),
    [BOUGH_FSCK_GITATTRIBUTES_LINE_LENGTH] =
        ERROR_("gitattributesLineLength: .gitattributes has too long lines to parse"),
    [BOUGH_FSCK_FULL_PATHNAME] = ERROR_("fullPathname: contains full pathnames"),
    [BOUGH_FSCK_HAS_DOT] = ERROR_("hasDot: contains '.'"),
    [BOUGH_FSCK_HAS_DOTDOT] = ERROR_("hasDotdot: contains '..'"),
    [BOUGH_FSCK_HAS_DOTGIT] = ERROR_("hasDotgit: contains '.git'"),
    [BOUGH_FSCK_LARGE_PATHNAME] = ERROR_("largePathname: contains excessively large pathname"),
    [BOUGH_FSCK_NULL_SHA1] = ERROR_("nullSha1: contains entries pointing to null sha1"),
    [BOUGH_FSCK_ZERO_PADDED_FILEMODE] =
        ERROR_("zeroPaddedFilemode: contains zero-padded file modes"),
    [BOUGH_FSCK_NUL_IN_COMMIT] = ERROR_("nulInCommit: NUL byte in the commit object body"),
    [BOUGH_FSCK_BAD_FILEMODE] = INFO_("badFilemode: contains bad file modes"),
    [BOUGH_FSCK_GITMODULES_PARSE] = INFO_("gitmodulesParse: could not parse gitmodules blob"),
    [BOUGH_FSCK_GITIGNORE_SYMLINK] = INFO_("gitignoreSymlink: .gitignore is a symlink"),
    [BOUGH_FSCK_GITATTRIBUTES_SYMLINK] = INFO_("gitattributesSymlink: .gitattributes is a symlink"),
    [BOUGH_FSCK_MAILMAP_SYMLINK] = INFO_("mailmapSymlink: .mailmap is a symlink"),
    [BOUGH_FSCK_BAD_TAG_NAME] = INFO_("badTagName: invalid 'tag' name"),
    [BOUGH_FSCK_MISSING_TAGGER_ENTRY] =
        INFO_("missingTaggerEntry: invalid format - expected 'tagger' line"),
    [BOUGH_FSCK_EXTRA_HEADER_ENTRY] =
        {"extraHeaderEntry: invalid format - extra header(s) after 'tagger'", BOUGH_FSCK_IGNORE,
            false},
    [BOUGH_FSCK_BOGUS_FILEMODE] = ERROR_("bogusFilemode: contains file modes that git never wrote"),
    [BOUGH_FSCK_UPPER_CASE_HEX] = ERROR_("upperCaseHex: object id in upper case"),
    [BOUGH_FSCK_TOO_MANY_ENTRIES] = ERROR_("tooManyEntries: more entries than allowed"),
    [BOUGH_FSCK_TOO_MANY_PARENTS] = ERROR_("tooManyParents: more parents than allowed"),
};

struct bough_view bough_fsck_id_name(enum bough_fsck_id id)
{
    struct bough_view text = bough_view_str(fsck_rules[id].text);

    text.len = bough_git__index(text, ':');
    return text;
}

/* ---- Config ---- */

void bough_fsck_init(struct bough_fsck *f, enum bough_algo algo)
{
    *f = (struct bough_fsck){.algo = algo};
    for (size_t i = 0; i < BOUGH_FSCK_IDS; i++)
        f->level[i] = fsck_rules[i].level;
}

static bool eq_any_case(struct bough_view a, struct bough_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (bough_git__lower(a.ptr[i]) != bough_git__lower(b.ptr[i]))
            return false;
    return true;
}

enum bough_err bough_fsck_set(struct bough_fsck *f, struct bough_view id, struct bough_view level)
{
    enum bough_fsck_level to;
    size_t i = 0;

    while (i < BOUGH_FSCK_IDS && !eq_any_case(id, bough_fsck_id_name((enum bough_fsck_id)i)))
        i++;
    if (i == BOUGH_FSCK_IDS)
        return BOUGH_ENOENT;
    if (bough_view_eq(level, bough_view_str("error")))
        to = BOUGH_FSCK_ERROR;
    else if (bough_view_eq(level, bough_view_str("warn")))
        to = BOUGH_FSCK_WARN;
    else if (bough_view_eq(level, bough_view_str("ignore")))
        to = BOUGH_FSCK_IGNORE;
    else
        return BOUGH_EINVAL;
    if (fsck_rules[i].fixed && to != BOUGH_FSCK_ERROR)
        return BOUGH_EINVAL;
    f->level[i] = (uint8_t)to;
    return BOUGH_OK;
}

/* ---- Report ---- */

void bough_git__fsck_begin(struct bough_fsck *f, struct bough_view body)
{
    f->body = body;
    f->failed = false;
    memset(f->seen, 0, sizeof f->seen);
}

enum bough_err bough_git__fsck_end(const struct bough_fsck *f)
{
    return f->failed ? BOUGH_EFORMAT : BOUGH_OK;
}

bool bough_git__fsck_report(
    struct bough_fsck *f, enum bough_fsck_id id, const uint8_t *at, struct bough_view key)
{
    struct bough_fsck_problem p = {id, (enum bough_fsck_level)f->level[id], fsck_rules[id].text,
        (uint64_t)(at - f->body.ptr), key};

    if (p.level == BOUGH_FSCK_IGNORE)
        return false;
    if (!f->seen[id] && f->problem != NULL)
        f->problem(f->ctx, &p);
    f->seen[id] = 1;
    if (p.level == BOUGH_FSCK_ERROR && !f->failed) {
        f->failed = true;
        if (f->why != NULL) {
            enum bough_err err = BOUGH_WHY(f->why, BOUGH_EFORMAT, p.what, key.ptr, key.len);

            f->why->at = p.at;
            (void)err;
        }
    }
    return p.level == BOUGH_FSCK_ERROR;
}

/* ---- What commits and tags share ---- */

/* The first bytes of `v`, for a report. */
static struct bough_view line_of(struct bough_view v)
{
    return bough_view(v.ptr, bough_git__index(v, '\n'));
}

static bool report_line(struct bough_fsck *f, enum bough_fsck_id id, struct bough_view at)
{
    return bough_git__fsck_report(f, id, at.ptr, line_of(at));
}

/* The headers end in an empty line, or the object in LF; no NUL before. */
static bool headers_bad(struct bough_fsck *f, struct bough_view v)
{
    struct bough_view none = {v.ptr, 0};

    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == 0)
            return bough_git__fsck_report(f, BOUGH_FSCK_NUL_IN_HEADER, v.ptr + i, none);
        if (v.ptr[i] == '\n' && i + 1 < v.len && v.ptr[i + 1] == '\n')
            return false;
    }
    if (v.len > 0 && v.ptr[v.len - 1] == '\n')
        return false;
    return bough_git__fsck_report(f, BOUGH_FSCK_UNTERMINATED_HEADER, v.ptr, none);
}

static bool has_upper_case(struct bough_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] >= 'A' && v.ptr[i] <= 'F')
            return true;
    return false;
}

/* An id up to LF, taken off `left`; true: stop. */
static bool id_bad(struct bough_fsck *f, enum bough_fsck_id id, struct bough_view *left)
{
    struct bough_view at = *left, line;
    struct bough_oid oid;

    if (!bough_git__line(left, &line) || bough_oid_parse(f->algo, line, &oid))
        return report_line(f, id, at);
    return has_upper_case(line) && report_line(f, BOUGH_FSCK_UPPER_CASE_HEX, at);
}

/* ---- People ---- */

/* Index of the first < or > from `i` on; v.len: none. */
static size_t bracket(struct bough_view v, size_t i)
{
    while (i < v.len && v.ptr[i] != '<' && v.ptr[i] != '>')
        i++;
    return i;
}

/* The rule that `seconds zone` breaks; BOUGH_FSCK_IDS: none. */
static enum bough_fsck_id date_fault(struct bough_view v)
{
    uint64_t sec = 0;
    bool over = false;
    size_t i = 0;

    while (v.len > 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t')) /* git allows more than one */
        v = bough_git__after(v, 1);
    if (v.len == 0 || !bough_git__is_digit(v.ptr[0]))
        return BOUGH_FSCK_BAD_DATE;
    if (v.ptr[0] == '0' && (v.len == 1 || v.ptr[1] != ' '))
        return BOUGH_FSCK_ZERO_PADDED_DATE;
    for (; i < v.len && bough_git__is_digit(v.ptr[i]); i++) {
        over = over || sec > INT64_MAX / 10;
        sec = over ? 0 : sec * 10 + (uint64_t)(v.ptr[i] - '0');
        over = over || sec > INT64_MAX;
    }
    if (over)
        return BOUGH_FSCK_BAD_DATE_OVERFLOW;
    if (i == v.len || v.ptr[i] != ' ')
        return BOUGH_FSCK_BAD_DATE;
    v = bough_git__after(v, i + 1);
    if (v.len != 5 || (v.ptr[0] != '+' && v.ptr[0] != '-'))
        return BOUGH_FSCK_BAD_TIMEZONE;
    for (i = 1; i < 5; i++)
        if (!bough_git__is_digit(v.ptr[i]))
            return BOUGH_FSCK_BAD_TIMEZONE;
    return BOUGH_FSCK_IDS;
}

/* The rule that `name <mail> seconds zone` breaks; BOUGH_FSCK_IDS: none. */
static enum bough_fsck_id ident_fault(struct bough_view v)
{
    size_t i = bracket(v, 0);

    if (i == 0 && v.len > 0 && v.ptr[0] == '<')
        return BOUGH_FSCK_MISSING_NAME_BEFORE_EMAIL;
    if (i < v.len && v.ptr[i] == '>')
        return BOUGH_FSCK_BAD_NAME;
    if (i == v.len)
        return BOUGH_FSCK_MISSING_EMAIL;
    if (v.ptr[i - 1] != ' ')
        return BOUGH_FSCK_MISSING_SPACE_BEFORE_EMAIL;
    i = bracket(v, i + 1);
    if (i == v.len || v.ptr[i] != '>')
        return BOUGH_FSCK_BAD_EMAIL;
    if (i + 1 == v.len || v.ptr[i + 1] != ' ')
        return BOUGH_FSCK_MISSING_SPACE_BEFORE_DATE;
    return date_fault(bough_git__after(v, i + 2));
}

/* An ident up to LF, taken off `left`; true: stop. */
static bool ident_bad(struct bough_fsck *f, struct bough_view *left)
{
    struct bough_view at = *left, line;
    enum bough_fsck_id id;

    if (!bough_git__line(left, &line)) /* only behind an id without LF that was let through */
        return report_line(f, BOUGH_FSCK_UNTERMINATED_HEADER, at);
    id = ident_fault(line);
    return id != BOUGH_FSCK_IDS && report_line(f, id, at);
}

/* ---- Commits ---- */

static bool parents_bad(struct bough_fsck *f, struct bough_view *left)
{
    uint32_t n = 0;

    while (bough_git__skip(left, "parent ")) {
        if (id_bad(f, BOUGH_FSCK_BAD_PARENT_SHA1, left))
            return true;
        if (++n > BOUGH_COMMIT_PARENTS_MAX && report_line(f, BOUGH_FSCK_TOO_MANY_PARENTS, *left))
            return true;
    }
    return false;
}

static bool people_bad(struct bough_fsck *f, struct bough_view *left)
{
    size_t authors = 0;

    for (; bough_git__skip(left, "author "); authors++)
        if (ident_bad(f, left))
            return true;
    if (authors == 0 && report_line(f, BOUGH_FSCK_MISSING_AUTHOR, *left))
        return true;
    if (authors > 1 && report_line(f, BOUGH_FSCK_MULTIPLE_AUTHORS, *left))
        return true;
    if (!bough_git__skip(left, "committer "))
        return report_line(f, BOUGH_FSCK_MISSING_COMMITTER, *left);
    return ident_bad(f, left);
}

static void commit_check(struct bough_fsck *f, struct bough_view body)
{
    struct bough_view left = body;
    size_t nul;

    if (headers_bad(f, body))
        return;
    if (!bough_git__skip(&left, "tree ")) {
        report_line(f, BOUGH_FSCK_MISSING_TREE, left);
        return;
    }
    if (id_bad(f, BOUGH_FSCK_BAD_TREE_SHA1, &left) || parents_bad(f, &left) || people_bad(f, &left))
        return;
    nul = bough_git__index(body, 0);
    if (nul < body.len)
        bough_git__fsck_report(f, BOUGH_FSCK_NUL_IN_COMMIT, body.ptr + nul, bough_view(NULL, 0));
}

/* ---- Tags ---- */

static bool type_bad(struct bough_fsck *f, struct bough_view *left)
{
    struct bough_view at = *left, line;

    if (!bough_git__skip(left, "type "))
        return report_line(f, BOUGH_FSCK_MISSING_TYPE_ENTRY, at);
    if (!bough_git__line(left, &line))
        return report_line(f, BOUGH_FSCK_MISSING_TYPE, at);
    return bough_type_parse(line) == BOUGH_NONE && report_line(f, BOUGH_FSCK_BAD_TYPE, at);
}

static bool tag_name_bad(struct bough_fsck *f, struct bough_view *left)
{
    struct bough_view at = *left, line;

    if (!bough_git__skip(left, "tag "))
        return report_line(f, BOUGH_FSCK_MISSING_TAG_ENTRY, at);
    if (!bough_git__line(left, &line))
        return report_line(f, BOUGH_FSCK_MISSING_TAG, at);
    return !bough_git__tagname_ok(line) && report_line(f, BOUGH_FSCK_BAD_TAG_NAME, at);
}

static void tag_check(struct bough_fsck *f, struct bough_view body)
{
    struct bough_view left = body;

    if (headers_bad(f, body))
        return;
    if (!bough_git__skip(&left, "object ")) {
        report_line(f, BOUGH_FSCK_MISSING_OBJECT, left);
        return;
    }
    if (id_bad(f, BOUGH_FSCK_BAD_OBJECT_SHA1, &left) || type_bad(f, &left) ||
        tag_name_bad(f, &left))
        return;
    if (!bough_git__skip(&left, "tagger ")) {
        if (report_line(f, BOUGH_FSCK_MISSING_TAGGER_ENTRY, left))
            return;
    } else if (ident_bad(f, &left)) {
        return;
    }
    if (left.len > 0 && left.ptr[0] != '\n')
        report_line(f, BOUGH_FSCK_EXTRA_HEADER_ENTRY, left);
}

/* ---- Entry ---- */

enum bough_err bough_fsck_object(struct bough_fsck *f, enum bough_type type, struct bough_view body)
{
    bough_git__fsck_begin(f, body);
    switch (type) {
    case BOUGH_COMMIT:
        commit_check(f, body);
        break;
    case BOUGH_TREE:
        bough_git__fsck_tree(f, body);
        break;
    case BOUGH_TAG:
        tag_check(f, body);
        break;
    default:
        break;
    }
    return bough_git__fsck_end(f);
}
