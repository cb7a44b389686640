# SPDX-License-Identifier: Apache-2.0
"""R2: locations kept never, at once, periodically. Killed without a word, `at-once` loses no registration
that had its 200; `periodically` loses none that is older than its period; `never` loses all."""
import os
import signal
import time

from lib import own
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1, 3]
PHONES = 12


def kill_and_return(edge):
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 10, "it is back")


def registered(edge):
    return sorted(r["aor"] for r in edge.postern.ask("show registrations"))


def run(lab):
    for n in range(PHONES):
        own.subscriber(lab, "add", "u%d@falco.bz" % n, password="secret")
        own.subscriber(lab, "add", "u%d@slow.example" % n, password="secret")
    own.subscriber(lab, "add", "gone@lost.example", password="secret")
    text = own.config(lab, more="").replace(
        "subscribers:", "  slow.example: {keep: periodically}\n  lost.example: {keep: never}\nsubscribers:")
    edge = Edge(lab, text, phones=False, pbx=False)
    phones = []
    for n in range(PHONES):
        phone = Phone(lab, "home", "u%d" % n, "192.168.0.18", WAN, port=5100 + n)
        expect(Registration(phone, "slow.example").register().code == 200, "200")
        phones.append(phone)
    time.sleep(6)  # its period is 5 s
    lost = Phone(lab, "home", "gone", "192.168.0.18", WAN, port=5099)
    expect(Registration(lost, "lost.example").register().code == 200, "200")
    for phone in phones:
        expect(Registration(phone).register().code == 200, "200")
    expect(Registration(phones[0]).register(expires=0).code == 200, "one leaves again")
    want = sorted(["sip:u%d@slow.example" % n for n in range(PHONES)] + ["sip:u%d@falco.bz" % n for n in range(1, PHONES)])
    kill_and_return(edge)
    expect(registered(edge) == want, "all that was kept is back: %s" % registered(edge))
    phones[1].domain = "falco.bz"
    call = phones[1].invite("sip:u2@falco.bz")
    invite = phones[2].receive(lambda m: m.is_request and m.method == "INVITE", 5)
    vias = "".join("Via: %s\r\n" % v for v in invite.all("Via"))
    phones[2].send("SIP/2.0 486 Busy Here\r\n%sFrom: %s\r\nTo: %s;tag=b\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n"
                   % (vias, invite.get("From"), invite.get("To"), invite.get("Call-ID"), invite.get("CSeq")))
    call.wait_final(486)
    call.ack()
    for phone in phones + [lost]:
        phone.close()
    edge.postern.stop()
