#!/bin/bash
# flat.sh - one large folder, changed by many processes, against git.
#
# Goal: a folder of tens of thousands of keys is for git what it is here, however it was read and
# written; single changes take little room.
# Method: a batch, then a process for each change; a clone by stock git, its fsck and its listing.
. "$(dirname "$0")/../lib/serve.sh"

S=$W/s.img
b() { "$BOUGH" -s "$S" "$@"; }
used() { b stats | sed -n 's/^used-bytes\t//p'; }
b init --size 256M "$S" 2>/dev/null || exit 1

seq 1 30000 | awk '{printf "set flat/key-%06d v%d\n", $1 * 2, $1}' >"$W/batch"
works "30,000 keys in one commit" b batch "$W/batch"
before=$(used)
for i in $(seq 1 15); do
    case $((i % 5)) in
    0) b rm "flat/key-$(printf %06d $((i * 2)))" ;;
    1) b set "flat/key-$(printf %06d $((i * 2 + 1)))" "new $i" ;;
    2) b set "flat/key-$(printf %06d $((i * 14 + 1)))/below" "deep $i" ;;
    *) b set "flat/key-$(printf %06d $((60000 - i * 2000)))" "other $i" ;;
    esac || bad "change $i"
done
tree=$(b digest flat)
works "15 changes take the room of few folders" test $(($(used) - before)) -lt 4000000

for i in 2 11 12 14 99/below 59998 60000 7777 15 54000; do
    key=flat/key-$(printf %06d "${i%%/*}")${i##*[0-9]}
    b get "$key" >>"$W/got" 2>/dev/null || echo "none of $key" >>"$W/got"
done
works "clone" git clone -q -u "$BOUGH git upload-pack" "file://$S" "$W/clone"
same "$(git -C "$W/clone" fsck --strict 2>&1)" "" "git finds no fault"
same "$(git -C "$W/clone" rev-parse HEAD:flat)" "$tree" "the same tree"
for i in 2 11 12 14 99/below 59998 60000 7777 15 54000; do
    key=flat/key-$(printf %06d "${i%%/*}")${i##*[0-9]}
    git -C "$W/clone" cat-file blob "HEAD:$key" >>"$W/want" 2>/dev/null || echo "none of $key" >>"$W/want"
done
same "$(cat "$W/got")" "$(cat "$W/want")" "the same values"
b ls -l flat | sed 's,\t/flat/,\t,; s,/$,,' | sort >"$W/ls"
git -C "$W/clone" ls-tree HEAD:flat | sed -E 's/ (blob|tree) / /' | sort >"$W/ls-tree"
works "the same listing" cmp "$W/ls" "$W/ls-tree"
works "the same history" test "$(b log --oneline | wc -l)" = "$(git -C "$W/clone" rev-list --count HEAD)"
for key in flat/key-000003 flat/key-000010 flat/key-000099/below flat; do
    same "$(b log --oneline "$key" | wc -l)" "$(git -C "$W/clone" rev-list --count HEAD -- "$key")" "the history of $key"
done
works "fsck" b fsck
sum
