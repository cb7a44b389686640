# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the relay under many calls (20; POSTERN_CALLS says how many): each has media both ways again, on the
same ports, from the same sources; the silences are printed. A call that is ended afterwards leaves no record."""
import os
import select
import signal
import time

from lib.edge import expect
from lib.lab import wait_until
from lib.redis import Redis
from lib.relay import Bench, CONFIG, Party

WORKERS = [1]
CALLS = int(os.environ.get("POSTERN_CALLS", "20"))
# generous: a loaded machine, and a sanitized relay
LIMIT_S = 3.0


class Traffic:
    """Packets on all calls both ways, one each 20 ms; when each socket last heard something, and its longest
    silence since the mark."""

    def __init__(self, parties):
        self.parties = {p.sockets[0].fileno(): p for p in parties}
        self.poll = select.epoll()
        for p in parties:
            p.sockets[0].setblocking(False)
            self.poll.register(p.sockets[0], select.EPOLLIN)
        self.heard, self.silence, self.sources = {}, {}, {}

    def receive(self, until):
        while time.monotonic() < until:
            for fd, _ in self.poll.poll(max(0, until - time.monotonic())):
                data, source = self.parties[fd].sockets[0].recvfrom(2048)
                now = time.monotonic()
                if fd in self.heard:
                    self.silence[fd] = max(self.silence.get(fd, 0), now - self.heard[fd])
                self.heard[fd] = now
                self.sources.setdefault(fd, set()).add(source)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            tick = time.monotonic()
            for p in self.parties.values():
                p.sequence += 1
                p.sockets[0].sendto(b"\x80\x08" + (p.sequence & 0xffff).to_bytes(2, "big") +
                                    (p.sequence * 160 & 0xffffffff).to_bytes(4, "big") +
                                    p.ssrc.to_bytes(4, "big") + b"\xd5" * 160, p.relay)
            self.receive(tick + 0.02)


def run(lab):
    redis = Redis(lab)
    lab.edge()
    config = CONFIG.replace("20000-20199", "20000-23999").replace("30000-30199", "30000-33999")
    bench = Bench(lab, config=config + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    parties = []
    for i in range(CALLS):
        desk = Party(lab, "desk", "10.0.0.30", 10000 + 2 * i)
        # behind its NAT: the source is learned, and has to come back
        home = Party(lab, "home", "192.168.0.18", 10000 + 2 * i)
        bench.call(desk, home, received_from=["IP4", "10.0.0.30"])
        bench.ng.must("offer", call_id=bench.id, from_tag="b", to_tag="a", sdp=home.sdp(),
                      received_from=["IP4", "81.56.73.55"], direction=["wan", "lan"], replace=["origin"])
        bench.answered = home.peer(bench.ng.must("answer", call_id=bench.id, from_tag="b", to_tag="a", sdp=desk.sdp(),
                                                 received_from=["IP4", "10.0.0.30"], replace=["origin"]))
        parties += [desk, home]
    traffic = Traffic(parties)
    traffic.run(1.0)
    missing = [p.port for fd, p in traffic.parties.items() if fd not in traffic.heard]
    expect(not missing, "everybody hears before: %s do not" % missing)
    expect(len(redis.keys("media:*")) == CALLS, "a record for each")
    before = {fd: set(s) for fd, s in traffic.sources.items()}
    os.kill(bench.relay.process.pid, signal.SIGKILL)
    killed = time.monotonic()
    bench.relay.process.wait(5)
    traffic.silence.clear()
    again = lab.spawn("sbc", "relay-again", *bench.relay.command())
    traffic.run(LIMIT_S)
    silent = [p.port for fd, p in traffic.parties.items() if traffic.heard[fd] < killed + 0.05]
    expect(not silent, "everybody hears again: %s do not" % silent)
    expect(traffic.sources == before, "from the same ports")
    gaps = sorted(traffic.silence.values())
    print("%d calls, silent for: median %.0f ms, p99 %.0f ms, longest %.0f ms" %
          (CALLS, gaps[len(gaps) // 2] * 1000, gaps[len(gaps) * 99 // 100] * 1000, gaps[-1] * 1000))
    for i in range(CALLS):
        bench.ng.must("delete", call_id="call-%d" % (i + 1), from_tag="a")
    wait_until(lambda: not redis.keys("media:*"), 5, "no record is left")
    for p in parties:
        p.close()
    again.signal(signal.SIGTERM)
    expect(again.wait(10) == 0, "it ends in order")
