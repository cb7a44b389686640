# SPDX-License-Identifier: Apache-2.0
"""`postern upgrade`: another process serves the same sockets. A call goes on without a gap, requests that come meanwhile are
all answered though none is sent twice, a new call passes, and each call has one CDR. The same when the old one is killed."""
import os
import signal
import socket
import time

from lib.capture import Capture
from lib.cluster import silence
from lib.edge import Edge, LAN, expect
from lib.lab import sh, wait_until
from lib.postern import SHORTEST, binaries
from lib.redis import Redis

WORKERS = [2]
LONG = True
TIMEOUT = 120
OPTIONS = ("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20:5999;branch=z9hG4bKask%d\r\nMax-Forwards: 70\r\n"
           "From: <sip:ask@10.0.0.20>;tag=a%d\r\nTo: <sip:10.0.0.1>\r\nCall-ID: ask%d@10.0.0.20\r\nCSeq: 1 OPTIONS\r\n"
           "Content-Length: 0\r\n\r\n")


class Asker:
    """OPTIONS every 20 ms from many ports, each once; and who was answered."""

    def __init__(self, lab):
        self.sockets = [lab.socket("pbx", socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
        self.asked, self.answered = 0, set()
        for s in self.sockets:
            s.bind(("10.0.0.20", 0))
            s.setblocking(False)

    def ask(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            n, s = self.asked, self.sockets[self.asked % len(self.sockets)]
            text = (OPTIONS % (n, n, n)).replace(":5999", ":%d" % s.getsockname()[1])
            s.sendto(text.encode(), (LAN, 5060))
            self.asked += 1
            self.read()
            time.sleep(0.02)

    def read(self):
        for s in self.sockets:
            try:
                while True:
                    data = s.recv(4096).decode()
                    if " 200 " in data.split("\r\n")[0]:
                        self.answered.add(data.split("Call-ID: ask")[1].split("@")[0])
            except BlockingIOError:
                pass

    def all_answered(self):
        self.read()
        return len(self.answered) == self.asked

    def close(self):
        for s in self.sockets:
            s.close()


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, protect: ringing, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    wires = {"192.168.0.18": Capture(lab, "home", "eth0", "udp and not port 5060"),
             "10.0.0.30": Capture(lab, "desk", "eth0", "udp and not port 5060")}
    asker = Asker(lab)
    asker.ask(0.3)
    for order in ("upgrade", "kill"):
        old, since = edge.postern.pids()["postern-sbc"], time.time()
        if order == "upgrade":
            sh(os.path.join(binaries(), "control/cli/postern"), "upgrade", "-s", edge.postern.socket)
        else:
            os.kill(old, signal.SIGKILL)
        asker.ask(2.0)
        wait_until(lambda: edge.postern.pids().get("postern-sbc", old) != old and edge.postern.is_up(), 20, "the next process")
        wait_until(asker.all_answered, 10, lambda: "each of %d requests is answered: %d" %
                   (asker.asked, len(asker.answered)))
        time.sleep(0.5)
        gaps = [silence(wire.packets(), address, since) for address, wire in wires.items()]
        expect(max(gaps) < 0.5, "no gap in the audio: %s" % gaps)
        wait_until(lambda: len(edge.live_calls()) == 1, 10, "the call is there")
    expect("run.upgrade program=postern-sbc sockets=8" in edge.postern.process.log(), "sockets were handed over")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.home, edge.desk)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    expect(edge.postern.process.log().count(" call.ended ") == 2, "one CDR each")
    asker.close()
    edge.finish()
