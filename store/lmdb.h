/*
 * lmdb.h - the engine on an LMDB environment.  Hosted.
 *
 *   bough_lmdb_create()       an empty store in a folder
 *   bough_lmdb_store_open()   open it
 *
 * Objects, refs and records in one environment (`data.mdb`, `lock.mdb`).  Every commit is one
 * transaction of LMDB: atomic, several refs too.  One process at a time writes (a lock on the
 * file `owner`); any number of processes may have the store open for reading meanwhile, and see
 * each commit in their next call.  The map grows by itself.  Nothing is
 * collected: a copy (`bough convert`) leaves behind what nothing reaches.  A commit
 * holds the pages it writes in memory, 512 MiB of them at most.
 *
 * There are no reader handles (bough_store_reader: BOUGH_ENOTSUP).  One would hold a transaction
 * of LMDB's for as long as it is open; the map can only grow while this process has none, and an
 * environment must not be opened twice in a process.  Open the store for reading in another one.
 *
 * Databases, integers big-endian:
 *
 *   meta     "format" -> 1 as u32; "algo" -> u32, 1 SHA-1, 2 SHA-256; "seq" -> u64, of records
 *   objects  id -> type u8, form u8 (0 as it is, 1 zlib, 2 in chunks), size u64, bytes
 *   chunks   id, number u32 -> form u8, bytes: BOUGH_LMDB_CHUNK bytes of the body each
 *   refs     the name's first BOUGH_LMDB_KEY bytes -> one entry for each name that begins so,
 *            by the rest: u32 length of the rest, rest, kind u8, id and peeled (each as long as
 *            the algorithm's), u32 length of the target, target
 *   records  seq u64 -> u32 length of the stream, stream, bytes
 */
#ifndef BOUGH_LMDB_H
#define BOUGH_LMDB_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_LMDB_CHUNK = 128 * 1024, /* bytes; larger objects are cut */
    BOUGH_LMDB_KEY = 480,          /* bytes of a name in a key */
};

/*
 * Make an empty store in folder `path`, which is made, too, and whose HEAD is refs/heads/main.
 *
 * BOUGH_EEXIST    there is something in it
 */
enum bough_err bough_lmdb_create(const char *path, enum bough_algo algo, struct bough_why *why);

/*
 * Open it.
 *
 * BOUGH_ENOENT    there is none
 * BOUGH_ELOCKED   another process writes to it; why.at is its pid
 * BOUGH_ENOTSUP   a format that is not known here
 * BOUGH_ECORRUPT, BOUGH_EDENIED, BOUGH_EIO, BOUGH_ENOMEM
 */
enum bough_err bough_lmdb_store_open(const struct bough_env *env, const char *path, bool read_only,
    struct bough_store **out, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
