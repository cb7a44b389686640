# SPDX-License-Identifier: Apache-2.0
"""A phone with full ICE and DTLS-SRTP behind a NAT, without rtcp-mux (two components), and a plain one on the LAN: sound
both ways, whoever calls; our ICE is full here (lite: 323, 325)."""
from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect

WORKERS = [1]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {srtp: require, keying: dtls, ice: %s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def calls(lab, ice):
    edge = Edge(lab, CONFIG % ice, phones=False)
    edge.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc="dtls_srtp", medianat="ice")
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
    counters = edge.postern.relay_stats()["counters"]
    expect(counters["ice_completed"] >= 2 and counters["dtls_done"] >= 4 and counters["dtls_failed"] == 0,
           "ICE and DTLS of both components, twice: %s" % counters)
    edge.finish()


def run(lab):
    calls(lab, "full")
