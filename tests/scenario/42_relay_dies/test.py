# SPDX-License-Identifier: Apache-2.0
"""The relay is killed in mid-call: signalling goes on, the supervisor brings it back, the stats say so,
the call ends cleanly and the next call has audio."""
import os
import signal
import time

from lib.edge import Edge, expect
from lib.lab import wait_until

WORKERS = [2]
TIMEOUT = 150


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    first = edge.postern.pids()["postern-rtpengine"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-rtpengine", first) != first, 10, "the relay is started again")
    wait_until(edge.postern.is_up, 10, "both halves answer")
    expect(len(edge.live_calls()) == 1, "the call is still up in signalling")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()

    def relay_is_back():
        return all(r.get("state") == "up" for r in edge.postern.stats().get("relays", [{"state": "up"}]))
    wait_until(relay_is_back, 15, "the relay is in service again")
    before = edge.home.heard(1000), edge.desk.heard(440)
    edge.ring(edge.home, edge.desk)
    edge.desk.answer()
    edge.home.wait_event("CALL_ESTABLISHED", 10, count=2)
    edge.home.wait_heard(1000, before[0] + 1.0)
    edge.desk.wait_heard(440, before[1] + 1.0)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    edge.finish()
