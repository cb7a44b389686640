# SPDX-License-Identifier: Apache-2.0
"""./run bench sip: CPU per call, all parts together (signalling, relay, Redis), beside Debian's Kamailio
as edge SBC (topos in Redis, rtpengine module) with Debian's rtpengine, in one sitting.

Everything on one namespace's loopback, one address per role; the stack under test on CPU 1, the
generator on CPU 0. CPU per call falls with load for every stack, so both run at the same rate."""
import json
import os
import subprocess
import time

from lib import rtpengine
from lib.lab import Lab, LabError, wait_until
from lib.postern import ask, binaries
from lib.redis import Redis

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR_CPU, STACK_CPU = 0, 1
PHONE, WAN, LAN, PBX = "127.0.0.11", "127.0.0.21", "127.0.0.22", "127.0.0.31"
CONFIG = """interfaces:
  lan: {role: trusted, address: 127.0.0.22, media: {ports: 10000-29999}}
  wan: {address: 127.0.0.21, media: {ports: 30000-49999}}
peers:
  pbx: {interface: lan, address: 127.0.0.31}
  phone: {interface: wan, address: 127.0.0.11}
routes:
  - {name: in, from: phone, to: pbx}
workers: 1
log: {level: warn}
dataplane: {cores: [1]}
state: {store: redis, servers: ["unix:@REDIS@"]}
stats: {socket: @DIR@/bench.sock, relay-socket: @DIR@/bench-relay.sock}
"""


def start_peer(lab):
    redis = Redis(lab, host="edge", name="redis-peer")
    relay = rtpengine.start(lab, host="edge", control="127.0.0.53:2223", ports=(10000, 60000),
                            interfaces=(("pub", "127.0.0.51"), ("priv", "127.0.0.52")))
    with open(os.path.join(HERE, "peer.cfg")) as f:
        config = lab.write("peer.cfg", f.read().replace("@REDIS@", redis.socket))
    kamailio = lab.spawn("edge", "kamailio", "kamailio", "-DD", "-E", "-f", config, "-m", "1024", "-M", "16", "-Y",
                         lab.dir, "-P", lab.dir + "/kamailio.pid")
    time.sleep(2)
    if not kamailio.alive():
        raise LabError(kamailio.log()[-2000:])
    return {"redis": redis.process, "relay": relay, "signalling": kamailio}


def start_postern(lab):
    redis = Redis(lab, host="edge", name="redis-ours")
    config = lab.write("bench.yaml", CONFIG.replace("@DIR@", lab.dir).replace("@REDIS@", redis.socket))
    relay = lab.spawn("edge", "postern-rtpengine", os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", config)
    sbc = lab.spawn("edge", "postern-sbc", os.path.join(binaries(), "sbc/postern-sbc"), "-c", config)

    def up():
        for process in (relay, sbc):
            if not process.alive():
                raise LabError(process.log()[-2000:])
        try:
            return ask(lab.dir + "/bench.sock", "show stats") and ask(lab.dir + "/bench-relay.sock", "show stats")
        except OSError:
            return None
    wait_until(up, 15, "Postern is ready")
    time.sleep(1.5)
    return {"redis": redis.process, "relay": relay, "signalling": sbc}


def calls(lab, parts, tool, rate, seconds):
    for process in parts.values():
        for pid in measure.tree(process.pid):
            measure.pin(pid, STACK_CPU)
    count = rate * seconds
    command = ["ip", "netns", "exec", lab.ns("edge"), "taskset", "-c", str(GENERATOR_CPU), tool, WAN, PHONE, PBX,
               str(rate), str(count), "500", "20"]
    before = {n: measure.cpu_s([p.pid]) for n, p in parts.items()}
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds + 60)
    used = {n: measure.cpu_s([p.pid]) - before[n] for n, p in parts.items()}
    row = json.loads(result.stdout.strip().splitlines()[-1])
    row.update({n: 1000 * s / count for n, s in used.items()}, total=1000 * sum(used.values()) / count)
    return row


def run(options, tools):
    rows = {"peer": [], "postern": []}
    starts = {"peer": start_peer, "postern": start_postern}
    for turn in range(options.rounds):
        for name in rows:
            with Lab("bench") as lab:
                lab.host("edge")
                parts = starts[name](lab)
                calls(lab, parts, tools["callgen"], options.rate, 1)  # warm
                row = calls(lab, parts, tools["callgen"], options.rate, options.seconds)
                for process in reversed(list(parts.values())):
                    process.stop()
            rows[name].append(row)
            print("round %d %-8s %.2f CPU-s per 1000 calls (signalling %.2f, relay %.2f, redis %.2f), failed %d, set-up p50 %.1f ms"
                  % (turn + 1, name, row["total"], row["signalling"], row["relay"], row["redis"], row["failed"],
                     row["setup_p50_ms"]), flush=True)
    ratios = [b["total"] / a["total"] for a, b in zip(rows["peer"], rows["postern"])]
    ratio = sorted(ratios)[len(ratios) // 2]
    failed = sum(r["failed"] for r in rows["postern"])
    print("\n%s; %d calls/s, %d s a run, %d rounds, alternating; medians" % (
        measure.machine(), options.rate, options.seconds, options.rounds))
    print(measure.table(["stack", "signalling", "relay", "Redis", "CPU-s per 1000 calls", "failed", "set-up p50 ms"],
                        [[n, *("%.2f" % measure.median(r, k) for k in ("signalling", "relay", "redis", "total")),
                          sum(x["failed"] for x in r), "%.2f" % measure.median(r, "setup_p50_ms")]
                         for n, r in rows.items()]))
    print("\npostern / peer, median of the rounds' ratios: %.2f (by round: %s)" % (
        ratio, ", ".join("%.2f" % r for r in ratios)))
    good = ratio <= 0.6 and failed == 0
    print("aim (ratio at most 0.6, none failed): %s" % ("met" if good else "NOT met"))
    return 0 if good else 1
