/*
 * tag.c - annotated tags.
 *
 * A tag: `object ID LF`, `type TYPE LF`, `tag NAME LF`, `tagger IDENT LF` (not in
 * the oldest), an empty line, the message.
 */
#include "git/inner.h"

/* `KEY SP value LF` at the front of `left`. */
static bool line_take(struct bough_view *left, const char *key, struct bough_view *value)
{
    return bough_git__skip(left, key) && bough_git__line(left, value);
}

enum bough_err bough_tag_parse(enum bough_algo algo, struct bough_view raw, struct bough_tag *out)
{
    struct bough_view left = raw, value;
    struct bough_header h;

    *out = (struct bough_tag){.algo = algo};
    if (!line_take(&left, "object ", &value) || bough_oid_parse(algo, value, &out->object))
        return BOUGH_EFORMAT;
    if (!line_take(&left, "type ", &value))
        return BOUGH_EFORMAT;
    out->type = bough_type_parse(value);
    if (out->type == BOUGH_NONE || !line_take(&left, "tag ", &out->name))
        return BOUGH_EFORMAT;
    while (bough_header_next(&left, &h))
        if (out->tagger.ptr == NULL && bough_view_eq(h.name, bough_view_str("tagger")))
            out->tagger = h.value;
    out->headers = bough_view(raw.ptr, raw.len - left.len);
    out->message = bough_git__after(left, left.len > 0 ? 1 : 0); /* not the empty line */
    return BOUGH_OK;
}

static bool has_nul(struct bough_view v)
{
    return bough_git__index(v, 0) < v.len;
}

void bough_tag_put(struct bough_buf *out, enum bough_algo algo, const struct bough_tag_parts *parts)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(algo, &parts->object, hex);

    BOUGH_ASSERT(bough_type_parse(bough_view_str(bough_type_name(parts->type))) != BOUGH_NONE);
    if (!bough_git__tagname_ok(parts->name) || has_nul(parts->message) ||
        has_nul(parts->tagger.name) || has_nul(parts->tagger.mail)) {
        out->err = out->err ? out->err : BOUGH_EINVAL;
        return;
    }
    bough_buf_put_str(out, "object ");
    bough_buf_put(out, hex, n);
    bough_buf_put_str(out, "\ntype ");
    bough_buf_put_str(out, bough_type_name(parts->type));
    bough_buf_put_str(out, "\ntag ");
    bough_buf_put_view(out, parts->name);
    bough_buf_put_str(out, "\ntagger ");
    bough_ident_put(out, &parts->tagger);
    bough_buf_put_str(out, "\n\n");
    bough_buf_put_view(out, parts->message);
}
