# SPDX-License-Identifier: Apache-2.0
"""N9: one TCP connection serves messages of both directions (RFC 5923): the phone's own connection
carries the requests sent to it."""
from lib.edge import Edge, WAN, expect, requests


def run(lab):
    edge = Edge(lab, home_transport="tcp")
    for count in (1, 2):
        edge.establish(edge.desk, edge.home)
        edge.desk.hangup()
        edge.home.wait_event("CALL_CLOSED", 10, count=count)
        edge.wait_no_call()
    edge.finish()
    ports = {m.dport for m in requests(edge.wan.messages(), "INVITE", source=WAN)} | \
            {m.dport for m in requests(edge.wan.messages(), "BYE", source=WAN)}
    registered = {m.sport for m in requests(edge.wan.messages(), "REGISTER", destination=WAN)}
    expect(len(ports) == 1 and ports <= registered,
           "all requests went down the connection of the REGISTER: %s of %s" % (ports, registered))
