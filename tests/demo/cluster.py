#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run demo cluster: two nodes, Redis with a replica and Sentinel, one address a side that moves between the nodes.

Two calls of real phones talk while a relay, a signalling half, the Redis master and a whole node are killed. What was
killed, what lived and how long it was silent is printed; exit status 0 says that all was so."""
import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from lib.cluster import CONFIG, Cluster             # noqa: E402
from lib.lab import Lab, LabError, wait_until       # noqa: E402

STARTED = time.monotonic()
GAP_S = 1.5


def say(text):
    print("\033[1m[%5.1fs]\033[0m %s" % (time.monotonic() - STARTED, text), flush=True)


class Show:
    def __init__(self, cluster):
        self.cluster, self.rows = cluster, []

    def row(self, killed, lived, good):
        self.rows.append((killed, lived, bool(good)))
        say("%-44s %s" % (killed, lived))

    def silence(self, killed, since, bound, calls=2):
        """Both calls talk again, and each is on the node that has the addresses."""
        gaps = self.cluster.gaps(since, self.cluster.phones, 30)
        wait_until(lambda: len(self.cluster.node.calls()) == calls, 10, "all calls are at the serving node")
        worst = max(gaps.values())
        self.row(killed, "%d of %d calls live, silent for %.2f s at most" % (calls, calls, worst), worst <= bound)

    def all(self):
        print("\n%-44s %s" % ("killed", "lived"))
        for killed, lived, good in self.rows:
            print("%s %-42s %s" % ("\033[32m+\033[0m" if good else "\033[31m-\033[0m", killed, lived))
        return all(good for _, _, good in self.rows)


def protected(cluster):
    wait_until(lambda: all(n.stats()["store"]["state"] == "up" for n in cluster.nodes.values()), 20, "a store for both")
    wait_until(lambda: all(c["protected"] for c in cluster.node.calls()), 10, "the store has the calls")


def kill_things(cluster, show):
    show.silence("(nothing)", time.time(), 0.5)
    since = cluster.kill("postern-rtpengine")
    show.silence("relay of node a, kill -9", since, 5.0)
    since = cluster.kill("postern-sbc")
    wait_until(lambda: cluster.node.is_up(), 20, "node a signals again")
    show.silence("signalling of node a, kill -9", since, 0.5)
    protected(cluster)
    since = cluster.kill_master()
    show.silence("Redis master, kill -9 (replica promoted)", since, 0.5)
    protected(cluster)
    cluster.ring(cluster.home, cluster.front)
    since = cluster.kill_node(0.5)
    show.silence("node a whole, its addresses move to node b", since, GAP_S, 3)
    cluster.answer(cluster.home, cluster.front)
    show.row("  and a call that rang meanwhile", "was answered at node b", True)


def hang_up(cluster, show):
    cluster.hang_up(cluster.home, cluster.front)
    cluster.home.command("line", "1")
    for caller, callee in cluster.pairs:
        cluster.hang_up(callee, caller)
    wait_until(lambda: not cluster.node.calls(), 10, "no call is left")
    ended = cluster.ended()
    show.row("(nothing: all hang up)", "BYE on both sides, %d CDRs of 3 calls" % len(ended), len(ended) == 3)
    wait_until(lambda: not cluster.store.calls(), 10, "no record is left in Redis")
    show.row("(nothing)", "no record is left in Redis", True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="build folder")
    options = parser.parse_args()
    os.environ["POSTERN_BUILD"] = os.path.abspath(options.bin)
    with Lab("cluster") as lab:
        try:
            say("network, PBX, Redis (master, replica, Sentinel), nodes a and b; each has")
            print("".join("           %s\n" % line for line in (CONFIG % "a").splitlines()), end="", flush=True)
            cluster = Cluster(lab)
            show = Show(cluster)
            for caller, callee in cluster.pairs:
                cluster.ring(caller, callee)
                cluster.answer(caller, callee)
            cluster.listen()
            say("two calls talk, by node a")
            protected(cluster)
            kill_things(cluster, show)
            hang_up(cluster, show)
            good = show.all()
            cluster.stop()
        except LabError as e:
            print("\ndemo failed: %s" % e, file=sys.stderr)
            lab.save_logs()
            return 1
    say("done: %s" % ("all was so" if good else "something was not so"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
