# SPDX-License-Identifier: Apache-2.0
"""A call with SRTP whose relay is killed: what the scenarios of each keying share."""
import os
import signal
import time

from .baresip import Baresip
from .capture import Capture
from .edge import Edge, WAN, expect
from .lab import wait_until
from .redis import Redis

SECRET = "correct horse battery staple 0123456789"
WITHOUT_STORE = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {srtp: require, keying: %s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
CONFIG = WITHOUT_STORE + """state: {store: redis, servers: ["unix:%s"], key: !env STATE_KEY}
"""


def talk(edge, phone, seconds=0.5):
    before = phone.heard(1000), edge.desk.heard(440)
    phone.wait_heard(1000, before[0] + seconds)
    edge.desk.wait_heard(440, before[1] + seconds)


def silence(packets, target):
    times = [p.time for p in packets if p.destination == target and len(p.payload) >= 172]
    return max((b - a for a, b in zip(times, times[1:])), default=99.0)


def returns(lab, edge, redis, mediaenc):
    phone = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc=mediaenc)
    phone.wait_registered(15)
    edge.ring(phone, edge.desk)
    edge.desk.answer()
    phone.wait_event("CALL_ESTABLISHED", 10)
    talk(edge, phone)
    time.sleep(1)
    wires = Capture(lab, "home", "eth0", "udp and not port 5060"), Capture(lab, "desk", "eth0", "udp and not port 5060")
    dump = redis.cli("--no-raw", "GET", wait_until(lambda: redis.keys("media:*"), 5, "a record")[0])
    expect("inline:" not in dump and "PCMA" not in dump, "the record is sealed")
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    time.sleep(2)
    for wire, target in zip(wires, ("192.168.0.18", "10.0.0.30")):
        gap = silence(wire.stop().packets(), target)
        print("%s, to %s: silent for %.0f ms" % (mediaenc, target, gap * 1000))
        expect(gap < 1.9, "media to %s is back" % target)
    talk(edge, phone)
    before = edge.postern.relay_stats()
    time.sleep(0.5)
    after = edge.postern.relay_stats()
    failed = [sum(l["drops"].get(w, 0) for l in s["lcores"] for w in ("srtp-auth", "srtp-replay", "srtp-key"))
              for s in (before, after)]
    expect(failed[0] == failed[1], "no SRTP failure that lasts: %s" % failed)
    edge.desk.hangup()
    phone.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    phone.stop()


def check(lab, keying, mediaenc):
    redis = Redis(lab)
    edge = Edge(lab, CONFIG % (keying, redis.socket), phones=False, env={"STATE_KEY": SECRET})
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.desk.wait_registered(15)
    returns(lab, edge, redis, mediaenc)
    edge.finish()
    logs = edge.postern.process.log()
    expect(SECRET not in logs and "inline:" not in logs, "no key in the logs")
