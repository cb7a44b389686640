# SPDX-License-Identifier: Apache-2.0
"""REGISTER relayed: digest passes through, the contact is masked, a wrong password never gets a 200,
un-REGISTER removes the binding at the PBX and here; an unregistered caller gets no service."""
from lib.edge import Edge, LAN, WAN, expect, replies, requests
from lib.lab import LabError, wait_until
from lib.phone import Phone


def run(lab):
    edge = Edge(lab, phones=False, stranger=True)
    for transport, port in (("udp", 5060), ("tcp", 5066)):
        phone = Phone(lab, "home", "user-" + transport, "192.168.0.18", WAN, port=port, transport=transport)
        try:
            phone.register("example.com", "wrong")
            raise AssertionError("a wrong password got a 200")
        except LabError as e:
            expect("401" in str(e), "401 for a wrong password, got %s" % e)
        answer = phone.register("example.com", "secret")
        contacts = answer.all("Contact")
        expect(contacts and all("192.168.0.18:%d" % port in c for c in contacts),
               "the phone sees its own contact only: %s" % contacts)
        expect("expires=" in answer.text.lower(), "the 200 says when it expires")
        listed = edge.postern.ask("show registrations")
        expect(any("user-" + transport in r["aor"] for r in listed), "the registration is shown: %s" % listed)
        phone.register("example.com", "secret", expires=0)
        wait_until(lambda: not any("user-" + transport in r["aor"] for r in
                                   edge.postern.ask("show registrations")), 5, "the binding is gone")
        phone.close()
    unknown = Phone(lab, "stranger", "home", "198.51.100.66", WAN, port=5080)
    call = unknown.invite("sip:desk@example.com")
    try:
        answer = call.wait_final(seconds=3)
        expect(answer.code in (403, 404, 407), "no service for a stranger: %s" % answer.first_line)
        call.ack()
    except LabError:
        pass  # dropped: the default
    unknown.close()
    edge.finish()
    masked = [m for m in requests(edge.lan.messages(), "REGISTER", source=LAN) if m.all("Contact")]
    expect(masked and all("@10.0.0.1" in m.get("Contact") for m in masked), "contacts are masked at the PBX")
    expect(not requests(edge.lan.messages(), "INVITE"), "nothing of the stranger reached the LAN")
