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
sum
