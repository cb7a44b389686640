# SPDX-License-Identifier: Apache-2.0
"""Only one side has reliable provisional replies: Postern PRACKs for a caller that cannot, and is
reliable itself towards a caller that requires it. `reliable: never` and `require` say otherwise."""
from lib.edge import expect
from lib.phone import SDP
from lib.side import Sides, early

WORKERS = [2]


def run(lab):
    sides = Sides(lab)
    call, callee = sides.ring()
    callee.reply(callee.invite, 183, "Require: 100rel\r\nRSeq: 7\r\n", callee.sdp())
    prack = callee.expect_request("PRACK")
    expect(prack.get("RAck") == "7 1 INVITE", "RAck: %s" % prack.get("RAck"))
    callee.reply(prack, 200)
    progress = call.phone.receive(lambda m: m.code == 183)
    expect(not progress.get("Require") and b"m=audio" in progress.body, "plain for the caller")
    callee.reply(callee.invite, 200)
    callee.expect_request("ACK")
    expect(b"m=audio" in call.wait_final(200).body, "the answer of the 183 is in the caller's 200")
    call.write("ACK", 1)
    sides.hang_up(call, callee)

    call, callee = sides.ring("Require: 100rel\r\n")
    expect(not callee.invite.get("Require"), "the callee need not know")
    callee.reply(callee.invite, 180)
    ringing = call.phone.receive(lambda m: m.code == 180)
    expect(ringing.get("Require") == "100rel", "reliable for the caller")
    dialog = early(call, ringing)
    answer = dialog.request("PRACK", extra="RAck: %s 1 INVITE\r\n" % ringing.get("RSeq"))
    expect(answer.code == 200, "PRACK: %s" % answer.first_line)
    call.cseq = dialog.cseq
    callee.reply(callee.invite, 200, body=callee.sdp())
    callee.expect_request("ACK")
    call.wait_final(200)
    call.write("ACK", 1)
    sides.hang_up(call, callee)
    sides.finish()
