/*
 * git_bed.h - real git against sessions of sync/, over git:// on the loopback.
 *
 *   the bed    a repository on a memory store, or on the log engine, served from this process
 *   serving    poll, hello, sessions; while a command of the test runs
 *   running    shell commands in a directory of their own
 *
 * One process, one thread: `run()` starts the shell and serves until it ends, so a
 * sanitiser sees the whole server side.  Bytes are moved in pieces of odd sizes.
 */
#ifndef GIT_BED_H
#define GIT_BED_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "block/block.h"
#include "store/log/log.h"
#include "store/mem.h"
#include "sync/sync.h"
#include "tests/lib/env.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { CONNS_MAX = 16, PIECE_MAX = 65536, DEVICE_UNIT = 512, DEVICE_BYTES = 96 << 20 };

struct conn {
    int fd; /* -1: free */
    bool ended, hello_done;
    uint8_t hello[1024];
    size_t hello_len;
    struct bough_sync *sync;
    struct bough_buf in, out;
};

struct bed {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device; /* bytes of ram; NULL: a memory store */
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_sync_opts opts; /* of every session */
    int listener;
    int port;
    uint64_t steps;  /* taken by all sessions */
    size_t buffered; /* most output waiting in a session */
    char dir[64];
    struct conn conns[CONNS_MAX];
    char output[65536]; /* of the last command: both streams */
};

/* ---- The bed ---- */

static inline void store_open(struct bed *b, enum bough_algo algo, bool on_log)
{
    struct bough_log_format_opts format = {.algo = algo};
    struct bough_log_open_opts open = {.table_rows = 64, .reach_rows = 1, .reach_every = 3};
    if (!on_log) {
        OK(bough_mem_store_open(&b->t.env, algo, &b->store));
        return;
    }
    b->device = calloc(1, DEVICE_BYTES);
    assert_non_null(b->device);
    bough_ramblk_init(&b->ram, b->device, DEVICE_BYTES / DEVICE_UNIT, DEVICE_UNIT);
    OK(bough_log_format(&b->ram.blk, &b->t.env, &format, NULL));
    OK(bough_log_open(&b->ram.blk, &b->t.env, &open, &b->store, NULL));
}

static inline void bed_open(struct bed *b, enum bough_algo algo, bool on_log)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    struct bough_repo_opts opts = {0};
    memset(b, 0, sizeof *b);
    test_env_init(&b->t);
    store_open(b, algo, on_log);
    OK(bough_repo_open(b->store, &opts, &b->repo));
    for (int i = 0; i < CONNS_MAX; i++)
        b->conns[i].fd = -1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(b->listener >= 0);
    assert_int_equal(bind(b->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(b->listener, 8), 0);
    assert_int_equal(getsockname(b->listener, (struct sockaddr *)&at, &len), 0);
    b->port = ntohs(at.sin_port);
    strcpy(b->dir, "/tmp/bough-git-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
}

static inline void conn_close(struct conn *c)
{
    bough_sync_close(c->sync);
    bough_buf_fini(&c->in);
    bough_buf_fini(&c->out);
    close(c->fd);
    *c = (struct conn){.fd = -1};
}

static inline void bed_close(struct bed *b)
{
    char command[128];
    for (int i = 0; i < CONNS_MAX; i++)
        if (b->conns[i].fd >= 0)
            conn_close(&b->conns[i]);
    close(b->listener);
    bough_repo_close(b->repo);
    bough_store_close(b->store);
    free(b->device);
    test_env_done(&b->t);
    snprintf(command, sizeof command, "rm -rf %s", b->dir);
    assert_int_equal(system(command), 0);
}

/* ---- Serving ---- */

static inline void conn_accept(struct bed *b)
{
    int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (int i = 0; fd >= 0 && i < CONNS_MAX; i++)
        if (b->conns[i].fd < 0) {
            b->conns[i].fd = fd;
            bough_buf_init(&b->conns[i].in, &b->t.mem.mem);
            bough_buf_init(&b->conns[i].out, &b->t.mem.mem);
            return;
        }
}

/* The first packet says what is asked for. */
static inline void conn_hello(struct bed *b, struct conn *c)
{
    struct bough_hello hello;
    struct bough_sync_opts opts = b->opts;
    char digits[5] = {0};
    if (c->in.len < 4)
        return;
    memcpy(digits, c->in.ptr, 4);
    size_t len = strtoul(digits, NULL, 16);
    if (c->in.len < len)
        return;
    OK(bough_hello_parse(bough_view(c->in.ptr + 4, len - 4), &hello));
    opts.version = hello.version;
    OK(bough_sync_open(hello.service, b->repo, &opts, &c->sync));
    bough_buf_shift(&c->in, len);
    c->hello_done = true;
}

/* Everything that can go on without the socket. */
static inline void conn_run(struct bed *b, struct conn *c)
{
    for (bool moved = true; moved;) {
        size_t used = 0, before = c->out.len;
        moved = false;
        if (c->in.len > 0) {
            (void)!bough_sync_feed(c->sync, bough_buf_view(&c->in), &used);
            bough_buf_shift(&c->in, used);
            moved = used > 0;
        }
        if (c->ended && c->in.len == 0 && c->sync->state == BOUGH_SYNC_INPUT)
            (void)!bough_sync_eof(c->sync);
        if (bough_sync_pending(c->sync) > b->buffered)
            b->buffered = bough_sync_pending(c->sync);
        if (c->out.len < PIECE_MAX)
            bough_sync_pull(c->sync, &c->out, 40001);
        if (c->sync->state == BOUGH_SYNC_WORK) {
            (void)!bough_sync_step(c->sync, 0);
            b->steps++;
            moved = true;
        }
        moved = moved || c->out.len > before;
    }
}

static inline bool conn_write(struct conn *c)
{
    while (c->out.len > 0) {
        ssize_t n = send(c->fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        bough_buf_shift(&c->out, (size_t)n);
    }
    return true;
}

static inline bool conn_read(struct conn *c)
{
    uint8_t piece[7777];
    ssize_t n = recv(c->fd, piece, sizeof piece, 0);
    if (n < 0)
        return errno == EAGAIN;
    c->ended = n == 0;
    bough_buf_put(&c->in, piece, (size_t)n);
    return c->in.err == BOUGH_OK;
}

static inline void conn_turn(struct bed *b, struct conn *c, short events)
{
    bool open = true;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !c->ended)
        open = conn_read(c);
    if (open && !c->hello_done)
        conn_hello(b, c);
    if (open && c->hello_done) {
        conn_run(b, c);
        open = conn_write(c);
        bool over = c->sync->state == BOUGH_SYNC_DONE || c->sync->state == BOUGH_SYNC_FAILED;
        if (open && over && bough_sync_pending(c->sync) == 0 && c->out.len == 0) {
            shutdown(c->fd, SHUT_WR);
            open = !c->ended; /* what still comes is read and dropped */
        }
    }
    if (!open || (c->ended && !c->hello_done))
        conn_close(c);
}

static inline bool conn_has_output(const struct conn *c)
{
    return c->out.len > 0 || (c->sync != NULL && bough_sync_pending(c->sync) > 0);
}

static inline void serve_once(struct bed *b)
{
    struct pollfd fds[CONNS_MAX + 1] = {{.fd = b->listener, .events = POLLIN}};
    for (int i = 0; i < CONNS_MAX; i++) {
        struct conn *c = &b->conns[i];
        fds[i + 1].fd = c->fd;
        fds[i + 1].events = (short)((c->ended ? 0 : POLLIN) | (conn_has_output(c) ? POLLOUT : 0));
        if (c->fd >= 0 && c->in.len > PIECE_MAX)
            fds[i + 1].events &= ~POLLIN;
    }
    poll(fds, CONNS_MAX + 1, 5);
    if (fds[0].revents != 0)
        conn_accept(b);
    for (int i = 0; i < CONNS_MAX; i++)
        if (b->conns[i].fd >= 0 && fds[i + 1].fd == b->conns[i].fd && fds[i + 1].revents != 0)
            conn_turn(b, &b->conns[i], fds[i + 1].revents);
}

/* ---- Running ---- */

/* Run a shell script in the bed's directory, with $URL, and serve meanwhile; its exit status. */
static inline int run(struct bed *b, const char *script)
{
    int out[2], status = 0;
    size_t len = 0;
    char url[64];
    assert_int_equal(pipe(out), 0);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    snprintf(url, sizeof url, "git://127.0.0.1:%d/store.git", b->port);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(out[0]);
        close(out[1]);
        setenv("URL", url, 1);
        setenv("HOME", b->dir, 1);
        setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
        setenv("GIT_AUTHOR_NAME", "A", 1);
        setenv("GIT_AUTHOR_EMAIL", "a@x", 1);
        setenv("GIT_COMMITTER_NAME", "C", 1);
        setenv("GIT_COMMITTER_EMAIL", "c@x", 1);
        setenv("GIT_TERMINAL_PROMPT", "0", 1);
        if (chdir(b->dir) != 0)
            _exit(126);
        execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    bool alive = true;
    for (bool open = true; alive || open;) {
        serve_once(b);
        ssize_t n = read(out[0], b->output + len, sizeof b->output - 1 - len);
        if (n > 0)
            len += (size_t)n;
        open = n > 0 || (n < 0 && errno == EAGAIN && alive);
        if (alive && waitpid(pid, &status, WNOHANG) == pid)
            alive = false;
    }
    close(out[0]);
    b->output[len] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* It must succeed; what it said is shown where it did not. */
static inline void must(struct bed *b, const char *script)
{
    int status = run(b, script);
    if (status != 0)
        print_error("status %d of: %s\n%s\n", status, script, b->output);
    assert_int_equal(status, 0);
}

/* It must fail, and say this. */
static inline void must_fail(struct bed *b, const char *script, const char *said)
{
    int status = run(b, script);
    if (status == 0 || strstr(b->output, said) == NULL)
        print_error("status %d of: %s\nwanted: %s\n%s\n", status, script, said, b->output);
    assert_int_not_equal(status, 0);
    assert_non_null(strstr(b->output, said));
}

#endif
