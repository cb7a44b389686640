# SPDX-License-Identifier: Apache-2.0
"""F4: accepted; two-way audio; the caller, behind the NAT, hangs up: BYE crosses."""
import os

from lib.edge import Edge, LAN, WAN, expect, replies, requests

LONG = True


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish(linger=os.environ["POSTERN_WORKERS"] == "2")
    lan, wan = edge.lan.messages(), edge.wan.messages()
    expect(requests(lan, "BYE", source=LAN), "BYE to the PBX")
    expect(replies(wan, 200, "BYE", source=WAN), "200 to the phone's BYE")
    expect(edge.postern.process.log().count("call.ended") == 1, "exactly one call record in the log")
