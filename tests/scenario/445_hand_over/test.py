# SPDX-License-Identifier: Apache-2.0
"""`postern drain hand-over`: the node ends without a word to its calls, its addresses move, and the other node has the
calls within a second: new media by re-INVITE, one CDR, by who ends them."""
import os
import time

from lib.cluster import VIRTUAL, Cluster
from lib.edge import expect
from lib.lab import sh, wait_until
from lib.postern import binaries

WORKERS = [2]
LONG = True
TIMEOUT = 150


def run(lab):
    cluster = Cluster(lab)
    home, road, desk, front = cluster.phones
    cluster.ring(home, desk)
    cluster.answer(home, desk)
    wait_until(lambda: cluster.node.calls()[0]["protected"], 5, "the store has the call")
    cluster.listen()
    first = cluster.node
    sh(os.path.join(binaries(), "control/cli/postern"), "drain", "hand-over", "-s", first.socket)
    wait_until(lambda: not first.process.alive(), 15, "it ends")
    expect(first.process.popen.returncode == 0, "status 0: %s" % first.process.log()[-1500:])
    ended = time.time()
    for device, address in VIRTUAL.items():
        cluster.lab.run("a", "ip", "addr", "del", address + "/32", "dev", device)
    cluster.move("b")
    gaps = cluster.gaps(ended, [home, desk])
    print("silent for", [round(gap, 2) for gap in gaps.values()])
    expect(max(gaps.values()) <= 1.5, "silent for 1.5 s at most: %s" % list(gaps.values()))
    expect(not cluster.ended() and len(cluster.node.calls()) == 1, "the other node has the call")
    cluster.hang_up(home, desk)
    wait_until(lambda: not cluster.node.calls(), 10, "no call is left")
    expect(len(cluster.ended()) == 1, "one CDR: %s" % cluster.ended())
    cluster.stop()
