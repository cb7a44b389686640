# SPDX-License-Identifier: Apache-2.0
"""Ends of a few lines that do as a test says, in their own time: a PBX that registers everybody and
answers OPTIONS by itself, phones that answer what they are told to. One UDP socket each."""
import random
import re
import socket
import threading
import time

from .lab import LabError
from .phone import parse


class End:
    """An address that speaks SIP. Requests that `auto` does not answer wait to be asked for."""

    def __init__(self, lab, host, user, address, edge, port=5060):
        self.user, self.address, self.edge, self.port = user, address, edge, port
        self.socket = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.settimeout(0.1)
        self.inbox, self.lock, self.arrived = [], threading.Lock(), threading.Condition()
        self.answered, self.contacts, self.running = {}, {}, True
        self.auto = {"REGISTER": self.take_registration, "OPTIONS": lambda m: self.reply(m, 200)}
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while self.running:
            try:
                data, source = self.socket.recvfrom(65536)
            except (socket.timeout, OSError):
                continue
            if not data.strip(b"\r\n\0"):
                continue
            message = parse(data)
            message.source, message.sport = source
            key = message.get("Via").split("branch=")[-1].split(";")[0] + message.get("CSeq")
            if message.is_request and key in self.answered:
                if self.answered[key]:  # a retransmission
                    self.socket.sendto(self.answered[key], source)
                continue
            if message.is_request:
                self.answered[key] = b""
                message.key = key
            if message.is_request and message.method in self.auto:
                self.auto[message.method](message)
                continue
            with self.arrived:
                self.inbox.append(message)
                self.arrived.notify_all()

    def take_registration(self, m):
        user = re.search(r"sip:([^@>]*)", m.get("To"))[1]
        expires = m.get("Expires") or "3600"
        for contact in m.all("Contact"):
            self.contacts[user] = re.search(r"<([^>]*)>", contact)[1]
        self.reply(m, 200, headers="".join("Contact: <%s>;expires=%s\r\n" % (c, expires)
                                           for u, c in self.contacts.items() if u == user))

    # --- hearing -----------------------------------------------------------------------------------
    def wait(self, test, seconds=5, what="a message"):
        end = time.monotonic() + seconds
        with self.arrived:
            while True:
                for message in self.inbox:
                    if test(message):
                        self.inbox.remove(message)
                        return message
                left = end - time.monotonic()
                if left <= 0:
                    raise LabError("%s waited %.1f s for %s in vain; it has: %s" % (
                        self.user, seconds, what, [m.first_line for m in self.inbox]))
                self.arrived.wait(left)

    def request(self, method, seconds=5):
        return self.wait(lambda m: m.is_request and m.method == method, seconds, method)

    def quiet(self, method, seconds=0.5):
        """Nothing of this method comes."""
        try:
            found = self.request(method, seconds)
        except LabError:
            return
        raise LabError("%s got %s" % (self.user, found.first_line))

    # --- speaking ----------------------------------------------------------------------------------
    def raw(self, text):
        self.socket.sendto(text.encode(), (self.edge, 5060))

    def contact(self):
        return "<sip:%s@%s:%d>" % (self.user, self.address, self.port)

    def reply(self, m, code, reason="Whatever", headers="", body="", type="application/sdp", tag="", contact=True):
        to = m.get("To")
        if ";tag=" not in to and code > 100:
            to += ";tag=" + (tag or "r%s" % abs(hash(m.get("Call-ID") + self.user)))
        lines = ["SIP/2.0 %d %s" % (code, reason)] + ["Via: " + v for v in m.all("Via")]
        lines += ["Record-Route: " + v for v in m.all("Record-Route")]
        lines += ["From: " + m.get("From"), "To: " + to, "Call-ID: " + m.get("Call-ID"), "CSeq: " + m.get("CSeq")]
        if contact and m.method != "REGISTER":
            lines.append("Contact: " + self.contact())
        if body:
            lines.append("Content-Type: " + type)
        data = ("\r\n".join(lines) + "\r\n" + headers + "Content-Length: %d\r\n\r\n" % len(body.encode()) + body).encode()
        self.answered[m.key] = data if code >= 200 else b""
        self.socket.sendto(data, (m.source, m.sport))
        return to

    def send(self, method, uri, frm=None, to=None, call_id=None, cseq=1, headers="", body="", type="text/plain",
             contact=True, routes=(), branch=None):
        """A request; returns what its answers are known by."""
        frm = frm or "<sip:%s@example.com>;tag=t%08x" % (self.user, random.getrandbits(32))
        to = to or "<%s>" % re.sub(r";.*", "", uri)
        call_id = call_id or "%08x@%s" % (random.getrandbits(32), self.address)
        branch = branch or "z9hG4bK%08x" % random.getrandbits(32)
        lines = ["%s %s SIP/2.0" % (method, uri),
                 "Via: SIP/2.0/UDP %s:%d;branch=%s;rport" % (self.address, self.port, branch),
                 "Max-Forwards: 70"] + ["Route: " + r for r in routes]
        lines += ["From: " + frm, "To: " + to, "Call-ID: " + call_id, "CSeq: %d %s" % (cseq, method)]
        if contact:
            lines.append("Contact: " + self.contact())
        if body:
            lines.append("Content-Type: " + type)
        self.raw("\r\n".join(lines) + "\r\n" + headers + "Content-Length: %d\r\n\r\n" % len(body.encode()) + body)
        return {"from": frm, "to": to, "call_id": call_id, "cseq": cseq, "method": method, "uri": uri,
                "branch": branch}

    def answer(self, sent, seconds=5, provisional=False):
        return self.wait(lambda m: not m.is_request and m.get("Call-ID") == sent["call_id"] and
                         m.get("CSeq") == "%d %s" % (sent["cseq"], sent["method"]) and
                         (m.code >= 200 or (provisional and m.code > 100)), seconds, "an answer to " + sent["method"])

    def ask(self, method, uri, **kw):
        return self.answer(self.send(method, uri, **kw))

    def register(self, expires=600):
        answer = self.ask("REGISTER", "sip:example.com", to="<sip:%s@example.com>" % self.user,
                          headers="Expires: %d\r\n" % expires)
        if answer.code != 200:
            raise LabError("REGISTER of %s: %s" % (self.user, answer.first_line))
        return answer

    def close(self):
        self.running = False
        self.thread.join(1)
        self.socket.close()


class Dialog:
    """One end of a dialog, made from what went in and out; speaks and answers in it."""

    def __init__(self, end, local, remote, call_id, target, routes=(), cseq=1):
        self.end, self.local, self.remote, self.call_id = end, local, remote, call_id
        self.target, self.routes, self.cseq = target, routes, cseq

    @classmethod
    def called(cls, end, request, to):
        """The end answered this request with this To."""
        return cls(end, to, request.get("From"), request.get("Call-ID"), uri_of(request.get("Contact")),
                   request.all("Record-Route"), 100)

    @classmethod
    def calling(cls, end, sent, answer):
        return cls(end, sent["from"], answer.get("To"), sent["call_id"], uri_of(answer.get("Contact")),
                   list(reversed(answer.all("Record-Route"))), sent["cseq"])

    def send(self, method, cseq=None, **kw):
        if cseq is None:
            self.cseq += 1
        return self.end.send(method, self.target, frm=self.local, to=self.remote, call_id=self.call_id,
                             cseq=cseq or self.cseq, routes=self.routes, **kw)

    def ask(self, method, **kw):
        return self.end.answer(self.send(method, **kw))

    def ack(self, cseq=None, body=""):
        self.send("ACK", cseq=cseq or self.cseq, body=body, type="application/sdp")

    def tag(self, of):
        return re.search(r";tag=([^;]*)", of)[1]

    def replaces(self):
        """As a third party would be told of this dialog by this end (RFC 3891): the far end's view."""
        return "%s;to-tag=%s;from-tag=%s" % (self.call_id, self.tag(self.remote), self.tag(self.local))


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0]


def sdp_of(address, port=40000):
    return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\n"
            "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n" % (address, address, port))


class Ends:
    """The usual place with ends instead of phones: pbx and desk inside, home behind the NAT outside."""

    def __init__(self, lab, config=None, extra="", stranger=False):
        from .capture import Capture
        from .postern import Postern, SHORTEST
        lab.edge(stranger=stranger)
        self.lab = lab
        self.wan, self.lan = Capture(lab, "sbc", "wan"), Capture(lab, "sbc", "lan")
        self.pbx = End(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1")
        self.postern = Postern(lab, config or SHORTEST, extra=extra)
        self.home = End(lab, "home", "home", "192.168.0.18", "203.0.113.10")
        self.home.register()
        self.ends = [self.pbx, self.home]

    def add(self, end):
        self.ends.append(end)
        return end

    def home_uri(self):
        """How the PBX reaches the phone: the masked contact."""
        return self.pbx.contacts["home"]

    def held(self):
        """What Postern holds of ours: calls, subscriptions, registrations, requests under
        way. Not what lingers, nor open files, which other scenarios count."""
        now = self.postern.stats()["held"]
        return {k: now[k] for k in ("calls", "subscriptions", "requests_pending", "registrations")}

    def wait_idle(self):
        from .lab import wait_until
        wait_until(lambda: not any(self.held().values()), 10, lambda: "nothing is held: %s" % self.held())

    def finish(self, words=(), idle=True):
        from .edge import LAN, WAN, check_hiding
        self.home.ask("REGISTER", "sip:example.com", to="<sip:home@example.com>", headers="Expires: 0\r\n")
        if idle:
            self.wait_idle()
        self.postern.stop()
        for end in self.ends:
            end.close()
        self.wan.stop(), self.lan.stop()
        check_hiding(self.wan.messages(), WAN, ["10.0.0.", "fd00::", "postern"] + list(words))
        check_hiding(self.lan.messages(), LAN, ["192.168.", "81.56.73.", "postern"])


def establish(caller, callee, uri, headers="", answer_headers="", **kw):
    """A call from one end to another, answered and acknowledged: both ends' dialogs."""
    sent = caller.send("INVITE", uri, body=sdp_of(caller.address), type="application/sdp", headers=headers, **kw)
    invite = callee.request("INVITE")
    to = callee.reply(invite, 200, "OK", body=sdp_of(callee.address), headers=answer_headers)
    answer = caller.answer(sent)
    if answer.code != 200:
        raise LabError("INVITE: %s" % answer.first_line)
    dialog = Dialog.calling(caller, sent, answer)
    dialog.ack(sent["cseq"])
    callee.request("ACK")
    far = Dialog.called(callee, invite, to)
    far.invite, dialog.answer = invite, answer
    return dialog, far


def hang_up(dialog, far):
    sent = dialog.send("BYE")
    far.end.reply(far.end.request("BYE"), 200)
    dialog.end.answer(sent)
