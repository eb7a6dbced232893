#!/bin/bash
# fsck.sh - a damaged store says what is damaged and whom it concerns, and gives up what is intact.
#
# Goal: fsck is silent on a good store; a damaged value is named with every ref that needs it and the path it has there,
# also where only the history needs it; the rest stays readable, and goes into a new store that git finds good.  Method: bytes of values, trees and commits are
# changed in the file, where they lie as they are; words and exit codes are compared.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
export BOUGH_STORE=$W/s.img
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'

"$BOUGH" init --size 64M
for i in 1 2 3; do "$BOUGH" set "a/b$i/c" "the value number $i, long enough to be found"; done
"$BOUGH" branch old
"$BOUGH" set a/b2/c 'another value in its place'
"$BOUGH" branch young
"$BOUGH" rm a/b3
same "$("$BOUGH" fsck 2>&1)" '' 'a good store'

# spoil FILE TEXT: change a byte of it, wherever it lies
spoil() {
    python3 - "$1" "$2" <<'END'
import sys
text = sys.argv[2].encode()
with open(sys.argv[1], 'r+b') as f:
    data = f.read()
    at = data.find(text)
    if at < 0:
        sys.exit('not found: ' + sys.argv[2])
    while at >= 0:
        f.seek(at)
        f.write(b'?')
        at = data.find(text, at + 1)
END
}

id2=$("$BOUGH" digest @old:a/b2/c)
id3=$("$BOUGH" digest @young:a/b3/c)
spoil s.img 'the value number 2'
spoil s.img 'the value number 3'
rc=0
"$BOUGH" fsck >out 2>err || rc=$?
same "$rc" 8 'a damaged store: exit code'
for id in "$id2" "$id3"; do has "$(grep ^corrupt out)" "$id" 'the engine names the object'; done
has "$(cat out)" "damaged $id2 commit $("$BOUGH" log -n 1 @old:a/b2/c | head -1 | cut -d' ' -f2) path a/b2/c" 'where a value is needed'
same "$(grep '^ref' out | sed 's/\t/ /g')" "ref refs/heads/main: needs what is lost
ref refs/heads/old: needs what is lost
ref refs/heads/old: lost $id2 path a/b2/c
ref refs/heads/old: lost $id3 path a/b3/c
ref refs/heads/young: needs what is lost
ref refs/heads/young: lost $id3 path a/b3/c" 'refs, and the paths they lose'
has "$(cat err)" 'findings' 'a word on stderr'
same "$("$BOUGH" get a/b1/c)" 'the value number 1, long enough to be found' 'what is whole can be read'
rc=0
"$BOUGH" get @old:a/b2/c >out 2>err || rc=$?
same "$rc" 8 'a damaged value: exit code'
same "$(cat out)" '' 'a damaged value: nothing is printed'

# --- what lives
export BOUGH_STORE=$W/l.img
"$BOUGH" init --size 64M 2>/dev/null
"$BOUGH" set k one
"$BOUGH" -b gone set k two
same "$("$BOUGH" stats --live | sed -n 's/^\(live\|garbage\)-objects\t//p' | tr '\n' ' ')" '6 0 ' 'all lives'
"$BOUGH" branch -d gone
"$BOUGH" reflog --expire 0 >/dev/null
same "$("$BOUGH" stats --live | sed -n 's/^\(live\|garbage\)-objects\t//p' | tr '\n' ' ')" '3 3 ' 'what a gc would drop'
export BOUGH_STORE=$W/s.img

# --- repair
rc=0
"$BOUGH" repair s.img new.img >out 2>err || rc=$?
same "$rc" 8 'repair: what was lost shows in the exit code'
has "$(cat err)" '3 refs were damaged, 3 values are lost' 'repair: the sum'
same "$(sort out)" "cut refs/heads/main
cut refs/heads/old
cut refs/heads/young
lost @old:/a/b2/c
lost @old:/a/b3/c
lost @young:/a/b3/c" 'repair: what was cut and lost'
export BOUGH_STORE=$W/new.img
same "$("$BOUGH" fsck 2>&1)" '' 'the new store is good'
same "$("$BOUGH" get a/b2/c)" 'another value in its place' 'a whole value of a branch whose history was damaged'
same "$("$BOUGH" ls -R @old:)" $'/a/\n/a/b1/\n/a/b1/c' 'a damaged branch without what was lost'
same "$("$BOUGH" ls -R @young:)" $'/a/\n/a/b1/\n/a/b1/c\n/a/b2/\n/a/b2/c' 'another'
"$BOUGH" convert "$W/new.img" git:g.git 2>/dev/null
same "$(git -C g.git fsck --strict 2>&1 | grep -v ^dangling)" '' 'git fsck of the repaired store'
same "$(git -C g.git log --format=%s main | head -1)" 'Salvage what can be read' 'what was salvaged is a commit'
same "$(git -C g.git rev-parse main~1)" "$(git -C g.git rev-parse old)" 'on top of the newest whole one'

# A tip that cannot be read: its parents are found.
export BOUGH_STORE=$W/t.img
"$BOUGH" init --size 64M 2>/dev/null
"$BOUGH" set k one
"$BOUGH" set k two
before=$("$BOUGH" log -n 1 | head -1 | cut -d' ' -f2)
"$BOUGH" -m 'a message that is to be spoiled' set k three
for i in 1 2; do "$BOUGH" -b other set k $i; done # a frame that is damaged at the very end was never finished
spoil t.img 'a message that is to be spoiled'
rc=0
"$BOUGH" repair t.img tnew.img >out 2>/dev/null || rc=$?
same "$rc" 8 'repair: a lost tip'
same "$(cat out)" "lost refs/heads/main
found refs/found/$before" 'a line of commits without its end is found'
export BOUGH_STORE=$W/tnew.img
same "$("$BOUGH" get "@refs/found/$before:k")" 'two' 'and can be read'

# --- damage to what leads to objects: repair goes past it

export BOUGH_STORE=$W/u.img
"$BOUGH" init --size 32M 2>/dev/null
for i in {1..60}; do echo "set a/$i/x value-$i"; done | "$BOUGH" batch -
for i in {1..8}; do "$BOUGH" branch "b$i"; done
"$BOUGH" gc --prune now >/dev/null # which makes tables
"$BOUGH" -b gone set k 'only the log of a branch names this'
"$BOUGH" -b next set k 1
for i in {1..8}; do "$BOUGH" -b "c$i" set late "$i"; done

# what IMG: all that can be read of its branches
what() {
    "$BOUGH" -s "$1" branch | sed 's/^..//' | while read -r name _; do
        echo "$name $("$BOUGH" -s "$1" digest "@$name:")"
    done
}

# blocks IMG KIND: where blocks of tables lie (docs/format.md 7); frames IMG: where frames begin, by sequence
blocks() {
    python3 - "$@" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
for at in range(0, len(data), 4096):
    b = data[at:at + 4096]
    crc, _, _, rows, kind = struct.unpack('<IIIHH', b[:16])
    if kind == int(sys.argv[2]) and rows > 0 and crc == zlib.crc32(b[4:]):
        print(at)
END
}
frames() {
    python3 - "$@" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
found = []
for at in range(0, len(data), 4096):
    b = data[at:at + 96]
    if b[:4] == b'BgFr' and struct.unpack('<I', b[4:8])[0] == zlib.crc32(b[8:]):
        found.append((struct.unpack('<Q', b[32:40])[0], at))
print('\n'.join(str(at) for _, at in sorted(found)))
END
}
flip() { # IMG AT: one bit of that byte
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(int(sys.argv[2])); f.write(bytes([b ^ 4]))' "$@"
}
# mended NAME IMG: fsck and repair say that it is damaged, and the new store, which is good, becomes new.img
mended() {
    rc=0
    "$BOUGH" -s "$2" fsck >out 2>&1 || rc=$?
    same "$rc" 8 "$1: fsck"
    rm -f new.img
    rc=0
    "$BOUGH" repair "$2" new.img >told 2>err || rc=$?
    same "$rc" 8 "$1: repair"
    same "$("$BOUGH" -s new.img fsck 2>&1)" '' "$1: the new store"
}

all=$(what u.img)
at=$(blocks u.img 1 | tail -n 1)
cp u.img v.img && flip v.img $((at + 300))
refuse 'a block of an oid table' 'corrupt' "$BOUGH" -s v.img export / "dir:$W/nowhere"
mended 'a block of an oid table' v.img
same "$(what new.img)" "$all" 'its objects are found without it'
at=$(blocks u.img 3 | tail -n 1)
cp u.img v.img && flip v.img $((at + 300))
mended 'a block of a ref table' v.img
same "$(comm -13 <(sort <<<"$all") <(what new.img | sort))" '' 'refs that are left are as they were'
same "$(what new.img | grep -c "^c")" 8 'those that came later are there'

# In the middle of the log: what was acknowledged later is read again.
at=$(frames u.img | tail -n 6 | head -n 1)
cp u.img v.img && flip v.img $((at + 40))
has "$("$BOUGH" -s v.img ls 2>&1 >/dev/null)" 'warning: the log is damaged' 'who reads is told'
refuse 'who writes' 'bough repair v.img NEW' "$BOUGH" -s v.img set k 1
mended 'a frame in the log' v.img
has "$(cat err)" 'the log is damaged below what was acknowledged' 'repair says why'
same "$(comm -13 <(sort <<<"$all") <(what new.img | sort))" '' 'nothing else came'
same "$(($(what u.img | wc -l) - $(what new.img | wc -l) <= 1))" 1 'one write is lost at the most'
same "$("$BOUGH" -s new.img get @c8:late)" 8 'the last write is there'

# A file that was cut.
cp u.img v.img && truncate -s 20M v.img
refuse 'a store that is cut' 'shorter than its store' "$BOUGH" -s v.img get k
mended 'a store that is cut' v.img
same "$(what new.img)" "$all" 'where only free space was cut off'

refuse 'a store that is cut: how much' '20971520 bytes, and the superblock says 33554432' "$BOUGH" -s v.img get k
# Where no checkpoint is left, what its frames have.
cp u.img v.img && truncate -s 300K v.img
mended 'a store without its checkpoints' v.img
has "$(cat out)" 'no checkpoint is whole; what frames of the log have was taken' 'its frames are read'
for size in 9K; do # not even a frame
    cp u.img v.img && truncate -s $size v.img
    for verb in 'get k' fsck; do
        # shellcheck disable=SC2086
        refuse "$verb of $size" 'shorter than its store' "$BOUGH" -s v.img $verb
    done
    refuse "repair of $size" "$(stat -c %s v.img) bytes, and the superblock says 33554432" "$BOUGH" repair v.img none.img
done

# --- superblocks

# zero IMG AT N: N bytes of it
zero() { dd if=/dev/zero of="$1" bs=512 seek=$(($2 / 512)) count=$(($3 / 512)) conv=notrunc status=none; }
zone=$(python3 -c 'import struct, sys; d = open(sys.argv[1], "rb").read(65536); at = d.find(b"BOUGH\r\n"); print(struct.unpack("<I", d[at + 52:at + 56])[0])' u.img)
for ring in 0 "$zone"; do
    cp u.img v.img && zero v.img "$ring" 32768
    mended "the ring at $ring" v.img
    same "$(grep -c 'a superblock is missing; the others are in use: byte ' out)" 8 'each of its superblocks is named'
    same "$(what new.img)" "$all" 'nothing is lost with it'
    has "$("$BOUGH" -s v.img -b c1 set late one 2>&1)" 'they are written anew' 'who writes mends it, and says so'
    same "$("$BOUGH" -s v.img fsck 2>&1)" '' 'and it is mended'
done
cp u.img v.img && zero v.img 0 32768 && zero v.img "$zone" 32768
refuse 'no superblock at all' 'bough fsck' "$BOUGH" -s v.img get k
mended 'both rings' v.img
has "$(cat out)" 'no superblock is left; a checkpoint was found without one' 'both rings: fsck says so'
same "$(what new.img)" "$all" 'both rings: all is found by its checkpoints and frames'
head -c 3000000 /dev/urandom >noise.img
refuse 'repair of what is no store' 'nothing of one is found in it' "$BOUGH" repair noise.img none.img

# --- the end of the log, after a clean end
at=$(frames u.img | tail -n 1)
cp u.img v.img && zero v.img "$at" 65536
refuse 'a torn end: who writes' 'bough repair v.img NEW' "$BOUGH" -s v.img set k 1
mended 'a torn end' v.img
has "$(cat out)" 'the log is damaged below what was acknowledged' 'a torn end is noticed'
same "$(what new.img)" "$(grep -v '^c8 ' <<<"$all")" 'a torn end: all but the last write is there'

# --- as JSON
cp u.img v.img && flip v.img "$(blocks u.img 1 | tail -n 1)"
same "$("$BOUGH" -s u.img fsck --json | python3 -c 'import json, sys; print(json.load(sys.stdin))')" "{'findings': [], 'count': 0}" 'JSON of a good store'
"$BOUGH" --json -s v.img fsck >out 2>/dev/null
same "$(python3 -c 'import json; d = json.load(open("out")); f = d["findings"][0]; print(d["count"] == len(d["findings"]), f["kind"], f["what"], f["where"].split()[0])')" \
    'True structure a block of an oid table cannot be read block' 'JSON of a damaged one'
"$BOUGH" -s s.img fsck --json >out 2>/dev/null
same "$(python3 -c 'import json, collections; d = json.load(open("out")); print(sorted(collections.Counter(f["kind"] for f in d["findings"]).items()), [f["path"] for f in d["findings"] if f["kind"] == "lost"])')" \
    "[('damaged', 2), ('lost', 3), ('ref', 3), ('structure', 2)] ['a/b2/c', 'a/b3/c', 'a/b3/c']" 'JSON: objects, refs and paths'
rm -f new.img; rc=0; "$BOUGH" repair --json s.img new.img >out 2>/dev/null || rc=$?
same "$rc" 8 'repair --json: exit code'
same "$(python3 -c 'import json; d = json.load(open("out")); print(d["refs_damaged"], d["values_lost"], sorted(f["key"] for f in d["findings"] if f["kind"] == "lost"), [f["ref"] for f in d["findings"] if f["kind"] == "cut"])')" \
    "3 3 ['/a/b2/c', '/a/b3/c', '/a/b3/c'] ['refs/heads/main', 'refs/heads/old', 'refs/heads/young']" 'repair --json: what was cut and lost'

# An object that is not there is damage, not a key that is not there.
"$BOUGH" init git:m.git >/dev/null 2>&1
"$BOUGH" -s git:m.git set a/b/c 'the value that goes missing'
"$BOUGH" -s git:m.git set x/y/z 'a value whose folder goes missing'
for key in a/b/c x/y; do
    id=$("$BOUGH" -s git:m.git digest "$key")
    [ -f "m.git/objects/${id:0:2}/${id:2}" ] || git -C m.git unpack-objects -q < <(cat m.git/objects/pack/*.pack) # loose ones can be taken out
    rm -f "m.git/objects/${id:0:2}/${id:2}" m.git/.git/objects/"${id:0:2}/${id:2}"
done
for verb in 'get a/b/c' 'ls x/y' 'get x/y/z' 'get x/y/q' dump; do
    rc=0
    # shellcheck disable=SC2086
    "$BOUGH" -s git:m.git $verb >out 2>err || rc=$?
    same "$rc" 8 "$verb, which is missing: exit code ($(cat err))"
    has "$(cat err)" 'an object is missing' "$verb, which is missing"
done

# Logs of refs go along.
"$BOUGH" init --size 16M w.img 2>/dev/null
for v in 1 2 3; do "$BOUGH" -s w.img set k "value $v of the key"; done
"$BOUGH" -s w.img -b other set o 'a value that is spoiled'
serve w.img
works 'another history' bash -c "git clone -q $URL w 2>&1 && cd w && git reset -q --hard HEAD~2 && echo 9 >k && git commit -qam nine && git push -qf origin main"
stop
spoil w.img 'a value that is spoiled'
mended 'a store with logs' w.img
same "$("$BOUGH" -s new.img reflog main | cut -d' ' -f2-)" "$("$BOUGH" -s w.img reflog main | cut -d' ' -f2-)" 'logs of refs'
same "$("$BOUGH" -s new.img get @main@{1}:k)" 'value 3 of the key' 'and what only they name'
# --- repair of a store whose collection was interrupted, and beside one that runs

export BOUGH_STORE=$W/c.img
"$BOUGH" init --size 64M
for v in 1 2 3; do
    for i in $(seq 400); do printf 'set f/%d/%d version-%d-of-value-%0200d\n' $((i % 20)) $i $v $((i * v)); done | "$BOUGH" batch -
done
"$BOUGH" branch other && "$BOUGH" -b other set lost/one 'the one value that is lost'
"$BOUGH" dump >want
"$BOUGH" keep main 2
for wait in 0.005 0.01 0.02 0.04 0.08 0.16; do
    cp c.img cut.img
    { timeout -s KILL "$wait" "$BOUGH" -s cut.img gc --aggressive --prune now; } >/dev/null 2>&1
    spoil cut.img 'the one value that is lost'
    rc=0; rm -f new.img; "$BOUGH" repair cut.img new.img >out 2>err || rc=$?
    same "$rc" 8 "repair after $wait seconds of gc"
    same "$("$BOUGH" -s new.img fsck 2>&1)" '' "what is repaired after $wait seconds of gc is good"
    same "$("$BOUGH" -s new.img dump | diff - want | head -n 3)" '' "and has all but what was lost, after $wait seconds"
done
spoil c.img 'the one value that is lost'
serve "$W/c.img"
redis-cli -p "$RP" git.gc aggressive >/dev/null
refuse 'repair beside a collection of a daemon' "locked by pid $PID" "$BOUGH" repair c.img new2.img
stop
rc=0; "$BOUGH" repair c.img new2.img >out 2>err || rc=$?
same "$rc" 8 'repair after it'
same "$("$BOUGH" -s new2.img dump | diff - want | head -n 3)" '' 'what is repaired after it'
sum
