#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run scenarios: each folder NN_name holds test.py with run(lab). One process each, a few at a time.

A scenario is run once per entry of its WORKERS (default 1, 2 and 4 signalling workers); within a
folder's test.py, `WORKERS = [2]` narrows that where the worker count is not what is tested. `ALONE = True`: nothing
else runs beside it, until it calls `lab.no_longer_alone()`; `LONG = True`: it is begun early, because it waits for
long."""
import argparse
import ast
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)


def declared(path, name, default):
    """A module-level constant, read without importing the file."""
    with open(path) as f:
        for node in ast.parse(f.read()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
                return ast.literal_eval(node.value)
    return default


def discover(folders, names):
    found = []
    for folder in folders:
        for entry in sorted(os.listdir(folder)):
            path = os.path.join(folder, entry, "test.py")
            if not re.match(r"\d+_", entry) or not os.path.exists(path):
                continue
            if names and not any(n in entry for n in names):
                continue
            for workers in declared(path, "WORKERS", [1, 2, 4]):
                found.append(("%s/%s" % (os.path.basename(folder), entry), path, workers,
                              declared(path, "TIMEOUT", 120), declared(path, "ALONE", False),
                              declared(path, "LONG", False)))
    return found


def run_one(case, build, logs, alone=""):
    name, path, workers, timeout = case[:4]
    env = {**os.environ, "POSTERN_BUILD": build, "POSTERN_WORKERS": str(workers), "PYTHONPATH": TESTS,
           "POSTERN_LAB_LOGS": logs or "", "POSTERN_ALONE": alone, "PYTHONDONTWRITEBYTECODE": "1"}
    code = ("import sys, importlib.util as u\n"
            "s = u.spec_from_file_location('test', %r); m = u.module_from_spec(s); s.loader.exec_module(m)\n"
            "from lib.lab import Lab\n"
            "with Lab(%r) as lab: m.run(lab)\n" % (path, os.path.basename(os.path.dirname(path))[:12]))
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env=env, cwd=os.path.dirname(path), start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # its lab closes
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        status, output = 124, output + "\ntimed out after %d s" % timeout
    return status, output, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--folder", action="append")
    parser.add_argument("--logs")
    parser.add_argument("--show", action="store_true", help="also what those that passed have said")
    parser.add_argument("--workers", type=int, help="only this worker count")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    folders = [os.path.abspath(f) for f in options.folder or [os.path.join(TESTS, "interop"), HERE]]
    cases = discover(folders, options.names)
    if options.workers:
        cases = [c for c in cases if c[2] == options.workers]
    passed = failed = 0

    def report(case, result):
        nonlocal passed, failed
        status, output, seconds = result
        label = "%s, %d worker%s" % (case[0], case[2], "" if case[2] == 1 else "s")
        if status == 0:
            passed += 1
            print("ok   %-52s %5.1f s" % (label, seconds), flush=True)
            if options.show:
                print("".join("     %s\n" % line for line in output.splitlines()), end="", flush=True)
        else:
            failed += 1
            print("FAIL %-52s %5.1f s (exit %s)\n%s" % (label, seconds, status,
                  "\n".join("     " + l for l in output.splitlines()[-120:])), flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {}
        for case in [c for c in cases if c[4]]:
            with tempfile.NamedTemporaryFile(prefix="postern-alone-", delete=False) as alone:
                future = pool.submit(run_one, case, options.build, options.logs, alone.name)
            while os.path.exists(alone.name) and not future.done():
                time.sleep(0.05)
            if os.path.exists(alone.name):
                os.unlink(alone.name)
            futures[future] = case
        for case in sorted([c for c in cases if not c[4]], key=lambda c: not c[5]):
            futures[pool.submit(run_one, case, options.build, options.logs)] = case
        for future in concurrent.futures.as_completed(futures):
            report(futures[future], future.result())
    print("scenarios: %d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
