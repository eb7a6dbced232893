#!/bin/bash
# golden.sh - a store made on one machine is read on every other.
#
# Goal: the images in tests/golden/, made on x86-64, are read here with every ref, record and object as then, and give the
# same answers; every structure of docs/format.md is in one of them; other architectures (big-endian, 32-bit) read them, too,
# and make the same bytes from the same commands.  Method: golden.c and kin, with the core; golden_census.c counts structures
# without it.  Programs of others than this machine are built with Debian's cross compilers and run by qemu-user; that is done with
# LONG=1, or with GOLDEN_ARCHES="s390x arm"; `tools/deps --cross` gets what it needs.
# `golden.sh --renew IMAGE...` makes images again: plain and packed ones, which are of the first days, only for a new version
# of the format, others when it gets a new structure.
. "$(dirname "$0")/../lib/serve.sh"
images="sha1-plain sha256-plain sha1-packed sha1-full sha256-full sha1-harm sha1-settle"
sources=$(ls base/*.c block/*.c git/*.c store/*.c store/log/*.c store/log/*/*.c repo/*.c | grep -v '_posix\.c$')

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
    $cc -std=c11 -I. -O1 $1 -o "$W/golden" tests/interop/golden*.c "$dir"/*.o $2
}

unpack() { if [ -e "tests/golden/$1.img.xz" ]; then xz -dc "tests/golden/$1.img.xz"; else gzip -dc "tests/golden/$1.img.gz"; fi; }

# look NAME RUN... : the images as golden.c sees them when started so
look() {
    local name=$1
    shift
    for i in $images; do
        unpack "$i" >"$W/$i.img"
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

works "it builds here" ${CC:-gcc} -std=c11 -I. -O1 -o "$W/golden" tests/interop/golden*.c libbough-core.a -lz
if [ "${1:-}" = --renew ]; then
    shift
    remake "$W/new" env
    for i in "$@"; do
        "$W/golden" tell "$W/new/$i.img" >"tests/golden/$i.txt"
        xz -9ec "$W/new/$i.img" >"tests/golden/$i.img.xz"
    done
fi
look "$(uname -m)" env
for i in $images; do
    works "the structures of $i" "$W/golden" census "$W/$i.img"
    cat "$W/works.log" >>"$W/census"
done
missing=$(awk '{ n[$2] += $3 } END { for (i in n) if (n[i] == 0) print i }' "$W/census")
same "$(awk '{ print $2 }' "$W/census" | sort -u | wc -l) $missing" '48 ' 'every structure is in some image'
works "they can be made again" remake "$W/native" env
for i in $images; do
    unpack "$i" | cmp -s - "$W/native/$i.img" || echo "note: $i would be laid out otherwise today"
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
