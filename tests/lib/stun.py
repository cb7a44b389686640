# SPDX-License-Identifier: Apache-2.0
"""STUN for tests (RFC 8489), and an ICE party that controls: what a browser sends, byte by byte."""
import binascii
import hashlib
import hmac
import os
import random
import socket
import string
import struct
import time

COOKIE = 0x2112a442


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def message(kind, transaction, attributes, password=None):
    """With MESSAGE-INTEGRITY (when there is a password) and FINGERPRINT."""
    body = b"".join(attributes)
    if password is not None:
        head = struct.pack("!HHI", kind, len(body) + 24, COOKIE) + transaction
        body += attribute(8, hmac.new(password.encode(), head + body, hashlib.sha1).digest())
    head = struct.pack("!HHI", kind, len(body) + 8, COOKIE) + transaction
    return head + body + attribute(0x8028, struct.pack("!I", binascii.crc32(head + body) ^ 0x5354554e))


def check(ours, theirs, password, nominate=True, transaction=None, priority=2130706431):
    attributes = [attribute(6, ("%s:%s" % (theirs, ours)).encode()), attribute(0x24, struct.pack("!I", priority)),
                  attribute(0x802a, os.urandom(8))]
    if nominate:
        attributes.append(attribute(0x25, b""))
    return message(1, transaction or os.urandom(12), attributes, password)


def read(data):
    """(type, transaction, {attribute: value}) or None."""
    if len(data) < 20 or data[0] > 3 or struct.unpack_from("!I", data, 4)[0] != COOKIE:
        return None
    attributes, at = {}, 20
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        attributes[kind] = data[at + 4:at + 4 + length]
        at += 4 + length + -length % 4
    return struct.unpack_from("!H", data)[0], data[8:20], attributes


def mapped(attributes):
    value = attributes[0x20]
    port = struct.unpack_from("!H", value, 2)[0] ^ COOKIE >> 16
    return socket.inet_ntoa(bytes(a ^ b for a, b in zip(value[4:8], struct.pack("!I", COOKIE)))), port


class Party:
    """Audio with ICE on one socket (rtcp-mux), and its SDP."""

    def __init__(self, lab, host, address, port):
        self.lab, self.host, self.address, self.port = lab, host, address, port
        self.socket = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.restart()
        self.sequence, self.ssrc, self.rtp = random.randrange(60000), random.getrandbits(32), []
        self.relay = None

    def restart(self):
        def text(n):
            return "".join(random.choice(string.ascii_letters + string.digits) for _ in range(n))
        self.ufrag, self.pwd = text(4), text(22)

    def sdp(self):
        return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=rtcp-mux\r\n"
                "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=candidate:1 1 UDP 2130706431 %s %d typ host\r\n"
                % (self.address, self.address, self.port, self.ufrag, self.pwd, self.address, self.port))

    def take(self, sdp):
        """What the answer says of the relay."""
        lines = sdp.decode().split("\r\n")

        def value(name):
            return next((l.split(":", 1)[1] for l in lines if l.startswith("a=%s:" % name)), None)
        self.theirs, self.password = value("ice-ufrag"), value("ice-pwd")
        fields = value("candidate").split()
        self.relay = (fields[4], int(fields[5]))
        return lines

    def receive(self, seconds):
        """What comes within that time: RTP is kept; returns the STUN messages."""
        messages, end = [], time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return messages
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(2048)
            except (socket.timeout, BlockingIOError):
                return messages
            if data[0] < 4:
                messages.append(read(data))
            else:
                self.rtp.append(data)

    def check(self, nominate=True, seconds=1.0):
        """True: the relay answered, and says who we are."""
        transaction = os.urandom(12)
        self.socket.sendto(check(self.ufrag, self.theirs, self.password, nominate, transaction), self.relay)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind, answered, attributes in filter(None, self.receive(0.05)):
                if answered == transaction and kind == 0x101:
                    return mapped(attributes) == (self.address, self.port)
        return False

    def speak(self, packets, gap=0.02, to=None):
        for _ in range(packets):
            self.sequence = (self.sequence + 1) & 0xffff
            self.socket.sendto(struct.pack("!BBHII", 0x80, 8, self.sequence, self.sequence * 160, self.ssrc) +
                               b"\xd5" * 160, to or self.relay)
            self.receive(gap)
