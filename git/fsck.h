/*
 * fsck.h - which objects may come in from outside.
 *
 *   rules      enum bough_fsck_id, their levels, bough_fsck_set()
 *   checking   bough_fsck_object(), and the two kinds of blob that git itself reads
 *
 * The rules are those of `git fsck --strict`, under git's names, with what a
 * newer git added (largePathname) and what Bough adds: bogusFilemode,
 * upperCaseHex, tooManyEntries, tooManyParents.  A rule looks at the bytes
 * of one object; whether other objects are there is asked elsewhere.  Time
 * is linear in the bytes, memory constant, nothing allocates.
 */
#ifndef BOUGH_FSCK_H
#define BOUGH_FSCK_H

#include "git/object.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits on foreign objects. */
enum {
    BOUGH_TREE_DEPTH_MAX = 2048,         /* trees within trees: for those who walk */
    BOUGH_TREE_ENTRIES_MAX = 16777216,   /* tooManyEntries */
    BOUGH_TREE_NAME_MAX = 4096,          /* bytes; largePathname */
    BOUGH_COMMIT_PARENTS_MAX = 65536,    /* tooManyParents */
    BOUGH_GITMODULES_MAX = 16777216,     /* bytes; gitmodulesLarge */
    BOUGH_GITATTRIBUTES_MAX = 104857600, /* bytes; gitattributesLarge */
    BOUGH_GITATTRIBUTES_LINE_MAX = 2048, /* bytes, and shorter than this; gitattributesLineLength */
};

/* In git's words: BAD_DATE is badDate. */
enum bough_fsck_id {
    BOUGH_FSCK_NUL_IN_HEADER,
    BOUGH_FSCK_UNTERMINATED_HEADER,
    BOUGH_FSCK_BAD_DATE,
    BOUGH_FSCK_BAD_DATE_OVERFLOW,
    BOUGH_FSCK_BAD_EMAIL,
    BOUGH_FSCK_BAD_NAME,
    BOUGH_FSCK_BAD_OBJECT_SHA1,
    BOUGH_FSCK_BAD_PARENT_SHA1,
    BOUGH_FSCK_BAD_TIMEZONE,
    BOUGH_FSCK_BAD_TREE,
    BOUGH_FSCK_BAD_TREE_SHA1,
    BOUGH_FSCK_BAD_TYPE,
    BOUGH_FSCK_DUPLICATE_ENTRIES,
    BOUGH_FSCK_MISSING_AUTHOR,
    BOUGH_FSCK_MISSING_COMMITTER,
    BOUGH_FSCK_MISSING_EMAIL,
    BOUGH_FSCK_MISSING_NAME_BEFORE_EMAIL,
    BOUGH_FSCK_MISSING_OBJECT,
    BOUGH_FSCK_MISSING_SPACE_BEFORE_DATE,
    BOUGH_FSCK_MISSING_SPACE_BEFORE_EMAIL,
    BOUGH_FSCK_MISSING_TAG,
    BOUGH_FSCK_MISSING_TAG_ENTRY,
    BOUGH_FSCK_MISSING_TREE,
    BOUGH_FSCK_MISSING_TYPE,
    BOUGH_FSCK_MISSING_TYPE_ENTRY,
    BOUGH_FSCK_MULTIPLE_AUTHORS,
    BOUGH_FSCK_TREE_NOT_SORTED,
    BOUGH_FSCK_ZERO_PADDED_DATE,
    BOUGH_FSCK_GITMODULES_BLOB,
    BOUGH_FSCK_GITMODULES_LARGE,
    BOUGH_FSCK_GITMODULES_NAME,
    BOUGH_FSCK_GITMODULES_SYMLINK,
    BOUGH_FSCK_GITMODULES_URL,
    BOUGH_FSCK_GITMODULES_PATH,
    BOUGH_FSCK_GITMODULES_UPDATE,
    BOUGH_FSCK_GITATTRIBUTES_BLOB,
    BOUGH_FSCK_GITATTRIBUTES_LARGE,
    BOUGH_FSCK_GITATTRIBUTES_LINE_LENGTH,
    BOUGH_FSCK_FULL_PATHNAME,
    BOUGH_FSCK_HAS_DOT,
    BOUGH_FSCK_HAS_DOTDOT,
    BOUGH_FSCK_HAS_DOTGIT,
    BOUGH_FSCK_LARGE_PATHNAME,
    BOUGH_FSCK_NULL_SHA1,
    BOUGH_FSCK_ZERO_PADDED_FILEMODE,
    BOUGH_FSCK_NUL_IN_COMMIT,
    BOUGH_FSCK_BAD_FILEMODE,
    BOUGH_FSCK_GITMODULES_PARSE,
    BOUGH_FSCK_GITIGNORE_SYMLINK,
    BOUGH_FSCK_GITATTRIBUTES_SYMLINK,
    BOUGH_FSCK_MAILMAP_SYMLINK,
    BOUGH_FSCK_BAD_TAG_NAME,
    BOUGH_FSCK_MISSING_TAGGER_ENTRY,
    BOUGH_FSCK_EXTRA_HEADER_ENTRY,
    BOUGH_FSCK_BOGUS_FILEMODE,
    BOUGH_FSCK_UPPER_CASE_HEX,
    BOUGH_FSCK_TOO_MANY_ENTRIES,
    BOUGH_FSCK_TOO_MANY_PARENTS,
    BOUGH_FSCK_IDS, /* how many there are */
};

/* What breaking a rule means.  INFO and WARN are told and let through. */
enum bough_fsck_level {
    BOUGH_FSCK_IGNORE,
    BOUGH_FSCK_INFO,
    BOUGH_FSCK_WARN,
    BOUGH_FSCK_ERROR,
};

/* One broken rule.  Told once an object and rule, at the first place. */
struct bough_fsck_problem {
    enum bough_fsck_id id;
    enum bough_fsck_level level;
    const char *what;      /* "zeroPaddedFilemode: contains zero-padded file modes"; static */
    uint64_t at;           /* byte of the object */
    struct bough_view key; /* the tree entry's name or the header line; may be empty */
};

/* Blobs that git reads by name: to be checked with the two functions below. */
enum bough_fsck_blob { BOUGH_FSCK_BLOB_GITMODULES, BOUGH_FSCK_BLOB_GITATTRIBUTES };

struct bough_fsck {
    enum bough_algo algo;
    uint8_t level[BOUGH_FSCK_IDS]; /* enum bough_fsck_level */
    struct bough_why *why;         /* gets the first error of an object; may be NULL */
    void *ctx;                     /* handed to the two below, each of which may be NULL */
    void (*problem)(void *ctx, const struct bough_fsck_problem *problem);
    void (*special)(void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob);

    /* Of the object in hand; private. */
    struct bough_view body;
    bool failed;
    uint8_t seen[BOUGH_FSCK_IDS];
};

/* Strict levels, no hooks. */
void bough_fsck_init(struct bough_fsck *f, enum bough_algo algo);

/*
 * Change a rule, as `fsck.ID = LEVEL` does; `id` in any case, `level` "ignore",
 * "warn" or "error".
 *
 * BOUGH_ENOENT    no such rule
 * BOUGH_EINVAL    no such level, or a rule that can not be relaxed
 */
enum bough_err bough_fsck_set(struct bough_fsck *f, struct bough_view id, struct bough_view level);

/* git's name of a rule, "badDate": view of static text. */
struct bough_view bough_fsck_id_name(enum bough_fsck_id id);

/*
 * Check the bytes of an object (a blob has none to check).
 *
 * BOUGH_EFORMAT   at least one rule of level ERROR is broken; f->why has the first: what as in
 *                 struct bough_fsck_problem, at, key
 */
enum bough_err bough_fsck_object(
    struct bough_fsck *f, enum bough_type type, struct bough_view body);

/* Check the content of a blob that `special` was told of.  BOUGH_EFORMAT as above. */
enum bough_err bough_fsck_gitmodules(struct bough_fsck *f, struct bough_view body);
enum bough_err bough_fsck_gitattributes(struct bough_fsck *f, struct bough_view body);

#ifdef __cplusplus
}
#endif

#endif
