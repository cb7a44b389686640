# SPDX-License-Identifier: Apache-2.0
"""SIGTERM with a call of a phone on TCP up: the workers without calls still bring the others what they wait
for, so each side gets one BYE, once, and the stop waits for nothing."""
import time

from lib.edge import Edge, LAN, WAN, expect, requests

WORKERS = [2, 4]


def run(lab):
    edge = Edge(lab, home_transport="tcp")
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    started = time.monotonic()
    edge.postern.stop(expect=0)
    took = time.monotonic() - started
    edge.home.wait_event("CALL_CLOSED", 5)
    edge.desk.wait_event("CALL_CLOSED", 5)
    edge.wan.stop(), edge.lan.stop()
    for capture, ours, who in ((edge.wan, WAN, "phone"), (edge.lan, LAN, "PBX")):
        byes = len(requests(capture.messages(), "BYE", source=ours))
        expect(byes == 1, "one BYE to the %s, not %d" % (who, byes))
    expect(took < 2.5, "no waiting for answers that are there: %.1f s" % took)
