#!/bin/bash
# cli.sh - every verb of the program, as a shell script would use it.
#
# Goal: data on stdout only, words on stderr, exit codes as the manual says; what the verbs write is what git would
# have written.  Method: each call's code, output and message compared; ids made again by git's plumbing.
. "$(dirname "$0")/../lib/serve.sh"
cd "$W" || exit 1
export BOUGH_STORE=$W/s.img
export GIT_AUTHOR_NAME='Ä Author' GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE='1700000000 +0130'
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org GIT_COMMITTER_DATE='1700000100 -0200'

# c CODE OUT ERR WORD...: `bough WORD...` ends with CODE, prints exactly OUT, and on stderr something with ERR ('': nothing)
c() {
    local code=$1 out=$2 err=$3 rc=0
    shift 3
    "$BOUGH" "$@" >"$W/out" 2>"$W/err" </dev/null || rc=$?
    same "$rc" "$code" "exit code of: $* ($(head -c 200 "$W/err"))"
    same "$(cat "$W/out")" "$out" "output of: $*"
    if [ -z "$err" ]; then same "$(cat "$W/err")" '' "silence of: $*"; else has "$(cat "$W/err")" "$err" "message of: $*"; fi
}
# fails CODE ERR WORD...: the same with nothing on stdout
fails() {
    local code=$1 err=$2
    shift 2
    c "$code" '' "$err" "$@"
}
works_cli() { c 0 '' '' "$@"; }
in_cli() { "$BOUGH" "$@"; } # with the caller's stdin

# --- before there is a store

fails 3 'bough init' get a
fails 3 'no such store' set a 1
fails 3 'no such store' log
fails 3 'no such store' fsck
echo 'not a store, but a text' >text
fails 3 'text: not a Bough store' -s text get a
fails 2 'no such verb: nope' nope
fails 2 'did you mean `bough set`' ste
fails 2 'unknown flag' --nope get a
fails 2 'wants a value' -s
"$BOUGH" >/dev/null 2>&1
same $? 2 'no verb at all'
has "$("$BOUGH" help)" 'usage: bough' help
has "$("$BOUGH" --help)" 'print a value' --help
has "$("$BOUGH" help set)" '--if-digest' 'help of a verb'
fails 2 'no such verb' help nope
has "$("$BOUGH" version)" 'bough 0.' version
has "$("$BOUGH" --version)" 'bough 0.' --version
for v in $("$BOUGH" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    has "$("$BOUGH" help "$v")" "bough [-s STORE] $v" "help of $v"
done

# --- init

fails 2 '--size' init --size 0
fails 2 '--size' init --size 4X
fails 2 'unknown' init --object-format md5
GIT_DEFAULT_HASH=md5 fails 2 'GIT_DEFAULT_HASH is sha1 or sha256' init
fails 2 'one store' init a b
fails 1 'too small' init --size 10K small.img
[ ! -e small.img ] && ok || bad 'a failed init leaves a file'
c 0 '' 'made an empty store' init --size 64M
same "$(stat -c %s s.img)" $((64 << 20)) 'the size of the file'
fails 1 'already exists' init
fails 1 'already exists' init text
same "$(cat text)" 'not a store, but a text' 'init spares what is there'
"$BOUGH" init big.img 2>/dev/null
[ "$(stat -c %b big.img)" -lt 100000 ] && ok || bad 'the usual file is not sparse'
rm big.img

# --- set and get

works_cli ls
works_cli branch
works_cli set config/colour green
c 0 green '' get config/colour
c 0 green '' get /config//colour/
c 0 green '' get @main:config/colour
fails 1 'config/none: not found' get config/none
fails 1 'value expected' get config
fails 1 'value expected' get /
fails 1 '/config/colour: dictionary expected' set config/colour/deep 1
fails 1 'value expected' set config 1
fails 2 'invalid key' set .git/x 1
fails 2 'invalid key' set a/../b 1
fails 2 usage: set
fails 2 usage: set a b c
fails 2 usage: get
fails 2 usage: get a b
fails 1 'unknown revision' get @nope:a
fails 1 'not found' get @main~9:a
fails 6 read-only set @main:a 1
works_cli set @@at 1
c 0 1 '' get @@at
printf 'a\0b\n' | in_cli set bytes
"$BOUGH" get bytes | cmp -s - <(printf 'a\0b\n') && ok || bad 'bytes from a pipe'
: | in_cli set empty
c 0 '' '' get empty
head -c 20000000 /dev/urandom >large
in_cli set large <large && "$BOUGH" get large | cmp -s - large && ok || bad '20 MB from a file'
cat large | in_cli set piped && "$BOUGH" get piped | cmp -s - large && ok || bad '20 MB from a pipe'
same "$("$BOUGH" digest large)" "$(git_id large)" 'digest of 20 MB'
same "$("$BOUGH" get large | head -c 10 | xxd -p)" "$(head -c 10 large | xxd -p)" 'a reader that stops early'
cat large | "$BOUGH" set piped && same "$("$BOUGH" digest piped)" "$(git_id large)" 'a large value from a pipe'
(exec 3< <(tail -c +11 large); dd bs=1 count=0 2>/dev/null; "$BOUGH" set offset <&3) && "$BOUGH" get offset | cmp -s - <(tail -c +11 large) && ok || bad 'from a descriptor'

# Conditions.
fails 4 'condition' set --create config/colour x
works_cli set --create cond/new x
id=$("$BOUGH" digest cond/new)
works_cli set --if-digest "$id" cond/new y
fails 4 'condition' set --if-digest "$id" cond/new z
fails 4 'condition' set --if-digest="$id" cond/new z
fails 2 'full id' set --if-digest 12 cond/new z
c 0 y '' get cond/new

# --- mv, rm, ls, stat, digest

works_cli set m/1 one
works_cli set m/2/3 three
works_cli mv m n/m
c 0 three '' get n/m/2/3
fails 1 'not found' get m/1
fails 1 'not found' mv nope x
fails 2 usage: mv a
works_cli rm n/m/1
fails 1 'nope: not found' rm n/m/2/3 nope
c 0 three '' get n/m/2/3
works_cli rm n cond
fails 1 'not found' ls n
fails 2 usage: rm
works_cli set ls/b 1
works_cli set ls/a/x 2
works_cli set -x ls/run 3
works_cli set $'ls/new\nline' 4
c 0 $'a/\nb\nnew\nline\nrun' '' ls ls
same "$("$BOUGH" ls -z ls | tr '\0' '|')" $'a/|b|new\nline|run|' 'ls -z'
c 0 $'/ls/a/\n/ls/a/x\n/ls/b\n/ls/new\nline\n/ls/run' '' ls -R ls
has "$("$BOUGH" ls -l ls)" "100755 $(printf 3 | git_id)" 'ls -l'
fails 1 'dictionary expected' ls ls/b
fails 2 usage: ls -q
has "$("$BOUGH" stat ls/run)" $'kind\tvalue' 'stat: kind'
has "$("$BOUGH" stat ls/run)" $'size\t1' 'stat: size'
has "$("$BOUGH" stat ls/run)" $'mode\texec' 'stat: mode'
has "$("$BOUGH" stat ls)" $'kind\tdictionary' 'stat of a tree'
fails 1 'not found' stat none
fails 1 'not found' digest none
same "$("$BOUGH" digest ls/b)" "$(printf 1 | git_id)" 'digest'

# --- batch: all or nothing, one commit

n=$("$BOUGH" log --oneline | wc -l)
printf 'set p/1 "x\\ny"   \n# a comment\n\nset "p/with space" "q\\"\\x41\\\\"\nmv ls/b p/b\nrm ls/run\nexpect p/1 none\n' | in_cli batch - && ok || bad batch
same "$("$BOUGH" log --oneline | wc -l)" $((n + 1)) 'a batch is one commit'
c 0 $'x\ny' '' get p/1
c 0 'q"A\' '' get 'p/with space'
c 0 1 '' get p/b
fails 1 'not found' get ls/run
expect_batch() { # CODE ERR SCRIPT
    local rc=0
    printf "$3" | in_cli batch - >out 2>err || rc=$?
    same "$rc" "$1" "batch '$3'"
    has "$(cat err)" "$2" "batch '$3'"
    fails 1 'not found' get p/2
}
expect_batch 4 'p/1' 'set p/2 2\nexpect p/1 none\n'
expect_batch 2 ':2:' 'set p/2 2\nnonsense\n'
expect_batch 1 ':3:' 'set p/2 2\n\nrm nope\n'
expect_batch 2 ':1:' 'set p/2 "open\n'
expect_batch 2 ':1:' 'set p/2 "\\q"\n'
expect_batch 2 ':1:' 'set p/2\n'
printf 'set p/3 3\n' >script
works_cli batch script
fails 1 'No such file' batch /none
fails 2 usage: batch
c 0 3 '' get p/3

# --- branches and history

works_cli branch dev
c 4 '' 'already exists' branch dev
works_cli -b dev set p/3 dev
c 0 dev '' get @dev:p/3
c 0 3 '' get p/3
c 0 3 '' get @dev~1:p/3
works_cli branch old main~2
fails 1 'not found' get @old:p/3
fails 1 'unknown revision' branch x nope
fails 2 'bough:' branch a..b
fails 1 'not found' branch -d nope
c 6 '' 'current branch' branch -d main
works_cli branch -d old
same "$("$BOUGH" reflog old | cut -d' ' -f2- | tr '\n' ,)" 'old@{0}: branch,old@{1}: branch,' 'a reflog outlives its branch'
same "$("$BOUGH" reflog -n 1 | cut -d' ' -f1)" "$("$BOUGH" log -n 1 --oneline | cut -d' ' -f1)" 'the reflog of HEAD'
c 0 '3 moves forgotten' '' reflog --expire 0
fails 1 'not found' reflog old
same "$("$BOUGH" branch | cut -f1 | tr '\n' ',')" '  dev,* main,' branch
works_cli -b fresh set only/here 1
same "$("$BOUGH" -b fresh ls -R)" $'/only/\n/only/here' 'a branch begun by a write'
works_cli branch -d fresh
has "$("$BOUGH" log -n 1)" 'Ä Author <a@example.org>' 'log'
same "$("$BOUGH" log -n 3 | grep -c ^commit)" 3 'log -n'
same "$("$BOUGH" log p/3 | grep -c ^commit)" 1 'log of a key'
same "$("$BOUGH" log @dev:p/3 | grep -c ^commit)" 2 'log of a key of a branch'
fails 2 number log -n x
fails 2 usage: log a b

# --- git agrees: ids, log, stat

git clone -q -u "$BOUGH git upload-pack" "file://$W/s.img" g
same "$("$BOUGH" digest /)" "$(git -C g rev-parse 'HEAD^{tree}')" 'the id of the root'
same "$("$BOUGH" digest p)" "$(git -C g rev-parse HEAD:p)" 'the id of a tree'
same "$("$BOUGH" branch | tr -d '* ' | tr '\t' ' ')" \
    "$(git -C g for-each-ref --format='%(refname:lstrip=3) %(objectname)' refs/remotes | grep -v ^HEAD)" 'branches'
same "$("$BOUGH" log | grep ^commit)" "$(git -C g log | grep ^commit)" 'log: commits'
same "$("$BOUGH" log -n 5)" "$(git -C g log -n 5)" 'log: the same words'
same "$("$BOUGH" log --oneline p)" "$(git -C g log --format='%h %s' --abbrev=10 -- p)" 'log of a tree'
for k in config/colour p ls large /; do
    same "$("$BOUGH" stat $k | sed -n 's/^commit\t//p')" "$(git -C g log -1 --format=%H -- "./${k#/}")" "stat $k: last change"
done
parent=$(git -C g rev-parse HEAD)
works_cli -m $'subject\n\nbody' set made/by x
(
    cd g && mkdir made && printf x >made/by && git add made/by
    git commit-tree -p "$parent" "$(git write-tree)" < <(printf 'subject\n\nbody')
) >commit
same "$("$BOUGH" log -n 1 | sed -n 's/^commit //p')" "$(cat commit)" "git's commit of the same content, author and time"
works_cli --author 'Other <o@example.org>' set made/by y
has "$("$BOUGH" log -n 1)" 'Author: Other <o@example.org>' --author
c 2 '' '--author' --author nobody set made/by z
GIT_AUTHOR_DATE=yesterday fails 2 GIT_AUTHOR_DATE set made/by z
works 'git fsck' git -C g fsck --strict

# --- import and export

mkdir -p in/sub/deep
printf text >in/a && printf '#!/bin/sh\n' >in/sub/run && chmod +x in/sub/run && ln -s ../a in/sub/deep/link && : >in/empty
printf 'b\0' >'in/odd name ü' && head -c 3000000 /dev/urandom >in/sub/big
n=$("$BOUGH" log --oneline | wc -l)
"$BOUGH" import dir:in into 2>err && ok || bad "import: $(cat err)"
same "$("$BOUGH" log --oneline | wc -l)" $((n + 1)) 'an import is one commit'
"$BOUGH" export into dir:exported 2>err && ok || bad "export: $(cat err)"
works 'what went in comes out' diff -r --no-dereference in exported
same "$(cd exported && find . -type f -perm -u+x)" ./sub/run 'modes come out'
git init -q --bare tmp.git
same "$("$BOUGH" digest into)" "$(cd in && export GIT_DIR=../tmp.git GIT_WORK_TREE=. && git add -A && git write-tree)" "git's tree of the folder"
"$BOUGH" export @main~1:/ dir:before 2>/dev/null && [ ! -e before/into ] && [ "$(cat before/p/3)" = 3 ] && ok || bad 'export of a revision'
fails 2 usage: import in
"$BOUGH" import dir:none x >/dev/null 2>&1
[ $? != 0 ] && ok || bad 'import of no folder'
fails 1 'not found' export none dir:out2

# --- the index of history

commits() {
    local i
    for ((i = 1; i <= 300; i++)); do
        printf 'commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nx\n' $((1700000000 + i))
        printf 'M 100644 inline d%d/k%d\ndata %d\n%d\n' $((i % 3)) $((i % 40)) ${#i} "$i"
    done
}
git init -q hist
commits | git -C hist fast-import --quiet
git -C hist bundle create "$W/hist.bundle" --all >/dev/null 2>&1
works restore "$BOUGH" restore hist.bundle hist.img
has "$("$BOUGH" -s hist.img stats)" $'history-indexed\t0 of 300 commits' 'nothing is indexed yet'
works 'gc indexes' "$BOUGH" -s hist.img gc
has "$("$BOUGH" -s hist.img stats)" $'history-indexed\t300 of 300 commits' 'all is indexed'
works 'fsck with an index' "$BOUGH" -s hist.img fsck
works 'fsck --rebuild-index' "$BOUGH" -s hist.img fsck --rebuild-index
has "$("$BOUGH" -s hist.img stats)" $'history-indexed\t300 of 300 commits' 'all is indexed again'
for p in d0/k3 d1/k1 d2/k38 d0; do
    same "$("$BOUGH" -s hist.img log "$p" | grep ^commit)" \
        "$(git -C hist log main -- "$p" | grep ^commit)" "log of $p"
done

# --- upkeep

has "$("$BOUGH" stats)" $'object-format\t'"${GIT_DEFAULT_HASH:-sha1}" stats
works gc "$BOUGH" gc
works 'gc --dry-run' "$BOUGH" gc --dry-run --prune=now
for policy in 3,5d:3 5,2d:3 100,3d:4 2,100d:2 1,1d:1; do # a commit a day: whichever ends first
    rm -f both.img
    "$BOUGH" init --size 8M both.img 2>/dev/null
    for i in 7 6 5 4 3 2 1 0; do
        at="$(($(date +%s) - i * 86400 + 3600)) +0000"
        GIT_AUTHOR_DATE=$at GIT_COMMITTER_DATE=$at "$BOUGH" -s both.img set k "$i" || bad "set $i"
    done
    "$BOUGH" -s both.img keep main "${policy%:*}" && "$BOUGH" -s both.img gc --prune now 2>/dev/null
    same "$("$BOUGH" -s both.img log | grep -c ^commit)$("$BOUGH" -s both.img fsck)" "${policy#*:}" "keep ${policy%:*}"
done
works_cli keep tmp/* 3,7d
works_cli keep '*' 30d
same "$("$BOUGH" keep)" $'*\t30d\ntmp/*\t3,7d' 'the policies'
same "$("$BOUGH" keep tmp/x) $("$BOUGH" keep x) $("$BOUGH" keep refs/tags/x)" '3,7d 30d all' 'which policy counts'
works_cli keep -d '*'
works_cli keep -d 'tmp/*'
same "$("$BOUGH" keep)" '' 'no policies'
fails 1 'no policy' keep -d '*'
fails 2 usage: keep main 0
fails 2 usage: gc --prune=soon
fails 2 usage: gc --keep=some
works_cli fsck
works_cli resize 5G
works_cli resize "$W/s.img" 3G
same "$(stat -c %s s.img)" 3221225472 'length of the file'
has "$("$BOUGH" stats)" $'device-bytes\t3221225472' 'size of the store'
fails 2 '16 zones' resize 1K
fails 2 usage: resize big
works_cli fsck
fails 2 usage: gc x
fails 2 usage: git x

# --- a second process

cd "$ROOT" || exit 1
serve "$W/s.img"
for v in 'get p/3' 'set p/3 x' fsck log; do
    # shellcheck disable=SC2086
    fails 9 "locked" $v
    has "$(cat "$W/err")" "pid $PID" "who holds the lock, for: $v"
done
stop
c 0 3 '' get p/3
fails 2 'a port' serve --redis x
fails 6 'loopback' serve --bind 0.0.0.0
fails 2 usage: serve now

# --- mem: and SHA-256

export BOUGH_STORE=mem:
works_cli set a 1
fails 1 'not found' get a
export BOUGH_STORE=$W/256.img
c 0 '' 'made' init --size 64M --object-format sha256
works_cli -m m set dir/a 1
same "$("$BOUGH" digest dir/a)" "$(cd "$W" && git init -q --object-format=sha256 t256 && cd t256 && printf 1 | git hash-object --stdin)" 'a SHA-256 id'
has "$("$BOUGH" stats)" $'object-format\tsha256' 'stats of a SHA-256 store'
GIT_DEFAULT_HASH=sha256 "$BOUGH" init --size 64M "$W/env.img" 2>/dev/null
has "$("$BOUGH" -s "$W/env.img" stats)" $'object-format\tsha256' 'the kind that git makes by default'
works_cli fsck

# --- input that cannot be read is no empty input, and output that cannot be written is no success
rc=0; "$BOUGH" set from-folder <"$W" 2>"$W/err" || rc=$?
same "$rc" 3 'a value from a folder'
fails 1 'from-folder: not found' get from-folder
fails 2 'cannot be read' batch "$W"
rc=0; printf 'set nul "a"\0junk\n' | in_cli batch - 2>"$W/err" || rc=$?
same "$rc" 2 'a script with a NUL byte'
has "$(cat "$W/err")" 'NUL byte' 'a script with a NUL byte'
works_cli set full v
for verb in 'get full' 'ls' 'log' 'stats'; do
    rc=0; $BOUGH $verb >/dev/full 2>"$W/err" || rc=$?
    same "$rc" 7 "$verb to a full device"
    has "$(cat "$W/err")" 'cannot be written' "$verb to a full device"
done
works_cli set @@at 1
same "$("$BOUGH" log --oneline @@at | wc -l)" 1 'log of a literal @'
fails 1 'bough: no/such: not found' get no/such
fails 3 'neither a file' -s /dev/null get k
fails 2 'nothing to serve' serve --redis 0 --git 0 --http 0
fails 2 'wants a number' log -n ''
sum
