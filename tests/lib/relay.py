# SPDX-License-Identifier: Apache-2.0
"""Our relay by itself, asked in NG, with bare sockets as the two parties of a call."""
import os
import re
import socket
import struct
import time

from .ng import NG
from .postern import Postern, binaries

CONFIG = """interfaces:
  lan: {role: trusted, address: [10.0.0.1, "fd00::1"], media: {ports: 20000-20199, idle-timeout: 4s}}
  wan: {address: [203.0.113.10, "2001:db8:1::10"], media: {ports: 30000-30199, idle-timeout: 4s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
relay: {control: [udp/127.0.0.1:2223]}
dataplane: {driver: %s}
"""


class RelayAlone(Postern):
    def command(self):
        return [os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", self.path]

    def stats(self):
        return {"held": {}}


class Party:
    """One side of a call: an RTP and an RTCP socket, and its SDP."""

    def __init__(self, lab, host, address, port, said=None, said_port=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.address, self.port = said or address, said_port or port
        self.sockets = []
        for p in (port, port + 1):
            s = lab.socket(host, family, socket.SOCK_DGRAM)
            s.bind((address, p))
            s.settimeout(0.5)
            self.sockets.append(s)
        self.sequence, self.ssrc = 1000, port

    def sdp(self, extra="", media="audio %d RTP/AVP 8", port=None):
        kind = "IP6" if ":" in self.address else "IP4"
        return ("v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=%s\r\n%s" %
                (kind, self.address, kind, self.address, media % (port or self.port), extra))

    def peer(self, reply):
        text = reply["sdp"].decode()
        self.relay = (re.search(r"^c=IN IP\d (\S+)", text, re.M).group(1), int(re.search(r"^m=\w+ (\d+)", text, re.M).group(1)))
        return text

    def rtp(self, count=1):
        for _ in range(count):
            self.sequence += 1
            self.sockets[0].sendto(struct.pack("!BBHII", 0x80, 8, self.sequence, self.sequence * 160, self.ssrc) +
                                   b"\xd5" * 160, self.relay)
            time.sleep(0.005)

    def rtcp(self, mux=False, body=None):
        report = body or struct.pack("!BBHI", 0x80, 201, 1, self.ssrc)
        self.sockets[0 if mux else 1].sendto(report, (self.relay[0], self.relay[1] + (0 if mux else 1)))

    def received(self, which=0):
        got = []
        try:
            while True:
                got.append(self.sockets[which].recvfrom(2048))
                self.sockets[which].settimeout(0.2)
        except socket.timeout:
            pass
        self.sockets[which].settimeout(0.5)
        return got

    def close(self):
        for s in self.sockets:
            s.close()


class Bench:
    def __init__(self, lab, driver="auto", config=CONFIG):
        self.lab, self.count = lab, 0
        self.relay = RelayAlone(lab, config % driver, name="relay-" + driver)
        self.ng = NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")

    def call(self, caller, callee, offer_extra="", answer_extra="", media="audio %d RTP/AVP 8", **keys):
        """The caller is on the LAN, the callee outside."""
        self.count += 1
        self.id = "call-%d" % self.count
        reply = self.ng.must("offer", call_id=self.id, from_tag="a", sdp=caller.sdp(offer_extra, media),
                             direction=["lan", "wan"], replace=["origin"], **keys)
        self.offered = callee.peer(reply)
        reply = self.ng.must("answer", call_id=self.id, from_tag="a", to_tag="b", sdp=callee.sdp(answer_extra, media),
                             replace=["origin"])
        self.answered = caller.peer(reply)

    def hangup(self, *parties):
        reply = self.ng.must("delete", call_id=self.id, from_tag="a")
        for party in parties:
            party.close()
        return reply
