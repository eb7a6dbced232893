#!/usr/bin/env python3
"""Damages stretches of a store at random and compares what is said and saved.

    damage.py BOUGH IMAGE HISTORY SCRATCH SEED COUNT

HISTORY has a text of each state that any branch ever had (`bough dump`), a file each: a line of a
dump that is in none of them is a wrong answer.  Each of COUNT rounds takes a copy of IMAGE, damages
one to four stretches of 512 bytes to 64 KiB that say something, and looks at

    reads     `branch`, and `dump` of some branches: as before, or an error or a warning
    fsck      names something when a read failed or told something else, and ends as documented
    repair    makes a store that fsck has nothing to say of; branches that could be read are there
              as they were; keys of others that are not there were named

Prints `N passed, N failed`, and of what failed the seed that repeats it alone.
"""
import json
import os
import random
import shutil
import subprocess
import sys

BOUGH, IMAGE, HISTORY, SCRATCH = sys.argv[1:5]
SEED, COUNT = int(sys.argv[5]), int(sys.argv[6])
DUMPED = ('main', 'old', 'pushed', 't3', 't4')  # of other branches only the id is looked at
passed = failed = 0


def run(*words):
    p = subprocess.run([BOUGH, *words], capture_output=True, timeout=120, check=False)
    if p.returncode < 0 or p.returncode > 9:
        raise AssertionError(f'{words}: ended with {p.returncode}: {p.stderr[-400:]!r}')
    return p.returncode, p.stdout, p.stderr


def branches(store):
    rc, out, err = run('-s', store, 'branch')
    return rc, {line[2:].split(b'\t')[0].decode(): line[2:].split(b'\t')[1] for line in out.splitlines()}, err


def dump(store, name):
    rc, out, err = run('-s', store, 'dump', name)
    return rc, out.splitlines(), err


def values(lines):
    """Lines of values, without those that count and sign."""
    return [line for line in lines if not line.startswith((b'bough-dump ', b'tree ', b'end '))]


def key(line):
    return line.split(b' ')[3]


# --- the damage


def places(data):
    """Where something lies, in pieces of 512 bytes."""
    return [at for at in range(0, len(data), 512) if data[at:at + 512].strip(b'\0')]


def spoil(rnd, data, where):
    """Damage one stretch; says what was done."""
    at = rnd.choice(where)
    n = 512 << rnd.randrange(8)
    n = min(rnd.randrange(n, 2 * n) // 512 * 512, 65536, len(data) - at)
    how = rnd.choice(('zero', 'noise', 'bit', 'stale', 'byte'))
    if how == 'zero':
        data[at:at + n] = bytes(n)
    elif how == 'noise':
        data[at:at + n] = rnd.randbytes(n)
    elif how == 'stale':
        other = min(rnd.choice(where), len(data) - n)
        data[at:at + n] = data[other:other + n]
    else:
        n = 1
        at += rnd.randrange(512)
        data[at] ^= 1 << rnd.randrange(8) if how == 'bit' else rnd.randrange(1, 256)
    return f'{how} {at}+{n}'


# --- what is asked


class Round:
    def __init__(self, seed, good, ever):
        self.seed, self.good, self.ever = seed, good, ever
        self.store, self.new = f'{SCRATCH}/spoilt.img', f'{SCRATCH}/new.img'
        self.did, self.wrong = [], []
        self.noticed = False  # a read failed, warned, or a branch is another one
        self.read = {}        # branches of which all could be read, as they were

    def check(self, holds, what):
        if not holds:
            self.wrong.append(what)

    def damage(self, data, where):
        rnd = random.Random(self.seed)
        bent = bytearray(data)
        for _ in range(rnd.randint(1, 4)):
            self.did.append(spoil(rnd, bent, where))
        if rnd.randrange(12) == 0:
            del bent[rnd.choice(where) + rnd.randrange(1, 512):]
            self.did.append(f'cut at {len(bent)}')
        if bent == data:
            bent[where[0]] ^= 1
        with open(self.store, 'wb') as f:
            f.write(bent)

    def reads(self):
        rc, names, err = branches(self.store)
        sure = rc == 0 and b'warning' not in err
        self.noticed = not sure
        if sure:
            self.check(names == {n: i for n, (i, _) in self.good.items()}, f'branches are other ones: {names}')
        self.check(rc == 0 or err, 'branch: failed without a word')
        for name, (_, want) in self.good.items():
            if want is None:
                continue
            rc, got, err = dump(self.store, name)
            sure = rc == 0 and b'warning' not in err
            self.noticed = self.noticed or not sure
            self.check(rc == 0 or err, f'dump {name}: failed without a word')
            if sure:
                self.check(got == want, f'dump {name}: another tree, and no word')
                self.read[name] = want
            self.check(all(v in self.ever for v in values(got)), f'dump {name}: a value that never was')

    def fsck(self):
        rc, out, err = run('-s', self.store, 'fsck', '--json')
        self.check(rc in (0, 3, 8), f'fsck ended with {rc}: {err[-300:]!r}')
        if rc == 3:
            self.check(b'nothing of one is found' in err, f'fsck cannot open it: {err[-300:]!r}')
        if rc == 0:
            self.check(not self.noticed, 'fsck is silent, but a read was not')
        if not out:
            self.check(rc != 0 and err, f'fsck says nothing: {rc}')
            return rc, None
        told = json.loads(out)
        self.check((rc == 8) == (told['count'] > 0), f'fsck: {rc} with {told["count"]} findings')
        self.check(told['count'] == len(told['findings']), 'fsck: its sum is another one')
        return rc, told

    def saved(self, told):
        """What must be in the new store, or was named as missing."""
        rc, names, _ = branches(self.new)
        lost = {f['ref'] for f in told['findings'] if f['kind'] == 'lost' and 'ref' in f}
        gone = [(f['branch'], f['key'].strip('/')) for f in told['findings'] if f['kind'] == 'lost' and 'key' in f]
        refs_hurt = any(f['kind'] == 'structure' and ('ref' in f['what'] or 'log' in f['what'] or 'checkpoint' in f['what']
                                                      or 'shorter' in f['what']) for f in told['findings'])
        hurt = {f.get('ref') or 'refs/heads/' + f['branch'] for f in told['findings'] if f['kind'] in ('cut', 'lost')}
        hurt |= {f['where'] for f in told['findings'] if f['kind'] == 'structure'}
        older = {f['where'] for f in told['findings'] if f['kind'] == 'structure' and 'older' in f['what']}
        self.check(rc == 0, 'branches of the new store cannot be listed')
        for name, (at, want) in self.good.items():
            if name not in names:
                self.check(f'refs/heads/{name}' in lost or refs_hurt, f'repair: {name} is gone, and no word')
                self.check(name not in self.read, f'repair: {name} could be read, but is gone')
                continue
            if want is None or names[name] == at:
                self.check(names[name] == at or f'refs/heads/{name}' in hurt, f'repair: {name} is another one, and no word')
                continue
            rc, got, _ = dump(self.new, name)
            self.check(rc == 0, f'repair: {name} cannot be read')
            self.check(all(v in self.ever for v in values(got)), f'repair: {name} has a value that never was')
            if name in self.read:
                self.check(got == self.read[name], f'repair: {name} could be read, but is another one')
            if got == want or f'refs/heads/{name}' in older:
                continue
            have = {key(v) for v in values(got)}
            named = [k for b, k in gone if b == name]
            for v in values(want):
                if v not in got:
                    k = key(v).decode()
                    self.check(key(v) not in have and any(k == n or k.startswith(n + '/') or n == '' for n in named),
                               f'repair: {name}:{k} is not as it was, and no word')

    def repair(self, rc_fsck):
        if os.path.exists(self.new):
            os.unlink(self.new)
        rc, out, err = run('repair', '--json', self.store, self.new)
        if not os.path.exists(self.new):
            self.check(rc in (3, 8) and err, f'repair made nothing and ended with {rc}')
            self.check(not self.read, 'repair made nothing of what could be read')
            return
        self.check(rc in (0, 8), f'repair ended with {rc}: {err[-300:]!r}')
        self.check((rc == 0) == (rc_fsck == 0), f'repair ended with {rc}, fsck with {rc_fsck}')
        self.saved(json.loads(out))
        rc, out, err = run('-s', self.new, 'fsck')
        self.check(rc == 0, f'fsck of the new store: {out[-300:]!r} {err[-200:]!r}')

    def all(self, data, where):
        self.damage(data, where)
        try:
            self.reads()
            self.repair(self.fsck()[0])
        except (AssertionError, ValueError, subprocess.TimeoutExpired) as e:
            self.wrong.append(repr(e))
        return self.wrong


def main():
    global passed, failed
    data = open(IMAGE, 'rb').read()
    where = places(data)
    rc, names, err = branches(IMAGE)
    assert rc == 0 and names, err
    good = {name: (at, dump(IMAGE, name)[1] if name in DUMPED else None) for name, at in names.items()}
    ever = set()
    for name in os.listdir(HISTORY):
        ever.update(open(f'{HISTORY}/{name}', 'rb').read().splitlines())
    assert all(v in ever for _, lines in good.values() if lines for v in values(lines))
    for seed in range(SEED, SEED + COUNT):
        r = Round(seed, good, ever)
        wrong = r.all(data, where)
        passed += not wrong
        failed += bool(wrong)
        if wrong:
            print(f'FAILED: SEED={seed} COUNT=1: {", ".join(r.did)}')
            for w in wrong[:6]:
                print('   ', w[:400])
            if os.environ.get('KEEP'):
                shutil.copy(r.store, os.environ['KEEP'] + f'/seed{seed}.img')
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
