# SPDX-License-Identifier: Apache-2.0
"""N8: a phone that only listens on UDP, behind a NAT, and a PBX that speaks TCP: the phone is reached by UDP, also with
a request of 3 kB, for which a peer would be asked by TCP."""
import socket

from lib.edge import Edge, LAN, WAN, expect
from lib.pbx import End
from lib.phone import SDP, Call, Phone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20, ping: off}
"""


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, pbx=False)
    pbx = End(lab, "pbx", "pbx", "10.0.0.20", LAN)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    phone.register("example.com", "secret")
    tcp = lab.socket("pbx", socket.AF_INET, socket.SOCK_STREAM)  # and its calls come by TCP
    tcp.settimeout(10)
    tcp.connect((LAN, 5060))
    body = (SDP % {"ip": "10.0.0.20", "port": 40000}).replace(" 8\r\n", " 8 %s\r\n" % " ".join(map(str, range(35, 90))))
    body += "".join("a=rtpmap:%d a-codec-that-nobody-has-but-us-%d/8000/1\r\n" % (i, i) for i in range(35, 90))
    tcp.sendall(("INVITE %s SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.20:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n"
                 "From: <sip:desk@example.com>;tag=1\r\nTo: <sip:home@example.com>\r\nCall-ID: 1@pbx\r\nCSeq: 1 INVITE\r\n"
                 "Contact: <sip:desk@10.0.0.20;transport=tcp>\r\nContent-Type: application/sdp\r\n"
                 "Content-Length: %d\r\n\r\n%s" % (pbx.contacts["home"], len(body), body)).encode())
    invite = phone.receive(lambda m: m.is_request and m.method == "INVITE", 5)
    expect(len(invite.raw) > 3000 and invite.get("Via").startswith("SIP/2.0/UDP"), "large, and by UDP")
    Call.reply(type("Leg", (), {"phone": phone})(), invite, 486, "Busy Here", to_tag="9")
    answer = b""
    while b" 486 " not in answer:
        answer += tcp.recv(65536)
    tcp.sendall(b"ACK sip:home@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.20:5060;branch=z9hG4bK1;rport\r\n"
                b"Max-Forwards: 70\r\nFrom: <sip:desk@example.com>;tag=1\r\nTo: <sip:home@example.com>;tag=9\r\n"
                b"Call-ID: 1@pbx\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n")
    phone.register("example.com", "secret", expires=0)
    phone.close()
    tcp.close()
    pbx.running = False
    edge.finish()
    expect({m.transport for m in edge.wan.messages() if m.source == WAN} == {"UDP"}, "UDP towards the phone")
