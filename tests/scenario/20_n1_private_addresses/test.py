# SPDX-License-Identifier: Apache-2.0
"""N1: the caller is behind a NAT, with its private address in Via, Contact and SDP: requests, replies,
in-dialog requests and media flow both ways, whoever calls."""
from lib.edge import Edge, LAN, WAN, expect, requests


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    edge.finish()
    invites = requests(edge.wan.messages(), "INVITE", destination=WAN)
    expect(invites and "192.168.0.18" in invites[0].get("Via") and "192.168.0.18" in invites[0].text,
           "the phone does write its private address")
    for invite in requests(edge.lan.messages(), "INVITE", source=LAN):
        expect("192.168.0.18" not in invite.text, "the PBX never sees it")
