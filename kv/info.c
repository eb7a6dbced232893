/* info.c - a copy of who writes, when and why. */
#include "kv/inner.h"

void bough_kv__info_init(struct bough_kv__info *i, struct bough_mem *mem)
{
    *i = (struct bough_kv__info){
        .info = {.author = {.time = {INT64_MIN, 0, 0}}, .committer = {.time = {INT64_MIN, 0, 0}}}};
    bough_buf_init(&i->text, mem);
}

void bough_kv__info_fini(struct bough_kv__info *i)
{
    bough_buf_fini(&i->text);
}

/* `v` as copied to `*at`; a NULL stays NULL. */
static struct bough_view view_at(struct bough_view v, const uint8_t **at)
{
    struct bough_view copy = bough_view(v.ptr != NULL ? *at : NULL, v.len);

    *at += v.len;
    return copy;
}

enum bough_err bough_kv__info_set(struct bough_kv__info *i, const struct bough_info *from)
{
    struct bough_buf text;
    const uint8_t *at;

    bough_buf_init(&text, i->text.mem);
    bough_buf_put_view(&text, from->author.name);
    bough_buf_put_view(&text, from->author.mail);
    bough_buf_put_view(&text, from->committer.name);
    bough_buf_put_view(&text, from->committer.mail);
    bough_buf_put_view(&text, from->message);
    bough_buf_put_u8(&text, 0); /* so that an empty view has a place, too */
    if (text.err) {
        bough_buf_fini(&text);
        return BOUGH_ENOMEM;
    }
    at = text.ptr;
    i->info = *from;
    i->info.author.name = view_at(from->author.name, &at);
    i->info.author.mail = view_at(from->author.mail, &at);
    i->info.committer.name = view_at(from->committer.name, &at);
    i->info.committer.mail = view_at(from->committer.mail, &at);
    i->info.message = view_at(from->message, &at);
    bough_buf_fini(&i->text);
    i->text = text;
    return BOUGH_OK;
}

struct bough_time bough_kv__info_time(const struct bough_kv__info *i, const struct bough_env *env)
{
    const struct bough_ident *who =
        i->info.committer.name.ptr != NULL ? &i->info.committer : &i->info.author;

    return who->time.sec != INT64_MIN ? who->time : bough_env_now(env);
}

void bough_kv__rename_message(struct bough_buf *out, struct bough_view from, struct bough_view to)
{
    bough_buf_put_str(out, "rename ");
    bough_buf_put_view(out, from);
    bough_buf_put_u8(out, ' ');
    bough_buf_put_view(out, to);
    bough_buf_put_u8(out, '\n');
}

struct bough_info bough_kv__info_now(const struct bough_info *info, const struct bough_env *env)
{
    struct bough_info now = *info;

    if (now.author.name.ptr == NULL) {
        now.author.name = bough_view_str("Bough");
        now.author.mail = bough_view_str("bough@localhost");
    }
    if (now.author.time.sec == INT64_MIN)
        now.author.time = bough_env_now(env);
    if (now.committer.name.ptr != NULL && now.committer.time.sec == INT64_MIN)
        now.committer.time = now.author.time;
    return now;
}
