# SPDX-License-Identifier: Apache-2.0
"""A node dies whole while its calls talk and one rings; half a second later its addresses are at the other node, as VRRP
would move them. The calls there get new media by re-INVITE: silent for less than 1.5 s. What rang is answered; BYE finds its
way, one CDR each, no record is left."""
from lib.cluster import Cluster
from lib.edge import expect
from lib.lab import wait_until

WORKERS = [2]
LONG = True
TIMEOUT = 150


def run(lab):
    cluster = Cluster(lab)
    home, road, desk, front = cluster.phones
    cluster.ring(home, desk)
    cluster.answer(home, desk)
    cluster.ring(front, road)
    expect(cluster.nodes["b"].ask("show calls") == [], "the node that waits has no call")
    cluster.listen()
    died = cluster.kill_node(0.5)
    gaps = cluster.gaps(died, [home, desk])
    print("silent for", {phone.user: round(gap, 2) for phone, gap in gaps.items()})
    expect(max(gaps.values()) <= 1.5, "silent for 1.5 s at most: %s" % list(gaps.values()))
    cluster.answer(front, road)
    since = died + 1
    cluster.gaps(since, [front, road])
    wait_until(lambda: len(cluster.node.calls()) == 2, 5, "both calls are here")
    cluster.hang_up(home, desk)
    cluster.hang_up(road, front)
    wait_until(lambda: not cluster.node.calls(), 10, "no call is left")
    expect(len(cluster.ended()) == 2, "one CDR each: %s" % cluster.ended())
    wait_until(lambda: not cluster.store.calls(), 5, "no record is left")
    cluster.stop()
