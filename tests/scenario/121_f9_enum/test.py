# SPDX-License-Identifier: Apache-2.0
"""F9: a telephone number is looked up in e164.arpa: of sip:, mailto: and tel: services the sip: one is taken, by
order and preference, and goes where the domain of its URI leads. A number without records, or with a hostile one,
goes to the next destination of the route."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.nsd import NameServer

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.68]}
routes:
  - {from: pbx, number: "+*", to: [{enum: e164.arpa, interface: wan}, carrier]}
"""
ZONES = {
    "e164.arpa": r"""4.3.2.1.3.3 NAPTR 10 10 "u" "E2U+mailto" "!^.*$!mailto:martins@enst.example!" .
4.3.2.1.3.3 NAPTR 10 20 "u" "E2U+tel" "!^.*$!tel:+33999!" .
4.3.2.1.3.3 NAPTR 20 10 "u" "E2U+sip" "!^.*$!sip:second@two.example!" .
4.3.2.1.3.3 NAPTR 10 30 "u" "E2U+sip" "!^\\+33(.*)$!sip:0\\1@enst.example!" .
6.6.6.3.3 NAPTR 10 10 "u" "E2U+sip" "!^((((.*)*)*)*)*x$!sip:never@enst.example!" .
6.6.6.3.3 NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:inside@inside.example!" .""",
    "enst.example": "_sip._udp SRV 10 0 5070 sip\nsip A %s" % (CARRIER % 66),
    "two.example": "@ A %s" % (CARRIER % 67),
    "inside.example": "@ A 10.0.0.20",  # a machine of the other side: nobody is sent there
}


def run(lab):
    carrier = Carrier(lab, CONFIG, before=lambda: NameServer(lab, "inet", "203.0.113.1", ZONES))
    sip, second = Callee(lab, "stranger", CARRIER % 66, 5070), Callee(lab, "stranger", CARRIER % 67)
    other = Callee(lab, "stranger", CARRIER % 68)
    carrier.call("+331234")
    expect(count(sip, second, other) == [1, 0, 0], "the preferred sip: URI: %s" % count(sip, second, other))
    expect(sip.invites[0].first_line.startswith("INVITE sip:01234@enst.example"), sip.invites[0].first_line)
    sip.answer = 500
    carrier.call("+331234")
    expect(count(sip, second, other) == [2, 1, 0], "it fails, the next: %s" % count(sip, second, other))
    carrier.call("+331235")
    expect(count(sip, second, other)[2] == 1, "no record: the carrier")
    carrier.call("+33666")
    expect(count(sip, second, other) == [2, 1, 2], "hostile records: %s" % count(sip, second, other))
    carrier.finish(sip, second, other)
