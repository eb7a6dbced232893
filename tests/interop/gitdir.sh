#!/bin/bash
# gitdir.sh - the whole program on ordinary git repositories, beside stock git.
#
# Goal: what git has written is read as it is, what Bough writes is what git would have written, each sees the other's
# work at once, locks and reflogs are git's, and `git fsck --strict` finds nothing, loose or packed, bare or not.
# Method: every call on `git:DIR`, then git's own plumbing on DIR; a daemon on it with git committing behind its back.
. "$(dirname "$0")/../lib/serve.sh"
. tests/lib/history.sh
command -v redis-cli >/dev/null || exit 77
export GIT_AUTHOR_DATE='1700000000 +0130' GIT_COMMITTER_DATE='1700000100 -0200'

b() { "$BOUGH" "$@" 2>&1; }
sound() { works "$2: fsck" git -C "$1" fsck --strict --no-dangling; }

# --- made by us

same "$(b init "git:$W/new.git")" "bough: made an empty store in $W/new.git" init
refuse 'init where something is' 'already exists' "$BOUGH" init "git:$W/new.git"
refuse 'init with a size' 'grows' "$BOUGH" init --size 1M "git:$W/x.git"
refuse 'no repository' 'no git repository' "$BOUGH" -s "git:$W/nothing" get a
export BOUGH_STORE=git:$W/new.git
same "$(git -C "$W/new.git" symbolic-ref HEAD)" refs/heads/main 'HEAD of a new one'
works set "$BOUGH" -m 'first words' --author 'A <a@example.org>' set config/colour green
works 'set again' "$BOUGH" set config/colour red
printf 'a\nb' | works 'set from a pipe' "$BOUGH" set text
same "$(git -C "$W/new.git" show main:config/colour)" red 'git reads it'
same "$(b get @main~2:config/colour)" green 'an older value'
same "$(b log --oneline config/colour | wc -l)" 2 'log of a key'
same "$(git -C "$W/new.git" log --format=%s main | tail -n 1)" 'first words' 'the message'
works 'the reflog is on' git -C "$W/new.git" config core.logAllRefUpdates true
works 'set with a reflog' "$BOUGH" -m 'for the reflog' --author 'R <r@example.org>' set config/size 1
same "$(git -C "$W/new.git" reflog -1 --format='%gs' main)" 'commit: for the reflog' 'what the reflog says'
same "$(b get '@main@{1}:text')" "$(printf 'a\nb')" 'a value by the reflog' # git's own
works branch "$BOUGH" branch side main
works 'set on a branch' "$BOUGH" -b side set only/here 1
same "$(git -C "$W/new.git" for-each-ref --format='%(refname)' refs/heads | tr '\n' ' ')" 'refs/heads/main refs/heads/side ' branches
refuse 'a branch in the way' 'conflicts' "$BOUGH" branch side/below main
works 'branch -d' "$BOUGH" branch -d side
works 'a branch below what is gone' "$BOUGH" branch side/below main
same "$(b fsck)" '' 'our fsck'
sound "$W/new.git" 'made by us'

# --- many and big: packs

seq 1 3000 | sed "s/.*/set many\/& &/" >"$W/many"
works 'a batch' "$BOUGH" batch "$W/many"
same "$(ls "$W"/new.git/objects/pack/*.pack | wc -l)" 1 'many objects make a pack'
head -c 20000000 /dev/urandom >"$W/big"
works 'a big value' "$BOUGH" set big <"$W/big"
works 'read back' cmp "$W/big" <("$BOUGH" get big)
works 'git reads it' cmp "$W/big" <(git -C "$W/new.git" cat-file blob main:big)
same "$(git -C "$W/new.git" rev-parse main:big)" "$(git hash-object "$W/big")" 'its id'
same "$(find "$W/new.git" -name 'tmp_*' | wc -l)" 0 'nothing temporary is left'
sound "$W/new.git" 'packs'
works 'git gc' git -C "$W/new.git" gc -q --prune=now
same "$(b get many/2999)" 2999 'after a gc'
works 'read back after a gc' cmp "$W/big" <("$BOUGH" get big)
mv "$W"/new.git/objects/pack/*.pack "$W/out.pack" && rm -rf "$W"/new.git/objects/{pack,info}/*
works unpack git -C "$W/new.git" unpack-objects -q <"$W/out.pack"
works 'a big loose one' cmp "$W/big" <("$BOUGH" get big)
git -C "$W/new.git" rev-parse main >"$W/was"
works 'packed refs' git -C "$W/new.git" pack-refs --all
works 'set over packed refs' "$BOUGH" set config/colour blue
same "$(git -C "$W/new.git" show main:config/colour)" blue 'git reads it'
same "$(git -C "$W/new.git" rev-parse main~1)" "$(cat "$W/was")" 'its parent'
sound "$W/new.git" 'loose again'

# --- somebody else's, with a working tree

input "$W/in" || { bad 'no input'; sum; }
before=$(refs "$W/in")
export BOUGH_STORE=git:$W/in
same "$(b get README)" hello 'a value of theirs'
same "$("$BOUGH" ls | tr -d / | sort)" "$(git -C "$W/in" ls-tree --name-only -z main | tr '\0' '\n' | sort)" 'ls'
same "$(b digest src)" "$(git -C "$W/in" rev-parse main:src)" 'digest of a tree'
same "$(b branch | wc -l)" "$(git -C "$W/in" branch | wc -l)" 'branches'
same "$(refs "$W/in")" "$before" 'reading changes nothing'
works 'set in theirs' "$BOUGH" set README 'hello, again'
same "$(cd "$W/in" && git show HEAD:README)" 'hello, again' 'git sees it'
works 'fsck of theirs' git -C "$W/in" fsck --strict --no-dangling
touch "$W/in/.git/refs/heads/main.lock"
refuse 'a lock of git' 'died and left that file' "$BOUGH" set README 'not now'
rm "$W/in/.git/refs/heads/main.lock"
works 'unlocked' "$BOUGH" set README now
works 'inside .git' "$BOUGH" -s "git:$W/in/.git" get README
cp -r "$W/in" "$W/bad"
object=$(git -C "$W/bad" rev-parse main:README)
chmod u+w "$W/bad/.git/objects/${object:0:2}/${object:2}"
printf x | dd of="$W/bad/.git/objects/${object:0:2}/${object:2}" bs=1 seek=12 conv=notrunc 2>/dev/null
refuse 'a damaged object' 'corrupt' "$BOUGH" -s "git:$W/bad" get README
refuse 'fsck finds it' "$object" "$BOUGH" -s "git:$W/bad" fsck
git init -q --object-format=sha256 "$W/sha256" && refuse 'a format that libgit2 does not know' 'cannot work on' "$BOUGH" -s "git:$W/sha256" get a

git clone -q --bare --depth 3 "file://$W/in" "$W/shallow.git"
same "$(b -s "git:$W/shallow.git" log --oneline | wc -l)" "$(git -C "$W/shallow.git" rev-list --count HEAD)" 'a shallow one: log'
works 'a shallow one: set' "$BOUGH" -s "git:$W/shallow.git" set x 1
sound "$W/shallow.git" shallow

# --- served, while git works on it, too

git clone -q --bare "$W/in" "$W/served.git"
serve "git:$W/served.git"
same "$(rcli get README)" now 'redis reads'
same "$(rcli set via-redis 1)" OK 'redis writes'
same "$(git -C "$W/served.git" show main:via-redis)" 1 'git sees it at once'
git clone -q "$W/served.git" "$W/work"
echo theirs >"$W/work/theirs" && git -C "$W/work" add theirs && git -C "$W/work" commit -qm theirs
works 'git pushes past the daemon' git -C "$W/work" push -q
same "$(rcli get theirs)" theirs 'the daemon sees it'
same "$(rcli set after 1)" OK 'and writes on top'
same "$(git -C "$W/served.git" log --format=%s -2 main | tail -n 1)" theirs 'of it'
works 'a clone through the daemon' git clone -q --mirror "$URL" "$W/mirror"
same "$(refs "$W/mirror")" "$(refs "$W/served.git")" 'refs of the clone'
same "$(objects "$W/mirror" | sha1sum)" "$(objects "$W/served.git" | sha1sum)" 'objects of the clone'
for i in {1..120}; do echo "$i" >"$W/work/n$i"; done
works 'pull' git -C "$W/work" pull -q "$URL" main
git -C "$W/work" add . && git -C "$W/work" commit -qm many
works 'a push through the daemon' git -C "$W/work" push -q "$URL" main
same "$(rcli get n120)" 120 'what was pushed'
works 'a thin push' git -C "$W/work" -c user.name=x push -q "$URL" main:refs/heads/copy
same "$(git -C "$W/work" rev-parse main)" "$(git -C "$W/served.git" rev-parse main)" 'the same commit'
works 'git gc behind the daemon' git -C "$W/served.git" gc -q --prune=now
for k in README theirs n7 via-redis; do same "$(rcli get $k)" "$(git -C "$W/served.git" show "main:$k")" "after a gc: $k"; done
same "$(rcli set last 1)" OK 'and goes on'
stop
sound "$W/served.git" served
same "$(find "$W/served.git" -name 'tmp_*' -o -name '*.lock' | wc -l)" 0 'nothing is left lying about'
sum
