# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc under answered calls, with Redis: it comes back by itself, audio goes on meanwhile, a hold
works, each call ends with a BYE from either side that is answered 200 and reaches the other, and has one CDR."""
import os
import signal
import time

from lib.edge import Edge, expect, replies, requests
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis

WORKERS = [1, 2]
TIMEOUT = 120


def kill(edge):
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back",
               step=0.02)


def cdrs(edge):
    return [line for line in edge.postern.process.log().split("\n") if " call.ended " in line]


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    # 1. at once: the message is faster than what is taken up behind
    kill(edge)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    expect(len(cdrs(edge)) == 1, "one CDR: %s" % cdrs(edge))
    # 2. later, and in more than one way
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    kill(edge)
    edge.both_hear(2.0)
    wait_until(lambda: len(edge.live_calls()) == 1, 5, "the call is there again")
    expect(edge.live_calls()[0]["protected"], "and protected")
    edge.home.hold()
    time.sleep(0.5)
    edge.home.resume()
    edge.both_hear(2.0)
    kill(edge)  # once more
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    expect(len(cdrs(edge)) == 2, "one CDR each: %s" % cdrs(edge))
    expect(all('cause="hung up"' in line for line in cdrs(edge)), "both hung up: %s" % cdrs(edge))
    wait_until(lambda: not redis.keys("call:*"), 5, "no record is left: %s" % redis.keys("call:*"))
    messages = edge.wan.messages() + edge.lan.messages()
    expect(len(requests(messages, "BYE")) >= 4 and not replies(messages, 481), "each BYE is known")
    for phone in (edge.home, edge.desk):
        phone.stop()
    edge.postern.stop()
