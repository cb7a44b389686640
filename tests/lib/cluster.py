# SPDX-License-Identifier: Apache-2.0
"""Two nodes (each a relay and a signalling half) with one address a side that moves between them as a VRRP daemon would
move it; Redis with a replica and Sentinel on a machine of its own; a PBX, a phone behind a NAT, one on the internet, two
on the LAN.

    home 192.168.0.18 -- nat 81.56.73.55 -- inet -- 203.0.113.10 (a: .11, b: .12) | 10.0.0.1 (a: .11, b: .12) -- lan
                         road 198.51.100.66 /                 pbx 10.0.0.20, desk .30, front .31, store .40
"""
import os
import signal
import socket
import struct
import time

from . import kamailio
from .baresip import Baresip
from .capture import Capture
from .lab import LabError, sh, wait_until
from .postern import Postern

VIRTUAL = {"wan": "203.0.113.10", "lan": "10.0.0.1"}
MASTER, REPLICA, SENTINEL = 7001, 7002, 7003
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, floating: true}
  wan: {address: 203.0.113.10, floating: true}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
node: {name: %s}
state: {store: redis, protect: ringing, sentinel: {master: calls, servers: ["10.0.0.40:7003"]}}
"""


def network(lab):
    lab.host("home", "nat", "inet", "switch", "lan", "pbx", "desk", "front", "road", "store", "a", "b")
    lab.link("home", "eth0", "nat", "in0", "192.168.0.18/24", "192.168.0.1/24")
    lab.link("nat", "out0", "inet", "n0", "81.56.73.55/24", "81.56.73.1/24")
    lab.link("road", "eth0", "inet", "x0", "198.51.100.66/24", "198.51.100.1/24")
    lab.link("switch", "s0", "inet", "s0", None, "203.0.113.1/24")
    for i, node in enumerate(("a", "b")):
        lab.link("switch", "s%d" % (i + 1), node, "wan", None, "203.0.113.%d/24" % (11 + i))
        lab.link("lan", "q%d" % i, node, "lan", None, "10.0.0.%d/24" % (11 + i))
        lab.route(node, "203.0.113.1")
    for i, (host, address) in enumerate((("pbx", 20), ("desk", 30), ("front", 31), ("store", 40))):
        lab.link("lan", "p%d" % i, host, "eth0", None, "10.0.0.%d/24" % address)
        lab.route(host, VIRTUAL["lan"])
    lab.bridge("switch", "s0", "s1", "s2")
    lab.bridge("lan", "q0", "q1", "p0", "p1", "p2", "p3")
    lab.forward("nat")
    lab.forward("inet")
    lab.route("home", "192.168.0.1")
    lab.route("nat", "81.56.73.1")
    lab.route("road", "198.51.100.1")
    lab.nft("nat", """table ip nat { chain post {
        type nat hook postrouting priority 100;
        oifname out0 masquerade
      }
    }
    """)


def announce(lab, node, device, address):
    """Gratuitous ARP (RFC 5227): the others send to us from now on."""
    wire = lab.socket(node, socket.AF_PACKET, socket.SOCK_RAW)
    try:
        wire.bind((device, 0x0806))
        mac, ip = wire.getsockname()[4], socket.inet_aton(address)
        frame = b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac + ip + b"\0" * 6 + ip
        for _ in range(3):
            wire.send(frame)
    finally:
        wire.close()


def silence(packets, target, since):
    """The longest time without RTP for `target`, from `since` on; to be read while it flows again."""
    times = [since] + [p.time for p in packets if p.destination == target and len(p.payload) >= 172 and p.time > since]
    return max((b - a for a, b in zip(times, times[1:])), default=99.0)


class Store:
    def __init__(self, lab):
        self.lab = lab
        self.master = self.redis("master", MASTER)
        self.redis("replica", REPLICA, "replicaof 10.0.0.40 %d" % MASTER, "repl-diskless-sync-delay 0")
        self.redis("sentinel", SENTINEL, "sentinel monitor calls 10.0.0.40 %d 1" % MASTER,
                   "sentinel down-after-milliseconds calls 700", "sentinel failover-timeout calls 3000", sentinel=True)
        wait_until(lambda: "slaves=1" in self.cli(SENTINEL, "INFO", "sentinel"), 15, "Sentinel knows the replica")

    def redis(self, name, port, *lines, sentinel=False):
        head = ["port %d" % port, "bind 10.0.0.40", "protected-mode no", "dir %s" % self.lab.dir]
        head += [] if sentinel else ["save \"\"", "appendonly no"]
        config = self.lab.write(name + ".conf", "\n".join(head + list(lines)) + "\n")
        process = self.lab.spawn("store", name, "redis-server", config, *(["--sentinel"] if sentinel else []))
        wait_until(lambda: self.cli(port, "PING") == "PONG", 10, "%s answers" % name)
        return process

    def cli(self, port, *command):
        return sh("ip", "netns", "exec", self.lab.ns("store"), "redis-cli", "-h", "10.0.0.40", "-p", str(port), *command,
                  check=False).strip()

    def port(self):
        """Of who is master now."""
        return REPLICA if "role:master" in self.cli(REPLICA, "INFO", "replication") else MASTER

    def calls(self):
        return [k for k in self.cli(self.port(), "KEYS", "call:*").split() if k]


class Cluster:
    def __init__(self, lab):
        self.lab = lab
        network(lab)
        self.store = Store(lab)
        kamailio.registrar(lab)
        self.move("a")
        self.nodes = {name: Postern(lab, CONFIG % name, host=name, name=name) for name in ("a", "b")}
        self.serving = "a"
        lab.captures.clear()
        self.home = self.phone("home", "home", "192.168.0.18", 440, VIRTUAL["wan"])
        self.road = self.phone("road", "road", "198.51.100.66", 440, VIRTUAL["wan"])
        self.desk = self.phone("desk", "desk", "10.0.0.30", 1000, "10.0.0.20")
        self.front = self.phone("front", "front", "10.0.0.31", 1000, "10.0.0.20")
        self.phones = [self.home, self.road, self.desk, self.front]
        self.pairs = [(self.home, self.desk), (self.front, self.road)]
        self.addresses = {self.home: "192.168.0.18", self.road: "198.51.100.66", self.desk: "10.0.0.30",
                          self.front: "10.0.0.31"}
        for phone in self.phones:
            phone.wait_registered(15)
        self.wires = {}

    def phone(self, host, user, address, hertz, proxy):
        return Baresip(self.lab, host, user, "example.com", address=address, proxy=proxy, hertz=hertz)

    @property
    def node(self):
        return self.nodes[self.serving]

    # --- calls -----------------------------------------------------------------------------------
    def ring(self, caller, callee):
        before = callee.count("CALL_INCOMING")
        caller.dial("sip:%s@example.com" % callee.user)
        callee.wait_event("CALL_INCOMING", 10, count=before + 1)

    def answer(self, caller, callee):
        before = [(phone, phone.count("CALL_ESTABLISHED")) for phone in (caller, callee)]
        callee.answer()
        for phone, count in before:
            phone.wait_event("CALL_ESTABLISHED", 10, count=count + 1)

    def hang_up(self, phone, other):
        before = other.count("CALL_CLOSED")
        phone.hangup()
        other.wait_event("CALL_CLOSED", 15, count=before + 1)

    def listen(self):
        """What reaches each phone, from now on."""
        for phone in self.phones:
            self.wires[phone] = Capture(self.lab, phone.host, "eth0", "udp and not port 5060")
        time.sleep(0.3)

    def heard_again(self, phone, since):
        return any(p.destination == self.addresses[phone] and len(p.payload) >= 172 and p.time > since
                   for p in self.wires[phone].packets())

    def gaps(self, since, phones, seconds=20):
        """{phone: longest silence in s}, once all of them hear something after `since` for half a second."""
        wait_until(lambda: all(self.heard_again(phone, since) for phone in phones), seconds,
                   lambda: "audio at " + ", ".join(p.user for p in phones if not self.heard_again(p, since)))
        time.sleep(1.2)
        return {phone: silence(self.wires[phone].packets(), self.addresses[phone], since) for phone in phones}

    def ended(self):
        return [line for node in self.nodes.values() for line in node.process.log().split("\n") if " call.ended " in line]

    # --- what befalls it -------------------------------------------------------------------------
    def move(self, to):
        self.lab.run(to, "ip", "-batch", self.lab.write("move", "".join(
            "addr add %s/32 dev %s\n" % (address, device) for device, address in VIRTUAL.items())))
        for device, address in VIRTUAL.items():
            announce(self.lab, to, device, address)
        self.serving = to

    def kill(self, program):
        """kill -9 of one half of the serving node; its supervisor starts it again."""
        now = time.time()
        os.kill(self.node.pids()[program], signal.SIGKILL)
        return now

    def kill_master(self):
        now = time.time()
        self.store.master.signal(signal.SIGKILL)
        wait_until(lambda: self.store.port() == REPLICA, 20, "the replica is promoted")
        for node in self.nodes.values():
            wait_until(lambda node=node: node.stats()["store"]["workers_away"] == 0, 10, "each node has found it")
        time.sleep(2)  # each writes its heartbeat there, and reads the others', once a second
        return now

    def kill_node(self, takes_s):
        """As a power failure would: no process is left, no wire; after `takes_s` the other one has the addresses."""
        now = time.time()
        self.node.power_failure()
        for device in VIRTUAL:
            self.lab.run(self.serving, "ip", "link", "set", device, "down")
        time.sleep(max(0.0, takes_s - (time.time() - now)))
        self.move("b" if self.serving == "a" else "a")
        return now

    def stop(self):
        for phone in self.phones:
            phone.stop()
        if self.node.stop() != 0:
            raise LabError("the node that is left did not stop in order")
