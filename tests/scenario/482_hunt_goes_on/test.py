# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc while a call rings that could go elsewhere: when its server fails afterwards the next process asks
the peer's other server, then the route's other peer, with the caller's whole INVITE. A person's refusal ends it."""
import os
import signal

from lib.callee import Callee, body_of, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.lab import wait_until
from lib.redis import Redis

WORKERS = [2]
TIMEOUT = 120
CONFIG = "peers:\n" + PBX + """  one: {interface: wan, servers: [%s, %s]}
  two: {interface: wan, servers: [%s]}
routes:
  - {from: pbx, to: [one, two]}
state: {store: redis, servers: ["unix:%%s"], protect: ringing}
""" % (CARRIER % 67, CARRIER % 68, CARRIER % 69)


def kill(carrier):
    postern = carrier.postern
    pid = postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: postern.pids().get("postern-sbc", pid) != pid and postern.is_up(), 10, "it is back", step=0.02)


def ring(carrier, redis):
    """A call that rings at the first server, and whose process was killed since."""
    call = carrier.pbx.invite("sip:100@10.0.0.1", extra="Subject: hunting\r\n")
    call.wait_ringing()
    wait_until(lambda: redis.keys("call:*"), 5, "it is in the store while it rings")
    kill(carrier)
    return call


def refuse(first, code):
    first.reply(first.invites[-1], code, lambda text: first.socket.sendto(text.encode(), ("203.0.113.10", 5060)))


def run(lab):
    redis = Redis(lab)
    carrier = Carrier(lab, CONFIG % redis.socket)
    first = Callee(lab, "stranger", CARRIER % 67, answer=0, ring=True)
    second, third = Callee(lab, "stranger", CARRIER % 68), Callee(lab, "stranger", CARRIER % 69)
    # the other server of the peer
    call = ring(carrier, redis)
    refuse(first, 500)
    answer = call.wait_final(200)
    call.ack()
    expect(count(first, second, third) == [1, 1, 0], "the other server: %s" % count(first, second, third))
    old, new = first.invites[-1], second.invites[-1]
    expect(new.get("Subject") == "hunting" and "m=audio" in body_of(new) and "m=audio" in body_of(answer),
           "with the whole INVITE: %s" % new.text)
    expect(new.get("Max-Forwards") == old.get("Max-Forwards"), "as the first one: %s" % new.text)
    expect(call.request("BYE").code == 200, "BYE is answered")
    carrier.edge.wait_no_call()
    # and the other peer of the route, once that one fails too
    second.answer = 500
    first.invites.clear()
    call = ring(carrier, redis)
    refuse(first, 500)
    call.wait_final(200)
    call.ack()
    expect(count(first, second, third) == [1, 2, 1], "the other peer: %s" % count(first, second, third))
    expect(call.request("BYE").code == 200, "BYE is answered")
    carrier.edge.wait_no_call()
    # a person says no
    first.invites.clear()
    call = ring(carrier, redis)
    refuse(first, 486)
    carrier.ack_refusal(call, call.wait_final(486))
    # the caller gives up: nobody else is asked
    first.invites.clear()
    call = ring(carrier, redis)
    call.cancel()
    carrier.ack_refusal(call, call.wait_final(487))
    wait_until(lambda: any(m.method == "CANCEL" for m in first.requests), 5, "who rings is told")
    refuse(first, 487)
    carrier.edge.wait_no_call()
    expect(count(second, third) == [2, 1], "nobody else is asked: %s" % count(second, third))
    expect(carrier.postern.process.log().count(" call.ended ") == 4, "one CDR each")
    wait_until(lambda: not redis.keys("call:*"), 5, "no record is left")
    carrier.finish(first, second, third)
