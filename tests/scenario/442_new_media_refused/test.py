# SPDX-License-Identifier: Apache-2.0
"""The relay comes back empty, and sides do not take the re-INVITE at once: 491 (its own was on the way) and 500 are
asked again, 488 is not, and the call stays; a BYE ends it as ever."""
import os
import signal

from lib.edge import expect
from lib.side import CARRIER, Sides, sdp

WORKERS = [2]


def is_reinvite(message):
    return message.is_request and message.method == "INVITE" and ";tag=" in message.get("To")


def run(lab):
    sides = Sides(lab)
    call, callee = sides.talk()
    os.kill(sides.edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    # our own re-INVITE is on the way when theirs comes
    first = call.phone.receive(is_reinvite, 10)
    expect(first.get("Call-ID") == call.call_id and b"m=audio" in first.body, "it is of the call, with SDP")
    call.reply(first, 491, "Request Pending")
    callee.reply(callee.expect_request("INVITE"), 488)
    callee.expect_request("ACK")
    again = call.phone.receive(is_reinvite, 10)
    expect(again.body == first.body, "the same offer again")
    call.reply(again, 500, "Server Internal Error")
    again = call.phone.receive(is_reinvite, 10)
    call.reply(again, 200, "OK", sdp(CARRIER, 40004))
    call.phone.receive(lambda m: m.is_request and m.method == "ACK" and m.get("CSeq").split()[0] == again.get("CSeq").split()[0])
    stats = sides.edge.postern.stats()["calls"]
    expect(stats["renewed"] == 1 and stats["untold"] == 1, "one call renewed, one side that would not: %s" % stats)
    expect("call.media_refused" in sides.edge.postern.process.log(), "the log says so")
    # the new address of the carrier is the relay's: its media goes there with the callee's next offer
    cseq = callee.begin("INVITE", callee.sdp(30004))
    passed = call.phone.receive(is_reinvite)
    call.reply(passed, 200, "OK", sdp(CARRIER, 40004))
    call.phone.receive(lambda m: m.is_request and m.method == "ACK")
    expect(callee.final("INVITE", cseq).code == 200, "the callee's own offer passes")
    callee.write("ACK", cseq)
    sides.settled()
    sides.hang_up(call, callee)
    sides.finish()
