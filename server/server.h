/*
 * server.h - network fronts on an opened repository: Redis protocol, git://, smart HTTP.
 *
 * One loop on one thread owns the repository and all sockets.  What clients write in one turn of
 * the loop shares one store transaction and one flush; no reply leaves before that flush.
 */
#ifndef BOUGH_SERVER_H
#define BOUGH_SERVER_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where to listen and what to serve; strings are borrowed while the server runs. */
struct bough_server_opts {
    const char *bind;     /* address; NULL: 127.0.0.1 */
    int redis_port;       /* 0: off */
    int git_port;         /* 0: off */
    int http_port;        /* 0: off */
    const char *name;     /* the repository is /NAME.git; /store.git always is */
    const char *pid_file; /* written when ready, removed at the end; NULL: none */
    const char *version;  /* for INFO */
    const char *agent;    /* what git clients are told: bough/VERSION */
    bool read_only;
    uint32_t push_timeout_sec; /* so long may who pushes, or sends a big value, stop; 0: for ever */
    const char
        *fsync; /* how the repository was opened: "always" (NULL, too): acknowledged is durable;
                          "everysec", "no": BOUGH_DURABLE_LATER, synced each second or at the end */
};

/*
 * Serve `repo` (borrowed) until SIGTERM or SIGINT, then finish what is under way, fold and
 * return.  Prints a line that begins with "ready" on stdout when clients can connect.
 *
 * BOUGH_ELOCKED   a port that another process has; `why` says which
 * BOUGH_EINVAL    an address that cannot be bound; the same
 */
enum bough_err bough_server_run(
    struct bough_repo *repo, const struct bough_server_opts *opts, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
