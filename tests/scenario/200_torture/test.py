# SPDX-License-Identifier: Apache-2.0
"""RFC 4475 and RFC 5118, each message over UDP and TCP, from a peer on each side: the answer that the
table of the unit test asks for, nothing where it asks for silence, and the next OPTIONS answered at once."""
import os
import socket
import time

from lib.capture import Capture
from lib.edge import expect
from lib.postern import Postern

WORKERS = [2]
LONG = True
TORTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../unit/sbc/message/torture")
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 203.0.113.1}
routes:
  - {from: carrier, to: pbx}
  - {from: pbx, to: carrier}
"""
# What policy makes of messages that are sound: statuses that may come, "-" for none, "+" for passed on.
POLICY = {
    "bext01.dat": {"420"}, "zeromf.dat": {"483"}, "intmeth.dat": {"405", "501", "+"}, "esc02.dat": {"405", "501", "+"},
    "unreason.dat": {"-"}, "noreason.dat": {"-"}, "bcast.dat": {"-"}, "invut.dat": {"+", "415"},
    "dblreq.dat": {"403", "+", "488"},  # a REGISTER, and behind it an INVITE whose SDP says "m =video"
}


def table():
    with open(os.path.join(TORTURE, "expect.tsv")) as f:
        for line in f:
            if not line.startswith("#"):
                name, udp, tcp = line.rstrip("\n").split("\t")[:3]
                yield name, udp, udp if tcp == "-" else tcp


class Side:
    def __init__(self, lab, host, address, edge, device):
        self.lab, self.host, self.address, self.edge = lab, host, address, edge
        self.capture = Capture(lab, "sbc", device)
        self.socket = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 5060))
        self.socket.settimeout(2)
        self.streams = []

    def send(self, data, stream):
        if not stream:
            self.socket.sendto(data, (self.edge, 5060))
            return
        s = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(2)
        s.connect((self.edge, 5060))
        s.sendall(data)
        self.streams.append(s)

    def probe(self, number):
        """How long an OPTIONS takes."""
        started = time.monotonic()
        self.socket.sendto(("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKprobe%d;rport\r\nMax-Forwards: 0\r\n"
                            "From: <sip:p@%s>;tag=p%d\r\nTo: <sip:%s>\r\nCall-ID: probe-%d\r\nCSeq: 1 OPTIONS\r\n"
                            "Content-Length: 0\r\n\r\n" % (self.edge, self.address, number, self.address, number,
                                                           self.edge, number)).encode(), (self.edge, 5060))
        end = started + 2
        while time.monotonic() < end:
            data = self.socket.recv(65535)
            if b"probe-%d\r\n" % number in data:
                return time.monotonic() - started
        raise AssertionError("no answer to a probe")

    def close(self):
        for s in self.streams:
            s.close()
        self.streams = []


def outcome(sent, passed):
    """What our side said in the meantime: its first status that is no 100, or "+" when it passed the request on."""
    codes = [str(m.code) for m in sent if not m.is_request and m.code != 100]
    return codes[0] if codes else "+" if passed else "-"


def allowed(name, verdict):
    if verdict in ("drop", "more"):
        return {"-"}
    if verdict != "accept":
        return {verdict}
    return POLICY.get(name)


# The same transaction as another message of the RFC: what comes second is a retransmission.
TWIN = "ipv6-bug-abnf-3-colons.dat"


def send_all(lab, side, stream, names, windows):
    """A Postern of its own, for it remembers transactions; returns how long the slowest OPTIONS took."""
    postern = Postern(lab, CONFIG)
    slowest = 0
    for name, udp, tcp in table():
        if (name == TWIN) != (names == TWIN):
            continue
        with open(os.path.join(TORTURE, name), "rb") as f:
            data = f.read()
        started = time.time()
        side.send(data, stream)
        time.sleep(0.01)
        took = side.probe(len(windows))
        slowest = max(slowest, took)
        time.sleep(max(0.05, 5 * took))  # another worker may have had the message
        windows.append((side, "tcp" if stream else "udp", name, tcp if stream else udp, started, time.time()))
    side.close()
    postern.stop()
    return slowest


def run(lab):
    lab.edge()
    sides = [Side(lab, "inet", "203.0.113.1", "203.0.113.10", "wan"), Side(lab, "pbx", "10.0.0.20", "10.0.0.1", "lan")]
    windows = []
    slowest = max(send_all(lab, side, stream, names, windows)
                  for side in sides for stream in (False, True) for names in (None, TWIN))
    expect(slowest < 1, "an OPTIONS is answered at once after each (slowest: %.0f ms)" % (slowest * 1000))
    for side in sides:
        side.capture.stop()
    heard = {side: [m for m in side.capture.messages() if "probe-" not in m.text] for side in sides}
    for side in sides:  # what is sent again belongs to the first time
        seen = set()
        heard[side] = [m for m in heard[side] if not m.is_request or m.get("via") not in seen and not seen.add(m.get("via"))]
    wrong = []
    for side, transport, name, verdict, started, ended in windows:
        other = sides[1] if side is sides[0] else sides[0]
        sent = [m for m in heard[side] if m.source == side.edge and started <= m.time < ended]
        passed = [m for m in heard[other] if m.source == other.edge and m.is_request and started <= m.time < ended]
        got, want = outcome(sent, passed), allowed(name, verdict)
        if (want and got not in want) or (want is None and got in ("400", "416", "505", "-")):
            wrong.append("%s over %s from %s: %s, not %s" % (name, transport, side.host, got, sorted(want or ["answered or passed on"])))
    expect(not wrong, "; ".join(wrong))
