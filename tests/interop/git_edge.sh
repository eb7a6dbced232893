#!/bin/bash
# git_edge.sh - where git's own server behaves in a way that is easily missed.
#
# Goal: what a user of git's server relies on without knowing: requests over HTTP in every coding, an answer to those that
# make no sense; fetches with a small depth, again and again, that bring what is new only; ids asked for by hand.
# Method: requests made by hand (git_http.py); numbers of objects that stock git receives, compared with what changed.
. "$(dirname "$0")/../lib/serve.sh"
export PYTHONDONTWRITEBYTECODE=1

"$BOUGH" init --size 256M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
HURL=http://127.0.0.1:$HP/store.git
git init -q "$W/in"
src() { git -C "$W/in" "$@"; }
export GIT_COMMITTER_DATE
DAY=1700000000
day() { GIT_COMMITTER_DATE="$((DAY += 60)) +0000"; }
change() { # change NAME...: a commit that changes these
    for f in "$@"; do echo "$RANDOM $RANDOM" >>"$W/in/$f"; done
    day && src add -A && src commit -q -m "$*" && src push -q "$URL" HEAD:main
}
mkdir "$W/in/a" "$W/in/b" && for i in {1..40}; do echo "$i" | tee "$W/in/a/$i" >"$W/in/b/$i"; done
change a/1

# --- HTTP

works 'requests by hand' python3 tests/interop/git_http.py "$HP" "$(src rev-parse HEAD)"
[ "$FAILED" = 0 ] || cat "$W/works.log"

# --- depth: each fetch brings a commit, its tree, one folder, and the values that changed

# objects DIR ARGS...: how many a fetch brings
objects() { git -C "$@" --progress 2>&1 | sed -n 's/^remote: Total \([0-9]*\) .*/\1/p' | tail -n 1; }
for v in 0 2; do
    git -c protocol.version=$v clone -q --depth 1 "$URL" "$W/d$v"
    git -C "$W/d$v" config protocol.version $v
    change a/2
    same "$(objects "$W/d$v" fetch --depth 1)" 4 "depth 1, version $v: the next commit"
    change a/3 a/4
    change a/5
    same "$(objects "$W/d$v" fetch --depth 1)" 6 "depth 1, version $v: two commits later"
    change b/1
    same "$(objects "$W/d$v" fetch)" 4 "version $v: without a depth"
    works "depth, version $v: fsck" git -C "$W/d$v" fsck --strict
    day && src commit -q --allow-empty -m empty && src push -q "$URL" HEAD:main
    git clone -q "$URL" "$W/full$v"
    day && src commit -q --allow-empty -m empty && src push -q "$URL" HEAD:main
    same "$(objects "$W/full$v" -c protocol.version=$v fetch --depth 1)" 1 "version $v: a shallow root of a full clone"
    same "$(git -C "$W/full$v" rev-list --count origin/main)" 1 "version $v: that is shallow"
    works "shallow root, version $v: fsck" git -C "$W/full$v" fsck --strict
done

for v in 0 2; do
    refuse "two depths at once, version $v" 'cannot be used together' \
        git -C "$W/d$v" fetch --depth 3 --shallow-since=2000-01-01 "$URL" main
done

# --- ids by hand

for v in 0 1 2; do
    works "fetch-pack of an id, version $v" git -C "$W/in" -c protocol.version=$v fetch-pack --keep "$URL" "$(src rev-parse HEAD~2)"
    refuse "fetch-pack of no id, version $v" '' git -C "$W/in" -c protocol.version=$v fetch-pack "$URL" "$(src rev-parse HEAD | tr 0-9 1-90)"
done
stop

# --- symbolic refs, and a history of one commit

git init -q --bare "$W/sym.git"
git -C "$W/in" push -q "$W/sym.git" HEAD~3:refs/heads/main HEAD~3:refs/remotes/o/main
git -C "$W/sym.git" symbolic-ref refs/remotes/o/HEAD refs/remotes/o/main
git -C "$W/sym.git" symbolic-ref refs/remotes/o/none refs/remotes/o/nothing
git -C "$W/in" push -q "$W/sym.git" "$(src commit-tree -m one 'HEAD^{tree}'):refs/heads/one"
"$BOUGH" convert "git:$W/sym.git" "$W/sym.img" 2>/dev/null || bad 'convert'
serve "$W/sym.img"
at() { git ls-remote "$URL" "$1" | cut -f1; }
works 'push to a symbolic ref' git -C "$W/in" push -q "$URL" HEAD~2:refs/remotes/o/HEAD
same "$(at refs/remotes/o/main) $(at refs/remotes/o/HEAD)" "$(src rev-parse HEAD~2 HEAD~2 | xargs)" 'it leads to another, which moved'
works 'both at once' git -C "$W/in" push -q "$URL" HEAD~1:refs/remotes/o/HEAD HEAD~1:refs/remotes/o/main
same "$(at refs/remotes/o/main)" "$(src rev-parse HEAD~1)" 'both at once: moved'
refuse 'both, but differently' 'inconsistent aliased update' git -C "$W/in" push "$URL" HEAD:refs/remotes/o/HEAD +HEAD~4:refs/remotes/o/main
refuse 'a symbolic ref that leads nowhere' 'broken symref' git -C "$W/in" push "$URL" HEAD:refs/remotes/o/none HEAD:refs/remotes/o/fine
same "$(at refs/remotes/o/main) $(at refs/remotes/o/fine)" "$(src rev-parse HEAD~1 HEAD | xargs)" 'refused alone'
for v in 0 2; do
    git -c protocol.version=$v clone -q --depth 1 -b one "$URL" "$W/one$v"
    same "$(git -C "$W/one$v" rev-parse --is-shallow-repository)" true "depth 1 of a root is shallow, version $v"
    works "version $v: and can be told more" git -C "$W/one$v" -c protocol.version=$v fetch -q --unshallow
    same "$(git -C "$W/one$v" rev-parse --is-shallow-repository)" false "version $v: unshallow"
done
stop
sum
