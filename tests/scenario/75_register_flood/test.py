# SPDX-License-Identifier: Apache-2.0
"""Strangers use up the interface's rate of registrations: a phone that is registered goes on refreshing
and calling; one that is not is asked to come back later."""
import re

from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.phone import Phone

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, limits: {register-rate: 8/m, per-source: {register-rate: 1000/s}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def flood(stranger):
    for n in range(60):
        stranger.send("REGISTER sip:example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:u%d@example.com>;tag=a\r\n"
                      "To: <sip:u%d@example.com>\r\nCall-ID: flood-%d\r\nCSeq: 1 REGISTER\r\n"
                      "Contact: <sip:u@198.51.100.66>\r\nContent-Length: 0\r\n\r\n" % (stranger.via(), n, n, n))


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, stranger=True)
    home = Phone(lab, "home", "home", "192.168.0.18", WAN)
    home.register("example.com", "secret")
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)
    flood(stranger)
    stranger.receive(lambda m: m.code == 503, 5)
    for _ in range(3):
        home.register("example.com", "secret")
    other = Phone(lab, "home", "other", "192.168.0.18", WAN, port=5070)
    try:
        other.register("example.com", "secret")
        refused = False
    except LabError as e:
        refused = bool(re.search("503", str(e)))
    expect(refused or edge.postern.stats()["registrations"]["limited"] > 0, "the rate holds for those we do not know")
    home.register("example.com", "secret", expires=0)
    for phone in (home, other, stranger):
        phone.close()
    edge.finish()
