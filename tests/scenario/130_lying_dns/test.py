# SPDX-License-Identifier: Apache-2.0
"""A name server that is slow, silent, loops, sends thousands of records or leads inside: every call gets its answer in
a bounded time, calls of others are not delayed, nothing is sent where it may not go."""
import socket
import struct
import threading
import time

from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.66]}
routes:
  - {from: pbx, number: "1*", to: carrier}
  - {from: pbx, to: {dns: wan}}
"""


def name_at(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


def wire(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".") if l) + b"\0"


class Liar(threading.Thread):
    """over UDP; a truncated answer is asked again by TCP."""

    def __init__(self, lab, host, address):
        super().__init__(daemon=True)
        self.asked, self.done = [], False
        self.udp = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.udp.settimeout(0.2)
        self.tcp = lab.socket(host, socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 53))
        self.tcp.listen(16)
        self.tcp.settimeout(0.2)
        threading.Thread(target=self.serve_tcp, daemon=True).start()
        self.start()

    def run(self):
        while not self.done:
            try:
                data, source = self.udp.recvfrom(4096)
            except OSError:
                continue
            for answer in self.answers(data, False):
                self.udp.sendto(answer, source)

    def serve_tcp(self):
        while not self.done:
            try:
                s, _ = self.tcp.accept()
                s.settimeout(2)
                data = s.recv(4096)
                for answer in self.answers(data[2:], True):
                    s.sendall(struct.pack(">H", len(answer)) + answer)
                time.sleep(0.2)
                s.close()
            except OSError:
                continue

    def answers(self, data, is_tcp):
        name, at = name_at(data, 12)
        kind = struct.unpack(">H", data[at:at + 2])[0]
        self.asked.append((name, kind))
        question = data[12:at + 4]

        def message(records, flags=0x8180, count=None, tail=b""):
            return struct.pack(">HHHHHH", struct.unpack(">H", data[:2])[0], flags, 1,
                               len(records) if count is None else count, 0, 0) + question + b"".join(records) + tail

        def record(kind, body, owner=b"\xc0\x0c", ttl=60):
            return owner + struct.pack(">HHIH", kind, 1, ttl, len(body)) + body
        address = bytes(int(b) for b in (CARRIER % 67).split("."))
        if name.startswith("silent"):
            return []
        if "loop" in name:
            return [message([record(5, b"\xc0\x0c"), record(5, wire(name))])]
        if "inside" in name:
            return [message([record(1, bytes([10, 0, 0, 20])), record(1, bytes([10, 0, 0, 1])),
                             record(1, bytes([127, 0, 0, 1])), record(1, bytes([203, 0, 113, 10]))]
                            if kind == 1 else [])]
        if "many" in name and kind == 1:
            if not is_tcp:
                return [message([], 0x8380)]
            return [message([record(1, bytes([192, 0, 2, n & 255])) for n in range(3500)] )]
        if "many" in name and kind == 33:
            return [message([record(33, struct.pack(">HHH", 0, n & 255, 5060) + wire("t%d.many.example" % n))
                             for n in range(25)])]
        if "broken" in name:
            return [message([b"\xff" * 40], count=65535), message([], tail=b"\xc0\x0c" * 200), b"\0" * 3]
        if "wrong" in name:  # the answer to another question first
            other = data[:12] + wire("right.example") + data[at:]
            return [struct.pack(">HHHHHH", struct.unpack(">H", data[:2])[0], 0x8180, 1, 1, 0, 0) + other[12:] +
                    record(1, bytes([192, 0, 2, 1])), message([record(1, address)] if kind == 1 else [])]
        return [message([record(1, address)] if kind == 1 else [])]


def run(lab):
    liars = []
    carrier = Carrier(lab, CONFIG, before=lambda: liars.append(Liar(lab, "inet", "203.0.113.1")))
    good, found = Callee(lab, "stranger", CARRIER % 66), Callee(lab, "stranger", CARRIER % 67)
    # A call that waits for a silent server, and one beside it.
    waiting = carrier.pbx.invite("sip:a@silent.example")
    started = time.monotonic()
    carrier.call("100")
    expect(time.monotonic() - started < 1, "the other call is not delayed")
    carrier.ack_refusal(waiting, waiting.wait_final(504, 6))
    expect(time.monotonic() - started < 4, "silence is over in its time")
    # One that is cancelled while it waits.
    waiting = carrier.pbx.invite("sip:b@silent2.example")
    time.sleep(0.3)
    waiting.cancel()
    carrier.ack_refusal(waiting, waiting.wait_final(487, 3))
    for name, code in (("loop", 404), ("inside", 404), ("broken", 503)):
        started = time.monotonic()
        carrier.call(uri="sip:a@%s.example" % name, code=code, seconds=8)
        expect(time.monotonic() - started < 4, "%s: %.1f s" % (name, time.monotonic() - started))
    carrier.call(uri="sip:a@wrong.example")
    expect(count(found) == [1], "only the right answer is believed")
    # Thousands of addresses that all say nothing: bounded; the caller goes.
    waiting = carrier.pbx.invite("sip:a@many.example")
    time.sleep(1)
    carrier.call("100")
    waiting.cancel()
    carrier.ack_refusal(waiting, waiting.wait_final(487, 5))
    expect(len(liars[0].asked) < 200, "questions are bounded: %d" % len(liars[0].asked))
    liars[0].done = True
    carrier.finish(good, found)
