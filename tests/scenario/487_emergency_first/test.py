# SPDX-License-Identifier: Apache-2.0
"""The relay comes back with nothing under many calls, the youngest of them to 112: that one has its new media first."""
import os
import signal

from lib.callee import Callee
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.lab import wait_until

WORKERS = [1]
CALLS = 20
CONFIG = "peers:\n" + PBX + """  one: {interface: wan, servers: [%s]}
routes:
  - {from: pbx, number: "112", to: one, priority: emergency}
  - {from: pbx, to: one}
""" % (CARRIER % 67)


def run(lab):
    carrier = Carrier(lab, CONFIG)
    callee = Callee(lab, "stranger", CARRIER % 67)
    for number in [str(200 + n) for n in range(CALLS)] + ["112"]:
        call = carrier.pbx.invite("sip:%s@10.0.0.1" % number)
        call.wait_final(200)
        call.ack()
    placed = [m.get("Call-ID") for m in callee.invites]
    os.kill(carrier.postern.pids()["postern-rtpengine"], signal.SIGKILL)

    def told():
        return list(dict.fromkeys(m.get("Call-ID") for m in callee.invites[len(placed):]))
    wait_until(lambda: len(told()) == CALLS + 1, 15, lambda: "each call has new media: %d" % len(told()))
    order = [placed.index(call_id) for call_id in told()]
    # each waits for the relay's answers; two that follow each other may change places on the way
    expect(CALLS in order[:2], "the emergency call first: %s" % order)
    carrier.postern.stop()
    callee.close()
    carrier.pbx.close()
