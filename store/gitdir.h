/*
 * gitdir.h - the engine on an ordinary Git repository.  Hosted, through libgit2.
 *
 *   bough_gitdir_create()       an empty bare repository
 *   bough_gitdir_store_open()   a store on a repository that is there
 *
 * Objects are loose ones, or packs when there are many or big ones; refs are git's, with
 * reflogs and locks as git keeps them.  What git writes meanwhile is seen; git sees what is
 * written here.  SHA-1 only, no records (every operation commits), and several refs change
 * one after the other: all are locked and compared first, but a power cut between them leaves
 * some changed.  Packs are taken in by the house's own intake, never by libgit2's indexer.
 * Index and working tree of a repository that has them are not touched.
 * Housekeeping is git's: run `git gc` whenever you like.
 *
 * Facts of BOUGH_STORE_PACKED and MAINTAIN are absent; `peeled` is read from the tag, whatever
 * a change says.  Two refs of which one would be a directory of the other: BOUGH_EEXIST.
 */
#ifndef BOUGH_GITDIR_H
#define BOUGH_GITDIR_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make an empty bare repository in `path`, whose HEAD is refs/heads/main.
 *
 * BOUGH_EEXIST    there is something in it
 */
enum bough_err bough_gitdir_create(const char *path, struct bough_why *why);

/*
 * Open the repository at `path`: bare, a .git folder, or a working tree with one.
 *
 * BOUGH_ENOENT    there is no repository
 * BOUGH_EDENIED   it belongs to somebody else (git's safe.directory)
 * BOUGH_ENOTSUP   libgit2 does not know its format
 * BOUGH_EIO, BOUGH_ENOMEM
 */
enum bough_err bough_gitdir_store_open(const struct bough_env *env, const char *path,
    bool read_only, struct bough_store **out, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
