/*
 * big.c - values larger than a client's buffers: streamed into the store, and out of it.
 *
 *   in     SET of a value that comes in pieces
 *   out    GET of a value that leaves in pieces
 */
#include "server/redis.h"

/* ---- In ---- */

/* SET KEY VALUE with a large value, outside MULTI: stream it. */
bool big_begin(struct redis *r, struct bough_view in)
{
    struct resp_parser *p = &r->parser;
    struct bough_store *store = bough_repo_store(r->conn.server->repo);
    struct bough_view name;

    if (p->argc != 2 || p->want != 3 || r->multi || r->conn.server->opts->read_only ||
        (r->topics_n > 0 && r->w.proto == 2))
        return false;
    name = bough_view(in.ptr + p->args[0].at, p->args[0].len);
    if (!word_is(name, "set"))
        return false;
    bough_buf_clear(&r->big_key);
    bough_buf_put(&r->big_key, in.ptr + p->args[1].at, p->args[1].len);
    r->big_in_left = p->big + 2;
    server_keep_alive(r->conn.server);
    r->big_in_err = bough_blob_begin(store, p->big, &r->big_in);
    return true;
}

static void big_end(struct redis *r)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct place_at at;
    struct bough_oid id;
    struct reply rep = reply_begin(r);
    enum bough_err err;

    if (r->big_in_err) {
        answer_why(r, r->big_in_err, &bough_repo_store(repo)->why);
        bough_blob_close(r->big_in);
    } else if (!place_write(r, bough_buf_view(&r->big_key), &at)) {
        bough_blob_close(r->big_in);
    } else {
        err = bough_repo_blob(repo, r->big_in, &id);
        if (err)
            answer_why(r, err, bough_repo_why(repo));
        else if ((err = bough_kv_set_blob(at.kv, at.path, &id, NULL)) != BOUGH_OK)
            answer_kv(r, at.kv, err);
        else
            answer_ok(r);
    }
    r->big_in = NULL;
    reply_end(r, &rep);
}

/* Take what is there of the value; true when it is whole. */
bool big_feed(struct redis *r)
{
    struct bough_buf *in = &r->conn.in;
    size_t n = in->len < r->big_in_left ? in->len : (size_t)r->big_in_left;
    uint64_t value_left = r->big_in_left > 2 ? r->big_in_left - 2 : 0;
    size_t value = n < value_left ? n : (size_t)value_left;

    if (value > 0 && !r->big_in_err)
        r->big_in_err = bough_blob_put(r->big_in, bough_view(in->ptr, value));
    bough_buf_shift(in, n);
    r->big_in_left -= n;
    if (r->big_in_left > 0)
        return false;
    big_end(r);
    return true;
}

/* ---- Out ---- */

void big_get(struct redis *r, const struct bough_oid *id)
{
    struct bough_store *store = bough_repo_store(r->conn.server->repo);
    enum bough_err err;

    if (r->batch != NULL) {
        resp_error(&r->w, "ERR the value is too large for a transaction; use GETRANGE");
        return;
    }
    err = bough_store_object_open(store, id, &r->big_out);
    if (err) {
        answer_why(r, err, &store->why);
        return;
    }
    bough_store_pin(store, &r->big_pin, id);
    r->big_out_at = 0;
    resp_bulk_head(&r->w, r->big_out->size);
}

void big_out_drop(struct redis *r)
{
    if (r->big_out != NULL)
        bough_store_unpin(bough_repo_store(r->conn.server->repo), &r->big_pin);
    bough_object_close(r->big_out);
    r->big_out = NULL;
}

/* Add the next piece; what cannot be read any more cannot be taken back either: cut the connection. */
void big_drain(struct redis *r)
{
    struct bough_buf *out = &r->conn.out;
    uint8_t *room = bough_buf_room(out, CONN_OUT_HIGH / 4);
    size_t got;

    if (room == NULL || r->big_pin.expired ||
        bough_object_read(r->big_out, r->big_out_at, room, CONN_OUT_HIGH / 4, &got)) {
        conn_close(&r->conn);
        return;
    }
    out->len += got;
    r->big_out_at += got;
    if (r->big_out_at == r->big_out->size) {
        bough_buf_put(out, "\r\n", 2);
        big_out_drop(r);
    }
    conn_touch(&r->conn);
}
