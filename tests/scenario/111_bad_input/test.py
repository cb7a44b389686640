# SPDX-License-Identifier: Apache-2.0
"""Bad input to TLS and WebSocket listeners of every kind: each ends its own connection, and is answered where the
protocol has an answer; a phone next to it notices nothing."""
import socket
import time

from lib.edge import Edge, WAN, expect
from lib.tls import Authority, FlowPhone, cut_frame, frame

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, tls/5061, ws/80, wss/443]
    tls: {certificate: !file edge.pem, key: !file edge.key}
    limits: {per-source: {connections: 100}}
    websocket: {origins: ["https://phone.example.com"]}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
SIP = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"
UPGRADE = (b"GET / HTTP/1.1\r\nHost: e\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n"
           b"Origin: https://phone.example.com\r\n\r\n")


def ends(lab, port, data, after=None):
    """What comes back before the connection ends."""
    s = lab.socket("stranger", socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(4)
    s.connect((WAN, port))
    s.sendall(data)
    got = b""
    try:
        if after is not None:
            while b"\r\n\r\n" not in got:
                got += s.recv(4096)
            expect(b" 101 " in got, "upgraded: %r" % got)
            got = got.partition(b"\r\n\r\n")[2]
            s.sendall(after)
        while True:
            part = s.recv(4096)
            if not part:
                break
            got += part
    except ConnectionResetError:
        pass
    s.close()
    return got


def run(lab):
    authority = Authority(lab)
    authority.sign("edge", "DNS:edge")
    edge = Edge(lab, CONFIG, phones=False, capture=False, stranger=True)
    phone = FlowPhone(lab, "home", "home", "192.168.0.18", WAN, "wss", authority, "edge")
    phone.register("example.com", "secret")

    for bad in (SIP, b"\x16\x03\x01\xff\xff" + b"x" * 50, b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00", b"\x80\x2e\x01\x03\x01",
                b"GET / HTTP/1.1\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"):
        for port in (5061, 443):
            expect(len(ends(lab, port, bad)) < 32, "TLS ends after %r" % bad[:10])
    for bad, status in ((SIP, b"400"), (b"\x16\x03\x01\x00\x05", b"400"), (UPGRADE.replace(b"GET", b"POST"), b"405"),
                        (UPGRADE.replace(b": websocket", b": h2c"), b"426"), (UPGRADE.replace(b": sip", b": chat"), b"400"),
                        (UPGRADE.replace(b"https://phone", b"https://evil"), b"403"),
                        (UPGRADE.replace(b"Origin", b"Cookie: %s\r\nOrigin" % (b"x" * 9000)), b"431")):
        got = ends(lab, 80, bad)
        expect(got[9:12] == status, "%s for %r: %r" % (status, bad[:30], got[:40]))
    for bad, status in ((b"\x81\x05hello", 1002), (b"\xf1\x80abcd", 1002), (frame(0x83, b"x"), 1002), (frame(0x80, b"x"), 1002),
                        (frame(0x09, b"x"), 1002), (frame(0x81, b"\xff\xfe"), 1007),
                        (b"\x82\xff\0\0\0\0\0\x10\0\0abcdx", 1009), (frame(0x88, b"\x03\xe8"), 1000)):
        opcode, payload, _ = cut_frame(ends(lab, 80, UPGRADE, bad))
        expect(opcode == 8 and int.from_bytes(payload[:2], "big") == status, "%d for %r: %r" % (status, bad[:8], payload))

    started = time.monotonic()
    phone.register("example.com", "secret")
    expect(time.monotonic() - started < 1, "the phone is served")
    expect(phone.connections == 1, "over the connection it has")
    wan = next(l for l in edge.postern.ask("show interfaces") if l["name"] == "wan")
    expect(wan["connections"] == 1, "nothing else is left: %s" % wan)
    expect(wan["not_secured"] == 12 and wan["not_upgraded"] == 7, "counted: %s" % wan)
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.postern.stop()
