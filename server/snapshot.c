/*
 * snapshot.c - GIT.SNAPSHOT: a state of a branch that a client holds on to.
 *
 * What `@ID:key` reads lives while the client that took the snapshot is connected, also when the
 * commit itself was cut off or its branch is gone; under pressure the store may give it up, and then reads
 * answer EXPIRED.
 */
#include <stdlib.h>

#include "server/redis.h"

static struct snapshot **snapshot_seek(struct redis *r, const struct bough_oid *id)
{
    struct snapshot **at = &r->snapshots;

    while (*at != NULL && !bough_oid_eq(&(*at)->id, id))
        at = &(*at)->next;
    return at;
}

static void snapshot_free(struct redis *r, struct snapshot **at)
{
    struct snapshot *s = *at;

    *at = s->next;
    r->snapshots_n--;
    bough_kv_close(s->kv);
    bough_mem_free(r->conn.server->mem, s, sizeof *s);
}

void snapshots_reset(struct redis *r)
{
    while (r->snapshots != NULL)
        snapshot_free(r, &r->snapshots);
}

struct bough_kv *snapshot_find(struct redis *r, struct bough_view rev)
{
    struct bough_oid id;
    enum bough_algo algo = bough_repo_store(r->conn.server->repo)->algo;

    if (r->snapshots == NULL || bough_oid_parse(algo, rev, &id) || *snapshot_seek(r, &id) == NULL)
        return NULL;
    return (*snapshot_seek(r, &id))->kv;
}

static void snapshot_drop(struct redis *r, struct bough_view hex)
{
    struct bough_oid id;
    struct snapshot **at;

    if (bough_oid_parse(bough_repo_store(r->conn.server->repo)->algo, hex, &id)) {
        resp_error(&r->w, "ERR not a whole id");
        return;
    }
    at = snapshot_seek(r, &id);
    resp_int(&r->w, *at != NULL);
    if (*at != NULL)
        snapshot_free(r, at);
}

static void snapshot_take(struct redis *r, struct bough_view rev)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct snapshot *s = bough_mem_zalloc(r->conn.server->mem, 1, sizeof *s);
    enum bough_err err = s == NULL ? BOUGH_ENOMEM : bough_repo_resolve(repo, rev, &s->id);

    if (!err && *snapshot_seek(r, &s->id) == NULL) {
        err = r->snapshots_n == SNAPSHOTS_MAX ? BOUGH_ETOOBIG
                                              : bough_kv_commit_open(repo, &s->id, &s->kv);
        if (!err) {
            s->next = r->snapshots;
            r->snapshots = s;
            r->snapshots_n++;
            answer_oid(r, &s->id);
            return;
        }
    } else if (!err) {
        answer_oid(r, &s->id); /* it is held already */
    }
    if (err)
        answer_why(r, err, bough_repo_why(repo));
    bough_mem_free(r->conn.server->mem, s, sizeof *s);
}

/* GIT.SNAPSHOT [rev] | DROP id */
void cmd_git_snapshot(struct redis *r, struct args a)
{
    if (a.n == 3 && word_is(a.v[1], "drop"))
        snapshot_drop(r, a.v[2]);
    else if (a.n <= 2)
        snapshot_take(r, a.n == 2            ? a.v[1]
                         : r->branch.len > 0 ? r->branch
                                             : bough_view_str("HEAD"));
    else
        resp_error(&r->w, "ERR syntax: GIT.SNAPSHOT [rev] | DROP id");
}
