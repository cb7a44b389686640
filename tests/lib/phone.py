# SPDX-License-Identifier: Apache-2.0
"""A phone of a few lines for what baresip and sipp cannot be made to do: a new TCP connection for
every message, a request byte by byte, a silent peer. Digest MD5; no media."""
import random
import re
import select
import socket
import time

from . import digest
from .capture import Message, Packet
from .lab import LabError

SDP = ("v=0\r\no=- 1 1 IN IP4 %(ip)s\r\ns=-\r\nc=IN IP4 %(ip)s\r\nt=0 0\r\nm=audio %(port)d RTP/AVP 8\r\n"
       "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n")


def parse(data):
    packet = Packet()
    packet.time, packet.source, packet.destination, packet.sport, packet.dport = time.time(), "", "", 0, 0
    packet.protocol, packet.payload, packet.seq = 17, data, 0
    return Message(packet, data)


class Phone:
    """transport: "udp", "tcp" (one connection) or "tcp-each" (one for every message sent)."""

    def __init__(self, lab, host, user, address, edge, port=5060, transport="udp"):
        self.lab, self.host, self.user, self.address, self.edge = lab, host, user, address, edge
        self.transport, self.port, self.connections = transport, port, 0
        self.sockets, self.pending, self.inbox = [], {}, []
        self.domain = "example.com"  # of its calls
        if transport == "udp":
            s = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, port))
            self.sockets.append(s)
        self.tag = "%08x" % random.getrandbits(32)

    def via(self, branch=None):
        return "SIP/2.0/%s %s:%d;branch=%s;rport" % ("UDP" if self.transport == "udp" else "TCP", self.address,
                                                     self.port, branch or "z9hG4bK%08x" % random.getrandbits(32))

    def send(self, text):
        data = text.encode()
        if self.transport == "udp":
            self.sockets[0].sendto(data, (self.edge, 5060))
            return
        if self.transport == "tcp-each" or not self.sockets:
            s = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(5)
            s.connect((self.edge, 5060))
            self.connections += 1
            self.sockets.append(s)
        self.sockets[-1].sendall(data)

    def receive(self, test, seconds=10):
        """The first message that passes `test`; others stay in the inbox in order."""
        end = time.monotonic() + seconds
        while True:
            for message in self.inbox:
                if test(message):
                    self.inbox.remove(message)
                    return message
            left = end - time.monotonic()
            if left <= 0:
                raise LabError("%s waited %.1f s in vain; it has: %s" % (self.user, seconds,
                                                                       [m.first_line for m in self.inbox]))
            poll = select.poll()  # select(2) knows no descriptor above 1023
            for s in self.sockets:
                poll.register(s, select.POLLIN)
            ready = [fd for fd, _ in poll.poll(left * 1000)]
            for s in [s for s in self.sockets if s.fileno() in ready]:
                data = s.recv(65536)
                if not data:
                    self.sockets.remove(s)
                    s.close()
                elif self.transport == "udp":
                    self.inbox.append(parse(data))
                else:
                    self.stream(s, data)

    def stream(self, s, data):
        data = self.pending.pop(s, b"") + data
        while True:
            data = data.lstrip(b"\r\n")
            head, found, rest = data.partition(b"\r\n\r\n")
            length = int((re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head) or [0, b"0"])[1]) if found else 0
            if not found or len(rest) < length:
                break
            self.inbox.append(parse(data[:len(head) + 4 + length]))
            data = rest[length:]
        self.pending[s] = data

    def contact(self):
        return "<sip:%s@%s:%d%s>" % (self.user, self.address, self.port,
                                     "" if self.transport == "udp" else ";transport=tcp")

    def register(self, domain, password, expires=600):
        call_id, authorization = "%08x@%s" % (random.getrandbits(32), self.address), ""
        for cseq in (1, 2):
            self.send("REGISTER sip:%s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=%s\r\n"
                      "To: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\nContact: %s\r\n"
                      "Expires: %d\r\n%sContent-Length: 0\r\n\r\n" % (
                          domain, self.via(), self.user, domain, self.tag, self.user, domain, call_id, cseq,
                          self.contact(), expires, authorization))
            answer = self.receive(lambda m: not m.is_request and m.method == "REGISTER" and m.code >= 200 and
                                  m.get("CSeq").startswith("%d " % cseq))
            if answer.code != 401:
                break
            authorization = digest.answer(answer, self.user, password, "REGISTER", "sip:%s" % domain)
        if answer.code != 200:
            raise LabError("REGISTER of %s: %s" % (self.user, answer.first_line))
        return answer

    def invite(self, uri, sdp=True, **kw):
        return Call(self, uri, sdp, **kw)

    def close(self):
        for s in self.sockets:
            s.close()
        self.sockets = []


class Call:
    def __init__(self, phone, uri, sdp=True, extra="", rtp_port=40000):
        self.phone, self.uri, self.cseq = phone, uri, 1
        self.call_id = "%08x@%s" % (random.getrandbits(32), phone.address)
        self.branch = "z9hG4bK%08x" % random.getrandbits(32)
        self.local = "<sip:%s@%s>;tag=%s" % (phone.user, phone.domain, phone.tag)
        self.remote, self.target, self.routes = "<%s>" % uri, uri, []
        body = SDP % {"ip": phone.address, "port": rtp_port} if sdp is True else (sdp or "")
        phone.send("INVITE %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: <%s>\r\nCall-ID: %s\r\n"
                   "CSeq: 1 INVITE\r\nContact: %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (
                       uri, phone.via(self.branch), self.local, uri, self.call_id, self.phone.contact(), extra,
                       "Content-Type: application/sdp\r\n" if body else "", len(body), body))

    def mine(self, message):
        return message.get("Call-ID") == self.call_id

    def wait_final(self, code=None, seconds=15):
        answer = self.phone.receive(lambda m: self.mine(m) and not m.is_request and m.method == "INVITE" and
                                    m.code >= 200, seconds)
        if code and answer.code != code:
            raise LabError("INVITE: %s, not %d" % (answer.first_line, code))
        self.remote = answer.get("To")
        if answer.code < 300:
            self.target = re.search(r"<([^>]*)>", answer.get("Contact"))[1]
            self.routes = list(reversed([r.strip() for v in answer.all("Record-Route") for r in v.split(",")]))
        self.answer = answer
        return answer

    def wait_ringing(self, seconds=10):
        return self.phone.receive(lambda m: self.mine(m) and not m.is_request and m.code == 180, seconds)

    def write(self, method, cseq, body="", branch=None, extra=""):
        self.phone.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                        "CSeq: %d %s\r\nContact: %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (
                            method, self.target, self.phone.via(branch), "".join("Route: %s\r\n" % r for r in self.routes),
                            self.local, self.remote, self.call_id, cseq, method, self.phone.contact(), extra,
                            "Content-Type: application/sdp\r\n" if body else "", len(body), body))

    def ack(self, body=""):
        self.write("ACK", self.cseq, body)

    def begin(self, method, body="", extra=""):
        """Send it; its CSeq number."""
        self.cseq += 1
        self.write(method, self.cseq, body, extra=extra)
        return self.cseq

    def final(self, method, cseq, seconds=10):
        return self.phone.receive(lambda m: self.mine(m) and not m.is_request and m.code >= 200 and
                                  m.get("CSeq") == "%d %s" % (cseq, method), seconds)

    def request(self, method, body="", seconds=10, extra=""):
        return self.final(method, self.begin(method, body, extra), seconds)

    def cancel(self):
        self.phone.send("CANCEL %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: <%s>\r\nCall-ID: %s\r\n"
                        "CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n" % (
                            self.uri, self.phone.via(self.branch), self.local, self.uri, self.call_id))

    def reply(self, request, code, reason, body="", to_tag=None):
        """Answer an in-dialog request of the far end."""
        vias = "".join("Via: %s\r\n" % v for v in request.all("Via"))
        to = request.get("To") + (";tag=%s" % to_tag if to_tag else "")
        self.phone.send("SIP/2.0 %d %s\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s\r\n%s"
                        "Content-Length: %d\r\n\r\n%s" % (
                            code, reason, vias, request.get("From"), to, request.get("Call-ID"), request.get("CSeq"),
                            self.phone.contact(), "Content-Type: application/sdp\r\n" if body else "", len(body), body))
