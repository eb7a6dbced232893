#!/bin/bash
# golden.sh - a store made on one machine is read on every other.
#
# Goal: the images in tests/golden/, made on x86-64 when the format was fixed, are read here with every ref, record
# and object as then; other architectures (big-endian, 32-bit) read them too, and make the same bytes from the same
# commands.  Method: golden.c, built from the core's sources.  Others than this machine's are built with Debian's
# cross compilers and run by qemu-user; that is done with LONG=1, or with GOLDEN_ARCHES="s390x arm"; `tools/deps --cross`
# gets what it needs.  `golden.sh --renew` makes the images again: only for a new version of the format.
. "$(dirname "$0")/../lib/serve.sh"
images="sha1-plain sha256-plain sha1-packed"
sources=$(ls base/*.c block/*.c git/*.c store/*.c store/log/*.c store/log/*/*.c | grep -v '_posix\.c$')

# build CC FLAGS... : $W/golden of that compiler
build() {
    local cc=$1 dir=$W/obj
    shift
    rm -rf "$dir"
    mkdir -p "$dir"
    for f in $sources; do
        echo "$cc -std=c11 -I. -O1 -ffreestanding -U_FORTIFY_SOURCE $1 -c -o $dir/$(echo "$f" | tr / _).o $f"
    done | xargs -P 2 -d '\n' -n 1 sh -c || return 1
    # shellcheck disable=SC2086
    $cc -std=c11 -I. -O1 $1 -o "$W/golden" tests/interop/golden.c "$dir"/*.o $2
}

# look NAME RUN... : the images as golden.c sees them when started so
look() {
    local name=$1
    shift
    for i in $images; do
        gzip -dc "tests/golden/$i.img.gz" >"$W/$i.img"
        "$@" "$W/golden" tell "$W/$i.img" >"$W/$i.txt" 2>&1
        works "$name reads $i" diff "$W/$i.txt" "tests/golden/$i.txt"
    done
}

remake() {
    local to=$1
    shift
    mkdir -p "$to"
    for i in $images; do
        "$@" "$W/golden" make "${i%-*}" "${i#*-}" "$to/$i.img" || return 1
    done
}

works "it builds here" build "${CC:-gcc}" '' -lz
if [ "${1:-}" = --renew ]; then
    mkdir -p tests/golden
    remake "$W/new" env
    for i in $images; do
        "$W/golden" tell "$W/new/$i.img" >"tests/golden/$i.txt"
        gzip -9nc "$W/new/$i.img" >"tests/golden/$i.img.gz"
    done
fi
look "$(uname -m)" env
works "they can be made again" remake "$W/native" env
for i in $images; do
    gzip -dc "tests/golden/$i.img.gz" | cmp -s - "$W/native/$i.img" || echo "note: $i would be laid out otherwise today"
done

[ -z "${LONG:-}" ] || GOLDEN_ARCHES=${GOLDEN_ARCHES:-s390x arm}
for arch in ${GOLDEN_ARCHES:-}; do
    case $arch in
    s390x) cc=s390x-linux-gnu-gcc ;;
    arm) cc=arm-linux-gnueabihf-gcc ;;
    esac
    zlib=$(ls -d build/cross/$arch/usr/lib/*/libz.a 2>/dev/null)
    if ! command -v $cc qemu-$arch >/dev/null || [ -z "$zlib" ]; then
        echo "$arch is left out: tools/deps --cross gets what it needs"
        continue
    fi
    works "it builds for $arch" build $cc "-isystem build/cross/$arch/usr/include -static" "$zlib"
    look $arch qemu-$arch
    works "$arch makes them" remake "$W/$arch" qemu-$arch
    for i in $images; do
        works "$arch makes the same bytes of $i" cmp "$W/$arch/$i.img" "$W/native/$i.img"
    done
done
sum
