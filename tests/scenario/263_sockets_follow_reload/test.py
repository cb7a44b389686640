# SPDX-License-Identifier: Apache-2.0
"""The supervisor keeps the listening sockets for the process after this one, also those that a reload opened: what
is sent to one while postern-sbc is dead is answered by the next. One that a reload took away is nobody's: another
program may have its port at once. An address that floats may come by a reload too."""
import os
import signal
import socket
import subprocess

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import binaries

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1%s}
  wan: {address: 203.0.113.10}
%speers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
MORE = ", listen: [udp/5060, tcp/5060, udp/5070]"
FLOATING = "  vip: {role: trusted, address: 10.0.0.9, floating: true, listen: [udp/5080]}\n"


class Asker:
    def __init__(self, lab):
        self.socket = lab.socket("pbx", socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("10.0.0.20", 0))
        self.socket.settimeout(0.5)
        self.count = 0

    def ask(self, port, address="10.0.0.1"):
        self.count += 1
        here = "10.0.0.20:%d" % self.socket.getsockname()[1]
        self.socket.sendto(("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKask%d;rport\r\nMax-Forwards: 70\r\n"
                            "From: <sip:a@b>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: ask%d@b\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
                            % (address, here, self.count, address, self.count)).encode(), (address, port))

    def answer(self):
        """The status of the last question's answer, or 0."""
        try:
            while True:
                text = self.socket.recv(4096).decode()
                if "z9hG4bKask%d;" % self.count in text:
                    return int(text.split()[1])
        except OSError:
            return 0


def run(lab):
    edge = Edge(lab, CONFIG % ("", ""), phones=False, pbx=False, capture=False)
    postern, asker = edge.postern, Asker(lab)
    with open(postern.path) as f:
        own = f.read()[len(CONFIG % ("", "")):]

    def reload(*parts):
        with open(postern.path, "w") as f:
            f.write(CONFIG % parts + own)
        said = subprocess.run([os.path.join(binaries(), "control/cli/postern"), "reload", "-c", postern.path],
                              capture_output=True, text=True, timeout=20)
        expect(said.returncode == 0, "%s" % said)

    def may_bind(port):
        with lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("10.0.0.1", port))
                return True
            except OSError:
                return False
    before = postern.settled()["fds"]
    asker.ask(5070)
    expect(asker.answer() == 0 and may_bind(5070), "nobody is there yet")
    reload(MORE, "")
    asker.ask(5070)
    expect(asker.answer() == 200, "a new listener answers")

    for _ in range(2):  # the second process has inherited it
        pid = postern.pids()["postern-sbc"]
        os.kill(pid, signal.SIGSTOP)  # so that it cannot read what it is asked
        asker.ask(5070)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: postern.pids().get("postern-sbc") not in (None, pid), 10, "the next one")
        wait_until(lambda: asker.answer() == 200, 5, "what was asked of the dead one is answered by the next")

    reload("", "")
    wait_until(lambda: may_bind(5070), 10, "what was taken away is free for others")
    asker.ask(5060)
    expect(asker.answer() == 200, "the others are served")

    reload("", FLOATING)
    asker.ask(5080, "10.0.0.9")
    expect(asker.answer() == 0, "the address is elsewhere")
    lab.run("sbc", "ip", "addr", "add", "10.0.0.9/24", "dev", "lan")
    lab.run("pbx", "ip", "neigh", "flush", "all")

    def answers():
        asker.ask(5080, "10.0.0.9")
        return asker.answer() == 200
    wait_until(answers, 5, "the address has come")
    reload("", "")
    wait_until(lambda: postern.settled()["fds"] == before, 10, lambda: "descriptors: %s, before %s" % (postern.fds(), before))
    edge.finish()
