# SPDX-License-Identifier: Apache-2.0
"""R3: several addresses of both families, the loopback, and the group sip.mcast.net 224.0.1.75, per interface.
A datagram to the group gets one answer, whatever the number of workers, from our own address; only what looks for
a server gets any."""
import socket
import time

from lib.edge import expect
from lib.postern import Postern

CONFIG = """interfaces:
  lan:
    role: trusted
    address: [10.0.0.1, "fd00::1"]
    listen: [udp/5060, tcp/5060, udp/5080, multicast/224.0.1.75]
  loop: {role: trusted, address: 127.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def options(address, port, method="OPTIONS", extra=""):
    return ("%s sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%x;rport\r\nMax-Forwards: 70\r\n"
            "From: <sip:a@example.com>;tag=1\r\nTo: <sip:10.0.0.1>\r\nCall-ID: %x\r\nCSeq: 1 %s\r\n%s"
            "Content-Length: 0\r\n\r\n" % (method, address, port, time.monotonic_ns(), time.monotonic_ns(), method,
                                         extra)).encode()


def answers(s, seconds=0.7):
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            data, source = s.recvfrom(65536)
            found.append((data.split(b"\r\n")[0].decode(), source[:2]))
        except socket.timeout:
            break
    return found


def run(lab):
    lab.edge()
    postern = Postern(lab, CONFIG)
    udp = lab.socket("desk", socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("10.0.0.30", 5060))
    udp6 = lab.socket("desk", socket.AF_INET6, socket.SOCK_DGRAM)
    udp6.bind(("fd00::30", 5060))
    loop = lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM)
    loop.bind(("127.0.0.1", 0))
    for s, ours, theirs in ((udp, ("10.0.0.1", 5060), "10.0.0.30"), (udp, ("10.0.0.1", 5080), "10.0.0.30"),
                            (udp6, ("fd00::1", 5060), "[fd00::30]"), (loop, ("127.0.0.1", 5060), "127.0.0.1")):
        s.sendto(options(theirs, s.getsockname()[1]), ours)
        found = answers(s)
        expect(len(found) == 1 and found[0][0].startswith("SIP/2.0 ") and found[0][1] == ours,
               "one answer from %s: %s" % (ours, found))

    group = ("224.0.1.75", 5060)
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.30"))
    for _ in range(3):
        udp.sendto(options("10.0.0.30", 5060), group)
        found = answers(udp)
        expect(len(found) == 1 and found[0][0].startswith("SIP/2.0 ") and found[0][1] == ("10.0.0.1", 5060),
               "one answer to the group: %s" % found)
    for text in (options("10.0.0.30", 5060, "INVITE", "Contact: <sip:a@10.0.0.30>\r\n"),
                 options("10.0.0.30", 5060, "MESSAGE"), options("10.0.0.30", 5060).replace(b"CSeq: 1", b"CSeq: x"),
                 b"\0\1\0\0\x21\x12\xa4\x42abcdefghijkl", b"SIP/2.0 200 OK\r\n\r\n"):
        udp.sendto(text, group)
    found = answers(udp)
    expect(not found, "no answer to anything else: %s" % found)
    listeners = next(l for l in postern.ask("show interfaces") if l["name"] == "lan")["listeners"]
    expect("multicast/224.0.1.75:5060" in listeners and "udp/[fd00::1]:5080" in listeners, "shown: %s" % listeners)
    postern.stop()
