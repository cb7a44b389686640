# SPDX-License-Identifier: Apache-2.0
"""re-INVITE: hold and resume, from each side; audio stops and comes back; the call survives."""
import time

from lib.edge import Edge, HOME_TONE, DESK_TONE, LAN, WAN, expect, requests

TIMEOUT = 150


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    for holder, other, tone in ((edge.home, edge.desk, HOME_TONE), (edge.desk, edge.home, DESK_TONE)):
        holder.hold()
        time.sleep(1.0)
        silent_from = other.heard(tone)
        time.sleep(1.0)
        expect(other.heard(tone) - silent_from < 0.5, "silence while %s holds" % holder.user)
        holder.resume()
        other.wait_heard(tone, other.heard(tone) + 1.0)
        holder.wait_heard(HOME_TONE if tone == DESK_TONE else DESK_TONE, 1.0)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    expect(len([m for m in requests(edge.lan.messages(), "INVITE", source=LAN) if ";tag=" in m.get("To")]) >= 2,
           "re-INVITEs to the PBX")
    expect(len([m for m in requests(edge.wan.messages(), "INVITE", source=WAN) if ";tag=" in m.get("To")]) >= 2,
           "re-INVITEs to the phone")
