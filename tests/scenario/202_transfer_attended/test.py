# SPDX-License-Identifier: Apache-2.0
"""Transfers after a consultation with transfer: local. REFER with Replaces joins what remains of two calls; when
another worker has the second one its far end is asked to replace it. An INVITE with Replaces takes the place of
one side. Refused, all of it leaves both calls as they were."""
import importlib.util
import os

from lib.edge import expect
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("blind", os.path.join(HERE, "../201_transfer_local/test.py"))
blind = importlib.util.module_from_spec(spec)
spec.loader.exec_module(blind)
WORKERS = [1, 4]


def refer_to(inner, other):
    escaped = other.replaces().replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
    sent = inner.send("REFER", headers="Refer-To: <%s?Replaces=%s>\r\n" % (other.target, escaped))
    expect(inner.end.answer(sent).code == 202, "202 for REFER")
    return sent


def talk(one, two):
    one.cseq += 10
    sent = one.send("INFO", body="x")
    two.end.reply(two.end.request("INFO"), 200, contact=False)
    expect(one.end.answer(sent).code == 200, "they talk with each other")


def run(lab):
    e = Ends(lab, blind.CONFIG)
    phones = [e.add(End(lab, "home", "phone%d" % i, "192.168.0.18", "203.0.113.10", 5070 + i)) for i in range(4)]
    for phone in phones:
        phone.register()

    def call(phone):
        return establish(e.pbx, phone, e.pbx.contacts[phone.user], to="<sip:%s@example.com>" % phone.user)

    near, far = call(phones[0])
    for phone in phones[1:]:
        near2, far2 = call(phone)
        for refused in (True, False):
            refer_to(near, near2)
            blind.progress(near, 100, False)
            invite = phone.request("INVITE")
            if invite.get("Call-ID") != far2.call_id:  # another worker holds it
                expect(far2.call_id in (invite.get("Replaces") or "") and "replaces" in invite.get("Require"),
                       "Replaces by its own names: %s" % invite.text)
                phone.reply(invite, 486)
                phone.request("ACK")
                blind.progress(near, 486, True)
                break
            expect(not invite.body, "asked for an offer")
            phone.reply(invite, 200, body=sdp_of("192.168.0.18", 43000))
            again = phones[0].request("INVITE")
            expect(again.get("Call-ID") == far.call_id, "the other one is offered it in its dialog")
            if refused:
                phones[0].reply(again, 488)
                phones[0].request("ACK")
                ack = phone.request("ACK")
                expect(b"m=audio" in ack.body, "an answer as before")
                blind.progress(near, 488, True)
                talk(near, far)
                talk(near2, far2)
                continue
            phones[0].reply(again, 200, body=sdp_of("192.168.0.18", 44000))
            phones[0].request("ACK")
            expect(b"m=audio" in phone.request("ACK").body, "its answer")
            blind.progress(near, 200, True)
            for _ in range(2):
                e.pbx.reply(e.pbx.request("BYE"), 200)
            talk(far, far2)
            talk(far2, far)
            hang_up(far2, far)
            near, far = call(phones[0])
            break
        else:
            raise AssertionError
        if invite.get("Call-ID") != far2.call_id:
            hang_up(near2, far2)
    # somebody inside takes over: first refused, then not
    for code in (488, 200):
        sent = e.pbx.send("INVITE", near.target, body=sdp_of("10.0.0.20", 45000), type="application/sdp",
                          headers="Replaces: %s\r\nRequire: replaces\r\n" % near.replaces())
        again = phones[0].request("INVITE")
        expect(again.get("Call-ID") == far.call_id and not again.get("Replaces") and b"m=audio" in again.body,
               "asked in the dialog it has: %s" % again.text)
        phones[0].reply(again, code, body=sdp_of("192.168.0.18", 46000) if code == 200 else "")
        answer = e.pbx.answer(sent)
        expect(answer.code == code, answer.first_line)
        new = Dialog.calling(e.pbx, sent, answer)
        phones[0].request("ACK")
        if code == 200:
            new.ack()
            bye = e.pbx.request("BYE")
            expect(bye.get("Call-ID") == near.call_id, "BYE for the one replaced")
            e.pbx.reply(bye, 200)
            talk(new, far)
            talk(far, new)
        else:
            e.pbx.send("ACK", near.target, frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"],
                       branch=sent["branch"])
            talk(near, far)
    early = e.pbx.send("INVITE", new.target, body=sdp_of("10.0.0.20"), type="application/sdp",
                       headers="Replaces: %s;early-only\r\n" % new.replaces())
    expect(e.pbx.answer(early).code == 486, "early-only, and it is answered")
    # cancelled while the other side thinks, which says yes all the same
    sent = e.pbx.send("INVITE", new.target, body=sdp_of("10.0.0.20", 45000), type="application/sdp",
                      headers="Replaces: %s\r\n" % new.replaces())
    again = phones[0].request("INVITE")
    phones[0].reply(again, 180)
    e.pbx.answer(sent, provisional=True)
    e.pbx.send("CANCEL", new.target, frm=sent["from"], to=sent["to"], call_id=sent["call_id"], branch=sent["branch"])
    expect(e.pbx.answer(sent).code == 487, "487")
    phones[0].reply(phones[0].request("CANCEL"), 200)
    phones[0].reply(again, 200, body=sdp_of("192.168.0.18", 46000))
    phones[0].request("ACK")
    back = phones[0].request("INVITE")
    expect(b"m=audio" in back.body, "told again what it had")
    phones[0].reply(back, 200, body=sdp_of("192.168.0.18", 46000))
    phones[0].request("ACK")
    talk(new, far)
    hang_up(new, far)
    for phone in phones:
        phone.register(0)
    e.finish()
