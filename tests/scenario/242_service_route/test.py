# SPDX-License-Identifier: Apache-2.0
"""Service-Route (RFC 3608) of a trunk where we register: INVITE and MESSAGE to it carry that Route, on every
worker, while the registration lasts; a registration without it, or refused, ends that. Nothing of it is seen on
the other side, nor at another peer."""
import os

from lib.edge import expect
from lib.lab import wait_until
from lib.pbx import End, Ends, sdp_of

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 198.51.100.66, register: {user: "33123", password: !file secret, domain: carrier.example, expires: 60s}}
  other: {interface: wan, address: "198.51.100.66:5070"}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: pbx, number: "9*", to: carrier}
  - {from: pbx, number: "8*", to: other}
  - {from: phones, to: pbx}
"""
ROUTE = ["<sip:edge.carrier.example;lr>", "<sip:core@198.51.100.99;lr>"]
WORKERS = [1, 3]


def routes(message):
    return [r.strip() for v in message.all("Route") for r in v.split(",")]


class Registrar(End):
    lines, code = "", 200

    def take_registration(self, m):
        expect("path" in (m.get("Supported") or ""), "RFC 3327: what it can do: %s" % m.text)
        self.count = getattr(self, "count", 0) + 1
        self.reply(m, self.code, headers="Contact: %s;expires=4\r\n%s" % (m.get("Contact").split(";expires")[0], self.lines)
                   if self.code == 200 else "")


def routes_of_call(e, end, number):
    sent = e.pbx.send("INVITE", "sip:%s@10.0.0.1" % number, body=sdp_of("10.0.0.20"), type="application/sdp")
    invite = end.request("INVITE")
    end.reply(invite, 486)
    end.request("ACK")
    answer = e.pbx.answer(sent)
    expect(answer.code == 486 and "carrier.example" not in answer.text, "nothing of it is told: %s" % answer.text)
    e.pbx.send("ACK", sent["uri"], frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"], branch=sent["branch"])
    return routes(invite)


def routes_of_message(e, end, number):
    sent = e.pbx.send("MESSAGE", "sip:%s@10.0.0.1" % number, body="x", contact=False)
    message = end.request("MESSAGE")
    end.reply(message, 200, contact=False)
    expect(e.pbx.answer(sent).code == 200, "MESSAGE answered")
    return routes(message)


def run(lab):
    os.chmod(lab.write("secret", "secret\n"), 0o640)
    lab_edge, carriers = lab.edge, []

    def edge(stranger=False):
        lab_edge(stranger=True)
        carriers.append(Registrar(lab, "stranger", "carrier", "198.51.100.66", "203.0.113.10"))
        carriers[0].lines = "Service-Route: %s\r\nService-Route: %s\r\n" % tuple(ROUTE)
        carriers[0].auto["REGISTER"] = carriers[0].take_registration
    lab.edge = edge
    e = Ends(lab, CONFIG)
    carrier = e.add(carriers[0])
    other = e.add(End(lab, "stranger", "other", "198.51.100.66", "203.0.113.10", 5070))

    def state():
        return next(p for p in e.postern.ask("show peers") if p["peer"] == "carrier").get("registration")
    wait_until(lambda: state() == "registered", 10, lambda: "registered: %s" % state())
    for n in range(3):
        expect(routes_of_call(e, carrier, "9%d" % n) == ROUTE, "its Service-Route")
    expect(routes_of_message(e, carrier, "91") == ROUTE, "of a MESSAGE too")
    expect(routes_of_call(e, other, "81") == [] and routes_of_message(e, other, "81") == [], "not at another peer")
    carrier.lines, before = "", carrier.count
    wait_until(lambda: carrier.count > before, 8, "a refresh")
    wait_until(lambda: routes_of_call(e, carrier, "95") == [], 3, "gone with the refresh that has none")
    expect(routes_of_message(e, carrier, "95") == [], "likewise")
    e.finish()
