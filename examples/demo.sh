#!/bin/bash
# demo - the main job on real input, step by step: one store, Redis clients write, Git clients clone and push.
#
# Runs by itself (`make demo`), leaves nothing running and nothing behind.  The input is this project's own
# repository with its whole history.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bough=${BOUGH:-$here/bough}
work=$(mktemp -d)
daemon=
cleanup() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '  $ %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "$3: expected '$2', got '$1'"; }

export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$work/gitconfig LC_ALL=C.UTF-8
cat >"$work/gitconfig" <<'CONFIG'
[user]
	name = Demo
	email = demo@example.org
[init]
	defaultBranch = main
[safe]
	directory = *
[advice]
	detachedHead = false
[pull]
	ff = only
CONFIG

free_port() {
    local p
    while :; do
        p=$((20000 + RANDOM % 12000)) # below what the kernel gives to clients
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
    done
}
redis_port=$(free_port)
git_port=$(free_port)
url=git://127.0.0.1:$git_port/store.git
rcli() { redis-cli -p "$redis_port" "$@"; }

serve() {
    "$bough" -s "$work/store.img" serve --redis "$redis_port" --git "$git_port" --http 0 >"$work/serve.out" 2>"$work/serve.err" &
    daemon=$!
    for _ in $(seq 200); do
        grep -q '^ready' "$work/serve.out" && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.05
    done
    fail "the daemon does not start: $(tail -n 1 "$work/serve.err")"
}

step "1. A fresh store in a file, and the daemon on it"
show "bough init --size 1G store.img"
"$bough" init --size 1G "$work/store.img"
show "bough -s store.img serve --redis $redis_port --git $git_port &"
serve
sed 's/^/  /' "$work/serve.out"

step "2. Stock git pushes this project's repository, its whole history"
if git -C "$here" rev-parse -q --verify HEAD >/dev/null 2>&1; then
    git clone -q --bare "$here" "$work/input.git"
else # a release without history: what lies here becomes one commit
    git init -q "$work/input"
    cp -r "$here"/[a-z]* "$work/input/" && rm -rf "$work/input/build"
    git -C "$work/input" add -A && git -C "$work/input" commit -qm "the sources"
    git clone -q --bare "$work/input" "$work/input.git"
fi
show "git push $url HEAD:refs/heads/main"
git -C "$work/input.git" push -q "$url" HEAD:refs/heads/main
printf '  %s commits, %s files\n' "$(git -C "$work/input.git" rev-list --count HEAD)" "$(git -C "$work/input.git" ls-tree -r HEAD | wc -l)"

step "3. Every file is a key: read through redis-cli, compared with git"
n=0
while IFS= read -r path; do
    rcli get "$path" >"$work/got"
    git -C "$work/input.git" cat-file blob "HEAD:$path" >"$work/want"
    echo >>"$work/want" # redis-cli ends with a newline of its own
    cmp -s "$work/got" "$work/want" || fail "GET $path differs from git"
    n=$((n + 1))
done < <(git -C "$work/input.git" ls-tree -r --name-only HEAD | grep -v '^@' | head -n 60)
show "redis-cli get base/base.h"
printf '  %s values equal to git cat-file\n' "$n"
same "$(rcli git.oid base/base.h)" "$(git -C "$work/input.git" rev-parse HEAD:base/base.h)" "GIT.OID"
printf '  GIT.OID base/base.h = %s = git rev-parse HEAD:base/base.h\n' "$(rcli git.oid base/base.h)"

step "4. A write through Redis is a commit; MSET is one"
git clone -q "$url" "$work/clone"
before=$(git -C "$work/clone" rev-list --count HEAD)
show "redis-cli mset config/colour green config/size 42 config/name bough"
same "$(rcli mset config/colour green config/size 42 config/name bough)" OK MSET
show "git pull"
git -C "$work/clone" pull -q
same "$(git -C "$work/clone" rev-list --count HEAD)" $((before + 1)) "commits after MSET"
same "$(cat "$work/clone/config/colour")" green "the pulled file"
git -C "$work/clone" log -1 --stat --format='  %h %an: %s' | sed 's/^/  /'

step "5. Branches and time travel"
show "redis-cli git.branch create experiment; redis-cli set config/colour red"
same "$(rcli git.branch create experiment)" OK "GIT.BRANCH"
same "$(rcli set config/colour red)" OK SET
same "$(rcli get config/colour)" red "GET on main"
same "$(rcli get @experiment:config/colour)" green "GET on the branch"
same "$(rcli get @main~1:config/colour)" green "GET of the revision before"
printf '  config/colour is "%s"; @experiment: "%s"; @main~1: "%s"\n' "$(rcli get config/colour)" \
    "$(rcli get @experiment:config/colour)" "$(rcli get @main~1:config/colour)"

step "6. git push reaches Redis at once"
git -C "$work/clone" pull -q
echo blue >"$work/clone/config/colour"
git -C "$work/clone" commit -qam "a colour from git"
show "git push; redis-cli get config/colour"
git -C "$work/clone" push -q
same "$(rcli get config/colour)" blue "GET after git push"
printf '  blue\n'

step "7. A plain clone is a sound repository"
show "git clone --mirror $url && git fsck --strict"
git clone -q --mirror "$url" "$work/mirror"
git -C "$work/mirror" fsck --strict 2>"$work/fsck" || { cat "$work/fsck"; fail "git fsck --strict"; }
printf '  fsck: nothing to say\n'

step "8. kill -9 in the middle of writes: nothing acknowledged is lost"
: >"$work/acked"
(
    exec 3<>"/dev/tcp/127.0.0.1/$redis_port"
    for i in $(seq 100000); do
        printf 'SET crash/k%d v%d\r\n' "$i" "$i" >&3 || exit 0
        IFS= read -r answer <&3 || exit 0
        [ "${answer%$'\r'}" = +OK ] && echo "$i" >>"$work/acked"
    done
) 2>/dev/null &
writer=$!
sleep 0.7
show "kill -9 $daemon"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
wait "$writer" 2>/dev/null || true
serve
acked=$(wc -l <"$work/acked")
[ "$acked" -gt 0 ] || fail "no write was acknowledged"
sed 's|.*|get crash/k&|' "$work/acked" | rcli >"$work/values"
sed 's/^/v/' "$work/acked" | cmp -s - "$work/values" || fail "an acknowledged write is lost"
printf '  %s writes were acknowledged before the kill; all %s are there after it\n' "$acked" "$acked"
git clone -q "$url" "$work/after" && git -C "$work/after" fsck --strict 2>"$work/fsck" || fail "fsck after the kill"

step "9. The daemon ends on SIGTERM"
kill -TERM "$daemon"
wait "$daemon" || fail "the daemon ended with $?"
daemon=
"$bough" -s "$work/store.img" fsck || fail "bough fsck"
"$bough" -s "$work/store.img" log -n 3 --oneline | sed 's/^/  /'

step "That was it."
cat <<'TEXT'
  Go on by hand:
    make run                                  serves ./bough.img on ports 6380 (Redis), 9418 (git), 8080 (HTTP)
    redis-cli -p 6380 set hello world
    git clone git://127.0.0.1/store.git
TEXT
