# SPDX-License-Identifier: Apache-2.0
"""The relay comes back with nothing under a browser's call (ICE, DTLS-SRTP): new media by re-INVITE, with credentials of ICE
and a fingerprint of its own, the roles left open, and sound both ways again."""
import importlib
import os
import signal
import sys

from lib.baresip import Baresip
from lib.browser import Browser
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until

WORKERS = [2]
LONG = True


def run(lab):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    first = importlib.import_module("325_browser_call.test")
    first.certificate(lab)
    edge = Edge(lab, first.CONFIG, phones=False)
    browser = Browser(lab, "home", "home", "example.com", "wss://%s/" % WAN, hertz=440)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    browser.wait_registered()
    edge.desk.wait_registered(15)
    browser.dial("sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10)
    edge.desk.answer()
    browser.wait_state("confirmed")
    browser.wait_hears(1000)
    edge.desk.wait_heard(440, 0.5)
    renewed = edge.postern.stats()["calls"]["renewed"]
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: edge.postern.stats()["calls"]["renewed"] > renewed, 10, "the call has new media")
    edge.desk.wait_heard(440, edge.desk.heard(440) + 1.0)
    browser.wait_hears(1000)
    counters = edge.postern.relay_stats()["counters"]
    expect(counters["dtls_done"] == 1 and counters["dtls_failed"] == 0, "a handshake with the new relay: %s" % counters)
    expect(not edge.postern.stats()["calls"]["untold"], "nobody refused it")
    edge.desk.hangup()
    browser.wait_state("ended")
    edge.wait_no_call()
    browser.stop()
    edge.finish()
