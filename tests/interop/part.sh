#!/bin/bash
# part.sh - stores in parts of a disk: `block:FILE,offset=N,size=N`.
#
# Goal: what the program does to files it does to parts of one, and no byte outside is touched; what is no part is named.
# Method: a disk of noise with two stores in it, which are filled, collected, resized, served and cloned; its other bytes compared.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
b() { "$BOUGH" "$@" 2>&1; }
head -c 24M /dev/urandom >disk.img
dd if=/dev/zero of=disk.img bs=512 seek=2001 count=16000 conv=notrunc status=none
dd if=/dev/zero of=disk.img bs=1M seek=12 count=4 conv=notrunc status=none
cp disk.img was.img
one=block:disk.img,offset=1024512,size=8192000 # at an odd sector
two=block:disk.img,size=4M,offset=12M
outside() { # all but the two parts
    head -c 1024512 "$1"
    tail -c +9216513 "$1" | head -c $((12 * 1048576 - 9216512))
    tail -c +$((16 * 1048576 + 1)) "$1"
}

works 'a store in a part' "$BOUGH" init "$one"
works 'another behind it' "$BOUGH" init --object-format sha256 "$two"
refuse 'not twice' 'init --force' "$BOUGH" init "$one"
refuse 'no size but its own' 'size that it has' "$BOUGH" init --force --size 4M "$one"
refuse 'noise is not taken' 'init --force' "$BOUGH" init block:disk.img,offset=17M,size=2M
refuse 'nor is it a store' 'not a Bough store' "$BOUGH" -s block:disk.img,offset=17M,size=2M ls
refuse 'longer than the disk' 'not all in it' "$BOUGH" -s block:disk.img,offset=17M,size=8M ls
refuse 'behind the disk' 'not all in it' "$BOUGH" -s block:disk.img,offset=1T ls
refuse 'within a sector' 'multiples' "$BOUGH" -s block:disk.img,offset=100,size=2M ls
refuse 'no number' 'offset=N' "$BOUGH" -s block:disk.img,offset=1Q ls
refuse 'no disk' 'part of is not there' "$BOUGH" init block:none.img,offset=1M
same "$(ls none.img 2>/dev/null)" '' 'and none was made'
truncate -s 1M odd,size.img
works 'a comma in a name' "$BOUGH" init block:odd,size.img,offset=0
works 'and all of a file' "$BOUGH" -s block:odd,size.img set a 1

for i in {1..40}; do
    "$BOUGH" -s "$one" set k "$(head -c 30000 /dev/urandom | base64 -w0)" || bad "set $i"
    "$BOUGH" -s "$two" set "k$i" "$i" || bad "set $i"
done
works 'collected' "$BOUGH" -s "$one" gc --prune now --keep 3
same "$(b -s "$one" log | grep -c ^commit)" 3 'what is kept'
works 'shorter' "$BOUGH" resize "$one" 4M
works 'longer again' "$BOUGH" resize "$one" 8192000
refuse 'not behind its end' 'fixed size' "$BOUGH" resize "$one" 9M
serve "$two"
works 'a clone' git clone -q "$URL" clone
same "$(ls clone | wc -l)" 40 'what is in it'
same "$(rcli set served 1)" OK 'a write'
refuse 'the lock' "pid $PID" "$BOUGH" -s "$two" set a 1
works 'of this part only' "$BOUGH" -s "$one" set beside 1
refuse 'and of all of the disk' "pid $PID" "$BOUGH" -s disk.img ls
refuse 'and of what lies across it' "pid $PID" "$BOUGH" init --force block:disk.img,offset=11M,size=2M
works 'but of nothing that is beside it' "$BOUGH" -s block:disk.img,offset=1024512,size=8192000 get beside
stop
truncate -s 8M empty.img
works 'into a part that is empty' "$BOUGH" convert "$two" block:empty.img,offset=3584
refuse 'and not into it again' 'not empty' "$BOUGH" convert "$one" block:empty.img,offset=3584
works 'into an empty store in a part' bash -c "'$BOUGH' init --force --object-format sha256 block:empty.img,offset=3584 &&
    '$BOUGH' convert '$two' block:empty.img,offset=3584"
same "$(b -s block:empty.img,offset=3584 ls | wc -l)" 41 'what came there'
same "$(b -s "$one" fsck)$(b -s "$two" fsck)" '' 'both are sound'
same "$(b -s "$two" ls | wc -l)" 41 'keys'
works 'nothing outside was touched' cmp <(outside disk.img) <(outside was.img)
sum
