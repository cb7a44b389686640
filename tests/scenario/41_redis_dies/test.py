# SPDX-License-Identifier: Apache-2.0
"""Redis frozen, then killed, in mid-call: calls go on and new ones are set up, the stats say so; when it
returns, the living call's record is written again."""
import signal
import time

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis

WORKERS = [2]
TIMEOUT = 150


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    redis.process.signal(signal.SIGSTOP)
    edge.ring(edge.desk, edge.home)
    started = time.monotonic()
    edge.home.answer()
    edge.desk.wait_event("CALL_ESTABLISHED", 10)
    expect(time.monotonic() - started < 1.0, "a frozen Redis holds the answer back by milliseconds")
    edge.both_hear()
    redis.process.signal(signal.SIGCONT)
    redis.process.signal(signal.SIGKILL)
    redis.process.wait(5)
    time.sleep(0.5)
    edge.both_hear(2.0)
    stats = edge.postern.stats()
    expect("unprotected" in str(stats), "stats tell of unprotected calls: %s" % stats)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.ring(edge.home, edge.desk)
    edge.desk.answer()
    edge.home.wait_event("CALL_ESTABLISHED", 10, count=2)
    again = Redis(lab)
    wait_until(lambda: again.keys("call:*"), 10, "the living call is written to the Redis that came back")
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    wait_until(lambda: not again.keys("call:*"), 5, "the record is deleted")
    edge.finish()
