# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc right after a call has ended, before its record was gone: the next process knows from the file of
CDRs that the call is over. It has one CDR, the record goes, and whoever was not told of the end is."""
import json
import os
import signal

from lib.edge import Edge, expect, requests
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis
from lib.state_check import ask_redis

WORKERS = [2]
TIMEOUT = 120


def run(lab):
    redis = Redis(lab)
    path = os.path.join(lab.dir, "cdr", "calls.json")
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\ncdr: {path: %s}\n" % (redis.socket, path))

    def cdrs():
        with open(path, "rb") as f:
            return [json.loads(line) for line in f]
    edge.establish(edge.home, edge.desk)
    keys, = ask_redis(redis.socket, (b"KEYS", b"call:*"))
    value, = ask_redis(redis.socket, (b"GET", keys[0]))
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not redis.keys("call:*"), 5, "its record is gone")
    expect(len(cdrs()) == 1, "one CDR: %s" % cdrs())
    # the moment before: the line is written, the record is there, and half a line of another call
    with open(path, "ab") as f:
        f.write(b"{\"call\":\"half")
    pid = edge.postern.pids()["postern-sbc"]
    ask_redis(redis.socket, (b"SET", keys[0], value, b"EX", b"100"))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back",
               step=0.02)
    wait_until(lambda: not redis.keys("call:*"), 10, "the record is gone again")
    edge.wait_no_call()
    # it is the same file, and the next call is told of in it
    edge.establish(edge.home, edge.desk)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    wait_until(lambda: len(cdrs()) == 2, 5, lambda: "one CDR each: %s" % cdrs())
    ids = [cdr["call"] for cdr in cdrs()]
    expect(len(set(ids)) == 2, "of two calls: %s" % ids)
    expect(edge.postern.process.log().count(" call.ended ") == 2, "and one line in the log each")
    expect(len(requests(edge.lan.messages(), "BYE", source="10.0.0.1")) >= 2, "who may not have been told is told again")
    edge.home.stop()
    edge.desk.stop()
    edge.postern.stop()
