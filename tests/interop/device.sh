#!/bin/bash
# device.sh - a store on a real block device, with its own cache below.
#
# Goal: what the program does to files it does to devices, too; and two owners that no lock keeps apart, as between two machines
# on one disk, are caught: the one that was first writes no more and says why, and what the other one wrote stays.
# Method: a loop device, where the file below it is the way of the other machine.  Needs root and losetup.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
truncate -s 64M disk.img
L=$(losetup -f --show disk.img 2>/dev/null) || { echo "no loop devices"; exit 77; }
trap 'cleanup; losetup -d "$L"' EXIT

"$BOUGH" init "$L" 2>err
same "$?" 0 'a store on a device'
"$BOUGH" -s "$L" set a 1
same "$("$BOUGH" -s "$L" get a)" 1 'read back'
for args in '' '--object-format sha256'; do
    rc=0; "$BOUGH" init $args "$L" 2>err || rc=$?
    same "$rc $(grep -c 'init --force' err)" '1 1' "a store is not overwritten: $args"
done
rc=0; "$BOUGH" init --force --size 8M "$L" 2>err || rc=$?
same "$rc $(grep -c 'size that it has' err)" '2 1' 'no size for a device'
same "$("$BOUGH" -s "$L" get a)" 1 'nothing was written'
"$BOUGH" init --force "$L" 2>err
same "$? $("$BOUGH" -s "$L" get a 2>&1 | grep -c 'not found')" '0 1' 'but with --force'
"$BOUGH" -s "$L" set a 1
if mkfs.fat "$L" >/dev/null 2>&1; then
    rc=0; "$BOUGH" init "$L" 2>err || rc=$?
    same "$rc $(head -c 3 "$L" | od -An -c | tr -d ' ')" '1 353<220' 'nor is a file system'
    "$BOUGH" init --force "$L" 2>err && "$BOUGH" -s "$L" set a 1
fi
"$BOUGH" -s "$L" resize 32M && "$BOUGH" -s "$L" resize 64M
same "$?" 0 'ends within the device'
rc=0; "$BOUGH" -s "$L" resize 128M 2>err || rc=$?
same "$rc $(grep -c 'fixed size' err)" '3 1' 'but not behind it'

"$BOUGH" init --size 8M from.img 2>/dev/null && "$BOUGH" -s from.img set c 1 && "$BOUGH" init --force "$L" 2>/dev/null
works 'converted into the empty store on it' "$BOUGH" convert from.img "$L"
refuse 'and nothing is written over' 'not empty' "$BOUGH" convert from.img "$L"
"$BOUGH" init --force "$L" 2>/dev/null && "$BOUGH" -s "$L" set a 1

serve "$L"
same "$(redis-cli -p "$RP" set b 2)" OK 'the first owner'
rc=0; "$BOUGH" -s "$L" get b >/dev/null 2>err || rc=$?
same "$rc" 9 'a lock on the device'
same "$("$BOUGH" -s disk.img get b)" 2 'the other way'
"$BOUGH" -s disk.img set other 3
sleep 1.1
has "$(redis-cli -p "$RP" set c 4 2>&1)" 'another owner' 'the first one sees the other'
has "$(redis-cli -p "$RP" set d 5 2>&1)" 'ERR' 'and writes no more'
kill "$PID"; wait "$PID"; PID=
rc=0; "$BOUGH" -s "$L" fsck 2>err || rc=$?
same "$rc" 0 'a good store'
same "$("$BOUGH" -s "$L" ls | xargs)" 'a b other' 'with what was acknowledged'
sum
