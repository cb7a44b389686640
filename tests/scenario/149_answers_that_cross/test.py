# SPDX-License-Identifier: Apache-2.0
"""CANCEL and 200 cross; a 200 comes again after the BYE; both sides send BYE at once; a re-INVITE's 200
comes after the BYE. Each ends with an ACK and one BYE a dialog, and 481 carries the right Call-ID."""
import time

from lib.edge import expect
from lib.side import CARRIER, Sides, sdp


def run(lab):
    sides = Sides(lab)
    call, callee = sides.ring()
    callee.reply(callee.invite, 180)
    call.wait_ringing()
    call.cancel()
    call.wait_final(487)
    call.write("ACK", 1, branch=call.branch)
    cancel = callee.expect_request("CANCEL")
    callee.reply(callee.invite, 200, body=callee.sdp())
    callee.reply(cancel, 200)
    callee.expect_request("ACK")
    callee.reply(callee.expect_request("BYE"), 200)

    call, callee = sides.talk()
    sides.hang_up(call, callee)
    callee.reply(callee.invite, 200, body=callee.sdp())
    callee.expect_request("ACK")
    time.sleep(0.3)

    call, callee = sides.talk()
    mine = call.begin("BYE")
    passed = callee.expect_request("BYE")
    theirs = callee.begin("BYE")
    expect(call.final("BYE", mine).code == 200, "the caller's BYE")
    answer = callee.final("BYE", theirs)
    expect(answer.code in (200, 481) and answer.get("Call-ID") == callee.call_id, "the callee's: %s" % answer.first_line)
    callee.reply(passed, 481)
    time.sleep(0.3)
    late = callee.begin("BYE")
    answer = callee.final("BYE", late)
    expect(answer.code == 481 and answer.get("Call-ID") == callee.call_id, "afterwards 481: %s" % answer.first_line)

    call, callee = sides.talk()
    again = call.begin("INVITE", sdp(CARRIER))
    passed = callee.expect_request("INVITE")
    bye = call.begin("BYE")
    expect(call.final("BYE", bye).code == 200, "BYE while a re-INVITE is open")
    call.final("INVITE", again)
    call.write("ACK", again)
    callee.reply(callee.expect_request("BYE"), 200)
    callee.reply(passed, 200, body=callee.sdp())
    callee.expect_request("ACK")
    time.sleep(0.5)
    for phone in (sides.carrier, sides.pbx):
        byes = [m for m in phone.inbox if m.is_request and m.method == "BYE"]
        expect(not byes, "no second BYE: %s" % [m.first_line for m in byes])
    sides.finish()
