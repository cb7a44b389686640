#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that `./run tests` runs, in order, ending with a count of passed and failed."""
import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STARTED = time.monotonic()
totals = {"passed": 0, "failed": 0}
failures = []


def say(text):
    print("\033[1m[%3ds]\033[0m %s" % (time.monotonic() - STARTED, text), flush=True)


def count(name, ok, detail=""):
    totals["passed" if ok else "failed"] += 1
    if not ok:
        failures.append(name)
        print("FAIL %s %s" % (name, detail), flush=True)


def build(kind):
    """release and asan are built with gcc, fuzz with clang."""
    result = subprocess.run([os.path.join(TOP, "run"), "build-" + kind], cwd=TOP)
    count("build of %s, no warnings" % kind, result.returncode == 0)
    return result.returncode == 0


def meson_tests(kind, without=()):
    folder = os.path.join(TOP, "build", kind)
    say("units, layers and fuzz corpora in build/%s" % kind if not without else "units in build/%s" % kind)
    # more at once than there are CPUs: many of them wait for timers and peers
    subprocess.run(["meson", "test", "-C", folder, "--print-errorlogs", "--no-rebuild", "--quiet",
                    "--num-processes", str(3 * os.cpu_count()), "--timeout-multiplier", "4",
                    *(word for suite in without for word in ("--no-suite", suite))], cwd=TOP)
    for suite in ET.parse(os.path.join(folder, "meson-logs", "testlog.junit.xml")).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            count("%s: %s" % (suite.get("name"), case.get("name")),
                  case.find("failure") is None and case.find("error") is None and case.find("skipped") is None)


def scenarios(kind, names):
    say("scenarios with real peers, build/%s" % kind)
    command = [sys.executable, os.path.join(TOP, "tests/scenario/run.py"), "--build",
               os.path.join(TOP, "build", kind), *names]
    process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        print(line, end="", flush=True)
        found = re.match(r"(ok  |FAIL) (\S+, \d workers?)", line)
        if found:
            totals["passed" if found.group(1).strip() == "ok" else "failed"] += 1
            if found.group(1) == "FAIL":
                failures.append(found.group(2))
    process.wait()


def formatting():
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=TOP, stdout=subprocess.PIPE, text=True)
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files.stdout.split()], cwd=TOP,
                            stderr=subprocess.PIPE, text=True)
    count("formatting (.clang-format)", result.returncode == 0, result.stderr[:2000])


def fuzz(seconds):
    say("each fuzz target for %d s" % seconds)
    result = subprocess.run([sys.executable, os.path.join(TOP, "tests/fuzz/fuzz.py"), "--build",
                             os.path.join(TOP, "build/fuzz"), "--seconds", str(seconds), "--seed", "1", "--count"],
                            cwd=TOP, stdout=subprocess.PIPE, text=True)
    for line in result.stdout.splitlines():
        print(line, flush=True)
        found = re.match(r"(ok  |FAIL) (\S+)", line)
        if found:
            count("fuzz " + found.group(2), found.group(1).strip() == "ok")


def main():
    parser = argparse.ArgumentParser(prog="./run tests")
    parser.add_argument("names", nargs="*", help="only scenarios whose folder holds one of these words")
    parser.add_argument("--fuzz-seconds", type=int, default=3)
    options = parser.parse_args()
    if options.names:
        if build("asan"):
            scenarios("asan", options.names)
    else:
        if build("release"):
            formatting()
            meson_tests("release", ("netns", "fuzz", "lint"))  # those see as much under ASan
        if build("fuzz"):
            fuzz(options.fuzz_seconds)
        if build("asan"):
            meson_tests("asan")
            scenarios("asan", [])
    for name in failures:
        print("failed: %s" % name)
    say("tests: %d passed, %d failed" % (totals["passed"], totals["failed"]))
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
