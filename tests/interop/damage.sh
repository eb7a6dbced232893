#!/bin/bash
# damage.sh - stretches of a device are damaged at random: no answer is wrong, fsck notices, repair saves the rest.
#
# Goal: whatever is lost of a store (superblocks, checkpoints, tables, frames, packs, bitmaps, the index of history, the end
# of the file), each read gives what was written or fails with a word, `bough fsck` ends as documented and names
# something when a read failed, and `bough repair` makes a good store with all that could be read, and names what it lacks.
# Method: one store with all of these is made; tests/lib/damage.py spoils copies of it, a seed each (SEED, COUNT; LONG=1: 600).
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
export BOUGH_STORE=$W/s.img GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
mkdir history

# state: what the branches are now is an answer that may be given later
N=0
state() {
    local name
    for name in $("$BOUGH" branch | cut -c3- | cut -f1); do
        N=$((N + 1))
        "$BOUGH" dump "$name" >"history/$N"
    done
}
# many PREFIX N TEXT: so many values in one commit
many() { for ((i = 0; i < $2; i++)); do echo "set $1/$((i % 7))/$i $3-of-$i"; done; }

"$BOUGH" init --size 16M 2>/dev/null
many a 2000 first | "$BOUGH" batch -
state
many a 300 second | "$BOUGH" -b main batch -
state
head -c 200000 /dev/urandom | base64 -w 0 | "$BOUGH" set big/text
state
"$BOUGH" keep main all
"$BOUGH" branch old
"$BOUGH" gc --prune now --aggressive >/dev/null # packs of its own making, one table, bitmaps
for v in 1 2 3; do
    many b 40 "round-$v" | "$BOUGH" -b old batch -
    state
done
# A push: a pack that is adopted, and history for its index.
serve "$W/s.img"
git clone -q "$URL" pushed 2>/dev/null
(
    cd pushed || exit 1
    git checkout -q -b pushed
    for v in {1..60}; do
        echo "value $v of the pushed file" >pushed.txt
        echo "$v" >"p$((v % 9))"
        git add -A
        git commit -q -m "push $v"
    done
    git push -q origin pushed
) >push.log 2>&1 || bad "push: $(tail -n 2 push.log)"
stop
state
"$BOUGH" fsck --rebuild-index
for v in {1..12}; do "$BOUGH" branch "t$v"; done
"$BOUGH" -b t3 set only/here 'a value of one branch'
state
"$BOUGH" -b t4 rm a/1
state
# A journal: what was acknowledged and is not in a commit when the daemon is killed; the next mount knows of it.
serve "$W/s.img"
redis-cli -p "$RP" set journal/1 'in the journal' >/dev/null
crash
"$BOUGH" -b t5 set after/crash 'a mount later'
state
"$BOUGH" set last/one 'the last write of all'
state
same "$("$BOUGH" fsck 2>&1)" '' 'the store is good to begin with'

count=${COUNT:-12}
[ -z "${LONG:-}" ] || count=${COUNT:-600}
python3 "$ROOT/tests/lib/damage.py" "$BOUGH" "$W/s.img" "$W/history" "$W" "${SEED:-1}" "$count" >rounds 2>&1
grep -v ' passed, ' rounds
read -r p _ f _ < <(tail -n 1 rounds)
case $p$f in *[!0-9]*) bad "damage.py: $(tail -n 3 rounds)" ;; *) PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) ;; esac
sum
