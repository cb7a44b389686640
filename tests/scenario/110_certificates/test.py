# SPDX-License-Identifier: Apache-2.0
"""Certificates: a server whose own has ended, or names somebody else, or comes from nobody we trust, gets no message,
and the log says which and why. Ours are changed by a reload: who comes then sees the new one, who is there stays."""
import signal
import socket
import ssl
import threading

from lib.edge import expect
from lib.lab import wait_until
from lib.postern import Postern
from lib.tls import Authority, FlowPhone

CONFIG = """interfaces:
  lan:
    role: trusted
    address: 10.0.0.1
    listen: [udp/5060, tls/5061]
    tls: {certificate: !file edge.pem, key: !file edge.key, ca: !file ca.pem}
  wan: {address: 203.0.113.10}
peers:
  good: {interface: lan, servers: ["sip:10.0.0.20:5071;transport=tls"], ping: 1s}
  ended: {interface: lan, servers: ["sip:10.0.0.20:5072;transport=tls"], ping: 1s}
  misnamed: {interface: lan, servers: ["sip:10.0.0.20:5073;transport=tls"], ping: 1s}
  unknown: {interface: lan, servers: ["sip:10.0.0.20:5074;transport=tls"], ping: 1s}
"""


class Server:
    """A TLS server that keeps what it reads."""

    def __init__(self, lab, port, credentials):
        self.received, self.running = b"", True
        self.socket = lab.socket("pbx", socket.AF_INET, socket.SOCK_STREAM)
        self.socket.bind(("10.0.0.20", port))
        self.socket.listen(8)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*credentials)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while self.running:
            try:
                raw, _ = self.socket.accept()
                raw.settimeout(3)
                with self.context.wrap_socket(raw, server_side=True) as s:
                    self.received += s.recv(4096)
            except OSError:
                continue


def certificate_of(phone):
    return dict(x[0] for x in phone.sockets[-1].getpeercert()["subject"])["commonName"]


def options(phone):
    phone.send("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n"
               "To: <sip:10.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" %
               (phone.via(), phone.via()[-20:]))
    return phone.receive(lambda m: not m.is_request, 5).code


def run(lab):
    authority, others = Authority(lab), Authority(lab, "others")
    authority.sign("edge", "DNS:edge")
    lab.edge()
    servers = [Server(lab, 5071, authority.sign("good", "IP:10.0.0.20")),
               Server(lab, 5072, authority.sign("ended", "IP:10.0.0.20", days=0)),
               Server(lab, 5073, authority.sign("misnamed", "IP:10.0.0.99,DNS:good.example.com")),
               Server(lab, 5074, others.sign("foreign", "IP:10.0.0.20"))]
    postern = Postern(lab, CONFIG)
    for port, why in ((5072, "its certificate is refused: certificate has expired"),
                      (5073, "its certificate does not name 10.0.0.20"),
                      (5074, "its certificate is refused: unable to get local issuer certificate")):
        postern.process.wait_log(r'tls.failed interface=lan remote=10.0.0.20:%d name=- reason="%s' % (port, why), 8)
    wait_until(lambda: servers[0].received.startswith(b"OPTIONS "), 5, "the good one is asked")
    expect(not any(s.received for s in servers[1:]), "the others got nothing: %s" % [s.received for s in servers])

    before = FlowPhone(lab, "desk", "desk", "10.0.0.30", "10.0.0.1", "tls", authority, "edge")
    before.connect()
    expect(certificate_of(before) == "edge" and options(before) >= 200, "answered")
    authority.sign("renewed", "DNS:edge")
    for end in (".pem", ".key"):
        with open(authority.path("renewed" + end)) as new, open(authority.path("edge" + end), "w") as old:
            old.write(new.read())
    postern.process.signal(signal.SIGHUP)

    def is_renewed():
        after = FlowPhone(lab, "desk", "desk", "10.0.0.30", "10.0.0.1", "tls", authority, "edge")
        after.connect()
        name = certificate_of(after)
        answered = options(after) >= 200
        after.close()
        return answered and name == "renewed"
    wait_until(is_renewed, 8, "who comes now sees the new certificate")
    expect(options(before) >= 200 and before.connections == 1, "who was there is still served")
    before.close()
    for server in servers:
        server.running = False
        server.socket.close()
    postern.stop()
