# SPDX-License-Identifier: Apache-2.0
"""The relay comes back with nothing under a call with DTLS-SRTP: what offers the new association leaves the roles open (RFC
8842 5.2), and the relay understands what both phones answer."""
import os
import signal

from lib import relay_returns
from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until

WORKERS = [2]


def run(lab):
    edge = Edge(lab, relay_returns.WITHOUT_STORE % "dtls", phones=False)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc="dtls_srtp")
    for phone in (edge.desk, edge.home):
        phone.wait_registered(15)
    edge.establish(edge.home, edge.desk)
    relay_returns.talk(edge, edge.home)
    renewed = edge.postern.stats()["calls"]["renewed"]
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: edge.postern.stats()["calls"]["renewed"] > renewed, 10, "the call has new media")
    wait_until(lambda: edge.postern.relay_stats()["counters"]["answers"] >= 2, 5, "what was answered is told")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    told = [m.text for m in edge.wan.messages() if m.is_request and m.method == "INVITE" and m.source == WAN]
    expect(len(told) == 1 and "a=setup:actpass" in told[0], "the roles are open: %s" % told)
    expect("ng.refused" not in edge.postern.process.log(), "the relay understood all of it")
