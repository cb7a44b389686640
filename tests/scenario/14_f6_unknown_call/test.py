# SPDX-License-Identifier: Apache-2.0
"""F6: an in-dialog request for an unknown call is answered 481 and creates no state."""
import socket

from lib.edge import Edge, LAN, expect
from lib.capture import Message


def ask(lab, host, destination, text):
    s = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    s.sendto(text.replace("\n", "\r\n").encode(), (destination, 5060))
    data = s.recv(65536)
    s.close()
    return data.decode()


REQUEST = """%(method)s sip:nobody@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.20:%(port)d;branch=z9hG4bK-%(method)s-f6;rport
Max-Forwards: 70
From: <sip:pbx@10.0.0.20>;tag=a
To: <sip:nobody@10.0.0.1>;tag=unknown
Call-ID: never-heard-of@10.0.0.20
CSeq: 7 %(method)s
Content-Length: 0

"""


def run(lab):
    edge = Edge(lab, phones=False, pbx=False)
    before = edge.postern.stats()["held"]
    for method in ("BYE", "INVITE", "UPDATE", "INFO"):
        answer = ask(lab, "pbx", LAN, REQUEST % {"method": method, "port": 5060})
        expect(answer.startswith("SIP/2.0 481 "), "481 to %s, got %s" % (method, answer.split("\r\n")[0]))
        expect("Call-ID: never-heard-of@10.0.0.20" in answer, "the reply has the request's Call-ID")
    expect(edge.postern.stats()["held"]["calls"] == before["calls"], "no call was made")
    edge.finish()
