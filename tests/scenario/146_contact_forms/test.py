# SPDX-License-Identifier: Apache-2.0
"""Contacts as they come: without user part, without <>, two in one header; and a new one in a re-INVITE,
its 200 or an UPDATE is where the next request goes."""
from lib.edge import expect
from lib.side import CARRIER, Sides, sdp

WORKERS = [2]
FORMS = (("<sip:10.0.0.20:5060>", "sip:10.0.0.20:5060"),
         ("sip:10.0.0.20:5060;transport=udp", "sip:10.0.0.20:5060"),
         ("<sip:one@10.0.0.20>, <sip:two@10.0.0.99>", "sip:one@10.0.0.20"),
         ("\"Say, <sip:no@10.0.0.98>\" <sip:x%3Ay@10.0.0.20;p=q>;expires=5", "sip:x%3Ay@10.0.0.20;p=q"))


def run(lab):
    sides = Sides(lab)
    for form, uri in FORMS:
        call, callee = sides.talk(contact=form)
        bye = call.begin("BYE")
        asked = callee.expect_request("BYE")
        expect(asked.first_line.split()[1] == uri, "BYE to %s: %s" % (uri, asked.first_line))
        callee.reply(asked, 200)
        call.final("BYE", bye)

    call, callee = sides.talk("Allow: UPDATE\r\n", lines="Allow: UPDATE\r\n")
    for n, method in enumerate(("INVITE", "UPDATE")):
        cseq = callee.begin(method, callee.sdp(30002 + n), contact="<sip:moved%d@10.0.0.20>" % n)
        passed = call.phone.receive(lambda m: m.is_request and m.method == method)
        expect("moved" not in passed.get("Contact"), "hidden: %s" % passed.get("Contact"))
        call.reply(passed, 200, "OK", sdp(CARRIER))
        expect(callee.final(method, cseq).code == 200, "%s answered" % method)
        if method == "INVITE":
            callee.write("ACK", cseq)
            call.phone.receive(lambda m: m.is_request and m.method == "ACK")
        info = call.begin("INFO")
        asked = callee.expect_request("INFO")
        expect(asked.first_line.split()[1] == "sip:moved%d@10.0.0.20" % n, "after %s: %s" % (method, asked.first_line))
        callee.reply(asked, 200)
        call.final("INFO", info)
    cseq = call.begin("INVITE", sdp(CARRIER))
    callee.reply(callee.expect_request("INVITE"), 200, body=callee.sdp(), contact="<sip:again@10.0.0.20>")
    ack = callee.expect_request("ACK")
    expect(ack.first_line.split()[1] == "sip:again@10.0.0.20", "ACK to the 200's Contact: %s" % ack.first_line)
    call.final("INVITE", cseq)
    call.write("ACK", cseq)
    sides.hang_up(call, callee)
    sides.finish()
