# SPDX-License-Identifier: Apache-2.0
"""A small NG client (bencode over UDP), as a proxy would speak to any relay."""
import os
import random
import socket

from .lab import LabError


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(map(encode, value)) + b"e"
    return b"d" + b"".join(encode(k) + encode(v) for k, v in value.items()) + b"e"


def decode(data, at=0):
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        at, items = at + 1, []
        while data[at:at + 1] != b"e":
            value, at = decode(data, at)
            items.append(value)
        if kind == b"l":
            return items, at + 1
        return {k.decode(): v for k, v in zip(items[::2], items[1::2])}, at + 1
    colon = data.index(b":", at)
    length = int(data[at:colon])
    return data[colon + 1:colon + 1 + length], colon + 1 + length


class NG:
    def __init__(self, made_socket, address, port=2223, timeout=1.0, tries=5):
        self.socket, self.tries, self.count = made_socket, tries, random.getrandbits(30)
        self.socket.connect((address, port))
        self.socket.settimeout(timeout)

    def request(self, command, **keys):
        self.count += 1
        cookie = b"%d_%d" % (os.getpid(), self.count)
        message = cookie + b" " + encode({"command": command, **{k.replace("_", "-"): v for k, v in keys.items()}})
        for _ in range(self.tries):
            self.socket.send(message)
            try:
                while True:
                    data = self.socket.recv(65535)
                    mine, _, body = data.partition(b" ")
                    if mine == cookie:
                        return decode(body)[0]
            except socket.timeout:
                continue
        raise LabError("NG: no reply to %s" % command)

    def must(self, command, **keys):
        reply = self.request(command, **keys)
        if reply.get("result") not in (b"ok", b"pong"):
            raise LabError("NG: %s answered %r" % (command, reply))
        return reply
