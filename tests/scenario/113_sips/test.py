# SPDX-License-Identifier: Apache-2.0
"""sips: (RFC 3261 26.2.2): such a call is made by TLS on both sides or not at all, and our own Contacts keep the
promise."""
from lib.edge import Edge, WAN, expect
from lib.tls import Authority, FlowPhone
from lib.phone import Phone

CONFIG = """interfaces:
  lan:
    role: trusted
    address: 10.0.0.1
    listen: [udp/5060, tls/5061]
    tls: {certificate: !file edge.pem, key: !file edge.key, ca: !file ca.pem, verify-client: require}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, tls/5061]
    tls: {certificate: !file edge.pem, key: !file edge.key}
peers:
  pbx: {interface: lan, servers: ["sip:10.0.0.20;transport=tls"], ping: off}
  plain: {interface: lan, servers: ["10.0.0.30"], ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, number: "9*", to: plain}
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""


class Pbx(FlowPhone):
    def via(self, branch=None):
        return super().via(branch).replace(self.domain, "10.0.0.20:5061") + ";alias"

    def answer(self, request, status, extra=""):
        self.send("SIP/2.0 %s\r\n%sFrom: %s\r\nTo: %s;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n" % (
            status, "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), request.get("To"),
            request.get("Call-ID"), request.get("CSeq"), extra))


def register(phone, pbx, user):
    phone.send("REGISTER sip:example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=1\r\n"
               "To: <sip:%s@example.com>\r\nCall-ID: 1@%s\r\nCSeq: 1 REGISTER\r\nContact: %s\r\nContent-Length: 0\r\n\r\n" %
               (phone.via(), user, user, user, phone.contact()))
    request = pbx.receive(lambda m: m.is_request and m.method == "REGISTER", 5)
    pbx.answer(request, "200 OK", "Contact: %s;expires=600\r\n" % request.get("Contact").split(";expires")[0])
    phone.receive(lambda m: not m.is_request and m.method == "REGISTER" and m.code == 200, 5)


def run(lab):
    authority = Authority(lab)
    authority.sign("edge", "DNS:edge,IP:10.0.0.1")
    edge = Edge(lab, CONFIG, phones=False, capture=False, pbx=False)
    pbx = Pbx(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1", "tls", authority, "edge", authority.sign("pbx", "IP:10.0.0.20"))
    pbx.send("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:pbx@10.0.0.20>;tag=1\r\n"
             "To: <sip:10.0.0.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % pbx.via())
    pbx.receive(lambda m: not m.is_request, 5)
    phone = FlowPhone(lab, "home", "home", "192.168.0.18", WAN, "tls", authority, "edge")
    register(phone, pbx, "home")
    clear = Phone(lab, "home", "clear", "192.168.0.18", WAN, port=5066)
    register(clear, pbx, "clear")

    call = phone.invite("sips:desk@example.com")
    invite = pbx.receive(lambda m: m.is_request and m.method == "INVITE", 5)
    expect(invite.first_line.startswith("INVITE sips:desk@"), "it is asked for so: %s" % invite.first_line)
    expect(invite.get("Contact").startswith("<sips:") and ":5061>" in invite.get("Contact"),
           "our Contact: %s" % invite.get("Contact"))
    expect(invite.get("Via").startswith("SIP/2.0/TLS"), "by TLS: %s" % invite.get("Via"))
    pbx.answer(invite, "486 Busy Here")
    call.wait_final(486)
    answer = phone.invite("sips:999@example.com").wait_final()  # that peer has no TLS
    expect(answer.code in (480, 503), "not made in clear: %s" % answer.first_line)
    clear.invite("sips:desk@example.com").wait_final(416)  # nor had the way to us
    for end in (pbx, phone, clear):
        end.close()
    edge.postern.stop()
