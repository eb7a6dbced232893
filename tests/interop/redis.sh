#!/bin/bash
# redis.sh - redis-cli and redis-benchmark on the daemon.
#
# Goal: every command answers as the manual says, to the real client, and what was acknowledged is in git.
# Method: transcripts through redis-cli; each answer compared; stock git reads the result.
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77

"$BOUGH" init --size 256M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"

t() { # t ANSWER COMMAND...: what redis-cli prints
    local want=$1
    shift
    same "$(rcli --no-raw "$@" 2>&1)" "$want" "$*"
}

# Strings.
t PONG ping
t '"hi"' echo hi
t OK set a 1
t '"1"' get a
t '(nil)' get none
t '(nil)' set a 2 NX
t '"1"' set a 2 XX GET
t '(nil)' set b 2 XX
t '"2"' get a
t '(nil)' get b
t '(integer) 0' setnx a 3
t '(integer) 1' setnx c 3
t '"2"' getset a 4
t '"3"' getdel c
t '(nil)' getdel c
t OK mset m/x 1 m/y 2 m/z/w 3
t $'1) "1"\n2) "2"\n3) (nil)\n4) (nil)' mget m/x m/y m/none m/z
t '(integer) 0' msetnx m/x 9 m/new 9
t '(integer) 1' msetnx n/1 1 n/2 2
t '(integer) 5' append s hello
t '(integer) 11' append s ' world'
t '"hello world"' get s
t '(integer) 11' strlen s
t '(integer) 0' strlen none
t '"ell"' getrange s 1 3
t '"world"' getrange s -5 -1
t '""' getrange s 20 30
t '""' getrange none 0 -1
t '"hello world"' substr s 0 -1
t '(integer) 11' setrange s 6 BOUGH
t '"hello BOUGH"' get s
t '(integer) 15' setrange s 13 xy
t '(error) ERR string exceeds maximum allowed size (512 MiB) for a hole' setrange s 5000000000 xy # no 32 bits
t '"hello BOUGH\x00\x00xy"' get s

# Numbers.
t '(integer) 1' incr i
t '(integer) 42' incrby i 41
t '(integer) 41' decr i
t '(integer) -1' decrby i 42
t '"-1"' get i
has "$(rcli incr s)" 'not an integer' 'INCR of a text'
t OK set big 9223372036854775807
has "$(rcli incr big)" overflow 'INCR past the end'

# Keys and trees.
same "$(rcli type a)" string 'TYPE of a value'
same "$(rcli type m)" tree 'TYPE of a tree'
same "$(rcli type none)" none 'TYPE of nothing'
t '(integer) 2' exists a m none
has "$(rcli get m)" WRONGTYPE 'GET of a tree'
has "$(rcli set a/b 1)" "WRONGTYPE" 'SET below a value'
has "$(rcli set a/b 1)" "/a" 'SET below a value names it'
has "$(rcli set m 1)" WRONGTYPE 'SET over a tree'
t OK rename m moved
t '"3"' get moved/z/w
has "$(rcli rename none x)" 'no such key' 'RENAME of nothing'
t '(integer) 0' renamenx a s
t '(integer) 1' renamenx a aa
t '(integer) 2' del aa moved none
t '(integer) 0' exists moved
same "$(rcli keys '*' | sort | tr '\n' ' ')" 'big i n/1 n/2 s ' 'KEYS'
same "$(rcli keys 'n/?' | sort | tr '\n' ' ')" 'n/1 n/2 ' 'KEYS with a pattern'
t '(integer) 5' dbsize
has "big i n/1 n/2 s" "$(rcli randomkey)" 'RANDOMKEY'
has "$(rcli expire s 10)" 'history is permanent' 'EXPIRE says why not'
has "$(rcli set s 1 EX 10)" 'do not expire' 'SET EX says why not'

# Odd keys: each its own value, and all of them in a tree that git accepts.
odd=('.' '..' '.git' '.GIT' '%' '%%' '%.' 'a//b' '/lead' 'trail/' 'x/./y' 'x/../y' 'git~1' 'é/日本' $'tab\tnew\nline' '%x' '100%' 'a/.git/b')
for k in "${odd[@]}"; do same "$(rcli set "$k" "v:$k")" OK "SET of the odd key '$k'"; done
for k in "${odd[@]}"; do same "$(rcli get "$k")" "v:$k" "GET of the odd key '$k'"; done
has "$(rcli set '' x)" WRONGTYPE 'the empty key beside /lead, which is below it'
same "$(rcli keys '*' | grep -cFx -e '.' -e '..' -e .git -e '%' -e '%%' -e '%.' -e a//b -e /lead -e trail/ -e x/./y)" 10 'KEYS gives odd keys back'
t OK set @@literal 1
t '"1"' get @@literal
has "$(rcli set @main:x 1)" 'read-only' 'SET of a revision'

# SCAN: everything once, on a snapshot.
for i in {1..200}; do echo "set scan/k$i $i"; done | rcli >/dev/null
same "$(rcli --scan --pattern 'scan/*' | sort -u | wc -l)" 200 'SCAN finds all'
same "$(rcli --scan --pattern 'scan/*' | wc -l)" 200 'SCAN repeats nothing'
has "$(rcli scan x)" 'invalid cursor' 'SCAN of no cursor'

# Transactions.
same "$(printf 'multi\nset t/1 1\nset t/2 2\nincr t/n\nget t/1\nexec\n' | rcli | tr '\n' ' ')" 'OK QUEUED QUEUED QUEUED QUEUED OK OK 1 1 ' 'MULTI'
git clone -q "$URL" "$W/c"
before=$(git -C "$W/c" rev-list --count HEAD)
printf 'multi\nset t/1 x\nset t/3 y\ndel t/2\nexec\n' | rcli >/dev/null
rcli mset q/1 1 q/2 2 >/dev/null
git -C "$W/c" pull -q
same "$(git -C "$W/c" rev-list --count HEAD)" $((before + 2)) 'EXEC and MSET are a commit each'
same "$(git -C "$W/c" diff --name-status HEAD~2 HEAD~1 | tr '\n\t' '  ')" 'M t/1 D t/2 A t/3 ' 'EXEC changed what it should'
has "$(printf 'multi\nnosuch\nexec\n' | rcli 2>&1)" EXECABORT 'EXEC after an error'
same "$(printf 'multi\nset t/9 1\ndiscard\nget t/9\n' | rcli | tr '\n' ' ')" 'OK QUEUED OK  ' 'DISCARD'
exec 3<>"/dev/tcp/127.0.0.1/$RP"
printf 'WATCH t/1 t/none\r\n' >&3; read -r -t 5 x <&3
rcli set t/other 1 >/dev/null
printf 'MULTI\r\nSET t/w 1\r\nEXEC\r\n' >&3
for _ in 1 2 3 4; do read -r -t 5 x <&3; done
same "${x%$'\r'}" +OK 'EXEC goes through when another key changed'
printf 'WATCH t/1\r\n' >&3; read -r -t 5 x <&3
rcli set t/1 moved >/dev/null
printf 'MULTI\r\nSET t/w 2\r\nEXEC\r\n' >&3
for _ in 1 2 3; do read -r -t 5 x <&3; done
same "${x%$'\r'}" '*-1' 'EXEC fails when a watched key changed'
exec 3>&-

# Git's side.
t OK set hist/k one
t OK set hist/k two
git -C "$W/c" pull -q
same "$(rcli git.oid hist/k)" "$(git -C "$W/c" rev-parse HEAD:hist/k)" 'GIT.OID of a value'
same "$(rcli git.oid hist)" "$(git -C "$W/c" rev-parse HEAD:hist)" 'GIT.OID of a tree'
same "$(rcli git.modified hist/k | tail -n 1)" "$(git -C "$W/c" log -1 --format=%H -- hist/k)" 'GIT.MODIFIED'
same "$(rcli git.log hist/k | grep -c '^id$')" "$(git -C "$W/c" log --format=%H -- hist/k | wc -l)" 'GIT.LOG of a key'
same "$(rcli git.reflog limit 1 | sed -n '2p;4p' | tr '\n' ,)" "$(git -C "$W/c" log -2 --format=%H | tr '\n' ,)" 'GIT.REFLOG of HEAD'
has "$(rcli git.reflog main limit 1 | tail -n 1)" 'commit: ' 'GIT.REFLOG of a branch says what happened'
t OK git.branch create gone main~1
t OK git.branch delete gone
same "$(rcli git.reflog gone | sed -n '2p;4p;8p;12p;16p' | tr '\n' ,)" ",$(git -C "$W/c" rev-parse HEAD~1),branch,,branch," 'GIT.REFLOG of a branch that is gone'
same "$(rcli git.reflog refs/heads/gone skip 1 | sed -n 2p)" "$(git -C "$W/c" rev-parse HEAD~1)" 'GIT.REFLOG from the second move on'
same "$(rcli git.reflog gone skip 9223372036854775807)" '' 'GIT.REFLOG from far behind the end'
same "$(rcli git.log skip 9223372036854775807)" '' 'GIT.LOG from far behind the end'
has "$(rcli git.reflog never)" 'not found' 'GIT.REFLOG of what never was'
has "$(rcli git.reflog main limit -1)" 'LIMIT is' 'GIT.REFLOG with an odd limit'
has "$(rcli git.reflog main often 1)" syntax 'GIT.REFLOG with an odd word'
same "$(rcli git.ls hist)" k 'GIT.LS'
has "$(rcli git.ls)" 'hist/' 'GIT.LS of the root'
t OK set @@at/x 1
same "$(rcli git.log @@at/x | grep -c '^id$')" 1 'GIT.LOG of a literal @'
has "$(rcli git.log @main: limit 1)" message 'GIT.LOG of all of a revision'
same "$(rcli keys '@@at/*')" @@at/x 'KEYS below a literal @'
same "$(rcli keys 'scan/k1?' | wc -l)" 10 'KEYS below a directory'
same "$(rcli --scan --pattern 'scan/k19*' | wc -l)" 11 'SCAN below a directory'
same "$(rcli keys 'nowhere/*')" '' 'KEYS below nothing'
t OK git.branch create dev
has "$(rcli git.branch create dev)" 'already exists' 'GIT.BRANCH CREATE again'
has "$(rcli git.branch list)" dev 'GIT.BRANCH LIST'
same "$(printf 'git.use dev\nset hist/k three\nget hist/k\nget @main:hist/k\n' | rcli | tr '\n' ' ')" 'OK OK three two ' 'GIT.USE'
t '"two"' get hist/k
t '"three"' get @dev:hist/k
t '"two"' get @dev~1:hist/k
has "$(rcli get @nosuch:hist/k)" 'ERR' 'GET of no revision'
t OK git.branch delete dev
has "$(rcli git.branch delete dev)" ERR 'GIT.BRANCH DELETE of nothing'

# Connection and server.
has "$(rcli info)" 'redis_version:7.4.0' INFO
has "$(rcli info server)" 'bough_version:' 'INFO server'
has "$(rcli config get save)" save 'CONFIG GET'
has "$(rcli -3 hello 3)" 'proto' 'HELLO 3'
has "$(rcli hello 9)" NOPROTO 'HELLO 9'
has "$(rcli client list)" 'addr=127.0.0.1' 'CLIENT LIST'
same "$(printf 'client setname me\nclient getname\n' | rcli | tr '\n' ' ')" 'OK me ' 'CLIENT SETNAME'
has "$(rcli command count)" '' 'COMMAND COUNT'
has "$(rcli command docs get)" 'Read a value' 'COMMAND DOCS'
has "$(rcli command getkeys mset a 1 b 2 | tr '\n' ' ')" 'a b ' 'COMMAND GETKEYS'
has "$(rcli nosuch)" 'unknown command' 'an unknown command'
has "$(rcli get)" 'wrong number of arguments' 'too few arguments'
has "$(rcli select 3)" 'out of range' 'SELECT 3'
same "$(rcli time | wc -l)" 2 TIME
x=$(for i in {1..2000}; do printf '*3\r\n$3\r\nSET\r\n$8\r\npi/k%04d\r\n$2\r\nvv\r\n' "$i"; done | rcli --pipe 2>&1 | tail -n 1)
same "$x" 'errors: 0, replies: 2000' 'redis-cli --pipe'
x=$(redis-benchmark -p "$RP" -q -n 5000 -c 20 -t set,get -P 16 2>&1 | tr '\r' '\n' | grep -cE '^(SET|GET): [0-9.]+ requests per second')
same "$x" 2 redis-benchmark

# Values larger than are held: streamed in, read in parts and whole.
head -c 40000000 /dev/urandom >"$W/big"
same "$(rcli -x set blob/big <"$W/big")" OK 'SET of 40 MB'
same "$(rcli strlen blob/big)" 40000000 'STRLEN of 40 MB'
rcli get blob/big | head -c 40000000 | cmp -s - "$W/big" && ok || bad 'GET of 40 MB'
rcli getrange blob/big 39999000 39999999 | head -c 1000 | cmp -s - <(tail -c 1000 "$W/big") && ok || bad 'GETRANGE of 40 MB'
same "$(rcli git.oid blob/big)" "$(git_id "$W/big")" 'GIT.OID of 40 MB'

# What is no protocol is refused and harms nobody.
for junk in '*1\r\n$-5\r\n' '*99999999999\r\n' '*1\r\nGET\r\n' 'SET "a\r\n' '*2\r\n$3\r\nGET\r\n:5\r\n'; do
    x=$(printf "$junk" | timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$RP; cat >&3; timeout 2 cat <&3")
    has "$x" 'Protocol error' "the junk '$junk'"
done
x=$(printf 'POST / HTTP/1.1\r\nHost: x\r\n\r\n' | timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$RP; cat >&3; timeout 2 cat <&3; echo closed")
same "$x" closed 'a browser is cut off'
t PONG ping

works 'git fsck' bash -c "git clone -q --mirror $URL $W/m && git -C $W/m fsck --strict"
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck

# Durability by choice.
FLAGS='--fsync everysec --cache 128M' serve "$W/s.img"
t OK set late/0 1
same "$(rcli config get appendfsync | tail -n 1)" everysec 'CONFIG GET appendfsync'
flushes() { rcli info store | tr -d '\r' | sed -n 's/^flushes://p'; }
before=$(flushes)
for i in {1..50}; do echo "set late/$i $i"; done | rcli >/dev/null
[ $(($(flushes) - before)) -le 3 ] && ok || bad "everysec: $(($(flushes) - before)) flushes for 50 writes"
stop
refuse 'a wrong --fsync' 'always, everysec or no' "$BOUGH" -s "$W/s.img" serve --fsync sometimes
refuse 'too small a cache' '1M bytes at least' "$BOUGH" -s "$W/s.img" serve --cache 64K
serve "$W/s.img"
t '"50"' get late/50
before=$(flushes)
for i in {1..50}; do echo "set now/$i $i"; done | rcli >/dev/null
[ $(($(flushes) - before)) -ge 50 ] && ok || bad "always: $(($(flushes) - before)) flushes for 50 writes"

# Another size.
size() { rcli git.resize | sed -n "/^$1$/{n;p}"; }
same "$(size device_bytes)" $((256 << 20)) 'the size'
t OK git.resize 300M
same "$(size device_bytes) $(stat -c %s "$W/s.img")" "$((300 << 20)) $((300 << 20))" 'grown beside clients'
t '(error) ERR syntax: GIT.RESIZE [bytes], with K, M, G or T' git.resize 3X
has "$(rcli git.resize 1K 2>&1)" 'at least 16 zones' 'too small'
( for i in $(seq 300); do rcli set "during/$i" "$i"; done >"$W/during" ) &
writer=$!
rcli git.resize 128M >/dev/null
for _ in $(seq 100); do [ "$(size resizes_to)" = 0 ] && break; sleep 0.1; done
wait "$writer"
same "$(size device_bytes) $(size resizes_to) $(stat -c %s "$W/s.img")" "$((128 << 20)) 0 $((128 << 20))" 'shrunk beside a writer'
same "$(sort -u "$W/during") $(rcli get during/300)" 'OK 300' 'whose writes all went well'

# The end, by a client.
t '(error) ERR syntax error' shutdown sometime
t '(error) ERR No shutdown in progress.' shutdown abort
same "$(printf 'multi\nshutdown\nexec\n' | rcli | tail -n +2 | head -n 1)" "ERR Command not allowed inside a transaction" 'not in a transaction'
# What comes with it in one pipeline before is answered, what comes behind is not run; others are answered first.
exec 3<>"/dev/tcp/127.0.0.1/$RP"
printf 'SET last/1 x\r\nSHUTDOWN NOSAVE\r\nSET last/2 x\r\n' >&3
same "$(cat <&3 | tr -d '\r')" +OK 'the last answer'
exec 3>&-
rc=0; wait "$PID" || rc=$?
PID=
same "$rc" 0 'SHUTDOWN ends the daemon with 0'
same "$("$BOUGH" -s "$W/s.img" stats | grep -P '^records\t')" "$(printf 'records\t0')" 'all windows are folded'
same "$("$BOUGH" -s "$W/s.img" get last/1) $("$BOUGH" -s "$W/s.img" get last/2 2>&1 | grep -c 'not found')" 'x 1' 'what was acknowledged'
sum
