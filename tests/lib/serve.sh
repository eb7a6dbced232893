# serve.sh - sourced by tests that talk to a daemon.
#
# With GIT_DEFAULT_HASH=sha256 git and `bough init` make repositories of that kind, here as anywhere.
#
#   W              a scratch folder, removed at the end
#   serve STORE    starts ./bough serve: sets PID, RP, GP, HP (ports) and URL; FLAGS adds flags
#   stop           SIGTERM must end it with 0
#   ok NAME / same GOT WANT NAME / has TEXT PART NAME / refuse NAME COMMAND...
#   git_id [FILE]  git's id of a file's bytes, or of stdin's, as a blob
#   sum            prints `N passed, N failed` and ends
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
ROOT=$PWD
BOUGH=${BOUGH:-$ROOT/bough}
[ -x "$BOUGH" ] || { echo "no $BOUGH"; exit 77; }
W=$(mktemp -d)
PID=
PASSED=0
FAILED=0

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG
export LC_ALL=C.UTF-8 TZ=UTC GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$W/gitconfig
cat >"$W/gitconfig" <<'CONFIG'
[user]
	name = Test
	email = test@example.org
[init]
	defaultBranch = main
[safe]
	directory = *
[advice]
	detachedHead = false
[pull]
	ff = only
[gc]
	auto = 0
[protocol "ext"]
	allow = always
CONFIG

cleanup() {
    [ -z "$PID" ] || kill -9 "$PID" 2>/dev/null
    rm -rf "$W"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

git_id() { # in a repository: git knows one kind only without
    [ -d "$W/ids" ] || git init -q --bare "$W/ids"
    git -C "$W/ids" hash-object --stdin <"${1:-/dev/stdin}"
}

free_port() {
    local p
    while :; do
        p=$((20000 + RANDOM % 12000)) # below what the kernel gives to clients
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
    done
}

serve() {
    local store=$1
    RP=$(free_port) GP=$(free_port) HP=$(free_port)
    URL=git://127.0.0.1:$GP/store.git
    rm -f "$W/serve.out" # an earlier daemon's word is not this one's
    # shellcheck disable=SC2086
    "$BOUGH" -s "$store" serve --redis "$RP" --git "$GP" --http "$HP" ${FLAGS:-} >"$W/serve.out" 2>"$W/serve.err" &
    PID=$!
    for _ in {1..400}; do
        grep -qs '^ready' "$W/serve.out" && return 0
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.05
    done
    echo "the daemon does not get ready: $(tail -n 3 "$W/serve.err")"
    FAILED=$((FAILED + 1))
    sum
}

stop() {
    local rc=0
    kill -TERM "$PID" 2>/dev/null || bad "the daemon is gone before its SIGTERM: $(tail -n 3 "$W/serve.err")"
    wait "$PID" || rc=$?
    PID=
    same "$rc" 0 "SIGTERM ends the daemon with 0"
}

crash() { # kill -9
    kill -9 "$PID"
    wait "$PID" 2>/dev/null
    PID=
}

rcli() { redis-cli -p "$RP" "$@"; }
ok() { PASSED=$((PASSED + 1)); }
bad() {
    FAILED=$((FAILED + 1))
    echo "FAILED: $*"
}
same() { if [ "$1" = "$2" ]; then ok; else bad "$3: expected '$2', got '$1'"; fi; }
has() { case "$1" in *"$2"*) ok ;; *) bad "$3: expected '$2' in '$1'" ;; esac; }
works() { # works NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$W/works.log" 2>&1; then ok; else bad "$name: $* :: $(tail -n 3 "$W/works.log")"; fi
}
refuse() { # refuse NAME PART COMMAND...: it must fail and say PART
    local name=$1 part=$2
    shift 2
    if "$@" >"$W/refuse.log" 2>&1; then bad "$name: was not refused: $*"; else has "$(cat "$W/refuse.log")" "$part" "$name"; fi
}
sum() {
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
    exit
}
