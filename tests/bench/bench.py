#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run bench media|sip: figures beside peers, as ratios of one sitting. The printed tables go to
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
                               os.path.join(HERE, name + ".c")])
    return tools


def main():
    parser = argparse.ArgumentParser(prog="./run bench")
    parser.add_argument("what", choices=["media", "sip"])
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="media: calls at once")
    parser.add_argument("--pps", type=int, default=40000, help="media: packets per second, both directions")
    parser.add_argument("--rate", type=int, default=100, help="sip: calls per second")
    options = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit("bench: needs two CPUs, one for the generator")
    os.environ["POSTERN_BUILD"] = options.bin
    tools = build_tools(os.path.join(os.path.dirname(options.bin), "bench"))
    import media
    import sip
    return {"media": media, "sip": sip}[options.what].run(options, tools)


if __name__ == "__main__":
    sys.exit(main())
