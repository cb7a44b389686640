# SPDX-License-Identifier: Apache-2.0
"""An SDP answer that does not fit its offer: in a 200 the callee gets ACK and BYE and the caller 488; in
an ACK both get BYE. One that changes between the 183 and the 200 is taken."""
from lib.edge import expect
from lib.side import CARRIER, Sides, sdp

WORKERS = [2]
VIDEO = "m=video 30002 RTP/AVP 31\r\n"


def run(lab):
    sides = Sides(lab)
    call, callee = sides.ring()
    callee.reply(callee.invite, 200, body=callee.sdp(more=VIDEO))
    callee.expect_request("ACK")
    callee.reply(callee.expect_request("BYE"), 200)
    call.wait_final(488)
    call.write("ACK", 1, branch=call.branch)

    call, callee = sides.ring(sdp=False)
    callee.reply(callee.invite, 200, body=callee.sdp())
    call.wait_final(200)
    call.ack(sdp(CARRIER, more=VIDEO))
    callee.expect_request("ACK")
    callee.reply(callee.expect_request("BYE"), 200)
    bye = call.phone.receive(lambda m: m.is_request and m.method == "BYE")
    call.reply(bye, 200, "OK")

    call, callee = sides.ring()
    callee.reply(callee.invite, 183, body=callee.sdp(30000))
    call.phone.receive(lambda m: m.code == 183)
    callee.reply(callee.invite, 200, body=callee.sdp(30500))
    callee.expect_request("ACK")
    expect(b"m=audio" in call.wait_final(200).body, "the new answer")
    call.ack()
    ports = str(sides.edge.postern.ask("show call " + sides.edge.live_calls()[0]["id"])["streams"])
    expect("10.0.0.20:30500" in ports and "30000" not in ports, "the relay sends to the new port: %s" % ports)
    sides.hang_up(call, callee)
    expect(sides.edge.postern.stats()["calls"]["wrong_answers"] == 2, "counted")
    sides.finish()
