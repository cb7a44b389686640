# SPDX-License-Identifier: Apache-2.0
"""While a phone with DTLS-SRTP sets its calls up, a stranger sends ClientHellos and STUN to every port of ours, from before
the offer on: each call is as good as without, and the stranger gets not one datagram."""
import os
import socket
import struct
import subprocess
import threading
import time

from lib.baresip import Baresip
from lib.capture import Capture
from lib.edge import Edge, WAN, expect

WORKERS = [1]
FIRST = 30000
LAST = 30005  # a pair for each call: they rest for 8 s
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {ports: %d-%d, srtp: require, keying: dtls}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
""" % (FIRST, LAST)


def client_hello():
    """A real one, of OpenSSL."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
    process = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-use_srtp", "SRTP_AES128_CM_SHA1_80", "-connect",
                                "127.0.0.1:%d" % s.getsockname()[1]],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return s.recv(4096)
    finally:
        process.kill()
        process.wait()
        s.close()


class Stranger(threading.Thread):
    def __init__(self, lab):
        super().__init__(daemon=True)
        self.sockets = [lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
        for s in self.sockets:
            s.setblocking(False)
        self.hello, self.over, self.hellos = client_hello(), False, 0

    def run(self):
        turn = 0
        while not self.over:
            s = self.sockets[turn % len(self.sockets)]
            turn += 1
            stun = struct.pack("!HHI", 1, 0, 0x2112a442) + os.urandom(12)
            for port in range(FIRST, LAST + 1):
                for data in (self.hello, stun):
                    try:
                        s.sendto(data, (WAN, port))
                    except OSError:
                        pass
                self.hellos += 1
            time.sleep(0.004)  # 100 a second and more to each port

    def answered(self):
        for s in self.sockets:
            try:
                return s.recv(4096)
            except OSError:
                pass
        return None


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, stranger=True)
    edge.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc="dtls_srtp")
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.home.wait_registered(15)
    edge.desk.wait_registered(15)
    stranger = Stranger(lab)
    stranger.start()
    for caller, callee in ((edge.home, edge.desk), (edge.desk, edge.home), (edge.home, edge.desk)):
        edge.ring(caller, callee)
        before = edge.home.heard(1000), edge.desk.heard(440)
        callee.answer()
        edge.home.wait_heard(1000, before[0] + 0.7)
        edge.desk.wait_heard(440, before[1] + 0.7)
        callee.hangup()
        edge.wait_no_call()
    stranger.over = True
    stranger.join()
    stats = edge.postern.relay_stats()
    counters = stats["counters"]
    drops = {}
    for lcore in stats["lcores"]:
        for reason, count in lcore["drops"].items():
            drops[reason] = drops.get(reason, 0) + count
    expect(stranger.hellos >= 1000, "a thousand attempts: %d" % stranger.hellos)
    expect(counters["dtls_done"] == 6 and counters["dtls_failed"] == 0, "six handshakes, none failed: %s" % counters)
    expect(stranger.answered() is None, "the stranger is not answered")
    expect(drops.get("dtls", 0) > 100 and drops.get("stun", 0) > 100, "each drop has its reason: %s" % drops)
    edge.finish()
