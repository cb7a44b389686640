# SPDX-License-Identifier: Apache-2.0
"""Session timers (RFC 4028) are agreed on each side by itself, with the refresher on either; an interval
that is too short gets 422, and one that the callee finds too short is raised. (That they run out, and
our refreshes, are seen on a clock of their own: tests/unit/sbc/call/test_session_timer.c.)"""
from lib.edge import expect
from lib.side import Sides

WORKERS = [2]


def run(lab):
    sides = Sides(lab, pbx=", session-timer: 600s", carrier=", session-timer: 1200s")
    call = sides.carrier.invite("sip:1000@example.com", extra="Supported: timer\r\nSession-Expires: 60\r\n")
    small = call.wait_final(422)
    expect(small.get("Min-SE") == "90", "Min-SE: %s" % small.get("Min-SE"))
    call.write("ACK", 1, branch=call.branch)

    call, callee = sides.ring("Supported: timer\r\nSession-Expires: 1000;refresher=uas\r\n")
    expect(callee.invite.get("Session-Expires") == "600", "the callee's side: %s" % callee.invite.get("Session-Expires"))
    callee.reply(callee.invite, 422, "Min-SE: 700\r\n")
    callee.expect_request("ACK")
    callee = type(callee)(sides.pbx, callee.expect_request("INVITE"))
    expect(callee.invite.get("Session-Expires") == "700", "raised: %s" % callee.invite.get("Session-Expires"))
    expect(callee.invite.get("CSeq") == "2 INVITE", "the same call: %s" % callee.invite.get("CSeq"))
    callee.reply(callee.invite, 200, "Require: timer\r\nSession-Expires: 700;refresher=uas\r\n", callee.sdp())
    callee.expect_request("ACK")
    answer = call.wait_final(200)
    expect(answer.get("Session-Expires") == "1000;refresher=uas", "the caller's side: %s" % answer.get("Session-Expires"))
    call.ack()
    cseq = callee.begin("UPDATE", extra="Supported: timer\r\nSession-Expires: 700;refresher=uac\r\n")
    answer = callee.final("UPDATE", cseq)
    expect(answer.code == 200 and answer.get("Session-Expires") == "700;refresher=uac",
           "a refresh is answered here: %s" % answer.get("Session-Expires"))
    sides.hang_up(call, callee)
    sides.finish()
