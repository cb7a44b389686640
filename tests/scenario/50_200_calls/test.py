# SPDX-License-Identifier: Apache-2.0
"""200 concurrent calls with RTP through both halves: none fails, the relay loses no packet, and ports,
fds, mbufs, timers and Redis keys are back at their start."""
import os
import re

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.redis import Redis
from lib.sipp import Sipp

WORKERS = [4]
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
    with open(os.path.join(lab.dir, "tone.alaw"), "wb") as f:
        f.write(b"\x55\xd5" * 4000)
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
    expect(int(relay["totals"]["packets"]) > CALLS * 100, "RTP was relayed: %s" % relay["totals"])
    # Lost by the relay: not taken from the device, not taken by the device, or dropped for a reason that is
    # not the source rule's (the first packet of a source, packets before the answer).
    for device in relay["devices"]:
        expect(device["missed"] == 0 and device["tx_errors"] == 0, "nothing missed: %s" % device)
    for lcore in relay["lcores"]:
        # "held" as well: nothing is on hold here, but of a call's two flows one closes before the other.
        odd = set(lcore["drops"]) - {"probation", "closed", "no-destination", "no-flow", "not-ours", "held"}
        expect(not odd, "no drop but before the answer and after the end: %s" % lcore["drops"])
        expect(lcore["rx_packets"] == lcore["tx_packets"] + sum(lcore["drops"].values()),
               "what came in went out: %s" % lcore)
    print("packets relayed %s, lost before they reached us %s" % (relay["totals"]["packets"], relay["totals"]["lost"]))
    lab.no_longer_alone()
    edge.finish(linger=True)
    # what says that the node lives, and the keys of identifiers
    left = [k for k in redis.keys() if not k.startswith("node:") and k != "postern:cluster"]
    expect(not left, "no key is left: %s" % left[:5])
