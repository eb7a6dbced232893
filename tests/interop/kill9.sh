#!/bin/bash
# kill9.sh - SIGKILL of the daemon in the middle of pushes and the writes of 50 connections.
#
# Goal: what was acknowledged is there after a restart, what was not is there whole or not at all, and nothing that
# was read after a restart changes afterwards; a clone is the same, key by key.  Method: kill9.py; 5 rounds, or 50
# with LONG=1; SEED replays the choices of the writers (not the moments of the kills).
. "$(dirname "$0")/../lib/serve.sh"
export BOUGH W PYTHONPATH=$ROOT/tests/lib PYTHONDONTWRITEBYTECODE=1
rounds=5
[ -z "${LONG:-}" ] || rounds=50
python3 tests/interop/kill9.py "$rounds" "${SEED:-}"
