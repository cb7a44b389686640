# SPDX-License-Identifier: Apache-2.0
"""F1 through a registrar behind us, over UDP and TCP: challenge, 200 with Contact and expires, refresh; the wrong
password never gets a 200, and who goes on guessing is banned."""
from lib import digest
from lib.edge import Edge, WAN, expect
from lib.lab import LabError, wait_until
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, security: {ban: {auth-failures: 5/60s, for: 1h}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, stranger=True)
    for n, transport in enumerate(("udp", "tcp")):
        phone = Phone(lab, "home", "u%d" % n, "192.168.0.18", WAN, port=5060 + n, transport=transport)
        r = Registration(phone, "example.com")
        r.challenge = r.send()
        expect(r.challenge.code == 401 and digest.fields(r.challenge.get("WWW-Authenticate"))["nonce"], "challenged")
        expect(r.send(r.credentials("wrong")).code != 200, "a wrong password is no 200")
        r.challenge = None
        answer = r.register()
        expect(answer.code == 200 and "expires=" in answer.get("Contact"), "200 with contact and expiry")
        expect(r.register().code == 200, "refreshed")
        expect(r.register(expires=0).code == 200, "and left")
        phone.close()
    thief = Phone(lab, "stranger", "victim", "198.51.100.66", WAN)
    r = Registration(thief, "example.com")
    try:
        for _ in range(20):
            r.challenge, r.count = r.send(), 0
            expect(r.send(r.credentials("guess")).code != 200, "no guess gets a 200")
    except LabError:
        pass
    wait_until(lambda: [b for b in edge.postern.ask("show bans") if b["source"] == "198.51.100.66"], 5, "he is banned")
    expect(edge.postern.ask("show bans")[0]["cause"] == "failed logins", "for that")
    thief.close()
    edge.finish()
