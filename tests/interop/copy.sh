#!/bin/bash
# copy.sh - import and export against git's work trees.
#
# Goal: an imported work tree has git's tree id, an exported one is what git would check out, and what
# cannot be imported fails by name and changes nothing.
# Method: a work tree with every kind of file; git write-tree, diff -r, and the program's own log.
. "$(dirname "$0")/../lib/serve.sh"

S=$W/s.img
b() { "$BOUGH" -s "$S" "$@"; }
b init --size 256M "$S" 2>/dev/null || exit 1

src=$W/src
mkdir -p "$src/a/b" "$src/empty/below" "$src/a-b" "$src/a.b"
git -C "$src" init -q
echo hi >"$src/a/b/x"
: >"$src/a/nothing"
printf '#!/bin/sh\n' >"$src/run"
chmod +x "$src/run"
ln -s a/b/x "$src/link"
ln -s /nowhere "$src/a/dangling"
echo 1 >"$src/a-b/1"
echo 2 >"$src/a.b/2"
echo odd >"$src/$(printf 'n\377 \n')"
head -c 3000000 /dev/urandom >"$src/big"
git -C "$src" add -A
tree=$(git -C "$src" write-tree)

works "import" b import "dir:$src"
has "$(cat "$W/works.log")" 'skipped .git' "the .git at the top is said"
same "$(b digest /)" "$tree" "git's tree id"
same "$(b log --oneline | wc -l)" 1 "one commit"
works "import again" b import "dir:$src"
same "$(b log --oneline | wc -l)" 1 "nothing new, no commit"
works "import below a key" b import "dir:$src/a" copy/of/a
same "$(b digest copy/of/a)" "$(b digest a)" "the same tree there"

works "export" b export @main~1:/ "dir:$W/out"
rm -r "$src/empty"
same "$(diff -r --no-dereference -x .git "$src" "$W/out" 2>&1)" "" "the same files and links"
same "$(find "$W/out" -perm /111 -type f)" "$W/out/run" "the same modes"
same "$(find "$W/out" -name '.bough*')" "" "nothing left behind"
git -C "$W/out" init -q
git -C "$W/out" add -A
same "$(git -C "$W/out" write-tree)" "$tree" "git agrees"

before=$(b digest /)
mkdir -p "$src/sub/.git"
echo x >"$src/sub/.git/config"
refuse "a .git further down" '/sub/.git/config' b import "dir:$src"
rm -r "$src/sub"
mkfifo "$src/a/pipe"
refuse "a pipe" '/a/pipe' b import "dir:$src"
refuse "no folder" 'not found' b import "dir:$W/absent"
refuse "no key" '/absent: not found' b export /absent "dir:$W/out2"
works "no folder is made for it" test ! -e "$W/out2"
same "$(b digest /)" "$before" "refusals change nothing"
sum
