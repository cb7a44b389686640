# SPDX-License-Identifier: Apache-2.0
"""Reflection and amplification (A22): Via, Route and Contact of strangers send nothing to third parties, a Route
through ourselves goes nowhere, an answer goes to where the request came from and is no larger, but for a tag and that address."""
import collections
import random
import socket
import time

from lib.capture import Capture
from lib.edge import Edge, WAN, expect
from lib.phone import parse

WORKERS = [2]
VICTIM = "198.51.100.66"


def request(method, via, extra=""):
    """Its Call-ID, and the request."""
    call_id = "%08x" % random.getrandbits(32)
    return call_id, (
        "%s sip:%s SIP/2.0\r\n%sMax-Forwards: 70\r\nFrom: <sip:m@example.com>;tag=1\r\nTo: <sip:%s>\r\n"
        "Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:m@%s>\r\n%sContent-Length: 0\r\n\r\n" % (
            method, WAN, "".join("Via: %s\r\n" % v for v in via), WAN, call_id, method, VICTIM, extra)).encode()


def run(lab):
    edge = Edge(lab, phones=False, pbx=False, capture=False, stranger=True)
    victim = Capture(lab, "stranger", "eth0")
    s = lab.socket("inet", socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("203.0.113.1", 5070))
    s.settimeout(1)

    ours, asked = "SIP/2.0/UDP 203.0.113.1:5070;branch=z9hG4bK%08x", {}
    for name, via, extra in (
            ("a Via of somebody else", ["SIP/2.0/UDP %s:5060;branch=z9hG4bK%%08x" % VICTIM], ""),
            ("two Vias", [ours, "SIP/2.0/UDP %s;branch=z9hG4bKb" % VICTIM], ""),
            ("received and rport written by hand",
             ["SIP/2.0/UDP %s;received=%s;rport=5060;branch=z9hG4bK%%08x" % (VICTIM, VICTIM)], ""),
            ("maddr", ["SIP/2.0/UDP 203.0.113.1:5070;maddr=%s;branch=z9hG4bK%%08x" % VICTIM], ""),
            ("Route through us", [ours], "Route: <sip:%s;lr>, <sip:%s;lr>, <sip:%s;lr>, <sip:%s;lr>\r\n" % (
                WAN, WAN, WAN, VICTIM)),
            ("Record-Route", [ours], "Record-Route: <sip:%s;lr>\r\n" % VICTIM)):
        for method in ("OPTIONS", "MESSAGE", "INVITE", "SUBSCRIBE", "BYE", "FOO"):
            filled = [v % random.getrandbits(32) if "%08x" in v else v for v in via]
            call_id, data = request(method, filled, extra)
            asked[call_id] = (name, method, len(data))
            s.sendto(data, (WAN, 5060))
            time.sleep(0.01)
    heard = collections.Counter()
    try:
        while True:
            data, source = s.recvfrom(65536)
            name, method, size = asked[parse(data).get("Call-ID")]
            heard[method] += 1
            expect(source == (WAN, 5060), "from where we asked")
            # RFC 3261 demands a tag, RFC 3581 `received` and `rport`
            expect(len(data) <= size + 60, "%s: %s of %d octets gets %d" % (name, method, size, len(data)))
    except socket.timeout:
        pass
    expect(heard["OPTIONS"] and heard["FOO"] and heard["BYE"], "some are answered: %s" % heard)
    expect(not heard["INVITE"] and not heard["MESSAGE"], "and some are not: %s" % heard)
    victim.stop()
    expect(not victim.messages(), "nothing reaches a third party: %s" % [m.first_line for m in victim.messages()])
    s.close()
    edge.postern.stop()
