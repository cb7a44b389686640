# SPDX-License-Identifier: Apache-2.0
"""Many calls with RTP through an edge (tests/chaos/crowd.c): carrier at 203.0.113.1, PBX at 10.0.0.20."""
import json
import os
import selectors
import subprocess

from .lab import LabError, wait_until
from .postern import binaries

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-29999, idle-timeout: 5s}}
  wan: {address: 203.0.113.10, media: {srtp: allow, keying: [sdes, dtls], ports: 30000-39999, idle-timeout: 5s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 203.0.113.1}
routes:
  - {name: in, from: carrier, to: pbx}
  - {name: out, from: pbx, to: carrier}
"""


class Crowd:
    def __init__(self, lab):
        self.errors = open(os.path.join(lab.dir, "crowd.log"), "w+")
        self.process = subprocess.Popen(
            [os.path.join(binaries(), "tests/chaos/crowd"), lab.ns("inet"), "203.0.113.1", "203.0.113.10",
             lab.ns("pbx"), "10.0.0.20", "10.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.report()

    def ask(self, line, seconds=20):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise LabError("the crowd ended (%s): %s" % (self.process.poll(), self.log()[-500:]))
        if not self.selector.select(seconds):
            raise LabError("the crowd says nothing to %r" % line)
        data = self.process.stdout.readline()
        if not data:
            raise LabError("the crowd ended: %s" % self.log()[-500:])
        answer = json.loads(data)
        if answer.get("error"):
            raise LabError("the crowd, to %r: %s" % (line, answer["error"]))
        return answer

    def report(self):
        return self.ask("report")

    def mark(self):
        self.ask("mark")

    def start(self, count, rate=100, answer_ms=0, caller="any", sdes=0, dtls=0):
        self.ask("start %d %g %d %s %d %d" % (count, rate, answer_ms, caller, sdes, dtls))

    def do(self, verb, count, rate=200):
        """answer, cancel, decline, bye, reinvite: so many of those that can be, at random."""
        self.ask("%s %d %g" % (verb, count, rate))

    def rtp(self, interval_ms):
        self.ask("rtp %d" % interval_ms)

    def patience(self, seconds):
        self.ask("patience %d" % (seconds * 1000))

    def probe(self):
        self.ask("probe")

    def probed(self, seconds=15):
        """ms until an OPTIONS sent since probe() was answered."""
        return wait_until(lambda: max(0, self.report()["probe_ms"]), seconds, "OPTIONS is answered", step=0.005)

    def wait(self, test, seconds, what, step=0.05):
        return wait_until(lambda: (lambda r: r if test(r) else None)(self.report()), seconds,
                          lambda: "%s: %s\n%s" % (what, self.report(), self.log()[-1500:]), step=step)

    def settle(self, seconds=25):
        """Nobody asks for anything any more; who rings until told rings on."""
        return self.wait(lambda r: not (r["busy"] or r["invited"] or r["ending"] or r["asking"] or r["unconfirmed"] or
                                        r["answering"]), seconds, "the crowd comes to rest")

    def log(self):
        self.errors.flush()
        with open(self.errors.name) as f:
            return f.read()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.process.stdout.close()
        return self.process.returncode
