# SPDX-License-Identifier: Apache-2.0
"""Our relay under attack while one call speaks: whatever strangers send, to the media ports or to the control port,
whatever becomes of neighbours, links and addresses, the call loses nothing, no stranger is heard or served, and nothing is left."""
import importlib.util
import os
import signal
import socket
import struct
import threading
import time

from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.ng import NG

WORKERS = [1]
LONG = True
TIMEOUT = 170
HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("alone", os.path.join(HERE, "../21_relay_alone/test.py"))
alone = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alone)
Party = alone.Party
both_ways = alone.both_ways


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def rtp(sequence, ssrc=0xbadbad, fill=b"\xee"):
    return struct.pack("!BBHII", 0x80, 8, sequence & 0xffff, sequence * 160 & 0xffffffff, ssrc) + fill * 160


STUN = struct.pack("!HHI", 1, 0, 0x2112a442) + b"0123456789ab"
DTLS = b"\x16\xfe\xff" + b"\0" * 8 + b"\0\x40" + b"\1" * 64
BYE = struct.pack("!BBHI", 0x81, 203, 1, 0xbadbad)
SHAPES = [STUN, DTLS, BYE, b"", b"\x80", b"\x80\x08", b"\xff" * 1400, b"\x8f\x08" + b"\0" * 10, b"\x90\x08" + b"\xff" * 14,
          struct.pack("!BBHI", 0x80, 201, 0xffff, 1), struct.pack("!BBHI", 0x9f, 200, 0, 1)]


class Spray(threading.Thread):
    """Every shape to every port of the range, from one socket, until told to stop."""

    def __init__(self, sock, address, ports):
        super().__init__(daemon=True)
        self.sock, self.address, self.ports, self.on, self.sent = sock, address, ports, True, 0
        sock.setblocking(False)

    def run(self):
        n = 0
        while self.on:
            n += 1
            for port in self.ports:
                for data in (rtp(n), SHAPES[n % len(SHAPES)]):
                    try:
                        self.sock.sendto(data, (self.address, port))
                        self.sent += 1
                    except OSError:
                        pass
            time.sleep(0.03)

    def stop(self):
        self.on = False
        self.join(5)
        got = 0
        try:
            while True:
                self.sock.recv(2048)
                got += 1
        except OSError:
            pass
        self.sock.close()
        return got


def udp(lab, host, bind=None):
    s = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
    if bind:
        s.bind(bind)
    return s


def evil(got):
    return [d for d, _ in got if b"\xee\xee" in d or d in SHAPES]


def sprayed(bench, lab):
    """From before the offer; SDP true and behind a NAT; from elsewhere, and from the phone's own address on another port."""
    for said in (None, "192.168.7.7"):
        sprays = [Spray(udp(lab, "inet", ("81.56.73.1", 0)), "203.0.113.10", range(30000, 30200)),
                  Spray(udp(lab, "inet", ("81.56.73.1" if said else "203.0.113.1", 7000)), "203.0.113.10",
                        range(30000, 30200))]
        for s in sprays:
            s.start()
        time.sleep(0.3)
        b = Party(lab, "inet", "203.0.113.1", 5000, said=said, said_port=9000 if said else None)
        a = Party(lab, "desk", "10.0.0.30", 4000)
        bench.count += 1
        bench.id = "spray-%d" % bench.count
        keys = {"received_from": ["IP4", "203.0.113.1"], "flags": ["SIP-source-address"]} if said else {}
        a.peer(bench.ng.must("offer", call_id=bench.id, from_tag="a", sdp=b.sdp(), direction=["wan", "lan"], **keys))
        b.peer(bench.ng.must("answer", call_id=bench.id, from_tag="a", to_tag="b", sdp=a.sdp()))
        b.rtp(2)
        first = a.received()
        a.rtp(50)
        b.rtp(50)
        got_a, got_b = a.received(), b.received()
        early, late = b.received(1), a.received(1)
        b.rtcp()
        time.sleep(0.05)  # what it is answered from must be known
        a.rtcp()
        got_rtcp = [d for d, _ in a.received(1)], [d for d, _ in b.received(1)]
        bled = [s.stop() for s in sprays]
        expect(not evil(first + got_a + late) and not evil(got_b + early), "nothing was injected (said %s)" % said)
        # The sender's kernel may drop in such a storm; the relay must not.
        expect(min(len(got_a), len(got_b)) >= 48, "all was heard (said %s): %d %d" % (said, len(got_a), len(got_b)))
        expect(len(got_rtcp[0]) == 1 and (len(got_rtcp[1]) == 1), "RTCP as well (said %s): %s" % (said, got_rtcp))
        expect(not any(bled), "nothing bled (said %s): %s" % (said, bled))
        bench.hangup(a, b)


def remapped(bench, lab):
    """The NAT gives the phone another port in mid-call: it is followed, within a second."""
    a = Party(lab, "desk", "10.0.0.30", 4000)
    b = Party(lab, "inet", "203.0.113.1", 5000, said="192.168.7.7", said_port=9000)
    bench.count += 1
    bench.id = "remap-%d" % bench.count
    a.peer(bench.ng.must("offer", call_id=bench.id, from_tag="a", sdp=b.sdp(), direction=["wan", "lan"],
                         received_from=["IP4", "203.0.113.1"], flags=["SIP-source-address"]))
    b.peer(bench.ng.must("answer", call_id=bench.id, from_tag="a", to_tag="b", sdp=a.sdp()))
    b.rtp(2)
    a.received()
    expect(both_ways(a, b, 5) == (5, 5), "heard before")
    new = Party(lab, "inet", "203.0.113.1", 5600)
    new.relay, new.sequence, new.ssrc = b.relay, b.sequence, b.ssrc
    new.rtp(25)  # 300 ms of silence of the old port are asked for first
    time.sleep(0.3)
    new.rtp(12)
    a.rtp(5)
    expect(len(a.received()) >= 10 and len(new.received()) == 5, "followed to the other port")
    bench.hangup(a, b, new)


def header4(payload, source, to, proto=17, flags=0, options=b"", total=None, bad=False, version=4):
    ihl = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total or ihl * 4 + len(payload), 7, flags, 64, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(to)) + options
    return head[:10] + struct.pack("!H", checksum(head) ^ (0x1234 if bad else 0)) + head[12:] + payload


def udp_of(data, sport, dport, length=None, check=0):
    return struct.pack("!HHHH", sport, dport, length if length is not None else 8 + len(data), check) + data


def malformed(bench, lab):
    """Frames that no socket would send, spoofing the peer, while the peers speak."""
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b)
    both_ways(a, b, 2)
    raw = lab.socket("inet", socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("s0", 0))
    mac_of = lambda host, dev: bytes.fromhex(lab.run(host, "cat", "/sys/class/net/%s/address" % dev).strip().replace(":", ""))
    ether = mac_of("sbc", "wan") + mac_of("inet", "s0")
    port = b.relay[1]
    good = udp_of(rtp(9), 5000, port)
    ip = lambda payload, **k: header4(payload, "203.0.113.1", "203.0.113.10", **k)
    v6 = lambda next_header, payload: struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + socket.inet_pton(
        socket.AF_INET6, "2001:db8:1::1") + socket.inet_pton(socket.AF_INET6, "2001:db8:1::10") + payload
    frames = [ether + b"\x08\x00" + p for p in (
        ip(good, bad=True), ip(good, flags=0x2000), ip(good, flags=1), ip(good, options=b"\x07\x27" + b"\xff" * 38),
        ip(good, total=4000), ip(good, total=20), ip(good, total=27), ip(good, version=5), ip(good)[:20], ip(good)[:24], ip(good)[:28],
        ip(udp_of(rtp(9), 5000, port, length=7)), ip(udp_of(rtp(9), 5000, port, length=9000)), ip(udp_of(rtp(9), 5000, port, check=0xbeef)),
        ip(udp_of(b"", 5000, port)), ip(udp_of(rtp(9), 0, port)), header4(good, "0.0.0.0", "203.0.113.10"),
        header4(good, "127.0.0.1", "203.0.113.10"), header4(good, "224.0.0.1", "203.0.113.10"),
        header4(good, "203.0.113.10", "203.0.113.10"), b"\x45", b"\x4f" + ip(good)[1:], b"\x41" + ip(good)[1:])]
    frames += [ether + b"\x86\xdd" + p for p in (
        v6(17, good), v6(0, struct.pack("!BB6x", 17, 0) + good), v6(0, struct.pack("!BB6x", 0, 255) * 40), v6(44, struct.pack(
            "!BBHI", 17, 0, 1, 9) + good), v6(43, struct.pack("!BBBB4x", 17, 0, 0, 200) + good), v6(59, b""), v6(17, b"\x13")[:44], b"\x60")]
    frames += [ether + b"\x81\x00\x00\x05\x08\x00" + ip(good), ether + b"\x88\xa8\x00\x05\x81\x00\x00\x05\x08\x00" + ip(good),
               ether + b"\x81\x00", ether + b"\x00\x00"]
    before = bench.relay.relay_stats()["totals"]["packets"]
    for _ in range(20):
        for frame in frames:
            raw.send(frame.ljust(14, b"\0"))
        b.rtp(1)
        a.rtp(1)
    raw.close()
    got_a, got_b = a.received(), b.received()
    mine = [d for d, _ in got_a if b"\xee\xee" not in d]
    expect((len(mine), len(got_b)) == (20, 20), "no good packet was lost: %d %d" % (len(mine), len(got_b)))
    # UDP without a checksum and VLANs aside, a spoofed packet that is whole is the peer's as far as anybody can tell.
    expect(len(got_a) - 20 <= 20 * 3, "what is malformed is not relayed: %d" % (len(got_a) - 20))
    expect(bench.relay.relay_stats()["totals"]["packets"] > before, "it relays")
    bench.hangup(a, b)


def neighbours(bench, lab):
    """The phone's MAC address changes; a link flaps; the media address goes away and comes back."""
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b)
    expect(both_ways(a, b, 3) == (3, 3), "before")

    def comes_back(what, seconds=8):
        started = time.monotonic()
        wait_until(lambda: both_ways(a, b, 3) == (3, 3), seconds, what)
        print("%s: %.1f s (two silent looks take 1 s)" % (what, time.monotonic() - started))
    lab.run("desk", "ip", "link", "set", "eth0", "address", "02:00:00:00:00:77")
    lab.run("desk", "ip", "route", "replace", "default", "via", "10.0.0.1", check=False)
    lab.run("desk", "ip", "neigh", "flush", "all", check=False)
    comes_back("audio after a change of MAC")
    lab.run("sbc", "ip", "link", "set", "wan", "down")
    time.sleep(0.3)
    lab.run("sbc", "ip", "link", "set", "wan", "up")
    lab.run("sbc", "ip", "route", "replace", "default", "via", "203.0.113.1", check=False)
    comes_back("audio after the link was down")
    lab.run("sbc", "ip", "addr", "del", "203.0.113.10/24", "dev", "wan")
    time.sleep(0.3)
    lab.run("sbc", "ip", "addr", "add", "203.0.113.10/24", "dev", "wan")
    lab.run("sbc", "ip", "route", "replace", "default", "via", "203.0.113.1", check=False)
    comes_back("audio after the address was away")
    bench.hangup(a, b)
    v6 = lab.run("sbc", "ip", "-6", "addr", "show", "dev", "wan")
    if "2001:db8:1::10" not in v6:  # the kernel drops IPv6 addresses of a device that goes down
        lab.run("sbc", "ip", "addr", "add", "2001:db8:1::10/64", "dev", "wan", "nodad")


def control(bench, lab):
    """Garbage, depth and size, replays, thousands of offers that nobody answers: an answer each time, and nothing left."""
    s = udp(lab, "sbc")
    s.connect(("127.0.0.1", 2223))
    s.settimeout(0.05)
    junk = [b"", b" ", b"x", b"c " + b"d" * 60000, b"c " + b"l" * 60000, b"c d7:command4:ping", b"c d7:command99999999999:pinge",
            b"c di5ei6ee", b"c " + b'{"a":' * 10000, b'c {"command":"ping","x":' + b"[" * 5000 + b"]" * 5000 + b"}", b"\0" * 65000,
            b"c" * 65000, b"c d7:command5:offer7:call-id0:8:from-tag0:3:sdp0:e", b"c d7:commandi-9223372036854775808ee",
            b"c d7:command5:offer7:call-id1:x8:from-tag1:y3:sdp60000:" + b"m" * 60000 + b"e", os.urandom(60000)]
    for n, message in enumerate(junk):
        s.send(message.replace(b"c ", b"junk%d " % n, 1))
        try:
            s.recv(65535)
        except (socket.timeout, OSError):
            pass
    expect(bench.ng.must("ping"), "it answers after garbage")
    a = Party(lab, "desk", "10.0.0.30", 4000)
    for n in range(3000):
        reply = bench.ng.request("offer", call_id="storm-%d" % (n % 500), from_tag="t%d" % (n % 7), sdp=a.sdp(), direction=["lan", "wan"])
        expect(reply["result"] in (b"ok", b"error"), "answered: %r" % reply)
    for n in range(500):
        bench.ng.request("delete", call_id="storm-%d" % n, flags=["fast"])
    a.close()
    expect(bench.ng.must("list")["calls"] == [], "no call is left")
    s.close()


def readers(bench, lab):
    """A hundred readers of the stats socket that never read, and a stopped relay: the rest goes on."""
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b)
    stalled = []
    for _ in range(100):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(1)
        try:
            s.connect(bench.relay.relay_socket)
            s.setblocking(False)
            s.send(b"show calls\nshow stats\n" * 400)
        except OSError:
            pass
        stalled.append(s)
    expect(both_ways(a, b, 20) == (20, 20), "the call does not notice")
    expect(bench.ng.must("ping"), "nor does the control")
    for s in stalled:
        s.close()
    wait_until(lambda: bench.relay.relay_stats(), 5, "the stats socket answers again")
    pid = bench.relay.process.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.5)
    a.rtp(20)
    os.kill(pid, signal.SIGCONT)
    expect(len(b.received()) == 20, "half a second asleep loses nothing")
    bench.hangup(a, b)


def killed(bench, lab, driver):
    """kill -9 leaves a program and rules behind; the next start takes them away and serves."""
    bench.relay.process.signal(signal.SIGKILL)
    bench.relay.process.wait(5)
    again = alone.Bench(lab, driver)
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    again.call(a, b)
    expect(both_ways(a, b, 5) == (5, 5), "it serves again")
    again.relay.stop()  # in mid-call
    left = lab.run("sbc", "ip", "link") + lab.run("sbc", "nft", "list", "ruleset", check=False)
    expect("xdp" not in left and "postern" not in left.lower(), "nothing of it is left: %s" % left)
    a.close()
    b.close()


def run(lab):
    lab.edge()
    for driver in ("auto", "af_packet"):
        bench = alone.Bench(lab, driver)
        for case in (sprayed, remapped, malformed, neighbours, readers, control):
            try:
                case(bench, lab)
            except LabError as e:
                raise LabError("%s, %s: %s\n%s" % (driver, case.__name__, e, bench.relay.ask_relay("show calls")))
        bench.relay.check_idle(20)
        killed(bench, lab, driver)
