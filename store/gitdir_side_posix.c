/*
 * gitdir_side_posix.c - what this house keeps as refs outside of refs/, and git elsewhere.
 *
 *   boundary   `shallow/ID`: a line of the file `shallow` (collect.h; gitformat-shallow)
 *   reflogs    `logs/NAME:SERIAL`: an entry of git's own log of NAME (repo/reflog.c says how a row
 *              is written); the oldest entry has serial 1
 *   both       looked up, and the next one
 *
 * Rows are made from git's files when they are asked for.  A row that a transaction writes gives
 * the reason of the entry that libgit2 appends; rows go when git expires them, not otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"

#define SHALLOW "shallow/"
#define LOGS    "logs/"

enum {
    HEX = 40,
    SERIAL = 16,             /* hex digits of a serial in a row's name */
    SHALLOW_MAX = 256 << 20, /* bytes of the file that are read */
    ROW_HEAD = 2 * 20 + 10,  /* ids and time of a row */
};

static bool begins_with(struct bough_view name, const char *prefix)
{
    size_t n = strlen(prefix);

    return name.len >= n && memcmp(name.ptr, prefix, n) == 0;
}

enum bough_store__gitdir_side bough_store__gitdir_side(struct bough_view name)
{
    if (begins_with(name, SHALLOW))
        return BOUGH_STORE__SIDE_SHALLOW;
    return begins_with(name, LOGS) ? BOUGH_STORE__SIDE_LOG : BOUGH_STORE__SIDE_NONE;
}

/* ---- Boundary ---- */

static void shallow_path(
    const struct bough_store__gitdir *g, const char *suffix, char path[BOUGH_STORE__PATH_MAX])
{
    snprintf(path, BOUGH_STORE__PATH_MAX, "%sshallow%s", git_repository_commondir(g->repo), suffix);
}

static int id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, HEX + 1);
}

/* The file's lines, sorted: each 40 digits and LF.  No file: none. */
static enum bough_err shallow_load(struct bough_store__gitdir *g, struct bough_buf *out)
{
    char path[BOUGH_STORE__PATH_MAX];
    struct stat st;
    enum bough_err err = BOUGH_OK;
    uint8_t *room;
    int fd;

    shallow_path(g, "", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? BOUGH_OK : BOUGH_EIO;
    if (fstat(fd, &st) != 0 || st.st_size % (HEX + 1) != 0 || st.st_size > SHALLOW_MAX)
        err = BOUGH_WHY(&g->store.why, BOUGH_ECORRUPT, "the file of shallow commits", NULL, 0);
    room = err || st.st_size == 0 ? NULL : bough_buf_room(out, (size_t)st.st_size);
    if (room != NULL) {
        err = bough_store__pread(fd, 0, room, (size_t)st.st_size);
        out->len += (size_t)st.st_size;
    }
    close(fd);
    if (!err && out->len > 0)
        qsort(out->ptr, out->len / (HEX + 1), HEX + 1, id_cmp);
    return err ? err : out->err;
}

/* The first line after `after`, or equal to it when `same`. */
static enum bough_err shallow_next(
    struct bough_store__gitdir *g, struct bough_view after, bool same, struct bough_ref *out)
{
    struct bough_buf lines;
    enum bough_err err;

    bough_buf_init(&lines, g->store.env->mem);
    err = shallow_load(g, &lines);
    *out = (struct bough_ref){.kind = BOUGH_REF_NONE};
    for (size_t at = 0; !err && at < lines.len; at += HEX + 1) {
        struct bough_view hex = bough_view(lines.ptr + at, HEX);
        int order = bough_view_cmp(hex, after);

        if (same ? order != 0 : order <= 0)
            continue;
        bough_buf_clear(&g->lent);
        bough_buf_put_str(&g->lent, SHALLOW);
        bough_buf_put_view(&g->lent, hex);
        err = g->lent.err;
        out->kind = BOUGH_REF_ID;
        out->name = bough_buf_view(&g->lent);
        if (!err && bough_oid_parse(g->store.algo, hex, &out->id))
            err = BOUGH_ECORRUPT;
        break;
    }
    bough_buf_fini(&lines);
    return err ? err : out->kind == BOUGH_REF_NONE ? BOUGH_ENOENT : BOUGH_OK;
}

/* The lines as the transaction wants them. */
static enum bough_err shallow_apply(struct bough_buf *lines, const struct bough_store__move *v)
{
    const uint8_t *hex = v->text + sizeof SHALLOW - 1;

    if (v->name_len != sizeof SHALLOW - 1 + HEX)
        return BOUGH_EINVAL;
    for (size_t at = 0; at < lines->len; at += HEX + 1) {
        if (memcmp(lines->ptr + at, hex, HEX) != 0)
            continue;
        memmove(lines->ptr + at, lines->ptr + at + HEX + 1, lines->len - at - HEX - 1);
        lines->len -= HEX + 1;
        break;
    }
    if (v->kind != BOUGH_REF_NONE) {
        bough_buf_put(lines, hex, HEX);
        bough_buf_put_u8(lines, '\n');
    }
    return lines->err;
}

static enum bough_err shallow_store(
    struct bough_store__gitdir *g, const struct bough_buf *lines, int lock, bool sync)
{
    char path[BOUGH_STORE__PATH_MAX], locked[BOUGH_STORE__PATH_MAX];
    enum bough_err err = bough_store__pwrite(lock, 0, lines->ptr, lines->len);

    shallow_path(g, "", path);
    shallow_path(g, ".lock", locked);
    if (!err && sync && fsync(lock) != 0)
        err = BOUGH_EIO;
    if (!err && lines->len == 0) /* an empty file would say that nothing has parents */
        err = unlink(path) != 0 && errno != ENOENT ? BOUGH_EIO : BOUGH_OK;
    else if (!err && rename(locked, path) != 0)
        err = BOUGH_EIO;
    return err;
}

enum bough_err bough_store__gitdir_shallow_write(
    struct bough_store__gitdir *g, const struct bough_store__moves *moves, bool sync)
{
    char locked[BOUGH_STORE__PATH_MAX];
    struct bough_buf lines;
    bool found, any = false;
    size_t i = bough_store__moves_seek(moves, bough_view_str(SHALLOW), &found);
    enum bough_err err;
    int lock;

    for (size_t k = i; k < moves->n && !any; k++)
        any = begins_with(bough_store__move_name(&moves->rows[k]), SHALLOW);
    if (!any)
        return BOUGH_OK;
    shallow_path(g, ".lock", locked);
    lock = open(locked, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (lock < 0)
        return errno == EEXIST
                   ? BOUGH_WHY(
                         &g->store.why, BOUGH_ELOCKED, "git changes the shallow commits", NULL, 0)
                   : bough_store__sys(&g->store.why, "a lock could not be made", locked);
    bough_buf_init(&lines, g->store.env->mem);
    err = shallow_load(g, &lines);
    for (; !err && i < moves->n; i++) {
        if (begins_with(bough_store__move_name(&moves->rows[i]), SHALLOW))
            err = shallow_apply(&lines, &moves->rows[i]);
    }
    if (!err)
        err = shallow_store(g, &lines, lock, sync);
    bough_buf_fini(&lines);
    close(lock);
    unlink(locked);
    return err;
}

/* ---- Reflogs ---- */

void bough_store__gitdir_log_drop(struct bough_store__gitdir *g)
{
    git_reflog_free(g->log);
    g->log = NULL;
}

/* Git's log of a ref, read anew when a walk begins; BOUGH_ENOENT: it has none. */
static enum bough_err log_take(struct bough_store__gitdir *g, struct bough_view ref, bool anew)
{
    char name[BOUGH_REF_NAME_MAX + 1];
    int code;

    if (!anew && g->log != NULL && bough_view_eq(ref, bough_buf_view(&g->log_of)))
        return BOUGH_OK;
    bough_store__gitdir_log_drop(g);
    if (ref.len == 0 || ref.len > BOUGH_REF_NAME_MAX)
        return BOUGH_ENOENT;
    memcpy(name, ref.ptr, ref.len);
    name[ref.len] = 0;
    bough_buf_clear(&g->log_of);
    bough_buf_put_view(&g->log_of, ref);
    if (g->log_of.err)
        return g->log_of.err;
    if (git_reference_has_log(g->repo, name) != 1)
        return BOUGH_ENOENT;
    errno = 0;
    code = git_reflog_read(&g->log, g->repo, name);
    return bough_store__gitdir_err(g, code, "libgit2 could not read a reflog", ref);
}

/* Entry `i` of the log at hand (0 is the newest) as a row. */
static enum bough_err log_show(
    struct bough_store__gitdir *g, struct bough_view ref, size_t i, struct bough_ref *out)
{
    const git_reflog_entry *e = git_reflog_entry_byindex(g->log, i);
    const git_signature *who = e != NULL ? git_reflog_entry_committer(e) : NULL;
    const char *why = e != NULL ? git_reflog_entry_message(e) : NULL;
    unsigned long long serial = git_reflog_entrycount(g->log) - i;
    int zone = who != NULL ? who->when.offset : 0;
    char digits[SERIAL + 1];
    size_t name_len;

    if (e == NULL)
        return BOUGH_ENOENT;
    snprintf(digits, sizeof digits, "%016llx", ~serial);
    bough_buf_clear(&g->lent);
    bough_buf_put_str(&g->lent, LOGS);
    bough_buf_put_view(&g->lent, ref);
    bough_buf_put_u8(&g->lent, ':');
    bough_buf_put(&g->lent, digits, SERIAL);
    name_len = g->lent.len;
    bough_buf_put(&g->lent, git_reflog_entry_id_old(e)->id, 20);
    bough_buf_put(&g->lent, git_reflog_entry_id_new(e)->id, 20);
    bough_buf_put64le(&g->lent, who != NULL ? (uint64_t)who->when.time : 0);
    bough_buf_put_u8(&g->lent, (uint8_t)zone);
    bough_buf_put_u8(&g->lent, (uint8_t)((uint16_t)zone >> 8));
    if (why != NULL)
        bough_buf_put_str(&g->lent, why);
    *out = (struct bough_ref){.kind = BOUGH_REF_SYM,
        .name = bough_view(g->lent.ptr, name_len),
        .target = bough_view(g->lent.ptr + name_len, g->lent.len - name_len)};
    return g->lent.err;
}

/* Take a row's name apart: the ref, and the serial, 0 when it is not whole. */
static uint64_t row_parse(struct bough_view row, struct bough_view *ref)
{
    char digits[SERIAL + 1] = "";
    size_t skip = sizeof LOGS - 1, colon = row.len;

    while (colon > skip && row.ptr[colon - 1] != ':')
        colon--;
    if (colon <= skip)
        return *ref = bough_view(row.ptr + skip, 0), 0;
    *ref = bough_view(row.ptr + skip, colon - 1 - skip);
    if (row.len - colon != SERIAL)
        return 0;
    memcpy(digits, row.ptr + colon, SERIAL);
    return ~strtoull(digits, NULL, 16);
}

/* The next row of one ref: the first when `serial` is 0. */
static enum bough_err log_next(
    struct bough_store__gitdir *g, struct bough_view ref, uint64_t serial, struct bough_ref *out)
{
    enum bough_err err = log_take(g, ref, serial == 0);
    size_t n = err ? 0 : git_reflog_entrycount(g->log);

    if (err)
        return err;
    if (serial == 0)
        return log_show(g, ref, 0, out);
    return serial > n ? BOUGH_ENOENT : log_show(g, ref, n - (size_t)serial + 1, out);
}

/* The next row of all refs. */
static enum bough_err logs_next(
    struct bough_store__gitdir *g, struct bough_view after, struct bough_ref *out)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view ref, at = {name, 0};
    uint64_t serial = row_parse(after, &ref);
    enum bough_err err = serial > 0 ? log_next(g, ref, serial, out) : BOUGH_ENOENT;

    if (ref.len > sizeof name)
        return BOUGH_ENOENT;
    memcpy(name, ref.ptr, ref.len);
    at.len = ref.len;
    while (err == BOUGH_ENOENT) {
        struct bough_ref found;
        err = bough_store__gitdir_ref_next(&g->store, bough_view(NULL, 0), at, &found);
        if (err)
            return err;
        memcpy(name, found.name.ptr, found.name.len);
        at.len = found.name.len;
        err = log_next(g, at, 0, out);
    }
    return err;
}

/* The reason of the row that the transaction writes beside a ref, or nothing. */
struct bough_view bough_store__gitdir_reason(
    const struct bough_store__moves *moves, struct bough_view ref)
{
    uint8_t text[sizeof LOGS + BOUGH_REF_NAME_MAX] = LOGS;
    size_t len = sizeof LOGS - 1 + ref.len;
    bool found;
    size_t i;

    memcpy(text + sizeof LOGS - 1, ref.ptr, ref.len);
    text[len++] = ':';
    i = bough_store__moves_seek(moves, bough_view(text, len), &found);
    if (i < moves->n && moves->rows[i].name_len == len + SERIAL &&
        memcmp(moves->rows[i].text, text, len) == 0 && moves->rows[i].target_len >= ROW_HEAD) {
        struct bough_view row = bough_store__move_target(&moves->rows[i]);
        return bough_view(row.ptr + ROW_HEAD, row.len - ROW_HEAD);
    }
    return bough_view(NULL, 0);
}

/* ---- Both ---- */

enum bough_err bough_store__gitdir_side_ref(
    struct bough_store__gitdir *g, struct bough_view name, struct bough_ref *out)
{
    size_t n = sizeof SHALLOW - 1;

    if (bough_store__gitdir_side(name) == BOUGH_STORE__SIDE_SHALLOW)
        return shallow_next(g, bough_view(name.ptr + n, name.len - n), true, out);
    return BOUGH_ENOENT; /* rows of logs are read one after the other only */
}

enum bough_err bough_store__gitdir_side_next(struct bough_store__gitdir *g,
    struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    struct bough_view from = bough_view_cmp(after, prefix) < 0 ? prefix : after, ref;
    size_t n = sizeof SHALLOW - 1;
    enum bough_err err;

    if (bough_store__gitdir_side(prefix) == BOUGH_STORE__SIDE_LOG) {
        uint64_t serial = row_parse(from, &ref);
        err =
            prefix.len == sizeof LOGS - 1 ? logs_next(g, from, out) : log_next(g, ref, serial, out);
    } else {
        err = shallow_next(g, bough_view(from.ptr + n, from.len - n), false, out);
    }
    if (!err && (out->name.len < prefix.len || memcmp(out->name.ptr, prefix.ptr, prefix.len) != 0))
        err = BOUGH_ENOENT;
    return err;
}
