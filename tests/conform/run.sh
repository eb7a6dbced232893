#!/bin/sh
# run.sh - every script on every place: `[CONFORM=build/conform] tests/conform/run.sh [PLACE...]`.
#
# Without arguments the places are the lines of tests/conform/places, and after them scripts run with
# failing memory and a failing device: three allocations or calls of each script, each in a run of its
# own, or with LONG=1 each that there is (tests/conform/runner_points.h).
set -u
conform=${CONFORM:-build/conform}
here=$(dirname "$0")
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
passed=0 failed=0 skipped=0

# run OPTIONS PLACE SCRIPT...
run() {
    "$conform" "$@" >"$out/said" 2>&1
    status=$?
    sum=$(tail -n 1 "$out/said")
    case $sum in
    [0-9]*" passed, "[0-9]*" failed, "[0-9]*" skipped") ;;
    *) sum="0 passed, 1 failed, 0 skipped" ;;
    esac
    set -- $sum "$@"
    passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
    if [ "$status" -ne 0 ] || [ "$3" -ne 0 ]; then
        [ "$3" -ne 0 ] || failed=$((failed + 1))
        shift 6
        echo "--- $*"
        cat "$out/said"
    fi
}

# The runner must be able to fail: one right step, three wrong ones.
cat >"$out/wrong.kvt" <<'EOF'
set /a "1"      -> ok
get /a          -> "2"
get /b          -> nothing
no-such-step    -> ok
EOF
"$conform" mem: "$out/wrong.kvt" >"$out/said" 2>&1
if [ $? -ne 1 ] || ! tail -n 1 "$out/said" | grep -qx '1 passed, 3 failed, 0 skipped' ||
    ! grep -q 'wrong.kvt:2: expected "2", got 1' "$out/said"; then
    echo "--- the runner does not see what is wrong"
    cat "$out/said"
    failed=$((failed + 1))
fi

for place in ${*:-$(grep -v '^#' "$here/places")}; do
    run "$place" "$here"/*.kvt
done

# Memory and devices that fail, at a few calls of each script or at many.
if [ $# -eq 0 ]; then
    some==3
    [ "${LONG:-}" != 1 ] || some=
    for script in "$here"/*.kvt; do
        run --fail-alloc$some mem: "$script"
        run --fail-alloc$some mem-store: "$script"
        run --fail-alloc$some log:size=64M "$script"
        run --fail-io$some log:size=64M "$script"
    done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
