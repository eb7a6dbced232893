#!/bin/bash
# git_cut.sh - stock git as the client of a store whose history was cut.
#
# Goal: with every protocol version a clone of a cut store is an ordinary shallow clone that git fsck finds
# sound; clones from before fetch and push on; what is gone is not served; retention and collections
# are asked for over Redis while clients go on.
# Method: a store behind the daemon; histories by git and by SET; GIT.KEEP, GIT.GC.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77

status() { rcli git.gc status | paste -sd' ' | grep -o "\b$1 [^ ]*" | head -n 1 | cut -d' ' -f2; }
# gc: collect all that is not reached, and wait for it
gc() {
    local was
    was=$(status collections)
    same "$(rcli git.gc prune 0)" 'Collection started' 'GIT.GC'
    for _ in {1..200}; do
        [ "$(status collections)" -gt "$was" ] && [ "$(status phase)" = idle ] && return
        sleep 0.05
    done
    bad "the collection does not end: $(rcli git.gc status | paste -sd' ')"
}
commits() { git -C "$1" rev-list --count "${2:-HEAD}"; }
sound() { works "$1: fsck" git -C "$2" fsck --strict --no-dangling; }

for STORE in ${STORES:-cut.img}; do # or mem:
    [ "$STORE" = mem: ] || "$BOUGH" init --size 256M "$W/$STORE" 2>/dev/null || exit 1
    [ "$STORE" = mem: ] || STORE=$W/$STORE
    rm -rf "$W/in" "$W"/[a-z]-*
    git init -q "$W/in"
    for i in {1..20}; do
        seq $i $((i + 30)) >"$W/in/f$((i % 3))"
        git -C "$W/in" add . && git -C "$W/in" commit -q -m "change $i"
        [ $i != 10 ] || git -C "$W/in" branch side
    done
    git -C "$W/in" checkout -q side
    for i in 1 2 3; do
        echo $i >"$W/in/side" && git -C "$W/in" add . && git -C "$W/in" commit -q -m "side $i"
    done
    git -C "$W/in" checkout -q main
    git -C "$W/in" merge -q -m merged side
    old=$(git -C "$W/in" rev-parse main~8)
    serve "$STORE"
    HURL=http://127.0.0.1:$HP/store.git
    works 'push' git -C "$W/in" push -q "$URL" main side
    for v in 0 2; do works "a full clone, version $v" git -c protocol.version=$v clone -q "$URL" "$W/full-$v"; done
    works 'a clone to be left behind' git clone -q "$URL" "$W/late-2"
    works 'a shallow one' git clone -q --depth 6 "$URL" "$W/deep-2"

    # --- the cut

    same "$(rcli git.keep main 5)" OK GIT.KEEP
    same "$(rcli git.keep side 2)" OK GIT.KEEP
    same "$(rcli git.keep main)" 5 'the policy'
    same "$(rcli git.keep nothing)" all 'no policy'
    has "$(rcli git.keep nothing 0)" 'ERR a policy' 'a bad policy'
    gc
    [ "$(status dead)" -gt 20 ] && ok || bad "nothing was dropped: $(rcli git.gc status | paste -sd' ')"
    has "$(rcli info upkeep)" collection_phase:idle INFO
    same "$(rcli git.oid f1)" "$(git -C "$W/in" rev-parse main:f1)" 'the same values'
    for v in 0 1 2; do
        for u in "$URL" "$HURL"; do
            n=c-${u%%:*}-$v
            works "clone $n" git -c protocol.version=$v clone -q "$u" "$W/$n"
            sound "$n" "$W/$n"
            same "$(git -C "$W/$n" rev-parse HEAD 'HEAD^{tree}')" "$(git -C "$W/in" rev-parse main 'main^{tree}')" "$n: the head"
            works "$n: log ends" test "$(commits "$W/$n")" -lt 13
            same "$(git -C "$W/$n" rev-parse --is-shallow-repository)" true "$n: is shallow"
            refuse "$n: what is gone" '' git -C "$W/$n" cat-file -e "$old"
            works "$n: mirror" git -c protocol.version=$v clone -q --mirror "$u" "$W/$n-m"
            sound "$n mirror" "$W/$n-m"
            works "$n: depth 1" git -c protocol.version=$v clone -q --depth 1 "$u" "$W/$n-1"
            same "$(commits "$W/$n-1")" 1 "$n: depth 1"
            works "$n: unshallow" git -C "$W/$n-1" -c protocol.version=$v fetch -q --unshallow
            same "$(commits "$W/$n-1")" "$(git -C "$W/$n" rev-list --count main)" "$n: as far as it goes"
            sound "$n unshallowed" "$W/$n-1"
        done
    done
    refuse 'a want that is gone' 'not our ref' git -C "$W/c-git-2" fetch -q "$URL" "$old"

    # --- clones from before

    rcli -x set f1 <<<'on the server' >/dev/null
    for v in 0 2; do
        works "fetch into a full clone, version $v" git -C "$W/full-$v" -c protocol.version=$v pull -q
        same "$(cat "$W/full-$v/f1")" 'on the server' "pull, version $v"
        works "a full clone stays full" test "$(commits "$W/full-$v")" -gt 20
        sound "full clone, version $v" "$W/full-$v"
        echo "by $v" >"$W/full-$v/by$v" && git -C "$W/full-$v" add . && git -C "$W/full-$v" commit -q -m "by $v"
        works "push from a full clone" git -C "$W/full-$v" -c protocol.version=$v push -q origin main
        same "$(rcli --raw get by$v)" "by $v" 'what was pushed'
        works "pull into a cut clone" git -C "$W/c-git-$v" -c protocol.version=$v pull -q
        echo "cut $v" >"$W/c-git-$v/cut$v" && git -C "$W/c-git-$v" add . && git -C "$W/c-git-$v" commit -q -m "cut $v"
        works "push from a cut clone" git -C "$W/c-git-$v" -c protocol.version=$v push -q origin main
        sound "cut clone, version $v" "$W/c-git-$v"
        git -C "$W/full-$((2 - v))" pull -q
    done
    works 'fetch into a shallow clone' git -C "$W/deep-2" pull -q
    sound 'shallow clone' "$W/deep-2"

    # --- a clone that has nothing in common with what is left

    for i in {1..9}; do rcli set later "$i" >/dev/null; rcli git.log later >/dev/null; done
    gc
    works 'a late clone fetches' git -C "$W/late-2" fetch -q --update-shallow
    same "$(git -C "$W/late-2" rev-parse origin/main)" "$(git ls-remote "$URL" main | cut -f1)" 'the late clone'
    sound 'late clone' "$W/late-2"

    # --- a snapshot of a connection holds its values

    mkfifo "$W/fifo" 2>/dev/null
    rcli --raw <"$W/fifo" >"$W/held" 2>&1 &
    exec 9>"$W/fifo"
    rcli set held 'as it was' >/dev/null
    id=$(rcli git.log limit 1 | sed -n 2p)
    echo "git.snapshot $id" >&9
    rcli set held 'as it is' >/dev/null && rcli git.log limit 1 >/dev/null
    rcli git.keep main 1 >/dev/null
    for _ in {1..100}; do [ -s "$W/held" ] && break; sleep 0.02; done
    gc
    has "$(rcli get "@$id:held" 2>&1)" ERR 'the commit is gone for others'
    { echo "get @$id:held"; echo "git.modified @$id:held"; echo "git.snapshot drop $id"; echo "get @$id:held"; } >&9
    exec 9>&-
    wait $! && sed -i "/^$/d" "$W/held"
    same "$(sed -n '1,2p;4p' "$W/held")" "$id"$'\nas it was\n1' 'a snapshot'
    has "$(sed -n 3p "$W/held")" EXPIRED 'its history is gone'
    has "$(sed -n 5p "$W/held")" ERR 'after the snapshot was dropped'

    # --- while clients go on

    rcli git.keep main 1 >/dev/null
    (for i in {1..300}; do rcli set "busy/$((i % 20))" "$i"; done) >"$W/busy" &
    busy=$!
    for _ in {1..4}; do rcli git.gc prune 0 >/dev/null; works 'a clone meanwhile' git clone -q "$URL" "$W/m-$RANDOM$RANDOM"; done
    wait $busy
    same "$(sort "$W/busy" | uniq -c | tr -s ' ')" ' 300 OK' 'every SET'
    gc
    works 'a clone after it' git clone -q "$URL" "$W/m-end"
    sound 'after it' "$W/m-end"
    same "$(cat "$W/m-end/busy/0")" 300 'the last value'
    same "$(commits "$W/m-end" main)" 1 'one commit is kept'
    works 'and so says git log' test "$(git -C "$W/m-end" log --oneline main | wc -l)" = 1
    stop
    [ "$STORE" = mem: ] || works 'fsck' "$BOUGH" -s "$STORE" fsck
done
sum
