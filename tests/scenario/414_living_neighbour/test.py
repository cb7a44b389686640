# SPDX-License-Identifier: Apache-2.0
"""A trunk goes on after kill -9 without a new REGISTER. Then a node loses its addresses to another one and lives on:
the first message in a call takes it over there, the former owner drops it when it hears of that, and there is one CDR.
The trunk stays where it was registered until that node dies; then the other one registers it."""
import os
import signal
import socket

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.phone import parse
from lib.postern import Postern
from lib.redis import Redis

WORKERS = [2]
LONG = True
TIMEOUT = 120
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 198.51.100.66, register: {user: "33123", password: !file secret, domain: carrier.example, expires: 600s}}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""


class Carrier:
    """Takes every registration, and counts them."""

    def __init__(self, lab):
        import threading
        self.socket = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("198.51.100.66", 5060))
        self.socket.settimeout(0.2)
        self.registers, self.running = [], True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.running:
            try:
                data, source = self.socket.recvfrom(65536)
            except (socket.timeout, OSError):
                continue
            m = parse(data)
            if not m.is_request or m.method not in ("REGISTER", "OPTIONS"):
                continue
            if m.method == "REGISTER":
                self.registers.append(m)
            self.socket.sendto(("SIP/2.0 200 OK\r\n%sFrom: %s\r\nTo: %s;tag=x\r\nCall-ID: %s\r\nCSeq: %s\r\n%s"
                                "Content-Length: 0\r\n\r\n" % (
                                    "".join("Via: %s\r\n" % v for v in m.all("Via")), m.get("From"), m.get("To"),
                                    m.get("Call-ID"), m.get("CSeq"),
                                    "Contact: %s\r\n" % m.get("Contact") if m.get("Contact") else "")).encode(), source)

    def close(self):
        self.running = False
        self.thread.join(1)
        self.socket.close()


def trunk(postern):
    return next((p for p in postern.ask("show peers") if p["peer"] == "carrier"), {})


def live(postern):
    return [call for call in postern.calls() if call["state"] != "ended"]


def second_host(lab):
    """Beside `sbc`, on the same wires."""
    lab.host("sbc2")
    lab.link("inet", "s2", "sbc2", "wan")
    lab.link("lan", "p3", "sbc2", "lan")
    lab.run("lan", "ip", "link", "set", "p3", "master", "br0")
    lab.run("inet", "ip", "addr", "del", "203.0.113.1/24", "dev", "s0")
    lab.bridge("inet", "s0", "s2")
    lab.run("inet", "ip", "addr", "add", "203.0.113.1/24", "dev", "br0")


def move_addresses(lab):
    for device, address in (("wan", "203.0.113.10/24"), ("lan", "10.0.0.1/24")):
        lab.run("sbc", "ip", "addr", "del", address, "dev", device)
        lab.run("sbc2", "ip", "addr", "add", address, "dev", device)
    lab.route("sbc2", "203.0.113.1")
    for host in ("inet", "pbx", "desk", "lan"):
        lab.run(host, "ip", "neigh", "flush", "all")


def ended(*nodes):
    return [line for node in nodes for line in node.process.log().split("\n") if " call.ended " in line]


def run(lab):
    redis = Redis(lab)
    lab.write("secret", "secret\n")
    text = CONFIG + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket
    edge = Edge(lab, text + "node: {name: a}\n", stranger=True)
    a, carrier = edge.postern, Carrier(lab)
    second_host(lab)
    wait_until(lambda: trunk(a).get("registration") == "registered", 30, lambda: "registered: %s" % trunk(a))
    # 1. kill -9
    wait_until(lambda: redis.keys("trunk:*"), 5, "kept")
    first, count = carrier.registers[0], len(carrier.registers)
    pid = a.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: a.pids().get("postern-sbc", pid) != pid and a.is_up(), 10, "it is back")
    wait_until(lambda: trunk(a).get("registration") == "registered", 5, lambda: "it goes on: %s" % trunk(a))
    expect(trunk(a)["expires_in_s"] > 500, "with its time: %s" % trunk(a))
    # 2. the addresses go, the node stays
    edge.establish(edge.home, edge.desk)
    wait_until(lambda: len(edge.live_calls()) == 1 and edge.live_calls()[0]["protected"], 5, "protected")
    move_addresses(lab)
    edge.postern = b = Postern(lab, text + "node: {name: b}\n", name="b", host="sbc2")
    expect(len(edge.live_calls()) == 0 and len(live(a)) == 1, "the call is where it was")
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: " call.lost " in a.process.log(), 14, "the former owner drops it")
    expect(not live(a), "it is gone there")
    expect(len(ended(a, b)) == 1 and 'cause="hung up"' in ended(b)[0], "one CDR, of the second node: %s" % ended(a, b))
    # 3. one node registers
    wait_until(lambda: trunk(b).get("registration") == "elsewhere", 10, lambda: "not here: %s" % trunk(b))
    expect(len(carrier.registers) == count, "no new REGISTER until now: %d" % len(carrier.registers))
    a.gone(a.power_failure())
    wait_until(lambda: trunk(b).get("registration") == "registered", 15, lambda: "taken over: %s" % trunk(b))
    last = carrier.registers[-1]
    expect(last.get("Call-ID") == first.get("Call-ID") and
           int(last.get("CSeq").split()[0]) > int(first.get("CSeq").split()[0]), "the same registration: %s" % last.text)
    for phone in (edge.home, edge.desk):
        phone.stop()
    carrier.close()
    b.stop()
