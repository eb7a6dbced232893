#!/bin/bash
# git_clients.sh - Git clients that are not git: libgit2, and dulwich where python3-dulwich is installed.
#
# Goal: they clone, fetch and push over git:// and http:// with their defaults, and stock git agrees with the result.
# Method: git pushes a history with deltas and tags; each client (libgit2_client.c, dulwich_client.py) clones it,
# fetches what was added through Redis, commits, pushes, and is refused where git would be.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77

"$BOUGH" init --size 512M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"

git init -q "$W/in"
for i in {1..25}; do
    seq $((i * 50)) >"$W/in/f"
    mkdir -p "$W/in/d/$((i % 4))"
    cp "$W/in/f" "$W/in/d/$((i % 4))/$i"
    git -C "$W/in" add -A
    git -C "$W/in" commit -q -m "$i"
done
git -C "$W/in" tag -a -m t v1 HEAD~3
git -C "$W/in" branch side HEAD~5
works 'git pushes' git -C "$W/in" push -q "$URL" main side v1

# line N: the client's N-th line; empty when it ended without it
line() {
    local text
    for _ in {1..600}; do
        text=$(sed -n "$1p" "$W/out")
        [ -z "$text" ] && kill -0 "$CLIENT" 2>/dev/null || break
        sleep 0.05
    done
    sed -n "$1p" "$W/out"
}
tip() { git ls-remote "$URL" "refs/heads/$1" | cut -f1; }
# try NAME URL COMMAND...: COMMAND URL DIR REF clones; waits for a line; fetches, commits, pushes REF; prints each tip
try() {
    local name=$1 url=$2 dir=$W/$1
    shift 2
    mkfifo "$W/go"
    timeout 60 "$@" "$url" "$dir" "refs/heads/$name" <"$W/go" >"$W/out" 2>"$W/client.log" &
    CLIENT=$!
    exec 4>"$W/go"
    same "$(line 1)" "$(tip main)" "$name clones: $(tail -n 1 "$W/client.log")"
    rcli set "added/for-$name" "$name" >/dev/null
    echo go >&4
    exec 4>&-
    same "$(line 2)" "$(tip main)" "$name fetches what Redis wrote: $(tail -n 1 "$W/client.log")"
    same "$(line 3)" "$(tip "$name")" "$name pushes: $(tail -n 1 "$W/client.log")"
    wait "$CLIENT" || bad "$name: $(tail -n 1 "$W/client.log")"
    rm "$W/go"
    same "$(rcli get "@$name:from-client")" 'by another client' "$name: its value"
    works "$name: git fsck" git -C "$dir" fsck --strict
    same "$(git -C "$dir" rev-parse v1 origin/side 2>/dev/null)" "$(git -C "$W/in" rev-parse v1 side)" "$name: refs of the clone"
}

LIBGIT2=$W/libgit2_client
works 'the client builds' cc -std=c11 -Wall -Werror -o "$LIBGIT2" tests/interop/libgit2_client.c -lgit2
for u in "$URL" "http://127.0.0.1:$HP/store.git"; do
    kind=${u%%:*}
    try "libgit2-$kind" "$u" "$LIBGIT2"
    refuse "libgit2 over $kind hears why not" 'deletion of the current branch prohibited' \
        "$LIBGIT2" --delete "$u" "$W/delete-$kind" refs/heads/main
    if /usr/bin/python3 -c 'import dulwich' 2>/dev/null; then
        try "dulwich-$kind" "$u" /usr/bin/python3 tests/interop/dulwich_client.py
    else
        echo "without dulwich over $kind"
    fi
done
git clone -q --mirror "$URL" "$W/m" && works 'git fsck of all' git -C "$W/m" fsck --strict
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck
sum
