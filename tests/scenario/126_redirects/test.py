# SPDX-License-Identifier: Apache-2.0
"""3xx: its contacts are tried by their q, each once, only where routes lead; loops and chains end. A peer whose
redirections are the caller's affair has them passed, in our name."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.66], accept-from: [198.51.100.67/32, 198.51.100.68/32]}
  passing: {interface: wan, servers: [198.51.100.69], redirects: pass}
routes:
  - {from: pbx, number: "1*", to: carrier}
  - {from: pbx, number: "9*", to: passing}
"""


def to(*contacts):
    return (302, "".join("Contact: %s\r\n" % c for c in contacts))


def run(lab):
    carrier = Carrier(lab, CONFIG)
    front, one, two, passing = [Callee(lab, "stranger", CARRIER % (66 + n)) for n in range(4)]
    front.answer = to("<sip:101@198.51.100.67>;q=0.3", "<sip:102@198.51.100.68>;q=0.7",
                      "<sip:500@198.51.100.67>", "<sip:103@192.0.2.1>", "<mailto:a@b>")
    two.answer = 486
    carrier.call("100", 486)
    expect(count(front, one, two) == [1, 0, 1], "the best contact first, and a person decides: %s" %
           count(front, one, two))
    expect(two.invites[0].first_line.startswith("INVITE sip:102@198.51.100.68"), two.invites[0].first_line)
    two.answer = 503
    carrier.call("100")
    expect(count(front, one, two) == [2, 1, 2], "it fails, the next one: %s" % count(front, one, two))
    # Round and round: 198.51.100.67 sends on to .68, that one back.
    one.answer, two.answer = to("<sip:102@198.51.100.68>"), to("<sip:101@198.51.100.67>", "<sip:100@10.0.0.1>")
    front.answer = to("<sip:101@198.51.100.67>")
    carrier.call("100", 480)
    expect(count(front, one, two) == [3, 2, 3], "each once: %s" % count(front, one, two))
    # A chain without an end.
    numbers = iter(range(1000, 2000))
    front.answer = one.answer = two.answer = lambda request: to("<sip:%d@198.51.100.67>" % next(numbers))
    before = sum(count(front, one, two))
    carrier.call("100", 480)
    expect(sum(count(front, one, two)) - before <= 6, "a chain ends")
    expect(len(one.invites) < 20, "INVITEs: %d" % len(one.invites))
    passing.answer = to("<sip:700@198.51.100.99>;q=0.5;secret=inside")
    answer = carrier.call("900", 302)
    expect(answer.get("Contact").startswith("<sip:700@10.0.0.1>") and "secret" not in answer.get("Contact"),
           "passed in our name: %s" % answer.get("Contact"))
    carrier.finish(front, one, two, passing)
