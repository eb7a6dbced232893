#!/bin/bash
# readme.sh - the examples of README.md do what it says.
#
# Goal: a newcomer who types the tour sees what the tour promises, and the C example compiles and works.
# Method: the tour's lines are run as they stand, but for free ports; where a line that prints ends in a comment, its
# first words (up to a comma) are what must be printed.  The C example becomes the body of a main().
. "$(dirname "$0")/../lib/serve.sh"
command -v redis-cli >/dev/null || exit 77
RP=$(free_port) GP=$(free_port) HP=$(free_port)
mkdir "$W/tour"
ln -s "$BOUGH" "$W/tour/bough"

# The indented lines of a section, ports changed.
sed -n '/^## A tour of 60 seconds/,/^As a library/p' README.md | sed -n 's/^    //p' |
    sed -e "s/ serve &/ serve --redis $RP --git $GP --http $HP \&/" -e "s/-p 6380/-p $RP/" \
        -e "s/127\.0\.0\.1:8080/127.0.0.1:$HP/g" -e "s|127\.0\.0\.1/|127.0.0.1:$GP/|g" >"$W/lines"
[ "$(wc -l <"$W/lines")" -ge 12 ] && ok || bad "the tour has $(wc -l <"$W/lines") lines"

# One shell runs all of it, so that `cd` and `&` mean what they mean; each line's output in a file of its own.
{
    echo 'exec 2>&1'
    n=0
    while IFS= read -r line; do
        n=$((n + 1))
        command=$(sed 's/ *  #.*//' <<<"$line")
        case $command in
        *' &') printf '{ %s } >%q/%d.out\necho $! >%q/pid\nfor _ in {1..400}; do grep -q ^ready %q/%d.out && break; sleep 0.05; done\n' \
            "$command" "$W" $n "$W" "$W" $n ;;
        *) printf '{ %s\n} >%q/%d.out; echo $? >%q/%d.code\n' "$command" "$W" $n "$W" $n ;;
        esac
    done <"$W/lines"
} >"$W/script"
(cd "$W/tour" && bash "$W/script") >"$W/tour.log"
PID=$(cat "$W/pid" 2>/dev/null) || bad "the tour starts no daemon: $(cat "$W/tour.log")"

n=0 compared=0
while IFS= read -r line; do
    n=$((n + 1))
    command=$(sed 's/ *  #.*//' <<<"$line") comment=
    [ "$command" = "$line" ] || comment=$(sed 's/.*  # *//; s/[,;].*//' <<<"$line")
    [ ! -e "$W/$n.code" ] || same "$(cat "$W/$n.code")" 0 "$command: $(cat "$W/$n.out")"
    case $command in
    *' get '* | cat\ *)
        same "$(cat "$W/$n.out")" "$comment" "$command"
        compared=$((compared + 1))
        ;;
    *' log '*) same "$(wc -l <"$W/$n.out")" 2 "$command: $comment" ;;
    esac
done <"$W/lines"
[ "$compared" -ge 5 ] && ok || bad "only $compared lines of the tour print a value"
same "$(redis-cli -p "$RP" get config/name)" bough 'MSET of the tour'
works 'the HTTP address' git ls-remote "http://127.0.0.1:$HP/app.git"
kill -TERM "$PID"
for _ in {1..200}; do kill -0 "$PID" 2>/dev/null || break; sleep 0.05; done
kill -0 "$PID" 2>/dev/null && bad 'SIGTERM does not end the daemon' || ok
PID=

# The C example, on the tour's store.
{
    printf '#include "base/posix.h"\n#include "block/file.h"\n#include "kv/kv.h"\n#include "store/log/log.h"\n'
    printf 'int main(void)\n{\nenum bough_err err = BOUGH_EINVAL;\n'
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' | sed 's/\.\.\. \(.*\) \.\.\./err = \1;/'
    printf 'bough_kv_close(kv);\nbough_repo_close(repo);\nbough_store_close(store);\nbough_fileblk_close(&file);\nreturn (int)err;\n}\n'
} >"$W/example.c"
works 'the C example compiles' cc -std=c11 -D_GNU_SOURCE -I. -o "$W/example" "$W/example.c" libbough.a -lz \
    $(pkg-config --exists libdeflate && echo -ldeflate)
if [ -e "$W/tour/app.img" ]; then
    works 'the C example works' bash -c "cd $W/tour && $W/example"
    same "$("$BOUGH" -s "$W/tour/app.img" get config/colour)" green 'what the C example wrote'
    works fsck "$BOUGH" -s "$W/tour/app.img" fsck
fi
sum
