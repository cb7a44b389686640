# SPDX-License-Identifier: Apache-2.0
"""N2: UDP on one side, TCP on the other: one call, each side in its own transport."""
from lib.edge import Edge, LAN, WAN, expect, requests


def run(lab):
    edge = Edge(lab, home_transport="tcp")
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.home, edge.desk)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    edge.finish()
    wan, lan = edge.wan.messages(), edge.lan.messages()
    expect({m.transport for m in requests(wan, "INVITE")} == {"TCP"}, "TCP towards the phone")
    expect({m.transport for m in requests(lan, "INVITE")} == {"UDP"}, "UDP towards the PBX")
    expect({m.transport for m in requests(wan, "BYE", source=WAN)} == {"TCP"}, "the BYE used the phone's connection")
