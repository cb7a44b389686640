# SPDX-License-Identifier: Apache-2.0
"""Two relays on two machines. The one that has a call dies and stays dead: the call gets new media from the other one by
re-INVITE and goes on; the next call is served by that one too."""
import os
import signal

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.relay import RelayAlone

WORKERS = [2]
OWN, OTHER = "udp/127.0.0.1:2223", "udp/10.0.0.2:2223"
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {idle-timeout: 5s}}
  wan: {address: 203.0.113.10, media: {idle-timeout: 5s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
relay: {control: [%s, %s], timeout: 200ms}
""" % (OWN, OTHER)
ALONE = """interfaces:
  lan: {role: trusted, address: 10.0.0.2}
  wan: {address: 203.0.120.10}
peers:
  sbc: {interface: lan, address: 10.0.0.1}
relay: {listen: [udp/10.0.0.2:2223]}
"""


def other_relay(lab):
    lab.host("relay")
    lab.link("inet", "r0", "relay", "wan", "203.0.120.1/24", "203.0.120.10/24")
    lab.link("lan", "p4", "relay", "lan", None, "10.0.0.2/24")
    lab.run("lan", "ip", "link", "set", "p4", "master", "br0")
    lab.route("relay", "203.0.120.1")
    return RelayAlone(lab, ALONE, host="relay", name="relay")


def of_call(edge):
    return edge.postern.ask("show call " + edge.live_calls()[0]["id"])["relay"]


def run(lab):
    edge = Edge(lab, CONFIG)
    other = other_relay(lab)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    first = of_call(edge)
    if first == OWN:
        os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGSTOP)
    else:
        other.process.signal(signal.SIGKILL)
    wait_until(lambda: of_call(edge) != first, 15, "the call is at the other relay")
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    expect(of_call(edge) != first, "who is left serves the next call")
    edge.both_hear()
    edge.desk.hangup()
    edge.wait_no_call()
    if first == OWN:
        os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGCONT)
        other.stop()
    edge.finish()
