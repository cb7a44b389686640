# SPDX-License-Identifier: Apache-2.0
"""sipsak, an operator's probe: OPTIONS of the PBX are answered, one whose hops have run out too; it registers after a
challenge, a wrong password gets no 200; and its flood from outside costs a phone nothing."""
import time

from lib.edge import Edge, LAN, WAN, expect, requests
from lib.phone import Phone

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, security: {scanners: []}}  # by default who calls himself sipsak is banned (184_bans)
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def sipsak(lab, host, *words):
    return lab.run(host, "sipsak", "-vvv", *words, check=False, timeout=30)


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, stranger=True)
    told = sipsak(lab, "pbx", "-l", "5066", "-s", "sip:%s" % LAN)
    expect("SIP/2.0 200" in told, "the PBX pings us: %s" % told[-600:])
    told = sipsak(lab, "pbx", "-l", "5066", "-m", "0", "-s", "sip:nobody@%s" % LAN)
    expect("SIP/2.0 483" in told, "no hops are left: %s" % told[-600:])

    def register(password):
        return sipsak(lab, "home", "-U", "-u", "home", "-a", password, "-p", WAN, "-s", "sip:home@example.com",
                      "-C", "sip:home@192.168.0.18:5070", "-x", "60", "-l", "5070")
    told = register("secret")
    expect("SIP/2.0 401" in told and "SIP/2.0 200" in told, "it registers: %s" % told[-600:])
    told = register("wrong")
    expect("SIP/2.0 401" in told and "SIP/2.0 200" not in told, "a wrong password gets no 200: %s" % told[-600:])

    flood = lab.spawn("stranger", "flood", "sipsak", "-F", "-e", "200000", "-s", "sip:%s" % WAN)
    phone, slowest = Phone(lab, "home", "home", "192.168.0.18", WAN), 0
    for _ in range(5):
        started = time.monotonic()
        phone.register("example.com", "secret")
        slowest = max(slowest, time.monotonic() - started)
    expect(flood.alive(), "the flood goes on: %s" % flood.log()[-300:])
    expect(slowest < 3, "a phone registers while it is flooded: %.1f s" % slowest)
    flood.stop()
    phone.close()
    expect(not requests(edge.lan.messages(), "OPTIONS", source=LAN), "nothing of it goes on")
    edge.postern.stop()
