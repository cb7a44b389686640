#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern run with two small programs in place of the halves: order, restart, back-off, stop, exit
status, and that nobody is left behind. Usage: test_run.py POSTERN"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CONFIG = """interfaces:
  lan: {role: trusted, address: 127.0.0.1}
peers:
  pbx: {interface: lan, address: 127.0.0.2}
routes: [{from: pbx, to: pbx}]
user: root
stats: {socket: %(dir)s/run/sbc.sock, relay-socket: %(dir)s/run/relay.sock}
"""

# Becomes ready after DELAY, ends by SIGTERM; notes what happens in the journal.
HALF = """#!/bin/sh
name=${0##*/postern-}
cd "${0%%/*}"
note() { echo "$name $*" >> journal; }
[ -n "$again" ] || note start $$ "$@"
trap 'note term; %(on_term)s' TERM
%(before)s
note ready
echo ready >&3
exec 3>&-
%(after)s
i=0
while [ $i -lt 400 ]; do sleep 0.05; i=$((i+1)); done
"""


class Bench:
    def __init__(self, sbc=None, relay=None, config=""):
        self.dir = tempfile.mkdtemp(prefix="postern-run-")
        self.binary = os.path.join(self.dir, "postern")
        shutil.copy(sys.argv[1], self.binary)
        for name, change in (("sbc", sbc), ("rtpengine", relay)):
            parts = dict({"on_term": "exit 0", "before": "", "after": ""}, **(change or {}))
            path = os.path.join(self.dir, "postern-" + name)
            with open(path, "w") as f:
                f.write(HALF % parts)
            os.chmod(path, 0o755)
        self.config = os.path.join(self.dir, "test.yaml")
        with open(self.config, "w") as f:
            f.write(CONFIG % {"dir": self.dir} + config)
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.process = subprocess.Popen([self.binary, "run", "-c", self.config], stderr=self.log,
                                        stdout=self.log, start_new_session=True)

    def journal(self):
        try:
            with open(os.path.join(self.dir, "journal")) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def wait(self, what, seconds=10):
        """Until `what` (a pattern) was noted."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(re.search(what, line) for line in self.journal()):
                return
            time.sleep(0.02)
        raise AssertionError("%s was not noted; journal: %s; log:\n%s" % (what, self.journal(), self.said()))

    def wait_count(self, what, count, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if sum(bool(re.search(what, line)) for line in self.journal()) >= count:
                return
            time.sleep(0.02)
        raise AssertionError("%s x %d was not noted; journal: %s" % (what, count, self.journal()))

    def pids(self, name):
        return [int(l.split()[2]) for l in self.journal() if l.startswith(name + " start")]

    def said(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def end(self, signum=signal.SIGTERM, seconds=15):
        self.process.send_signal(signum)
        return self.process.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        end = time.monotonic() + 8
        left = None
        while time.monotonic() < end:
            left = [p for n in ("sbc", "rtpengine") for p in self.pids(n) if alive(p)]
            if not left:
                break
            time.sleep(0.05)
        self.log.close()
        shutil.rmtree(self.dir)
        assert not left, "left behind: %s" % left


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def starts_relay_then_sbc_and_stops_in_reverse(b):
    b.wait("sbc ready")
    status = b.end()
    assert status == 0, status
    order = [" ".join(l.split()[:2]) for l in b.journal()]
    assert order == ["rtpengine start", "rtpengine ready", "sbc start", "sbc ready", "sbc term",
                     "rtpengine term"], order
    assert b.journal()[0].endswith("-c %s --ready-fd 3" % b.config), b.journal()[0]
    assert os.path.isdir(os.path.join(b.dir, "run"))


def interrupt_stops_as_well(b):
    b.wait("sbc ready")
    assert b.end(signal.SIGINT) == 0


def a_dead_half_is_restarted_alone(b):
    b.wait("sbc ready")
    os.kill(b.pids("rtpengine")[0], signal.SIGKILL)
    b.wait_count("rtpengine ready", 2)
    assert len(b.pids("sbc")) == 1
    assert "run.died program=postern-rtpengine" in b.said() and "signal=9" in b.said()
    assert b.end() == 0


def the_back_off_doubles(b):
    b.wait_count("sbc start", 4)
    assert b.end() in (0, 4) # the fourth may be just about to end
    waits = [int(w) for w in re.findall(r"run.restart program=postern-sbc after_ms=(\d+)", b.said())]
    assert waits[:3] == [10, 20, 40], waits


def a_half_that_cannot_start_ends_the_run(b):
    assert b.process.wait(10) == 3
    assert "run.failed program=postern-sbc" in b.said()
    assert "rtpengine term" in b.journal()


def a_half_that_does_not_stop_is_killed(b):
    b.wait("sbc ready")
    began = time.monotonic()
    assert b.end() == 4
    assert 4.5 < time.monotonic() - began < 9
    assert "rtpengine term" in b.journal()


def a_second_signal_does_not_wait(b):
    b.wait("sbc ready")
    began = time.monotonic()
    b.process.send_signal(signal.SIGTERM)
    b.wait("sbc term")
    assert b.end() == 4
    assert time.monotonic() - began < 4


def an_unclean_end_is_told(b):
    b.wait("sbc ready")
    assert b.end() == 4
    assert "run.unclean program=postern-sbc exit=99" in b.said()


def nobody_outlives_a_killed_supervisor(b):
    b.wait("sbc ready")
    b.process.kill()
    b.process.wait()
    b.wait("rtpengine term")
    b.wait("sbc term")


def nor_do_programs_that_changed_their_user(b):
    nobody_outlives_a_killed_supervisor(b)
    order = [" ".join(l.split()[:2]) for l in b.journal()]
    assert order[-2:] == ["sbc term", "rtpengine term"], order


def a_wrong_file_starts_nothing(b):
    assert b.process.wait(10) == 1
    assert b.journal() == []
    assert "test.yaml:8:1: the file has no key \"statz\"" in b.said(), b.said()
    assert "nothing was started" in b.said()


def a_relay_elsewhere_is_not_started(b):
    b.wait("sbc ready")
    assert b.end() == 0
    assert b.pids("rtpengine") == []


# The kernel forgets the parent-death signal when a program changes its user: so do these.
FORGETFUL = {"before": 'if [ -z "$again" ]; then again=1 exec setpriv --pdeathsig clear "$0" "$@"; fi'}

TESTS = [
    (starts_relay_then_sbc_and_stops_in_reverse, {}),
    (interrupt_stops_as_well, {}),
    (a_dead_half_is_restarted_alone, {}),
    (the_back_off_doubles, {"sbc": {"after": "exit 1"}}),
    (a_half_that_cannot_start_ends_the_run, {"sbc": {"before": "exit 1"}}),
    (a_half_that_does_not_stop_is_killed, {"sbc": {"on_term": ":"}}),
    (a_second_signal_does_not_wait, {"sbc": {"on_term": ":"}}),
    (an_unclean_end_is_told, {"sbc": {"on_term": "exit 99"}}),
    (nobody_outlives_a_killed_supervisor, {}),
    (nor_do_programs_that_changed_their_user, {"sbc": FORGETFUL, "relay": FORGETFUL}),
    (a_wrong_file_starts_nothing, {"config": "statz: {}\n"}),
    (a_relay_elsewhere_is_not_started, {"config": "relay: {listen: []}\n"}),
]


def main():
    print("1..%d" % len(TESTS))
    failed = 0
    for number, (test, options) in enumerate(TESTS, 1):
        bench = Bench(**options)
        why = None
        try:
            test(bench)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            why = "%s\n%s" % (e, bench.said())
        try:
            bench.close()
        except AssertionError as e:
            why = why or str(e)
        failed += why is not None
        print("%sok %d - %s" % ("not " if why else "", number, test.__name__), flush=True)
        for line in (why or "").splitlines():
            print("# " + line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
