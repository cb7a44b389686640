# SPDX-License-Identifier: Apache-2.0
"""F2: the callee declines while ringing: the final answer reaches the caller, is ACKed on each leg,
and nothing is left behind."""
from lib.edge import Edge, LAN, WAN, expect, replies, requests


def run(lab):
    edge = Edge(lab)
    edge.ring(edge.desk, edge.home)
    edge.home.command("hangup", "scode=603 reason=Decline")
    closed = edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    wan, lan = edge.wan.messages(), edge.lan.messages()
    final = [m for m in wan if not m.is_request and m.method == "INVITE" and m.code >= 400]
    expect(final, "the phone's final answer on the WAN")
    code = final[0].code
    expect(str(code) in closed["param"], "the caller is told %d, it was told %r" % (code, closed["param"]))
    expect(len(requests(wan, "ACK", source=WAN)) >= 1, "an ACK to the phone")
    expect(replies(lan, code, "INVITE", source=LAN), "%d to the PBX" % code)
    expect(requests(lan, "ACK", destination=LAN), "an ACK from the PBX")
