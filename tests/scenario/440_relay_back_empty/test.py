# SPDX-License-Identifier: Apache-2.0
"""The relay dies in mid-call and comes back empty: both sides get new media by re-INVITE, hear each other again
without doing anything, and hang up as ever. A call on hold stays on hold."""
import os
import signal

from lib.edge import Edge, LAN, WAN, expect, requests
from lib.lab import wait_until

WORKERS = [2]


def restart_relay(edge):
    renewed = edge.postern.stats()["calls"]["renewed"]
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: edge.postern.stats()["calls"]["renewed"] > renewed, 10, "the call has new media")


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    restart_relay(edge)
    edge.both_hear()
    edge.home.hold()
    wait_until(lambda: len(requests(edge.lan.messages(), "INVITE", source=LAN)) >= 2, 5, "the hold crosses")
    wait_until(lambda: len(requests(edge.wan.messages(), "ACK", source="81.56.73.55")) >= 2, 5, "and is over")
    restart_relay(edge)
    edge.home.resume()
    edge.both_hear()
    for side in (edge.wan, edge.lan):
        side.stop()
    told = [m for m in requests(edge.wan.messages(), "INVITE", source=WAN)]
    expect(len(told) == 2 and all("m=audio" in m.text for m in told), "one re-INVITE to the phone each time: %s" % told)
    expect("a=sendrecv" not in told[1].text, "the held call stays held: %s" % told[1].text)
    edge.wan = edge.lan = None
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
