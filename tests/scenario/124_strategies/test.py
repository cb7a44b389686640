# SPDX-License-Identifier: Apache-2.0
"""Which server of a peer is asked: in turn, by weight, the one with the fewest calls; by the weights of SRV
records; all workers together."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.nsd import NameServer

WORKERS = [1, 2]
SERVERS = "[198.51.100.66, 198.51.100.67, 198.51.100.68]"
CONFIG = "peers:\n" + PBX + """  turn: {interface: wan, servers: %s, strategy: round-robin}
  drawn: {interface: wan, servers: ["198.51.100.66;weight=800", "198.51.100.67;weight=100", "198.51.100.68;weight=100"],
          strategy: weighted}
  fewest: {interface: wan, servers: %s, strategy: least-calls}
  srv: {interface: wan, servers: [srv.example]}
routes:
  - {from: pbx, number: "1*", to: turn}
  - {from: pbx, number: "2*", to: drawn}
  - {from: pbx, number: "3*", to: fewest}
  - {from: pbx, number: "4*", to: srv}
""" % (SERVERS, SERVERS)
ZONE = "_sip._udp SRV 10 80 5060 a\n_sip._udp SRV 10 20 5060 b\na A %s\nb A %s" % (CARRIER % 66, CARRIER % 67)


def difference(callees, calls):
    before = count(*callees)
    calls()
    return [after - was for was, after in zip(before, count(*callees))]


def run(lab):
    carrier = Carrier(lab, CONFIG,
                      before=lambda: NameServer(lab, "inet", "203.0.113.1", {"srv.example": ZONE}))
    servers = [Callee(lab, "stranger", CARRIER % (66 + n)) for n in range(3)]

    def many(number, times):
        for _ in range(times):
            carrier.call(number)
    got = difference(servers, lambda: many("100", 12))
    expect(got == [4, 4, 4], "in turn: %s" % got)
    got = difference(servers, lambda: many("200", 60))
    expect(33 <= got[0] <= 59, "eight of ten to the first: %s" % got)
    held = []
    for _ in range(2):  # two calls stay on whichever they went to
        call = carrier.pbx.invite("sip:300@10.0.0.1")
        call.wait_final(200)
        call.ack()
        held.append(call)
    at = count(*servers)
    got = difference(servers, lambda: many("300", 2))
    expect(sorted(got) == [0, 0, 2], "the one without calls gets both: %s (before: %s)" % (got, at))
    for call in held:
        call.request("BYE")
    got = difference(servers, lambda: many("400", 30))
    expect(got[2] == 0 and got[0] > got[1] > 0, "SRV weights 80 and 20: %s" % got)
    carrier.finish(*servers)
