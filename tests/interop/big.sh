#!/bin/bash
# big.sh - a value far larger than what the daemon may hold in memory.
#
# Goal: one blob of 100 MB (500 MB with LONG=1) is pushed, fetched, SET, and read in pieces, while the daemon's
# memory stays under 64 MB.  Method: random bytes, which do not compress; the peak of the
# daemon's own memory, sampled from /proc while it works and after each step; every byte compared.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77
MB=100
[ -z "${LONG:-}" ] || MB=500
LIMIT_MB=64 # and the caches are part of it

head -c $((MB << 20)) /dev/urandom >"$W/big"
want=$(git_id "$W/big")
"$BOUGH" init --size $((MB * 6))M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
PEAK=0
(   # the most private memory ever seen, in kB
    most=0
    while now=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$PID/status" 2>/dev/null) && [ -n "$now" ]; do
        [ "$now" -le "$most" ] || { most=$now && echo "$most" >"$W/peak.new" && mv "$W/peak.new" "$W/peak"; }
        sleep 0.02
    done
) &
WATCH=$!
step() { # step NAME: the peak until now
    local now
    sleep 0.05
    now=$(($(cat "$W/peak") / 1024))
    echo "$1: $now MB"
    [ "$now" -lt "$LIMIT_MB" ] && ok || bad "$1: the daemon held $now MB"
}

git init -q "$W/in"
git -C "$W/in" config core.bigFileThreshold 1m # git itself need not try hard
git -C "$W/in" config core.compression 0
cp "$W/big" "$W/in/big" && echo small >"$W/in/small"
git -C "$W/in" add -A && git -C "$W/in" commit -q -m big
works 'git push' git -C "$W/in" push -q "$URL" main
step 'git push'
same "$(rcli git.oid big)" "$want" 'the id after the push'
same "$(rcli strlen big)" $((MB << 20)) STRLEN
works 'git clone' git -c core.bigFileThreshold=1m clone -q "$URL" "$W/out"
step 'git clone'
cmp -s "$W/big" "$W/out/big" && ok || bad 'the clone has other bytes'
works 'git clone over http' git -c core.bigFileThreshold=1m clone -q --no-checkout "http://127.0.0.1:$HP/store.git" "$W/outh"
step 'git clone over http'
same "$(git -C "$W/outh" rev-parse HEAD:big)" "$want" 'the id over http'
rm -rf "$W/outh" "$W/out/big"

printf x >>"$W/big"
want=$(git_id "$W/big")
same "$(rcli -x set set/big <"$W/big")" OK SET
step SET
same "$(rcli git.oid set/big)" "$want" 'the id after SET'
for at in 0 1 65535 $((MB << 19)) $(((MB << 20) - 100)); do
    rcli getrange set/big "$at" $((at + 99999)) >"$W/part"
    cmp -s <(head -c -1 "$W/part") <(tail -c +$((at + 1)) "$W/big" | head -c 100000) && ok || bad "GETRANGE from $at"
done
step GETRANGE
rcli get set/big | head -c $(((MB << 20) + 1)) | cmp -s - "$W/big" && ok || bad 'GET'
step GET
rcli get set/big | head -c 1000 >/dev/null # a reader that goes away
same "$(rcli ping)" PONG 'the daemon lives on'
same "$(rcli setrange set/big 5 HELLO 2>&1)" $(((MB << 20) + 1)) SETRANGE
same "$(rcli getrange set/big 4 10 | tail -c +2 | head -c 5)" HELLO 'what SETRANGE wrote'
step SETRANGE
works 'git fetch of what SET wrote' git -C "$W/out" -c core.bigFileThreshold=1m fetch -q
step 'git fetch'
kill "$WATCH" 2>/dev/null
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck
printf %s "$("$BOUGH" -s "$W/s.img" digest big)" >"$W/id"
same "$(cat "$W/id")" "$(git -C "$W/in" rev-parse HEAD:big)" 'the id from the program'
"$BOUGH" -s "$W/s.img" get big | cmp -s - "$W/in/big" && ok || bad 'bough get'
sum
