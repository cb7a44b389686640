# SPDX-License-Identifier: Apache-2.0
"""ICE lite, packet by packet: checks are answered and the nominated pair gets the media; a stranger with our ufrag and a
wrong password is neither answered nor in the way; a restart goes on with the old pair until the new one is there, and
takes the media to another network; who stops consenting is sent nothing any more."""
import os
import socket
import threading
import time

from lib import stun
from lib.edge import expect
from lib.lab import wait_until
from lib.ng import NG
from lib.postern import Postern, binaries

WORKERS = [1]
LONG = True
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-20039}}
  wan: {address: 203.0.113.10, media: {ports: 30000-30039}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
relay: {control: [udp/127.0.0.1:2223]}
"""
PLAIN = ("v=0\r\no=- 1 1 IN IP4 10.0.0.30\r\ns=-\r\nc=IN IP4 10.0.0.30\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")


class RelayAlone(Postern):
    def command(self):
        return [os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", self.path]

    def stats(self):
        return {"held": {}}


def exchange(ng, party):
    reply = ng.must("offer", call_id="c", from_tag="a", sdp=party.sdp(), direction=["wan", "lan"], ICE="remove",
                    rtcp_mux=["demux"], ICE_lite="backward")
    expect(b"ice" not in reply["sdp"] and b"candidate" not in reply["sdp"], "the LAN sees nothing of ICE")
    lan = [l for l in reply["sdp"].decode().split("\r\n") if l.startswith("m=")][0].split()[1]
    reply = ng.must("answer", call_id="c", from_tag="a", to_tag="b", sdp=PLAIN)
    lines = party.take(reply["sdp"])
    expect("a=ice-lite" in lines and "a=rtcp-mux" in lines, "we are lite: %s" % lines)
    return ("10.0.0.1", int(lan))


class Flood(threading.Thread):
    """Requests with our ufrag and a password of the stranger's own."""

    def __init__(self, lab, party):
        super().__init__(daemon=True)
        self.socket, self.party, self.over, self.sent = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM), party, False, 0
        self.socket.setblocking(False)

    def run(self):
        data = stun.check(self.party.ufrag, self.party.theirs, "a password of the stranger's own")
        while not self.over:
            for _ in range(20):
                try:
                    self.socket.sendto(data, self.party.relay)
                    self.sent += 1
                except OSError:
                    pass
            time.sleep(0.002)

    def answer(self):
        try:
            return self.socket.recv(2048)
        except OSError:
            return None


def both_ways(party, desk, lan, packets=15):
    before, heard = len(party.rtp), 0
    desk.settimeout(0.001)
    for i in range(packets):
        party.speak(1)
        desk.sendto(b"\x80\x08" + (1000 + i).to_bytes(2, "big") + (160 * i).to_bytes(4, "big") + b"desk" + b"\xd5" * 160, lan)
        try:
            while desk.recv(2048):
                heard += 1
        except (socket.timeout, BlockingIOError):
            pass
    party.receive(0.1)
    return heard, len(party.rtp) - before


def run(lab):
    lab.edge(stranger=True)
    relay = RelayAlone(lab, CONFIG)
    ng = NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
    party = stun.Party(lab, "inet", "203.0.113.1", 5000)
    desk = lab.socket("desk", socket.AF_INET, socket.SOCK_DGRAM)
    desk.bind(("10.0.0.30", 4000))
    lan = exchange(ng, party)

    party.speak(5)
    desk.settimeout(0.2)
    try:
        desk.recv(2048)
        expect(False, "no media before a check is through")
    except (socket.timeout, BlockingIOError):
        pass
    expect(party.check(), "a check is answered")
    heard, came = both_ways(party, desk, lan)
    expect(heard >= 12 and came >= 12, "media goes both ways: %d %d" % (heard, came))

    flood = Flood(lab, party)
    flood.start()
    checks = [party.check(nominate=False) for _ in range(10)]
    heard, came = both_ways(party, desk, lan, 30)
    flood.over = True
    flood.join()
    expect(all(checks), "each check is answered during the flood: %s" % checks)
    expect(heard >= 27 and came >= 27, "and so is media: %d %d" % (heard, came))
    expect(flood.answer() is None, "the stranger is not answered (%d sent)" % flood.sent)
    stats = relay.relay_stats()
    counted = stats["counters"]["ice_unauthentic"]
    dropped = sum(l["drops"].get("punt", 0) for l in stats["lcores"])
    expect(0 < counted < flood.sent / 10 and dropped > flood.sent / 2,
           "most of %d cost a look-up only: %d checked, %d dropped" % (flood.sent, counted, dropped))

    before = (party.theirs, party.password, party.ufrag)
    party.restart()
    exchange(ng, party)
    expect(party.theirs != before[0] and party.password != before[1], "a restart has new credentials")
    heard, came = both_ways(party, desk, lan)
    expect(heard >= 12 and came >= 12, "the old pair serves until the new one is there: %d %d" % (heard, came))
    moved = stun.Party(lab, "inet", "81.56.73.1", 6000)  # the phone went to another network
    moved.ufrag, moved.theirs, moved.password, moved.relay = party.ufrag, party.theirs, party.password, party.relay
    expect(moved.check(), "the new session is answered")
    heard, came = both_ways(moved, desk, lan)
    expect(heard >= 12 and came >= 12, "media follows: %d %d" % (heard, came))
    expect(relay.relay_stats()["counters"]["ice_restarts"] == 1, "one restart is counted")

    time.sleep(2.5)
    expect(moved.check(nominate=False), "consent is given")  # from here on its absence means something
    began = time.monotonic()
    wait_until(lambda: relay.relay_stats()["counters"]["consent_lost"] == 1, 40, "consent is lost", step=0.5)
    expect(25 < time.monotonic() - began < 36, "after 30 s: %.1f" % (time.monotonic() - began))
    heard, came = both_ways(moved, desk, lan)
    expect(came == 0, "nothing is sent there any more: %d" % came)
    ng.must("delete", call_id="c", from_tag="a")
    relay.check_idle(20)
    relay.stop()
