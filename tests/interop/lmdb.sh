#!/bin/bash
# lmdb.sh - the program on a store in an LMDB environment.
#
# Goal: what every store does, and what this one is for: many processes read while one writes, each sees each commit; a
# second writer is told who the first is; the map grows; a full disk and a killed daemon cost nothing that was acknowledged.
# Method: a daemon that writes, readers beside it; SIGKILL; a limit on the size of files; `git fsck` of what comes out.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77
b() { "$BOUGH" "$@" 2>&1; }
export BOUGH_STORE=lmdb:$W/s.lmdb

refuse 'before there is one' 'no LMDB store' "$BOUGH" get a
same "$(b init)" "bough: made an empty store in $W/s.lmdb" init
refuse 'init again' 'already exists' "$BOUGH" init
works set "$BOUGH" set config/colour green
works 'set again' "$BOUGH" set config/colour red
same "$(b get config/colour)$(b get @main~1:config/colour)" redgreen get

# --- one writes, many read

serve "$BOUGH_STORE"
refuse 'a second writer' "by pid $PID" "$BOUGH" set a 1
for i in {1..20}; do
    rcli set "n$i" "$i" >/dev/null
    rcli git.head >/dev/null 2>&1 || rcli git.commit >/dev/null 2>&1
done
works 'a clone, which folds' git clone -q "$URL" "$W/clone"
same "$(for i in {1..20}; do echo "$("$BOUGH" get "n$i")" & done | sort -n | tr -d '\n')" \
    "$(for i in {1..20}; do echo "$i"; done | sort -n | tr -d '\n')" 'twenty readers beside the daemon'
rcli set k-last yes >/dev/null
crash
same "$(b get k-last)" yes 'what was acknowledged before a SIGKILL'
works 'a writer after it' "$BOUGH" set after 1
same "$(b fsck)" '' 'our fsck'

# --- what readers that were killed looked at does not keep its room

export BOUGH_STORE=lmdb:$W/r.lmdb
works 'another' "$BOUGH" init
serve "$BOUGH_STORE"
for i in {1..2000}; do echo "set k$((i % 500))/$i $i"; done | rcli >/dev/null
for i in {1..40}; do
    "$BOUGH" fsck >/dev/null 2>&1 &
    sleep "0.0$((2 + i % 4))"
    { kill -9 $! && wait $!; } 2>/dev/null
done
before=$(stat -c %s "$W/r.lmdb/data.mdb")
for i in {1..2500}; do echo "set z$((i % 5)) $i"; done | rcli >/dev/null
grown=$((($(stat -c %s "$W/r.lmdb/data.mdb") - before) >> 20))
[ $grown -lt 50 ] && ok || bad "$grown MiB for 2,500 sets"
stop
same "$(b fsck)" '' 'sound'
export BOUGH_STORE=lmdb:$W/s.lmdb

# --- large values, a map that grows, a disk that is full

head -c 30000000 /dev/urandom >"$W/big"
works 'a big value' "$BOUGH" set big <"$W/big"
works 'comes back' cmp "$W/big" <("$BOUGH" get big)
same "$(b digest big)" "$(git hash-object "$W/big")" 'its id'
before=$("$BOUGH" digest '')
(trap '' XFSZ; ulimit -f 45000; head -c 25000000 /dev/urandom | refuse 'no room' 'space' "$BOUGH" set more; sum) >"$W/full"
has "$(cat "$W/full")" ' 0 failed' "a full disk: $(cat "$W/full")"
same "$(b digest '')" "$before" 'and nothing changed'
works 'room again' "$BOUGH" set more 1
same "$(find "$W/s.lmdb" -name 'tmp_*')" '' 'nothing temporary is left'
works 'into git' "$BOUGH" convert "$BOUGH_STORE" "git:$W/out.git"
works 'git fsck' git -C "$W/out.git" fsck --strict --no-dangling
works 'git reads it' cmp "$W/big" <(git -C "$W/out.git" cat-file blob main:big)

# --- damage

cp -r "$W/s.lmdb" "$W/bad.lmdb"
printf '\377\377\377\377\377\377\377\377' | dd of="$W/bad.lmdb/data.mdb" bs=1 seek=0 conv=notrunc 2>/dev/null
printf '\377\377\377\377\377\377\377\377' | dd of="$W/bad.lmdb/data.mdb" bs=1 seek=16 conv=notrunc 2>/dev/null
refuse 'no environment any more' 'bad.lmdb' "$BOUGH" -s "lmdb:$W/bad.lmdb" get a
sum
