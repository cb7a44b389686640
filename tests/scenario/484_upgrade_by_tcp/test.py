# SPDX-License-Identifier: Apache-2.0
"""`postern upgrade` and calls that come over TCP meanwhile: who connects during the 0.3 s is served by the next process; an
INVITE on a connection that ends with this one is refused at once, with Retry-After, and passes a second later."""
import os
import subprocess

from lib.callee import Callee
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import LAN, expect
from lib.lab import LabError, wait_until
from lib.phone import Phone
from lib.postern import binaries
from lib.redis import Redis

WORKERS = [1, 2]
TIMEOUT = 120
CONFIG = "peers:\n" + PBX + """  one: {interface: wan, servers: [%s]}
routes:
  - {from: pbx, to: one}
state: {store: redis, servers: ["unix:%%s"], protect: ringing}
""" % (CARRIER % 67)


def answered(call):
    call.wait_final(200)
    call.ack()
    expect(call.request("BYE").code == 200, "BYE is answered")


def upgrade(postern, before, then):
    order = subprocess.Popen([os.path.join(binaries(), "control/cli/postern"), "upgrade", "-s", postern.socket],
                             stdout=subprocess.DEVNULL)
    wait_until(lambda: postern.process.log().count(" upgrade.begun ") > before, 10, "it leaves", step=0.005)
    return order, then()


def outcome(call):
    """Its final reply, or None when the connection had ended before."""
    try:
        return call.wait_final(503, seconds=2)
    except (LabError, OSError) as e:
        if "not 503" in str(e):
            raise
        return None


def run(lab):
    redis = Redis(lab)
    carrier = Carrier(lab, CONFIG % redis.socket)
    callee = Callee(lab, "stranger", CARRIER % 67)
    postern = carrier.postern
    for attempt in range(3):  # a busy machine may let the 0.3 s pass
        port = 5060 + 10 * attempt
        old = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN, port=port, transport="tcp")
        answered(old.invite("sip:100@10.0.0.1"))
        pid = postern.pids()["postern-sbc"]
        order, refused = upgrade(postern, attempt, lambda: old.invite("sip:102@10.0.0.1"))
        late = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN, port=port + 1, transport="tcp")
        answered(late.invite("sip:101@10.0.0.1"))  # a new connection: the next process's
        order.wait(20)
        expect(postern.pids().get("postern-sbc") != pid, "by another process")
        answer = outcome(refused)
        if answer:
            break
        old.close()
        late.close()
    expect(answer and answer.get("Retry-After") == "1", "it is refused, and said for how long: %s" % answer)
    again = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN, port=5071, transport="tcp")
    answered(again.invite("sip:102@10.0.0.1"))
    for phone in (old, late, again):
        phone.close()
    carrier.finish(callee)
