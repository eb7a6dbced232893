"""hostile.py - pushes that claim more than they are, while another client works; see hostile.sh.

    hostile.py GIT_PORT REDIS_PORT PID
"""
import sys
import threading
import time

sys.path.insert(0, 'tests/lib')
import wire  # noqa: E402
from tally import check, end  # noqa: E402

GIT, REDIS, PID = (int(x) for x in sys.argv[1:4])
MEMORY_MAX = 64  # MB, all of the daemon
WAIT_MAX = 1.0   # seconds that another client waits at the most, on a busy machine
PUSH_MAX = 20.0  # seconds a refusal takes


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def delta(base_len, result_len, copies):
    """A delta that copies the first 64 KiB of its base so many times."""
    return varint(base_len) + varint(result_len) + b'\x80' * copies


def ref_delta(base, body):
    """An entry whose base is named: the id stands between head and stream."""
    whole, head, n = wire.entry(7, body), 1, len(body) >> 4
    while n:
        head, n = head + 1, n >> 7
    return whole[:head] + bytes.fromhex(base) + whole[head:]


BLOCK = bytes(65536)
BASE = wire.oid('blob', BLOCK)


def huge_result():
    """Two kilobytes that claim 16 GiB."""
    return wire.pack([wire.entry(3, BLOCK), ref_delta(BASE, delta(65536, 16 << 30, 1000))])


def many_results():
    """Each result is fair (8 MiB), all of them are not."""
    out = [wire.entry(3, BLOCK)]
    for i in range(1000):
        out.append(ref_delta(BASE, delta(65536, (128 << 16) + 2, 128) + b'\x02' + i.to_bytes(2, 'big')))
    return wire.pack(out)


def lying_size():
    return wire.pack([wire.entry(3, b'small', size=1 << 40)])


def no_end():
    return wire.pack([wire.entry(3, BLOCK)] * 3, count=1 << 31)


class Neighbour(threading.Thread):
    """Another client, and how long it had to wait."""
    def __init__(self):
        super().__init__(daemon=True)
        self.redis = wire.Redis(REDIS)
        self.worst, self.calls, self.stop = 0.0, 0, False

    def run(self):
        while not self.stop:
            start = time.monotonic()
            self.redis.call('set', 'neighbour', str(self.calls))
            self.worst = max(self.worst, time.monotonic() - start)
            self.calls += 1
            time.sleep(0.001)


def peak_mb():
    with open(f'/proc/{PID}/status') as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith('VmHWM'))


def refused(make, words):
    name, data = make.__name__, make()
    other = Neighbour()
    other.start()
    time.sleep(0.05)
    start = time.monotonic()
    answer = wire.Git(GIT).push([(wire.ZERO, BASE, 'refs/heads/hostile')], data)
    took = time.monotonic() - start
    other.stop = True
    other.join(10)
    check(any(w in answer for w in words), f'{name}: none of {words} in {answer[:200]!r}')
    check('ok refs/' not in answer, f'{name}: the push was taken')
    check(took < PUSH_MAX, f'{name}: {took:.1f} s until the refusal')
    check(other.calls > 3 and other.worst < WAIT_MAX, f'{name}: {other.calls} calls, one waited {other.worst:.2f} s')
    check(peak_mb() < MEMORY_MAX, f'{name}: the daemon took {peak_mb()} MB')
    check('refs/heads/hostile' not in wire.Git(GIT).advertised, f'{name}: the ref is there')


refused(huge_result, ['unpack object too large'])
refused(many_results, ['unpacked bytes too many'])
refused(lying_size, ['less data than the entry says'])
refused(no_end, ['early', 'ends', 'count', 'objects', 'eof'])
end()
