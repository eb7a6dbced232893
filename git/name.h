/*
 * name.h - which names may stand in trees and which may name refs.
 *
 *   names in trees   bough_name_check(), bough_name_is_dot()
 *   ref names        bough_refname_check(), bough_refname_clash()
 */
#ifndef BOUGH_NAME_H
#define BOUGH_NAME_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * May this be one segment of a path that Bough writes?  Any bytes may but:
 * nothing at all, `.`, `..`, a slash or NUL within, and `.git` in any
 * disguise that a filesystem would see through (.GIT, git~1, dots, spaces
 * and NTFS streams behind, code points that HFS+ ignores, behind a backslash).
 *
 * BOUGH_EKEY   why->what says what is wrong, why->key is the name
 */
enum bough_err bough_name_check(struct bough_view name, struct bough_why *why);

/* Names that mean something to Git, whatever their disguise. */
enum bough_name_dot {
    BOUGH_DOT_GIT,
    BOUGH_DOT_GITMODULES,
    BOUGH_DOT_GITATTRIBUTES,
    BOUGH_DOT_GITIGNORE,
    BOUGH_DOT_MAILMAP,
};

/*
 * Is `name` that name to NTFS or HFS+?  Backslashes do not part names here
 * but for .git, where what stands before the first one counts.
 */
bool bough_name_is_dot(struct bough_view name, enum bough_name_dot dot);

enum {
    BOUGH_REFNAME_ONELEVEL = 1 << 0, /* "HEAD" and "main" are fine, too */
    BOUGH_REFNAME_PATTERN = 1 << 1,  /* one `*` is fine, as in a refspec */
};

/*
 * The rules of `git check-ref-format`: at least two parts, no part empty or
 * beginning with a dot or ending in .lock, no `..` or `@{`, none of
 * control characters, DEL, space ~ ^ : ? * [ \, no dot or slash at the end, not `@`.
 *
 * BOUGH_EKEY   why->what says what is wrong, why->key is the name
 */
enum bough_err bough_refname_check(struct bough_view name, uint32_t flags, struct bough_why *why);

/* Can these two refs not be together, because one would be a directory of the other? */
bool bough_refname_clash(struct bough_view a, struct bough_view b);

#ifdef __cplusplus
}
#endif

#endif
