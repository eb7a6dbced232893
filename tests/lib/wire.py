"""wire.py - Redis' and Git's protocols on bare sockets, for tests that must see or send exact bytes.

  Redis       Redis(port): call, send, read; RedisError
  packets     pkt, flush, packets
  packs       entry, pack, objects_pack: made by hand, so that they can be wrong
  git://      Git(port, path): advertised, push (with any bytes for a pack), read to the end
"""
import hashlib
import os
import socket
import struct
import subprocess
import zlib

KINDS = {'commit': 1, 'tree': 2, 'blob': 3, 'tag': 4}
HASH = os.environ.get('GIT_DEFAULT_HASH', 'sha1')
ID = hashlib.new(HASH).digest_size  # bytes
ZERO = '00' * ID


class RedisError(Exception):
    """An error that the server answered."""


class Redis:
    """A connection; RESP2."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile('rb', 1 << 16)

    @staticmethod
    def pack(words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)

    def send(self, commands):
        self.socket.sendall(b''.join(map(self.pack, commands)))

    def read(self):
        """One answer; an error is returned, not raised."""
        line = self.stream.readline()
        if line[-2:] != b'\r\n':
            raise EOFError('the connection ended')
        kind, text = line[:1], line[1:-2]
        if kind == b'+':
            return text
        if kind == b':':
            return int(text)
        if kind == b'-':
            return RedisError(text.decode())
        if kind == b'$':
            if text == b'-1':
                return None
            data = self.stream.read(int(text) + 2)
            if len(data) != int(text) + 2:
                raise EOFError('the connection ended in a value')
            return data[:-2]
        if kind == b'*':
            return None if text == b'-1' else [self.read() for _ in range(int(text))]
        raise ValueError(f'no RESP2: {line!r}')

    def call(self, *words):
        self.send([words])
        answer = self.read()
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def close(self):
        self.stream.close()
        self.socket.close()


def pkt(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b'%04x' % (len(data) + 4) + data


flush = b'0000'


def packets(data):
    """Split bytes into packets; a flush is None. What is no packet ends the list as it is."""
    out = []
    while data:
        try:
            n = int(data[:4], 16)
        except ValueError:
            return out + [data]
        if n < 4:
            out.append(None)
            data = data[4:]
        else:
            out.append(data[4:n])
            data = data[n:]
    return out


def entry(kind, body, size=None):
    """A pack entry; `size` lies about the length."""
    n = len(body) if size is None else size
    byte, n = kind << 4 | n & 15, n >> 4
    head = b''
    while n:
        head += bytes([byte | 128])
        byte, n = n & 127, n >> 7
    return head + bytes([byte]) + zlib.compress(body)


def pack(entries, count=None):
    data = b'PACK' + struct.pack('>II', 2, len(entries) if count is None else count) + b''.join(entries)
    return data + hashlib.new(HASH, data).digest()


def oid(kind, body):
    return hashlib.new(HASH, b'%s %d\0' % (kind.encode(), len(body)) + body).hexdigest()


def objects_pack(objects):
    """A pack of (kind, body)."""
    return pack([entry(KINDS[kind], body) for kind, body in objects])


class Git:
    """A git:// connection to receive-pack."""

    def __init__(self, port, path='/store.git', timeout=60):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout)
        self.stream = self.socket.makefile('rb')
        self.socket.sendall(pkt(f'git-receive-pack {path}\0host=127.0.0.1\0'))
        self.advertised = {}
        while True:
            n = int(self.stream.read(4), 16)
            if n == 0:
                break
            line = self.stream.read(n - 4).split(b'\0')[0].decode().strip()
            if line.startswith('ERR'):
                raise EOFError(line)
            value, name = line.split(' ', 1)
            self.advertised[name] = value

    def push(self, commands, data=b'', capabilities=f'report-status object-format={HASH}', end=True):
        """Send [(old, new, ref)] and a pack; all that comes back, as text."""
        out = b''
        for i, command in enumerate(commands):
            out += pkt(' '.join(command) + ('\0' + capabilities if i == 0 else '') + '\n')
        try:
            self.socket.sendall(out + flush + data)
            if end:
                self.socket.shutdown(socket.SHUT_WR)
            return self.stream.read().decode('utf8', 'replace')
        except OSError as e:
            return str(e)
        finally:
            self.socket.close()


def git(*args, **kw):
    """Stock git; its output as bytes. Raises when it fails."""
    return subprocess.run(['git', *args], check=True, capture_output=True, stdin=subprocess.DEVNULL, **kw).stdout
