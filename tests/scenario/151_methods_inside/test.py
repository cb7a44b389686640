# SPDX-License-Identifier: Apache-2.0
"""Other methods pass inside a call, with their bodies, both ways; from anybody but the dialog's peer they
reach nobody, whatever tag or Route they bear."""
from lib.edge import expect
from lib.phone import Phone
from lib.side import Sides

WORKERS = [2]


def run(lab):
    sides = Sides(lab)
    call, callee = sides.talk()
    for method in ("INFO", "MESSAGE", "OPTIONS"):
        body = "Signal=5\r\n"
        call.cseq += 1
        call.phone.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"
                        "Content-Type: application/dtmf-relay\r\nContent-Length: %d\r\n\r\n%s" % (
                            method, call.target, call.phone.via(), call.local, call.remote, call.call_id, call.cseq, method,
                            len(body), body))
        asked = callee.expect_request(method)
        expect(asked.body == body.encode() and asked.get("Content-Type") == "application/dtmf-relay", "%s passes" % method)
        callee.reply(asked, 202)
        expect(call.final(method, call.cseq).code == 202, "and its answer")
        cseq = callee.begin(method)
        passed = call.phone.receive(lambda m: m.is_request and m.method == method)
        call.reply(passed, 200, "OK")
        expect(callee.final(method, cseq).code == 200, "%s from the callee" % method)

    other = Phone(lab, "desk", "desk", "10.0.0.30", "10.0.0.1")
    home = Phone(lab, "home", "home", "192.168.0.18", "203.0.113.10")
    for tag in (call.remote, call.remote.replace("tag=", "tag=a"), call.remote + "-2"):
        home.send("BYE %s SIP/2.0\r\nVia: %s\r\nRoute: <sip:10.0.0.20;lr>\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                  "CSeq: 99 BYE\r\nContent-Length: 0\r\n\r\n" % (call.target, home.via(), call.local, tag, call.call_id))
        expect(home.receive(lambda m: m.code >= 200).code == 481, "481 to a stranger")
    call.phone.send("INFO sip:x@10.0.0.30 SIP/2.0\r\nVia: %s\r\nRoute: <sip:10.0.0.30;lr>\r\nMax-Forwards: 70\r\nFrom: %s\r\n"
                    "To: %s-3\r\nCall-ID: %s\r\nCSeq: 90 INFO\r\nContent-Length: 0\r\n\r\n" % (
                        call.phone.via(), call.local, call.remote, call.call_id))
    expect(call.phone.receive(lambda m: m.code >= 200).code == 481, "481 to a forged tag")
    expect(not other.inbox and not callee.phone.inbox, "nobody else hears")
    sides.hang_up(call, callee)
    other.close()
    home.close()
    sides.finish()
