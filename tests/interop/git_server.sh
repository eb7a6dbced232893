#!/bin/bash
# git_server.sh - stock git as the client: git://, http:// and stdio.
#
# Goal: whatever git pushes comes back bit by bit with every protocol version; what is wrong is refused with its
# reason and leaves nothing; what Redis acknowledged is in the next fetch.
# Method: a repository with every kind of object and name; mirrors compared by refs and by the ids of all objects;
# pushes made by hand (tests/lib/wire.py) where git itself would not make them.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77
export PYTHONPATH=$ROOT/tests/lib PYTHONDONTWRITEBYTECODE=1

. tests/lib/history.sh

# mirrored DIR OF NAME: DIR has the refs and objects of OF
mirrored() {
    same "$(refs "$1")" "$(refs "$2")" "$3: refs"
    same "$(objects "$1" | sha1sum)" "$(objects "$2" | sha1sum)" "$3: objects"
    works "$3: fsck" git -C "$1" fsck --strict --no-dangling
}
remote() { git ls-remote "$@" | grep -v 'refs/bough/'; }

input "$W/in" || { bad 'no input'; sum; }
"$BOUGH" init --size 1G "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
HURL=http://127.0.0.1:$HP/store.git

# --- an empty repository

works 'clone of nothing' git clone -q "$URL" "$W/none"
same "$(git -C "$W/none" symbolic-ref HEAD)" refs/heads/main 'the unborn HEAD'
same "$(remote "$URL")" '' 'ls-remote of nothing'
for v in 0 1; do works "clone of nothing, version $v" git -c protocol.version=$v clone -q "$URL" "$W/none$v"; done
works 'clone of nothing over http' git clone -q "$HURL" "$W/noneh"

# --- the first branch pushed becomes HEAD's

git -C "$W/in" branch -q trunk main~10
works 'the first push' git -C "$W/in" push -q "$URL" trunk
same "$(git ls-remote --symref "$URL" HEAD | head -n 1)" $'ref: refs/heads/trunk\tHEAD' 'the first branch is HEAD'
works 'a clone' git clone -q "$URL" "$W/first"
same "$(git -C "$W/first" symbolic-ref HEAD)" refs/heads/trunk 'the branch that a clone checks out'
stop

# --- everything, there and back

"$BOUGH" init --size 1G "$W/all.img" 2>/dev/null
git -C "$W/in" branch -q -D trunk
serve "$W/all.img"
HURL=http://127.0.0.1:$HP/store.git
works 'push of main' git -C "$W/in" push -q "$URL" main
works 'push of all refs' git -C "$W/in" push -q "$URL" 'refs/*:refs/*'
has "$(git -C "$W/in" push "$URL" 'refs/*:refs/*' 2>&1)" 'Everything up-to-date' 'push again'
for v in 0 1 2; do
    for u in "$URL" "$HURL"; do
        name=${u%%:*}-$v
        works "mirror $name" git -c protocol.version=$v clone -q --mirror "$u" "$W/m-$name"
        mirrored "$W/m-$name" "$W/in" "mirror $name"
        works "shallow $name" git -c protocol.version=$v clone -q --depth 1 "$u" "$W/d-$name"
        same "$(git -C "$W/d-$name" rev-list --count HEAD)" 1 "shallow $name: commits"
        same "$(git -C "$W/d-$name" rev-parse 'HEAD^{tree}')" "$(git -C "$W/in" rev-parse 'main^{tree}')" "shallow $name: tree"
        works "deepen $name" git -C "$W/d-$name" -c protocol.version=$v fetch -q --unshallow
        same "$(git -C "$W/d-$name" rev-parse HEAD~40)" "$(git -C "$W/in" rev-parse main~40)" "deepen $name"
        same "$(git -c protocol.version=$v ls-remote "$u" | grep -v refs/bough/ | sort)" \
            "$(git ls-remote "$W/in" | grep -v refs/bough/ | sort)" "ls-remote $name"
    done
done
works 'fetch of one branch' git -C "$W/none" fetch -q "$URL" side-two
same "$(git -C "$W/none" rev-parse FETCH_HEAD)" "$(git -C "$W/in" rev-parse side-two)" 'what was fetched'
works 'single branch' git clone -q --single-branch -b orphan "$URL" "$W/single"
same "$(git -C "$W/single" rev-list --all --count)" 1 'single branch: commits'
works 'no tags' git clone -q --no-tags "$URL" "$W/notags"
same "$(git -C "$W/notags" tag | wc -l)" 0 'no tags'
works 'fetch by id' git -C "$W/notags" fetch -q "$URL" "$(git -C "$W/in" rev-parse main~7)"
refuse 'fetch of an unknown id' '' git -C "$W/notags" fetch -q "$URL" 1234567890123456789012345678901234567890
refuse 'another repository' '' git ls-remote "git://127.0.0.1:$GP/other.git"
refuse 'another repository over http' 'not found' git ls-remote "http://127.0.0.1:$HP/other.git"
same "$(python3 -c "
import http.client
c = http.client.HTTPConnection('127.0.0.1', $HP)
c.request('POST', '/store.git/git-receive-pack', b'0000', {'Content-Type': 'text/plain'})
print(c.getresponse().status)")" 415 'a web page cannot push'
works 'by the base name of the store' git ls-remote "git://127.0.0.1:$GP/all.git"

# --- pushes of every kind

git clone -q "$URL" "$W/w"
cd "$W/w" || exit 1
commit() { echo "$RANDOM $1" >>"f-$1" && git add -A && git commit -q -m "$1"; }
tip() { git ls-remote "$URL" "$1" | cut -f1; }
head_is() { same "$(tip "$1")" "$(git rev-parse "${2:-HEAD}")" "$3"; }
commit update
works 'update' git push -q
head_is refs/heads/main HEAD 'update'
works 'create' git push -q origin HEAD:refs/heads/new HEAD:refs/heads/deep/er/new
head_is refs/heads/deep/er/new HEAD 'create'
works 'delete' git push -q origin :new
same "$(tip refs/heads/new)" '' 'delete'
git reset -q --hard HEAD~2 && commit forced
refuse 'not a fast-forward' 'rejected' git push -q origin main
works 'force' git push -q -f origin main
head_is refs/heads/main HEAD 'force'
works 'force with lease' git push -q --force-with-lease="main:$(git rev-parse HEAD)" origin HEAD~1:main
works 'back' git push -q origin main
commit atomic
works 'atomic' git push -q --atomic origin main main:side-a :deep/er/new
head_is refs/heads/side-a HEAD 'atomic'
git tag -a -m t pushed-tag && git tag nested-again pushed-tag
works 'tags' git push -q --follow-tags origin HEAD pushed-tag nested-again
same "$(tip 'refs/tags/pushed-tag^{}')" "$(git rev-parse HEAD)" 'a peeled tag'
works 'delete a tag' git push -q origin :refs/tags/nested-again
git commit -q --allow-empty -m 'empty'
works 'empty commit' git push -q
git checkout -q -b x1 main~2 && commit x1 && git checkout -q -b x2 main~2 && commit x2 && git checkout -q main
git merge -q -m octopus x1 x2 >/dev/null 2>&1
works 'merge' git push -q
same "$(git cat-file -p HEAD | grep -c ^parent)" 3 'an octopus was made'
works 'nothing but a deletion' git push -q origin :side-a
works 'push over http' git push -q "$HURL" HEAD~1:refs/heads/by-http
head_is refs/heads/by-http HEAD~1 'push over http'
head -c 3000000 /dev/urandom >big && git add big && git commit -q -m big
works 'a large push over http' git -c http.postBuffer=65536 push -q "$HURL" HEAD:main
head_is refs/heads/main HEAD 'a large push over http'
works 'push options are no harm' git push -q origin HEAD:refs/heads/by-http

# Thin packs: a small change of a large file, pushed and fetched, is a delta in both directions.
works 'fetch' git -C "$W/first" fetch -q "$URL" main
git -C "$W/first" checkout -q FETCH_HEAD
printf x >>big && git commit -q -a -m 'one byte more'
git push -q 2>"$W/log" || bad "thin push: $(cat "$W/log")"
works 'incremental fetch' env GIT_TRACE_PACKET="$W/trace" git -C "$W/first" fetch --progress "$URL" main
same "$(git -C "$W/first" rev-parse FETCH_HEAD)" "$(git rev-parse HEAD)" 'incremental fetch'
works 'incremental fetch: fsck' git -C "$W/first" fsck --strict
has "$(grep -c 'pack' "$W/works.log" "$W/trace" 2>/dev/null | head -n 1)" '' 'a trace'
before=$(git -C "$W/first" count-objects -v | sed -n 's/size-pack: //p')
[ "$before" -lt 9000 ] && ok || bad "the incremental fetch brought the large file again: $before KiB of packs"

# --- what Redis acknowledged is in the next fetch

for i in {1..15}; do
    rcli set "race/k$i" "v$i" >/dev/null
    git pull -q && same "$(cat "race/k$i" 2>/dev/null)" "v$i" "fetch after SET $i"
done
rcli mset 'odd/100%' a 'odd/with space' b odd/ü c >/dev/null
git pull -q
same "$(cat odd/100% 'odd/with space' odd/ü)" abc 'odd keys are files'
echo pushed >race/k1 && git rm -q race/k2 && git commit -q -a -m back && git push -q
same "$(rcli get race/k1),$(rcli get race/k2)" pushed, 'Redis sees a push at once'
rcli set race/k3 newer >/dev/null
commit stale
refuse 'a push that does not know of a SET' 'fetch first' git push -q
git pull -q --rebase && works 'after a pull' git push -q
same "$(rcli get race/k3)" newer 'the SET is still there'

# --- refusals leave nothing, and say why

git clone -q "$URL" "$W/evil"
cd "$W/evil" || exit 1
BEFORE=$(remote "$URL")
unchanged() { same "$(remote "$URL")" "$BEFORE" "$1: no ref has moved"; }
literal() { git hash-object -w -t "$1" --literally --stdin; }
blob=$(echo hi | git hash-object -w --stdin)
raw=$(printf %s "$blob" | sed 's/../\\x&/g')
# refused NAME REASON OBJECT: a push of a commit over a tree, or of an object itself, is refused and the object is not to be had
refused() {
    local name=$1 part=$2 id=$3
    [ "$(git cat-file -t "$id" 2>/dev/null)" = tree ] && id=$(git commit-tree -m bad "$id")
    refuse "$name" "$part" git push -f "$URL" "$id:refs/heads/bad"
    unchanged "$name"
    refuse "$name: not to be fetched" '' git -C "$W/first" fetch -q "$URL" "$id"
}
refused 'a tree with .git' hasDotgit "$(printf '40000 .git\0'"$(git mktree </dev/null | sed 's/../\\x&/g')" | literal tree)"
refused 'a tree with .GIT~1' hasDotgit "$(printf '40000 GIT~1\0'"$(git mktree </dev/null | sed 's/../\\x&/g')" | literal tree)"
refused 'a tree with ..' hasDotdot "$(printf '100644 ..\0'"$raw" | literal tree)"
refused 'a slash in a name' fullPathname "$(printf '100644 a/b\0'"$raw" | literal tree)"
refused 'a tree out of order' treeNotSorted "$(printf '100644 b\0'"$raw"'100644 a\0'"$raw" | literal tree)"
refused 'a name twice' duplicateEntries "$(printf '100644 a\0'"$raw"'100644 a\0'"$raw" | literal tree)"
refused 'a mode of old' zeroPaddedFilemode "$(printf '0100644 a\0'"$raw" | literal tree)"
refused 'a mode that is none' bogusFilemode "$(printf '104755 a\0'"$raw" | literal tree)"
tree=$(git rev-parse 'HEAD^{tree}')
refused 'a commit without an author' missingAuthor "$(printf 'tree %s\ncommitter C <c@x> 1 +0000\n\nm\n' "$tree" | literal commit)"
refused 'a broken date' badDate "$(printf 'tree %s\nauthor C <c@x> x +0000\ncommitter C <c@x> 1 +0000\n\nm\n' "$tree" | literal commit)"
refused 'a zone that is none' badTimezone "$(printf 'tree %s\nauthor C <c@x> 1 zone\ncommitter C <c@x> 1 +0000\n\nm\n' "$tree" | literal commit)"
refused 'a NUL in a commit' nulInCommit "$(printf 'tree %s\nauthor C <c@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\nm\0\n' "$tree" | literal commit)"
modules=$(printf '[submodule "x"]\n\tpath = x\n\turl = -uevil\n' | git hash-object -w --stdin)
refused 'a submodule of evil' gitmodulesUrl "$(printf '100644 .gitmodules\0'"$(printf %s "$modules" | sed 's/../\\x&/g')" | literal tree)"
refused 'a link as .gitmodules' gitmodulesSymlink "$(printf '120000 .gitmodules\0'"$raw" | literal tree)"
refuse 'a branch of a blob' '' git push "$URL" "$blob:refs/heads/bad"
unchanged 'a branch of a blob'

refuse "HEAD's branch cannot be deleted" 'deletion of the current branch prohibited' git push "$URL" :main
refuse 'a branch below a branch' 'rejected' git push "$URL" HEAD:refs/heads/main/below
refuse 'a branch where branches are below' 'rejected' git push "$URL" HEAD:refs/custom/deep
unchanged 'refs that clash'
has "$(git push --porcelain "$URL" HEAD:refs/heads/fine HEAD:refs/heads/main/below 2>&1)" 'remote rejected' 'one of two is refused'
head_is refs/heads/fine HEAD 'the other of two happened'
git push -q "$URL" :fine
BEFORE=$(remote "$URL")
refuse 'atomic: one of two' 'rejected' git push --atomic "$URL" HEAD:refs/heads/fine HEAD:refs/heads/main/below
unchanged 'atomic: none of two'

# By hand: what no git sends.
python3 - "$GP" >"$W/hand" <<'PYTHON'
import sys
from wire import *

port = int(sys.argv[1])
ident = b'H <h@example.org> 1700000000 +0000'


def commit(tree, parent=None):
    return b'tree %s\n' % tree.encode() + (b'parent %s\n' % parent.encode() if parent else b'') + \
        b'author %s\ncommitter %s\n\nby hand\n' % (ident, ident)


def tree(name, blob):
    return b'100644 %s\0' % name.encode() + bytes.fromhex(blob)


def expect(name, answer, *parts):
    missing = [p for p in parts if p not in answer]
    print('bad' if missing else 'ok', name, missing and f'no {missing} in {answer!r}' or '')


blob = b'by hand\n'
t = tree('hand', oid('blob', blob))
c = commit(oid('tree', t))
whole = objects_pack([('blob', blob), ('tree', t), ('commit', c)])
make = [(ZERO, oid('commit', c), 'refs/heads/hand')]
main = Git(port).advertised['refs/heads/main']

expect('a missing blob', Git(port).push(make, objects_pack([('tree', t), ('commit', c)])), 'ng refs/heads/hand')
expect('a missing tree', Git(port).push(make, objects_pack([('commit', c)])), 'ng refs/heads/hand')
orphan = commit(oid('tree', t), '12' * ID)
expect('a missing parent', Git(port).push([(ZERO, oid('commit', orphan), 'refs/heads/hand')],
       objects_pack([('blob', blob), ('tree', t), ('commit', orphan)])), 'ng refs/heads/hand')
expect('no such commit in the pack', Git(port).push([(ZERO, '34' * ID, 'refs/heads/hand')], whole), 'ng refs/heads/hand')
for at in (13, 40, len(whole) // 2, len(whole) - 3):
    broken = whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:]
    expect(f'a flipped bit at {at}', Git(port).push(make, broken), 'unpack ')
    expect(f'a flipped bit at {at} is refused', Git(port).push(make, broken).replace('unpack ok', ''), 'ng refs/heads/hand')
for at in (0, 5, 12, 30, len(whole) - ID, len(whole) - 1):
    expect(f'a pack of {at} bytes', 'no' if 'ok refs' in Git(port).push(make, whole[:at]) else 'refused', 'refused')
expect('too many objects promised', Git(port).push(make, pack([entry(3, blob)], 9)), 'ng ')
expect('4 billion objects promised', Git(port).push(make, pack([entry(3, blob)], 0xffffffff)), 'ng refs/heads/hand')
expect('a size that lies', Git(port).push(make, pack([entry(3, blob, 5), entry(2, t), entry(1, c)])), 'ng ')
expect('a huge size that lies', Git(port).push(make, pack([entry(3, blob, 1 << 60), entry(2, t), entry(1, c)])), 'ng ')
expect('a type that is none', Git(port).push(make, pack([entry(5, blob)])), 'ng ')
expect('a delta without a base', Git(port).push(make, pack([bytes([0x7f, 1]) + b'\x11' * ID + b'x'])), 'ng ')
expect('a wrong old value', Git(port).push([(oid('blob', blob), oid('commit', c), 'refs/heads/main')], whole), 'ng refs/heads/main')
expect('create of what is there', Git(port).push([(ZERO, oid('commit', c), 'refs/heads/main')], whole), 'ng refs/heads/main')
expect('delete with a wrong old value', Git(port).push([(oid('commit', c), ZERO, 'refs/heads/orphan')]), 'ng refs/heads/orphan')
for name in ('refs/heads/a..b', 'refs/heads/a.lock', 'refs/heads/', 'refs/heads/x y', 'HEAD', 'refs/heads/-^', '../x', 'refs/heads/@{'):
    expect(f'the ref name {name}', 'no' if f'ok {name}' in Git(port).push([(ZERO, oid('commit', c), name)], whole) else 'refused', 'refused')
bad_tag = b'object %s\ntype commit\ntagger %s\n\nwithout a name\n' % (main.encode(), ident)
expect('a tag without a name', Git(port).push([(ZERO, oid('tag', bad_tag), 'refs/tags/bad')], objects_pack([('tag', bad_tag)])),
       'missingTagEntry', 'ng refs/tags/bad')
expect('no command line', 'no' if 'ok' in Git(port).push([('hello',)], b'') else 'refused', 'refused')
expect('not a packet', 'no' if 'unpack ok' in Git(port).push([], b'zzzz') else 'refused', 'refused')
after = Git(port).advertised
expect('nothing of it is visible', 'nothing' if 'refs/heads/hand' not in after and after['refs/heads/main'] == main else str(after), 'nothing')
expect('the same push, whole', Git(port).push(make, whole), 'unpack ok', 'ok refs/heads/hand')
expect('a ref twice', Git(port).push([(oid('commit', c), main, 'refs/heads/hand')] * 2), 'ng refs/heads/hand')
Git(port).push([(main, ZERO, 'refs/heads/hand')])
Git(port).push(make, whole)
expect('and deleted', Git(port).push([(oid('commit', c), ZERO, 'refs/heads/hand')]), 'ok refs/heads/hand')
Git(port).push(make, whole + b'more')  # refused or not: only the pack counts
expect('bytes behind the pack', Git(port).advertised.get('refs/heads/main'), main)
Git(port).push([(oid('commit', c), ZERO, 'refs/heads/hand')])
print('end')
PYTHON
while read -r verdict rest; do
    case $verdict in
    ok) ok ;;
    end) ended=yes ;;
    *) bad "$rest" ;;
    esac
done <"$W/hand"
same "${ended:-}" yes 'the pushes by hand end'
unchanged 'the pushes by hand'

# --- many at once

cd "$W" || exit 1
jobs=()
for i in {1..6}; do
    (
        git clone -q "$URL" "$W/many$i" && cd "$W/many$i" && git checkout -q -b "many$i" &&
            for j in 1 2 3; do echo "$j" >"many-$i-$j" && git add -A && git commit -q -m "$j" && git push -q origin "many$i" || exit 1; done
    ) 2>"$W/many$i.log" &
    jobs+=($!)
    git clone -q --mirror "http://127.0.0.1:$HP/store.git" "$W/manyh$i" 2>"$W/manyh$i.log" &
    jobs+=($!)
done
for i in {1..300}; do echo "set many/$i $i"; done | rcli >"$W/many.out" &
jobs+=($!)
failed=0
for j in "${jobs[@]}"; do wait "$j" || failed=$((failed + 1)); done
same "$failed" 0 "many clients at once: $(cat "$W"/many*.log | head -n 2)"
same "$(grep -c OK "$W/many.out")" 300 'Redis is served beside them'
same "$(git ls-remote "$URL" 'refs/heads/many*' | wc -l)" 6 'all their branches are there'
git clone -q --mirror "$URL" "$W/final" && works 'fsck of all' git -C "$W/final" fsck --strict
stop
works 'bough fsck' "$BOUGH" -s "$W/all.img" fsck

# --- stdio

"$BOUGH" init --size 256M "$W/io.img" 2>/dev/null
EXT="ext::$BOUGH git %s $W/io.img"
works 'ext: push' git -C "$W/in" push -q "$EXT" 'refs/*:refs/*'
works 'ext: mirror' git clone -q --mirror "$EXT" "$W/m-ext"
mirrored "$W/m-ext" "$W/in" 'ext'
for v in 0 1 2; do
    works "stdio: mirror, version $v" git -c protocol.version=$v clone -q --mirror -u "$BOUGH git upload-pack" "file://$W/io.img" "$W/m-io$v"
    mirrored "$W/m-io$v" "$W/in" "stdio $v"
done
git clone -q -u "$BOUGH git upload-pack" "file://$W/io.img" "$W/io"
cd "$W/io" || exit 1
git config remote.origin.uploadpack "$BOUGH git upload-pack"
git config remote.origin.receivepack "$BOUGH git receive-pack"
commit stdio
works 'stdio: push' git push -q
same "$("$BOUGH" -s "$W/io.img" digest f-stdio)" "$(git rev-parse HEAD:f-stdio)" 'stdio: the pushed value'
"$BOUGH" -s "$W/io.img" set by/cli x
works 'stdio: pull' git pull -q
same "$(cat by/cli)" x 'stdio: pull brings what the CLI wrote'
refuse 'stdio: a tree with .git' hasDotgit git push origin \
    "$(git commit-tree -m bad "$(printf '40000 .git\0'"$(git mktree </dev/null | sed 's/../\\x&/g')" | literal tree)"):refs/heads/bad"
works 'stdio: bough fsck' "$BOUGH" -s "$W/io.img" fsck
cd "$W" || exit 1

# --- SHA-256

input "$W/in256" --object-format=sha256 || bad 'no input for SHA-256'
"$BOUGH" init --size 256M --object-format sha256 "$W/s256.img" 2>/dev/null
serve "$W/s256.img"
HURL=http://127.0.0.1:$HP/store.git
works 'sha256: push' git -C "$W/in256" push -q "$URL" main
works 'sha256: push over http' git -C "$W/in256" push -q "$HURL" 'refs/*:refs/*'
for u in "$URL" "$HURL"; do
    works "sha256: mirror ${u%%:*}" git clone -q --mirror "$u" "$W/m256-${u%%:*}"
    mirrored "$W/m256-${u%%:*}" "$W/in256" "sha256 ${u%%:*}"
done
git init -q --object-format=sha1 "$W/in1" && git -C "$W/in1" commit -q --allow-empty -m one
refuse 'sha256: a client of SHA-1' '' git -C "$W/in1" push -q "$URL" HEAD:refs/heads/other
git clone -q "$URL" "$W/w256"
same "$(rcli set by/redis x)" OK 'sha256: SET'
git -C "$W/w256" pull -q
same "$(cat "$W/w256/by/redis")" x 'sha256: pull'
same "$(rcli git.oid by/redis)" "$(git -C "$W/w256" rev-parse HEAD:by/redis)" 'sha256: GIT.OID'
echo y >"$W/w256/by/redis" && git -C "$W/w256" commit -q -a -m y && works 'sha256: push back' git -C "$W/w256" push -q
same "$(rcli get by/redis)" y 'sha256: GET'
works 'the last words of a refusal' python3 "$ROOT/tests/interop/last_words.py" "$GP"
stop
works 'sha256: bough fsck' "$BOUGH" -s "$W/s256.img" fsck
sum
