/*
 * submodule.c - names and URLs of submodules that would turn against who
 * clones them.
 *
 *   names   become directories below .git/modules: no `..` among their parts
 *   URLs    become arguments (no `-` in front), parts of other URLs (no `../`
 *           past the host), and lines for credential helpers (no newline,
 *           however it is spelled)
 */
#include "git/inner.h"

static bool is_sep(uint8_t c)
{
    return c == '/' || c == '\\';
}

bool bough_git__submodule_name_ok(struct bough_view name)
{
    size_t start = 0;

    for (size_t i = 0; i <= name.len; i++) {
        if (i < name.len && !is_sep(name.ptr[i]))
            continue;
        if (i - start == 2 && name.ptr[start] == '.' && name.ptr[start + 1] == '.')
            return false;
        start = i + 1;
    }
    return name.len > 0;
}

/* The value of a hex digit; 16: none. */
static unsigned hex_value(uint8_t c)
{
    c = bough_git__lower(c);
    if (bough_git__is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* The byte at `i` and what it is spelled with: `%0a` is one byte of three. */
static uint8_t decoded(struct bough_view v, size_t i, size_t *len)
{
    *len = 1;
    if (v.ptr[i] == '%' && i + 2 < v.len) {
        unsigned hi = hex_value(v.ptr[i + 1]), lo = hex_value(v.ptr[i + 2]);

        if (hi < 16 && lo < 16) {
            *len = 3;
            return (uint8_t)(hi << 4 | lo);
        }
    }
    return v.ptr[i];
}

static bool has_newline(struct bough_view v)
{
    for (size_t i = 0, len; i < v.len; i += len)
        if (decoded(v, i, &len) == '\n')
            return true;
    return false;
}

/* `./` and `../` in front lead to another repository, not out of its host. */
static bool relative_ok(struct bough_view url)
{
    size_t up = 0;

    if (has_newline(url))
        return false;
    while (true) {
        if (bough_git__skip(&url, "../"))
            up++;
        else if (!bough_git__skip(&url, "./"))
            break;
    }
    return up == 0 || url.len == 0 || (url.ptr[0] != ':' && url.ptr[0] != '/');
}

/* Take `http::` or see `http://`: what is handed to curl. */
static bool curl_take(struct bough_view *url)
{
    static const char *const schemes[] = {"http", "https", "ftp", "ftps"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct bough_view rest = *url;

        if (!bough_git__skip(&rest, schemes[i]))
            continue;
        if (bough_git__skip(&rest, "::")) {
            *url = rest;
            return true;
        }
        if (bough_git__skip(&rest, "://"))
            return true;
    }
    return false;
}

/* `protocol://user@host...`: with a host, and no newline anywhere. */
static bool absolute_ok(struct bough_view url)
{
    size_t colon = bough_git__index(url, ':'), end = 0, at;

    if (has_newline(url))
        return false;
    url = bough_git__after(url, colon);
    if (colon == 0 || !bough_git__skip(&url, "://"))
        return false;
    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    at = bough_git__index(bough_view(url.ptr, end), '@');
    return at < end ? at + 1 < end : end > 0;
}

bool bough_git__submodule_url_ok(struct bough_view url)
{
    struct bough_view rest = url;

    if (url.len > 0 && url.ptr[0] == '-')
        return false;
    if (bough_git__skip(&rest, "./") || bough_git__skip(&rest, "../") ||
        bough_git__skip(&rest, "git://"))
        return relative_ok(url);
    return !curl_take(&rest) || absolute_ok(rest);
}
