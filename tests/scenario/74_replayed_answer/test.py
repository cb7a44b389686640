# SPDX-License-Identifier: Apache-2.0
"""A phone that repeats its 200 long after the call, and a stranger who repeats it in its name, get no
BYE for each: no state is made, and nothing is amplified."""
import time

from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.phone import SDP, Phone

WORKERS = [2]
REPLAYS = 50


def answer(phone, request, code, reason, body="", contact=True):
    vias = "".join("Via: %s\r\n" % v for v in request.all("Via"))
    to = request.get("To") + ("" if ";tag=" in request.get("To") else ";tag=home")
    return ("SIP/2.0 %d %s\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (
        code, reason, vias, request.get("From"), to, request.get("Call-ID"), request.get("CSeq"),
        "Contact: <sip:home@192.168.0.18:5060>\r\n" if contact else "",
        "Content-Type: application/sdp\r\n" if body else "", len(body), body))


def drain(phone, seconds):
    got, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got.append(phone.receive(lambda m: True, 0.3))
        except LabError:
            pass
    return got


def run(lab):
    edge = Edge(lab, phones=False, stranger=True)
    desk = edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20")
    desk.wait_registered(15)
    home = Phone(lab, "home", "home", "192.168.0.18", WAN)
    home.register("example.com", "secret")
    desk.dial("sip:home@example.com")
    invite = home.receive(lambda m: m.is_request and m.method == "INVITE", 10)
    ok = answer(home, invite, 200, "OK", SDP % {"ip": "192.168.0.18", "port": 40000})
    home.send(ok)
    home.receive(lambda m: m.is_request and m.method == "ACK", 5)
    desk.wait_event("CALL_ESTABLISHED", 10)
    desk.hangup()
    bye = home.receive(lambda m: m.is_request and m.method == "BYE", 5)
    home.send(answer(home, bye, 200, "OK", contact=False))
    edge.wait_no_call()
    drain(home, 0.5)

    before = edge.postern.stats()["held"]["transactions"]
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)
    for _ in range(REPLAYS):
        home.send(ok)
        stranger.send(ok)
    got = drain(home, 1.5) + drain(stranger, 1.5)
    made = edge.postern.stats()["held"]["transactions"] - before
    expect(made <= 2, "%d transactions for %d replays" % (made, 2 * REPLAYS))
    expect(len(got) <= 2 * REPLAYS + 10, "%d messages for %d replays" % (len(got), 2 * REPLAYS))
    stranger.close()
    home.register("example.com", "secret", expires=0)
    home.close()
    edge.finish()
