/*
 * device.c - the device of a store: `FILE`, or `block:FILE[,offset=N][,size=N]`, a part of one.
 *
 *   address    taken apart
 *   opening    the file or device, and the part as a device of its own
 *   use        does it hold anything?
 *
 * Each part is locked for itself, so several stores in one disk may be open at once.
 */
#include <string.h>

#include "cli/cli.h"

enum {
    LOOK = 128 * 1024, /* bytes: tables of parts and heads of file systems are there */
    PIECE = BOUGH_UNIT_MAX,
};

#define SCHEME "block:"

/* ---- Address ---- */

/* What follows `name` at the end of an address, behind a comma; both are cut off.  False: something else is there. */
static bool option_cut(struct bough_view *path, const char *name, struct bough_view *value)
{
    size_t comma = path->len, n = strlen(name);

    while (comma > 0 && path->ptr[comma - 1] != ',')
        comma--;
    if (comma == 0 || path->len - comma < n || memcmp(path->ptr + comma, name, n) != 0)
        return false;
    *value = bough_view(path->ptr + comma + n, path->len - comma - n);
    path->len = comma - 1;
    return true;
}

bool device_parse(const char *address, struct device_place *out)
{
    const char *rest = address_rest(address, SCHEME);
    struct bough_view path = bough_view_str(rest != NULL ? rest : address), value;
    bool good = true;

    *out = (struct device_place){.at = 0};
    while (rest != NULL && good) {
        if (option_cut(&path, "offset=", &value))
            good = bough_size_parse(value, &out->at);
        else if (option_cut(&path, "size=", &value))
            good = bough_size_parse(value, &out->size);
        else
            break;
        out->part = true;
    }
    if (!good || path.len == 0 || path.len >= sizeof out->path)
        return false;
    memcpy(out->path, path.ptr, path.len);
    return true;
}

/* ---- Opening ---- */

static enum bough_err part_open(struct cli *cli, const struct device_place *place)
{
    const struct bough_block *all = &cli->file.blk;
    struct bough_view name = bough_view_str(place->path);
    uint64_t at = place->at / all->unit, count = place->size / all->unit;

    if (place->at % all->unit != 0 || place->size % all->unit != 0)
        return BOUGH_WHY(&cli->why, BOUGH_EINVAL, "offset and size are multiples of its unit",
            name.ptr, (uint32_t)name.len);
    if (place->size == 0 && at < all->count)
        count = all->count - at;
    if (count == 0 || bough_rangeblk_init(&cli->part, &cli->file.blk, at, count))
        return BOUGH_WHY(
            &cli->why, BOUGH_EINVAL, "the part is not all in it", name.ptr, (uint32_t)name.len);
    cli->dev = &cli->part.blk;
    return BOUGH_OK;
}

enum bough_err cli_device_open(struct cli *cli, const char *address, uint32_t how)
{
    struct device_place place;
    enum bough_err err;

    if (!device_parse(address, &place))
        return BOUGH_WHY(&cli->why, BOUGH_EINVAL, "block:FILE[,offset=N][,size=N]", address,
            (uint32_t)strlen(address));
    if (place.part)
        err = bough_fileblk_open_part(&cli->file, place.path, how, 0,
            &(struct bough_filepart){place.at, place.size}, &cli->why);
    else
        err = bough_fileblk_open(&cli->file, place.path, how, 0, &cli->why);
    if (err)
        return err;
    cli->dev = &cli->file.blk;
    err = place.part ? part_open(cli, &place) : BOUGH_OK;
    if (err)
        bough_fileblk_close(&cli->file);
    return err;
}

/* ---- Use ---- */

bool cli_device_used(struct cli *cli)
{
    uint8_t piece[PIECE]; /* as long as the largest unit is */
    const struct bough_block *dev = cli->dev;
    uint32_t units = PIECE / dev->unit;
    uint64_t most = dev->count * dev->unit < LOOK ? dev->count * dev->unit : LOOK;

    for (uint64_t at = 0; (at + units) * dev->unit <= most; at += units) {
        if (bough_block_read(cli->dev, at, units, piece) || piece[0] != 0 ||
            memcmp(piece, piece + 1, PIECE - 1) != 0)
            return true;
    }
    return false;
}
