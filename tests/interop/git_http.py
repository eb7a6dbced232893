"""git_http.py - requests over HTTP that git does not make, or makes rarely; see git_edge.sh.

    git_http.py HTTP_PORT BRANCH_TIP
"""
import gzip
import http.client
import os
import socket
import sys

sys.path.insert(0, 'tests/lib')
import wire  # noqa: E402

PORT, TIP = int(sys.argv[1]), sys.argv[2]
WAIT_MAX = 20  # seconds; what this is about took two minutes
passed = failed = 0


def check(good, text):
    global passed, failed
    passed += bool(good)
    failed += not good
    if not good:
        print('FAILED:', text)


def ask(method, path, body=None, **headers):
    """The answer to a request of its own: status, headers, bytes."""
    c = http.client.HTTPConnection('127.0.0.1', PORT, timeout=WAIT_MAX)
    try:
        c.request(method, '/store.git/' + path, body, {k.replace('_', '-'): v for k, v in headers.items()})
        r = c.getresponse()
        return r.status, r.headers, r.read()
    except OSError as e:
        return 0, {}, repr(e).encode()
    finally:
        c.close()


def post(service, body, **headers):
    return ask('POST', 'git-' + service, body, Content_Type=f'application/x-git-{service}-request', **headers)


def zipped(service, body, **headers):
    return post(service, body, Content_Encoding='gzip', **headers)


REFS = wire.pkt('command=ls-refs\n') + wire.pkt(f'object-format={wire.HASH}\n') + b'0001' + wire.pkt('peel\n') + wire.flush
NOBODY = wire.pkt('want ' + '12' * wire.ID + f' object-format={wire.HASH}\n') + wire.flush
NOISE = os.urandom(400_000)  # what a client sends on when all is said


def raw(head, body=b''):
    """What comes back for exactly these bytes, to the end of the connection."""
    with socket.create_connection(('127.0.0.1', PORT), WAIT_MAX) as c:
        c.sendall(b'POST /store.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n'
                  b'Content-Type: application/x-git-upload-pack-request\r\n' + head + b'\r\n' + body)
        out = b''
        while True:
            more = c.recv(65536)
            if not more:
                return out
            out += more


# Bodies whose length can be read in two ways: a request could hide in them.
HIDDEN = b'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n'
for lengths in (b'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', b'Content-Length: 4\r\nContent-Length: 9\r\n',
                b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', b'Transfer-Encoding: identity, chunked\r\n'):
    said = raw(lengths, b'0\r\n\r\n' + HIDDEN)
    check(said.startswith(b'HTTP/1.1 400 ') and said.count(b'HTTP/1.1 ') == 1, f'{lengths}: {said[:200]}')

# Bodies that gzip made, or did not.
plain = post('upload-pack', REFS, Git_Protocol='version=2')
check(TIP.encode() in plain[2], f'ls-refs: {plain}')
check(zipped('upload-pack', gzip.compress(REFS), Git_Protocol='version=2')[2] == plain[2], 'a gzip body')
check(zipped('upload-pack', gzip.compress(REFS) + b'behind it', Git_Protocol='version=2')[2] == plain[2], 'bytes behind a gzip body')
check(zipped('upload-pack', gzip.compress(REFS) + gzip.compress(REFS), Git_Protocol='version=2')[2] == plain[2], 'two gzip streams')
answer = zipped('upload-pack', b'no gzip at all, but long enough to be looked at')
check(answer[0] == 400 and b'gzip' in answer[2], f'a body that is not gzip: {answer}')
answer = zipped('upload-pack', gzip.compress(REFS)[:20], Git_Protocol='version=2')
check(answer[0] == 200 and b'ERR ' in answer[2], f'a gzip body cut short: {answer}')
for send, name in ((lambda b: post('upload-pack', b), 'plain'), (lambda b: zipped('upload-pack', gzip.compress(b)), 'gzip')):
    answer = send(NOBODY + NOISE)
    check(answer[0] == 200 and b'ERR upload-pack: not our ref' in answer[2], f'a request that fails in the middle of its body, {name}: {answer}')
    check(send(wire.flush + NOISE)[:3:2] == (200, b''), f'bytes behind the end, {name}')
answer = zipped('receive-pack', gzip.compress(wire.flush + bytes(50_000_000)))
check(answer[::2] == (200, b''), f'a bomb behind the end: {answer}')

# More to acknowledge than one buffer holds, before the request is whole.
N = 6000
many = wire.pkt(f'want {TIP} multi_ack_detailed object-format={wire.HASH}\n') + wire.flush + wire.pkt(f'have {TIP}\n') * N + wire.flush
for send, name in ((lambda b: post('upload-pack', b), 'plain'), (lambda b: zipped('upload-pack', gzip.compress(b)), 'gzip')):
    answer = send(many)
    check(answer[2].count(b' common') == N, f'{N} haves that are common, {name}: {answer[0]} {len(answer[2])} {answer[2][:80]!r}')

# What proxies and people ask.
whole = ask('GET', 'info/refs?service=git-upload-pack')
answer = ask('HEAD', 'info/refs?service=git-upload-pack')
check(answer[0] == 200 and answer[2] == b'' and answer[1]['Content-Type'] == whole[1]['Content-Type'], f'HEAD: {answer}')
check(b' agent=bough/' in whole[2], f'the agent: {whole[2][:400]}')
for method, path, status, allow in (('PUT', 'info/refs', 405, 'GET, HEAD'), ('GET', 'git-upload-pack', 405, 'POST'),
                                    ('GET', 'info/refs?service=upload-pack', 403, None), ('GET', 'HEAD', 404, None)):
    answer = ask(method, path)
    check(answer[0] == status and answer[1].get('Allow') == allow, f'{method} {path}: {answer}')
print(f'{passed} passed, {failed} failed')
sys.exit(failed > 0)
