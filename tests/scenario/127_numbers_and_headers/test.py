# SPDX-License-Identifier: Apache-2.0
"""Rules of numbers and of headers, per interface and peer: what is called and who calls is written as the other
side wants it, headers are taken, kept and set. Requests in the dialog follow."""
from lib.callee import Callee
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect
from lib.lab import wait_until

WORKERS = [1]
CONFIG = """peers:
  pbx: {interface: lan, address: 10.0.0.20, numbers: {in: [{from: "0*", to: "00*"}], caller-in: [{from: "pbx", to: "0100"}]},
        headers: {in: {set: {X-Side: lan}}}}
  carrier:
    interface: wan
    servers: [198.51.100.66]
    identity: trusted
    numbers: {out: [{from: "00*", to: "+*"}], caller-out: [{from: "0*", to: "+33*"}]}
    headers: {out: {remove: [Subject, Alert-*], keep: [X-Side, X-Customer], set: {User-Agent: Example, X-Trunk: "7"}}}
routes:
  - {from: pbx, number: "00*", to: carrier}
"""
SENT = "P-Asserted-Identity: \"The \\\"boss\\\"\" <sip:0100@10.0.0.20>, <tel:0-100>\r\nSubject: secret\r\nX-Customer: 42\r\nX-Other: 1\r\nUser-Agent: pbx\r\nX-Side: forged\r\n"


def run(lab):
    carrier = Carrier(lab, CONFIG)
    callee = Callee(lab, "stranger", CARRIER % 66)
    carrier.call("0-44 12".replace(" ", ""), extra=SENT)
    invite = callee.invites[0]
    expect(invite.first_line == "INVITE sip:+4412@198.51.100.66 SIP/2.0", invite.first_line)
    expect("sip:+4412@" in invite.get("To"), invite.get("To"))
    expect("sip:+33100@" in invite.get("From"), invite.get("From"))
    for name, value in (("Subject", None), ("X-Customer", "42"), ("X-Other", None), ("User-Agent", "Example"),
                        ("X-Side", "lan"), ("X-Trunk", "7")):
        expect((invite.all(name) or [None]) == [value], "%s: %s, not %s" % (name, value, invite.all(name)))
    identities = invite.get("P-Asserted-Identity")
    expect("sip:+33100@" in identities and "tel:+33100" in identities, "identities too: %s" % identities)
    bye = wait_until(lambda: [m for m in callee.requests if m.method == "BYE"], 5, "a BYE")[0]
    expect("sip:+33100@" in bye.get("From") and bye.get("X-Trunk") == "7", "the BYE too: %s" % bye.get("From"))
    carrier.call("100", code=404)
    carrier.finish(callee)
