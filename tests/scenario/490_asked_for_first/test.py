# SPDX-License-Identifier: Apache-2.0
"""A relay that began while its store was frozen: a command for a call it does not know is answered after one read of
its record, with the ports and sources of before; what is in no record gets its error at once, and so it does when the
store freezes again, while other commands do not wait."""
import os
import signal
import socket
import time

from lib.edge import expect
from lib.lab import wait_until
from lib.ng import NG, decode, encode
from lib.redis import Redis
from lib.relay import Bench, CONFIG, Party

WORKERS = [1]


def heard(speaker, listener):
    speaker.rtp(3)
    return len(listener.received())


def raw(lab, command, **keys):
    """Ask, and do not wait: the socket and the cookie."""
    made = lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", 2223))
    made.settimeout(3)
    made.send(b"cookie-%d " % made.fileno() + encode({"command": command, **keys}))
    return made


def frozen(lab, redis, bench):
    """A read that is under way when the store freezes ends with an error; a ping overtakes it."""
    os.kill(redis.process.popen.pid, signal.SIGSTOP)
    started = time.monotonic()
    waiting = raw(lab, "query", **{"call-id": "nobody", "from-tag": "a"})
    bench.ng.must("ping")
    pinged = time.monotonic() - started
    reply = decode(waiting.recv(65535).partition(b" ")[2])[0]
    took = time.monotonic() - started
    os.kill(redis.process.popen.pid, signal.SIGCONT)
    waiting.close()
    print("store frozen: ping after %.0f ms, the error after %.0f ms" % (pinged * 1000, took * 1000))
    expect(reply["result"] == b"error" and b"call-id" in reply["error-reason"], "an error: %r" % reply)
    expect(pinged < took and 0.01 < took < 2, "it waited, and alone: %.3f %.3f" % (pinged, took))


def run(lab):
    redis = Redis(lab)
    lab.edge()
    bench = Bench(lab, config=CONFIG + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    calls = []
    for i in range(4):
        inside, outside = Party(lab, "desk", "10.0.0.30", 4000 + 10 * i), Party(lab, "inet", "203.0.113.1", 5000 + 10 * i)
        bench.call(inside, outside)
        calls.append((bench.id, inside, outside))
    wait_until(lambda: len(redis.keys("media:*")) == 4, 5, "each has a record")
    os.kill(bench.relay.process.popen.pid, signal.SIGKILL)
    bench.relay.process.popen.wait()
    os.kill(redis.process.popen.pid, signal.SIGSTOP)
    bench = Bench(lab, config=CONFIG + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    os.kill(redis.process.popen.pid, signal.SIGCONT)
    wait_until(lambda: bench.relay.relay_stats()["kept"]["store"] == "up", 5, "the store is back")
    expect(bench.relay.relay_stats()["kept"]["revived"] == 0, "none came back at start")
    ng = bench.ng
    for index, (name, inside, outside) in enumerate(calls):
        ports = inside.relay, outside.relay
        if index == 0:
            reply = ng.must("query", call_id=name)
            expect(len(reply["tags"]) == 2, "both sides are there: %r" % reply)
        elif index == 1:
            outside.peer(ng.must("offer", call_id=name, from_tag="a", to_tag="b", sdp=inside.sdp(), replace=["origin"]))
        elif index == 2:
            inside.peer(ng.must("answer", call_id=name, from_tag="a", to_tag="b", sdp=outside.sdp(), replace=["origin"]))
        else:
            ng.must("delete", call_id=name, from_tag="a")
            continue
        expect((inside.relay, outside.relay) == ports, "the ports of before")
        expect(heard(inside, outside) == 3 and heard(outside, inside) == 3, "sound both ways")
    wait_until(lambda: len(redis.keys("media:*")) == 3, 5, "what was deleted has no record")
    expect(bench.relay.relay_stats()["kept"]["fetched"] == 4, "each was read once")
    gets = lambda: int(next(l.split("calls=")[1].split(",")[0] for l in redis.cli("INFO", "commandstats").split("\n")
                            if l.startswith("cmdstat_get:")))
    before = gets()
    ng.must("query", call_id=calls[0][0], from_tag="a")
    ng.must("offer", call_id="new", from_tag="x", sdp=calls[0][1].sdp())
    expect(gets() == before, "what is here, or new, is not read")
    reply = ng.request("play DTMF", call_id="nobody", from_tag="a", digit="1")
    expect(reply["result"] == b"error", "unknown: %r" % reply)
    frozen(lab, redis, bench)
