# SPDX-License-Identifier: Apache-2.0
"""Limits of a peer in both directions, counted by all workers together: calls at once and calls that begin. Beyond
them 503 with Retry-After; an emergency passes them and is counted apart."""
from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  few: {interface: wan, servers: [198.51.100.66], limits: {calls: 2}}
  slow: {interface: wan, servers: [198.51.100.67], limits: {setup-rate: 3/10s}}
  spare: {interface: wan, servers: [198.51.100.68]}
routes:
  - {from: pbx, number: ["112", "15"], to: few, priority: emergency}
  - {from: pbx, number: "1*", to: few}
  - {from: pbx, number: "2*", to: slow}
  - {from: pbx, number: "3*", to: [few, spare]}
"""


def hold(carrier, number):
    call = carrier.pbx.invite("sip:%s@10.0.0.1" % number)
    call.wait_final(200)
    call.ack()
    return call


def run(lab):
    carrier = Carrier(lab, CONFIG)
    few, slow, spare = [Callee(lab, "stranger", CARRIER % (66 + n)) for n in range(3)]
    calls = [hold(carrier, "100"), hold(carrier, "101")]
    answer = carrier.call("102", 503)
    expect(answer.get("Retry-After"), "Retry-After is said")
    carrier.call("300")
    expect(count(few, spare) == [2, 1], "the next destination takes it: %s" % count(few, spare))
    calls.append(hold(carrier, "112"))
    calls.append(hold(carrier, "15"))
    expect(count(few) == [4], "emergencies pass: %s" % count(few))
    for call in calls:
        expect(call.request("BYE").code == 200, "BYE")
    carrier.call("100")
    for _ in range(3):
        carrier.call("200")
    carrier.call("200", 503)
    expect(count(slow) == [3], "three in ten seconds: %s" % count(slow))
    carrier.finish(few, slow, spare)
