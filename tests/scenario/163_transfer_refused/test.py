# SPDX-License-Identifier: Apache-2.0
"""Transfers refused by policy, per peer and per interface; and a target that its sender may not call is
refused too (toll fraud by REFER)."""
from lib.edge import expect
from lib.pbx import Ends, establish, hang_up

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10%s}
peers:
  pbx: {interface: lan, address: 10.0.0.20, transfer: refuse}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {name: users, from: phones, number: ["desk*", "boss"], to: pbx}
  - {name: to-users, from: pbx, registered: true, to: phones}
"""
WORKERS = [2]


def run(lab):
    e = Ends(lab, CONFIG % "")
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    expect(far.ask("REFER", headers="Refer-To: <sip:x@example.com>\r\n").code == 603, "refused for the peer")
    for target, code in (("<sip:00900123@example.com>", 403), ("<sip:desk7@example.com;x", 400), ("<tel:00900123>", 403)):
        answer = near.ask("REFER", headers="Refer-To: %s\r\n" % target)
        expect(answer.code in (code, 403), "a target it may not call: %s" % answer.first_line)
    expect(near.ask("REFER").code == 400, "without Refer-To")
    e.pbx.quiet("REFER", 0.2)
    sent = near.send("REFER", headers="Refer-To: <sip:boss@example.com>\r\n")
    e.pbx.reply(e.pbx.request("REFER"), 603)
    expect(e.home.answer(sent).code == 603, "the far end may say no")
    hang_up(near, far)
    e.finish()
