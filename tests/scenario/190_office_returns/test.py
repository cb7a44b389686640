# SPDX-License-Identifier: Apache-2.0
"""An office behind one NAT address comes back all at once after a restart: it is paced by 503 with a Retry-After
of its own for each phone, everybody is back within the keep-alive interval, nobody is banned, and the calls of
others are set up meanwhile in at most twice the time (or 50 ms, where that is less than a busy machine's noise).
OFFICE_PHONES=10000 OFFICE_RATE=500 is the full size."""
import hashlib
import os
import random
import select
import signal
import socket
import threading
import time

from lib import digest, own
from lib.edge import Edge, WAN, expect
from lib.lab import libc_setns, wait_until
from lib.own import Registration
from lib.phone import Phone, parse

WORKERS = [2]
TIMEOUT = 300
PHONES = int(os.environ.get("OFFICE_PHONES", 400))
RATE = int(os.environ.get("OFFICE_RATE", 150))
KEEPALIVE_S = 120
ALONE = True


def subscribers(users):
    lines = ["postern-subscribers 1"]
    for user in users:
        text = ("%s:falco.bz:secret" % user).encode()
        lines.append("falco.bz %s %s %s %s" % (user, hashlib.md5(text).hexdigest(), hashlib.sha256(text).hexdigest(),
                                               hashlib.new("sha512_256", text).hexdigest()))
    return "\n".join(lines) + "\n"


class Office:
    """Phones of a few fields each on sockets of their own; timers A to F in short."""

    def __init__(self, lab, count):
        self.phones, self.answers, self.retries = {}, {}, []
        self.poll = select.epoll()

        def make():
            libc_setns(lab.ns("home"))
            for n in range(count):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.bind(("192.168.0.18", 10000 + n))
                s.setblocking(False)
                self.poll.register(s, select.EPOLLIN)
                self.phones[s.fileno()] = {"s": s, "n": n, "cseq": 0, "done": False, "due": 0, "wait": 0.5, "auth": "",
                                           "id": "%08x" % random.getrandbits(32)}
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()

    def send(self, phone, again=False):
        if not again:
            phone["cseq"] += 1
            phone["branch"], phone["wait"] = "%08x" % random.getrandbits(32), 0.5
        n = phone["n"]
        phone["due"] = time.monotonic() + phone["wait"]
        try:
            phone["s"].sendto((
                "REGISTER sip:falco.bz SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.0.18:%d;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"
                "From: <sip:p%d@falco.bz>;tag=%d\r\nTo: <sip:p%d@falco.bz>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\n"
                "Contact: <sip:p%d@192.168.0.18:%d>\r\nExpires: 600\r\n%sContent-Length: 0\r\n\r\n" % (
                    10000 + n, phone["branch"], n, n, n, phone["id"], phone["cseq"], n, 10000 + n, phone["auth"])).encode(),
                (WAN, 5060))
        except BlockingIOError:
            pass

    def answer(self, phone, data):
        message = parse(data)
        if message.is_request or int(message.get("CSeq").split()[0]) != phone["cseq"] or phone["done"]:
            return
        self.answers[message.code] = self.answers.get(message.code, 0) + 1
        if message.code == 200:
            phone["done"] = True
        elif message.code == 401:
            phone["auth"] = digest.answer(message, "p%d" % phone["n"], "secret", "REGISTER", "sip:falco.bz", "MD5")
            self.send(phone)
        elif message.code == 503:
            after = int(message.get("Retry-After"))
            self.retries.append(after)
            phone["due"], phone["wait"], phone["again"] = time.monotonic() + after, 0, True

    def register(self, seconds):
        """All of them at once; how long it took until the last had its 200."""
        self.answers, self.retries, start = {}, [], time.monotonic()
        for phone in self.phones.values():
            phone["done"], phone["again"] = False, False
            self.send(phone)
        left = len(self.phones)
        while left and time.monotonic() - start < seconds:
            for fd, _ in self.poll.poll(0.02):
                while True:
                    try:
                        data = self.phones[fd]["s"].recv(8192)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    self.answer(self.phones[fd], data)
            now = time.monotonic()
            left = 0
            for phone in self.phones.values():
                left += not phone["done"]
                if not phone["done"] and phone["due"] <= now:
                    again = not phone["again"]
                    phone["again"] = False
                    phone["wait"] = min(4, max(0.5, phone["wait"] * 2))
                    self.send(phone, again)
        return left, time.monotonic() - start

    def close(self):
        for phone in self.phones.values():
            phone["s"].close()


def setups(caller, times, stop):
    """How long an INVITE of a registered phone takes to a final answer (486 by a second phone)."""
    while not stop.is_set():
        start = time.monotonic()
        call = caller.invite("sip:nobody@falco.bz")
        call.wait_final(480)
        call.ack()
        times.append(time.monotonic() - start)
        stop.wait(0.1)


def median(values):
    return sorted(values)[len(values) // 2]


def run(lab):
    path = lab.write("all", subscribers(["p%d" % n for n in range(PHONES)] + ["caller", "nobody"]))
    own.subscriber(lab, "restore", path)
    limits = "limits: {register-rate: %d/s, per-source: {register-rate: %d/s}}, nat: {keepalive: off}" % (3 * RATE, RATE)
    edge = Edge(lab, own.config(lab, wan=limits, keep="never"), phones=False, pbx=False, capture=False, stranger=True)
    caller = Phone(lab, "stranger", "caller", "198.51.100.66", WAN)
    caller.domain = "falco.bz"
    office = Office(lab, PHONES)
    left, took = office.register(KEEPALIVE_S)
    expect(not left, "everybody registers: %d are left, %s" % (left, office.answers))
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back")
    expect(Registration(caller).register().code == 200, "the caller is back first")
    quiet, busy, stop = [], [], threading.Event()
    thread = threading.Thread(target=setups, args=(caller, quiet, stop))
    thread.start()
    time.sleep(1.5)
    stop.set()
    thread.join()
    stop = threading.Event()
    thread = threading.Thread(target=setups, args=(caller, busy, stop))
    thread.start()
    left, took = office.register(KEEPALIVE_S)
    stop.set()
    thread.join()
    print("%d phones back in %.1f s; answers %s; calls %.1f ms, then %.1f ms" % (
        PHONES, took, office.answers, median(quiet) * 1000, median(busy) * 1000), flush=True)
    expect(not left and took < KEEPALIVE_S, "all are back within the keep-alive interval: %d left" % left)
    expect(not edge.postern.ask("show bans"), "nobody is banned")
    expect(len(set(office.retries)) > 1 and max(office.retries) < KEEPALIVE_S, "each was told another time: %s" % set(office.retries))
    expect(median(busy) <= max(2 * median(quiet), 0.05), "calls were not delayed: %.4f then %.4f" % (median(quiet), median(busy)))
    office.close()
    caller.close()
    edge.postern.stop()
