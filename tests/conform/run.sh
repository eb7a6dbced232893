#!/bin/sh
# run.sh - every script on every place, in both object formats; then with failing memory and a failing
# device.  CONFORM is the runner.  LONG=1 fails every allocation and call, not a sample of them.
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

for place in mem: mem:format=sha256 mem-store: mem-store:format=sha256 \
    log:size=256M log:size=64M,granule=512,format=sha256 log:size=256M,unit=4096 dir:; do
    run $place "$here"/*.kvt
done

# All failing places of memory and device, or a few of each script.
some=${LONG:+}
[ "${LONG:-}" = 1 ] || some==5
for script in "$here"/*.kvt; do
    run --fail-alloc$some mem: "$script"
    run --fail-alloc$some mem-store: "$script"
done
for script in keys write rename batch strategies history window branch; do
    run --fail-alloc$some log:size=16M "$here/$script.kvt"
    run --fail-io$some log:size=16M "$here/$script.kvt"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
