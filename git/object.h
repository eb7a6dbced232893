/*
 * object.h - Git's trees, commits and tags as views over their raw bytes.
 *
 *   modes      bough_filemode()
 *   trees      struct bough_tree_iter, the order of entries, writing one
 *   headers    struct bough_header: the lines before a commit's or tag's message
 *   people     struct bough_ident: who and when
 *   commits    struct bough_commit, struct bough_commit_parts
 *   tags       struct bough_tag, struct bough_tag_parts
 *
 * Reading is as lenient as git's: old and odd objects keep their bytes for
 * ever, nothing is ever written again from what was parsed.  What may come in
 * is decided by git/fsck.h.  Every view points into the bytes that were
 * parsed and lives as long as they do.  Nothing here allocates but through a
 * struct bough_buf.
 *
 * Sources: Git's documentation (gitformat-*, git-commit-tree, git-mktag) and
 * the behaviour of git 2.39.
 */
#ifndef BOUGH_OBJECT_H
#define BOUGH_OBJECT_H

#include "base/buf.h"
#include "git/oid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Modes ---- */

/* The modes that are written; every other one is a spelling of one of these, or bogus. */
enum {
    BOUGH_FILEMODE_TREE = 0040000,
    BOUGH_FILEMODE_BLOB = 0100644,
    BOUGH_FILEMODE_EXEC = 0100755,
    BOUGH_FILEMODE_LINK = 0120000,
    BOUGH_FILEMODE_GITLINK = 0160000, /* a commit of another repository: never followed */
};

/* The one of the five that `mode` means (100664 is 100644); 0: none of them. */
uint32_t bough_filemode(uint32_t mode);

/* ---- Trees ---- */

struct bough_tree_entry {
    uint32_t mode;          /* as stored; see bough_filemode() */
    struct bough_view name; /* never empty, without NUL; anything else is possible */
    struct bough_oid id;
};

/*
 * Walks over the raw bytes of a tree.  Strict refuses in addition: modes
 * other than the five or zero-padded, names with a slash, entries out of
 * order or twice in a row.  (Full checks: bough_fsck_object().)
 */
struct bough_tree_iter {
    enum bough_algo algo;
    bool strict;
    struct bough_view left;       /* what is still to come */
    struct bough_tree_entry last; /* strict: what came last; before the first its name is empty */
};

/* `raw` is borrowed while the iterator and its entries are used. */
void bough_tree_iter_init(
    struct bough_tree_iter *it, enum bough_algo algo, struct bough_view raw, bool strict);

/*
 * The next entry; after a failure `out` means nothing.
 *
 * BOUGH_ENOENT    there are no more
 * BOUGH_EFORMAT   not a tree from here on; `it->left` begins with the bad entry
 */
enum bough_err bough_tree_iter_next(struct bough_tree_iter *it, struct bough_tree_entry *out);

/*
 * Go on to the entry of that name, whatever its kind; from the beginning
 * when `it` is fresh.  Costs a walk.
 *
 * BOUGH_ENOENT    not there
 * BOUGH_EFORMAT   the tree breaks off before
 */
enum bough_err bough_tree_iter_find(
    struct bough_tree_iter *it, struct bough_view name, struct bough_tree_entry *out);

/* The order of entries in a tree: bytewise, trees as if their name ended in a slash. */
int bough_tree_name_cmp(struct bough_view a, bool a_is_tree, struct bough_view b, bool b_is_tree);

/*
 * Append an entry.  The caller gives one of the five modes, a name that
 * bough_name_check() accepts, and entries in order.
 */
void bough_tree_entry_put(struct bough_buf *out, enum bough_algo algo, uint32_t mode,
    struct bough_view name, const struct bough_oid *id);

/* ---- Headers ---- */

/* `name SP value LF`; in a value of several lines each after the first begins with a space. */
struct bough_header {
    struct bough_view name;
    struct bough_view value; /* as stored, without the last LF; see bough_header_unfold() */
};

/* Take the next header off the front of `left`; false: none is left. */
bool bough_header_next(struct bough_view *left, struct bough_header *out);

/* The value of the first header called `name` ("gpgsig", "encoding", "mergetag"). */
bool bough_header_find(struct bough_view headers, const char *name, struct bough_view *value);

/* Append a value without the spaces that continue it. */
void bough_header_unfold(struct bough_buf *out, struct bough_view value);

/* Append a header, continuing lines as git does. */
void bough_header_put(struct bough_buf *out, struct bough_header header);

/* ---- People ---- */

/* Who did something, and when. */
struct bough_ident {
    struct bough_view name, mail;
    struct bough_time time; /* nsec is 0 when parsed */
};

/*
 * Parse `name <mail> seconds zone` as git reads it: spaces around the name go,
 * a missing or absurd date or zone reads as 0.
 *
 * BOUGH_EFORMAT   no <mail>; the name is the whole line then, the rest empty
 */
enum bough_err bough_ident_parse(struct bough_view line, struct bough_ident *out);

/* Is anything left of this name when it is cleaned?  (git refuses names that are all crud.) */
bool bough_ident_name_ok(struct bough_view name);

/* Can it be written?  Not without such a name, before 1970, or in a zone of 100 hours or more. */
bool bough_ident_ok(const struct bough_ident *who);

/*
 * Append an ident as git writes it: name and mail without the control
 * characters, spaces and punctuation around them, and without < > LF within.
 * Errors stick in `out`: BOUGH_EINVAL where not bough_ident_ok().
 */
void bough_ident_put(struct bough_buf *out, const struct bough_ident *who);

/* ---- Commits ---- */

struct bough_commit {
    enum bough_algo algo;
    struct bough_oid tree;
    uint32_t parents_n;
    const uint8_t *parents;   /* their lines; see bough_commit_parent() */
    struct bough_view author; /* for bough_ident_parse(); empty when missing */
    struct bough_view committer;
    struct bough_view headers; /* all of them, for bough_header_next() and _find() */
    struct bough_view message; /* all behind the empty line; may hold anything */
};

/*
 * Parse the raw bytes of a commit.
 *
 * BOUGH_EFORMAT   no tree, or an id that is none
 */
enum bough_err bough_commit_parse(
    enum bough_algo algo, struct bough_view raw, struct bough_commit *out);

/* Parent number `i`, counting from 0; i < parents_n. */
struct bough_oid bough_commit_parent(const struct bough_commit *c, uint32_t i);

/* What a new commit says. */
struct bough_commit_parts {
    struct bough_oid tree;
    const struct bough_oid *parents;
    uint32_t parents_n;
    struct bough_ident author, committer;
    struct bough_view encoding;         /* of the message; empty: UTF-8 */
    const struct bough_header *headers; /* further ones; values unfolded */
    uint32_t headers_n;
    struct bough_view message; /* exact bytes; git ends them with LF */
};

/*
 * Append the bytes that `git commit-tree` makes of this.  As there, text
 * that claims to be UTF-8 and is not is taken for Latin-1 where it breaks.
 * Errors stick in `out`, whose new bytes then mean nothing: BOUGH_EINVAL for
 * an ident as in bough_ident_put() or a NUL in the text.
 */
void bough_commit_put(
    struct bough_buf *out, enum bough_algo algo, const struct bough_commit_parts *parts);

/* ---- Tags ---- */

struct bough_tag {
    enum bough_algo algo;
    struct bough_oid object;
    enum bough_type type; /* of the object */
    struct bough_view name;
    struct bough_view tagger;  /* for bough_ident_parse(); empty when missing, as in old tags */
    struct bough_view headers; /* all of them */
    struct bough_view message; /* with the signature, when there is one */
};

/*
 * Parse the raw bytes of a tag.
 *
 * BOUGH_EFORMAT   no object, type or name, or one that can not be
 */
enum bough_err bough_tag_parse(enum bough_algo algo, struct bough_view raw, struct bough_tag *out);

/* What a new tag says. */
struct bough_tag_parts {
    struct bough_oid object;
    enum bough_type type;
    struct bough_view name; /* without refs/tags/ */
    struct bough_ident tagger;
    struct bough_view message; /* exact bytes; git ends them with LF */
};

/*
 * Append the bytes that `git tag -a` makes of this.  Errors stick in `out`: BOUGH_EINVAL
 * for an ident as in bough_ident_put(), a name that is no ref name, or a NUL in the text.
 */
void bough_tag_put(
    struct bough_buf *out, enum bough_algo algo, const struct bough_tag_parts *parts);

#ifdef __cplusplus
}
#endif

#endif
