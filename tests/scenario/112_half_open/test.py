# SPDX-License-Identifier: Apache-2.0
"""10,000 connections to the TLS port that say nothing, or half a first record, or stop in mid-handshake: they are
bounded in memory and in time, and a phone that comes meanwhile is served as if they were not there."""
import os
import resource
import socket
import ssl
import time

from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.tls import Authority, FlowPhone

WORKERS = [4]
TIMEOUT = 90
ALONE = True
COUNT, STARTED = 10000, 300
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, tls/5061]
    tls: {certificate: !file edge.pem, key: !file edge.key}
    limits: {connections: 12000, per-source: {connections: off}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def memory_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def hello():
    """The first words of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(incoming, outgoing, server_hostname="edge")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def opened(lab, count):
    """Sockets of the stranger, some thousand from each of its addresses."""
    import threading
    from lib.lab import libc_setns
    made = []

    def make():
        libc_setns(lab.ns("stranger"))
        for i in range(count):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex((WAN, 5061))
            made.append(s)
            if i % 200 == 199:
                time.sleep(0.02)
    thread = threading.Thread(target=make)
    thread.start()
    thread.join(60)
    return made


def served(lab, authority, user):
    started = time.monotonic()
    phone = FlowPhone(lab, "home", user, "192.168.0.18", WAN, "tls", authority, "edge")
    phone.register("example.com", "secret")
    took = time.monotonic() - started
    phone.register("example.com", "secret", expires=0)
    phone.close()
    return took


def run(lab):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20000)), hard))
    authority = Authority(lab)
    authority.sign("edge", "DNS:edge")
    edge = Edge(lab, CONFIG, phones=False, capture=False, stranger=True)
    served(lab, authority, "home")
    alone = min(served(lab, authority, "home") for _ in range(3))
    pid = edge.postern.pids()["postern-sbc"]
    before = memory_kb(pid)
    sockets = opened(lab, COUNT)
    first = hello()
    for i, s in enumerate(sockets):
        try:
            if i % 3 == 1:
                s.send(first[:3])
            elif i % 3 == 2:
                s.send(first if i < 3 * STARTED else first[:-1])
        except OSError:
            pass  # not connected yet, or ended already
    now = next(l for l in edge.postern.ask("show interfaces") if l["name"] == "wan")
    print("connections %d, %.1f kB each" % (now["connections"], (memory_kb(pid) - before) / max(1, now["connections"])))
    expect(now["connections"] > 0.9 * COUNT, "they are there: %s" % now)
    expect((memory_kb(pid) - before) < 32 * now["connections"], "at most 32 kB each")
    took = served(lab, authority, "home")
    print("a phone registers in %.0f ms, alone in %.0f ms" % (took * 1000, alone * 1000))
    expect(took < max(10 * alone, 1.0), "a phone is served meanwhile: %.2f s, alone %.2f s" % (took, alone))
    lab.no_longer_alone()
    wait_until(lambda: next(l for l in edge.postern.ask("show interfaces") if l["name"] == "wan")["connections"] == 0, 20,
               "they are gone when their time is over")
    for s in sockets:
        s.close()
    edge.postern.stop()
