# SPDX-License-Identifier: Apache-2.0
"""A re-INVITE refused with 488 leaves the call as it was: the callee's BYE finds its way. re-INVITEs that
cross get 491 on both sides and pass when they come again."""
from lib.edge import expect
from lib.side import CARRIER, Sides, sdp


def run(lab):
    sides = Sides(lab)
    call, callee = sides.talk()
    cseq = call.begin("INVITE", sdp(CARRIER, 40002))
    callee.reply(callee.expect_request("INVITE"), 488)
    callee.expect_request("ACK")
    expect(call.final("INVITE", cseq).code == 488, "488 comes back")
    call.write("ACK", cseq)

    mine = call.begin("INVITE", sdp(CARRIER, 40002))
    passed = callee.expect_request("INVITE")
    theirs = callee.begin("INVITE", callee.sdp(30002))
    expect(callee.final("INVITE", theirs).code == 491, "491 to the one that crosses")
    callee.write("ACK", theirs)
    callee.reply(passed, 491)
    callee.expect_request("ACK")
    expect(call.final("INVITE", mine).code == 491, "and to the other")
    call.write("ACK", mine)

    theirs = callee.begin("INVITE", callee.sdp(30002))
    passed = call.phone.receive(lambda m: m.is_request and m.method == "INVITE")
    call.reply(passed, 200, "OK", sdp(CARRIER, 40002))
    answer = callee.final("INVITE", theirs)
    expect(answer.code == 200 and b"c=IN IP4 10.0.0.1" in answer.body, "then it passes: %s" % answer.first_line)
    callee.write("ACK", theirs)
    call.phone.receive(lambda m: m.is_request and m.method == "ACK")

    bye = callee.begin("BYE")
    crossed = call.phone.receive(lambda m: m.is_request and m.method == "BYE")
    call.reply(crossed, 200, "OK")
    expect(callee.final("BYE", bye).code == 200, "the callee's BYE")
    sides.finish()
