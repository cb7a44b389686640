# SPDX-License-Identifier: Apache-2.0
"""Requests in any order with packets of any shape between them, against the real datapath: each request
is answered, and in the end no port, flow, buffer or descriptor is missing. The seed is printed."""
import os
import random
import re
import socket
import time

from lib.edge import expect
from lib.lab import wait_until
from lib.ng import NG
from lib.postern import Postern, SHORTEST, binaries

WORKERS = [1]
LONG = True
SECONDS = 12
MEDIA = ["audio %d RTP/AVP 8"] * 6 + ["audio 0 RTP/AVP 8", "video %d RTP/AVP 99", "image %d udptl t38",
                                     "application %d TCP/BFCP *", "audio %d RTP/SAVP 8"]
MORE = [""] * 5 + ["a=sendonly\r\n", "a=inactive\r\n", "a=rtcp-mux\r\n"]


class RelayAlone(Postern):
    def command(self):
        return [os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", self.path]

    def stats(self):
        return {"held": {}}


def sdp(draw, address, port):
    text = "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n" % (
        address, draw.choice([address] * 4 + ["0.0.0.0"]))
    for n in range(draw.choice([1, 1, 1, 2])):
        media = draw.choice(MEDIA)
        text += "m=%s\r\n%s" % (media % (port + 2 * n) if "%d" in media else media, draw.choice(MORE))
    return text


def request(draw, ng):
    call, kind = "call-%d" % draw.randrange(60), draw.random()
    inside, outside = sdp(draw, "10.0.0.30", 4000), sdp(draw, "203.0.113.1", 5000)
    if kind < 0.35:
        branch = {"via_branch": draw.choice("12")} if draw.random() < 0.2 else {}
        return ng.request("offer", call_id=call, from_tag="a", sdp=inside, direction=["lan", "wan"], **branch)
    if kind < 0.65:
        return ng.request("answer", call_id=call, from_tag="a", to_tag=draw.choice("bbbc"), sdp=outside)
    if kind < 0.75:
        return ng.request("offer", call_id=call, from_tag="b", to_tag="a", sdp=outside)
    if kind < 0.82:
        return ng.request("answer", call_id=call, from_tag="b", to_tag="a", sdp=inside)
    if kind < 0.90:
        return ng.request("delete", call_id=call, from_tag=draw.choice("ab"), delete_delay=draw.choice([0, 0, 1]))
    return ng.request(draw.choice(["query", "list", "statistics", "ping"]), call_id=call, since=0)


def packet(draw):
    if draw.random() < 0.9:
        return b"\x80\x08" + draw.randbytes(2) + b"\0" * 8 + b"\xd5" * 160
    return draw.randbytes(draw.randrange(1, 1400))


def run(lab):
    seed = random.randrange(1 << 30)
    print("seed %d" % seed)
    draw = random.Random(seed)
    lab.edge()
    relay = RelayAlone(lab, SHORTEST)
    ng = NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
    sockets = {}
    for side, host, address, port in (("10.0.0.1", "desk", "10.0.0.30", 4000), ("203.0.113.10", "inet", "203.0.113.1", 5000)):
        sockets[side] = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        sockets[side].bind((address, port))
    seen, end, count = [], time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        reply = request(draw, ng)
        count += 1
        expect(reply.get("result") in (b"ok", b"error", b"pong"), "an answer: %r" % reply)
        found = re.search(rb"c=IN IP4 (\S+)\r\n.*^m=\w+ ([1-9]\d*)", reply.get("sdp", b""), re.M | re.S)
        if found and found.group(1).decode() in sockets:
            seen = seen[-60:] + [(found.group(1).decode(), int(found.group(2)))]
        for where in draw.sample(seen, min(6, len(seen))):
            sockets[where[0]].sendto(packet(draw), where)
    for n in range(60):
        ng.request("delete", call_id="call-%d" % n, flags=["fast"])
    stats = relay.relay_stats()
    expect(count > 500 and stats["totals"]["packets"] > 100, "much was asked and relayed: %d, %s" % (count, stats["totals"]))
    expect("flow.refused" not in relay.process.log(), "the datapath took every rule")
    relay.check_idle(20)
    wait_until(lambda: all(r["in_use"] == r["quarantine"] == 0 for r in relay.relay_stats()["ports"]), 15,
               "all ports have rested")
    relay.stop()
