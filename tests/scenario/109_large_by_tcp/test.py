# SPDX-License-Identifier: Apache-2.0
"""RFC 3261 18.1.1: an INVITE of 4 kB that came by UDP, in fragments, goes on by TCP; a small one after it goes by
UDP again; and to a server whose TCP is closed the large one goes by UDP after all."""
from lib.edge import Edge, LAN, WAN, expect, requests
from lib.pbx import End
from lib.phone import Phone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  old: {interface: lan, servers: ["10.0.0.30:5077"], ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, number: "9*", to: old}
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    old = End(lab, "desk", "old", "10.0.0.30", LAN, port=5077)
    old.auto["INVITE"] = lambda m: old.reply(m, 404)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    phone.register("example.com", "secret")
    large = "".join("X-Filler-%d: %s\r\n" % (i, "x" * 380) for i in range(10))
    for user, extra in (("nobody", large), ("nobody", ""), ("999", large)):
        call = phone.invite("sip:%s@example.com" % user, extra=extra)
        answer = call.wait_final(seconds=10)
        expect(answer.code == 404, "%s answered: %s" % (user, answer.first_line))
        phone.send("ACK sip:%s@example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                   "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n" % (user, phone.via(call.branch), call.local,
                                                               answer.get("To"), call.call_id))
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.pbx.stop()
    edge.finish()
    sent = requests(edge.lan.messages(), "INVITE", source=LAN)
    kinds = [(m.transport, len(m.raw) > 1300, m.destination) for m in sent]
    expect(sorted(set(kinds)) == sorted([("TCP", True, "10.0.0.20"), ("UDP", False, "10.0.0.20"),
                                         ("UDP", True, "10.0.0.30")]), "by TCP, UDP, UDP: %s" % kinds)
    old.running = False
