# SPDX-License-Identifier: Apache-2.0
"""F10: a client asks for its public address by STUN, on the port of SIP and on 3478; as in RFC 8489 and as in
RFC 3489. The answer goes to nobody else and is hardly longer than the question."""
import os
import socket
import struct
import zlib

from lib.edge import WAN, expect
from lib.lab import LabError
from lib.postern import Postern

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: [203.0.113.10, "2001:db8:1::10"]
    listen: [udp/5060, tcp/5060, stun/3478]
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
COOKIE = b"\x21\x12\xa4\x42"


def message(attributes=b"", head=COOKIE, kind=1):
    return struct.pack("!HH", kind, len(attributes)) + head + os.urandom(12) + attributes


def ask(s, request, port, seconds=2):
    s.settimeout(seconds)
    s.sendto(request, (WAN, port))
    try:
        answer, source = s.recvfrom(2048)
    except socket.timeout:
        return None
    expect(source == (WAN, port), "the answer comes from where the question went")
    expect(answer[4:20] == request[4:20], "it is the answer to this question")
    return answer


def mapped(answer, is_old):
    kind, length = struct.unpack("!HH", answer[:4])
    expect(kind == 0x101 and length == len(answer) - 20, "a success: %r" % answer)
    kind, length, family, port = struct.unpack("!HHHH", answer[20:28])
    address = answer[28:32]
    expect((kind, family) == ((1 if is_old else 0x20), 1), "an address of IPv4: %r" % answer)
    if not is_old:
        port ^= 0x2112
        address = bytes(a ^ b for a, b in zip(address, COOKIE))
    return socket.inet_ntoa(address), port


def run(lab):
    lab.edge(stranger=True)
    postern = Postern(lab, CONFIG)
    nated, stranger = (lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM) for host in ("home", "stranger"))
    stranger.bind(("198.51.100.66", 4000))
    for port in (5060, 3478):
        for is_old in (False, True):
            head = b"\1\2\3\4" if is_old else COOKIE
            expect(mapped(ask(stranger, message(head=head), port), is_old) == ("198.51.100.66", 4000), "its own address")
            expect(mapped(ask(nated, message(head=head), port), is_old)[0] == "81.56.73.55", "the address of its NAT")
        request = message(struct.pack("!HHI", 0x8028, 4, 0))
        request = request[:24] + struct.pack("!I", zlib.crc32(request[:20]) ^ 0x5354554e)
        answer = ask(stranger, request, port)
        expect(struct.unpack("!I", answer[-4:])[0] == zlib.crc32(answer[:-8]) ^ 0x5354554e, "FINGERPRINT is right")
        # RESPONSE-ADDRESS (RFC 3489 11.2.2) names somebody else: refused, to whoever asked
        answer = ask(stranger, message(struct.pack("!HHHHI", 2, 8, 1, 5060, 0x0a000014), b"\1\2\3\4"), port)
        expect(answer[:2] == b"\x01\x11" and answer[20:28] == b"\0\x09\0\4\0\0\4\x14", "420: %r" % answer)
        for bad in (message(kind=0x11), message(kind=0x101), message()[:-1], message(b"\x80\x22\0\x40"), b"\0" * 20):
            expect(len(ask(stranger, bad, port, 0.2) or b"") == 0, "no answer to %r" % bad)
    expect(ask(stranger, b"OPTIONS sip:a SIP/2.0\r\n\r\n", 3478, 0.2) is None, "no SIP on 3478")
    wan = next(l for l in postern.ask("show interfaces") if l["name"] == "wan")
    expect(wan["stun"] == 12, "counted: %s" % wan["stun"])
    expect("stun/203.0.113.10:3478" in wan["listeners"], "shown: %s" % wan["listeners"])
    postern.stop()
