/*
 * fuzz_resp.c - the Redis protocol from a hostile client.
 *
 * Any bytes, in pieces whose sizes the first byte chooses, must end in commands whose arguments lie
 * inside the input, in a wish for more, or in a refusal with a reason.
 */
#include "base/posix.h"
#include "server/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touch every byte of every argument. */
static size_t weigh(const struct resp_parser *p, struct bough_view in)
{
    size_t sum = 0;

    for (size_t i = 0; i < p->argc; i++) {
        BOUGH_ASSERT(p->argv[i].ptr >= in.ptr);
        BOUGH_ASSERT(p->argv[i].ptr + p->argv[i].len <= in.ptr + in.len);
        for (size_t k = 0; k < p->argv[i].len; k++)
            sum += p->argv[i].ptr[k];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp_parser p;
    size_t step = size > 0 ? (size_t)data[0] % 16 + 1 : 1, done = 0, len = 0;
    volatile size_t sum = 0;

    resp_parser_init(&p, bough_posix_mem());
    for (;;) {
        struct bough_view in = bough_view(data + done, len - done);
        enum resp_event e = resp_parse(&p, in);
        if (e == RESP_BROKEN) {
            BOUGH_ASSERT(p.error != NULL);
            break;
        }
        if (e == RESP_LARGE) {
            resp_parser_keep(&p);
        } else if (e == RESP_COMMAND) {
            sum = sum + weigh(&p, in);
            BOUGH_ASSERT(p.pos > 0 && p.pos <= in.len);
            done += p.pos;
            resp_parser_next(&p);
        } else if (len == size) {
            break;
        } else {
            len = size - len < step ? size : len + step;
        }
    }
    resp_parser_fini(&p);
    return 0;
}
