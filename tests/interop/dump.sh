#!/bin/bash
# dump.sh - trees as text (docs/dump.md), and back.
#
# Goal: a text loaded anywhere gives the tree that it was made of, id for id, whatever names, modes and bytes are in it;
# equal trees give equal texts; other programs can read and write the form; what is wrong is refused, and changes nothing.
# Method: a repository with every kind of entry; each engine; git's and python's view of the same; texts bent on purpose.
. "$(dirname "$0")/../lib/serve.sh"
. tests/lib/history.sh
cd "$W" || exit 1
b() { "$BOUGH" "$@" 2>&1; }

input in --bare >/dev/null || { bad 'no input'; sum; }
works 'with a submodule' bash -c "git clone -q in work && cd work && head -c 1000000 /dev/urandom >big && seq 200000 >text && printf '\\0\\1\\377%%' >few && git add . &&
    git update-index --add --cacheinfo 160000,$(printf '%040d' 7),sub/module && git commit -qm more && git push -q"
export BOUGH_STORE=git:in
works dump bash -c "'$BOUGH' dump >in.txt"
same "$(sed -n 2p in.txt)" "tree $(git -C in rev-parse 'main^{tree}')" 'the id it says'
same "$(tail -n 1 in.txt)" "end $(git -C in ls-tree -r -z main | tr -cd '\0' | wc -c)" 'values'
same "$(grep -a ' README ' in.txt)" '100644 5 % README hello' 'a line'
same "$(grep -c '^160000 0 @ ' in.txt)" 1 'a submodule'
same "$(grep ' few ' in.txt)" '100644 4 = few AAH/JQ==' 'base 64'
same "$(LC_ALL=C tr -d '\n\40-\176' <in.txt | wc -c)" 0 'printable, all of it'
same "$(python3 - <<'PY'
import base64, hashlib, subprocess, urllib.parse
bad = 0
for line in open('in.txt', newline='\n').read().split('\n')[2:-2]:
    mode, size, form, path, value = line.split(' ')
    if form == '@':
        continue
    data = base64.b64decode(value) if form == '=' else urllib.parse.unquote_to_bytes(value)
    path = urllib.parse.unquote_to_bytes(path)
    want = subprocess.run([b'git', b'-C', b'in', b'rev-parse', b'main:' + path], capture_output=True).stdout.strip().decode()
    got = hashlib.sha1(b'blob %d\0' % len(data) + data).hexdigest()
    bad += got != want or len(data) != int(size)
print(bad)
PY
)" 0 "python reads it"

for to in a.img git:b.git lmdb:c.lmdb; do
    "$BOUGH" init "$to" 2>/dev/null
    works "load into $to" "$BOUGH" -s "$to" load in.txt
    same "$(b -s "$to" digest '')" "$(git -C in rev-parse 'main^{tree}')" "$to: the same tree"
    works "$to: the same text" cmp in.txt <("$BOUGH" -s "$to" dump)
done
works 'from a pipe, onto a branch' bash -c "'$BOUGH' -s a.img set other 1 && '$BOUGH' -s git:in dump | '$BOUGH' -s a.img -b fresh load -"
same "$(b -s a.img dump fresh | sed -n 2p)" "$(sed -n 2p in.txt)" 'the branch'
works 'over what was there' "$BOUGH" -s a.img load in.txt
same "$(b -s a.img digest '')" "$(git -C in rev-parse 'main^{tree}')" 'nothing of it is left'
same "$(b dump main~2 | sed -n 2p)" "tree $(git -C in rev-parse 'main~2^{tree}')" 'an older one'

# --- the other object format; an empty tree

"$BOUGH" init --object-format sha256 s.img 2>/dev/null
refuse 'a submodule of another kind' 'submodule' "$BOUGH" -s s.img load in.txt
grep -v ' @ ' in.txt | sed "s/^end .*/end $(($(wc -l <in.txt) - 4))/" >plain.txt
works 'sha1 into sha256' "$BOUGH" -s s.img load plain.txt
same "$(b -s s.img dump | sed 1,2d | sha1sum)" "$(sed 1,2d plain.txt | sha1sum)" 'sha256: the same values'
same "$(b -s s.img dump | sed -n 2p | wc -c)" 70 'sha256: its id'
printf 'bough-dump 1\ntree %s\nend 0\n' "$(git hash-object -t tree /dev/null)" >empty.txt
works 'an empty one' "$BOUGH" -s a.img load empty.txt
same "$(b -s a.img dump)" "$(cat empty.txt)" 'is empty'

# --- wrong ones

before=$("$BOUGH" -s lmdb:c.lmdb digest '')
in_new() { rm -f new.img && "$BOUGH" init --size 1M new.img && "$BOUGH" -s new.img "$@"; }
wrong() { # NAME PART: standard input is refused
    refuse "$1" "$2" "$BOUGH" -s lmdb:c.lmdb load -
    same "$("$BOUGH" -s lmdb:c.lmdb digest '')" "$before" "$1: nothing changed"
}
zero=$(printf '%064d' 0)
wrong 'cut between lines' 'cut' < <({ cat in.txt | head -n 20; })
wrong 'cut in a line' 'malformed' < <(head -c 3000 in.txt)
wrong 'another value' 'not the one' < <(sed 's/ README hello/ README hullo/' in.txt)
wrong 'a short value' 'shorter' < <(sed 's/ README hello/ README hell/' in.txt)
wrong 'a long value' 'longer' < <(sed 's/ README hello/ README hello!/' in.txt)
wrong 'no dump' 'not a dump' < <(echo hello)
wrong 'dots' 'not a path' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a/../b x\nend 1\n' "$zero")
wrong 'a .git' 'not a path' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% .git/x x\nend 1\n' "$zero")
wrong 'an empty segment' 'not a path' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a//b x\nend 1\n' "$zero")
wrong 'a mode' 'not a mode' < <(printf 'bough-dump 1\ntree %s\n040000 1 %% a x\nend 1\n' "$zero")
wrong 'an escape' 'followed by' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a %%0g\nend 1\n' "$zero")
wrong 'base 64' 'base 64' < <(printf 'bough-dump 1\ntree %s\n100644 2 = a YW=j\nend 1\n' "$zero")
wrong 'a size' 'number' < <(printf 'bough-dump 1\ntree %s\n100644 99999999999999999999999 %% a x\nend 1\n' "$zero")
wrong 'a NUL in a size' 'number' < <(printf 'bough-dump 1\ntree %s\n100644 1\0 %% a x\nend 1\n' "$zero")
wrong 'more behind the end' 'follows the end' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a x\nend 1\nx' "$zero")
wrong 'a submodule at nothing' 'submodule' < <(printf 'bough-dump 1\ntree %s\n160000 0 @ a %.40s\nend 1\n' "$zero" "$zero")
wrong 'too deep' 'not a path' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a%s x\nend 1\n' "$zero" "$(printf '/a%.0s' {1..2048})")
wrong 'which line: the first' 'line 1' < <(echo hello)
wrong 'which line: the third' 'line 3' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a xy\nend 1\n' "$zero")
line() { printf 'bough-dump 1\ntree %s\n%s\nend 1\n' "$zero" "$1"; }
wrong 'a link called .gitmodules' 'gitmodulesSymlink' < <(line '120000 1 % .gitmodules x')
wrong 'in any disguise' 'gitmodulesSymlink' < <(line '120000 1 % a/b/GITMOD~1 x')
wrong 'a folder called so' 'gitmodulesBlob' < <(line '100644 1 % a/.gitmodules/b x')
wrong 'a submodule called so' 'gitmodulesBlob' < <(line "160000 0 @ .gitmodules $(printf '%040d' 1)")
wrong 'what git refuses in it' 'gitmodulesUrl' < <(line "100644 29 = d/.gitmodules $(printf '[submodule "a"]\n\turl = -ufoo\n' | base64 -w0)")
wrong 'names that lead out of .git/modules' 'gitmodulesName' < <(line "100644 29 = d/.gitmodules $(printf '[submodule "../x"]\n\turl = oo\n' | base64 -w0)")
works 'another link' in_new load - < <(line '120000 1 % .gitignore x')
works 'a good one' in_new load - < <(line "100644 29 = d/.gitmodules $(printf '[submodule "ab"]\n\turl = ..\n\n\n' | base64 -w0)")
wrong 'a count' 'not as many' < <(printf 'bough-dump 1\ntree %s\n100644 1 %% a x\nend 2\n' "$zero")
# --- deep folders of many lines are written before they fill the memory

"$BOUGH" init --size 64M deep.img 2>/dev/null
python3 -c '
print("bough-dump 1\ntree " + "0" * 40)
for i in range(100):
    print("100644 1 %", f"{i}" + "/a" * 2000, "x")
print("end 100")' >deep.txt
works 'zeros for an id, deep folders, little memory' bash -c "ulimit -v 100000; '$BOUGH' -s deep.img load deep.txt"
sum
