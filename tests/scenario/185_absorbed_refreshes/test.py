# SPDX-License-Identifier: Apache-2.0
"""Refreshes are absorbed: the phone is told a short time, the registrar a long one; at least 90 % of the
refreshes never reach it. Whatever is not a plain refresh does: another contact, another password, leaving."""
import time

from lib.edge import Edge, WAN, expect, requests
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1, 4]
REFRESHES = 40
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, limits: {per-source: {register-rate: 400/s}}, nat: {keepalive: off}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
phones:
  - {from: wan, registrar: pbx, expires: {device: 60s, registrar: 3600s}}
routes:
  - {from: phones, to: pbx}
"""


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    r = Registration(phone, "example.com")

    def seen():
        time.sleep(0.3)
        return len(requests(edge.lan.messages(), "REGISTER", source="10.0.0.1"))
    answer = r.register(expires=600)
    expect(answer.code == 200 and "expires=60" in answer.get("Contact"), "the phone is told the short time")
    first = [m for m in edge.lan.messages() if m.is_request and m.method == "REGISTER"][-1]
    expect("expires=3600" in first.get("Contact"), "the registrar is asked for the long one")
    before = seen()
    for n in range(REFRESHES):
        answer = r.send(r.credentials("secret") if n % 2 else "", expires=600)
        expect(answer.code == 200 and "192.168.0.18" in answer.get("Contact"), "a refresh is granted")
    expect(seen() - before <= REFRESHES // 10, "at least 90 %% are absorbed: %d of %d went on" % (seen() - before, REFRESHES))
    stats = edge.postern.stats()["registrations"]
    expect(stats["absorbed"] >= REFRESHES * 9 // 10, "and counted")

    before = seen()
    fresh = Registration(phone, "example.com")
    fresh.challenge = fresh.send()
    expect(fresh.challenge.code == 401, "who begins anew is asked by the registrar")
    expect(fresh.send(fresh.credentials("wrong")).code != 200, "a wrong password gets no 200")
    expect(seen() - before == 2, "both went there")
    other = Phone(lab, "home", "home", "192.168.0.18", WAN, port=5070)
    stolen = Registration(other, "example.com", contact=r.contact)
    stolen.call_id, stolen.cseq = r.call_id, r.cseq
    expect(stolen.send().code == 401, "the same from another port is nobody's refresh")
    answer = r.register(contact="%s, <sip:home@192.168.0.18:5071>" % r.contact, expires=600)
    expect(answer.code == 200 and len(r.contacts(answer)) == 2, "a second contact is registered there")
    before = seen()
    answer = r.register(contact="<sip:home@192.168.0.18:5071>", expires=0)
    expect(answer.code == 200 and len(r.contacts(answer)) == 1 and seen() > before, "one leaves: the registrar hears it")
    left = [m for m in edge.lan.messages() if m.is_request and m.method == "REGISTER"][-1]
    expect("expires=0" in left.get("Contact"), "with 0")
    answer = r.register(contact="*", expires=0)
    expect(answer.code == 200 and not r.contacts(answer), "Contact: * leaves nothing")
    expect(not edge.postern.ask("show registrations"), "nor here")
    phone.close()
    other.close()
    edge.finish()
