# SPDX-License-Identifier: Apache-2.0
"""F7: Max-Forwards runs out: 483 with every Via of the request."""
import socket

from lib.edge import Edge, LAN, expect

REQUEST = """INVITE sip:home@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.20:5060;branch=z9hG4bK-f7-top;rport
Via: SIP/2.0/UDP 10.0.0.30:5060;branch=z9hG4bK-f7-middle
Via: SIP/2.0/TCP 10.0.0.31:5060;branch=z9hG4bK-f7-bottom
Max-Forwards: 0
From: <sip:desk@10.0.0.20>;tag=a
To: <sip:home@10.0.0.1>
Call-ID: f7@10.0.0.20
CSeq: 1 INVITE
Contact: <sip:desk@10.0.0.20>
Content-Length: 0

"""


def run(lab):
    edge = Edge(lab, phones=False, pbx=False)
    s = lab.socket("pbx", socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.0.0.20", 5060))
    s.settimeout(3)
    s.sendto(REQUEST.replace("\n", "\r\n").encode(), (LAN, 5060))
    answer = s.recv(65536).decode()
    while answer.startswith("SIP/2.0 1"):
        answer = s.recv(65536).decode()
    expect(answer.startswith("SIP/2.0 483 "), "483, got %s" % answer.split("\r\n")[0])
    branches = [l for l in answer.split("\r\n") if l.startswith("Via:")]
    expect([b.split("branch=")[1].split(";")[0] for b in branches] ==
           ["z9hG4bK-f7-top", "z9hG4bK-f7-middle", "z9hG4bK-f7-bottom"], "every Via, in order: %s" % branches)
    ack = REQUEST.replace("INVITE sip:", "ACK sip:").replace("1 INVITE", "1 ACK")
    to = next(l for l in answer.split("\r\n") if l.startswith("To:"))
    s.sendto(ack.replace("To: <sip:home@10.0.0.1>", to).replace("\n", "\r\n").encode(), (LAN, 5060))
    s.close()
    edge.finish()
