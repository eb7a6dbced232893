#!/bin/bash
# full.sh - who finds no room is told what gc would free, or gets it.
#
# Goal: the program, the daemon and a push say it in the same words, with a figure that is right within a tenth; a value that
# is streamed gets the room at once.  Method: three megabytes of garbage on a device of eight, then what needs their room.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
head -c 3000000 /dev/urandom >first
head -c 4500000 /dev/urandom >second
mkdir many
split -b 4000 second many/

# told NAME TEXT: it has a figure about as large as the garbage is
told() {
    local n
    has "$2" 'the device is full' "$1"
    n=$(sed -n 's/.*gc.* would free up to \([0-9]*\) bytes.*/\1/p' <<<"$2")
    [ "${n:-0}" -gt 2700000 ] && [ "${n:-0}" -lt 3300000 ] && ok || bad "$1: $2"
}
# garbage STORE: an empty one, but for what gc would free
garbage() {
    export BOUGH_STORE=$1
    "$BOUGH" init --size 8M 2>err
    "$BOUGH" set a <first
    "$BOUGH" rm a
    "$BOUGH" keep main 1
}

garbage "$W/one.img"
rc=0; "$BOUGH" import dir:many 2>err || rc=$?
same "$rc" 1 'no space: exit code'
told 'bough import' "$(cat err)"
"$BOUGH" gc --prune now 2>err
rc=0; "$BOUGH" import dir:many 2>err || rc=$?
same "$rc" 0 'after gc there is room'
"$BOUGH" gc --prune now 2>err # what the import did not fill of its zones
rc=0; "$BOUGH" set c <first 2>err || rc=$?
same "$rc" 1 'no space, and nothing to free: exit code'
has "$(cat err)" 'gc would free nothing' 'no space, and nothing to free'
rc=0; "$BOUGH" fsck 2>err || rc=$?
same "$rc" 0 'a good store'

garbage "$W/two.img"
rc=0; "$BOUGH" set b <second 2>err || rc=$?
same "$rc" 0 'a stream gets the room that gc gives'
same "$("$BOUGH" get b | cmp - second && echo same)" same 'what was set then'
rc=0; "$BOUGH" fsck 2>err || rc=$?
same "$rc" 0 'a good store after it'

# --- who is full removes, keeps less and collects

export BOUGH_STORE=$W/four.img
"$BOUGH" init --size 8M 2>err
head -c 60000 /dev/urandom >piece
for i in $(seq 200); do
    "$BOUGH" set "big/$((i % 10))" <piece 2>err || break
    head -c 60000 /dev/urandom >piece
done
has "$(cat err)" 'no space' 'filled'
rc=0; "$BOUGH" mv big/1 big/x 2>err || rc=$?
case $rc in 0) ok ;; *) has "$(cat err)" 'no space' 'a rename says why' ;; esac
for i in 2 3 4; do
    rc=0; "$BOUGH" rm "big/$i" 2>err || rc=$?
    same "$rc" 0 "rm $i: $(cat err)"
done
"$BOUGH" branch x main && "$BOUGH" branch -d x
"$BOUGH" keep main 2
x=$("$BOUGH" gc --prune now) # within the second in which x went
n=$(sed -n 's/.* dropped \([0-9]*\);.*/\1/p' <<<"$x")
[ "${n:-0}" -gt 300 ] && ok || bad "gc of a full store: $x"
rc=0; "$BOUGH" set big/2 <piece 2>err || rc=$?
same "$rc" 0 'then there is room'
rc=0; "$BOUGH" fsck 2>err || rc=$?
same "$rc" 0 'a good store after that'

# --- again and again, on the smallest store there is use for: commits of a granule, as many as fit

export BOUGH_STORE=$W/five.img
"$BOUGH" init --size 1M 2>err
n=0
for round in 1 2 3; do
    from=$n
    while head -c 100 /dev/urandom | "$BOUGH" set "f/k$((n % 90))" 2>err; do
        n=$((n + 1))
        [ $((n - from)) -lt 400 ] || break
    done
    [ $((n - from)) -ge 100 ] && ok || bad "round $round: $((n - from)) commits: $(cat err)"
    rc=0; "$BOUGH" rm "f/k$(((n - 1) % 90))" 2>err || rc=$?
    same "$rc" 0 "rm on a full small store: $(cat err)"
    rc=0; "$BOUGH" keep main 10 2>err || rc=$?
    same "$rc" 0 "keep on a full small store: $(cat err)"
    x=$("$BOUGH" gc --prune now 2>err) || bad "gc of a full small store: $(cat err)"
    [ "$(sed -n 's/.*, \([0-9]*\) are now/\1/p' <<<"$x")" -lt 530000 ] && ok || bad "gc of a small store: $x"
    "$BOUGH" keep main all
done
rc=0; "$BOUGH" fsck 2>err || rc=$?
same "$rc" 0 'a good small store'

garbage "$W/three.img"
unset BOUGH_STORE
serve "$W/three.img"
x=$(PYTHONPATH=$ROOT/tests/lib python3 - "$RP" 2>&1 <<'PY'
import glob
import sys
from wire import Redis, RedisError

r = Redis(int(sys.argv[1]))
words = ['MSET']
for i, name in enumerate(sorted(glob.glob('many/*'))):
    words += [f'k{i}', open(name, 'rb').read()]
for _ in range(2):
    try:
        print(r.call(*words).decode())
    except RedisError as e:
        print(e)
PY
)
has "$x" NOSPACE 'the word of a full device'
told MSET "$(head -1 <<<"$x")"
same "$(tail -1 <<<"$x")" OK 'MSET again'
stop
sum
