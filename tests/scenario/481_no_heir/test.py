# SPDX-License-Identifier: Apache-2.0
"""`postern drain hand-over` where the only other node drains too: it says so, and its call goes on. As soon
as there is an heir it ends, and the call's record stays for that one."""
import os
import threading
import time

from lib.edge import Edge, expect
from lib.lab import sh, wait_until
from lib.postern import SHORTEST, binaries
from lib.redis import Redis

WORKERS = [2]
TIMEOUT = 120


class Heartbeat:
    """Another node's, as the store has it."""

    def __init__(self, redis, number):
        self.redis, self.key, self.lines, self.ends = redis, "node:{%d}" % number, "d\n", threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ends.wait(0.3):
            self.redis.cli("SET", self.key, "other\n" + self.lines, "EX", "3")

    def stop(self):
        self.ends.set()
        self.thread.join()


def run(lab):
    redis = Redis(lab)
    beat = Heartbeat(redis, 100)
    try:
        drain(lab, redis, beat)
    finally:
        beat.stop()


def drain(lab, redis, beat):
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\nnode: {name: a, number: 1}\n" % redis.socket)
    edge.establish(edge.home, edge.desk)
    said = sh(os.path.join(binaries(), "control/cli/postern"), "drain", "hand-over", "-s", edge.postern.socket)
    expect("heirs" in said, "the answer tells of heirs: %s" % said)
    wait_until(lambda: " drain.no_heir calls=1 " in edge.postern.process.log(), 10, "it says that nobody is there")
    wait_until(lambda: " node.there number=100" in edge.postern.process.log(), 20, "it sees another one, which drains")
    time.sleep(1.0)
    edge.both_hear()
    expect(edge.postern.process.alive() and len(edge.live_calls()) == 1, "that one is no heir")
    beat.lines = ""
    wait_until(lambda: not edge.postern.process.alive(), 15, "with an heir it ends")
    log = edge.postern.process.log()
    expect(" drain.heir calls=1 " in log and edge.postern.process.popen.returncode == 0, "in order: %s" % log[-1500:])
    expect(" call.ended " not in log and len(redis.keys("call:*")) == 1, "the call is the heir's")
    edge.postern.stop()
