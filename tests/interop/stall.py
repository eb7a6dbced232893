"""stall.py - clients that stop halfway, beside some that are only slow; see stall.sh.

    stall.py GIT_PORT HTTP_PORT REDIS_PORT          the daemon runs with --push-timeout 2
"""
import os
import select
import socket
import sys
import time

sys.path.insert(0, 'tests/lib')
import wire  # noqa: E402
from tally import check, end  # noqa: E402

GIT, HTTP, REDIS = (int(x) for x in sys.argv[1:4])
LIMIT = 2.0
LATEST = 20.0  # on a busy machine


def history():
    """A commit with a value that no compression makes small, as a pack and the commit's id."""
    blob = os.urandom(200_000)
    tree = b'100644 x\0' + bytes.fromhex(wire.oid('blob', blob))
    commit = b'tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n' % wire.oid('tree', tree).encode()
    return wire.objects_pack([('blob', blob), ('tree', tree), ('commit', commit)]), wire.oid('commit', commit)


PACK, TIP = history()


def commands(ref):
    return wire.pkt(f'{wire.ZERO} {TIP} {ref}\0report-status object-format={wire.HASH}\n') + wire.flush


def ended(s, start):
    """Seconds until the other side closed."""
    s.settimeout(LATEST)
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return float('inf')
    return time.monotonic() - start


def is_open(s):
    return not select.select([s], [], [], 0)[0]


def half_git():
    git = wire.Git(GIT)
    git.socket.sendall(commands('refs/heads/stalled') + PACK[:100_000])
    return git.socket


def half_http():
    s = socket.create_connection(('127.0.0.1', HTTP))
    body = commands('refs/heads/stalled') + PACK
    s.sendall(b'POST /store.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-receive-pack-request\r\n'
              b'Content-Length: %d\r\n\r\n' % len(body) + body[:100_000])
    return s


def half_value():
    s = socket.create_connection(('127.0.0.1', REDIS))
    s.sendall(b'*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$3000000\r\n' + bytes(1_000_000))
    return s


def slow_push(thinker):
    """Pieces of a pack, each within the limit, all of them well past it."""
    git = wire.Git(GIT)
    git.socket.sendall(commands('refs/heads/slow') + PACK[:1000])
    pieces = 8
    for i in range(pieces):
        time.sleep(LIMIT / 4)
        git.socket.sendall(PACK[1000 + i * 20_000:1000 + (i + 1) * 20_000])
    git.socket.sendall(PACK[1000 + pieces * 20_000:])
    check('ok refs/heads/slow' in git.stream.read().decode(), 'a slow push went wrong')
    check(is_open(thinker.socket), 'who thinks before the pack was cut off')
    thinker.socket.sendall(PACK)
    check('ok refs/heads/thought' in thinker.stream.read().decode(), 'a push after long thought went wrong')


silent, greeted, thinker = wire.Redis(REDIS), wire.Git(GIT), wire.Git(GIT)
silent.call('ping')
thinker.socket.sendall(commands('refs/heads/thought'))
started = time.monotonic()
stalled = [('git://', half_git()), ('HTTP', half_http()), ('a value', half_value())]
slow_push(thinker)
for name, s in stalled:
    took = ended(s, started)
    check(LIMIT * 0.9 < took < LATEST, f'{name}: cut off after {took:.1f} s')
check(is_open(greeted.socket), 'who only looked was cut off')
check(silent.call('exists', 'big') == 0, 'half a value is there')
check(b'clients_stalled:2' in silent.call('info'), 'INFO does not count them')
end()
