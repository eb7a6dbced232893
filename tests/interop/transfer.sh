#!/bin/bash
# transfer.sh - convert, backup and restore: everything of a store in another one, or in a Git bundle.
#
# Goal: every id, every ref, HEAD and symbolic refs are the same afterwards, whatever the engines and the object format;
# bundles are Git's, both ways; what is wrong is refused and leaves no refs behind; nothing is written over.
# Method: a repository with every kind of object and name goes round through all engines; refs and `git rev-list --objects
# --all` compared with git's own; `git bundle verify`, `git clone` and `git bundle create` at the other end.
. "$(dirname "$0")/../lib/serve.sh"
. tests/lib/history.sh
cd "$W" || exit 1
b() { "$BOUGH" "$@" 2>&1; }
all() { git -C "$1" for-each-ref --format='%(objectname) %(refname) %(symref)'; cat "$1/HEAD"; }
# same_as DIR OF NAME
same_as() {
    same "$(all "$1")" "$(all "$2")" "$3: refs"
    same "$(objects "$1" | sha1sum)" "$(objects "$2" | sha1sum)" "$3: objects"
    works "$3: fsck" git -C "$1" fsck --strict --no-dangling
}

# --- conversion

input in --bare || { bad 'no input'; sum; }
git -C in update-ref refs/remotes/origin/main main
git -C in symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
git -C in symbolic-ref HEAD refs/heads/side-two
for i in {1..300}; do echo "create refs/many/$i/x $(git -C in rev-parse main)"; done | git -C in update-ref --stdin
git -C in pack-refs --all
at=git:in
for to in a.img git:b.git lmdb:c.lmdb d.img lmdb:x.lmdb lmdb:y.lmdb git:e.git; do
    works "$at to $to" "$BOUGH" convert "$at" "$to"
    at=$to
done
same_as b.git in 'through a file'
same_as e.git in 'all the way round'
same "$(b -s lmdb:c.lmdb fsck)$(b -s d.img fsck)" '' 'our fsck'

# --- reflogs, with what they alone reach

"$BOUGH" init --size 16M moved.img 2>/dev/null
for v in 1 2 3; do "$BOUGH" -s moved.img set k $v; done
"$BOUGH" -s moved.img branch other
serve moved.img
works 'another history in its place' bash -c "git clone -q $URL moved 2>&1 && cd moved && git reset -q --hard HEAD~2 && echo 9 >k && git commit -qam nine && git push -qf origin main && git push -q origin :other"
stop
log=$(b -s moved.img reflog main)
has "$log" 'main@{0}: push' 'the push is in the log'
same "$(b -s moved.img get @main@{1}:k)" 3 'what it was'
at=moved.img
for to in lmdb:moved.lmdb moved2.img; do
    works "logs to $to" "$BOUGH" convert $at $to
    same "$(b -s $to reflog main)" "$log" "the log in $to"
    same "$(b -s $to get @main@{1}:k)" 3 "what it was, in $to"
    same "$(b -s $to fsck)" '' "fsck of $to"
    at=$to
done
works 'kept by a collection' "$BOUGH" -s moved2.img gc --prune 1d
same "$(b -s moved2.img get @main@{1}:k)" 3 'what it was, collected'
has "$(b convert moved2.img git:moved.git)" 'reflogs do not go into a git:DIR' 'where they stay behind'
works 'from git:' "$BOUGH" convert git:moved/.git moved3.img
has "$(b -s moved3.img reflog main)" 'reset: moving to HEAD~2' "git's own log"
same "$(b -s moved3.img get @main@{2}:k)" 3 'and what it reaches'

# A detached HEAD, and one that alone names anything.
git clone -q in away && git -C away checkout -q --detach && echo x >away/x && git -C away add x && git -C away commit -qm away
git clone -q away alone && git -C alone checkout -q --detach
git -C alone for-each-ref --format='delete %(refname)' | git -C alone update-ref --no-deref --stdin
same "$(git -C alone for-each-ref)" '' 'nothing but HEAD'
for d in away alone; do
    works "$d" "$BOUGH" convert "git:$d" $d.img
    same "$(b -s $d.img fsck)" '' "$d: fsck"
    works "$d and back" "$BOUGH" convert $d.img git:$d.git
    same "$(cat $d.git/HEAD; git -C $d.git for-each-ref)" "$(cat $d/.git/HEAD; git -C $d for-each-ref)" "$d: HEAD and refs"
    same "$(git -C $d.git rev-list --objects HEAD | sort | sha1sum)" "$(git -C $d rev-list --objects HEAD | sort | sha1sum)" "$d: what it reaches"
done
refuse 'not over another' 'not empty' "$BOUGH" convert a.img lmdb:c.lmdb
refuse 'not over a repository' 'not empty' "$BOUGH" convert a.img git:in
works 'into one that is there, and empty' bash -c "'$BOUGH' init --size 64M there.img && '$BOUGH' convert git:in there.img"
"$BOUGH" init empty.img 2>/dev/null
works 'an empty one' "$BOUGH" convert empty.img git:empty.git
same "$(cat empty.git/HEAD)" 'ref: refs/heads/main' 'HEAD of an empty one'
refuse 'nothing there' 'no such store' "$BOUGH" convert nothing.img x.img
same "$(ls x.img 2>/dev/null)" '' 'and nothing made'

"$BOUGH" init --object-format sha256 s.img 2>/dev/null
works 'sha256: set' "$BOUGH" -s s.img set a/b 1
works 'sha256' "$BOUGH" convert s.img lmdb:s.lmdb
works 'sha256, and back' "$BOUGH" convert lmdb:s.lmdb s2.img
same "$(b -s s2.img branch)$(b -s s2.img digest '')" "$(b -s s.img branch)$(b -s s.img digest '')" 'sha256: the same'
refuse 'sha256 into git:' 'sha1' "$BOUGH" convert s.img git:s.git

git clone -q --bare --depth 3 "file://$W/in" shallow.git
works 'a shallow one' "$BOUGH" convert git:shallow.git sh.img
works 'and back' "$BOUGH" convert sh.img git:sh.git
same_as sh.git shallow.git shallow
same "$(cat sh.git/shallow)" "$(cat shallow.git/shallow)" 'where its history ends'
# A bundle of it: git wants what is not there, and takes it where that is; our restore knows where history ends.
works 'a bundle of it' "$BOUGH" backup sh.img sh.bundle
refuse 'which git does not take anywhere' 'prerequisite' git clone sh.bundle sh.cl
works 'but where the rest is' git -C in bundle verify -q ../sh.bundle
works 'is restored' "$BOUGH" restore sh.bundle sh2.img
same "$(b -s sh2.img fsck)" '' 'fsck of what was restored'
works 'and back again' "$BOUGH" convert sh2.img git:sh2.git
same "$(refs sh2.git)$(cat sh2.git/shallow)" "$(refs shallow.git)$(cat shallow.git/shallow)" 'its refs, and where it ends'
same "$(objects sh2.git | sha1sum)" "$(objects shallow.git | sha1sum)" 'its objects'
git -C in bundle create -q ../thin.bundle main~1..main
refuse 'a bundle that builds on others is none' 'not in it' "$BOUGH" restore thin.bundle thin.img
# What a restore that failed said of history does not cut the next one.
head -c $(($(stat -c %s sh.bundle) - 30)) sh.bundle >cut.bundle
"$BOUGH" restore cut.bundle twice.img 2>/dev/null
git -C in bundle create -q ../full.bundle --all
works 'restored behind one that failed' "$BOUGH" restore full.bundle twice.img
works 'and back once more' "$BOUGH" convert twice.img git:twice.git
same "$(cat twice.git/shallow 2>/dev/null)$(objects twice.git | sha1sum)" "$(objects in | sha1sum)" 'all of its history'

# Names that nothing of ours holds.
git clone -q --bare in long.git
long=refs/heads/$(printf '%0240d/%0240d/%0240d/%0240d/x%030d' 1 2 3 4 5)
works 'a name of 1,000 bytes and more' git -C long.git update-ref "$long" main
refuse 'is not left out unsaid' '1000 bytes' "$BOUGH" convert git:long.git long.img
refuse 'nor by a backup' '1000 bytes' "$BOUGH" backup git:long.git long.bundle
same "$(ls long.img long.bundle 2>/dev/null)" '' 'and nothing is made'
works 'a branch without such a name' bash -c "'$BOUGH' -s git:long.git dump main >long.txt"
git -C long.git symbolic-ref refs/heads/leads "$long"
git -C long.git update-ref -d "$long"
refuse 'what leads there' 'too big' "$BOUGH" convert git:long.git long.img

# What a killed daemon left in its journal goes along.
if command -v redis-cli >/dev/null; then
    "$BOUGH" init j.img 2>/dev/null
    serve "$W/j.img"
    for i in {1..40}; do echo "set k$i v$i"; done | rcli >/dev/null
    crash
    works 'a journal' "$BOUGH" convert j.img git:j.git
    same "$(git -C j.git ls-tree -r main | wc -l)" 40 'what it held'
fi

# --- bundles

works backup "$BOUGH" backup a.img a.bundle
works 'git verifies it' git -C in bundle verify -q ../a.bundle
works 'git clones it' git clone -q --mirror a.bundle m.git
same "$(refs m.git | grep -v origin/HEAD)" "$(refs in | grep -v origin/HEAD)" 'a clone of it: refs'
same "$(objects m.git | sha1sum)" "$(objects in | sha1sum)" 'a clone of it: objects'
refuse 'not over a file' 'exists' "$BOUGH" backup a.img a.bundle
works 'from a pipe to a pipe' cmp <("$BOUGH" backup git:in -) a.bundle
works restore "$BOUGH" restore a.bundle r.img
same "$(b -s r.img branch | grep '^\*')" "$(b -s a.img branch | grep '^\*')" 'the branch of HEAD'
works 'restore into git:' "$BOUGH" restore - git:r.git <a.bundle
same "$(refs r.git | sed 's/^\([^ ]* [^ ]*\) .*/\1/')" "$(refs in | sed 's/^\([^ ]* [^ ]*\) .*/\1/')" 'restored: refs'
same "$(objects r.git | sha1sum)" "$(objects in | sha1sum)" 'restored: objects'
refuse 'not over another' 'not empty' "$BOUGH" restore a.bundle r.img
git -C in bundle create -q ../g.bundle --all
works "a bundle of git's" "$BOUGH" restore g.bundle g.img
works 'round' "$BOUGH" convert g.img git:g.git
same "$(refs g.git)" "$(refs in)" "a bundle of git's: refs"
works 'sha256: backup' "$BOUGH" backup s.img s.bundle
works 'sha256: clone' git clone -q s.bundle s-clone
same "$(cat s-clone/a/b)" 1 'sha256: what is in it'
works 'sha256: restore' "$BOUGH" restore s.bundle s3.img
same "$(b -s s3.img digest '')" "$(b -s s.img digest '')" 'sha256: the same again'
refuse 'of nothing' 'empty' "$BOUGH" backup empty.img n.bundle

git -C in bundle create -q ../head.bundle HEAD
works 'of HEAD alone' "$BOUGH" restore head.bundle head.img
same "$(b -s head.img branch | cut -f2)" "$(git -C in rev-parse HEAD)" 'it becomes a branch'
same "$(b -s head.img fsck)" '' 'with all that it reaches'
printf '# v2 git bundle\n\nPACK' >none.bundle
refuse 'one without refs' 'without refs' "$BOUGH" restore none.bundle none.img

git -C in bundle create -q ../part.bundle side-two~1..side-two
refuse 'one that builds on others' 'not in it' "$BOUGH" restore part.bundle p.img
refuse 'no bundle' 'not a git bundle' "$BOUGH" restore "$ROOT/README.md" p.img
size=$(stat -c %s a.bundle)
head -c $((size - 3000)) a.bundle >cut.bundle
refuse 'one that is cut' 'refused' "$BOUGH" restore cut.bundle p1.img
same "$(b -s p1.img branch)" '' 'and leaves no branch'
cp a.bundle flip.bundle && printf x | dd of=flip.bundle bs=1 seek=$((size - 3000)) conv=notrunc 2>/dev/null
refuse 'one that is damaged' 'refused' "$BOUGH" restore flip.bundle p2.img
git init -q --bare evil.git
blob=$(echo x | git -C evil.git hash-object -w --stdin)
tree=$({ printf '100644 .git\0'; printf %b "$(sed 's/../\\x&/g' <<<"$blob")"; } |
    git -C evil.git hash-object -t tree -w --literally --stdin)
git -C evil.git update-ref refs/heads/main "$(git -C evil.git commit-tree -m x "$tree")"
git -C evil.git bundle create -q ../evil.bundle --all
refuse 'one that git would not take' 'refused' "$BOUGH" restore evil.bundle p3.img
works 'converted as it is' "$BOUGH" convert git:evil.git evil.img
sum
