# SPDX-License-Identifier: Apache-2.0
"""Nobody learns who exists: for a user who is there and one who is not a wrong password gets the same answer in
the same time (Welch's t-test over interleaved samples), and so does an INVITE."""
import math
import time

from lib import own
from lib.edge import Edge, WAN, expect
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1]
SAMPLES = 600


def t_value(a, b):
    def stat(v):
        v = sorted(v)[: len(v) * 9 // 10]  # without what the scheduler did
        mean = sum(v) / len(v)
        return mean, sum((x - mean) ** 2 for x in v) / (len(v) - 1) / len(v)
    (ma, va), (mb, vb) = stat(a), stat(b)
    return abs(ma - mb) / math.sqrt(va + vb), ma, mb


def run(lab):
    own.subscriber(lab, "add", "alice@falco.bz", password="secret")
    wan = "limits: {register-rate: off, setup-rate: off, per-source: {register-rate: off, setup-rate: off}}, security: {ban: {auth-failures: off}, unknown-caller: challenge}"
    edge = Edge(lab, own.config(lab, wan=wan), phones=False, pbx=False, capture=False, stranger=True)
    phones = [Phone(lab, "stranger", user, "198.51.100.66", WAN, port=5060 + n)
              for n, user in enumerate(("alice", "malik"))]
    for phone in phones:
        phone.domain = "falco.bz"
    registrations = [Registration(phone) for phone in phones]
    shapes = []
    for r in registrations:
        r.challenge = r.send()
        answer = r.send(r.credentials("wrong"))
        shapes.append((answer.first_line, [h.split(":")[0] for h in answer.text.split("\r\n")], len(answer.text)))
    expect(shapes[0] == shapes[1], "the same answer, byte for byte as long")
    shapes = []
    for phone in phones:
        call = phone.invite("sip:alice@falco.bz")
        shapes.append((call.wait_final(407).first_line, len(call.answer.text)))
        call.ack()
    expect(shapes[0] == shapes[1], "the same challenge to an INVITE")

    def measure():
        times = ([], [])
        for n in range(SAMPLES):
            for who in ((0, 1), (1, 0))[n % 2]:
                line = registrations[who].credentials("wrong")
                start = time.perf_counter()
                registrations[who].send(line)
                times[who].append(time.perf_counter() - start)
        return t_value(*times)
    t, there, missing = measure()
    if t > 2.58:  # p < 0.01: once in a hundred by chance; a real difference shows again
        t, there, missing = measure()
    print("t = %.2f: %.1f us, %.1f us" % (t, there * 1e6, missing * 1e6), flush=True)
    expect(t < 3.3, "no difference in time: t = %.2f (%.1f us, %.1f us)" % (t, there * 1e6, missing * 1e6))
    for phone in phones:
        phone.close()
    edge.postern.stop()
