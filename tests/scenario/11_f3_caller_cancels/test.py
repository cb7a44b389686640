# SPDX-License-Identifier: Apache-2.0
"""F3: the caller cancels while ringing: CANCEL 200, INVITE 487, the callee stops ringing."""
import os

from lib.edge import Edge, LAN, WAN, expect, replies, requests

LONG = True


def run(lab):
    edge = Edge(lab)
    edge.ring(edge.desk, edge.home)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish(linger=os.environ["POSTERN_WORKERS"] == "2")
    lan, wan = edge.lan.messages(), edge.wan.messages()
    expect(requests(lan, "CANCEL", destination=LAN), "CANCEL from the PBX")
    expect(replies(lan, 200, "CANCEL", source=LAN), "200 to the CANCEL")
    expect(replies(lan, 487, "INVITE", source=LAN), "487 to the INVITE")
    expect(requests(wan, "CANCEL", source=WAN), "CANCEL to the phone")
    expect(replies(wan, 487, "INVITE", destination=WAN), "487 from the phone")
