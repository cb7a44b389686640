# SPDX-License-Identifier: Apache-2.0
"""A stranger who sends malformed messages, or calls himself a scanner, is not heard for a while, on every
worker; `show bans` lists him, `unban` lets him in again. An address with registered phones behind it is not
banned whole."""
import os

from lib.edge import Edge, WAN, expect
from lib.lab import LabError, sh, wait_until
from lib.phone import Phone
from lib.postern import binaries

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, security: {ban: {bad-messages: 5/30s, for: 1h}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
BAD = "REGISTER sip:example.com SIP/2.0\r\nVia: %s\r\nFrom: <sip:a@b>;tag=1\r\nCSeq: x\r\n\r\n"
ASK = ("OPTIONS sip:example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
       "Call-ID: %s\r\nCSeq: 1 OPTIONS\r\n%sContent-Length: 0\r\n\r\n")


def is_heard(phone, n, agent=""):
    phone.send(ASK % (phone.via(), n, agent))
    try:
        phone.receive(lambda m: not m.is_request and m.code == 200 and m.get("Call-ID") == str(n), 1)
        return True
    except LabError:
        return False


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, stranger=True)
    home = Phone(lab, "home", "home", "192.168.0.18", WAN)
    home.register("example.com", "secret")
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)
    expect(is_heard(stranger, 1), "a stranger's OPTIONS is answered")
    for _ in range(20):
        stranger.send(BAD % stranger.via())
    wait_until(lambda: edge.postern.ask("show bans"), 5, "a ban")
    expect(not is_heard(stranger, 2), "the banned are not heard")
    other = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN, port=5099)
    expect(not is_heard(other, 3), "nor by another port")
    ban = edge.postern.ask("show bans")[0]
    expect(ban["source"] == "198.51.100.66" and ban["cause"] == "malformed messages", "the list says who and why")
    sh(os.path.join(binaries(), "control/cli/postern"), "unban", "198.51.100.66", "-s", edge.postern.socket)
    expect(not edge.postern.ask("show bans") and is_heard(stranger, 4), "unban lets in")
    expect(not is_heard(stranger, 5, "User-Agent: Friendly-Scanner\r\n"), "a scanner is not answered")
    expect(not is_heard(stranger, 6), "and banned")

    # behind the NAT: the bad one alone
    bad = Phone(lab, "home", "bad", "192.168.0.18", WAN, port=5077)
    for _ in range(20):
        bad.send(BAD % bad.via())
    wait_until(lambda: len(edge.postern.ask("show bans")) == 2, 5, "a second ban")
    expect(not is_heard(bad, 7), "the flow is banned")
    home.register("example.com", "secret")
    expect(is_heard(home, 8), "the other phone of the address is heard")
    home.register("example.com", "secret", expires=0)
    for phone in (home, stranger, other, bad):
        phone.close()
    edge.finish()
