#!/bin/bash
# stall.sh - who stops in the middle of a push or of a big value is cut off after --push-timeout, and nobody else is.
#
# Goal: what was received until then is gone and its room free, the daemon goes on, and clients that are slow, think before
# their pack, or say nothing at all stay.  Method: half a push over git:// and HTTP and half a value on bare sockets.
. "$(dirname "$0")/../lib/serve.sh"
command -v python3 >/dev/null || exit 77

"$BOUGH" init --size 64M "$W/s.img" 2>/dev/null || exit 1
refuse 'a time that is none' 'number of seconds' "$BOUGH" -s "$W/s.img" serve --push-timeout soon
FLAGS='--push-timeout 2' serve "$W/s.img"
works "stalled clients: $(python3 tests/interop/stall.py "$GP" "$HP" "$RP" 2>&1 | tee "$W/part.log")" grep -q ', 0 failed$' "$W/part.log"
works 'what was slow is there' git -C "$W" ls-remote --exit-code "$URL" refs/heads/slow
refuse 'what stalled is not' '' git -C "$W" ls-remote --exit-code "$URL" refs/heads/stalled
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck
sum
