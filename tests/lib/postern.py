# SPDX-License-Identifier: Apache-2.0
"""Postern under test: `postern run` in a host of the lab, its stats sockets, and the leak check."""
import json
import os
import signal
import socket
import time

from .lab import LabError, wait_until

SHORTEST = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def binaries():
    top = os.environ.get("POSTERN_BUILD")
    if not top:
        raise LabError("POSTERN_BUILD names no build folder")
    return top


def ask(path, command, seconds=5):
    """One command to a stats socket, one JSON document back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(seconds)
        s.connect(path)
        s.sendall(command.encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            part = s.recv(65536)
            if not part:
                break
            data += part
    return json.loads(data)


class Postern:
    """`config` is YAML; stats sockets, worker count and log level are added unless it has them."""

    def __init__(self, lab, config=SHORTEST, host="sbc", workers=None, name="postern", extra="", env=None):
        self.lab, self.host = lab, host
        self.socket = os.path.join(lab.dir, name + ".sock")
        self.relay_socket = os.path.join(lab.dir, name + "-relay.sock")
        workers = workers or int(os.environ.get("POSTERN_WORKERS", "0"))
        if "stats:" not in config:
            config += "stats: {socket: %s, relay-socket: %s}\n" % (self.socket, self.relay_socket)
        if workers and "workers:" not in config:
            config += "workers: %d\n" % workers
        self.path = lab.write(name + ".yaml", config + extra)
        # The sanitizers' verdict goes to files that close() reads; LeakSanitizer runs at a clean exit.
        sanitizer = {"ASAN_OPTIONS": "log_path=%s/asan:detect_leaks=1:abort_on_error=0:exitcode=99" % lab.dir,
                     "UBSAN_OPTIONS": "log_path=%s/ubsan:print_stacktrace=1:halt_on_error=1" % lab.dir}
        self.process = lab.spawn(host, name, *self.command(), env={**sanitizer, **(env or {})})
        try:
            wait_until(self.is_up, 20, "Postern is ready")
        except LabError as e:
            raise LabError("%s; it said:\n%s" % (e, self.process.log()[-3000:]))
        self.start = self.settled()

    def command(self):
        return [os.path.join(binaries(), "control/cli/postern"), "run", "-c", self.path]

    def is_up(self):
        if not self.process.alive():
            raise LabError("postern ended with %s" % self.process.popen.returncode)
        try:
            return self.stats() and self.relay_stats()
        except (OSError, ValueError):
            return False

    def ask(self, command):
        return ask(self.socket, command)

    def ask_relay(self, command):
        return ask(self.relay_socket, command)

    def stats(self):
        return self.ask("show stats")

    def relay_stats(self):
        return self.ask_relay("show stats")

    def calls(self):
        return self.ask("show calls")

    def pids(self):
        """{program: pid} of the two halves."""
        found = {}
        stack = [self.process.pid]  # `ip netns exec` became the command itself
        while stack:
            pid = stack.pop()
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    children = [int(c) for c in f.read().split()]
                with open("/proc/%d/cmdline" % pid) as f:
                    name = os.path.basename(f.read().split("\0")[0])
            except OSError:
                continue
            found[name] = pid
            stack += children
        return found

    def power_failure(self):
        """No process is left to say anything: a half that sees its supervisor end would end its calls in order."""
        pids = [self.process.pid] + list(self.pids().values())
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    pass
        return pids

    def gone(self, pids):
        """The kernel takes a second to give back what they had."""
        self.process.wait(5)
        wait_until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), 10, "the node is gone")

    def fds(self):
        count = {}
        for name, pid in self.pids().items():
            if name in ("postern-sbc", "postern-rtpengine"):
                count[name] = len(os.listdir("/proc/%d/fd" % pid))
        return count

    def settled(self):
        """Resources once two looks in a row agree. Our own questions are files too, closed when a busy machine
        comes to it: what a few looks have at least is what was there before we asked."""
        last = []

        def agree():
            last.append(self.resources())
            return len(last) > 4 and last[-1] == last[-2]
        wait_until(agree, 10, "what Postern holds at its start settles", step=0.1)
        fds = [looked["fds"] for looked in last]
        return dict(last[-1], fds={name: min(one.get(name, count) for one in fds) for name, count in fds[-1].items()})

    def resources(self):
        fds = self.fds()  # before our own questions: those are files too until a busy machine has closed them
        sbc, relay = self.stats(), self.relay_stats()
        return {"fds": fds, "sbc": sbc["held"], "relay": relay.get("resources", {})}

    def check_idle(self, seconds=20, linger=True):
        """Everything is back where it started: calls, registrations, ports, flows, mbufs, fds; with `linger`
        also transactions and their timers, which stay for 64*T1 = 32 s (RFC 3261, timer J)."""
        lingering = () if linger else ("transactions", "timers")

        def idle():
            now = self.resources()
            self.difference = [
                "%s %s: %s at start, %s now" % (half, key, self.start[half].get(key), value)
                for half in ("fds", "sbc", "relay") for key, value in now[half].items()
                if value != self.start[half].get(key) and key not in lingering]
            return not self.difference
        try:
            wait_until(idle, seconds, "nothing is left behind", step=0.3)
        except LabError:
            raise LabError("left behind after %d s: %s\n%s" % (seconds, "; ".join(self.difference), self.open_files()))

    def open_files(self):
        return "\n".join("%s: %s" % (name, " ".join(sorted(
            os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid))))
            for name, pid in self.pids().items() if name.startswith("postern-"))

    def stop(self, expect=0):
        status = self.process.stop(seconds=15)
        reports = [n for n in os.listdir(self.lab.dir) if n.startswith(("asan", "ubsan"))]
        for name in reports:
            with open(os.path.join(self.lab.dir, name)) as f:
                print("--- %s\n%s" % (name, f.read()[:6000]), flush=True)
        if reports:
            raise LabError("sanitizer reports: %s" % ", ".join(reports))
        if expect is not None and status != expect:
            raise LabError("postern run ended with %s, not %s:\n%s" % (status, expect, self.process.log()[-2000:]))
        return status
