# SPDX-License-Identifier: Apache-2.0
"""N6: a TCP connection is refused, by RST or by ICMP: the next server at once, else a clear 503."""
import time

from lib.edge import Edge, WAN, expect
from lib.phone import Phone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  closed: {interface: lan, servers: ["sip:10.0.0.30:5090;transport=tcp"], ping: off}
  rejected: {interface: lan, servers: ["sip:10.0.0.30:5091;transport=tcp"], ping: off}
  either: {interface: lan, servers: ["sip:10.0.0.30:5092;transport=tcp", "sip:10.0.0.30:5093;transport=tcp", 10.0.0.20],
           ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, number: "7*", to: closed}
  - {from: phones, number: "8*", to: rejected}
  - {from: phones, number: "9*", to: either}
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""
WALL = """table inet wall { chain in {
    type filter hook input priority 0;
    tcp dport { 5091, 5093 } reject with icmpx type host-unreachable
  }
}
"""


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    lab.nft("desk", WALL)
    phone = Phone(lab, "home", "other", "192.168.0.18", WAN, port=5066)
    phone.register("example.com", "secret")
    for number, code in (("777", 503), ("888", 503), ("999", 404)):  # 404 is the PBX's own answer
        started = time.monotonic()
        answer = phone.invite("sip:%s@example.com" % number).wait_final(seconds=6)
        expect(answer.code == code, "%s: %s" % (number, answer.first_line))
        expect(time.monotonic() - started < 1.5, "at once (%.1f s)" % (time.monotonic() - started))
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.postern.stop()
