# SPDX-License-Identifier: Apache-2.0
"""./run bench media: CPU per relayed packet, beside Debian's rtpengine, in one sitting.

LAN - veth - relay - veth - WAN, one namespace each. Threaded NAPI on all four ends: generator and its
NAPI threads on CPU 0, relay and the relay-side NAPI threads on CPU 1, so that the cost of a relay is
exactly its process plus those threads. user+sys alone would charge receive work to the sender."""
import base64
import json
import os
import re
import socket
import subprocess
import time

from lib import rtpengine
from lib.lab import Lab, LabError, sh, wait_until
from lib.ng import NG
from lib.postern import ask, binaries

import measure

GENERATOR_CPU, RELAY_CPU = 0, 1
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.81.1.1, media: {ports: 30000-60001, idle-timeout: 600s}}
  wan: {address: 10.81.2.1, media: {ports: 30000-60001, idle-timeout: 600s}}
peers:
  pbx: {interface: lan, address: 10.81.1.2}
dataplane: {cores: [1]}
stats: {socket: @DIR@/bench.sock, relay-socket: @DIR@/bench-relay.sock}
"""


def topology(lab):
    lab.host("left", "relay", "right")
    for host, dev, relay_dev, net in (("left", "lan0", "rl0", "10.81.1"), ("right", "wan0", "rw0", "10.81.2")):
        lab.link(host, dev, "relay", relay_dev, net + ".2/24", net + ".1/24")
        for where, device in ((host, dev), ("relay", relay_dev)):
            lab.run(where, "sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % device)
            lab.run(where, "ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "on")
            lab.run(where, "sh", "-c", "echo 1 > /sys/class/net/%s/threaded" % device)
        # The sinks are packet rings: nobody shall answer with ICMP.
        lab.nft(host, "table netdev sink {\n chain in {\n type filter hook ingress device %s priority 0;\n"
                      " udp dport 20000-65535 drop\n }\n}\n" % dev)
        lab.run("relay", "ip", "neigh", "replace", net + ".2", "lladdr", mac(lab, host, dev), "dev", relay_dev)
    time.sleep(0.3)
    for prefix, cpu in (("napi/lan0", GENERATOR_CPU), ("napi/wan0", GENERATOR_CPU), ("napi/rl0", RELAY_CPU),
                        ("napi/rw0", RELAY_CPU)):
        pids = measure.kernel_threads([prefix])
        if not pids:
            raise LabError("no threaded NAPI on %s" % prefix)
        for pid in pids:
            os.sched_setaffinity(pid, {cpu})
            measure.prefer(pid, 2)


def mac(lab, host, device):
    return lab.run(host, "cat", "/sys/class/net/%s/address" % device).strip()


def start_relay(lab, name):
    if name == "rtpengine":
        process = rtpengine.start(lab, host="relay", ports=(30000, 60000),
                                  interfaces=(("lan", "10.81.1.1"), ("wan", "10.81.2.1")))
    else:
        config = lab.write("bench.yaml", CONFIG.replace("@DIR@", lab.dir))
        process = lab.spawn("relay", "postern-rtpengine", os.path.join(binaries(), "rtpengine/postern-rtpengine"),
                            "-c", config)

        def up():
            if not process.alive():
                raise LabError(process.log()[-2000:])
            try:
                return ask(lab.dir + "/bench-relay.sock", "show stats")
            except OSError:
                return None
        wait_until(up, 15, "the relay is ready")
    measure.pin(process.pid, RELAY_CPU)
    measure.prefer(process.pid)
    return process


def sdp(ip, port, protocol="RTP/AVP", more=""):
    return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s 8\r\n"
            "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n%s" % (ip, ip, port, protocol, more))


def endpoint(reply):
    text = reply["sdp"].decode()
    return re.search(r"(?m)^c=IN IP4 (\S+)", text)[1], int(re.search(r"(?m)^m=audio (\d+)", text)[1])


SUITE = "AES_CM_128_HMAC_SHA1_80"


def crypto(reply):
    """Tag and key of the suite among the lines of an SDP."""
    found = re.search(r"(?m)^a=crypto:(\d+) %s inline:([^|\s]+)" % SUITE, reply["sdp"].decode())
    return found[1], base64.b64decode(found[2])


def set_up(lab, calls, flows, sdes=False):
    """Offer and answer for every call; returns seconds taken."""
    ng = NG(lab.socket("relay", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
    ng.must("ping")
    started = time.monotonic()
    with open(flows, "w") as out:
        for i in range(calls):
            port, common = 20000 + 2 * i, {"call-id": "bench-%d" % i, "from-tag": "f%d" % i, "ICE": "remove",
                                           "replace": ["origin"], "rtcp-mux": ["demux"]}
            wanted = {"transport-protocol": "RTP/SAVP", "DTLS": "off"} if sdes else {}
            reply = ng.must("offer", sdp=sdp("10.81.1.2", port), direction=["lan", "wan"], **common, **wanted)
            wan, keys, body = endpoint(reply), "", sdp("10.81.2.2", port)
            if sdes:
                tag, from_relay = crypto(reply)
                to_relay = os.urandom(30)
                keys = " %s %s" % (to_relay.hex(), from_relay.hex())
                body = sdp("10.81.2.2", port, "RTP/SAVP", "a=crypto:%s %s inline:%s\r\n" % (
                    tag, SUITE, base64.b64encode(to_relay).decode()))
            lan = endpoint(ng.must("answer", sdp=body, **common, **{"to-tag": "t%d" % i}))
            out.write("%d 10.81.1.2 %d %s %d 10.81.2.2 %d %s %d%s\n" % (0x5bc00000 + i, port, *lan, port, *wan, keys))
    seconds = time.monotonic() - started
    ng.socket.close()
    return seconds


def load(lab, relay, flows, tool, pps, seconds):
    """One run; CPU of the relay and its NAPI threads over exactly the generator's window."""
    napi = measure.kernel_threads(["napi/rl0", "napi/rw0"])
    window = {}
    process = subprocess.Popen(
        [tool, flows, str(pps // 2), str(seconds), str(GENERATOR_CPU),
         "%s:lan0:%s" % (lab.ns("left"), mac(lab, "relay", "rl0")),
         "%s:wan0:%s" % (lab.ns("right"), mac(lab, "relay", "rw0"))], stdout=subprocess.PIPE, text=True)
    measure.prefer(process.pid)
    for line in process.stdout:
        if line.startswith(("START", "STOP")):
            window[line.strip()] = (measure.cpu_s([relay.pid]), measure.cpu_s(napi), time.monotonic())
        else:
            result = json.loads(line)
    if process.wait() != 0:
        raise LabError("rtpload failed")
    (p0, n0, t0), (p1, n1, t1) = window["START"], window["STOP"]
    relayed = result["received"] * (t1 - t0) / (seconds + 1) / 1e6  # the generator warms up for a second
    result.update(process=(p1 - p0) / relayed, napi=(n1 - n0) / relayed, total=(p1 - p0 + n1 - n0) / relayed,
                  p99_us=max(result["lan_p99_us"], result["wan_p99_us"]))
    return result


def idle(lab, seconds=5):
    """Share of a core that our relay takes with no call."""
    relay = start_relay(lab, "postern")
    time.sleep(1)
    before = measure.cpu_s([relay.pid])
    time.sleep(seconds)
    used = (measure.cpu_s([relay.pid]) - before) / seconds
    relay.stop()
    return used


STEP = 1.15  # from one rate to the next
TRIES = 5    # of a rate: a packet may also be lost to whoever else wants our CPUs
WINDOW = 2   # seconds


def bears(lab, name, options, tools, pps):
    """Whether a relay, started anew, relays `pps` without a loss; the last run."""
    flows = os.path.join(lab.dir, "flows")
    for _ in range(TRIES):
        relay = start_relay(lab, name)
        set_up(lab, options.calls, flows, options.sdes)
        row = load(lab, relay, flows, tools["rtpload"], pps, WINDOW)
        relay.stop()
        row["pps"] = pps
        row["is_offered"] = row["sent"] >= 0.995 * pps * (WINDOW + 1)  # it warms up for one
        if row["lost"] + row["bad"] == 0 and row["is_offered"]:
            return True, row
    return False, row


def highest(options, tools):
    """The highest rate that each relay bears without losing a packet, on one core for it and its receive work:
    the same rates for both, upwards, in turn. One that has lost at a rate is out."""
    best, standing, pps = {}, ["rtpengine", "postern"], options.pps // 2
    with Lab("bench") as lab:
        topology(lab)
        while standing:
            for name in list(standing):
                good, row = bears(lab, name, options, tools, pps)
                print("%-10s %7d packets/s: lost %d, bad %d, of %d sent%s; %.2f CPU-s per million packets" % (
                    name, pps, row["lost"], row["bad"], row["sent"],
                    "" if row["is_offered"] else " (the generator cannot do more)", row["total"]), flush=True)
                if good:
                    best[name] = row
                else:
                    standing.remove(name)
            pps = round(pps * STEP / 100) * 100
    for name in ("rtpengine", "postern"):
        if name not in best:
            raise LabError("%s loses packets at %d packets/s already" % (name, options.pps // 2))
    print("\n%s; %s; %d calls; none lost for %d s; steps of %d %%; one core" % (
        measure.machine(), "RTP to SRTP (%s)" % SUITE if options.sdes else "RTP", options.calls, WINDOW, round(STEP * 100 - 100)))
    print(measure.table(["relay", "packets/s, none lost", "CPU-s per million packets there"],
                        [[n, "%d" % best[n]["pps"], "%.2f" % best[n]["total"]] for n in ("rtpengine", "postern")]))
    ratio = best["postern"]["pps"] / best["rtpengine"]["pps"]
    print("\npostern / rtpengine: %.2f" % ratio)
    print("aim (at least 3): %s" % ("met" if ratio >= 3 else "NOT met"))
    return 0 if ratio >= 3 else 1


def run(options, tools):
    if options.highest:
        return highest(options, tools)
    rows = {"rtpengine": [], "postern": []}
    with Lab("bench") as lab:
        topology(lab)
        flows = os.path.join(lab.dir, "flows")
        for turn in range(options.rounds):
            for name in rows:
                relay = start_relay(lab, name)
                seconds = set_up(lab, options.calls, flows, options.sdes)
                row = load(lab, relay, flows, tools["rtpload"], options.pps, options.seconds)
                row["setup_s"] = seconds
                relay.stop()
                rows[name].append(row)
                print("round %d %-10s %.2f CPU-s per million packets (process %.2f, napi %.2f), lost %d, bad %d, p99 %.0f us"
                      % (turn + 1, name, row["total"], row["process"], row["napi"], row["lost"], row["bad"],
                         row["p99_us"]), flush=True)
        used = idle(lab)
    ratios = [a["total"] / b["total"] for a, b in zip(rows["rtpengine"], rows["postern"])]
    ratio = sorted(ratios)[len(ratios) // 2]
    lost = sum(r["lost"] + r["bad"] for r in rows["postern"])
    print("\n%s; %s; %d calls, %d packets/s, %d rounds, alternating; medians" % (
        measure.machine(), "RTP to SRTP (%s)" % SUITE if options.sdes else "RTP", options.calls, options.pps,
        options.rounds))
    print(measure.table(["relay", "process", "NAPI", "CPU-s per million packets", "lost + bad", "p99 us",
                         "%d offers and answers, s" % options.calls],
                        [[n, "%.2f" % measure.median(r, "process"), "%.2f" % measure.median(r, "napi"),
                          "%.2f" % measure.median(r, "total"), sum(x["lost"] + x["bad"] for x in r),
                          "%.0f" % measure.median(r, "p99_us"), "%.2f" % measure.median(r, "setup_s")]
                         for n, r in rows.items()]))
    print("\nrtpengine / postern, median of the rounds' ratios: %.2f (by round: %s)" % (
        ratio, ", ".join("%.2f" % r for r in ratios)))
    print("idle relay, no calls: %.2f %% of a core" % (used * 100))
    good = ratio >= 5 and lost == 0 and used < 0.01
    print("aim (ratio at least 5, 0 lost, idle below 1 %%): %s" % ("met" if good else "NOT met"))
    return 0 if good else 1
