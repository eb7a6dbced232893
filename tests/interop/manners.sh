#!/bin/bash
# manners.sh - what the program says to who is new to it.
#
# Goal: every verb tells its usage; flags stand anywhere; a daemon's retention is set and seen.
# Method: each call's exit code and message.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
export BOUGH_STORE=$W/s.img

# ends CODE PART WORD...: `bough WORD...` ends with CODE and says PART, on stdout for 0, else on stderr
ends() {
    local code=$1 part=$2 rc=0
    shift 2
    timeout 20 "$BOUGH" "$@" >out 2>err </dev/null || rc=$?
    same "$rc" "$code" "exit code of: $* ($(head -c 200 err))"
    if [ "$rc" = 0 ]; then has "$(cat out)" "$part" "output of: $*"; else has "$(cat err)" "$part" "message of: $*"; fi
}

# --- help

verbs=$("$BOUGH" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
for v in $verbs; do
    ends 0 "usage: bough [-s STORE] $v" "$v" --help
    same "$(cat err)" '' "silence of $v --help"
    ends 0 "usage: bough [-s STORE] $v" "$v" some words -h
    case $v in git) continue ;; esac
    ends 2 "bough: $v: unknown flag --nope" "$v" --nope
    ends 2 "usage: bough $v" "$v" --nope
done
same "$(ls)" "$(printf 'err\ngitconfig\nout')" 'asking for help made nothing'

# --- flags behind words, and what ends flags

ends 0 '' init "$W/s.img" --size 1M
same "$(stat -c %s s.img)" 1048576 'a size behind the store'
ends 0 '' set a --create 1
ends 4 '' set a 2 --create
ends 4 '' set a --if-digest=none 2
ends 0 '' set a 2 -x
ends 0 '100755' ls / -l
ends 2 'unknown flag -5' set b -5
has "$(cat err)" 'behind --' 'what to do about it'
ends 0 '' set -- b -5
ends 0 -5 get b
ends 0 '' set c -- --help
ends 0 '--help' get -- c
ends 0 '' set -- -odd 1
ends 2 'unknown flag -odd' rm -odd
ends 0 '' rm -- -odd c
ends 1 'c: not found' get c
ends 0 '2 changes' log / -n 1 --oneline --
ends 2 '-s stands before the verb: bough -s' get a -s "$W/s.img"
ends 0 '' branch topic
ends 0 '' branch topic -d
ends 0 '' gc --prune now
ends 0 '' keep main 20 --
ends 0 20 keep main
ends 2 'takes no words' fsck "$W/s.img"
ends 2 'takes no words' stats "$W/s.img"

# --- a dry run is dry

before=$(sha256sum <s.img)
ends 0 'would keep' gc --dry-run
has "$(cat out)" 'drop' 'a dry run tells'
ends 0 'would keep' gc -n --prune now --keep 1
ends 0 'would keep' gc --dry-run --aggressive
ends 0 'garbage-objects' stats --live
same "$(sha256sum <s.img)" "$before" 'dry runs leave every byte alone'
ends 0 'collects	yes' stats
FLAGS='' serve s.img
for i in 1 2 3; do rcli SET dry/$i $i >/dev/null; done
crash # with a journal
before=$(sha256sum <s.img)
ends 0 'would keep' gc --dry-run --prune now
same "$(sha256sum <s.img)" "$before" 'nor do they fold what a journal holds'
for kind in git lmdb; do
    ends 0 '' init $kind:$kind.d
    ends 0 '' -s $kind:$kind.d set a 1
    before=$(tar c --exclude='lock*' $kind.d | sha256sum)
    ends 0 '' -s $kind:$kind.d gc --dry-run
    has "$(cat err)" 'nothing is dropped' "gc says so of $kind:"
    ends 0 'collects	no' -s $kind:$kind.d stats
    same "$(tar c --exclude='lock*' $kind.d | sha256sum)" "$before" "nor do they change $kind:"
    rm -rf $kind.d
done

# --- what a store is like

ends 0 "$(printf 'history-indexed\t')" stats
ends 0 "$(printf 'space-amplification-percent\t')" stats --live
for f in live-bytes garbage-bytes cache-bytes page-hits device-read-bytes; do has "$(cat out)" "$f" "stats --live: $f"; done
"$BOUGH" --json stats --live | python3 -c '
import json, sys
s = json.load(sys.stdin)
assert s["engine"] == "log" and s["device_bytes"] == 1048576 and s["live_objects"] <= s["objects"], s
assert s["space_amplification_percent"] == s["used_bytes"] * 100 // s["live_bytes"], s
' && ok || bad 'stats --json'
refuse 'larger than a file can be' 'cannot have that size' "$BOUGH" init --size 16777215T large.img
same "$(ls large.img 2>/dev/null)" '' 'and nothing made'
mkdir bench
"$BOUGH" --json bench --keys 500 bench | python3 -c '
import json, sys
rows = {r["work"]: r for r in map(json.loads, sys.stdin)}
assert set(rows) == {"import", "get", "commit", "journal", "batch", "open"}, rows
assert all(r["count"] > 0 and 0 < r["p50_us"] <= r["p99_us"] for r in rows.values()), rows
' && ok || bad 'bench --json'
same "$("$BOUGH" bench --keys 500 bench | wc -l) $(ls bench)" '7 ' 'bench, and nothing left of it'
refuse 'no folder to measure in' 'is not there' "$BOUGH" bench nowhere

# --- few commits are indexed when somebody asks for it

ends 0 '' set folded 1 # what the journal held becomes a commit
n=$("$BOUGH" log --oneline | wc -l)
ends 0 "history-indexed	0 of $n commits" stats
before=$("$BOUGH" log k; "$BOUGH" stat b; "$BOUGH" stat dry)
ends 0 '' fsck --rebuild-index
ends 0 "history-indexed	$n of $n commits" stats
same "$("$BOUGH" log k; "$BOUGH" stat b; "$BOUGH" stat dry)" "$before" 'answers are the same'
ends 0 '' fsck

# --- mistakes of every day: what, why, and what to do

at() { # CODE PARTS STORE WORD...: each of the PARTS, parted by |, is in the message
    local code=$1 parts=$2 store=$3 part
    shift 3
    ends "$code" '' -s "$store" "$@"
    while read -r -d '|' part; do has "$(cat err)" "$part" "message of: -s $store $*"; done <<<"$parts|"
}
mkdir -p folder
at 3 'nowhere.img|no such store|bough init nowhere.img' nowhere.img get a
at 3 'folder|git:folder|lmdb:folder' folder get a
at 3 'git:folder|no git repository' git:folder get a
at 3 'lmdb:folder|no LMDB store' lmdb:folder get a
at 3 'redis://host|redis-cli' redis://host get a
at 1 'no/x.img|the folder' no/x.img init
at 1 'tiny.img|512K' tiny.img init --size 10K
works 'nothing was left' test ! -e tiny.img
at 1 's.img: already exists' s.img init
at 1 'zz: not found' s.img get zz
at 1 'dry: value expected|bough ls' s.img get dry
at 1 'dry: value expected|bough ls' s.img set dry 1
at 1 'b: dictionary expected|bough get' s.img ls b
at 1 '/b: dictionary expected|bough get' s.img set b/c 1
at 2 '.git/x: invalid key|.git' s.img set .git/x 1
at 1 'nope: no such branch|bough branch' s.img -b nope get b
at 1 'nope: not found|unknown revision' s.img get @nope:b
at 1 'main~99|no such parent' s.img get @main~99:b
at 1 'nope: not found|unknown revision' s.img branch other nope
at 2 'a..b|two dots' s.img -b a..b set k 1
at 1 'nofile: No such file' s.img batch nofile
at 1 'nofile: No such file' s.img load nofile
at 1 '/nowhere: not found' s.img import dir:/nowhere
at 2 'cannot be the damaged one' s.img repair x.img x.img
head -c 300000 s.img >cut.img
at 8 'cut.img|shorter than its store' cut.img get b
cp s.img rot.img
serve s.img
at 9 "s.img: locked by pid $PID|daemon" s.img get b
at 9 "s.img: locked by pid $PID|daemon" s.img set b 1
"$BOUGH" init other.img --size 1M 2>/dev/null
at 9 "127.0.0.1:$RP|already in use" other.img serve --redis "$RP" --git 0 --http 0
stop
as=()
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
cp "$BOUGH" other.img "$W"/ 2>/dev/null
chmod 755 "$W" && chmod 444 other.img
if "${as[@]}" test ! -w other.img; then
    refuse 'a store that may only be read' 'cannot be opened for writing' "${as[@]}" "$W/bough" -s "$W/other.img" set a 1
    works 'it is read' "${as[@]}" "$W/bough" -s "$W/other.img" ls
    works 'and tried' "${as[@]}" "$W/bough" -s "$W/other.img" gc --dry-run
    chmod 000 other.img
    refuse 'one that may not' 'cannot be opened for reading' "${as[@]}" "$W/bough" -s "$W/other.img" ls
fi
chmod 644 other.img
head -c 3000000 /dev/urandom >large
refuse 'a full device' 'no space left' "$BOUGH" -s other.img set large -- <large
works 'is read' "$BOUGH" -s other.img ls

# --- a daemon's retention

FLAGS='--keep 30d --keep main=3 --keep=tmp/*=1,2d' serve "$W/s.img"
same "$(rcli GIT.KEEP main)" 3 'of a branch'
same "$(rcli GIT.KEEP tmp/x)" 1,2d 'of those that fit a pattern'
same "$(rcli GIT.KEEP other)" 30d 'of all others'
has "$(rcli INFO upkeep)" keep_policies:3 'their number'
for i in 1 2 3; do rcli SET k "$i" >/dev/null; done
rcli GIT.LOG LIMIT 1 >/dev/null # what is in the journal becomes a commit now, not behind the collection's back
rcli GIT.GC PRUNE 0 >/dev/null
for _ in {1..100}; do
    case "$(rcli GIT.GC STATUS | tr '\n' ' ')" in *'phase idle'*) break ;; esac
    sleep 0.05
done
works 'a clone' git clone -q "$URL" clone
same "$(git -C clone rev-list --count HEAD)" 3 'history that is left'
stop
same "$("$BOUGH" keep main)" 3 'it stays in the store'
serve "$W/s.img"
same "$(rcli GIT.KEEP tmp/x)" 1,2d 'and counts for the next daemon'
stop
ends 2 'BRANCH=POLICY' serve --keep some
ends 2 'BRANCH=POLICY' serve --keep main=
ends 2 'BRANCH=POLICY' serve --keep =3
ends 2 'read-only' serve --keep 3 --read-only

sum
