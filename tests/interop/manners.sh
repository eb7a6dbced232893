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
    same "$(tar c --exclude='lock*' $kind.d | sha256sum)" "$before" "nor do they change $kind:"
    rm -rf $kind.d
done

# --- a daemon's retention

FLAGS='--keep 30d --keep main=3 --keep=tmp/*=1,2d' serve "$W/s.img"
same "$(rcli GIT.KEEP main)" 3 'of a branch'
same "$(rcli GIT.KEEP tmp/x)" 1,2d 'of those that fit a pattern'
same "$(rcli GIT.KEEP other)" 30d 'of all others'
has "$(rcli INFO upkeep)" keep_policies:3 'their number'
for i in 1 2 3; do rcli SET k "$i" >/dev/null; done
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
