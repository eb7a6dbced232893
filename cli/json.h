/* json.h - what a verb tells with --json: one object, with a list of findings and sums. */
#ifndef BOUGH_CLI_JSON_H
#define BOUGH_CLI_JSON_H

#include "base/base.h"

struct json {
    bool on;     /* else all of these do nothing */
    bool items;  /* the list is not empty */
    bool fields; /* of the item, or of the object */
    bool list_done;
};

void json_begin(struct json *j);                  /* {"findings":[ */
void json_item(struct json *j, const char *kind); /* {"kind":"..." */
void json_field(struct json *j, const char *name, struct bough_view value);
void json_item_end(struct json *j);
void json_sum(struct json *j, const char *name, uint64_t value); /* behind the list */
void json_end(struct json *j);

#endif
