# SPDX-License-Identifier: Apache-2.0
"""The store is Redis: the call's record is written when it is answered and deleted when it ends, with
at most two commands; the relay's, once it learned a source behind a NAT, with two more; no key is left."""
from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis


def about(monitor, what):
    """What Redis was told about it."""
    return [line for line in monitor.log().split("\n") if what in line]


def run(lab):
    redis = Redis(lab)
    monitor = lab.spawn(None, "monitor", "redis-cli", "-s", redis.socket, "MONITOR")
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.home.wait_registered()
    edge.ring(edge.desk, edge.home)
    expect(not redis.keys("call:*"), "no record while it rings: %s" % redis.keys("call:*"))
    edge.home.answer()
    edge.desk.wait_event("CALL_ESTABLISHED", 10)
    keys = wait_until(lambda: redis.keys("call:*"), 5, "the record is written")
    expect(len(keys) == 1, "one record for one call: %s" % keys)
    ident = edge.live_calls()[0]["id"]
    expect(ident in keys[0], "the key holds the call's id")
    expect(int(redis.cli("TTL", keys[0])) > 0, "the record has a time to live")
    record = edge.postern.ask("show record " + ident)
    expect("error" not in record and "legs" in str(record), "the record is readable: %s" % record)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not redis.keys("call:*"), 5, "the record is deleted")
    for kind, most in (("call", 2), ("media", 3)):
        told = [line for line in about(monitor, "%s:{%s" % (kind, ident)) if " lua]" not in line]
        told = [line for line in told if '"TTL"' not in line and '"GET"' not in line]  # our own looks
        expect(len(told) <= most, "written once, deleted once: %s" % told)
    edge.finish()
    left = [k for k in redis.keys() if k.startswith(("call:", "media:"))]
    expect(not left, "no key is left: %s" % left)
