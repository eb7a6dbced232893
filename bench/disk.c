/*
 * disk.c - the disk alone: what no durable write can be faster than, and how even it is.
 *
 * A set writes 4 KiB over bytes that were written before, the next ones of a file, and waits until
 * they are durable.  No keys, no reads, no commits of many.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

enum { BLOCK = 4096, BLOCKS = 4096 };

struct disk_state {
    int fd;
    uint32_t next;
    uint8_t block[BLOCK];
};

static void disk_write(struct peer *p)
{
    struct disk_state *s = p->state;

    if (pwrite(s->fd, s->block, BLOCK, (off_t)(s->next++ % BLOCKS) * BLOCK) != BLOCK)
        die(p->name, "pwrite");
}

static void disk_flush(struct peer *p)
{
    if (fdatasync(((struct disk_state *)p->state)->fd) != 0)
        die(p->name, "fdatasync");
}

static void disk_open(struct peer *p, const char *dir, bool make)
{
    struct disk_state *s = state_new(p->name, sizeof *s);
    char path[PATH_LEN];

    (void)make;
    snprintf(path, sizeof path, "%s/disk", dir);
    p->state = s;
    s->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (s->fd < 0)
        die(p->name, "open");
    for (int i = 0; i < BLOCKS; i++)
        disk_write(p);
    disk_flush(p);
}

static void disk_close(struct peer *p)
{
    close(((struct disk_state *)p->state)->fd);
    free(p->state);
}

static void disk_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct disk_state *s = p->state;

    memcpy(s->block, key, len);
    memcpy(s->block + KEY_MAX, value, VALUE_LEN);
    disk_write(p);
    disk_flush(p);
}

const struct peer disk_peer = {
    .name = "the disk alone", .open = disk_open, .close = disk_close, .set = disk_set};
