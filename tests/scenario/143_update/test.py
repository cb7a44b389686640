# SPDX-License-Identifier: Apache-2.0
"""UPDATE (RFC 3311) with SDP: in an early dialog and in an established one, from either side; to a side
that does not know it as a re-INVITE; refused, the session is as it was."""
from lib.edge import expect
from lib.phone import SDP
from lib.side import CARRIER, Sides, early, sdp

ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK\r\n"


def from_caller(call, callee, code=200):
    cseq = call.begin("UPDATE", sdp(CARRIER))
    update = callee.expect_request("UPDATE")
    expect(b"c=IN IP4 10.0.0.1" in update.body, "UPDATE with the relay's address: %s" % update.body)
    callee.reply(update, code, body=callee.sdp() if code == 200 else "")
    answer = call.final("UPDATE", cseq)
    expect(answer.code == code, "answered %d: %s" % (code, answer.first_line))
    return answer


def from_callee(call, callee):
    cseq = callee.begin("UPDATE", callee.sdp())
    update = call.phone.receive(lambda m: m.is_request and m.method == "UPDATE")
    call.reply(update, 200, "OK", sdp(CARRIER))
    answer = callee.final("UPDATE", cseq)
    expect(answer.code == 200 and b"c=IN IP4 10.0.0.1" in answer.body, "answered: %s" % answer.first_line)


def run(lab):
    sides = Sides(lab)
    call, callee = sides.ring("Supported: 100rel\r\n" + ALLOW)
    callee.reply(callee.invite, 183, "Require: 100rel\r\nRSeq: 1\r\n" + ALLOW, callee.sdp())
    progress = call.phone.receive(lambda m: m.code == 183)
    dialog = early(call, progress)
    cseq = dialog.begin("PRACK", extra="RAck: %s 1 INVITE\r\n" % progress.get("RSeq"))
    callee.reply(callee.expect_request("PRACK"), 200)
    expect(dialog.final("PRACK", cseq).code == 200, "PRACK answered")
    from_caller(dialog, callee)
    from_callee(dialog, callee)
    callee.reply(callee.invite, 200)
    callee.expect_request("ACK")
    call.wait_final(200)
    call.cseq = dialog.cseq
    call.write("ACK", 1)
    from_caller(call, callee)
    from_callee(call, callee)
    from_caller(call, callee, 488)
    sides.hang_up(call, callee)

    call, callee = sides.talk(ALLOW)
    cseq = call.begin("UPDATE", sdp(CARRIER))
    invite = callee.expect_request("INVITE")
    callee.reply(invite, 200, body=callee.sdp(30010))
    callee.expect_request("ACK")
    answer = call.final("UPDATE", cseq)
    expect(answer.code == 200 and b"m=audio" in answer.body, "the re-INVITE's answer: %s" % answer.first_line)
    sides.hang_up(call, callee)
    sides.finish()
