#!/bin/bash
# redis_wire.sh - bytes of the Redis front that no client library shows, its limits, and a full store.
#
# Goal: every command has exactly its replies, also withheld, half-closed, cut off, in a turn that failed; a client
# costs bounded memory; an idle daemon sleeps.  Method: bare sockets; the store is filled to the brim by eight clients.
. "$(dirname "$0")/../lib/serve.sh"
command -v python3 >/dev/null || exit 77

part() { works "$1: $(python3 tests/interop/redis_wire.py "$RP" "$PID" "$1" 2>&1 | tee "$W/part.log" | tail -n 3)" grep -q ', 0 failed$' "$W/part.log"; }

"$BOUGH" init --size 256M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
part replies
part limits
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck

"$BOUGH" init --size 8M "$W/full.img" 2>/dev/null || exit 1
serve "$W/full.img"
part full
stop
works 'bough fsck of a full store' "$BOUGH" -s "$W/full.img" fsck

# A daemon that cannot start leaves another's pid file alone.
serve "$W/s.img"
echo 1 >"$W/pid"
"$BOUGH" init --size 8M "$W/other.img" 2>/dev/null
refuse 'a port that is taken' 'in use' "$BOUGH" -s "$W/other.img" serve --redis "$RP" --git 0 --http 0 --pid-file "$W/pid"
same "$(cat "$W/pid" 2>&1)" 1 "the other's pid file"
stop
sum
