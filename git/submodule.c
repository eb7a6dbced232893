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

/* `./` and `../` in front of a relative URL lead to another repository, not out of its host. */
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

static bool escapes_ok(struct bough_view v)
{
    for (size_t i = 0, len; i < v.len; i += len)
        if (decoded(v, i, &len) == '%' && len == 1)
            return false;
    return true;
}

static bool is_alnum(uint8_t c)
{
    return bough_git__is_digit(c) || (bough_git__lower(c) >= 'a' && bough_git__lower(c) <= 'z');
}

static bool port_ok(struct bough_view v)
{
    uint32_t port = 0;

    if (v.len == 0)
        return true;
    for (size_t i = 0; i < v.len; i++) {
        if (!bough_git__is_digit(v.ptr[i]))
            return false;
        port = port > 65535 ? port : port * 10 + (uint32_t)(v.ptr[i] - '0');
    }
    return port > 0 && port <= 65535;
}

/* `user@host:port`, a host in any case. */
static bool authority_ok(struct bough_view v)
{
    size_t at = bough_git__index(v, '@'), end;

    if (at < v.len)
        v = bough_git__after(v, at + 1);
    end = v.len; /* the port is behind the last colon that no bracket of an IPv6 address follows */
    while (end > 0 && v.ptr[end - 1] != ':' && v.ptr[end - 1] != ']')
        end--;
    if (end > 0 && v.ptr[end - 1] == ':') {
        if (!port_ok(bough_git__after(v, end)))
            return false;
        v.len = end - 1;
    }
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];

        if (!is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '[' && c != ']' && c != ':')
            return false;
    }
    return v.len > 0;
}

/* Does no `..` lead above the root of the URL? */
static bool path_ok(struct bough_view v)
{
    size_t depth = 0, start = 0;

    for (size_t i = 0; i <= v.len; i++) {
        size_t n = i - start;

        if (i < v.len && v.ptr[i] != '/')
            continue;
        if (n == 2 && v.ptr[start] == '.' && v.ptr[start + 1] == '.') {
            if (depth == 0)
                return false;
            depth--;
        } else if (start > 0 && !(n == 1 && v.ptr[start] == '.')) {
            depth++;
        }
        start = i + 1;
    }
    return true;
}

/* Can this URL be brought into normal form, and holds no newline then? */
static bool absolute_ok(struct bough_view url)
{
    size_t i = 0, path;

    if (has_newline(url) || !escapes_ok(url))
        return false;
    while (i < url.len &&
           (is_alnum(url.ptr[i]) || url.ptr[i] == '+' || url.ptr[i] == '.' || url.ptr[i] == '-'))
        i++;
    url = bough_git__after(url, i);
    if (i == 0 || !bough_git__skip(&url, "://"))
        return false;
    for (i = 0; i < url.len && url.ptr[i] != '/' && url.ptr[i] != '?' && url.ptr[i] != '#';)
        i++;
    if (!authority_ok(bough_view(url.ptr, i)))
        return false;
    for (path = i; path < url.len && url.ptr[path] != '?' && url.ptr[path] != '#';)
        path++;
    return path_ok(bough_view(url.ptr + i, path - i));
}

bool bough_git__submodule_url_ok(struct bough_view url)
{
    struct bough_view rest = url;

    if (url.len > 0 && url.ptr[0] == '-')
        return false;
    if (bough_git__skip(&rest, "./") || bough_git__skip(&rest, "../"))
        return relative_ok(url);
    return !curl_take(&rest) || absolute_ok(rest);
}
