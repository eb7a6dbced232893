#!/bin/bash
# hostile.sh - a push that claims more than it is costs nobody else anything.
#
# Goal: each is refused with its reason in bounded memory and time, nothing of it can be seen, and another client is
# served meanwhile.  Method: packs made by hand, on a bare socket, beside a client that writes.
. "$(dirname "$0")/../lib/serve.sh"
command -v python3 >/dev/null || exit 77

"$BOUGH" init --size 256M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
works "hostile packs: $(python3 tests/interop/hostile.py "$GP" "$RP" "$PID" 2>&1 | tee "$W/part.log")" grep -q ', 0 failed$' "$W/part.log"
refuse 'what was pushed' '' git -C "$W" fetch -q "$URL" refs/heads/hostile
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck
sum
