# SPDX-License-Identifier: Apache-2.0
"""The relay is restarted in mid-call: phones that are there get new media and go on; a call whose phones do not answer
ends with a BYE on both sides."""
import os
import signal
import time

from lib.capture import Capture
from lib.edge import DESK_TONE, Edge, LAN, WAN, expect, requests
from lib.lab import wait_until
from lib.tone import heard_on_wire

WORKERS = [2]
LONG = True
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {idle-timeout: 6s}}
  wan: {address: 203.0.113.10, media: {idle-timeout: 6s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def restart_relay(edge):
    first = edge.postern.pids()["postern-rtpengine"]
    seen = edge.postern.process.log().count("relay.restarted")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: edge.postern.process.log().count("relay.restarted") > seen + 1, 15, "both workers notice")


def run(lab):
    edge = Edge(lab, CONFIG)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    restart_relay(edge)
    time.sleep(1.5)
    wire = Capture(lab, "home", "eth0", "udp and portrange 1024-65535 and not port 5060")
    time.sleep(1.5)
    expect(heard_on_wire(wire.stop().packets(), "192.168.0.18", DESK_TONE) > 0.8, "it has media again")
    expect(len(edge.live_calls()) == 1, "a call with new media stays")
    phones = [edge.home, edge.desk]
    for phone in phones:
        phone.process.signal(signal.SIGSTOP)
    restart_relay(edge)
    edge.postern.process.wait_log("call.ended .*cause=\"a side lost the dialog\"", 40)
    for phone in phones:
        phone.process.signal(signal.SIGCONT)
    for phone in phones:
        phone.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
    expect(requests(edge.wan.messages(), "BYE", source=WAN), "BYE to the phone")
    expect(requests(edge.lan.messages(), "BYE", source=LAN), "BYE to the PBX")
