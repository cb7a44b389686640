# SPDX-License-Identifier: Apache-2.0
"""A phone in a browser: SIP over WSS (RFC 7118). Its connection breaks in mid-call; it comes back, registers
again, and the call goes on in both directions over the new one."""
from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.phone import Call
from lib.tls import Authority, FlowPhone

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, ws/80, wss/443]
    tls: {certificate: !file edge.example.com.pem, key: !file edge.example.com.key}
    websocket: {origins: ["https://phone.example.com"]}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def call_and_break(edge, phone, count):
    desk = edge.desk
    call = phone.invite("sip:desk@example.com")
    desk.wait_event("CALL_INCOMING", 10, count=count)
    desk.answer()
    call.wait_final(200)
    call.ack()
    desk.wait_event("CALL_ESTABLISHED", 10, count=count)
    expect(";transport=ws" in call.answer.get("Contact"), "our Contact: %s" % call.answer.get("Contact"))
    phone.drop()
    wait_until(lambda: not edge.postern.ask("show registrations")[0]["reachable"], 5, "it is known to be gone")
    expect(len(edge.live_calls()) == 1, "the call goes on without its connection")
    phone.register("example.com", "secret")
    return call


def run(lab):
    authority = Authority(lab)
    authority.sign("edge.example.com", "DNS:edge.example.com")
    edge = Edge(lab, CONFIG, phones=False)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20")
    edge.desk.wait_registered(15)
    for count, transport in ((1, "wss"), (2, "ws")):
        phone = FlowPhone(lab, "home", "home", "192.168.0.18", WAN, transport, authority, "edge.example.com")
        phone.register("example.com", "secret")
        expect(edge.postern.ask("show registrations")[0]["transport"] == transport, "registered by " + transport)
        # What comes from the other side finds the new connection ...
        call_and_break(edge, phone, 2 * count - 1)
        edge.desk.hangup()
        bye = phone.receive(lambda m: m.is_request and m.method == "BYE")
        Call.reply(phone_call(phone), bye, 200, "OK")
        edge.wait_no_call()
        # ... and what the phone sends over it is of the call.
        call = call_and_break(edge, phone, 2 * count)
        expect(call.request("BYE").code == 200, "the BYE comes by another connection")
        edge.wait_no_call()
        phone.register("example.com", "secret", expires=0)
        phone.close()
    edge.finish()


def phone_call(phone):
    """What Call.reply() needs of a call: its phone."""
    return type("Leg", (), {"phone": phone})()
