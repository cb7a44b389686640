# SPDX-License-Identifier: Apache-2.0
"""A plain call costs Redis two commands for both halves together, three with `protect: ringing`, by Redis's own
statistics: the relay's first record goes with the call's. It is as good as one of its own: after a kill -9 of the
relay all sessions are back from it."""
import os
import re
import signal
import time

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import Postern
from lib.redis import Redis
from lib.sipp import Sipp

WORKERS = [2]
LONG = True
HERE = os.path.dirname(os.path.abspath(__file__))
CALLS, HELD = 40, 10
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 203.0.113.1}
routes:
  - {name: in, from: carrier, to: pbx}
"""
WRITES = ("set", "del", "unlink", "evalsha", "eval", "expire")
OTHERS = 10  # heartbeats of some seconds


def commands(redis):
    """How many of each so far. A script is one: its own SET is taken off."""
    found = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", redis.cli("INFO", "commandstats")))
    told = {name: int(found.get(name, 0)) for name in WRITES + ("get",)}
    told["set"] -= told["evalsha"] + told["eval"]
    return told


def without_media(name):
    with open(os.path.join(HERE, "../50_200_calls", name)) as f:
        return re.sub(r"<nop>.*?</nop>", "", f.read())


def calls(lab, count, pause_ms, rate):
    return Sipp(lab, "inet", without_media("uac.xml").replace("9000", str(pause_ms)), remote="203.0.113.10",
                calls=count, rate=rate, timeout=60, media_port=7000)


def count(lab, edge, redis, protect, most):
    before = commands(redis)
    time.sleep(1.0)
    idle = commands(redis)["get"] - before["get"]  # of who watches nodes
    before, began = commands(redis), time.monotonic()
    calls(lab, CALLS, 100, CALLS).wait()
    edge.wait_no_call()
    wait_until(lambda: not [k for k in redis.keys() if k.startswith(("call:", "media:"))], 5, "no key is left")
    after, took = commands(redis), time.monotonic() - began
    told = {name: after[name] - before[name] for name in after}
    print("%s: %d calls, %.1f s: %s" % (protect, CALLS, took, told))
    writes = sum(told[name] for name in WRITES)
    expect(writes <= most * CALLS + OTHERS, "at most %d commands a call: %s" % (most, told))
    expect(told["get"] <= 2 * (idle + 1) * took + OTHERS, "none is read: %s" % told)


def killed(lab, edge, redis):
    uac = calls(lab, HELD, 3000, HELD * 2)
    wait_until(lambda: len(redis.keys("call:*")) == HELD, 10, "the calls are up")
    before = edge.postern.ask_relay("show version")["instance"]
    time.sleep(0.3)
    expect(not redis.keys("media:*"), "the relay wrote none by itself: %s" % redis.keys("media:*"))
    pid = edge.postern.pids()["postern-rtpengine"]
    os.kill(pid, signal.SIGKILL)

    def back():
        try:
            return edge.postern.pids().get("postern-rtpengine") not in (None, pid) and \
                edge.postern.ask_relay("show version")["instance"]
        except OSError:
            return None
    expect(wait_until(back, 10, "the relay is back") == before, "the same instance, for all came back")
    expect(len(edge.postern.ask_relay("show calls")["calls"]) == HELD, "all sessions are back")
    uac.wait()
    edge.wait_no_call()


def run(lab):
    redis = Redis(lab)
    for protect, most in (("answered", 2), ("ringing", 3)):
        state = "state: {store: redis, servers: [\"unix:%s\"], protect: %s}\n" % (redis.socket, protect)
        if protect == "answered":
            edge = Edge(lab, CONFIG + state, phones=False, pbx=False, capture=False)
            Sipp(lab, "pbx", without_media("uas.xml"), calls=1000, timeout=90, media_port=7000)
        else:
            edge.postern.stop()
            edge.postern = Postern(lab, CONFIG + state)
        time.sleep(0.5)
        count(lab, edge, redis, protect, most)
    killed(lab, edge, redis)
    edge.finish()
    left = [k for k in redis.keys() if k.startswith(("call:", "media:"))]
    expect(not left, "no key is left: %s" % left)
