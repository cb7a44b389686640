# SPDX-License-Identifier: Apache-2.0
"""SIGTERM with a call up: both legs get a BYE, the process ends 0, and a second start works at once."""
from lib.edge import Edge, LAN, WAN, expect, requests
from lib.lab import wait_until
from lib.postern import Postern

LONG = True


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    edge.postern.stop(expect=0)
    edge.home.wait_event("CALL_CLOSED", 5)
    edge.desk.wait_event("CALL_CLOSED", 5)
    edge.wan.stop(), edge.lan.stop()
    expect(requests(edge.wan.messages(), "BYE", source=WAN), "BYE to the phone")
    expect(requests(edge.lan.messages(), "BYE", source=LAN), "BYE to the PBX")
    again = Postern(lab, name="again")
    again.stop()
