# SPDX-License-Identifier: Apache-2.0
"""The store is Redis: the call's record is written when it is answered and deleted when it ends, with
at most two commands; the relay's, of its media, with two more; no key is left."""
import time

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis


def commands(redis):
    found = {}
    for line in redis.cli("INFO", "commandstats").splitlines():
        if line.startswith("cmdstat_"):
            name, _, rest = line[8:].partition(":")
            found[name.split("|")[0]] = found.get(name.split("|")[0], 0) + int(rest.split("calls=")[1].split(",")[0])
    return found


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.home.wait_registered()
    edge.ring(edge.desk, edge.home)
    expect(not redis.keys("call:*"), "no record while it rings: %s" % redis.keys("call:*"))
    before, started = commands(redis), time.monotonic()
    edge.home.answer()
    edge.desk.wait_event("CALL_ESTABLISHED", 10)
    keys = wait_until(lambda: redis.keys("call:*"), 5, "the record is written")
    expect(len(keys) == 1, "one record for one call: %s" % keys)
    ident = edge.live_calls()[0]["id"]
    expect(ident in keys[0], "the key holds the call's id")
    expect(int(redis.cli("TTL", keys[0])) > 0, "the record has a time to live")
    read = commands(redis).get("get", 0)
    record = edge.postern.ask("show record " + ident)
    read = commands(redis)["get"] - read  # our own look at it
    expect("error" not in record and "legs" in str(record), "the record is readable: %s" % record)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not redis.keys("call:*"), 5, "the record is deleted")
    after = commands(redis)
    used = {k: after.get(k, 0) - before.get(k, 0) for k in ("set", "del", "unlink", "hset", "hmset", "expire", "eval")}
    used["get"] = after.get("get", 0) - before.get("get", 0) - read
    heartbeats = 1 + int(time.monotonic() - started)
    expect(used.pop("set") <= 2 + heartbeats, "one SET of each half beside the heartbeats: %s" % after)
    expect(sum(used.values()) <= 2, "one more command of each half, to delete: %s" % used)
    edge.finish()
    left = [k for k in redis.keys() if not k.startswith("node:")]
    expect(not left, "no key is left: %s" % left)
