# SPDX-License-Identifier: Apache-2.0
"""RFC 3261 18.2.2, RFC 3581: a reply goes to the source's address, to the port of the Via without
rport and to the source's with it; a refusal no less than any other."""
import socket

from lib.edge import Edge, WAN, expect

WORKERS = [2]

REQUEST = ("%(method)s sip:%(edge)s SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.66:5060;branch=z9hG4bK%(name)s%(rport)s\r\n"
           "Max-Forwards: 70\r\nFrom: <sip:a@198.51.100.66>;tag=a\r\nTo: <sip:%(edge)s>%(tag)s\r\nCall-ID: %(name)s\r\n"
           "CSeq: 1 %(method)s\r\nContent-Length: 0\r\n\r\n")


def run(lab):
    edge = Edge(lab, phones=False, pbx=False, stranger=True)
    sockets = {}
    for port in (5060, 5099):
        s = sockets[port] = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("198.51.100.66", port))
        s.settimeout(3)
    for method, tag, code in (("OPTIONS", "", 200), ("BYE", ";tag=none", 481), ("CANCEL", "", 481),
                              ("NOTHING", "", 501)):
        for rport, port in (("", 5060), (";rport", 5099)):
            text = REQUEST % {"method": method, "edge": WAN, "name": method + str(port), "rport": rport, "tag": tag}
            sockets[5099].sendto(text.encode(), (WAN, 5060))
            line = sockets[port].recv(65536).decode().split("\r\n")[0]
            expect(line.startswith("SIP/2.0 %d " % code), "%d to %s at port %d, got %s" % (code, method, port, line))
    for s in sockets.values():
        s.close()
    edge.finish()
