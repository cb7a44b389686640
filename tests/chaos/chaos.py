#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run chaos: random faults under living calls, as a printed seed says, and after each everything that has to hold.

    chaos.py --bin BUILD [--seed N] [--minutes M] [--calls N]     a schedule
    chaos.py --bin BUILD --show NAME                              one claim at size (shows.py), or "all"
"""
import argparse
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # not this folder: it has a chaos.py
from chaos.world import World  # noqa: E402
from lib.lab import Lab, LabError, wait_until  # noqa: E402

SBC, RELAY = "postern-sbc", "postern-rtpengine"


class Chaos:
    """Steps: what is done, and the longest silence that it may cost anybody's ear (ms). Every wait is bounded."""

    def __init__(self, lab, seed, calls, workers=2, slow=1.0):
        self.seed, self.random, self.calls, self.slow = seed, random.Random(seed), calls, slow
        # among others the store may be late, and calls unprotected
        self.world = World(lab, workers=workers, wait="20ms" if slow == 1.0 else "500ms")
        self.world.ng.random.seed(seed)
        self.counts = {}

    # --- what the crowd does meanwhile ---------------------------------------------------------------
    def traffic(self, rate=40):
        """Some begin, some ring on, some change their media, some hang up; all of it during the fault."""
        crowd, report = self.world.crowd, self.world.crowd.report()
        have = report["up"] + report["ringing"]
        if have < self.calls:
            crowd.start(min(self.calls - have, max(4, self.calls // 4)), rate,
                        self.random.choice((0, 50, 300)), "any", 40, 10)
        crowd.do("bye", self.random.randint(0, max(1, report["up"] // 4)), rate)
        crowd.do("reinvite", self.random.randint(0, max(1, report["up"] // 8)), rate)

    def ring(self, count):
        crowd = self.world.crowd
        crowd.start(count, 200, -1, "any", 40, 0)
        crowd.wait(lambda r: not r["busy"] and not r["invited"], 20, "they ring")

    def stop_ringing(self):
        crowd = self.world.crowd
        for verb in self.random.sample(("answer", "cancel", "decline"), 3):
            crowd.do(verb, self.world.crowd.report()["ringing"] // 2 + 1)
            crowd.wait(lambda r: not r["busy"], 10, "told")

    # --- faults ------------------------------------------------------------------------------------
    def sbc_killed(self):
        self.ring(5)
        self.world.kill(SBC)
        self.stop_ringing()
        self.traffic()
        return 400

    def sbc_killed_in_the_middle(self):
        self.traffic()
        time.sleep(self.random.uniform(0, 0.3))
        self.world.kill(SBC)
        return 400

    def sbc_killed_twice(self):
        self.traffic()
        self.world.kill(SBC)
        self.world.kill(SBC)
        return 400

    def relay_killed(self):
        self.world.kill(RELAY)
        self.traffic()
        return 2000

    def both_killed(self):
        self.world.kill(SBC, RELAY)
        self.traffic()
        return 2500

    def sbc_frozen(self):
        self.traffic()
        self.world.freeze(self.world.pid(SBC), self.random.uniform(0.2, 1.5))
        return 400

    def relay_frozen(self):
        self.traffic()
        self.world.freeze(self.world.pid(RELAY), self.random.uniform(0.2, 1.0))
        return 1800

    def redis_frozen(self):
        self.traffic()
        self.world.freeze(self.world.redis.process.pid, self.random.uniform(0.1, 4.0))
        return 400

    def redis_restarted_empty(self):
        self.traffic()
        self.world.restart_redis(self.random.uniform(0, 2.0))
        return 400

    def redis_and_sbc_killed(self):
        """Redis comes back without its data, and is written again, before the process dies that knows them."""
        self.world.restart_redis()
        self.traffic()
        self.world.crowd.settle()
        self.world.protected()
        self.world.kill(SBC)
        return 400

    def redis_flushed(self):
        self.traffic()
        noticed = self.world.postern.process.log().count("store.wiped")
        self.world.redis.cli("FLUSHALL")
        # by a mark that each connection looks for every three seconds; until then nobody can know
        connections = self.world.workers + 1  # and the relay's
        def missing():
            return {call["id"] for call in self.world.calls() if call["state"] == "up"} - {
                key[6:-1] for key in self.world.redis.keys("call:*")}
        wait_until(lambda: self.world.postern.process.log().count("store.wiped") == noticed + connections and not missing(), 5,
                   lambda: "all is written again: %s is not" % missing())
        return 400

    def redis_full(self):
        self.world.redis.cli("CONFIG", "SET", "maxmemory", "1")
        self.traffic()
        time.sleep(1.5)
        self.world.redis.cli("CONFIG", "SET", "maxmemory", "0")
        return 400

    def redis_a_replica(self):
        self.world.redis.cli("REPLICAOF", "127.0.0.1", "1")
        self.traffic()
        time.sleep(1.0)
        self.world.redis.cli("REPLICAOF", "NO", "ONE")
        return 400

    def redis_wrong_type(self):
        keys = self.world.redis.keys("call:*")
        hit = self.random.sample(keys, min(3, len(keys)))
        for key in hit:
            self.world.redis.cli("DEL", key)
            self.world.redis.cli("LPUSH", key, "not a record")
        # each call is written again when something changes in it; so fast that it is not the same one each time
        for _ in range(20):
            self.world.crowd.do("reinvite", self.world.crowd.report()["up"], 10000)
            self.world.crowd.settle()
            if "list" not in [self.world.redis.cli("TYPE", key).strip() for key in hit]:
                return 400
        raise LabError("records of another type stay: %s" % hit)

    def redis_asks_password(self):
        self.world.redis.cli("CONFIG", "SET", "requirepass", "secret")
        self.world.proxy.mode = "cut"
        time.sleep(0.1)
        self.world.proxy.mode = "pass"
        self.traffic()
        time.sleep(1.0)
        self.world.redis.cli("-a", "secret", "CONFIG", "SET", "requirepass", "")
        return 400

    def redis_slow(self):
        self.world.proxy.delay_s = self.random.choice((0.005, 0.05, 0.2))
        self.traffic()
        time.sleep(1.5)
        self.world.proxy.delay_s = 0.0
        return 400

    def redis_front(self):
        self.world.proxy.mode = self.random.choice(("freeze", "cut", "mute", b"HTTP/1.1 400 Bad Request\r\n\r\n",
                                                    b"+OK\r\n", b"$-1\r\n"))
        print("      %r" % (self.world.proxy.mode,))
        self.traffic()
        time.sleep(self.random.uniform(0.3, 3.0))
        self.world.proxy.mode = "cut"  # what was said in between is nobody's answer
        time.sleep(0.1)
        self.world.proxy.mode = "pass"
        return 400

    def ng_lossy(self):
        self.world.ng.faults(loss=self.random.choice((0.1, 0.3)), double=self.random.choice((0, 0.3)),
                             shuffle=self.random.choice((0, 0.5)))
        self.traffic()
        self.world.crowd.settle(30)
        self.world.ng.faults()
        return 400

    def ng_slow(self):
        self.world.ng.faults(delay_s=self.random.choice((0.02, 0.2, 0.7)))
        self.traffic(20)
        time.sleep(1.0)
        self.world.ng.faults()
        return 400

    def ng_cut(self):
        self.world.ng.freeze = True
        self.traffic()
        time.sleep(self.random.uniform(0.5, 2.0))
        self.world.ng.freeze = False
        return 400

    def nothing(self):
        self.traffic()
        time.sleep(0.5)
        return 400

    STEPS = ("sbc_killed", "sbc_killed_in_the_middle", "sbc_killed_twice", "relay_killed", "both_killed", "sbc_frozen",
             "relay_frozen", "redis_frozen", "redis_restarted_empty", "redis_and_sbc_killed", "redis_flushed",
             "redis_full", "redis_a_replica", "redis_wrong_type", "redis_asks_password", "redis_slow", "redis_front",
             "ng_lossy", "ng_slow", "ng_cut", "nothing")

    def begin(self):
        crowd = self.world.crowd
        crowd.rtp(20)
        crowd.start(self.calls, 100, 0, "any", 40, 10)
        crowd.settle()
        crowd.wait(lambda r: r["deaf"] == 0, 10, "everybody hears")

    def step(self, name):
        self.world.crowd.wait(lambda r: r["deaf"] == 0, 10, "everybody hears")
        self.world.crowd.mark()
        began = time.monotonic()
        limit = getattr(self, name)()
        report = self.world.check()
        report = self.world.audible(limit * self.slow)
        self.counts[name] = self.counts.get(name, 0) + 1
        print("  %-26s %5.1f s  %3d up, %4d started, %d not set up, longest silence %.0f ms" %
              (name, time.monotonic() - began, report["up"], report["started"], report["refused"] + report["failed"],
               report["gap_max_ms"]), flush=True)

    def run(self, seconds, steps=None):
        """For so long, or each of `steps` once; then all hang up and nothing may be left."""
        self.begin()
        end = time.monotonic() + seconds
        pending = list(steps or ())
        while pending or (steps is None and time.monotonic() < end):
            self.step(pending.pop(0) if pending else self.random.choice(self.STEPS))
        report = self.world.finish()
        self.world.close()
        print("seed %d: %d faults, %d calls, %d ended by BYE, none lost" %
              (self.seed, sum(self.counts.values()), report["started"], report["bye_ok"]), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./run chaos")
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--step", action="append", choices=Chaos.STEPS, help="only this one (may be said again)")
    parser.add_argument("--show", help="a claim at size: see --show list")
    options = parser.parse_args()
    os.environ["POSTERN_BUILD"] = os.path.abspath(options.bin)
    if options.show:
        from chaos import shows
        return shows.run(options.show)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    print("seed %d" % seed, flush=True)
    with Lab("chaos") as lab:
        Chaos(lab, seed, options.calls, options.workers).run(options.minutes * 60, options.step)
    return 0


if __name__ == "__main__":
    sys.exit(main())
