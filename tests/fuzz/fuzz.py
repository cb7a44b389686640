#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run libFuzzer targets: each for some seconds, or one for as long as asked. What it finds is kept as
tests/fuzz/corpus/<target>/ files by hand, once understood; crashes are written to build/fuzz/findings."""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def targets(build):
    for folder, _, files in os.walk(os.path.join(build, "tests/fuzz")):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.startswith("fuzz_") and os.access(path, os.X_OK) and "." not in name:
                yield name[len("fuzz_"):], path


def main():
    parser = argparse.ArgumentParser(prog="./run fuzz")
    parser.add_argument("target", nargs="?")
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the same inputs again; 0 = others each time")
    parser.add_argument("--count", action="store_true", help="one line per target only")
    options = parser.parse_args()
    found = [(n, p) for n, p in targets(options.build) if options.target in (None, n)]
    if not found:
        print("FAIL %s: no such fuzz target" % options.target)
        return 1
    findings = os.path.join(options.build, "findings")
    os.makedirs(findings, exist_ok=True)

    def run(item):
        name, path = item
        corpus = os.path.join(TOP, "tests/fuzz/corpus", name)
        with tempfile.TemporaryDirectory() as scratch:
            command = [path, "-max_total_time=%d" % options.seconds, "-seed=%d" % options.seed, "-timeout=10", "-rss_limit_mb=2048",
                       "-artifact_prefix=%s/%s-" % (findings, name), "-print_final_stats=1", scratch]
            if os.path.isdir(corpus):
                command.append(corpus)
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=options.seconds + 120)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _), result in zip(sorted(found), pool.map(run, sorted(found))):
            runs = next((l.split()[-1] for l in result.stdout.splitlines() if "number_of_executed_units" in l), "0")
            good = result.returncode == 0 and int(runs) > 0
            print("%s %-24s %s runs" % ("ok  " if good else "FAIL", name, runs), flush=True)
            if not good or not options.count:
                print("\n".join(result.stdout.splitlines()[-40 if not good else -8:]))
            failed += not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
