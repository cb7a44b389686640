# SPDX-License-Identifier: Apache-2.0
"""N5: a firewall drops our SYNs without a word. Where UDP is left it is tried; where nothing is, the caller has a
final answer within seconds; and meanwhile no other call waits."""
import time

from lib.edge import Edge, WAN, expect
from lib.phone import Phone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  walled: {interface: lan, servers: ["sip:10.0.0.30;transport=tcp"], ping: off}
  either: {interface: lan, servers: ["sip:10.0.0.30:5062;transport=tcp", 10.0.0.20], ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, number: "8*", to: either}
  - {from: phones, number: "9*", to: walled}
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""
WALL = """table inet wall { chain in {
    type filter hook input priority 0;
    tcp dport { 5060, 5062 } drop
  }
}
"""


def run(lab):
    edge = Edge(lab, CONFIG)
    lab.nft("desk", WALL)
    phone = Phone(lab, "home", "other", "192.168.0.18", WAN, port=5066)
    phone.register("example.com", "secret")
    started = time.monotonic()
    lost = phone.invite("sip:999@example.com")
    began = time.monotonic()
    edge.establish(edge.home, edge.desk)  # while the first one waits
    expect(time.monotonic() - began < 2.5, "another call is not held up (%.1f s)" % (time.monotonic() - began))
    answer = lost.wait_final(seconds=6)
    expect(500 <= answer.code < 600 or answer.code == 408, "a final answer: %s" % answer.first_line)
    expect(time.monotonic() - started < 6, "within seconds (%.1f)" % (time.monotonic() - started))
    again = time.monotonic()
    expect(phone.invite("sip:998@example.com").wait_final(seconds=6).code >= 408, "a second one fails too")
    expect(time.monotonic() - again < 1, "at once: it is known (%.1f s)" % (time.monotonic() - again))
    third = phone.invite("sip:888@example.com").wait_final(seconds=6)  # the PBX, by UDP, does not know 888
    expect(third.code == 404, "the next server was asked: %s" % third.first_line)
    edge.home.hangup()
    edge.wait_no_call()
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.finish()
