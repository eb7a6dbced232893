#!/bin/bash
# redis_clients.sh - other people's Redis clients with their defaults: npm's redis and ioredis, hiredis.
#
# Goal: an application connects and works without a setting for us: handshake, text and bytes, pipelines,
# transactions, publish and subscribe, scans, streams of commands, errors.
# Method: the packages are fetched from the npm registry once, into build/npm; a program for each client, with
# assertions; what they wrote is read back through another client and through git.
. "$(dirname "$0")/../lib/serve.sh"
for c in node npm redis-cli; do
    command -v $c >/dev/null || { echo "skipped: no $c"; exit 77; }
done

NPM=$ROOT/build/npm
mkdir -p "$NPM"
(
    flock 9
    [ -e "$NPM/.complete" ] || {
        echo '{"private": true}' >"$NPM/package.json"
        (cd "$NPM" && timeout 200 npm install --no-audit --no-fund redis ioredis) >"$NPM/log" 2>&1 && touch "$NPM/.complete"
    }
) 9>"$NPM/lock"
if [ ! -e "$NPM/.complete" ]; then
    grep -qE 'E404|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|network|EHOSTUNREACH' "$NPM/log" || [ ! -s "$NPM/log" ] ||
        { cat "$NPM/log"; bad 'npm install'; sum; }
    echo 'skipped: npm does not reach its registry'
    exit 77
fi
export NODE_PATH=$NPM/node_modules
version() { node -p "require('$NODE_PATH/$1/package.json').version"; }
echo "redis $(version redis), ioredis $(version ioredis), node $(node --version)"

cat >"$W/lib.js" <<'JS'
// Runs named steps one by one; prints `ok` or `bad NAME REASON` for each.
const assert = require('assert');
module.exports = async (steps) => {
    const limit = (p) => Promise.race([p, new Promise((_, no) => setTimeout(() => no(new Error('no answer in 15 s')), 15000).unref())]);
    for (const [name, step] of Object.entries(steps)) {
        try {
            await limit(step(assert));
            console.log('ok');
        } catch (e) {
            console.log('bad', name, String(e.stack || e).split('\n').slice(0, 3).join(' '));
        }
    }
    process.exit(0);
};
JS

cat >"$W/node_redis.js" <<'JS'
const { createClient } = require('redis');
const url = `redis://127.0.0.1:${process.argv[2]}`;
const fail = (e) => { console.log('bad', 'client error', String(e)); process.exit(0); };
const client = () => { const c = createClient({ url }); c.on('error', fail); return c; };
const c = client();
require('./lib.js')({
    connect: async () => c.connect(),
    ping: async (is) => is.equal(await c.ping(), 'PONG'),
    text: async (is) => {
        is.equal(await c.set('nr/text', 'grün 緑'), 'OK');
        is.equal(await c.get('nr/text'), 'grün 緑');
        is.equal(await c.get('nr/none'), null);
        is.equal(await c.strLen('nr/text'), 9);
    },
    conditions: async (is) => {
        is.equal(await c.set('nr/text', 'x', { NX: true }), null);
        is.equal(await c.set('nr/text', 'y', { XX: true, GET: true }), 'grün 緑');
        is.equal(await c.setNX('nr/text', 'z'), 0);
        is.equal(await c.getDel('nr/text'), 'y');
    },
    'many keys': async (is) => {
        is.equal(await c.mSet({ 'nr/a': '1', 'nr/b': '2' }), 'OK');
        is.deepEqual(await c.mGet(['nr/a', 'nr/none', 'nr/b']), ['1', null, '2']);
        is.equal(await c.exists(['nr/a', 'nr/b', 'nr/none']), 2);
        is.equal(await c.rename('nr/b', 'nr/c'), 'OK');
        is.equal(await c.del(['nr/c', 'nr/none']), 1);
        is.equal(await c.type('nr/a'), 'string');
    },
    numbers: async (is) => {
        is.equal(await c.incr('nr/n'), 1);
        is.equal(await c.incrBy('nr/n', 41), 42);
        is.equal(await c.decr('nr/n'), 41);
        is.equal(await c.append('nr/n', '5'), 3);
        is.equal(await c.getRange('nr/n', 1, 2), '15');
    },
    'auto-pipelining': async (is) => {
        const n = [...Array(1000).keys()];
        is.ok((await Promise.all(n.map((i) => c.set(`nr/p/${i}`, `v${i}`)))).every((x) => x === 'OK'));
        is.deepEqual(await Promise.all(n.map((i) => c.get(`nr/p/${i}`))), n.map((i) => `v${i}`));
    },
    transaction: async (is) => {
        is.deepEqual(await c.multi().set('nr/t', '1').incr('nr/t').get('nr/t').del('nr/none').exec(), ['OK', 2, '2', 0]);
    },
    watch: async (is) => {
        const other = client();
        await other.connect();
        await other.watch('nr/t');
        await c.set('nr/t', 'moved');
        await is.rejects(other.multi().set('nr/t', 'mine').exec());
        is.equal(await c.get('nr/t'), 'moved');
        await other.watch('nr/t');
        is.deepEqual(await other.multi().set('nr/t', 'mine').exec(), ['OK']);
        await other.close();
    },
    scan: async (is) => {
        const keys = [];
        for await (const k of c.scanIterator({ MATCH: 'nr/p/*', COUNT: 50 })) keys.push(...[].concat(k));
        is.equal(keys.length, 1000);
        is.equal(new Set(keys).size, 1000);
        is.deepEqual((await c.keys('nr/p/99?')).sort(), [...Array(10).keys()].map((i) => `nr/p/99${i}`));
    },
    'publish and subscribe': async (is) => {
        const s = client();
        await s.connect();
        const heard = new Promise((yes) => s.pSubscribe('news.*', (message, channel) => yes([channel, message])));
        await s.subscribe('other', () => {});
        is.equal(await c.publish('news.x', 'hello'), 1);
        is.deepEqual(await heard, ['news.x', 'hello']);
        await s.pUnsubscribe('news.*');
        is.equal(await c.publish('news.x', 'again'), 0);
        await s.close();
    },
    errors: async (is) => {
        await is.rejects(c.incr('nr/p/1'), /not an integer/);
        await is.rejects(c.set('nr/a/below', 'x'), /WRONGTYPE/);
        await is.rejects(c.expire('nr/a', 10), /history is permanent/);
        await is.rejects(c.sendCommand(['NOSUCH']), /unknown command/);
        is.equal(await c.get('nr/a'), '1');
    },
    'git commands': async (is) => {
        is.equal(await c.sendCommand(['GIT.OID', 'nr/a']), '56a6051ca2b02b04ef92d5150c9ef600403cb1de');
        is.equal(await c.sendCommand(['GIT.BRANCH', 'CREATE', 'nr-branch']), 'OK');
        await c.set('nr/a', '2');
        is.equal(await c.get('@nr-branch:nr/a'), '1');
    },
    'a large value': async (is) => {
        const big = 'x'.repeat(5 << 20);
        is.equal(await c.set('nr/big', big), 'OK');
        is.equal(await c.get('nr/big'), big);
    },
    close: async () => c.close(),
});
JS

cat >"$W/ioredis.js" <<'JS'
const Redis = require('ioredis');
const port = Number(process.argv[2]);
const client = () => new Redis(port, '127.0.0.1').on('error', (e) => { console.log('bad', 'client error', String(e)); process.exit(0); });
const c = client();
require('./lib.js')({
    bytes: async (is) => {
        const all = Buffer.from([...Array(256).keys()]);
        is.equal(await c.set('io/bytes', all), 'OK');
        is.deepEqual(await c.getBuffer('io/bytes'), all);
        is.equal(await c.set('io/empty', ''), 'OK');
        is.equal(await c.get('io/empty'), '');
        is.equal(await c.get('io/none'), null);
    },
    info: async (is) => {
        const info = await c.info();
        is.match(info, /loading:0/);
        is.match(info, /bough_version:/);
    },
    pipeline: async (is) => {
        const p = c.pipeline();
        for (let i = 0; i < 500; i++) p.set(`io/p/${i}`, i).incr('io/count');
        const answers = await p.exec();
        is.equal(answers.length, 1000);
        is.ok(answers.every(([e]) => e === null));
        is.equal(await c.get('io/count'), '500');
        is.equal(await c.get('io/p/499'), '499');
    },
    transaction: async (is) => {
        is.deepEqual(await c.multi().mset('io/x', 1, 'io/y', 2).mget('io/x', 'io/y').exec(), [[null, 'OK'], [null, ['1', '2']]]);
    },
    watch: async (is) => {
        const w = client();
        await w.watch('io/x');
        await c.set('io/unrelated', 1);
        is.deepEqual(await w.multi().set('io/x', 3).exec(), [[null, 'OK']]);
        await w.watch('io/x');
        await c.set('io/x', 4);
        is.equal(await w.multi().set('io/x', 5).exec(), null);
        is.equal(await c.get('io/x'), '4');
        w.disconnect();
    },
    'publish and subscribe': async (is) => {
        const s = client();
        is.equal(await s.subscribe('a', 'b'), 2);
        const heard = new Promise((yes) => s.on('messageBuffer', (channel, message) => yes([String(channel), message])));
        is.equal(await c.publish('b', Buffer.from([1, 255])), 1);
        is.deepEqual(await heard, ['b', Buffer.from([1, 255])]);
        is.equal(await s.unsubscribe('a', 'b'), 0);
        is.equal(await s.get('io/x'), '4');
        s.disconnect();
    },
    'scan stream': async (is) => {
        const keys = [];
        for await (const part of c.scanStream({ match: 'io/p/*', count: 7 })) keys.push(...part);
        is.equal(keys.length, 500);
        is.equal(new Set(keys).size, 500);
    },
    'call of own commands': async (is) => {
        is.deepEqual((await c.call('GIT.LS', 'io')).slice(0, 4), ['bytes', 'count', 'empty', 'p/']);
    },
    errors: async (is) => {
        await is.rejects(c.hset('io/h', 'f', 'v'), /ERR|WRONGTYPE/);
        await is.rejects(c.get('io/p'), /WRONGTYPE/);
        is.equal(await c.get('io/x'), '4');
    },
    quit: async (is) => is.equal(await c.quit(), 'OK'),
});
JS

cat >"$W/hiredis.c" <<'C'
/* What hiredis does by itself: a pipeline, bytes, RESP3 after HELLO. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int good, const char *name)
{
    printf("%s %s\n", good ? "ok" : "bad", name);
}

int main(int argc, char **argv)
{
    redisContext *c = redisConnect("127.0.0.1", argc > 1 ? atoi(argv[1]) : 6380);
    redisReply *r = NULL;
    int good = 1;

    if (c == NULL || c->err) {
        check(0, "hiredis connects");
        return 0;
    }
    r = redisCommand(c, "SET %b %b", "hi/bytes", (size_t)8, "a\0b\r\n", (size_t)5);
    check(r != NULL && r->type == REDIS_REPLY_STATUS, "hiredis SET");
    freeReplyObject(r);
    r = redisCommand(c, "GET hi/bytes");
    check(r != NULL && r->len == 5 && memcmp(r->str, "a\0b\r\n", 5) == 0, "hiredis GET of bytes");
    freeReplyObject(r);
    for (int i = 0; i < 500; i++)
        redisAppendCommand(c, "SET hi/p/%d %d", i, i * i);
    for (int i = 0; i < 500; i++) {
        good &= redisGetReply(c, (void **)&r) == REDIS_OK && r->type == REDIS_REPLY_STATUS;
        freeReplyObject(r);
    }
    check(good, "hiredis pipeline");
    r = redisCommand(c, "MGET hi/p/3 hi/none hi/p/20");
    check(r != NULL && r->elements == 3 && strcmp(r->element[2]->str, "400") == 0 &&
              r->element[1]->type == REDIS_REPLY_NIL,
        "hiredis MGET");
    freeReplyObject(r);
    r = redisCommand(c, "INCR hi/bytes");
    check(r != NULL && r->type == REDIS_REPLY_ERROR, "hiredis error");
    freeReplyObject(r);
    redisFree(c);
    return 0;
}
C

"$BOUGH" init --size 512M "$W/s.img" 2>/dev/null || exit 1
serve "$W/s.img"
judge() { # judge NAME COUNT: `ok` and `bad` lines on stdin
    local n=0
    while read -r verdict rest; do
        case $verdict in
        ok) ok ;;
        *) bad "$1: $verdict $rest" ;;
        esac
        n=$((n + 1))
    done
    same "$n" "$2" "$1: steps that ran"
}
judge redis 15 < <(cd "$W" && timeout 60 node node_redis.js "$RP" 2>&1)
judge ioredis 10 < <(cd "$W" && timeout 60 node ioredis.js "$RP" 2>&1)
if pkg-config --exists hiredis 2>/dev/null && cc -o "$W/hiredis" "$W/hiredis.c" $(pkg-config --cflags --libs hiredis) 2>"$W/cc.log"; then
    judge hiredis 5 < <(timeout 30 "$W/hiredis" "$RP" 2>&1)
else
    echo 'without hiredis'
fi

# One client's values through another, and through git.
same "$(rcli get nr/n)" 415 "redis-cli reads redis' value"
same "$(rcli get io/p/77)" 77 "redis-cli reads ioredis' value"
works clone git clone -q "$URL" "$W/c"
same "$(cat "$W/c/io/p/499" "$W/c/nr/p/999")" 499v999 'git reads their values'
works fsck git -C "$W/c" fsck --strict
stop
works 'bough fsck' "$BOUGH" -s "$W/s.img" fsck
sum
