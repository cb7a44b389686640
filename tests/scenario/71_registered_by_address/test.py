# SPDX-License-Identifier: Apache-2.0
"""Phones that register with our WAN address as their domain are reached by the LAN address that the
PBX knows us by, on whichever worker they live."""
import re
import socket

from lib.edge import Edge, LAN, WAN, expect
from lib.phone import SDP, Phone

WORKERS = [1, 4]
PHONES = 8

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, limits: {per-source: {register-rate: 1000/s, setup-rate: 1000/s}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""

CALL = ("INVITE %(uri)s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20:5070;branch=z9hG4bK%(branch)s;rport\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:desk@10.0.0.20>;tag=%(branch)s\r\nTo: <%(uri)s>\r\n"
        "Call-ID: %(branch)s\r\nCSeq: 1 INVITE\r\nContact: <sip:desk@10.0.0.20:5070>\r\n"
        "Content-Type: application/sdp\r\nContent-Length: %(length)d\r\n\r\n%(body)s")
ACK = ("ACK %(uri)s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20:5070;branch=z9hG4bK%(branch)s;rport\r\n"
       "Max-Forwards: 70\r\nFrom: <sip:desk@10.0.0.20>;tag=%(branch)s\r\n%(to)s\r\n"
       "Call-ID: %(branch)s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n")


def refuse(phone, request):
    vias = "".join("Via: %s\r\n" % v for v in request.all("Via"))
    phone.send("SIP/2.0 486 Busy Here\r\n%sFrom: %s\r\nTo: %s;tag=busy\r\nCall-ID: %s\r\nCSeq: %s\r\n"
               "Content-Length: 0\r\n\r\n" % (vias, request.get("From"), request.get("To"), request.get("Call-ID"),
                                            request.get("CSeq")))


def run(lab):
    # Not checked for hiding: asked for a domain that is an address, the PBX names its own as the realm.
    edge = Edge(lab, CONFIG, phones=False, capture=False)
    pbx = lab.socket("pbx", socket.AF_INET, socket.SOCK_DGRAM)
    pbx.bind(("10.0.0.20", 5070))
    pbx.settimeout(5)
    body = SDP % {"ip": "10.0.0.20", "port": 40000}
    for n in range(PHONES):
        phone = Phone(lab, "home", "user%d" % n, "192.168.0.18", WAN, port=5080 + n)
        phone.register(WAN, "secret")
        words = {"uri": "sip:user%d@%s" % (n, LAN), "branch": "by-address-%d" % n, "body": body,
                 "length": len(body)}
        pbx.sendto((CALL % words).encode(), (LAN, 5060))
        invite = phone.receive(lambda m: m.is_request and m.method == "INVITE", 5)
        refuse(phone, invite)
        answer = ""
        while not answer.startswith("SIP/2.0 486"):
            answer = pbx.recv(65536).decode()
            expect(int(answer.split(" ")[1]) in (100, 486), "only the phone's answer, got %s" % answer.split("\r\n")[0])
        words["to"] = re.search(r"(?m)^To:.*(?=\r)", answer)[0]
        pbx.sendto((ACK % words).encode(), (LAN, 5060))
        phone.register(WAN, "secret", expires=0)
        phone.close()
    pbx.close()
    edge.wait_no_call()
    edge.finish()
