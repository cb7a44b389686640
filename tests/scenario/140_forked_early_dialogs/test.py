# SPDX-License-Identifier: Apache-2.0
"""The callee's proxy forks: each branch is an early dialog of its own for the caller, with its own tag,
route set and early media; one answers and the others are gone; a second 200 gets ACK and BYE."""
from lib.edge import expect
from lib.side import Sides, early


def run(lab):
    sides = Sides(lab)
    call, one = sides.ring()
    two = one.fork("two")
    rr = "Record-Route: <sip:far@10.0.0.20;lr>, <sip:near@10.0.0.20;lr>\r\n"
    one.reply(one.invite, 183, body=one.sdp(), lines=rr)
    first = call.phone.receive(lambda m: m.code == 183)
    two.reply(two.invite, 183, body=two.sdp(31000))
    second = call.phone.receive(lambda m: m.code == 183)
    expect(first.get("To") != second.get("To"), "two dialogs: %s and %s" % (first.get("To"), second.get("To")))
    expect(b"m=audio" in first.body and b"m=audio" in second.body, "early media in both")
    expect(not first.get("Record-Route"), "nothing of the LAN's route set is shown")

    info = early(call, first).begin("INFO")
    asked = one.expect_request("INFO")
    expect(";tag=callee" in asked.get("To"), "INFO reaches its fork: %s" % asked.get("To"))
    expect([r.strip() for r in asked.all("Route")] == ["<sip:near@10.0.0.20;lr>", "<sip:far@10.0.0.20;lr>"],
           "by its route set: %s" % asked.all("Route"))
    one.reply(asked, 200)
    expect(call.final("INFO", info).code == 200, "its answer comes back")
    call.cseq += 1

    two.reply(two.invite, 200, body=two.sdp(31000))
    two.expect_request("ACK")
    answer = call.wait_final(200)
    expect(answer.get("To") == second.get("To"), "the dialog of who answered")
    call.write("ACK", 1)
    one.reply(one.invite, 200, body=one.sdp())
    one.expect_request("ACK")
    bye = one.expect_request("BYE")
    expect(";tag=callee" in bye.get("To"), "BYE to the second answer: %s" % bye.get("To"))
    one.reply(bye, 200)
    sides.hang_up(call, two)
    sides.finish()
