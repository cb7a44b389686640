#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run bench media|ng|sip: figures beside peers, as ratios of one sitting. The printed tables go to
docs/performance.md. Exit status 0 says that the aim was met."""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]


def build_tools(folder):
    os.makedirs(folder, exist_ok=True)
    tools = {}
    for name in ("rtpload", "callgen"):
        tools[name] = os.path.join(folder, name)
        subprocess.check_call(["gcc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o", tools[name],
                               os.path.join(HERE, name + ".c"), "-lsrtp2"])
    return tools


def datapath(options):
    """Cycles of the packet path alone: no device, no system call; the best of five runs."""
    subprocess.check_call(["ninja", "-C", options.bin, "tests/bench/bench_datapath"], stdout=subprocess.DEVNULL)
    best = {}
    for _ in range(5):
        lines = subprocess.check_output(["taskset", "-c", "1", os.path.join(options.bin, "tests/bench/bench_datapath"),
                                         str(options.flows)], text=True).splitlines()
        for name, cycles in ((line[:36].strip(), int(line[36:43])) for line in lines[1:]):
            best[name] = min(cycles, best.get(name, cycles))
    print(lines[0].replace("best and median", "best"))
    for name, cycles in best.items():
        print("%-36s %6d" % (name, cycles))
    good = best["RTP"] <= 150 and best["RTP to AES_CM_128_HMAC_SHA1_80"] <= 750 and \
        best["AES_CM_128_HMAC_SHA1_80 to RTP"] <= 750
    print("aim (150 plain, 750 with one AES_CM_128_HMAC_SHA1_80): %s" % ("met" if good else "NOT met"))
    return 0 if good else 1


def worst(options):
    """CPU time of the most expensive messages of 64 KB."""
    subprocess.check_call(["ninja", "-C", options.bin, "tests/bench/bench_worst"], stdout=subprocess.DEVNULL)
    return subprocess.call(["taskset", "-c", "1", os.path.join(options.bin, "tests/bench/bench_worst")])


def main():
    parser = argparse.ArgumentParser(prog="./run bench")
    parser.add_argument("what", choices=["media", "ng", "sip", "datapath", "worst"])
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="media, ng: calls at once")
    parser.add_argument("--pps", type=int, default=40000, help="media: packets per second, both directions")
    parser.add_argument("--sdes", action="store_true", help="media, ng: the WAN side is SRTP (AES_CM_128_HMAC_SHA1_80)")
    parser.add_argument("--flows", type=int, default=15000, help="datapath: flows")
    parser.add_argument("--rate", type=int, default=100, help="sip: calls per second")
    parser.add_argument("--highest", action="store_true", help="sip, media: the highest clean rate of each stack")
    parser.add_argument("--register", action="store_true", help="sip: REGISTERs, relayed")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("bench: needs two CPUs, one for the generator")
    os.environ["POSTERN_BUILD"] = options.bin
    if options.what == "datapath":
        return datapath(options)
    if options.what == "worst":
        return worst(options)
    tools = build_tools(os.path.join(os.path.dirname(options.bin), "bench"))
    import media
    import ng
    import sip
    return {"media": media, "ng": ng, "sip": sip}[options.what].run(options, tools)


if __name__ == "__main__":
    sys.exit(main())
