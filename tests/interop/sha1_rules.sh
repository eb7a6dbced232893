#!/bin/sh
# What is known of the attacks on SHA-1 is what tools/sha1-rules derives: base/hash_rules.inc is its output, unedited.
set -eu

cd "$(dirname "$0")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
tools/sha1-rules >"$out"
cmp "$out" base/hash_rules.inc
echo "base/hash_rules.inc is as derived"
