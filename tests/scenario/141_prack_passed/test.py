# SPDX-License-Identifier: Apache-2.0
"""Both sides have reliable provisional replies (RFC 3262): each PRACK reaches the fork that wants it,
also when the callee's tag changes and when it comes after the 200; our repetitions stop with it."""
import time

from lib.edge import expect
from lib.side import Sides, early

RELIABLE = "Require: 100rel\r\nRSeq: %d\r\n"


def prack(call, ringing, callee, rseq):
    rack = "RAck: %s 1 INVITE\r\n" % ringing.get("RSeq")
    dialog = early(call, ringing)
    call.cseq = dialog.cseq = call.cseq + 1
    dialog.write("PRACK", call.cseq, extra=rack)
    passed = callee.expect_request("PRACK")
    expect(passed.get("RAck") == "%d 1 INVITE" % rseq, "RAck in the callee's numbers: %s" % passed.get("RAck"))
    expect(";tag=%s" % callee.tag in passed.get("To"), "in its dialog: %s" % passed.get("To"))
    callee.reply(passed, 200)
    expect(call.final("PRACK", call.cseq).code == 200, "PRACK answered 200")


def run(lab):
    sides = Sides(lab)
    call, one = sides.ring("Supported: 100rel\r\n")
    expect("100rel" in one.invite.get("Supported"), "100rel is offered")
    two = one.fork("two")
    one.reply(one.invite, 183, RELIABLE % 500, one.sdp())
    progress = call.phone.receive(lambda m: m.code == 183)
    again = call.phone.receive(lambda m: m.code == 183, 2)
    expect(again.get("RSeq") == progress.get("RSeq"), "it is repeated until its PRACK")
    prack(call, progress, one, 500)
    two.reply(two.invite, 180, RELIABLE % 9)
    ringing = call.phone.receive(lambda m: m.code == 180)
    expect(int(ringing.get("RSeq")) == int(progress.get("RSeq")) + 1, "numbered one after the other")
    prack(call, ringing, two, 9)
    two.reply(two.invite, 180, RELIABLE % 10)
    late = call.phone.receive(lambda m: m.code == 180 and m.get("RSeq") != ringing.get("RSeq"))
    two.reply(two.invite, 200, body=two.sdp(31000))
    two.expect_request("ACK")
    call.wait_final(200)
    call.write("ACK", 1)
    prack(call, late, two, 10)
    time.sleep(1.2)
    expect(not [m for m in call.phone.inbox if m.code == 180], "nothing is repeated after its PRACK")
    call.cseq += 1
    call.write("PRACK", call.cseq, extra="RAck: %s 1 INVITE\r\n" % late.get("RSeq"))
    expect(call.final("PRACK", call.cseq).code == 481, "481 to a second PRACK")
    sides.hang_up(call, two)
    sides.finish()
