# SPDX-License-Identifier: Apache-2.0
"""A phone on the internet that speaks SRTP by SDES only, behind a NAT, and a plain one on the LAN: sound both
ways, whoever calls; on the internet nothing goes in clear, and neither side sees the other's keys."""
from lib.baresip import Baresip
from lib.capture import Capture
from lib.edge import Edge, LAN, WAN, expect

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {srtp: require, keying: sdes}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def is_rtp(payload):
    return len(payload) >= 12 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223


def bodies(messages, source):
    return [m.text for m in messages if m.source == source and "m=audio" in m.text]


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    wan = Capture(lab, "inet", "s0", "udp and not port 5060")
    lan = Capture(lab, "lan", "p0", "udp and not port 5060")
    edge.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc="srtp-mand")
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.home.wait_registered(15)
    edge.desk.wait_registered(15)
    for caller, callee in ((edge.home, edge.desk), (edge.desk, edge.home)):
        edge.ring(caller, callee)
        before = edge.home.heard(1000), edge.desk.heard(440)
        callee.answer()
        edge.home.wait_heard(1000, before[0] + 1.0)
        edge.desk.wait_heard(440, before[1] + 1.0)
        callee.hangup()
        edge.wait_no_call()
    wan.stop()
    lan.stop()
    # G.711 of 20 ms is 172 bytes in clear; sealed there is a tag of 4 to 16 more
    clear = [p for p in wan.packets() if is_rtp(p.payload) and len(p.payload) <= 172]
    expect(not clear, "no RTP in clear on the internet: %s" % clear[:3])
    sealed = [p for p in lan.packets() if is_rtp(p.payload) and len(p.payload) > 172]
    expect(not sealed, "no SRTP on the LAN: %s" % sealed[:3])
    expect(len([p for p in wan.packets() if is_rtp(p.payload)]) > 150, "media was seen")
    edge.finish()
    expect(not [b for b in bodies(edge.lan.messages(), LAN) if "a=crypto" in b], "no keys on the LAN")
    expect([b for b in bodies(edge.wan.messages(), WAN) if "RTP/SAVP" in b and "a=crypto" in b], "keys on the WAN")
    logs = edge.postern.process.log()
    expect("inline:" not in logs, "no key in the logs")
