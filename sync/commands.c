/*
 * commands.c - what a push asks for: refs to create, update and delete.
 *
 *   commands        lines, their capabilities, limits
 *   symbolic refs   which refs the commands are on
 */
#include "sync/inner.h"
#include "sync/receive_inner.h"

void bough_sync__commands_init(struct bough_sync__commands *c, struct bough_mem *mem)
{
    *c = (struct bough_sync__commands){.mem = mem};
    bough_buf_init(&c->names, mem);
}

void bough_sync__commands_fini(struct bough_sync__commands *c)
{
    bough_mem_free(c->mem, c->v, c->cap * sizeof *c->v);
    bough_buf_fini(&c->names);
    bough_sync__commands_init(c, c->mem);
}

struct bough_view bough_sync__command_name(
    const struct bough_sync__commands *c, const struct bough_sync__command *command)
{
    return bough_view(c->names.ptr + command->name_at, command->name_len);
}

void bough_sync__commands_refuse(struct bough_sync__commands *c, const char *why)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].refused == NULL)
            c->v[i].refused = why;
}

static enum bough_err capabilities(
    struct bough_sync__commands *c, struct bough_sync__session *s, struct bough_view list)
{
    struct bough_view word;
    while (bough_sync__word(&list, &word)) {
        if (bough_sync__is(word, "report-status") || bough_sync__is(word, "report-status-v2"))
            c->report = true;
        else if (bough_sync__is(word, "side-band-64k"))
            c->side_band = true;
        else if (bough_sync__is(word, "atomic"))
            c->atomic = (s->store->caps & BOUGH_STORE_ATOMIC_REFS) != 0;
        else if (bough_sync__is(word, "push-options"))
            c->options = true;
        else if (bough_sync__is(word, "quiet"))
            c->quiet = true;
        else if (bough_sync__take(&word, "object-format=") &&
                 !bough_sync__is(word, bough_algo_name(s->algo)))
            return bough_sync__session_fail_text(
                s, BOUGH_EFORMAT, "the repository has another object format", word);
    }
    return BOUGH_OK;
}

static enum bough_err command_add(struct bough_sync__commands *c, struct bough_sync__session *s,
    const struct bough_sync__command *command, struct bough_view name)
{
    if (c->n >= s->opts.limits.commands_max)
        return bough_sync__session_fail(
            s, BOUGH_ETOOBIG, "too many commands (limit commands_max)", NULL);
    if (c->names.len + name.len > s->opts.limits.commands_len_max)
        return bough_sync__session_fail(
            s, BOUGH_ETOOBIG, "too many bytes of ref names (limit commands_len_max)", NULL);
    void *v = c->v;
    enum bough_err err = bough_mem_grow(c->mem, &v, &c->cap, c->n + 1, sizeof *c->v);
    c->v = v;
    if (err)
        return err;
    c->v[c->n] = *command;
    c->v[c->n].name_at = c->names.len;
    c->v[c->n].name_len = name.len;
    c->n++;
    bough_buf_put_view(&c->names, name);
    c->needs_pack = c->needs_pack || !bough_oid_is_zero(&command->now);
    return c->names.err;
}

enum bough_err bough_sync__commands_line(
    struct bough_sync__commands *c, struct bough_sync__session *s, struct bough_view line)
{
    const size_t hex = 2 * bough_algo_len(s->algo);
    struct bough_sync__command command = {0};
    struct bough_view rest = line, caps = {0};
    if (bough_sync__take(&rest, "shallow ")) {
        c->shallow = true; /* what is missing will be missed */
        return bough_sync__session_id(s, rest, &command.old);
    }
    if (bough_sync__take(&rest, "push-cert"))
        return bough_sync__session_fail(
            s, BOUGH_EFORMAT, "protocol error: push certificates were not offered", NULL);
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == 0) {
            caps = bough_view(line.ptr + i + 1, line.len - i - 1);
            rest = bough_view(line.ptr, i);
            break;
        }
    rest = bough_pkt_text(rest);
    if (rest.len < 2 * hex + 3 || rest.ptr[hex] != ' ' || rest.ptr[2 * hex + 1] != ' ' ||
        bough_oid_parse(s->algo, bough_view(rest.ptr, hex), &command.old) ||
        bough_oid_parse(s->algo, bough_view(rest.ptr + hex + 1, hex), &command.now))
        return bough_sync__session_fail_text(
            s, BOUGH_EFORMAT, "protocol error: expected old/new/ref, got", rest);
    enum bough_err err = c->n == 0 ? capabilities(c, s, caps) : BOUGH_OK;
    if (err)
        return err;
    return command_add(c, s, &command, bough_view(rest.ptr + 2 * hex + 2, rest.len - 2 * hex - 2));
}

/* ---- Symbolic refs ---- */

struct bough_view bough_sync__command_real(
    const struct bough_sync__commands *c, const struct bough_sync__command *command)
{
    return command->real_len == 0 ? bough_sync__command_name(c, command)
                                  : bough_view(c->names.ptr + command->real_at, command->real_len);
}

/* Follow a symbolic ref's target to a ref that is none; its name goes to the end of `names`. */
static enum bough_err alias_follow(struct bough_sync__commands *c, struct bough_sync__session *s,
    struct bough_sync__command *command, struct bough_ref ref)
{
    enum { FOLLOW_MAX = 5 };
    enum bough_err err = BOUGH_OK;
    for (int i = 0; !err && ref.kind == BOUGH_REF_SYM; i++) {
        if (i == FOLLOW_MAX)
            return BOUGH_ENOENT;
        command->real_at = c->names.len;
        command->real_len = ref.target.len;
        bough_buf_put_view(&c->names, ref.target);
        err = c->names.err ? c->names.err
                           : bough_repo_ref(s->repo, bough_sync__command_real(c, command), &ref);
    }
    return err;
}

/* Another command on the ref that this one leads to: both want the same, or neither gets it. */
static void alias_compare(struct bough_sync__commands *c, struct bough_sync__command *command)
{
    struct bough_view real = bough_sync__command_real(c, command);
    for (size_t i = 0; i < c->n; i++) {
        struct bough_sync__command *other = &c->v[i];
        if (other == command || !bough_view_eq(bough_sync__command_name(c, other), real))
            continue;
        if (bough_oid_eq(&other->old, &command->old) && bough_oid_eq(&other->now, &command->now))
            command->same = i + 1;
        else
            other->refused = command->refused = "inconsistent aliased update";
        return;
    }
}

enum bough_err bough_sync__commands_alias(
    struct bough_sync__commands *c, struct bough_sync__session *s)
{
    for (size_t i = 0; i < c->n; i++) {
        struct bough_ref ref;
        struct bough_sync__command *command = &c->v[i];
        if (command->refused != NULL || command->name_len > BOUGH_REF_NAME_MAX)
            continue;
        enum bough_err err = bough_repo_ref(s->repo, bough_sync__command_name(c, command), &ref);
        if (err == BOUGH_ENOENT || err == BOUGH_EKEY || (!err && ref.kind != BOUGH_REF_SYM))
            continue;
        if (!err)
            err = alias_follow(c, s, command, ref);
        if (err == BOUGH_ENOENT)
            command->refused = "broken symref";
        else if (err)
            return err;
        else
            alias_compare(c, command);
    }
    return BOUGH_OK;
}
