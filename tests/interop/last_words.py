"""A refused client that still sends is not reset before it read why: last_words.py GIT_PORT."""
import socket
import sys
import time

s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)
request = b'git-upload-pack /nosuch.git\0host=x\0'
s.sendall(b'%04x' % (len(request) + 4) + request)
words = b''
while True:
    piece = s.recv(4096)
    if not piece:
        break
    words += piece
assert b'not exported' in words, words
for _ in range(5):  # a closed socket would answer the first with a reset, and the next would fail
    s.sendall(b'x' * 4096)
    time.sleep(0.02)
s.shutdown(socket.SHUT_WR)
