# SPDX-License-Identifier: Apache-2.0
"""A far end of a few lines that answers INVITEs as it is told, over UDP or TCP, by itself: a server of a
carrier, a redirector, a machine that is there and says nothing."""
import re
import select
import socket
import threading

from .phone import SDP, parse


def body_of(message):
    return message.body if isinstance(message.body, str) else message.body.decode()


class Callee(threading.Thread):
    """answer: a status, (status, "Header: x\\r\\n"), None (says nothing), or a function of the request."""

    def __init__(self, lab, host, address, port=5060, transport="udp", answer=200, ring=False, options=200):
        super().__init__(daemon=True)
        self.address, self.port, self.transport = address, port, transport
        self.answer, self.ring, self.options = answer, ring, options
        self.invites, self.requests, self.done = [], [], False
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = lab.socket(host, socket.AF_INET, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        if transport == "tcp":
            self.socket.listen(16)
        self.connections, self.pending = [], {}
        self.start()

    # --- wire ------------------------------------------------------------------------------------
    def run(self):
        while not self.done:
            readable, _, _ = select.select([self.socket] + self.connections, [], [], 0.1)
            for s in readable:
                try:
                    self.read(s)
                except OSError:
                    pass

    def read(self, s):
        if self.transport == "udp":
            data, source = s.recvfrom(65536)
            self.take(data, lambda text: self.socket.sendto(text.encode(), source))
        elif s is self.socket:
            self.connections.append(s.accept()[0])
        else:
            data = s.recv(65536)
            if not data:
                self.connections.remove(s)
                s.close()
                return
            data = self.pending.pop(s, b"") + data
            while True:
                data = data.lstrip(b"\r\n")
                head, found, rest = data.partition(b"\r\n\r\n")
                length = int((re.search(rb"(?im)^content-length\s*:\s*(\d+)", head) or [0, b"0"])[1]) if found else 0
                if not found or len(rest) < length:
                    break
                self.take(data[:len(head) + 4 + length], lambda text: s.sendall(text.encode()))
                data = rest[length:]
            self.pending[s] = data

    def close(self):
        self.done = True
        self.join(2)
        for s in [self.socket] + self.connections:
            s.close()

    # --- SIP -------------------------------------------------------------------------------------
    def take(self, data, send):
        message = parse(data)
        if not message.is_request or message.method == "ACK":
            return
        self.requests.append(message)
        if message.method == "INVITE":
            first = not any(m.get("Call-ID") == message.get("Call-ID") for m in self.invites)
            self.invites.append(message)
            answer = self.answer(message) if callable(self.answer) else self.answer
            if answer is None:
                return
            code, extra = answer if isinstance(answer, tuple) else (answer, "")
            self.reply(message, 100, send)
            if self.ring and first:
                self.reply(message, 180, send)
            if code:
                # A medium that was refused in the offer stays refused (RFC 3264 6).
                refused = "".join(line + "\r\n" for line in re.findall(r"m=\w+ 0 [^\r]*", body_of(message)))
                self.reply(message, code, send, extra,
                           SDP % {"ip": self.address, "port": 30000} + refused if code == 200 else "")
        elif message.method == "OPTIONS":
            if self.options:
                self.reply(message, self.options, send)
        else:
            self.reply(message, 200, send)

    def reply(self, request, code, send, extra="", body=""):
        to = request.get("To")
        if code > 100 and ";tag=" not in to:
            to += ";tag=%08x" % (hash((request.get("Call-ID"), self.address, self.port)) & 0xffffffff)
        send("SIP/2.0 %d x\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s%s%sContent-Length: %d\r\n\r\n%s" % (
            code, "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), to,
            request.get("Call-ID"), request.get("CSeq"),
            "Contact: <sip:callee@%s:%d;transport=%s>\r\n" % (self.address, self.port, self.transport) if code < 300
            else "", extra, "Content-Type: application/sdp\r\n" if body else "", len(body), body))


def count(*callees):
    """Calls that each got, retransmissions aside."""
    return [len({m.get("Call-ID") for m in callee.invites}) for callee in callees]
