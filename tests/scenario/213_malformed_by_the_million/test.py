# SPDX-License-Identifier: Apache-2.0
"""Malformed messages of every kind from a peer, whom nobody bans: memory stays flat, an OPTIONS among them is
answered at once, and a call in progress goes on. 30,000 here; POSTERN_MALFORMED says how many."""
import os
import random
import select
import socket
import time

from lib.edge import WAN, Edge, expect
from lib.phone import Phone
from lib.side import CARRIER, CONFIG, PBX, Callee, LAN

WORKERS = [2]
TIMEOUT = 1800
COUNT = int(os.environ.get("POSTERN_MALFORMED", "30000"))
BATCH = 500
HEAD = ("%(start)s\r\nVia: SIP/2.0/UDP 198.51.100.66:7000;branch=z9hG4bK%(n)d\r\nMax-Forwards: 70\r\n"
        "From: <sip:a@example.com>;tag=%(n)d\r\nTo: %(to)s\r\nCall-ID: %(n)d@x\r\nCSeq: %(cseq)s\r\n%(more)s"
        "Content-Length: %(length)s\r\n\r\n%(body)s")
GOOD = {"start": "INVITE sip:1000@example.com SIP/2.0", "to": "<sip:1000@example.com>", "cseq": "1 INVITE", "more": "",
        "length": "0", "body": ""}
KINDS = [{"cseq": "x INVITE"}, {"cseq": "1 BYE"}, {"cseq": "4294967296 INVITE"}, {"to": "\"open <sip:b@c>"}, {"to": "<sip:>"},
         {"start": "INVITE sip:1000@example.com SIP/3.0"}, {"start": "INVITE  sip:a@b  SIP/2.0"}, {"length": "9999"},
         {"length": "-1"}, {"more": "To: <sip:c@d>\r\n"}, {"more": "Contact: <sip:a@b>;expires=x\r\n"},
         {"start": "SIP/2.0 1000 x"}, {"start": "SIP/2.0 200 x", "cseq": "x"}, {"more": "X: 1\r\n" * 250},
         {"more": "Supported: " + "," * 8000 + "\r\n"}, {"more": "Route: " + "<sip:a;lr>," * 100 + "\r\n"},
         {"more": "Contact: <sip:a@b?" + "x=y&" * 1000 + ">\r\n"}, {"start": "INVITE sip:" + "%41" * 400 + " SIP/2.0", "cseq": "y"},
         {"more": "Content-Type: multipart/mixed\r\n", "body": "--b\r\n" * 50, "length": "250"}, {"more": " folded: \0\r\n"},
         {"start": "\0\1\2"}]


def malformed(n, chance):
    kind = KINDS[n % len(KINDS)]
    data = (HEAD % {**GOOD, **kind, "n": n}).encode()
    if n % 7 == 0:  # cut off anywhere before the end of its headers
        data = data[:chance.randrange(1, len(data) - 5)]
    elif n % 11 == 0:
        data = chance.randbytes(chance.randrange(1, 1400))
    return data


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def answers(s):
    """What has come back so far; it must not fill the socket."""
    try:
        while True:
            yield s.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return


def probe(s, n):
    """How long an OPTIONS waits behind a whole batch. It has the batch's own source: the kernel hands both to one
    worker, so its answer also says that nothing of the batch is waiting any more. As UDP's receive buffer may be
    full, it is sent again like any request (RFC 3261, 17.1.2.2)."""
    data = (HEAD % {**GOOD, "start": "OPTIONS sip:203.0.113.10 SIP/2.0", "cseq": "1 OPTIONS", "n": COUNT + n}).encode()
    mine, started = b"Call-ID: %d@x\r\n" % (COUNT + n), time.monotonic()
    for _ in range(10):
        s.sendto(data, (WAN, 5060))
        again = time.monotonic() + 0.5
        while time.monotonic() < again:
            found = next((m for m in answers(s) if mine in m), None)
            if found:
                expect(found.startswith(b"SIP/2.0 200"), "OPTIONS is answered: %r" % found)
                return time.monotonic() - started
            select.select([s], [], [], 0.05)
    raise AssertionError("no answer to OPTIONS behind %d malformed messages" % n)


def run(lab):
    # Of what the sanitizer keeps of freed memory, little: it would grow for as long as it can.
    env = {"ASAN_OPTIONS": "log_path=%s/asan:detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=1:"
                           "thread_local_quarantine_size_kb=16" % lab.dir}
    edge = Edge(lab, config=CONFIG % {"lan": "", "wan": "", "pbx": "", "carrier": ""}, phones=False, stranger=True, pbx=False,
                capture=False, env=env)
    carrier, pbx = Phone(lab, "stranger", "carrier", CARRIER, WAN), Phone(lab, "pbx", "pbx", PBX, LAN)
    call = carrier.invite("sip:1000@example.com")
    callee = Callee(pbx, pbx.receive(lambda m: m.is_request and m.method == "INVITE"))
    callee.reply(callee.invite, 200, body=callee.sdp())
    callee.expect_request("ACK")
    call.wait_final(200)
    call.ack()
    sender = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((CARRIER, 7000))
    pid, chance, warm, longest = edge.postern.pids()["postern-sbc"], random.Random(1), 0, 0
    for n in range(COUNT):
        sender.sendto(malformed(n, chance), (WAN, 5060))
        list(answers(sender))
        if n % BATCH == BATCH - 1:
            longest = max(longest, probe(sender, n))
        if n == COUNT // 3:
            warm = rss_kb(pid)
    grown = rss_kb(pid) - warm
    print("%d malformed messages: memory grew by %d kB after the first third, an OPTIONS waited %.0f ms at most" % (
        COUNT, grown, longest * 1000))
    expect(grown < 1024, "memory is flat: %d kB more than %d" % (grown, warm))
    expect([c["state"] for c in edge.live_calls()] == ["up"], "the call goes on: %s" % edge.live_calls())
    info = call.begin("INFO")
    callee.reply(callee.expect_request("INFO"), 200)
    expect(call.final("INFO", info).code == 200, "and its requests pass")
    bye = call.begin("BYE")
    callee.reply(callee.expect_request("BYE"), 200)
    expect(call.final("BYE", bye).code == 200, "and it is hung up")
    expect(not [m for m in pbx.inbox if m.is_request], "nothing of it got through: %s" % [m.first_line for m in pbx.inbox])
    for s in (sender, carrier, pbx):
        s.close()
    edge.wait_no_call()
    edge.postern.stop()
