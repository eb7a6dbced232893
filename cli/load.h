/*
 * load.h - what load.c asks of load_check.c.
 */
#ifndef BOUGH_CLI_LOAD_H
#define BOUGH_CLI_LOAD_H

#include "git/fsck.h"

enum {
    LOAD_SPECIAL_MAX = BOUGH_GITMODULES_MAX, /* bytes of a value whose content is looked at */
};

struct load_check {
    struct bough_fsck fsck;
    struct bough_why why; /* of the last refusal */
    unsigned kinds;       /* of the path checked last: 1 << enum bough_fsck_blob */
};

void load_check_init(struct load_check *c, enum bough_algo algo);

/* May a value of this mode (as trees write it) stand there?  BOUGH_EFORMAT; sets `kinds`. */
enum bough_err load_check_path(struct load_check *c, const char *mode, struct bough_view path);

/* May this be the content of the value at that path?  BOUGH_EFORMAT. */
enum bough_err load_check_value(struct load_check *c, struct bough_view body);

#endif
