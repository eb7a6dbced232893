"""redis_wire.py - what only bare sockets see of the Redis front; see redis_wire.sh.

  replies   CLIENT REPLY, half-closed sockets, clients that go away
  limits    each is an answer, and the daemon serves on
  full      no reply says OK for what is not there
"""
import os
import random
import socket
import sys
import time

sys.path.insert(0, 'tests/lib')
import wire  # noqa: E402

PORT, PID, WHAT = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
BIG = b'x' * 1500000
failed = passed = 0


def same(got, want, name):
    global failed, passed
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f'FAILED: {name}: expected {str(want)[:200]}, got {str(got)[:200]}')


def talk(*commands, end=True):
    """All bytes that come back to these commands from a client that then sends no more."""
    c = wire.Redis(PORT)
    c.send(commands)
    if end:
        c.socket.shutdown(socket.SHUT_WR)
    data = c.stream.read()
    c.close()
    return data


def rss():
    with open(f'/proc/{PID}/statm') as f:
        return int(f.read().split()[1]) * 4096


def alive(name):
    same(talk(('ping',)), b'+PONG\r\n', f'PING after {name}')


def replies():
    off, on, skip = (('client', 'reply', how) for how in ('off', 'on', 'skip'))
    same(talk(off, ('ping',), on, ('ping',)), b'+OK\r\n+PONG\r\n', 'CLIENT REPLY ON answers')
    same(talk(skip, ('ping',), ('echo', 'x')), b'$1\r\nx\r\n', 'CLIENT REPLY SKIP')
    same(talk(skip, skip, ('ping',), ('echo', 'x')), b'$1\r\nx\r\n', 'CLIENT REPLY SKIP twice')
    same(talk(('set', 'big', BIG), off, ('get', 'big'), ('set', 'big', BIG), on), b'+OK\r\n+OK\r\n', 'large values without replies')
    same(talk(skip, ('get', 'big'), ('ping',)), b'+PONG\r\n', 'a skipped large value')
    same(talk(('multi',), skip, ('ping',), ('exec',))[:44].split(b'\r\n')[3:5], [b'*2', b'-ERR CLIENT REPLY'], 'CLIENT REPLY in EXEC')
    same(talk(('client', 'maint_notifications', 'on'), ('ping',))[-7:], b'+PONG\r\n', 'CLIENT MAINT_NOTIFICATIONS closes nothing')
    same(talk(('client', 'maint_notifications', 'on'))[:4], b'-ERR', 'CLIENT MAINT_NOTIFICATIONS')
    same(talk(*[('get', 'big')] * 40), (b'$1500000\r\n' + BIG + b'\r\n') * 40, 'large values to a half-closed socket')
    same(talk(*[('set', f'pipe/{i}', i) for i in range(5000)]), b'+OK\r\n' * 5000, '5,000 writes at once, then half-closed')
    for i in range(20):  # gone in the middle of a reply
        c = wire.Redis(PORT)
        c.send([('get', 'big')] * 5 + [('keys', '*')])
        c.socket.recv(1000 * (i + 1))
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        c.close()
    c = wire.Redis(PORT)
    c.send([('set', 'torn', BIG)])
    c.socket.sendall(wire.Redis.pack(('set', 'torn', BIG))[:700000])
    c.close()
    alive('clients that went away')


def limits():
    same(talk(('subscribe', *range(5000)))[:40], b'-ERR a client subscribes to at most 1024', 'SUBSCRIBE of 5,000 channels')
    same(talk(('watch', *range(20000)))[:30], b'-ERR a client watches at most ', 'WATCH of 20,000 keys')
    same(talk(('client', 'setname', 'n' * 300))[:18], b'-ERR names have at', 'a name of 300 bytes')
    same(talk(('hello', 3, 'setname', 'a b'))[:10], b'-ERR names', 'HELLO SETNAME of a bad name')
    same(talk(('setrange', 'hole', 2 ** 32 - 9, 'x'))[:19], b'-ERR string exceeds', 'SETRANGE far behind the end')
    talk(('set', 'huge', b'h' * 33600000))
    same(talk(('getrange', 'huge', 0, -1))[:30], b'-ERR the range is over 32 MiB;', 'GETRANGE over 32 MiB')
    same(talk(('getrange', 'huge', 5, 33554436))[:10], b'$33554432\r', 'GETRANGE of 32 MiB')
    c = wire.Redis(PORT)
    words = wire.Redis.pack(('mset', 'a', b'1' * 33000000, 'b', b'2' * 33000000, 'c', b'3' * 3000000))
    c.socket.sendall(words[:-3000002])
    same(c.stream.read(), b'-ERR Protocol error: too big command\r\n', 'a command over 64 MiB')
    value = b'q' * 1000000
    c = wire.Redis(PORT)
    c.send([('multi',)] + [('set', f'q{i}', value) for i in range(70)] + [('exec',)])
    answers = [c.read() for _ in range(72)]
    same(str(answers[-1])[:9], 'EXECABORT', 'EXEC of a transaction over 64 MiB')
    c.close()
    talk(*[('git.use', f'branch{i}') for i in range(500)])
    before = rss()
    clients = [wire.Redis(PORT) for _ in range(200)]
    for c in clients:
        c.call('set', 'idle', 'y' * 100000)
        c.call('get', 'idle')
        c.call('mget', *range(3000))
    same((rss() - before) // 200 < 65536, True, f'an idle client keeps little: {(rss() - before) // 200} bytes')
    for c in clients:
        c.close()
    alive('all that')
    time.sleep(1.2)
    switches = [open(f'/proc/{PID}/status').read() for _ in (0, time.sleep(1))]
    same(switches[0].split('nonvoluntary')[0][-8:], switches[1].split('nonvoluntary')[0][-8:], 'an idle daemon sleeps')


def full():
    """Writers, readers and greeters at once until the store is full: what was acknowledged is there."""
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    acked, refused = {}, 0
    clients = [wire.Redis(PORT) for _ in range(8)]
    for turn in range(4000):
        sent = []
        for c in clients:
            key, value = f'k{rng.randrange(300)}', rng.randbytes(rng.choice([10, 3000, 60000])).hex().encode()
            batch = [('set', key, value), ('get', key), ('ping',)]
            if rng.random() < .2:
                batch = [('multi',), ('set', key, value), ('get', key), ('exec',)]
            c.send(batch)
            sent.append((key, value, len(batch)))
        for c, (key, value, n) in zip(clients, sent):
            answers = [c.read() for _ in range(n)]
            if n == 3 and answers[0] == b'OK' and not isinstance(answers[1], wire.RedisError):
                acked.setdefault(key, set()).add(value)
            elif n == 4 and answers[3] and not isinstance(answers[3], wire.RedisError):
                acked.setdefault(key, set()).add(value)
            else:
                refused += 1
        if refused > 40:
            break
    same(refused > 40, True, f'the store gets full (seed {seed})')
    reader = wire.Redis(PORT)
    wrong = [k for k, values in acked.items() if reader.call('get', k) not in values]
    same(wrong, [], f'keys that hold what nobody was told (seed {seed})')
    for c in clients:
        same(c.call('echo', 'still here'), b'still here', 'in step after refusals')


{'replies': replies, 'limits': limits, 'full': full}[WHAT]()
print(f'{WHAT}: {passed} passed, {failed} failed')
sys.exit(failed > 0)
