#!/bin/bash
# fsck.sh - a damaged store says what is damaged and whom it concerns.
#
# Goal: fsck is silent on a good store; a damaged value is named with every ref that needs it and the path it has there,
# also where only the history needs it; the rest stays readable.  Method: bytes of values, trees and commits are
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

# spoil TEXT: change a byte of it, wherever it lies
spoil() {
    python3 - "$1" <<'END'
import sys
text = sys.argv[1].encode()
with open('s.img', 'r+b') as f:
    data = f.read()
    at = data.find(text)
    if at < 0:
        sys.exit('not found: ' + sys.argv[1])
    while at >= 0:
        f.seek(at)
        f.write(b'?')
        at = data.find(text, at + 1)
END
}

id2=$("$BOUGH" digest @old:a/b2/c)
id3=$("$BOUGH" digest @young:a/b3/c)
spoil 'the value number 2'
spoil 'the value number 3'
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
sum
