# SPDX-License-Identifier: Apache-2.0
"""F5: the callee hangs up, the caller is behind the NAT. The report's main failure: here the BYE
reaches the NATed caller, at the address its requests came from."""
from lib.edge import Edge, WAN, expect, replies, requests


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    wan = edge.wan.messages()
    bye = requests(wan, "BYE", source=WAN)
    expect(bye and bye[0].destination == "81.56.73.55", "BYE goes to the NAT's address")
    expect(replies(wan, 200, "BYE", destination=WAN), "the phone's 200 to the BYE")
