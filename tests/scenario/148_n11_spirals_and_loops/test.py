# SPDX-License-Identifier: Apache-2.0
"""A call that comes by twice: with another Request-URI it is a spiral and passes; as it was it is a loop
and ends with 482. One INVITE that comes by two ways is merged: 482 to the second. Hops and breadth are
counted down or passed on."""
import re

from lib.edge import expect
from lib.side import PBX, Callee, Sides

WORKERS = [1, 4]


def send_on(sides, invite, uri, branch):
    """What a PBX that is a proxy does with it: its Via on top, one hop less, another Request-URI."""
    text = invite.text.split("\r\n\r\n")[0]
    lines = [l for l in text.split("\r\n")[1:] if not l.lower().startswith("max-forwards")]
    hops = int(invite.get("Max-Forwards")) - 1
    body = invite.body.decode()
    sides.pbx.send("INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=%s;rport\r\nMax-Forwards: %d\r\n%s\r\n\r\n%s" % (
        uri, PBX, branch, hops, "\r\n".join(lines), body))
    return hops


def run(lab):
    sides = Sides(lab)
    call, callee = sides.ring("Max-Breadth: 7\r\n")
    expect(callee.invite.get("Max-Breadth") == "7", "Max-Breadth: %s" % callee.invite.get("Max-Breadth"))
    expect(callee.invite.get("Max-Forwards") == "69", "Max-Forwards: %s" % callee.invite.get("Max-Forwards"))
    hops = send_on(sides, callee.invite, "sip:+33123@203.0.113.10", "z9hG4bKspiral")
    out = sides.carrier.receive(lambda m: m.is_request and m.method == "INVITE")
    expect(int(out.get("Max-Forwards")) == hops - 1, "a spiral passes, one hop less: %s" % out.get("Max-Forwards"))
    expect(re.match("INVITE sip:\\+33123@", out.first_line), "to where it was sent: %s" % out.first_line)
    back = Callee(sides.carrier, out)
    back.reply(out, 486)
    sides.carrier.receive(lambda m: m.is_request and m.method == "ACK")
    refused = sides.pbx.receive(lambda m: not m.is_request and m.code == 486)
    expect(len(refused.all("Via")) == 2, "the proxy's Via comes back")

    # The carrier sends what it got back to us as if it were new: a loop.
    body = out.body.decode()
    for number in range(6):  # on several workers
        sides.carrier.send("INVITE sip:1000@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.66:5060;branch=z9hG4bKloop%d;rport\r\n"
                           "Max-Forwards: 20\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:c@198.51.100.66>\r\n"
                           "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (
                               number, callee.invite.get("From"), callee.invite.get("To"), "loop%d@example" % number, "1 INVITE", len(body), body))
        loop = sides.carrier.receive(lambda m: not m.is_request and m.get("Call-ID") == "loop%d@example" % number and m.code >= 200)
        expect(loop.code == 482, "482 to a loop: %s" % loop.first_line)

    # The same INVITE by another branch of a proxy in front of us.
    again = call.branch + "x"
    sides.carrier.send("INVITE %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 60\r\nFrom: %s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"
                       "Contact: %s\r\nContent-Length: 0\r\n\r\n" % (
                           call.uri, sides.carrier.via(again), call.local, call.uri, call.call_id, call.phone.contact()))
    merged = sides.carrier.receive(lambda m: not m.is_request and again in m.get("Via") and m.code >= 200)
    expect(merged.code == 482, "482 to a merged request: %s" % merged.first_line)
    none = sides.carrier.invite("sip:1@example.com", extra="Max-Breadth: 0\r\n").wait_final()
    expect(none.code == 440, "440 without breadth: %s" % none.first_line)

    callee.reply(callee.invite, 486)
    callee.expect_request("ACK")
    call.wait_final(486)
    call.write("ACK", 1, branch=call.branch)
    sides.finish()
