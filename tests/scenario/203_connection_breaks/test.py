# SPDX-License-Identifier: Apache-2.0
"""N6, further: a server that takes the INVITE and loses the connection, by reset or by closing: the next server,
or a 503, at once and not after timer B. What was answered before rings on, and an answer may come by another one."""
import socket
import struct
import threading
import time

from lib.edge import WAN, expect
from lib.edge import Edge
from lib.phone import Phone, parse

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  reset: {interface: lan, servers: ["sip:10.0.0.30:5090;transport=tcp"], ping: off}
  closing: {interface: lan, servers: ["sip:10.0.0.30:5091;transport=tcp"], ping: off}
  either: {interface: lan, servers: ["sip:10.0.0.30:5090;transport=tcp", "sip:10.0.0.30:5091;transport=tcp", 10.0.0.20],
           ping: off}
  ringing: {interface: lan, servers: ["sip:10.0.0.30:5092;transport=tcp"], ping: off}
  other: {interface: lan, servers: ["sip:10.0.0.30:5093;transport=tcp"], ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: phones, number: "6*", to: other}
  - {from: phones, number: "7*", to: reset}
  - {from: phones, number: "8*", to: closing}
  - {from: phones, number: "9*", to: either}
  - {from: phones, number: "5*", to: ringing}
  - {from: phones, to: pbx}
  - {from: pbx, to: phones}
"""
WORKERS = [1, 4]


def reply(m, code, contact=""):
    lines = ["SIP/2.0 %d x" % code] + ["Via: " + v for v in m.all("Via")]
    lines += ["From: " + m.get("From"), "To: %s;tag=s" % m.get("To"), "Call-ID: " + m.get("Call-ID"),
              "CSeq: " + m.get("CSeq"), "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


class Server:
    """Reads one message of each connection, and does `act` with it."""

    def __init__(self, lab, port, act):
        self.lab, self.act = lab, act
        self.listener = lab.socket("desk", socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("10.0.0.30", port))
        self.listener.listen(8)
        self.listener.settimeout(20)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            self.act(self.lab, connection, parse(data))


def reset(lab, connection, invite):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close(lab, connection, invite):
    connection.close()


def ring(lab, connection, invite):
    connection.sendall(reply(invite, 180))
    time.sleep(0.2)
    connection.close()
    time.sleep(1)
    answer(lab, invite)


def by_another(lab, connection, invite):
    connection.close()
    answer(lab, invite)


def answer(lab, invite):
    s = lab.socket("desk", socket.AF_INET, socket.SOCK_STREAM)
    s.connect(("10.0.0.1", 5060))
    s.sendall(reply(invite, 486))
    s.settimeout(5)
    s.recv(65536)  # its ACK
    s.close()


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    servers = [Server(lab, port, act) for port, act in ((5090, reset), (5091, close), (5092, ring), (5093, by_another))]
    phone = Phone(lab, "home", "other", "192.168.0.18", WAN, port=5066)
    phone.register("example.com", "secret")
    for number, code, limit in (("777", 503, 1.5), ("888", 503, 1.5), ("999", 404, 2.5), ("666", 486, 1), ("555", 486, 3)):
        started = time.monotonic()
        final = phone.invite("sip:%s@example.com" % number).wait_final(seconds=6)
        expect(final.code == code, "%s: %s" % (number, final.first_line))
        expect(time.monotonic() - started < limit, "%s at once (%.1f s)" % (number, time.monotonic() - started))
    phone.register("example.com", "secret", expires=0)
    phone.close()
    for server in servers:
        server.listener.close()
    edge.postern.stop()
