# SPDX-License-Identifier: Apache-2.0
"""re-INVITE: hold and resume, from each side: the held side gets silence, audio comes back both ways, the
call survives. Heard on the wire of each phone (baresip's own recording ends at the first re-INVITE)."""
import time

from lib.capture import Capture
from lib.edge import Edge, HOME_TONE, DESK_TONE, LAN, WAN, expect, requests
from lib.tone import heard_on_wire

LONG = True
ADDRESS = {"home": "192.168.0.18", "desk": "10.0.0.30"}


def listen(lab, seconds):
    """What each phone's wire carries now: {"home": {tone: seconds}, ...}."""
    captures = {h: Capture(lab, h, "eth0", "udp and portrange 1024-65535 and not port 5060") for h in ADDRESS}
    time.sleep(seconds)
    return {h: {t: heard_on_wire(c.stop().packets(), ADDRESS[h], t) for t in (HOME_TONE, DESK_TONE)}
            for h, c in captures.items()}


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    for holder, held, tone, back in ((edge.home, edge.desk, HOME_TONE, DESK_TONE),
                                     (edge.desk, edge.home, DESK_TONE, HOME_TONE)):
        holder.hold()
        time.sleep(0.7)
        heard = listen(lab, 1.0)
        expect(heard[holder.user][back] == 0, "the held side sends nothing: %s" % heard)
        holder.resume()
        time.sleep(0.7)
        heard = listen(lab, 1.5)
        expect(heard[held.user][tone] >= 0.8 and heard[holder.user][back] >= 0.8, "both hear again: %s" % heard)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    for messages, ours in ((edge.lan.messages(), LAN), (edge.wan.messages(), WAN)):
        offers = [m for m in requests(messages, "INVITE", source=ours) if ";tag=" in m.get("To")]
        expect(offers, "re-INVITEs leave by %s" % ours)
    held = [m for m in requests(edge.lan.messages(), "INVITE", source=LAN) if b"a=sendonly" in m.body]
    expect(held, "the hold crosses as sendonly")
