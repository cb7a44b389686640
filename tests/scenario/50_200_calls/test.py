# SPDX-License-Identifier: Apache-2.0
"""200 concurrent calls with RTP through both halves: none fails, the relay loses no packet, and ports,
fds, mbufs, timers and Redis keys are back at their start."""
import os
import re

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.redis import Redis
from lib.sipp import Sipp

WORKERS = [1, 2, 4]
TIMEOUT = 200
ALONE = True
CALLS = 200
HERE = os.path.dirname(os.path.abspath(__file__))


def run(lab):
    redis = Redis(lab)
    config = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 203.0.113.1}
routes:
  - {name: in, from: carrier, to: pbx}
state: {store: redis, servers: ["unix:%s"]}
""" % redis.socket
    edge = Edge(lab, config, phones=False, pbx=False, capture=False)
    Sipp(lab, "pbx", os.path.join(HERE, "uas.xml"), calls=CALLS, timeout=90, media_port=7000)
    uac = Sipp(lab, "inet", os.path.join(HERE, "uac.xml"), remote="203.0.113.10", calls=CALLS, rate=40, limit=CALLS,
               timeout=90, media_port=7000)
    peak = [0]

    def sample():
        peak[0] = max(peak[0], len(edge.live_calls()))
        return not uac.process.alive()
    wait_until(sample, 100, "the calls are over", step=0.25)
    uac.wait()
    expect(peak[0] >= CALLS * 0.9, "the calls were up at once (%d)" % peak[0])
    edge.wait_no_call(20)
    relay = edge.postern.relay_stats()
    text = str(relay)
    expect(int(relay["totals"]["packets"]) > CALLS * 100, "RTP was relayed: %s" % relay["totals"])
    expect(int(relay["totals"]["lost"]) == 0, "no packet was lost by the relay: %s" % relay["totals"])
    edge.finish(60)
    left = [k for k in redis.keys() if not k.startswith("node:")]
    expect(not left, "no key is left: %s" % left[:5])
