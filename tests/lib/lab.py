# SPDX-License-Identifier: Apache-2.0
"""A lab: hosts as network namespaces, processes in them, and everything gone at the end.

The roles are those of the founding report (home - nat - inet - sbc - lan):

    home 192.168.0.18 -- nat 192.168.0.1 | 81.56.73.55 -- inet -- sbc 203.0.113.10 | 10.0.0.1 -- lan
                                            stranger 198.51.100.66 /                 pbx 10.0.0.20, desk 10.0.0.30
"""
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True


class LabError(Exception):
    """What the lab itself could not do; the text is for a person."""


def sh(*command, check=True, timeout=30, **kw):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=timeout, **kw)
    if check and result.returncode != 0:
        raise LabError("%s: exit %d: %s" % (" ".join(command), result.returncode, result.stdout.strip()))
    return result.stdout


def wait_until(condition, seconds, what, step=0.02):
    """Poll `condition` until it is true; its value is returned. Bounded."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError("after %.1f s still not: %s" % (seconds, what() if callable(what) else what))
        time.sleep(step)


class Process:
    """One process of ours in a host; its output goes to a file; ended by pid."""

    def __init__(self, lab, host, name, command, env=None, stop_signal=signal.SIGTERM, cwd=None):
        self.lab, self.name, self.stop_signal = lab, name, stop_signal
        self.log_path = os.path.join(lab.dir, name + ".log")
        full = (["ip", "netns", "exec", lab.ns(host)] if host else []) + [str(c) for c in command]
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(full, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, cwd=cwd or lab.dir,
                                          env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.popen.pid
        lab.processes.append(self)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.popen.poll() is None

    def wait_log(self, pattern, seconds=10):
        def seen():
            found = re.search(pattern, self.log())
            if not found and not self.alive():
                raise LabError("%s ended (exit %s) before %r:\n%s" %
                               (self.name, self.popen.returncode, pattern, self.log()[-2000:]))
            return found
        return wait_until(seen, seconds, lambda: "%s says %r; it said:\n%s" % (self.name, pattern, self.log()[-1500:]))

    def signal(self, signum):
        if self.alive():
            self.popen.send_signal(signum)

    def stop(self, seconds=10):
        """Ask to end, then insist. Returns the exit status."""
        if self.alive():
            self.signal(self.stop_signal)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill_group()
                self.popen.wait(5)
        return self.popen.returncode

    def kill_group(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, seconds):
        return self.popen.wait(seconds)


class Lab:
    counter = 0

    def __init__(self, name="lab", keep=False):
        Lab.counter += 1
        self.prefix = "p%x%x" % (os.getpid(), Lab.counter)
        self.name, self.keep = name, keep
        self.dir = tempfile.mkdtemp(prefix="postern-%s-" % name)
        os.chmod(self.dir, 0o777)  # daemons that dropped root write sanitizer reports here
        self.hosts, self.processes, self.captures = [], [], []
        self.shows_inside = False  # a scenario in which something of the inside must show says so
        self.closed = False
        atexit.register(self.close)

    # --- life --------------------------------------------------------------------------------
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        told = []
        if kind is not None and not self.keep:
            self.save_logs()
        elif not self.keep:
            for process in reversed(self.processes):
                process.stop(seconds=5)
            told = [line for capture in self.captures for line in capture.canaries()]
        self.close()
        if told and not self.shows_inside:
            raise LabError("the inside shows outside: %s" % "; ".join(told[:5]))

    def no_longer_alone(self):
        """Of an ALONE scenario: what is left to do bears others beside it."""
        marker = os.environ.get("POSTERN_ALONE")
        if marker and os.path.exists(marker):
            os.unlink(marker)

    def save_logs(self):
        """After a failure: the logs go where the runner shows them (POSTERN_LAB_LOGS)."""
        target = os.environ.get("POSTERN_LAB_LOGS")
        for process in self.processes:
            text = process.log()
            if target:
                os.makedirs(target, exist_ok=True)
                with open(os.path.join(target, "%s-%s.log" % (self.name, process.name)), "w") as f:
                    f.write(text)
            lines = [l for l in text.splitlines() if l.strip() and "(bit/s)" not in l]
            print("--- %s (last lines)\n%s" % (process.name, "\n".join(lines[-12:])), flush=True)

    def close(self):
        if self.closed:
            return
        self.closed = True
        if self.keep:
            return
        for process in reversed(self.processes):
            process.stop(seconds=5)
            process.kill_group()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", self.ns(host)], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- hosts and links -----------------------------------------------------------------------
    def ns(self, host):
        return "%s-%s" % (self.prefix, host)

    def host(self, *names):
        for name in names:
            sh("ip", "netns", "add", self.ns(name))
            self.hosts.append(name)
            self.run(name, "ip", "link", "set", "lo", "up")

    def run(self, host, *command, check=True, timeout=30):
        return sh("ip", "netns", "exec", self.ns(host), *command, check=check, timeout=timeout)

    def link(self, a, a_dev, b, b_dev, a_addr=None, b_addr=None):
        """A veth pair; addresses as "10.0.0.1/24" or a list (IPv4, IPv6)."""
        sh("ip", "link", "add", a_dev, "netns", self.ns(a), "type", "veth", "peer", "name", b_dev,
           "netns", self.ns(b))
        for host, dev, addresses in ((a, a_dev, a_addr), (b, b_dev, b_addr)):
            if not isinstance(addresses, (list, tuple)):
                addresses = [addresses] if addresses else []
            for address in addresses:
                nodad = ["nodad"] if ":" in address else []
                self.run(host, "ip", "addr", "add", address, "dev", dev, *nodad)
            self.run(host, "ip", "link", "set", dev, "up")

    def route(self, host, via, to="default"):
        self.run(host, "ip", "route", "add", to, "via", via)

    def bridge(self, host, *devices):
        self.run(host, "ip", "link", "add", "br0", "type", "bridge")
        for device in devices:
            self.run(host, "ip", "link", "set", device, "master", "br0")
        self.run(host, "ip", "link", "set", "br0", "up")

    def nft(self, host, rules):
        subprocess.run(["ip", "netns", "exec", self.ns(host), "nft", "-f", "-"], input=rules, text=True,
                       check=True, timeout=30)

    def forward(self, host):
        self.run(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def edge(self, stranger=False):
        """The standard topology (see the top of this file)."""
        self.host("home", "nat", "inet", "sbc", "lan", "pbx", "desk")
        self.link("home", "eth0", "nat", "in0", "192.168.0.18/24", "192.168.0.1/24")
        self.link("nat", "out0", "inet", "n0", "81.56.73.55/24", "81.56.73.1/24")
        self.link("inet", "s0", "sbc", "wan", ["203.0.113.1/24", "2001:db8:1::1/64"],
                  ["203.0.113.10/24", "2001:db8:1::10/64"])
        self.link("lan", "p0", "sbc", "lan", None, ["10.0.0.1/24", "fd00::1/64"])
        self.link("lan", "p1", "pbx", "eth0", None, ["10.0.0.20/24", "fd00::20/64"])
        self.link("lan", "p2", "desk", "eth0", None, ["10.0.0.30/24", "fd00::30/64"])
        self.bridge("lan", "p0", "p1", "p2")
        self.forward("nat")
        self.forward("inet")
        self.route("home", "192.168.0.1")
        self.route("nat", "81.56.73.1")
        self.route("sbc", "203.0.113.1")
        self.route("pbx", "10.0.0.1")
        self.route("desk", "10.0.0.1")
        self.nft("nat", """table ip nat { chain post {
            type nat hook postrouting priority 100;
            oifname out0 masquerade fully-random
          }
        }
        """)
        if stranger:
            self.host("stranger")
            self.link("stranger", "eth0", "inet", "x0", "198.51.100.66/24", "198.51.100.1/24")
            self.route("stranger", "198.51.100.1")

    # --- processes -------------------------------------------------------------------------------
    def spawn(self, host, name, *command, **kw):
        return Process(self, host, name, command, **kw)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def socket(self, host, *args):
        """A socket that lives in `host` (made there, used from this process)."""
        import threading
        made = []

        def make():
            libc_setns(self.ns(host))
            made.append(socket.socket(*args))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join(5)
        if not made:
            raise LabError("no socket in %s" % host)
        return made[0]


def libc_setns(namespace):
    """Move the calling thread into a named network namespace (used on short-lived threads only)."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        if libc.setns(fd, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)
