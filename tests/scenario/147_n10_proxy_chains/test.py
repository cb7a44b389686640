# SPDX-License-Identifier: Apache-2.0
"""Chains of proxies on both sides: several Via, Record-Route in pairs (r2=on) with changed transports.
Each side's route set is kept in its order, and nothing of it is seen on the other."""
from lib.edge import expect
from lib.side import Sides

OUTER = ["<sip:p1@198.51.100.66;transport=tcp;r2=on;lr>", "<sip:p1@198.51.100.66;r2=on;lr>", "<sip:p2.example;lr>"]
INNER = ["<sip:q2@10.0.0.20;lr>", "<sip:q1@10.0.0.20;transport=tcp;r2=on;lr>", "<sip:q1@10.0.0.20;r2=on;lr>"]


def routes(message):
    return [r.strip() for v in message.all("Route") for r in v.split(",")]


def run(lab):
    sides = Sides(lab)
    more = "".join("Via: SIP/2.0/TCP hop%d.outer.example;branch=z9hG4bKo%d\r\n" % (n, n) for n in range(3))
    call, callee = sides.ring(more + "Record-Route: %s\r\nRecord-Route: %s\r\n" % (", ".join(OUTER[:2]), OUTER[2]))
    text = callee.invite.text
    expect("Record-Route" not in text and "outer" not in text and "p2.example" not in text, "hidden:\n" + text)
    expect(len(callee.invite.all("Via")) == 1, "one Via")
    callee.reply(callee.invite, 200, "Record-Route: %s\r\n" % ", ".join(INNER), callee.sdp())
    ack = callee.expect_request("ACK")
    expect(routes(ack) == INNER[::-1], "ACK by the reversed set: %s" % routes(ack))
    answer = call.wait_final(200)
    expect(len(answer.all("Via")) == 4, "all Via come back")
    shown = [r.strip() for v in answer.all("Record-Route") for r in v.split(",")]
    expect(shown == OUTER, "the caller's own Record-Route: %s" % shown)
    call.ack()
    info = call.begin("INFO")
    asked = callee.expect_request("INFO")
    expect(routes(asked) == INNER[::-1], "INFO likewise: %s" % routes(asked))
    callee.reply(asked, 200)
    call.final("INFO", info)
    bye = callee.begin("BYE")
    asked = call.phone.receive(lambda m: m.is_request and m.method == "BYE")
    expect(routes(asked) == OUTER, "to the caller in order: %s" % routes(asked))
    call.reply(asked, 200, "OK")
    callee.final("BYE", bye)
    sides.finish()
