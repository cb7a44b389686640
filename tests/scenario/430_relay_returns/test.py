# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the relay under a plain call: its session comes back from the store with the same ports and sources,
sound goes on both ways without a word of SIP, the signalling half notices nothing; hold and resume work, and the
record ends with the call."""
import os
import signal
import time

from lib.capture import Capture
from lib.edge import Edge, WAN, expect, requests
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.redis import Redis
from lib.tone import heard_on_wire

WORKERS = [2]


def gap(packets, source, destination):
    """The longest silence of RTP from one address to another, in seconds."""
    times = [p.time for p in packets if p.source == source and p.destination == destination and len(p.payload) == 172]
    return max((b - a for a, b in zip(times, times[1:])), default=99.0), len(times)


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    wait_until(lambda: redis.keys("media:*"), 5, "the session has a record")
    before = edge.postern.ask_relay("show version")["instance"]
    wires = [Capture(lab, host, "eth0", "udp and not port 5060") for host in ("home", "desk")]
    time.sleep(0.5)
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    time.sleep(2.5)
    for name, wire, target in (("home", wires[0], "192.168.0.18"), ("desk", wires[1], "10.0.0.30")):
        packets = wire.stop().packets()
        source = WAN if name == "home" else "10.0.0.1"
        silence, count = gap(packets, source, target)
        ports_seen = {p.sport for p in packets if p.source == source and len(p.payload) == 172}
        print("%s: silent for %.0f ms, %d packets" % (name, silence * 1000, count))
        expect(len(ports_seen) == 1, "%s: the same port: %s" % (name, ports_seen))
        expect(silence < 2.0, "%s: sound came back" % name)
    expect(edge.postern.ask_relay("show version")["instance"] == before, "the same instance, for all came back")
    edge.both_hear()
    edge.home.hold()
    time.sleep(0.5)
    edge.home.resume()
    time.sleep(0.3)
    wires = [Capture(lab, host, "eth0", "udp and not port 5060") for host in ("home", "desk")]
    time.sleep(1.2)
    for wire, target, tone in ((wires[0], "192.168.0.18", 1000), (wires[1], "10.0.0.30", 440)):
        expect(heard_on_wire(wire.stop().packets(), target, tone) > 0.6, "%s hears after hold and resume" % target)
    expect("relay.restarted" not in edge.postern.process.log(), "the signalling half noticed nothing")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not redis.keys("media:*"), 5, "the record ends with the call")
    edge.finish()
    expect(len(requests(edge.wan.messages(), "BYE")) <= 2, "one BYE")
