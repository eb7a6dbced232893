#!/bin/bash
# sparse.sh - a store in a sparse file, on a file system that others fill.
#
# Goal: whenever the file system below is full, and again and again: reading, removing, keeping less and gc work, by the program and
# beside a daemon; a write says that it is the file system, and what gc would free; gc gives room back to the file system; nothing
# is damaged.  On file systems that give room ahead (tmpfs, ext4) and on one that does not (ext2).
# Method: a file of 256 MiB on small ones, and one more file that takes all the rest.  Needs root and mount; without loop devices
# there is only tmpfs.
. "$(dirname "$0")/../lib/serve.sh"
M=$W/below
mkdir "$M"
mount -t tmpfs -o size=24M tmpfs "$M" 2>/dev/null || { echo "may not mount"; exit 77; }
umount "$M"
trap 'cd /; [ -z "$PID" ] || kill -9 "$PID" 2>/dev/null; umount -l "$M" 2>/dev/null; cleanup' EXIT

# below KIND: such a file system is mounted at $M
below() {
    if [ "$1" = tmpfs ]; then
        mount -t tmpfs -o size=24M tmpfs "$M"
    else
        rm -f "$W/disk" && truncate -s 32M "$W/disk" && "mkfs.$1" -q -m 0 "$W/disk" 2>/dev/null &&
            mount -o loop "$W/disk" "$M" 2>/dev/null
    fi
}
# filled: others take all there is
filled() { cat /dev/zero >>"$M/others" 2>/dev/null; sync -f "$M"; }
room() { df --output=avail -B1 "$M" | tail -n 1; }
# piece: bytes that nobody has seen, 200,000 of them
piece() { head -c 200000 /dev/urandom; }
# sets FROM MOST: values until there is no room, or so many; N is the number of the next one
sets() {
    N=$1
    while [ "$N" -lt $(($1 + $2)) ] && piece | "$BOUGH" set "big/$((N % 10))" 2>"$W/err"; do N=$((N + 1)); done
}
good() { # good NAME COMMAND...
    local name=$1 rc=0
    shift
    "$@" >"$W/good.out" 2>"$W/good.err" || rc=$?
    same "$rc" 0 "$name: $(tail -n 1 "$W/good.err")"
}

# program KIND
program() {
    export BOUGH_STORE=$M/one.img
    good "$1: init" "$BOUGH" init --size 256M
    sets 0 20
    same "$N" 20 "$1: some values"
    filled
    for round in 1 2; do
        sets "$N" 400
        has "$(cat "$W/err")" 'the file system below is full' "$1: it says what is full ($round)"
        has "$(cat "$W/err")" 'would free' "$1: and what gc would free ($round)"
        good "$1: get ($round)" "$BOUGH" get big/1
        for i in 2 3 4; do
            good "$1: rm $i ($round)" "$BOUGH" rm "big/$i"
        done
        "$BOUGH" branch x main 2>/dev/null && good "$1: a branch goes ($round)" "$BOUGH" branch -d x
        good "$1: keep ($round)" "$BOUGH" keep main 2
        was=$(room)
        good "$1: gc ($round)" "$BOUGH" gc --prune now
        [ "$round" = 2 ] || [ "$(room)" -gt "$was" ] && ok || bad "$1: gc gave nothing back: $was, $(room)"
        good "$1: fsck ($round)" "$BOUGH" fsck
        sets "$N" 3
        good "$1: keep all ($round)" "$BOUGH" keep main all
        filled
    done
    good "$1: fsck at the end" "$BOUGH" fsck
    same "$("$BOUGH" fsck 2>&1)" '' "$1: nothing to say"
    rm -f "$M/others"
    sets "$N" 5
    same "$(cat "$W/err")" '' "$1: room again"
    unset BOUGH_STORE
    rm "$M/one.img"
}

# daemon KIND
daemon() {
    "$BOUGH" -s "$M/two.img" init --size 256M 2>/dev/null
    serve "$M/two.img"
    for i in $(seq 20); do piece | redis-cli -p "$RP" -x set "k$((i % 10))" >/dev/null; done
    filled
    for i in $(seq 400); do
        x=$(piece | redis-cli -p "$RP" -x set "k$((i % 10))")
        [ "$x" = OK ] || break
    done
    has "$x" 'NOSPACE' "$1: the word of a full device"
    filled
    same "$(redis-cli -p "$RP" strlen k1)" 200000 "$1: read by the daemon"
    same "$(redis-cli -p "$RP" del k2 k3)" 2 "$1: removed by the daemon"
    same "$(redis-cli -p "$RP" git.keep main 2)" OK "$1: less is kept by the daemon"
    was=$(room)
    redis-cli -p "$RP" git.gc prune 0 >"$W/good.out"
    for _ in $(seq 300); do [ "$(room)" -gt "$was" ] && break; sleep 0.1; done
    [ "$(room)" -gt "$was" ] && ok || bad "$1: gc of the daemon: $(cat "$W/good.out"), $was, $(room)"
    good "$1: a clone" git clone -q "$URL" "$W/clone"
    rm -rf "$W/clone"
    stop
    good "$1: fsck after the daemon" "$BOUGH" -s "$M/two.img" fsck
}

for kind in tmpfs ext4 ext2; do
    below "$kind" || { echo "skipped: no $kind can be mounted"; continue; }
    program "$kind"
    [ "$kind" = ext2 ] || daemon "$kind"
    umount "$M"
done
sum
