# SPDX-License-Identifier: Apache-2.0
"""Opportunistic SRTP (RFC 8643): what a side prefers is offered so that plain RTP may be chosen. One phone takes
it, another knows nothing of it; both are heard."""
from lib.baresip import Baresip
from lib.capture import Capture
from lib.edge import Edge, WAN, expect

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {srtp: prefer, keying: sdes}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def talk(lab, edge, mediaenc):
    name = "home" if mediaenc else "plain"
    edge.home = Baresip(lab, "home", name, "example.com", proxy=WAN, hertz=440, mediaenc=mediaenc)
    edge.home.wait_registered(15)
    media = Capture(lab, "inet", "s0", "udp and not port 5060")
    edge.ring(edge.desk, edge.home)
    before = edge.desk.heard(440)
    edge.home.answer()
    edge.home.wait_heard(1000, 1.0)
    edge.desk.wait_heard(440, before + 1.0)
    edge.home.hangup()
    edge.wait_no_call()
    media.stop()
    lengths = {len(p.payload) for p in media.packets() if len(p.payload) > 100 and p.payload[0] >> 6 == 2 and
               p.payload[1] & 0x7f == 8}
    edge.home.stop()
    return lengths


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.desk.wait_registered(15)
    expect(min(talk(lab, edge, "srtp")) > 172, "sealed for a phone that can")
    expect(talk(lab, edge, None) == {172}, "in clear for one that cannot")
    edge.home = None
    edge.finish()
