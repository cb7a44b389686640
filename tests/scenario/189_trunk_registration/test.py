# SPDX-License-Identifier: Apache-2.0
"""Trunks: we register with a carrier (Kamailio with digest) and refresh; one whose password is wrong and one
that is not there disturb nobody. A peer that challenges our INVITE gets its own credentials, of its realm
alone; a phone that challenges gets nothing, and its challenge does not cross."""
import re
import socket

from lib import digest, kamailio
from lib.edge import Edge, LAN, expect
from lib.lab import wait_until
from lib.phone import Phone, parse

WORKERS = [1, 3]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 198.51.100.66, register: {user: "33123", password: !file secret, domain: carrier.example, expires: 60s}}
  wrong: {interface: wan, address: 198.51.100.66, register: {user: "33999", password: !file wrong, domain: carrier.example}}
  away: {interface: wan, servers: [198.51.100.77], register: {user: "1", password: !file wrong}}
  picky: {interface: wan, address: "198.51.100.66:5090", credentials: {user: trunk, password: !file secret, realm: picky}}
routes:
  - {from: pbx, number: "9*", to: picky}
"""
INVITE = ("INVITE sip:%(to)s@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.30:5060;branch=z9hG4bK%(id)s\r\nMax-Forwards: 70\r\n"
          "From: <sip:d@10.0.0.30>;tag=a\r\nTo: <sip:%(to)s@10.0.0.1>\r\nCall-ID: %(id)s\r\nCSeq: 1 INVITE\r\n"
          "Contact: <sip:d@10.0.0.30>\r\nContent-Length: 0\r\n\r\n")


def reply(server, request, source, line, extra=""):
    server.sendto(("SIP/2.0 %s\r\n%sFrom: %s\r\nTo: %s;tag=x\r\nCall-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n" % (
        line, "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), request.get("To"),
        request.get("Call-ID"), request.get("CSeq"), extra)).encode(), source)


def next_invite(server):
    while True:
        data, source = server.recvfrom(65536)
        message = parse(data)
        if message.is_request and message.method == "INVITE":
            return message, source


def call(lab, desk, server, realm, n):
    """One INVITE through picky, challenged; what came the second time, and what the caller got."""
    desk.send(INVITE % {"to": "9%d" % n, "id": "call%d%s" % (n, realm)})
    invite, source = next_invite(server)
    expect("uthorization" not in invite.text, "nothing is given before it is asked for")
    reply(server, invite, source, "407 Proxy Authentication Required",
          'Proxy-Authenticate: Digest realm="%s", nonce="n%d", algorithm=SHA-256, qop="auth"\r\n' % (realm, n))
    second = None
    if realm == "picky":
        second, source = next_invite(server)
        while second.get("CSeq") == invite.get("CSeq"):
            second, source = next_invite(server)
        reply(server, second, source, "486 Busy Here")
    answer = desk.receive(lambda m: not m.is_request and m.code >= 300 and m.get("Call-ID") == "call%d%s" % (n, realm), 8)
    return second, answer


def run(lab):
    lab.write("secret", "secret\n")
    lab.write("wrong", "nonsense\n")
    edge = Edge(lab, CONFIG, phones=False, pbx=False, stranger=True)
    carrier = kamailio.registrar(lab, "stranger", "198.51.100.66", "carrier.example", "carrier")

    def trunk(name):
        return next((p for p in edge.postern.ask("show peers") if p["peer"] == name), {})
    wait_until(lambda: trunk("carrier").get("registration") == "registered", 25, lambda: "registered: %s" % trunk("carrier"))
    wait_until(lambda: trunk("wrong").get("registration") == "refused", 25, lambda: "refused: %s" % trunk("wrong"))
    expect(trunk("carrier")["expires_in_s"] <= 60 and trunk("carrier")["next_try_s"] <= 30, "refreshed in time")
    expect(trunk("wrong")["next_try_s"] > 30, "a refused one is not asked every second")
    expect(trunk("away")["registration"] != "registered", "nobody is there")
    expect("nonsense" not in edge.postern.process.log(), "no password in the log")

    server = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("198.51.100.66", 5090))
    server.settimeout(8)
    pbx = lab.socket("pbx", socket.AF_INET, socket.SOCK_DGRAM)
    pbx.close()
    desk = Phone(lab, "pbx", "d", "10.0.0.20", LAN)
    second, answer = call(lab, desk, server, "picky", 1)
    got = digest.fields(second.get("Proxy-Authorization"))
    want = digest.fields(digest.write({"realm": "picky", "nonce": "n1", "algorithm": "SHA-256"}, True, "trunk", "secret",
                                      "INVITE", got["uri"]))
    expect(got["username"] == "trunk" and got["nc"] == "00000001" and got["uri"] == second.first_line.split(" ")[1],
           "our credentials for its nonce")
    ha1 = digest.HASHES["SHA-256"](b"trunk:picky:secret").hexdigest()
    ha2 = digest.HASHES["SHA-256"](("INVITE:" + got["uri"]).encode()).hexdigest()
    right = digest.HASHES["SHA-256"](":".join((ha1, "n1", got["nc"], got["cnonce"], "auth", ha2)).encode()).hexdigest()
    expect(got["response"] == right and want["uri"] == got["uri"], "the right digest")
    expect(answer.code == 486, "and the call went its way")
    _, answer = call(lab, desk, server, "elsewhere", 2)
    expect(answer.code == 403 and not re.search("(?i)authenticate", answer.text), "a foreign realm gets nothing, and nobody hears of it")
    server.close()
    desk.close()
    carrier.stop()
    edge.postern.stop()
