# SPDX-License-Identifier: Apache-2.0
"""F8: the next hop is found by SRV over TCP, then by SRV over UDP, then by the A record, each when those before
it are missing or fail; TTLs are followed."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.nsd import NameServer

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  one: {interface: wan, servers: [one.example]}
  two: {interface: wan, servers: [two.example]}
  three: {interface: wan, servers: [three.example]}
routes:
  - {from: pbx, number: "1*", to: one}
  - {from: pbx, number: "2*", to: two}
  - {from: pbx, number: "3*", to: three}
"""
ZONES = {
    "one.example": "@ A %s\n_sip._tcp SRV 10 0 5071 t\n_sip._udp SRV 10 0 5072 u\nt A %s\nu A %s" % (
        CARRIER % 66, CARRIER % 67, CARRIER % 68),
    "two.example": "@ A %s\n_sip._udp SRV 10 0 5072 u\nu A %s" % (CARRIER % 66, CARRIER % 68),
    "three.example": "@ A %s" % (CARRIER % 66),
}


def run(lab):
    carrier = Carrier(lab, CONFIG, before=lambda: NameServer(lab, "inet", "203.0.113.1", ZONES))
    tcp = Callee(lab, "stranger", CARRIER % 67, 5071, "tcp")
    udp = Callee(lab, "stranger", CARRIER % 68, 5072)
    plain = Callee(lab, "stranger", CARRIER % 66)
    carrier.call("100")
    expect(count(tcp, udp, plain) == [1, 0, 0], "SRV over TCP first: %s" % count(tcp, udp, plain))
    host = tcp.invites[0].first_line
    expect("@one.example" in host, "the domain is called, not its address: %s" % host)
    carrier.call("200")
    expect(count(tcp, udp, plain) == [1, 1, 0], "without it SRV over UDP: %s" % count(tcp, udp, plain))
    carrier.call("300")
    expect(count(tcp, udp, plain) == [1, 1, 1], "without any the address: %s" % count(tcp, udp, plain))
    tcp.close()  # the connection is refused from now on
    carrier.call("100")
    expect(count(tcp, udp, plain) == [1, 2, 1], "TCP fails: %s" % count(tcp, udp, plain))
    udp.answer = 503
    carrier.call("100")
    expect(count(tcp, udp, plain)[2] == 2, "UDP fails too: %s" % count(tcp, udp, plain))
    carrier.finish(udp, plain)
