# SPDX-License-Identifier: Apache-2.0
"""The world that is put out of order: Postern with Redis and fault proxies in front of both wires, a crowd of calls on
either side, and what has to hold whatever happens."""
import os
import re
import signal
import socket
import subprocess
import time
from datetime import datetime

from chaos.node import Node
from lib.cluster import announce
from lib.crowd import CONFIG, Crowd
from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.postern import binaries
from lib.redis import Redis
from lib.state_check import findings, lasting, memory, redis_records

STATE_KEY = "correct horse battery staple 0123456789"


def stamp(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class World:
    """One node. `postern`, `proxy` and `ng` are those of the node that serves."""

    def __init__(self, lab, workers=2, proxies=True, extra="", idle="5s", protect="ringing", wait="20ms"):
        self.lab, self.workers, self.idle = lab, workers, idle
        self.network()
        self.redis = Redis(lab)
        self.crowd = Crowd(lab)
        self.nodes = [Node(lab, self.redis, self.config() + extra + text, proxies=proxies, workers=workers, key=STATE_KEY,
                           state=", protect: %s, wait: %s" % (protect, wait), **more) for text, more in self.cast()]
        self.serving = self.nodes[0]
        self.postern.start = self.postern.settled()

    def network(self):
        self.lab.edge()

    def config(self):
        return CONFIG.replace("idle-timeout: 5s", "idle-timeout: " + self.idle)

    def cast(self):
        """Of each node: what its configuration has beside, where it stands."""
        return [("", {})]

    postern = property(lambda self: self.serving.postern)
    proxy = property(lambda self: self.serving.proxy)
    ng = property(lambda self: self.serving.ng)

    # --- what is done to it ----------------------------------------------------------------------
    def pid(self, program):
        return self.postern.pids().get(program)

    def kill(self, *programs):
        """kill -9; returns when each is back."""
        old = {p: self.pid(p) for p in programs}
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(self.pid(p) not in (None, old[p]) for p in programs) and self.answers(), 20,
                   "%s is back" % ", ".join(programs), step=0.02)

    def answers(self):
        try:
            return self.postern.is_up()
        except LabError:
            raise
        except OSError:
            return False

    def started_at(self, program):
        """When the supervisor started it last."""
        return stamp(re.findall(r"^(\S+) .*run\.start program=%s" % program, self.postern.process.log(), re.M)[-1])

    def said_at(self, event):
        """When the log had it last."""
        return stamp(re.findall(r"^(\S+) .*? %s " % re.escape(event), self.postern.process.log(), re.M)[-1])

    def multiply(self, count):
        """So many more records in the store, of one that is there."""
        key = self.redis.keys("call:*")[0]
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.redis.socket)
            s.sendall(b"GET %s\r\n" % key.encode())
            stream = s.makefile("rb")
            value = stream.read(int(stream.readline()[1:]))
        record = os.path.join(self.lab.dir, "record")
        with open(record, "wb") as f:
            f.write(value)
        subprocess.run("%s 2 %d 600 < %s | redis-cli -s %s --pipe" % (
            os.path.join(binaries(), "tests/chaos/multiply"), count, record, self.redis.socket), shell=True, check=True,
            stdout=subprocess.DEVNULL, env={**os.environ, "STATE_KEY": STATE_KEY}, timeout=120)

    def freeze(self, pid, seconds):
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def restart_redis(self, down_s=0.0):
        """Killed, and back without its data."""
        self.redis.process.signal(signal.SIGKILL)
        self.redis.process.wait(5)
        time.sleep(down_s)
        self.redis = Redis(self.lab)

    # --- what must hold ----------------------------------------------------------------------------
    def calls(self):
        return self.postern.calls()

    def ended(self):
        return [one for node in self.nodes for one in node.ended()]

    def consistent(self, seconds=5.0):
        wrong = lasting(lambda: findings(
            [memory(node.postern.ask, node.postern.ask_relay) for node in self.nodes if not node.is_dead],
            redis_records(self.redis.socket)), seconds)
        expect(not wrong, "node and store agree within %g s: %s" % (seconds, "; ".join(wrong[:5])))

    def protected(self, seconds=5.0):
        def known():
            stats = self.postern.stats()
            return not stats["store"]["workers_away"] and not stats["held"]["calls_unprotected"]
        wait_until(known, seconds, lambda: "all calls are protected: %s" % self.postern.stats()["store"])

    def check(self, seconds=5.0):
        """After a step: nobody was cut off, both halves and the store know the same calls."""
        report = self.crowd.settle()
        for count in ("cut", "bye_bad", "bye_lost", "cancel_bad", "reinvite_bad"):
            expect(report[count] == 0, "none is %s: %s\n%s" % (count, report, self.crowd.log()[-1500:]))

        def living():
            now = self.crowd.report()
            return now["up"] + now["ringing"]
        wait_until(lambda: len(self.calls()) == living(), 25, lambda: self.difference(living()))
        self.protected(seconds)
        self.consistent(seconds)
        return report

    def was_taken_up_again(self, name):
        """A record is deleted up to 20 ms after its call: one that ended right before a kill is taken up again, and
        ends when its relay is asked, with a second CDR."""
        log = "".join(node.postern.process.log() for node in self.nodes)
        ended = [stamp(t) for t in re.findall(r"^(\S+) .*call\.ended .*a_call_id=%s " % name, log, re.M)]
        died = [stamp(t) for t in re.findall(r"^(\S+) .*run\.died program=postern-sbc", log, re.M)]
        return len(ended) == 2 and any(0 <= t - ended[0] < 0.3 for t in died)

    def difference(self, up):
        here = {call["id"]: call for call in self.calls()}
        ended = re.findall(r"^(\S+) .*call\.ended call=(\S+)", self.postern.process.log(), re.M)
        return "Postern has the %d calls of the crowd, it has %d; ended before: %s" % (
            up, len(here), [(when, here[name]) for when, name in ended if name in here])

    def audible(self, limit_ms, seconds=8.0):
        """Everybody hears somebody, and nobody was without for longer since the mark."""
        try:
            report = self.crowd.wait(lambda r: r["deaf"] == 0, seconds, "everybody hears")
        except LabError as err:
            self.crowd.ask("deaf")
            raise LabError("%s\n%s" % (err, self.crowd.log()[-1500:]))
        expect(report["gap_max_ms"] <= limit_ms, "no silence beyond %d ms: %s" % (limit_ms, report))
        return report

    def finish(self):
        """All hang up; nothing is left anywhere, and each call has its one CDR."""
        report = self.crowd.report()
        while report["up"] or report["ringing"]:
            self.crowd.do("cancel", report["ringing"])
            self.crowd.do("bye", report["up"], 500)
            report = self.crowd.settle()
        self.crowd.wait(lambda r: r["bye_through"] >= r["bye_ok"], 5, "each BYE reached the other end")
        expect(report["bye_bad"] == report["bye_lost"] == report["cut"] == 0, "each is ended by BYE: %s" % report)
        wait_until(lambda: not self.calls(), 10, "no call is left")
        ended = self.ended()
        names = [name for _, name in ended]
        twice = sorted(n for n in set(names) if names.count(n) > 1 and not self.was_taken_up_again(n))
        expect(not twice, "one CDR a call: %s" % twice[:5])
        hung_up = sum(cause == "hung up" for cause, _ in ended)
        expect(hung_up == report["bye_ok"], "a CDR for each call that was ended: %d, %d" % (hung_up, report["bye_ok"]))
        wait_until(lambda: not self.left(), 10, lambda: "no key is left: %s" % self.left()[:5])
        return report

    def left(self):
        return [k for k in self.redis.keys() if not k.startswith(("node:", "postern:"))]

    def close(self, idle=True):
        self.crowd.close()
        if idle:
            self.postern.check_idle(20, linger=False)
        for node in self.nodes:
            node.close()


FLOATING = {"wan": "203.0.113.10", "lan": "10.0.0.1"}


class Pair(World):
    """Two nodes, each with a relay; one has the addresses, which move when it dies."""

    def network(self):
        lab = self.lab
        lab.host("inet", "switch", "lan", "pbx", "a", "b")
        lab.link("switch", "s0", "inet", "s0", None, "203.0.113.1/24")
        lab.link("lan", "p0", "pbx", "eth0", None, "10.0.0.20/24")
        lab.route("pbx", FLOATING["lan"])
        for number, node in enumerate(("a", "b"), 1):
            lab.link("switch", "s%d" % number, node, "wan", None, "203.0.113.%d/24" % (10 + number))
            lab.link("lan", "p%d" % number, node, "lan", None, "10.0.0.%d/24" % (10 + number))
            lab.route(node, "203.0.113.1")
        lab.bridge("switch", "s0", "s1", "s2")
        lab.bridge("lan", "p0", "p1", "p2")
        self.move("a")

    def config(self):
        return CONFIG.replace("address: 10.0.0.1,", "address: 10.0.0.1, floating: true,").replace(
            "address: 203.0.113.10,", "address: 203.0.113.10, floating: true,")

    def cast(self):
        return [("node: {name: %s}\n" % name, {"host": name, "name": name}) for name in ("a", "b")]

    def move(self, host):
        """As keepalived would: the addresses, and what tells the neighbours."""
        self.lab.run(host, "ip", "-batch", self.lab.write("move", "".join(
            "addr add %s/32 dev %s\n" % (address, device) for device, address in FLOATING.items())))
        for device, address in FLOATING.items():
            announce(self.lab, host, device, address)

    def fail_over(self, after_s=0.5):
        """The serving node dies whole; after so long the other one has its addresses. Returns when it died."""
        dead = self.serving
        now = time.monotonic()
        for device in FLOATING:
            self.lab.run(dead.host, "ip", "link", "set", device, "down")
        pids = dead.die()
        self.serving = next(node for node in self.nodes if node is not dead)
        time.sleep(max(0.0, now + after_s - time.monotonic()))
        self.move(self.serving.host)
        dead.postern.gone(pids)
        return now

    def come_back(self):
        """The dead one is there again, without the addresses."""
        dead = next(node for node in self.nodes if node.is_dead)
        for device, address in FLOATING.items():
            self.lab.run(dead.host, "ip", "addr", "del", address + "/32", "dev", device)
            self.lab.run(dead.host, "ip", "link", "set", device, "up")
        self.lab.route(dead.host, "203.0.113.1")
        dead.start()

    def left(self):
        """What the relay of a dead node wrote ends by itself 10 minutes later, or with the node's return."""
        dead = tuple("}:" + node.name for node in self.nodes if node.is_dead)
        return [key for key in super().left() if not (key.startswith("media:") and key.endswith(dead))]
