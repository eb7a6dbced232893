/* reader.c - lines and bytes from a file or a pipe. */
#include "cli/reader.h"

#include <errno.h>
#include <unistd.h>

enum bough_err reader_more(struct reader *r)
{
    ssize_t n;

    do
        n = read(r->fd, r->piece, sizeof r->piece);
    while (n < 0 && errno == EINTR);
    r->at = 0;
    r->have = n > 0 ? (size_t)n : 0;
    return n < 0 ? BOUGH_EIO : n == 0 ? BOUGH_ENOENT : BOUGH_OK;
}

enum bough_err reader_take(struct reader *r, struct bough_view *out)
{
    enum bough_err err = r->at == r->have ? reader_more(r) : BOUGH_OK;

    *out = bough_view(r->piece + r->at, r->have - r->at);
    r->at = r->have;
    return err;
}

enum bough_err reader_until(
    struct reader *r, char end, char *line, size_t cap, struct bough_view *out)
{
    size_t n = 0;

    for (;;) {
        enum bough_err err = r->at == r->have ? reader_more(r) : BOUGH_OK;
        char c;

        if (err)
            return err;
        c = (char)r->piece[r->at++];
        if (c == end)
            return *out = bough_view(line, n), BOUGH_OK;
        if (n == cap)
            return BOUGH_ETOOBIG;
        line[n++] = c;
    }
}
