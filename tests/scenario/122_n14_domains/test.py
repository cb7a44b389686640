# SPDX-License-Identifier: Apache-2.0
"""N14 and R4: local domains go where the file says, other domains where DNS says; a domain and the name of the
host behind it have nothing to do with each other. A domain that is not there is a clear answer."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import LAN, expect
from lib.nsd import NameServer
from lib.phone import Phone

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.67]}
routes:
  - {from: carrier, domain: [falco.bz], to: pbx}
  - {from: pbx, domain: [falco.bz], to: carrier}
  - {from: pbx, number: "900*", to: reject/403}
  - {from: pbx, to: {dns: wan}}
"""
ZONES = {
    "enst.example": "_sip._tcp SRV 10 0 5061 sipmob\n_sip._tcp SRV 5 0 5060 down\nsipmob A %s\ndown A %s" % (
        CARRIER % 66, CARRIER % 69),
    "falco.bz": "@ A %s" % (CARRIER % 66),  # not asked: the file says where it is
}


def run(lab):
    carrier = Carrier(lab, CONFIG, before=lambda: NameServer(lab, "inet", "203.0.113.1", ZONES))
    sipmob = Callee(lab, "stranger", CARRIER % 66, 5061, "tcp")
    trunk = Callee(lab, "stranger", CARRIER % 67)
    carrier.call(uri="sip:martins@enst.example")
    expect(count(sipmob, trunk) == [1, 0], "another domain goes by DNS: %s" % count(sipmob, trunk))
    expect(sipmob.invites[0].first_line.startswith("INVITE sip:martins@enst.example"), sipmob.invites[0].first_line)
    carrier.call(uri="sip:falco@falco.bz")
    expect(count(sipmob, trunk) == [1, 1], "the local domain goes by its route: %s" % count(sipmob, trunk))
    expect(trunk.invites[0].first_line.startswith("INVITE sip:falco@falco.bz"), trunk.invites[0].first_line)
    carrier.call(uri="sip:a@nowhere.example", code=503)   # refused by this server: it is not its zone
    carrier.call(uri="sip:a@no.enst.example", code=404)   # there is no such name
    carrier.call(uri="sip:9001@enst.example", code=403)   # the route says so
    carrier.call(uri="sip:a@10.0.0.20:5062", code=404)    # an address of the inside is nowhere outside
    carrier.finish(sipmob, trunk)
