# SPDX-License-Identifier: Apache-2.0
"""Both sides of a call in our hands, message by message: a carrier on the internet calls a PBX on the
LAN, both peers of Postern, without registration. For what phones cannot be made to do."""
import random
import re

from .edge import LAN, WAN, Edge, expect
from .lab import wait_until
from .phone import SDP, Phone

CARRIER, PBX = "198.51.100.66", "10.0.0.20"
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1%(lan)s}
  wan: {address: 203.0.113.10%(wan)s}
peers:
  pbx: {interface: lan, address: 10.0.0.20%(pbx)s}
  carrier: {interface: wan, address: 198.51.100.66%(carrier)s}
routes:
  - {name: inbound, from: carrier, to: pbx}
  - {name: outbound, from: pbx, to: carrier}
"""


class Sides:
    """The usual cast: self.carrier calls, self.pbx is called."""

    def __init__(self, lab, lan="", wan="", pbx="", carrier=""):
        self.edge = Edge(lab, config=CONFIG % {"lan": lan, "wan": wan, "pbx": pbx, "carrier": carrier},
                         phones=False, stranger=True, pbx=False)
        self.carrier = Phone(lab, "stranger", "carrier", CARRIER, WAN)
        self.pbx = Phone(lab, "pbx", "pbx", PBX, LAN)

    def ring(self, extra="", sdp=True, uri="sip:1000@example.com"):
        """The carrier's INVITE, and how the PBX gets it."""
        call = self.carrier.invite(uri, sdp=sdp, extra=extra)
        return call, Callee(self.pbx, self.pbx.receive(lambda m: m.is_request and m.method == "INVITE" and
                                                       ";tag=" not in m.get("To")))

    def talk(self, extra="", lines="", contact=None):
        call, callee = self.ring(extra)
        callee.reply(callee.invite, 200, lines=lines, body=callee.sdp(), contact=contact)
        callee.expect_request("ACK")
        call.wait_final(200)
        call.ack()
        self.settled()
        return call, callee

    def settled(self):
        """The caller's ACK has come: until then a re-INVITE of the callee gets 491, and rightly."""
        ask = self.edge.postern.ask

        def heard(call):
            shown = ask("show call " + call["id"])
            return not shown or any(m["message"] == "ACK" and m["direction"] == "received"
                                    for m in shown.get("messages", []))
        wait_until(lambda: all(heard(c) for c in self.edge.live_calls()), 5, "the caller's ACK is here")

    def hang_up(self, call, callee):
        bye = call.begin("BYE")
        callee.reply(callee.expect_request("BYE"), 200)
        expect(call.final("BYE", bye).code == 200, "BYE answered 200")

    def finish(self):
        self.carrier.close()
        self.pbx.close()
        self.edge.wait_no_call()
        self.edge.finish()


def sdp(ip, port=40000, more=""):
    return SDP % {"ip": ip, "port": port} + more


class Callee:
    """A UAS that knows its INVITE; with other tags it is a fork's further branches."""

    def __init__(self, phone, invite, tag="callee"):
        self.phone, self.invite, self.tag, self.cseq = phone, invite, tag, 0
        self.call_id = invite.get("Call-ID")
        self.remote = invite.get("From")
        self.target = re.search(r"<([^>]*)>", invite.get("Contact"))[1]
        self.routes = [r.strip() for v in invite.all("Record-Route") for r in v.split(",")]
        self.answered = None

    def fork(self, tag):
        return Callee(self.phone, self.invite, tag)

    def sdp(self, port=30000, more=""):
        return sdp(self.phone.address, port, more)

    def contact(self):
        return "<sip:%s@%s:%d>" % (self.phone.user, self.phone.address, self.phone.port)

    def reply(self, request, code, lines="", body="", contact=None):
        vias = "".join("Via: %s\r\n" % v for v in request.all("Via"))
        to = request.get("To")
        if ";tag=" not in to and code > 100:
            to += ";tag=" + self.tag
        self.phone.send("SIP/2.0 %d Whatever\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s\r\n"
                        "%s%sContent-Length: %d\r\n\r\n%s" % (
                            code, vias, request.get("From"), to, request.get("Call-ID"), request.get("CSeq"),
                            contact or self.contact(), lines,
                            "Content-Type: application/sdp\r\n" if body else "", len(body), body))

    def mine(self, message):
        return message.get("Call-ID") == self.call_id

    def expect_request(self, method, seconds=10):
        return self.phone.receive(lambda m: m.is_request and m.method == method and self.mine(m), seconds)

    def write(self, method, cseq, body="", extra="", branch=None, contact=None):
        self.phone.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\n%sFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\n"
                        "CSeq: %d %s\r\nContact: %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (
                            method, self.target, self.phone.via(branch),
                            "".join("Route: %s\r\n" % r for r in self.routes),
                            self.invite.get("To"), self.tag, self.remote, self.call_id, cseq, method,
                            contact or self.contact(), extra,
                            "Content-Type: application/sdp\r\n" if body else "", len(body), body))

    def begin(self, method, body="", **kw):
        self.cseq += 1
        self.write(method, self.cseq, body, **kw)
        return self.cseq

    def final(self, method, cseq, seconds=10):
        return self.phone.receive(lambda m: self.mine(m) and not m.is_request and m.code >= 200 and
                                  m.get("CSeq") == "%d %s" % (cseq, method), seconds)


def early(call, answer):
    """The caller's view of one early dialog: a copy of `call` with the tag and target of `answer`."""
    import copy
    other = copy.copy(call)
    other.remote = answer.get("To")
    other.target = re.search(r"<([^>]*)>", answer.get("Contact"))[1]
    return other


def branch():
    return "z9hG4bK%08x" % random.getrandbits(32)
