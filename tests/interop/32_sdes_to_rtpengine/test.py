# SPDX-License-Identifier: Apache-2.0
"""SRTP by SDES between our relay and Debian's rtpengine, each asked in NG: RTP comes in on our LAN, SRTP goes from
relay to relay, and RTP comes out behind rtpengine; every suite, with either of them making the offer, RTP and RTCP
both ways, and a new key in mid-call."""
import os
import re
import socket
import struct
import time

from lib import rtpengine
from lib.capture import Capture
from lib.edge import expect
from lib.ng import NG
from lib.postern import Postern, binaries

WORKERS = [1]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-20199}}
  wan: {address: 203.0.113.10, media: {ports: 30000-30199}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
relay: {control: [udp/127.0.0.1:2223]}
"""
SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80",
          "AES_256_CM_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]


class RelayAlone(Postern):
    def command(self):
        return [os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", self.path]

    def stats(self):
        return {"held": {}}


class Party:
    def __init__(self, lab, host, address, port):
        self.address, self.port, self.sequence, self.sockets = address, port, 65500, []
        for p in (port, port + 1):
            s = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, p))
            s.settimeout(1)
            self.sockets.append(s)

    def sdp(self):
        return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\n" %
                (self.address, self.address, self.port))

    def peer(self, sdp):
        expect("RTP/AVP" in sdp and "crypto" not in sdp, "plain for a party: " + sdp)
        self.relay = re.search(r"c=IN IP4 (\S+)", sdp)[1], int(re.search(r"m=audio (\d+)", sdp)[1])

    def send(self, kind):
        self.sequence += 1
        if kind:
            data = struct.pack("!BBHI", 0x81, 201, 7, self.port) + os.urandom(24)
        else:
            data = struct.pack("!BBHII", 0x80, 8, self.sequence & 0xffff, self.sequence, self.port) + os.urandom(160)
        self.sockets[kind].sendto(data, (self.relay[0], self.relay[1] + kind))
        return data

    def receive(self, kind):
        return self.sockets[kind].recv(2048)

    def close(self):
        for s in self.sockets:
            s.close()


def ask(ng, command, sdp, **keys):
    reply = ng.request(command, sdp=sdp, **keys)
    expect(reply["result"] == b"ok", "%s: %s" % (command, reply))
    return reply["sdp"].decode()


def offer_and_answer(first, second, caller, callee, call, suite, count):
    """`first` and `second` are (client, keys towards the other relay) of the relays, from the caller on."""
    def tags(name, more):
        return {"call_id": "%s-%s" % (call, name), "from_tag": "a", "replace": ["origin"], "ICE": "remove", **more}
    middle = ask(first[0], "offer", caller.sdp(), **tags("1", first[1]), transport_protocol="RTP/SAVP",
                 SDES=["only-" + suite], DTLS="off")
    expect("RTP/SAVP" in middle and suite in middle, "keys from relay to relay: " + middle)
    out = ask(second[0], "offer", middle, **tags("2", second[1]), transport_protocol="RTP/AVP")
    callee.peer(out)
    middle = ask(second[0], "answer", callee.sdp(), **tags("2", {}), to_tag="b")
    back = ask(first[0], "answer", middle, **tags("1", {}), to_tag="b")
    caller.peer(back)
    time.sleep(0.1)
    for _ in range(count):  # across a sequence wrap
        for kind in (0, 1):
            for source, sink in ((caller, callee), (callee, caller)):
                sent = source.send(kind)
                got = sink.receive(kind)
                expect(got == sent, "%s, %s: the same comes out" % (suite, "RTCP" if kind else "RTP"))


def run(lab):
    lab.edge(stranger=True)
    relay = RelayAlone(lab, CONFIG, name="relay")
    rtpengine.start(lab, host="stranger", interfaces=(("out", "198.51.100.66"),))
    ours = NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
    theirs = NG(lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
    wan = Capture(lab, "inet", "s0", "udp")
    a = Party(lab, "pbx", "10.0.0.20", 4000)
    b = Party(lab, "stranger", "198.51.100.66", 5000)
    for i, suite in enumerate(SUITES):
        offer_and_answer((ours, {"direction": ["lan", "wan"]}), (theirs, {}), a, b, "forth-%d" % i, suite, 60)
        offer_and_answer((theirs, {}), (ours, {"direction": ["wan", "lan"]}), b, a, "back-%d" % i, suite, 5)
    # again: their relay starts another call, so our peer's key changes under the same call
    offer_and_answer((ours, {"direction": ["lan", "wan"]}), (theirs, {}), a, b, "forth-0", SUITES[0], 5)
    wan.stop()
    for packet in wan.packets():
        expect(len(packet.payload) != 172, "nothing in clear between the relays")
    expect(len(wan.packets()) > 1000, "packets were seen")
    a.close()
    b.close()
    relay.stop()
