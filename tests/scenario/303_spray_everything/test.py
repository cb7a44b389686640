# SPDX-License-Identifier: Apache-2.0
"""A stranger sends plausible RTP, STUN and DTLS to every media port, 50 packets a second each, from before the
answer on: with an SDP that is true and with one that a NAT has made false, none of the call's packets go to the
stranger, none of the stranger's into the call, and all of the call's own arrive. In the middle the NAT re-maps:
sound is back both ways in less than a second."""
import os
import socket
import struct
import threading
import time

from lib.capture import Capture
from lib.edge import WAN, expect
from lib.side import Sides

WORKERS = [2]
PORTS = range(30000, 30020)
STRANGER = "198.51.100.67"
CARRIER = "198.51.100.66"
STRANGER_SSRC = 0x53545247
CARRIER_SSRC = 0x11111111
PBX_SSRC = 0x22222222
SPACING = 0.02
POLICY = ", media: {ports: 30000-30019}"


def rtp(sequence, ssrc):
    return struct.pack("!BBHII", 0x80, 8, sequence & 0xffff, sequence * 160 & 0xffffffff, ssrc) + b"\xd5" * 160


def stun():
    return struct.pack("!HHI", 1, 0, 0x2112a442) + os.urandom(12)


def hello():
    body = b"\x01" + os.urandom(60)
    return b"\x16\xfe\xfd" + struct.pack("!HHIH", 0, 0, 1, len(body)) + body


class Sprayer(threading.Thread):
    def __init__(self, lab):
        super().__init__()
        self.socket = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((STRANGER, 20000))
        self.stop, self.sent = threading.Event(), 0

    def run(self):
        sequence = 0
        while not self.stop.is_set():
            sequence += 1
            kind = (rtp(sequence, STRANGER_SSRC), rtp(sequence, CARRIER_SSRC), stun(), hello())[sequence % 4]
            for port in PORTS:
                self.socket.sendto(kind, (WAN, port))
                self.sent += 1
            time.sleep(SPACING)
        self.socket.close()


class Media(threading.Thread):
    """One end of the call: a packet every 20 ms, and the time of each that came."""

    def __init__(self, lab, host, address, port, to, ssrc):
        super().__init__()
        self.lab, self.host, self.address, self.to, self.ssrc = lab, host, address, to, ssrc
        self.stop, self.sent, self.got, self.strange = threading.Event(), 0, [], 0
        self.bind(port)

    def bind(self, port):
        s = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.address, port))
        s.setblocking(False)
        self.socket = s

    def run(self):
        while not self.stop.is_set():
            self.sent += 1
            self.socket.sendto(rtp(self.sent, self.ssrc), self.to)
            end = time.monotonic() + SPACING
            while time.monotonic() < end:
                try:
                    data = self.socket.recv(2048)
                except BlockingIOError:
                    time.sleep(0.001)
                    continue
                ssrc, = struct.unpack_from("!I", data, 8)
                if ssrc in (CARRIER_SSRC, PBX_SSRC) and ssrc != self.ssrc:
                    self.got.append((time.monotonic(), struct.unpack_from("!H", data, 2)[0]))
                else:
                    self.strange += 1


def answered(body):
    port = int(body.split("m=audio ")[1].split()[0])
    address = body.split("c=IN IP4 ")[1].split()[0]
    return address, port


def call_under_fire(lab, sides, natted):
    sprayer = Sprayer(lab)
    bled = Capture(lab, "stranger", "eth0", "udp and src host %s and dst host %s" % (WAN, STRANGER))
    sprayer.start()
    carrier = pbx = None
    try:
        call, callee = sides.ring(sdp=True) if not natted else sides.ring(sdp=natted)
        callee.reply(callee.invite, 200, body=callee.sdp())
        callee.expect_request("ACK")
        wan_to = answered(call.wait_final(200).text)
        call.ack()
        lan_to = answered(callee.invite.text)
        carrier = Media(lab, "stranger", CARRIER, 40100 if natted else 40000, wan_to, CARRIER_SSRC)
        pbx = Media(lab, "pbx", "10.0.0.20", 30000, lan_to, PBX_SSRC)
        pbx.start()
        carrier.start()
        time.sleep(2)
        remapped = None
        if natted:  # the NAT takes another port
            old = carrier.socket
            time.sleep(0.4)
            remapped = time.monotonic()
            carrier.bind(40200)
            old.close()
            time.sleep(2)
        carrier.stop.set()
        pbx.stop.set()
        carrier.join()
        pbx.join()
        sides.hang_up(call, callee)
    finally:
        for thread in (sprayer, carrier, pbx):
            if thread and thread.is_alive():
                thread.stop.set()
                thread.join()
    return sprayer, bled, carrier, pbx, remapped


def check(sprayer, bled, carrier, pbx, remapped, probation):
    expect(sprayer.sent > 1500, "the stranger did spray (%d)" % sprayer.sent)
    expect(not bled.stop().packets(), "nothing to the stranger: %s" % bled.packets()[:3])
    expect(pbx.strange == 0 and carrier.strange == 0, "nothing of the stranger in the call")
    numbers = [n for _, n in pbx.got]
    expect(len(numbers) == len(set(numbers)), "no number twice: the stranger's copies are not heard")
    if not remapped:
        # the very last ones may be on their way
        expect(len(pbx.got) >= carrier.sent - probation - 2, "all of the carrier's arrive: %d of %d" %
               (len(pbx.got), carrier.sent))
        expect(len(carrier.got) >= pbx.sent - 10, "all of the PBX's arrive: %d of %d" % (len(carrier.got), pbx.sent))
        return
    for end, what in ((pbx, "forth"), (carrier, "back")):
        first = min((t for t, _ in end.got if t > remapped + 0.06), default=None)
        expect(first and first - remapped < 1.0, "sound %s again %s s after the NAT re-mapped" %
               (what, first and round(first - remapped, 2)))
        expect(len([t for t, _ in end.got if t > remapped + 1.0]) > 30, "and it stays, " + what)


def run(lab):
    sides = Sides(lab, lan=", media: {ports: 20000-20019}", wan=POLICY)
    lab.run("stranger", "ip", "address", "add", STRANGER + "/24", "dev", "eth0")
    check(*call_under_fire(lab, sides, None), probation=0)
    private = ("v=0\r\no=- 1 1 IN IP4 192.168.0.18\r\ns=-\r\nc=IN IP4 192.168.0.18\r\nt=0 0\r\n"
               "m=audio 40000 RTP/AVP 8\r\n")
    check(*call_under_fire(lab, sides, private), probation=1)
    call = sides.edge.postern.relay_stats()
    expect(call, "the relay answers")
    sides.finish()
