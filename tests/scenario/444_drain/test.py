# SPDX-License-Identifier: Apache-2.0
"""`postern drain`: OPTIONS and new calls get 503 with Retry-After, the call that is there goes on, `undrain` lets calls in
again; drained once more, `postern run` ends with status 0 when the last call has ended."""
import os

from lib.edge import Edge, LAN, expect, replies
from lib.lab import sh, wait_until
from lib.postern import binaries

WORKERS = [2]
LONG = True


def postern(edge, *words):
    return sh(os.path.join(binaries(), "control/cli/postern"), *words, "-s", edge.postern.socket)


def refused(edge):
    before = edge.desk.count("CALL_CLOSED")
    edge.desk.dial("sip:home@example.com")
    edge.desk.wait_event("CALL_CLOSED", 10, count=before + 1)


def run(lab):
    edge = Edge(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    postern(edge, "drain", "keep")
    version = edge.postern.ask("show version")
    expect(version["draining"] and version["calls"] == 1, "it drains, one call is left: %s" % version)
    refused(edge)
    expect("Retry-After" in replies(edge.lan.messages(), 503, "INVITE", source=LAN)[0].text, "503 with Retry-After")
    edge.both_hear()
    postern(edge, "undrain")
    expect(not edge.postern.ask("show version")["draining"], "it takes calls again")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.home, edge.desk)
    postern(edge, "drain", "60")
    refused(edge)
    expect(edge.postern.process.alive() and len(edge.live_calls()) == 1, "it waits for the call")
    edge.home.hangup()
    wait_until(lambda: not edge.postern.process.alive(), 15, "it ends when it is empty")
    expect(edge.postern.process.popen.returncode == 0, "status 0: %s" % edge.postern.process.log()[-1500:])
    expect(" drain.done calls=0" in edge.postern.process.log(), "the log says so")
    for phone in (edge.home, edge.desk):
        phone.stop()
    edge.postern.stop()
