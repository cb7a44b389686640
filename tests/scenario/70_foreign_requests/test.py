# SPDX-License-Identifier: Apache-2.0
"""A stranger who knows everything of a call, Via, Call-ID and tags, can neither cancel it while it
rings nor end or move it while it is up."""
import time

from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.phone import SDP, Phone

WORKERS = [2]


def forge(stranger, call, method, via, to):
    body = SDP % {"ip": stranger.address, "port": 40000} if method == "INVITE" else ""
    stranger.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                  "CSeq: %d %s\r\nContact: <sip:x@%s:5060>\r\n%sContent-Length: %d\r\n\r\n%s" % (
                      method, call.uri if method == "CANCEL" else call.target, via, call.local, to, call.call_id,
                      1 if method == "CANCEL" else 50, method, stranger.address,
                      "Content-Type: application/sdp\r\n" if body else "", len(body), body))


def run(lab):
    edge = Edge(lab, phones=False, stranger=True)
    desk = edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20")
    desk.wait_registered(15)
    home = Phone(lab, "home", "home", "192.168.0.18", WAN)
    home.register("example.com", "secret")
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)

    call = home.invite("sip:desk@example.com")
    desk.wait_event("CALL_INCOMING", 10)
    ringing = call.wait_ringing()
    forge(stranger, call, "CANCEL", home.via(call.branch), "<%s>" % call.uri)
    forge(stranger, call, "CANCEL", home.via(call.branch), ringing.get("To"))
    for _ in range(2):
        answer = stranger.receive(lambda m: m.method == "CANCEL", 3)
        expect(answer.code == 481, "481 to a CANCEL of somebody else's call, got %s" % answer.first_line)
    desk.answer()
    call.wait_final(200)
    call.ack()
    desk.wait_event("CALL_ESTABLISHED", 10)

    for method in ("BYE", "INVITE", "INFO", "CANCEL"):
        forge(stranger, call, method, stranger.via(), call.remote)
        answer = stranger.receive(lambda m, method=method: m.method == method and m.code >= 200, 3)
        expect(answer.code == 481, "481 to a forged %s, got %s" % (method, answer.first_line))
    time.sleep(0.3)
    expect(len(edge.live_calls()) == 1, "the call is up")
    expect(edge.postern.stats()["calls"]["reinvites"] == 0, "nothing was moved")
    answer = call.request("BYE")
    expect(answer.code == 200, "the caller itself may end it: %s" % answer.first_line)
    desk.wait_event("CALL_CLOSED", 10)
    stranger.close()
    home.register("example.com", "secret", expires=0)
    home.close()
    edge.wait_no_call()
    edge.finish()
