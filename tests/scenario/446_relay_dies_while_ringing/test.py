# SPDX-License-Identifier: Apache-2.0
"""The relay dies while a phone rings, and comes back empty: the call is answered all the same, and both hear each other."""
import os
import signal

from lib.edge import Edge
from lib.lab import wait_until

WORKERS = [2]


def run(lab):
    edge = Edge(lab)
    edge.ring(edge.home, edge.desk)
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: edge.postern.process.log().count("relay.restarted") == 2, 10, "both workers notice")
    edge.desk.answer()
    for phone in (edge.home, edge.desk):
        phone.wait_event("CALL_ESTABLISHED", 10)
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
