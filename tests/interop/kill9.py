"""kill9.py ROUNDS [SEED] - see kill9.sh.

Every command of a writer has a number, greater than all before; every value begins with the number of the command
that wrote it and follows from it and its key, so bytes that nobody wrote show.  For each key the ledger holds all
commands that were sent since the last restart, and the last that was acknowledged.  After a restart

  - a key holds what an acknowledged command left there, or a later one that was sent
  - the keys of an MSET or EXEC hold all of it or nothing of it, where no later command touched them
  - what was read then is the ledger's new beginning: it must be there after the next kill too
  - a branch holds the last push that ended with 0, or a later one; a clone passes git fsck --strict and holds what GET said
  - `bough fsck` finds nothing
"""
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import tally
from tally import check
from wire import Redis, RedisError, git

BOUGH, W = os.environ['BOUGH'], os.environ['W']
WRITERS, SLOTS = 50, 60


def value(key, number):
    """Sizes that make records, large records and blobs of their own."""
    dice = random.Random(f'{key} {number}')
    return b'%d ' % number + dice.randbytes(dice.choice((0, 10, 100, 1000, 9000)))


class Daemon:
    def __init__(self, store):
        sockets = [socket.socket() for _ in range(2)]
        for s in sockets:
            s.bind(('127.0.0.1', 0))
        self.redis, self.git = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        self.url = f'git://127.0.0.1:{self.git}/store.git'
        self.log = open(f'{W}/kill9.err', 'w+')
        self.process = subprocess.Popen(
            [BOUGH, '-s', store, 'serve', '--redis', str(self.redis), '--git', str(self.git), '--http', '0'],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        for line in self.process.stdout:
            if line.startswith(b'ready'):
                return
        self.log.seek(0)
        tally.fail(f'the daemon does not get ready: {self.log.read()[-300:]}')

    def end(self, sig):
        self.process.send_signal(sig)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        return code


class Writer(threading.Thread):
    """Pipelines of SET, MSET, MULTI and DEL on keys of its own, until the connection ends."""

    def __init__(self, who, seed):
        super().__init__()
        self.who, self.dice, self.number = who, random.Random(seed), 0
        self.sent = {}    # key -> [(number, value or None)], the first is what a restart found
        self.acked = {}   # key -> number
        self.groups = []  # [(number, keys)]
        self.acks, self.errors = 0, []

    def start_on(self, port):
        threading.Thread.__init__(self)
        self.port = port
        self.start()

    def note(self, key, written):
        self.sent.setdefault(key, [(0, None)]).append((self.number, written))

    def command(self):
        """([wire commands], keys written, index of the answer that counts)"""
        self.number += 1
        dice, kind = self.dice, self.dice.random()
        many = [f'w{self.who}/d{k % 17}/k{k}' for k in dice.sample(range(SLOTS), dice.randint(2, 6))]
        if kind < 0.08:
            self.note(many[0], None)
            return [('DEL', many[0])], many[:1]
        if kind < 0.7:
            self.note(many[0], value(many[0], self.number))
            return [('SET', many[0], value(many[0], self.number))], many[:1]
        pairs = [(k, value(k, self.number)) for k in many]
        for k, v in pairs:
            self.note(k, v)
        self.groups.append((self.number, many))
        if kind < 0.85:
            return [('MSET', *[x for pair in pairs for x in pair])], many
        return [('MULTI',), *[('SET', k, v) for k, v in pairs], ('EXEC',)], many

    def run(self):
        try:
            connection = Redis(self.port)
            while True:
                batch = []
                for _ in range(self.dice.choice((1, 2, 8, 32, 100))):
                    wire, keys = self.command()
                    batch.append((wire, keys, self.number))
                connection.send([w for wire, _, _ in batch for w in wire])
                for wire, keys, number in batch:
                    for _ in wire:
                        answer = connection.read()
                        if isinstance(answer, RedisError):
                            self.errors.append(f'{wire[0][0]}: {answer}')
                    for k in keys:
                        self.acked[k] = number
                    self.acks += 1
        except (OSError, EOFError):
            pass

    def verify(self, found):
        """What the ledger allows; then the ledger begins anew."""
        for key, history in self.sent.items():
            acked, got = self.acked.get(key, 0), found[key]
            legal = [v for n, v in history if n >= acked]
            if got not in legal:
                check(False, f'{key}: acknowledged {acked}, sent up to {history[-1][0]}, holds {got and got[:20]}')
        for number, keys in self.groups:
            free = [k for k in keys if self.sent[k][-1][0] == number]  # no later command
            there = [k for k in free if found[k] == value(k, number)]
            if there and len(there) != len(free):
                check(False, f'command {number} is there by half: {len(there)} of {len(free)} keys')
        self.sent = {k: [(0, found[k])] for k in self.sent}
        self.acked, self.groups = {}, []


def push(daemon, name, dice, sent, acked):
    """Two pushes of a branch: the commits in `sent`, and how many of them git said were done in `acked`."""
    work = f'{W}/{name}'
    git('init', '-q', work)
    for i in range(2):
        with open(f'{work}/f{i}', 'wb') as f:
            f.write(dice.randbytes(dice.choice((100, 200000, 2 << 20))))
        git('-C', work, 'add', '-A')
        git('-C', work, 'commit', '-qm', 'x')
        sent.append(git('-C', work, 'rev-parse', 'HEAD').decode().strip())
        run = subprocess.run(['git', '-C', work, 'push', '-q', daemon.url, f'HEAD:refs/heads/{name}'],
                             capture_output=True, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            break
        acked.append(sent[-1])
    subprocess.run(['rm', '-rf', work])


def read_all(port, keys):
    connection, found = Redis(port), {}
    for i in range(0, len(keys), 500):
        part = keys[i:i + 500]
        connection.send([('GET', k) for k in part])
        for k in part:
            found[k] = connection.read()
            if isinstance(found[k], RedisError):
                tally.fail(f'GET {k}: {found[k]}')
    connection.close()
    return found


def verify_branches(daemon, branches, name, sent, acked):
    """The new branch holds the last acknowledged push or a later one; the older ones what they held."""
    refs = dict(reversed(line.split('\t')) for line in git('ls-remote', daemon.url).decode().splitlines())
    got = refs.get(f'refs/heads/{name}')
    check(got in sent[len(acked) - 1:] if acked else got in [None, *sent], f'{name}: pushed {sent}, acknowledged {acked}, is {got}')
    check(all(refs.get(b) == c for b, c in branches.items()), f'branches that were there: {branches} in {refs}')
    if got:
        branches[f'refs/heads/{name}'] = got


def values(clone, keys):
    run = subprocess.run(['git', '-C', clone, 'cat-file', '--batch'], capture_output=True, check=True,
                         input=''.join(f'main:{k}\n' for k in keys).encode())
    out, at = [], 0
    for _ in keys:
        end = run.stdout.index(b'\n', at)
        size = int(run.stdout[at:end].split()[-1])
        out.append(run.stdout[end + 1:end + 1 + size])
        at = end + size + 2
    return out


def verify_clone(daemon, found):
    clone = f'{W}/clone.git'
    git('clone', '-q', '--mirror', daemon.url, clone)
    fsck = subprocess.run(['git', '-C', clone, 'fsck', '--strict', '--no-dangling'], capture_output=True)
    check(fsck.returncode == 0, f'git fsck: {fsck.stderr[-200:]}')
    have = {k: v for k, v in found.items() if v is not None}
    tree = git('-C', clone, 'ls-tree', '-r', '-z', '--name-only', 'main', *[f'w{i}/' for i in range(WRITERS)])
    check(sorted(tree.decode().split('\0')[:-1]) == sorted(have), 'the clone has the keys that GET tells')
    check(values(clone, sorted(have)) == [have[k] for k in sorted(have)], 'and their values')
    subprocess.run(['rm', '-rf', clone])


def main():
    rounds = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else random.SystemRandom().randrange(1 << 32)
    print(f'SEED={seed}')
    dice, store = random.Random(seed), f'{W}/store.img'
    subprocess.run([BOUGH, 'init', '--size', '2G', store], check=True, capture_output=True)
    writers = [Writer(i, dice.random()) for i in range(WRITERS)]
    branches, pushes = {}, 0
    daemon = Daemon(store)
    Redis(daemon.redis).call('SET', 'first', '1')  # main is HEAD's, whoever pushes first
    for n in range(rounds):
        active = writers[:4] if n % 3 == 1 else writers  # so that pushes come to their end, too
        for w in active:
            w.start_on(daemon.redis)
        sent, acked = [], []
        pusher = threading.Thread(target=push, args=(daemon, f'push{n}', random.Random(dice.random()), sent, acked))
        pusher.start()
        time.sleep(dice.uniform(0.1, 1.0))
        for _ in range(200 if active != writers else 0):
            if acked or not pusher.is_alive():
                break
            time.sleep(0.05)
        check(daemon.process.poll() is None, 'the daemon lives until it is killed')
        daemon.end(signal.SIGKILL)
        for t in [*active, pusher]:
            t.join(60)
            check(not t.is_alive(), 'the clients notice')
        pushes += len(acked)
        for w in writers:
            check(not w.errors, f'no command fails: {w.errors[:2]}')
        daemon = Daemon(store)
        found = read_all(daemon.redis, [k for w in writers for k in w.sent])
        before = tally.failed
        for w in writers:
            w.verify(found)
        check(tally.failed == before, f'round {n}: writes were lost, torn or came back')
        verify_branches(daemon, branches, f'push{n}', sent, acked)
        verify_clone(daemon, found)
        if n % 3 == 2:  # sometimes a clean end between the kills
            check(daemon.end(signal.SIGTERM) == 0, 'SIGTERM ends it with 0')
            fsck = subprocess.run([BOUGH, '-s', store, 'fsck'], capture_output=True)
            check(fsck.returncode == 0, f'bough fsck: {(fsck.stdout + fsck.stderr)[-200:]}')
            daemon = Daemon(store)
        if tally.failed:
            break
    check(daemon.end(signal.SIGTERM) == 0, 'SIGTERM ends it with 0')
    fsck = subprocess.run([BOUGH, '-s', store, 'fsck'], capture_output=True)
    check(fsck.returncode == 0, f'bough fsck: {(fsck.stdout + fsck.stderr)[-200:]}')
    check(sum(w.acks for w in writers) > 100, 'something was acknowledged')
    print(f'{sum(w.acks for w in writers)} acknowledged commands, {pushes} pushes, {n + 1} kills')
    tally.end()


main()
