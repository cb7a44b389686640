# SPDX-License-Identifier: Apache-2.0
"""Redis is restarted and has lost everything, while nothing was to be written: the records of living
calls, acknowledged long ago, and of registrations are written again within seconds; those of calls that end go as ever."""
import os
import signal
import subprocess
import sys

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis

WORKERS = [2]
TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def check_by_hand(redis, postern):
    return subprocess.run([sys.executable, "-m", "lib.state_check", "--redis", redis.socket, postern.socket], cwd=TESTS,
                          stdout=subprocess.PIPE, text=True, timeout=30)


def cluster(redis):
    """Both halves write there, in whatever order."""
    return sorted(redis.cli("HGETALL", "postern:cluster").splitlines())


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.establish(edge.home, edge.desk)
    before = wait_until(lambda: redis.keys("call:*"), 5, "the call has its record")
    expect(edge.postern.stats()["held"]["calls_unprotected"] == 0, "the call is protected")
    phones = sorted(redis.keys("aor:*"))
    expect(phones, "the phone has its record")
    common = cluster(redis)
    redis.process.signal(signal.SIGKILL)
    redis.process.wait(5)
    again = Redis(lab)
    after = wait_until(lambda: again.keys("call:*"), 5, "the record is written again")
    expect(after == before, "the same key: %s, %s" % (before, after))
    wait_until(lambda: edge.postern.stats()["held"]["calls_unprotected"] == 0, 5, "and acknowledged")
    wait_until(lambda: sorted(again.keys("aor:*")) == phones, 5, lambda: "the phone's, too: %s" % again.keys("aor:*"))
    by_hand = check_by_hand(again, edge.postern)
    expect(by_hand.returncode == 0 and "agree" in by_hand.stdout, "checked by hand: %s" % by_hand.stdout)
    again.cli("SET", "aor:{nobody}", "a record")
    by_hand = check_by_hand(again, edge.postern)
    expect(by_hand.returncode == 1 and "left over: aor:{nobody} " in by_hand.stdout, "what is left: %s" % by_hand.stdout)
    again.cli("DEL", "aor:{nobody}")
    wait_until(lambda: cluster(again) == common, 5, "so is what the next process knows it by")
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back", step=0.02)
    wait_until(lambda: len(edge.postern.ask("show registrations")) == len(phones), 5, "the phone is known")
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not again.keys("call:*"), 5, "the record is deleted")
    edge.finish()
