# SPDX-License-Identifier: Apache-2.0
"""N2 and N9 over TLS: baresip comes by TLS; one connection carries the requests of both directions, and
when it breaks the phone cannot be reached until it is back."""
from lib.edge import Edge, LAN, WAN, expect, requests
from lib.lab import wait_until
from lib.tls import Authority, FlowPhone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, tcp/5060, tls/5061]
    tls: {certificate: !file edge.example.com.pem, key: !file edge.example.com.key}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def run(lab):
    authority = Authority(lab)
    authority.sign("edge.example.com", "DNS:edge.example.com,IP:203.0.113.10")
    edge = Edge(lab, CONFIG, home_transport="tls")
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.establish(edge.home, edge.desk)
    edge.home.hangup()
    edge.wait_no_call()
    lines = edge.postern.ask("show registrations")
    expect([(l["transport"], l["reachable"]) for l in lines] == [("tls", True)], "registered by TLS: %s" % lines)
    wan = next(l for l in edge.postern.ask("show interfaces") if l["name"] == "wan")
    expect(wan["accepted"] == 1 and wan["opened"] == 0 and wan["secured"] == 1, "one connection for all: %s" % wan)

    edge.home.process.kill_group()
    wait_until(lambda: not edge.postern.ask("show registrations")[0]["reachable"], 5, "the phone is known to be gone")
    edge.desk.dial("sip:home@example.com")
    edge.desk.process.wait_log(r"480 ", 5)

    phone = FlowPhone(lab, "home", "home", "192.168.0.18", WAN, "tls", authority, "edge.example.com")
    phone.register("example.com", "secret")
    call = phone.invite("sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10, count=2)
    edge.desk.answer()
    call.wait_final(200)
    call.ack()
    expect(";transport=tls" in call.answer.get("Contact"), "our Contact says TLS: %s" % call.answer.get("Contact"))
    expect(call.request("BYE").code == 200, "the BYE goes through")
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.home = None
    edge.desk.stop()
    edge.postern.stop()
    expect(not requests(edge.wan.messages(), "INVITE"), "nothing can be read on the outer wire")
    expect({m.transport for m in requests(edge.lan.messages(), "INVITE")} == {"UDP"}, "UDP towards the PBX")
