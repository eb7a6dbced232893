# attack.bash - run by test_attack.c, which says what for; $ATTACK_PROGRAM is the program on the watch.
plain=${BOUGH:-$PWD/bough} # of which the blocks are like any others
export BOUGH=$ATTACK_PROGRAM
. tests/lib/serve.sh
cd "$W" || exit 1
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
block=$(printf '!%.0s' {1..192}) # holds an aligned block wherever it is put
words='SHA-1 collision attack detected'
printf '%s' "$block" >small
{ head -c 700000 /dev/zero; cat small; seq 1 30000; } >large
cat large large large large large >huge
mkdir folder && cp small folder/x

# ways STORE: what the program itself is given
ways() {
    local s=$1
    "$BOUGH" -s "$s" set good 'a value' || bad "$s: a good one"
    before=$("$plain" -s "$s" log -n 1 | head -n 1)
    refuse "$s: a word" "$words" "$BOUGH" -s "$s" set k "$block"
    for f in small large huge; do
        refuse "$s: a $f file" "$words" bash -c "'$BOUGH' -s '$s' set k <$f"
        refuse "$s: a $f pipe" "$words" bash -c "cat $f | '$BOUGH' -s '$s' set k"
    done
    refuse "$s: a name" "$words" "$BOUGH" -s "$s" set "d/$block" 1
    refuse "$s: a new name" "$words" "$BOUGH" -s "$s" mv good "$block"
    refuse "$s: a message" "$words" "$BOUGH" -s "$s" -m "$block" set k 1
    refuse "$s: an author" "$words" "$BOUGH" -s "$s" --author "$block <a@example.org>" set k 1
    refuse "$s: a batch" "$words" bash -c "printf 'set k 1\nset l $block\n' | '$BOUGH' -s '$s' batch -"
    refuse "$s: a folder" "$words" "$BOUGH" -s "$s" import "dir:$W/folder"
    refuse "$s: a text" "$words" "$BOUGH" -s "$s" load dumped
    refuse "$s: a short text" "$words" "$BOUGH" -s "$s" load dumped-small
    same "$("$plain" -s "$s" log -n 1 | head -n 1)" "$before" "$s: nothing came of it"
    same "$("$plain" -s "$s" fsck 2>&1)" '' "$s: fsck"
}

# What a program that knows no attacks has stored: it is what converts, restores and pushes bring.
for k in sha1 sha256; do
    "$plain" init --size 64M --object-format $k "made-$k.img" 2>/dev/null
    "$plain" -s "made-$k.img" set before 1
    "$plain" -s "made-$k.img" set evil <large
done
"$plain" -s made-sha1.img dump >dumped
"$plain" init --size 32M little.img 2>/dev/null
"$plain" -s little.img set k <small
"$plain" -s little.img dump >dumped-small
"$plain" backup made-sha1.img made.bundle 2>/dev/null
"$plain" convert made-sha1.img git:made.git 2>/dev/null
"$plain" convert made-sha1.img lmdb:made.lmdb 2>/dev/null

"$plain" init --size 64M s.img 2>/dev/null
"$plain" init git:g.git 2>/dev/null
"$plain" init lmdb:l.lmdb 2>/dev/null
for s in s.img git:g.git lmdb:l.lmdb; do ways "$s"; done

for from in made-sha1.img git:made.git lmdb:made.lmdb; do
    for to in to.img git:to.git lmdb:to.lmdb; do
        rm -rf to.img to.git to.lmdb
        refuse "$from to $to" "$words" "$BOUGH" convert "$from" "$to"
        same "$("$plain" -s "$to" branch)" '' "$from to $to: nothing came of it"
    done
done
refuse 'a bundle' "$words" "$BOUGH" restore made.bundle back.img
same "$("$plain" -s back.img branch)" '' 'a bundle: nothing came of it'
rm -f mended.img
refuse 'repair' "$words" "$BOUGH" repair made-sha1.img mended.img

# What is there already is read and packed anew: nobody can put its other half beside it.
works 'it is read' cmp large <("$BOUGH" -s made-sha1.img get evil)
works 'it is collected' "$BOUGH" -s made-sha1.img gc --aggressive --prune now
works 'and read after that' cmp large <("$BOUGH" -s made-sha1.img get evil)
same "$("$BOUGH" -s made-sha1.img fsck 2>&1)" '' 'and checked'

# SHA-256 has no such attacks.
"$plain" init --size 64M --object-format sha256 t.img 2>/dev/null
works 'sha256: a value' bash -c "'$BOUGH' -s t.img set k <large"
works 'sha256: a name and a message' "$BOUGH" -s t.img -m "$block" set "$block" 1

# The daemon: every command that brings bytes, and pushes whole, as deltas, thin, over git:// and HTTP.
r() { redis-cli -p "$RP" "$@" 2>&1; }
attacked() { has "$(cat)" "$words" "redis: $1"; }
git init -q w && (cd w && cp ../small x && git add . && git commit -qm one) && one=$(git -C w rev-parse HEAD)
(cd w && { cat x; seq 1 3000; } >y && git rm -qf --cached x && rm x && seq 1 3000 >z && git add . && git commit -qm two)
serve s.img
before=$(r git.oid good)
r set k "$block" | attacked SET
r set half "${block:0:20}" >/dev/null
r append half "$block" | attacked APPEND
r setrange half 5 "$block" | attacked SETRANGE
r getset k "$block" | attacked GETSET
r setnx k "$block" | attacked SETNX
r mset a 1 b "$block" | attacked MSET
r -x set k <huge | attacked 'a large SET'
r set "$block" 1 | attacked 'a name'
r rename good "x/$block" | attacked RENAME
for i in 1 2 3 4 5 6 7 8; do r set "${block:0:32}/${block:0:32}/${block:0:32}/$i" 1; done >/dev/null # paths in a message
printf 'multi\nset a 1\nset b %s\nexec\n' "$block" | r | attacked EXEC
r set after 1 >/dev/null
same "$(r get after)" 1 'the daemon goes on'
same "$(r exists k b)" 0 'nothing of it is seen'
for url in "$URL" "http://127.0.0.1:$HP/store.git"; do
    refuse "a push to $url" "$words" git -C w push -q "$url" HEAD:refs/heads/evil
    refuse "an old one, $url" "$words" git -C w push -q "$url" "$one:refs/heads/evil"
    refuse "a tag, $url" "$words" bash -c "cd w && t=\$(printf 'object $one\ntype commit\ntag x\ntagger A <a@b> 1 +0000\n\n$block\n' | git mktag) && git push -q '$url' \$t:refs/tags/x"
done
# As a delta on what is here already.
git init -q v && (cd v && seq 1 3000 >x && git add . && git commit -qm one)
works 'a base' git -C v push -q "$URL" HEAD:refs/heads/base
(cd v && { seq 1 1500; cat ../small; seq 1501 3000; } >x && git commit -qam two)
for url in "$URL" "http://127.0.0.1:$HP/store.git"; do
    refuse "a delta to $url" "$words" git -C v push -q "$url" HEAD:refs/heads/evil
done
same "$(git ls-remote "$URL" 'refs/*/evil' 'refs/tags/*')" '' 'no ref'
works 'a clone' git clone -q --mirror "$URL" m.git
works 'is good' git -C m.git fsck --strict
stop
same "$("$plain" -s s.img fsck 2>&1)" '' 'and the store is'
sum
