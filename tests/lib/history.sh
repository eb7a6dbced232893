# history.sh - sourced by tests that want a repository with everything in it.
#
#   input DIR [FLAG...]   merges, an octopus, modes, links, odd names and messages, tags of everything, notes
#   refs DIR              its refs and ids, without those that are Bough's own
#   objects DIR           the ids of all that its refs reach

# A script for fast-import: history with merges, an octopus, empty commits, modes, links, odd names and messages.
history() {
    local n=0 t=1600000000 hex=40
    [ "${GIT_DEFAULT_HASH:-sha1}" = sha1 ] || hex=64
    commit() { # commit BRANCH MESSAGE [PARENT MARK...]
        local branch=$1 message=$2 word=from
        shift 2
        n=$((n + 1)) t=$((t + 3600))
        printf 'commit refs/heads/%s\nmark :%d\nauthor Ä Writer <a@example.org> %d -0730\ncommitter C <c@example.org> %d +1345\n' \
            "$branch" $n $((t - 60)) $t
        printf 'data %d\n%s\n' "$(printf %s "$message" | wc -c)" "$message"
        for p; do printf '%s :%d\n' $word "$p" && word=merge; done
    }
    file() { printf 'M %s inline %s\ndata %d\n%s\n' "$1" "$2" "$(printf %s "$3" | wc -c)" "$3"; } # MODE PATH TEXT
    commit main "first"
    file 100644 README 'hello'
    file 100755 bin/run $'#!/bin/sh\n'
    file 120000 link bin/run
    file 100644 empty ''
    printf 'M 160000 %0*d module\n' $hex 1 # a gitlink is never followed
    file 100644 '"tab\tand\nline"' odd
    file 100644 '"quote\"and\\back"' odd
    file 100644 '"latin-\351"' odd
    file 100644 '日本/語 with space' odd
    file 100644 -dash odd
    file 100644 @at odd
    file 100644 a-b 1
    file 100644 a/x 2
    file 100644 a0 3
    file 100644 "$(printf 'n%.0s' {1..255})" long
    for i in {2..40}; do
        commit main "change $i" $((i - 1))
        file 100644 "src/f$((i % 7))" "$(seq $i $((i + 60)))"
        file 100644 "src/deep/$((i % 3))/$i" "$i"
    done
    for side in one two three; do
        commit "side-$side" "on $side" 20
        file 100644 "side/$side" "$side"
    done
    commit main "octopus" 40 41 42 43
    for side in one two three; do file 100644 "side/$side" "$side"; done
    commit main "" 44
    commit main "nothing changed" 45
    commit main "no final newline
and a body" 46
    file 100644 last 47
    commit orphan "without a parent"
    file 100644 alone 1
}

# input DIR [FLAG...]: the repository, with tags of everything, and notes
input() {
    local d=$1
    shift
    git init -q "$@" "$d"
    history | if [ $# = 0 ]; then cat; else sed '/^M 160000/d'; fi | git -C "$d" fast-import --quiet || return 1
    git -C "$d" symbolic-ref HEAD refs/heads/main
    git -C "$d" tag light main~3
    git -C "$d" tag -a -m release v1 main~2
    git -C "$d" -c advice.nestedTag=false tag -a -m 'of a tag' nested v1
    git -C "$d" tag -a -m 'of a tree' of-tree 'main^{tree}'
    git -C "$d" tag of-blob main:README
    git -C "$d" notes add -m 'a note' main
    git -C "$d" update-ref refs/custom/deep/er main~5
}

refs() { git -C "$1" for-each-ref --format='%(objectname) %(refname)' | grep -v ' refs/bough/'; }
objects() { git -C "$1" rev-list --objects --all | cut -d' ' -f1 | sort; }
