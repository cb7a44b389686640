# SPDX-License-Identifier: Apache-2.0
"""The next destination of a route is on another side: leg B is made anew, the relay opens its ports there, and what
may cross is judged again. A dead phone gives way to the next destination."""
import re

from lib.callee import Callee, body_of, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.66]}
  desk: {interface: lan, servers: [10.0.0.30]}
routes:
  - {from: pbx, number: "1*", to: [carrier, desk]}
  - {from: pbx, number: "2*", to: [phones, desk, reject/404]}
phones:
  - {from: wan, registrar: pbx}
"""


def media_address(message):
    return re.search(r"c=IN IP4 (\S+)", body_of(message))[1]


def run(lab):
    carrier = Carrier(lab, CONFIG)
    outside = Callee(lab, "stranger", CARRIER % 66, answer=500, ring=True)
    desk = Callee(lab, "desk", "10.0.0.30")
    answer = carrier.call("100", extra="X-Inner: 1\r\n")
    expect(count(outside, desk) == [1, 1], "first outside, then inside: %s" % count(outside, desk))
    first, second = outside.invites[0], desk.invites[0]
    expect(media_address(first) == "203.0.113.10", "ports outside: %s" % media_address(first))
    expect(media_address(second) == "10.0.0.1", "ports inside: %s" % media_address(second))
    expect(media_address(answer) == "10.0.0.1", "for the caller: %s" % media_address(answer))
    expect(not first.get("X-Inner") and second.get("X-Inner") == "1", "headers are judged for each side")
    expect("10.0.0.30" in second.first_line and "203.0.113" not in "".join(
        "%s" % line for line in (second.get("To"), second.get("From"))), "nothing of the first side is told")
    carrier.call("200")
    expect(count(desk) == [2], "no phone is registered: the next")
    desk.answer = 486
    carrier.call("200", 486)
    desk.answer = 500
    carrier.call("200", 404)
    carrier.finish(outside, desk)
