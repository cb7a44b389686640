# SPDX-License-Identifier: Apache-2.0
"""One of several phones of a user of our own domains: registers, and answers step by step."""
import socket

from . import own
from .edge import WAN, expect
from .phone import Phone, SDP


class Device:
    def __init__(self, lab, port, q=None, transport="udp", user="bob", host="home", address="192.168.0.18", parameters=""):
        self.lab, self.host, self.user = lab, host, user
        self.phone = Phone(lab, host, user, address, WAN, port=port, transport=transport)
        self.tag, self.rtp_port, self.rtp = "d%d" % port, 20000 + port, None
        contact = self.phone.contact() + (";q=%s" % q if q else "") + parameters
        self.registration = own.Registration(self.phone, contact=contact, extra="Supported: outbound\r\n" if parameters else "")
        answer = self.registration.register()
        expect(answer.code == 200, "device %d registers: %s" % (port, answer.first_line))

    def expect_invite(self, seconds=5):
        self.invite = self.phone.receive(lambda m: m.is_request and m.method == "INVITE", seconds)
        return self.invite

    def expect_request(self, method, seconds=5):
        return self.phone.receive(lambda m: m.is_request and m.method == method, seconds)

    def silent(self, method="INVITE"):
        """It never got one: everything sent before is here by the time the caller asks."""
        return not [m for m in self.phone.inbox if m.is_request and m.method == method]

    def media(self):
        """A real socket behind the SDP of its answers."""
        self.rtp = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((self.phone.address, self.rtp_port))
        self.rtp.settimeout(3)

    def reply(self, request, code, body=False, lines=""):
        text = SDP % {"ip": self.phone.address, "port": self.rtp_port} if body else ""
        to = request.get("To") + ("" if ";tag=" in request.get("To") or code == 100 else ";tag=" + self.tag)
        self.phone.send("SIP/2.0 %d x\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s%s%sContent-Length: %d\r\n\r\n%s" % (
            code, "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), to,
            request.get("Call-ID"), request.get("CSeq"), "Contact: %s\r\n" % self.phone.contact() if code < 300 else "",
            lines, "Content-Type: application/sdp\r\n" if body else "", len(text), text))

    def expect_cancel(self, seconds=5):
        """CANCEL, its 200, and the INVITE's 487."""
        cancel = self.expect_request("CANCEL", seconds)
        self.reply(cancel, 200)
        self.reply(self.invite, 487)
        self.expect_request("ACK")
        return cancel

    def close(self):
        if self.rtp:
            self.rtp.close()
        self.phone.close()
