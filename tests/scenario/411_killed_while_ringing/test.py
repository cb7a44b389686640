# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc while phones ring, with `protect: ringing`: what rings is answered, cancelled and declined
afterwards as if nothing had been."""
import os
import signal

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis

WORKERS = [2]
TIMEOUT = 120


def kill(edge):
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back",
               step=0.02)


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"], protect: ringing}\n" % redis.socket)
    home, desk = edge.home, edge.desk
    # answered afterwards
    edge.ring(home, desk)
    wait_until(lambda: redis.keys("call:*"), 5, "it is in the store while it rings")
    kill(edge)
    desk.answer()
    home.wait_event("CALL_ESTABLISHED", 10)
    edge.both_hear()
    home.hangup()
    desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    # cancelled afterwards
    edge.ring(home, desk)
    wait_until(lambda: redis.keys("call:*"), 5, "it is in the store while it rings")
    kill(edge)
    home.hangup()
    desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    # declined afterwards
    edge.ring(desk, home)
    wait_until(lambda: redis.keys("call:*"), 5, "it is in the store while it rings")
    kill(edge)
    home.hangup()
    desk.wait_event("CALL_CLOSED", 10, count=3)
    edge.wait_no_call()
    wait_until(lambda: not redis.keys("call:*"), 5, "no record is left: %s" % redis.keys("call:*"))
    ended = [line for line in edge.postern.process.log().split("\n") if " call.ended " in line]
    expect(len(ended) == 3, "one CDR each: %s" % ended)
    for phone in (home, desk):
        phone.stop()
    edge.postern.stop()
