#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differential test of the NG encodings: random documents, encoded here, go to a server that gives them
back; what comes back must decode to the same. Bencode over UDP and TCP, JSON over UDP. Prints TAP."""
import json
import random
import socket
import subprocess
import sys

SEED = 20480
ROUNDS = 400


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    return b"d" + b"".join(encode(k) + encode(v) for k, v in value.items()) + b"e"


def decode(text, at=0):
    kind = text[at:at + 1]
    if kind == b"i":
        end = text.index(b"e", at)
        return int(text[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        items = []
        at += 1
        while text[at:at + 1] != b"e":
            item, at = decode(text, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = text.index(b":", at)
    end = colon + 1 + int(text[at:colon])
    assert end <= len(text)
    return text[colon + 1:end], end


def random_bytes(rng):
    return bytes(rng.choice(b"abc d:e\r\n\0\xff019-") for _ in range(rng.randrange(12)))


def random_text(rng):
    return "".join(rng.choice('ab "\\\r\n\t/\x01\u00e9\u20ac\U0001f600') for _ in range(rng.randrange(12)))


def document(rng, string, depth=0):
    kind = rng.randrange(4 if depth < 6 else 2)
    if kind == 0:
        return string(rng)
    if kind == 1:
        return rng.choice([0, 1, -1, rng.randrange(-2 ** 63, 2 ** 63), 2 ** 63 - 1, -2 ** 63])
    if kind == 2:
        return [document(rng, string, depth + 1) for _ in range(rng.randrange(5))]
    return {string(rng): document(rng, string, depth + 1) for _ in range(rng.randrange(5))}


def udp(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port))
    return sock


def bencode_over_udp(port, rng):
    with udp(port) as sock:
        for number in range(ROUNDS):
            request = {b"command": b"mirror", b"x": document(rng, random_bytes)}
            cookie = b"u%d" % number
            sock.send(cookie + b" " + encode(request))
            back, text = sock.recv(65536).split(b" ", 1)
            assert back == cookie
            reply, end = decode(text)
            assert end == len(text) and reply == {b"result": b"ok", b"request": request}, request


def json_over_udp(port, rng):
    with udp(port) as sock:
        for number in range(ROUNDS):
            request = {"command": "mirror", "x": document(rng, random_text)}
            cookie = b"j%d" % number
            text = json.dumps(request, ensure_ascii=number % 2 == 0, indent=number % 3 or None)
            sock.send(cookie + b" " + text.encode())
            back, text = sock.recv(65536).split(b" ", 1)
            assert back == cookie
            assert json.loads(text) == {"result": "ok", "request": request}, request


def bencode_over_tcp(port, rng):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(ROUNDS):
            requests = [{b"command": b"mirror", b"x": document(rng, random_bytes)}
                        for _ in range(rng.randrange(1, 4))]
            text = b"".join(b"t%d-%d %s" % (number, i, encode(r)) for i, r in enumerate(requests))
            cut = rng.randrange(len(text))
            sock.sendall(text[:cut])
            sock.sendall(text[cut:])
            want = b"".join(b"t%d-%d %s" % (number, i, encode({b"result": b"ok", b"request": r}))
                            for i, r in enumerate(requests))
            got = b""
            while len(got) < len(want):
                more = sock.recv(65536)
                assert more, "closed"
                got += more
            assert got == want, requests


def main():
    tests = [bencode_over_udp, json_over_udp, bencode_over_tcp]
    mirror = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    failed = 0
    print("1..%d" % len(tests))
    try:
        port = int(mirror.stdout.readline())
        for number, test in enumerate(tests, 1):
            try:
                test(port, random.Random(SEED))
                print("ok %d - %s" % (number, test.__name__))
            except (AssertionError, OSError, ValueError) as error:
                failed += 1
                print("not ok %d - %s\n# %r" % (number, test.__name__, error))
    finally:
        mirror.stdin.close()
        if mirror.wait(timeout=10) != 0:
            failed += 1
            print("# the server ended with %d" % mirror.returncode)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
