# SPDX-License-Identifier: Apache-2.0
"""RFC 3323, 3325, 7989, 7044 at the edge: identities go between those who believe each other and nowhere else;
Privacy: user hides the caller from a phone; a session has one identifier across; Warning, Retry-After and
Reason tell nothing of the other side; URIs in what passes name this side."""
import re

from lib.edge import expect
from lib.pbx import End, Ends, establish, hang_up, sdp_of

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20, identity: trusted}
  carrier: {interface: wan, address: 198.51.100.66, identity: trusted}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {name: out, from: pbx, number: "+*", to: carrier}
  - {name: to-users, from: pbx, registered: true, to: phones}
  - {name: in, from: carrier, to: pbx}
"""
CLAIMS = ("P-Asserted-Identity: \"Desk\" <sip:desk@10.0.0.30>, <tel:+331>\r\nRemote-Party-ID: <sip:desk@10.0.0.30>\r\n"
          "Diversion: <sip:boss@10.0.0.30>;reason=unknown\r\nHistory-Info: <sip:boss@10.0.0.30>;index=1\r\n"
          "P-Charging-Vector: icid-value=1\r\nP-Odd: x\r\n")
END = ("User-to-User: abcd;encoding=hex\r\nGeolocation: <cid:x@y>\r\nIdentity: abc;info=<https://c.example/a>\r\n"
       "Reason: Q.850;cause=16;text=\"by pbx.corp\"\r\nSubject: private\r\n")


def run(lab):
    e = Ends(lab, CONFIG, stranger=True)
    carrier = e.add(End(lab, "stranger", "carrier", "198.51.100.66", "203.0.113.10"))
    near, far = establish(e.pbx, carrier, "sip:+33123@10.0.0.1", headers=CLAIMS + END + "Privacy: id\r\n")
    invite = far.invite
    expect(invite.get("P-Asserted-Identity") == '"Desk" <sip:desk@198.51.100.66>, <tel:+331>', "PAI for a believer: %s" %
           invite.get("P-Asserted-Identity"))
    for name in ("Remote-Party-ID", "Diversion", "History-Info", "P-Charging-Vector", "P-Odd", "User-to-User",
                 "Identity", "Geolocation"):
        expect(bool(invite.get(name)) == (name != "P-Odd") or name == "P-Odd", "%s passes" % name)
    expect("10.0.0.30" not in invite.get("Diversion") + invite.get("History-Info"), "by our names")
    expect(invite.get("Privacy") == "id", "Privacy: id is the carrier's to apply")
    expect(invite.get("Reason") == "Q.850;cause=16", "no text of the inside: %s" % invite.get("Reason"))
    session = re.fullmatch(r"([0-9a-f]{32});remote=(0{32})", invite.get("Session-ID"))
    expect(session and session[1] != "0" * 32, "a session identifier is made: %s" % invite.get("Session-ID"))
    sent = far.send("BYE", headers="Session-ID: %s;remote=%s\r\n" % ("ab" * 16, session[1]))
    bye = e.pbx.request("BYE")
    expect(bye.get("Session-ID").startswith("ab" * 16 + ";remote=") or not bye.get("Session-ID"), "it crosses")
    e.pbx.reply(bye, 200)
    carrier.answer(sent)
    # a phone believes nobody, and is shown nobody
    sent = e.pbx.send("INVITE", e.home_uri(), frm="\"Desk\" <sip:desk@10.0.0.30>;tag=f", to="<sip:home@example.com>",
                      headers=CLAIMS + END + "Privacy: user;id\r\n", body=sdp_of("10.0.0.20"), type="application/sdp")
    invite = e.home.request("INVITE")
    expect(invite.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>'), invite.get("From"))
    for name in ("P-Asserted-Identity", "Remote-Party-ID", "Diversion", "History-Info", "P-Charging-Vector",
                 "P-Odd", "Subject", "User-to-User"):
        expect(not invite.get(name), "%s to a phone: %s" % (name, invite.get(name)))
    expect(invite.get("Privacy") == "id", "what was done is not asked for again: %s" % invite.get("Privacy"))
    e.home.reply(invite, 488, headers="Warning: 305 192.168.0.18 \"no such codec\"\r\n"
                 "Retry-After: 20 (at 192.168.0.18);duration=5\r\n", contact=False)
    answer = e.pbx.answer(sent)
    expect(answer.get("Warning") == '305 10.0.0.1 "no such codec"', "Warning inwards: %s" % answer.get("Warning"))
    expect(answer.get("Retry-After") == "20;duration=5", "Retry-After: %s" % answer.get("Retry-After"))
    e.pbx.send("ACK", e.home_uri(), frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"],
               branch=sent["branch"])
    e.home.request("ACK")
    # outwards
    sent = carrier.send("INVITE", "sip:desk@203.0.113.10", body=sdp_of("198.51.100.66"), type="application/sdp",
                        headers="P-Asserted-Identity: <sip:+44@198.51.100.66>\r\n")
    invite = e.pbx.request("INVITE")
    expect(invite.get("P-Asserted-Identity") == "<sip:+44@10.0.0.20>", "believed: %s" % invite.get("P-Asserted-Identity"))
    e.pbx.reply(invite, 606, headers="Warning: 399 pbx.corp \"10.0.0.30 is asleep\"\r\nServer: corp\r\n"
                "Error-Info: <sip:10.0.0.30>\r\n", contact=False)
    answer = carrier.answer(sent)
    expect(answer.get("Warning") == '399 203.0.113.10 "Miscellaneous warning"', "outwards: %s" % answer.get("Warning"))
    expect(not answer.get("Error-Info") and not answer.get("Server"), "nothing else")
    carrier.send("ACK", sent["uri"], frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"],
                 branch=sent["branch"])
    e.pbx.request("ACK")
    e.finish(words=["corp"])
