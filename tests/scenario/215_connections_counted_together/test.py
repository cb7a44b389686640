# SPDX-License-Identifier: Apache-2.0
"""limits.per-source.connections and limits.connections mean what they say, whatever the number of workers that
accept; who leaves makes room."""
import socket

from lib.edge import LAN, WAN, Edge, expect
from lib.lab import wait_until

WORKERS = [4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, limits: {connections: 6}}
  wan: {address: 203.0.113.10, limits: {per-source: {connections: 6}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def shown(edge, side):
    return next(l for l in edge.postern.ask("show interfaces") if l["name"] == side)["connections"]


def refused(s):
    """A connection over the limit is closed at once, before it has said a word."""
    s.settimeout(0.2)
    try:
        return s.recv(1) == b""
    except (TimeoutError, ConnectionResetError) as e:
        return isinstance(e, ConnectionResetError)


def connect(lab, host, address):
    s = lab.socket(host, socket.AF_INET, socket.SOCK_STREAM)
    s.connect((address, 5060))
    return s


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, pbx=False, capture=False)
    for side, host, address in (("wan", "home", WAN), ("lan", "desk", LAN)):
        sockets = [connect(lab, host, address) for _ in range(24)]
        kept = [s for s in sockets if not refused(s)]
        expect(len(kept) == 6 == shown(edge, side), "6 of all workers: %d, shown %d" % (len(kept), shown(edge, side)))
        for s in sockets:
            s.close()
        wait_until(lambda: shown(edge, side) == 0, 5, "they are gone")
        again = connect(lab, host, address)
        expect(not refused(again), "there is room again")
        again.close()
    edge.postern.stop()
