#!/bin/bash
# format.sh - stores that this build does not read are called what they are.
#
# Goal: a store of another format, with unknown features, of an early form, with no whole superblock, and what is no
# store at all are told apart, each with exit code 3 or 8 and a message that names what was found and what is read.
# Method: fields of every superblock are changed in an image, with its checksum made again; tests/golden/early.img is of
# a build from before roots counted refs.
. "$(dirname "$0")/../lib/serve.sh"

# bend FROM TO FIELD VALUE [sum]: the u32 at FIELD of every superblock; with `sum` its checksum fits
bend() {
    python3 - "$@" <<'PYTHON'
import struct, sys, zlib
data = bytearray(open(sys.argv[1], "rb").read())
at, value = int(sys.argv[3]), int(sys.argv[4])
for slot in range(0, len(data) - 511, 512):
    if data[slot:slot + 8] == b"BOUGH\r\n\x1a":
        struct.pack_into("<I", data, slot + at, value)
        if len(sys.argv) > 5:
            struct.pack_into("<I", data, slot + 8, zlib.crc32(data[slot + 12:slot + 512]))
open(sys.argv[2], "wb").write(data)
PYTHON
}

# named CODE IMAGE PART...: verbs that read and verbs that write end with CODE and say every PART; FSCK: fsck says that instead
FSCK=
named() {
    local code=$1 image=$2 rc part
    shift 2
    for verb in 'get a' 'set a 2' 'serve --redis 0 --git 0 --http 1' fsck; do
        rc=0
        # shellcheck disable=SC2086
        timeout 20 "$BOUGH" -s "$image" $verb >"$W/out" 2>"$W/err" || rc=$?
        same "$rc" "$code" "exit code of $verb on $(basename "$image") ($(head -c 200 "$W/err"))"
        [ "$verb" = fsck ] && [ -n "$FSCK" ] && set -- "$FSCK"
        for part in "$@"; do has "$(cat "$W/err")" "$part" "what $verb says of $(basename "$image")"; done
    done
    same "$(cmp "$image" "$image.was" 2>&1)" '' "$(basename "$image") was left alone"
}

"$BOUGH" init --size 1M "$W/good.img" 2>/dev/null
"$BOUGH" -s "$W/good.img" set a 1 || bad 'no store to begin with'

bend "$W/good.img" "$W/newer.img" 12 7 sum
cp "$W/newer.img" "$W/newer.img.was"
named 3 "$W/newer.img" 'newer.img: made by format 7' 'this build reads format 1' 'newer build'

bend "$W/good.img" "$W/elsewhere.img" 12 4294967295 # a format that has its checksum elsewhere
cp "$W/elsewhere.img" "$W/elsewhere.img.was"
named 3 "$W/elsewhere.img" 'made by format 4294967295' 'this build reads format 1'

bend "$W/good.img" "$W/older.img" 12 0 sum
cp "$W/older.img" "$W/older.img.was"
named 3 "$W/older.img" 'made by format 0' 'older build'

bend "$W/good.img" "$W/features.img" 24 33 sum
cp "$W/features.img" "$W/features.img.was"
named 3 "$W/features.img" 'incompatible features 0x21' 'newer build'

bend "$W/good.img" "$W/torn.img" 100 1
cp "$W/torn.img" "$W/torn.img.was"
FSCK='no superblock is left; a checkpoint was found without one'
named 8 "$W/torn.img" 'torn.img: corrupt data' 'no superblock is whole'
FSCK=

gzip -dc tests/golden/early.img.gz >"$W/early.img"
cp "$W/early.img" "$W/early.img.was"
named 3 "$W/early.img" 'early form of format 1' 'with the build that made it'

head -c 100000 /dev/urandom >"$W/noise.img"
cp "$W/noise.img" "$W/noise.img.was"
named 3 "$W/noise.img" 'noise.img: not a Bough store'
: >"$W/empty.img"
cp "$W/empty.img" "$W/empty.img.was"
named 3 "$W/empty.img" 'empty.img: not a Bough store'

# features that only writers need to know: everything can be read, nothing is written
bend "$W/good.img" "$W/reading.img" 20 2 sum
same "$("$BOUGH" -s "$W/reading.img" get a)" 1 'what has features for writers is read'
refuse 'but not written' 'a feature that this build does not know' "$BOUGH" -s "$W/reading.img" set a 2

# compatible ones are nobody's concern
bend "$W/good.img" "$W/compatible.img" 16 2147483648 sum
works 'what has compatible features is written' "$BOUGH" -s "$W/compatible.img" set a 2

sum
