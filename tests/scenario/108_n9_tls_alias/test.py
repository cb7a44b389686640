# SPDX-License-Identifier: Apache-2.0
"""N9 over TLS, and mutual TLS: a PBX that listens nowhere comes by TLS with a certificate and says `alias`; requests
to it go down its own connection (RFC 5923). Without a certificate, or with one of somebody else, it gets nothing."""
import ssl

from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.phone import Phone
from lib.tls import Authority, FlowPhone

WORKERS = [1, 2, 4]
CONFIG = """interfaces:
  lan:
    role: trusted
    address: 10.0.0.1
    listen: [udp/5060, tcp/5060, tls/5061]
    tls: {certificate: !file edge.pem, key: !file edge.key, ca: !file ca.pem, verify-client: require}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, servers: ["sip:10.0.0.20;transport=tls"], ping: off}
"""


class Pbx(FlowPhone):
    def via(self, branch=None):
        return super().via(branch).replace(self.domain, "10.0.0.20:5061") + ";alias"

    def contact(self):
        return "<sip:pbx@10.0.0.20:5061;transport=tls>"


def options(pbx):
    pbx.send("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:pbx@10.0.0.20>;tag=1\r\n"
             "To: <sip:10.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" %
             (pbx.via(), pbx.domain))
    return pbx.receive(lambda m: not m.is_request and m.method == "OPTIONS", 5)


def refused(lab, authority, credentials):
    peer = Pbx(lab, "desk", "pbx", "10.0.0.30", "10.0.0.1", "tls", authority, "edge", credentials)
    try:
        options(peer)
    except (ssl.SSLError, ConnectionError, LabError):
        peer.close()
        return
    raise LabError("somebody without a good certificate got an answer")


def run(lab):
    authority, others = Authority(lab), Authority(lab, "others")
    authority.sign("edge", "DNS:edge,IP:10.0.0.1")
    good = authority.sign("pbx", "IP:10.0.0.20")
    foreign = others.sign("foreign", "IP:10.0.0.20")
    edge = Edge(lab, CONFIG, phones=False, capture=False, pbx=False)
    refused(lab, authority, None)
    refused(lab, authority, foreign)
    pbx = Pbx(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1", "tls", authority, "edge", good)
    options(pbx)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    phone.send("REGISTER sip:example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:home@example.com>;tag=1\r\n"
               "To: <sip:home@example.com>\r\nCall-ID: 1@home\r\nCSeq: 1 REGISTER\r\nContact: %s\r\n"
               "Content-Length: 0\r\n\r\n" % (phone.via(), phone.contact()))
    request = pbx.receive(lambda m: m.is_request and m.method == "REGISTER", 5)
    expect(request.get("Via").startswith("SIP/2.0/TLS 10.0.0.1:5061"), "by TLS: %s" % request.get("Via"))
    expect(";transport=tls" in request.get("Contact"), "our Contact is reached by TLS: %s" % request.get("Contact"))
    pbx.send("SIP/2.0 403 No\r\n%sFrom: %s\r\nTo: %s;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n" % (
        "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), request.get("To"),
        request.get("Call-ID"), request.get("CSeq")))
    expect(phone.receive(lambda m: not m.is_request, 5).code == 403, "the PBX's answer reaches the phone")
    lan = next(l for l in edge.postern.ask("show interfaces") if l["name"] == "lan")
    expect(lan["opened"] == 0 and lan["not_secured"] == 2, "nothing was opened, two were refused: %s" % lan)
    pbx.close()
    phone.close()
    edge.postern.stop()
