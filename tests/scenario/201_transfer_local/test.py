# SPDX-License-Identifier: Apache-2.0
"""A transfer that ends here (transfer: local), asked for by either side: 202, NOTIFY of what becomes of it, the
side that remains joined with the new one by re-INVITE, BYE for who asked. Whatever fails leaves the call."""
from lib.edge import expect
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, transfer: local}
peers:
  pbx: {interface: lan, address: 10.0.0.20, transfer: local}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {name: users, from: phones, number: ["desk*", "boss"], to: pbx}
  - {name: to-users, from: pbx, registered: true, to: phones}
"""
WORKERS = [1, 4]


def progress(dialog, code, over):
    m = dialog.end.request("NOTIFY")
    expect(m.get("Event").split(";")[0] == "refer" and m.body.startswith(b"SIP/2.0 %d " % code),
           "NOTIFY of %d: %s %s" % (code, m.get("Event"), m.body))
    expect(m.get("Subscription-State").startswith("terminated" if over else "active"), m.get("Subscription-State"))
    expect(m.get("Contact"), "a Contact in NOTIFY")
    dialog.end.reply(m, 200)


def refer(dialog, to, headers=""):
    sent = dialog.send("REFER", headers="Refer-To: <%s>\r\n%s" % (to, headers))
    expect(dialog.end.answer(sent).code == 202, "202 for REFER")


def joined(asker, remains, target, to, address):
    """`remains` is joined with the end `target`."""
    refer(asker, to)
    progress(asker, 100, False)
    invite = target.request("INVITE")
    expect(not invite.body and invite.get("Referred-By"), "an INVITE without SDP, with Referred-By: %s" % invite.text)
    expect("10.0.0." not in invite.text or target.address.startswith("10."), "nothing of the inside: %s" % invite.text)
    target.reply(invite, 180)
    progress(asker, 180, False)
    ours = target.reply(invite, 200, body=sdp_of(target.address, 41000))
    new = Dialog.called(target, invite, ours)
    again = remains.end.request("INVITE")
    expect(again.get("Call-ID") == remains.call_id and b"m=audio" in again.body, "re-INVITE in its dialog")
    remains.end.reply(again, 200, body=sdp_of(remains.end.address, 42000))
    remains.end.request("ACK")
    ack = target.request("ACK")
    expect(b"m=audio" in ack.body and b"42000" not in ack.body, "its answer, by the relay, in the ACK: %s" % ack.text)
    progress(asker, 200, True)
    asker.end.reply(asker.end.request("BYE"), 200)
    # what is left is a call like any other
    remains.cseq += 10
    sent = remains.send("INFO", body="x")
    target.reply(target.request("INFO"), 200, contact=False)
    expect(remains.end.answer(sent).code == 200, "INFO crosses")
    sent = new.send("INVITE", body=sdp_of(target.address, 41002), type="application/sdp")
    hold = remains.end.request("INVITE")
    remains.end.reply(hold, 200, body=sdp_of(remains.end.address, 42000))
    expect(target.answer(sent).code == 200, "a re-INVITE too")
    new.ack()
    remains.end.request("ACK")
    return new


def run(lab):
    e = Ends(lab, CONFIG)
    other = e.add(End(lab, "home", "phone1", "192.168.0.18", "203.0.113.10", 5071))
    other.register()
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    # the PBX asks, the phone remains, another phone is called
    new = joined(far, near, other, e.pbx.contacts["phone1"], "192.168.0.18")
    hang_up(new, near)
    # the phone asks, the PBX remains and is called once more; then once more, in what came of it
    near, far = establish(e.pbx, other, e.pbx.contacts["phone1"])
    new = joined(far, near, e.pbx, "sip:boss@example.com", "10.0.0.20")
    hang_up(near, new)
    # failures leave the call as it is
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    for code in (486, 488):
        refer(far, e.pbx.contacts["phone1"])
        progress(far, 100, False)
        invite = other.request("INVITE")
        if code == 486:  # the new one refuses
            other.reply(invite, 486)
            other.request("ACK")
        else:  # who remains refuses
            other.reply(invite, 200, body=sdp_of(other.address, 41000))
            again = e.home.request("INVITE")
            e.home.reply(again, 488)
            e.home.request("ACK")
            other.request("ACK")
            other.reply(other.request("BYE"), 200)
        progress(far, code, True)
        sent = near.send("INFO", body="x")
        e.pbx.reply(e.pbx.request("INFO"), 200, contact=False)
        expect(e.home.answer(sent).code == 200, "the old call goes on")
    refer(far, "sip:nobody@example.com")
    progress(far, 404, True)
    # quietly, as RFC 4488 has it, and the one who asked hangs up before it is decided
    sent = far.send("REFER", headers="Refer-To: <%s>\r\nRefer-Sub: false\r\n" % e.pbx.contacts["phone1"])
    expect(e.pbx.answer(sent).get("Refer-Sub") == "false", "Refer-Sub: false")
    invite = other.request("INVITE")
    expect(far.ask("BYE").code == 200, "BYE of who asked")
    e.home.quiet("BYE", 0.3)
    ours = other.reply(invite, 200, body=sdp_of(other.address, 41000))
    e.home.reply(e.home.request("INVITE"), 200, body=sdp_of("192.168.0.18", 42000))
    e.home.request("ACK")
    other.request("ACK")
    e.pbx.quiet("NOTIFY", 0.1)
    hang_up(near, Dialog.called(other, invite, ours))
    # who remains hangs up meanwhile
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    refer(far, e.pbx.contacts["phone1"])
    progress(far, 100, False)
    invite = other.request("INVITE")
    other.reply(invite, 180)
    progress(far, 180, False)
    expect(near.ask("BYE").code == 200, "BYE")
    other.reply(other.request("CANCEL"), 200)
    other.reply(invite, 487)
    e.pbx.reply(e.pbx.request("BYE"), 200)
    other.register(0)
    e.finish()
