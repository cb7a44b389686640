# SPDX-License-Identifier: Apache-2.0
"""A REGISTER that is relayed names the domain in its Request-URI (RFC 3261 10.2), not the registrar's address:
what the phone said; for a phone that knows our address only, the one domain that is served."""
import random

from lib.edge import Edge, LAN, WAN, expect
from lib.phone import Phone

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, servers: ["%s"]}
phones:
  - {from: wan, registrar: pbx%s}
routes:
  - {name: users, from: phones, to: pbx}
"""


def register(phone, pbx, uri):
    aor = "<sip:%s@example.com>" % phone.user
    phone.send("REGISTER %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s;tag=1\r\nTo: %s\r\nCall-ID: %08x\r\n"
               "CSeq: 1 REGISTER\r\nContact: %s\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n" % (
                   uri, phone.via(), aor, aor, random.getrandbits(32), phone.contact()))
    got = pbx.receive(lambda m: m.is_request and m.method == "REGISTER")
    pbx.send("SIP/2.0 403 x\r\n%sFrom: %s\r\nTo: %s;tag=b\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n" % (
        "".join("Via: %s\r\n" % v for v in got.all("Via")), got.get("From"), got.get("To"), got.get("Call-ID"),
        got.get("CSeq")))
    phone.receive(lambda m: m.code == 403)
    return got.first_line.split()[1]


def run(lab):
    edge = Edge(lab, CONFIG % ("10.0.0.20", ", domains: [example.com]"), phones=False, pbx=False)
    pbx = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    for uri, wanted in (("sip:example.com", "sip:example.com"), ("sip:203.0.113.10", "sip:example.com")):
        got = register(phone, pbx, uri)
        expect(got == wanted, "%s for %s: %s" % (wanted, uri, got))
    phone.close()
    pbx.close()
    edge.postern.stop()
