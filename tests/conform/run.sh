#!/bin/bash
# Every conformance script on every place: `[CONFORM=build/conform] tests/conform/run.sh [PLACE...]`.
# The places are the lines of tests/conform/places; the last line printed is the sum.
set -uo pipefail
cd "$(dirname "$0")/../.."

runner=${CONFORM:-build/conform}
scripts=(tests/conform/*.kvt)
if [ ! -x "$runner" ] || [ ! -e "${scripts[0]}" ] || [ ! -e tests/conform/places ]; then
    echo "no runner, no scripts or no places"
    exit 77
fi
if [ $# = 0 ]; then
    mapfile -t places < <(grep -v '^#' tests/conform/places)
    set -- "${places[@]}"
fi

passed=0 failed=0 skipped=0
for place; do
    status=0
    out=$("$runner" "$place" "${scripts[@]}" 2>&1) || status=$?
    last=${out##*$'\n'}
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        [ $status = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1))
    else
        failed=$((failed + 1)) # it did not come to its end
        status=1
    fi
    if [ $status != 0 ]; then
        echo "== $place"
        echo "$out"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
