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
CALLS = """peers:
  pbx: {interface: lan, address: 127.0.0.31}
  phone: {interface: wan, address: 127.0.0.11}
routes:
  - {name: in, from: phone, to: pbx}
"""
PHONES = """peers:
  pbx: {interface: lan, address: 127.0.0.31}
phones:
  - {from: wan, registrar: pbx, domains: [example.net]}
"""
CONFIG = """interfaces:
  lan: {role: trusted, address: 127.0.0.22, media: {ports: 10000-64999}}
  wan:
    address: 127.0.0.21
    media: {ports: 10000-64999}
    limits:
      setup-rate: off
      register-rate: off
      message-rate: off
      per-source: {setup-rate: off, register-rate: off, message-rate: off}
@WHO@workers: 1
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


def start_postern(lab, who=CALLS):
    redis = Redis(lab, host="edge", name="redis-ours")
    config = lab.write("bench.yaml", CONFIG.replace("@WHO@", who).replace("@DIR@", lab.dir)
                       .replace("@REDIS@", redis.socket))
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


def load(lab, parts, tool, rate, count, *what):
    """`count` calls or REGISTERs through the edge; CPU-s of each part per 1000 of them."""
    command = ["ip", "netns", "exec", lab.ns("edge"), "taskset", "-c", str(GENERATOR_CPU), tool, WAN, PHONE, PBX,
               str(rate), str(count), *what]
    for process in parts.values():
        for pid in measure.tree(process.pid):
            measure.pin(pid, STACK_CPU)
    before = {n: measure.cpu_s([p.pid]) for n, p in parts.items()}
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=count / rate + 90)
    used = {n: measure.cpu_s([p.pid]) - before[n] for n, p in parts.items()}
    row = json.loads(result.stdout.strip().splitlines()[-1])
    row.update({n: 1000 * s / count for n, s in used.items()}, total=1000 * sum(used.values()) / count)
    return row


def calls(lab, parts, tool, rate, seconds):
    return load(lab, parts, tool, rate, rate * seconds, "500", "20")


def is_clean(row):
    again = row["again_invite"] + row["again_bye"] + row["again_ok"]
    return row["failed"] <= 0.001 * row["calls"] and again <= 0.002 * row["calls"]


def rounds(options, starts, one):
    """Each stack in turn, `options.rounds` times, started anew each time."""
    rows = {name: [] for name in starts}
    for turn in range(options.rounds):
        for name, start in starts.items():
            with Lab("bench") as lab:
                lab.host("edge")
                parts = start(lab)
                row = one(lab, parts)
                for process in reversed(list(parts.values())):
                    process.stop()
            rows[name].append(row)
            print("round %d %-8s %s" % (turn + 1, name, row["said"]), flush=True)
    return rows


def verdict(options, rows, key, what, most=None, least=None):
    """The median of the rounds' ratios, beside the aim."""
    ratios = [b[key] / a[key] for a, b in zip(rows["peer"], rows["postern"])]
    ratio = sorted(ratios)[len(ratios) // 2]
    print("\npostern / peer, %s, median of the rounds' ratios: %.2f (by round: %s)" % (
        what, ratio, ", ".join("%.2f" % r for r in ratios)))
    good = (most is None or ratio <= most) and (least is None or ratio >= least)
    print("aim (%s): %s" % ("at most %.2f" % most if most else "at least %.1f" % least, "met" if good else "NOT met"))
    return good


def highest(options, tools):
    """The highest rate of calls that each stack bears on one core: at most 0.1 % fail, and at most 0.2 %
    of the messages are sent again."""
    def one(lab, parts):
        good, bad, rate, best = 0, 0, options.rate * 2, None
        calls(lab, parts, tools["callgen"], options.rate, 1)  # warm
        for _ in range(9):
            row = calls(lab, parts, tools["callgen"], round(rate), 3)
            if not is_clean(row):
                row = calls(lab, parts, tools["callgen"], round(rate), 3)
            if is_clean(row):
                good, best = rate, row
            else:
                bad = rate
                time.sleep(3)
            if good and bad and bad / good < 1.08:
                break
            rate = (good * bad) ** 0.5 if good and bad else rate * 1.5 if good else rate * 0.6
        row = best or row
        row.update(highest=good, said="%d calls/s clean, %.2f CPU-s per 1000 calls there" % (good, row["total"]))
        return row
    rows = rounds(options, {"peer": start_peer, "postern": start_postern}, one)
    print("\n%s; highest clean rate on one core, 3 s a step, %d rounds, alternating; medians" % (
        measure.machine(), options.rounds))
    print(measure.table(["stack", "calls/s", "CPU-s per 1000 calls there", "set-up p99 ms there"],
                        [[n, "%d" % measure.median(r, "highest"), "%.2f" % measure.median(r, "total"),
                          "%.1f" % measure.median(r, "setup_p99_ms")] for n, r in rows.items()]))
    return 0 if verdict(options, rows, "highest", "highest clean rate", least=6.0) else 1


def registers(options, tools):
    """REGISTER of a new phone each, relayed to the PBX and its 200 back."""
    def one(lab, parts):
        load(lab, parts, tools["callgen"], options.rate, options.rate, "register")
        row = load(lab, parts, tools["callgen"], options.rate, options.rate * options.seconds, "register")
        row["said"] = "%.3f CPU-s per 1000 REGISTERs (signalling %.3f, redis %.3f), failed %d" % (
            row["total"], row["signalling"], row["redis"], row["failed"])
        return row
    rows = rounds(options, {"peer": start_peer, "postern": lambda lab: start_postern(lab, PHONES)}, one)
    print("\n%s; %d REGISTERs/s, %d s a run, %d rounds, alternating; medians" % (
        measure.machine(), options.rate, options.seconds, options.rounds))
    print(measure.table(["stack", "CPU-s per 1000 REGISTERs", "failed"],
                        [[n, "%.3f" % measure.median(r, "total"), sum(x["failed"] for x in r)]
                         for n, r in rows.items()]))
    good = verdict(options, rows, "total", "CPU per REGISTER", most=1.0)
    return 0 if good and not sum(r["failed"] for r in rows["postern"]) else 1


def run(options, tools):
    if options.highest:
        return highest(options, tools)
    if options.register:
        return registers(options, tools)

    def one(lab, parts):
        calls(lab, parts, tools["callgen"], options.rate, 1)  # warm
        row = calls(lab, parts, tools["callgen"], options.rate, options.seconds)
        row["said"] = ("%.2f CPU-s per 1000 calls (signalling %.2f, relay %.2f, redis %.2f), failed %d, reordered %d, "
                       "set-up p50 %.1f ms" % (row["total"], row["signalling"], row["relay"], row["redis"],
                                               row["failed"], row["reordered"], row["setup_p50_ms"]))
        return row
    rows = rounds(options, {"peer": start_peer, "postern": start_postern}, one)
    print("\n%s; %d calls/s, %d s a run, %d rounds, alternating; medians" % (
        measure.machine(), options.rate, options.seconds, options.rounds))
    print(measure.table(["stack", "signalling", "relay", "Redis", "CPU-s per 1000 calls", "failed", "reordered",
                         "set-up p50 ms"],
                        [[n, *("%.2f" % measure.median(r, k) for k in ("signalling", "relay", "redis", "total")),
                          sum(x["failed"] for x in r), sum(x["reordered"] for x in r),
                          "%.2f" % measure.median(r, "setup_p50_ms")] for n, r in rows.items()]))
    good = verdict(options, rows, "total", "CPU per call", most=0.30 if options.rate >= 300 else 0.40)
    return 0 if good and not sum(r["failed"] + r["reordered"] for r in rows["postern"]) else 1
