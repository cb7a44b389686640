# SPDX-License-Identifier: Apache-2.0
"""N3: one line of policy, and everything sent out of an interface uses TCP; replies go as their requests came."""
from lib.edge import Edge, LAN, expect, replies, requests

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, send: tcp}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def run(lab):
    edge = Edge(lab, CONFIG)
    edge.establish(edge.home, edge.desk)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    edge.desk.hangup()
    edge.wait_no_call()
    edge.home.stop()
    edge.desk.stop()
    edge.pbx.stop()  # it ends the connections that we opened to it
    edge.finish()
    ours = [m for m in edge.lan.messages() if m.source == LAN]
    for method in ("REGISTER", "INVITE", "ACK", "BYE", "OPTIONS"):
        kinds = {m.transport for m in requests(ours, method)}
        expect(kinds <= {"TCP"}, "%s by TCP, not %s" % (method, kinds))
    expect(requests(ours, "INVITE") and requests(ours, "REGISTER"), "there were requests")
    for method in ("INVITE", "BYE"):
        asked = {m.transport for m in requests(edge.lan.messages(), method, destination=LAN)}
        expect({m.transport for m in replies(ours, 200, method)} == asked, "replies to %s as it came" % method)
    expect({m.transport for m in requests(edge.wan.messages(), "INVITE")} == {"UDP"}, "UDP on the other side")
