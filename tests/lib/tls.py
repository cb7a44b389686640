# SPDX-License-Identifier: Apache-2.0
"""An authority of the lab and the certificates it signs; phones that come by TLS and WebSocket."""
import base64
import os
import random
import socket
import ssl
import struct

from .lab import LabError, sh
from .phone import Phone, parse


class Authority:
    def __init__(self, lab, name="ca"):
        self.lab, self.name = lab, name
        self.key, self.certificate = self.path(name + ".key"), self.path(name + ".pem")
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", "/CN=Lab %s" % name, "-keyout", self.key, "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.lab.dir, name)

    def sign(self, name, san, days=1):
        """`san` as in openssl.cnf; days 0 = ended when it was made. Returns (certificate, key)."""
        key, request, certificate = (self.path(name + end) for end in (".key", ".csr", ".pem"))
        sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
           "-keyout", key, "-out", request)
        extensions = self.lab.write(name + ".ext", "subjectAltName=%s\n" % san)
        sh("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
           "-days", str(days), "-extfile", extensions, "-out", certificate)
        os.chmod(key, 0o644)  # a lab's secret; whoever runs may read it again at a reload
        return certificate, key


class FlowPhone(Phone):
    """A phone that is reached by the connection it opened and no other way: transport "tls", "ws" or "wss"."""

    PORTS = {"tls": 5061, "ws": 80, "wss": 443}

    def __init__(self, lab, host, user, address, edge, transport, authority=None, name=None, credentials=None,
                 port=None):
        self.flow, self.authority, self.name, self.credentials = transport, authority, name, credentials
        self.edge_port = port or self.PORTS[transport]
        self.domain = "%08x.invalid" % random.getrandbits(32)
        super().__init__(lab, host, user, address, edge, transport="tcp")
        self.frame = b""

    @property
    def is_websocket(self):
        return self.flow != "tls"

    def via(self, branch=None):
        return "SIP/2.0/%s %s;branch=%s;rport" % (self.flow.upper(), self.domain,
                                                  branch or "z9hG4bK%08x" % random.getrandbits(32))

    def contact(self):
        return "<sip:%s@%s;transport=%s>" % (self.user, self.domain, "tls" if self.flow == "tls" else "ws")

    def connect(self):
        raw = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)
        raw.settimeout(10)
        raw.connect((self.edge, self.edge_port))
        self.connections += 1
        if self.flow != "ws":
            context = ssl.create_default_context(cafile=self.authority.certificate)
            if self.credentials:
                context.load_cert_chain(*self.credentials)
            raw = context.wrap_socket(raw, server_hostname=self.name)
        self.sockets.append(raw)
        if self.is_websocket:
            raw.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                         "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n"
                         "Origin: https://phone.example.com\r\n\r\n" %
                         (self.name or self.edge, base64.b64encode(os.urandom(16)).decode())).encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = raw.recv(4096)
                if not part:
                    raise LabError("the upgrade ended after %r" % answer)
                answer += part
            head, _, self.frame = answer.partition(b"\r\n\r\n")
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise LabError("the upgrade got %r" % head)
        return raw

    def send(self, text):
        if not self.sockets:
            self.connect()
        data = text.encode()
        self.sockets[-1].sendall(frame(0x81, data) if self.is_websocket else data)

    def drop(self):
        """The connection breaks without a word."""
        for s in self.sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        self.sockets, self.pending, self.frame = [], {}, b""

    def stream(self, s, data):
        while isinstance(s, ssl.SSLSocket) and s.pending():
            data += s.recv(65536)
        if not self.is_websocket:
            super().stream(s, data)
            return
        self.frame += data
        while True:
            opcode, payload, self.frame = cut_frame(self.frame)
            if opcode is None:
                return
            if opcode in (1, 2):
                self.inbox.append(parse(payload))
            elif opcode == 9:
                s.sendall(frame(0x8a, payload))


def frame(first, payload):
    """As a client sends it."""
    mask = os.urandom(4)
    length = len(payload)
    head = struct.pack("!BB", first, 0x80 | length) if length < 126 else \
        struct.pack("!BBH", first, 0x80 | 126, length) if length < 65536 else \
        struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def cut_frame(data):
    """(opcode, payload, rest); opcode None: not whole."""
    if len(data) < 2:
        return None, b"", data
    length, at = data[1] & 0x7f, 2
    if length == 126:
        length, at = int.from_bytes(data[2:4], "big"), 4
    elif length == 127:
        length, at = int.from_bytes(data[2:10], "big"), 10
    if len(data) < at + length:
        return None, b"", data
    return data[0] & 0x0f, data[at:at + length], data[at + length:]
