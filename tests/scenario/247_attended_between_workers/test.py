# SPDX-License-Identifier: Apache-2.0
"""A transfer after a consultation that ends here (transfer: local) while another worker holds the second call: its far
end is asked to replace that call, answers, and is joined with the side that remains; who asked hears of it and gets
BYE. A far end that cannot (420) leaves both calls as they were."""
import importlib.util
import os

from lib.edge import expect
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("attended", os.path.join(HERE, "../202_transfer_attended/test.py"))
attended = importlib.util.module_from_spec(spec)
spec.loader.exec_module(attended)
progress, talk = attended.blind.progress, attended.talk
WORKERS = [4]
PHONES = 6


def run(lab):
    e = Ends(lab, attended.blind.CONFIG)
    phones = [e.add(End(lab, "home", "phone%d" % i, "192.168.0.18", "203.0.113.10", 5070 + i)) for i in range(PHONES)]
    for phone in phones:
        phone.register()

    def call(phone):
        return establish(e.pbx, phone, e.pbx.contacts[phone.user], to="<sip:%s@example.com>" % phone.user)

    near, far = call(phones[0])
    done = 0
    for phone in phones[1:]:
        near2, far2 = call(phone)
        attended.refer_to(near, near2)
        progress(near, 100, False)
        invite = phone.request("INVITE")
        if invite.get("Call-ID") == far2.call_id:  # both are on one worker: 202_transfer_attended
            phone.reply(invite, 488)
            phone.request("ACK")
            progress(near, 488, True)
            hang_up(near2, far2)
            continue
        names = "%s;to-tag=%s;from-tag=%s" % (far2.call_id, far2.tag(far2.local), far2.tag(far2.remote))
        expect("replaces" in invite.get("Require") and invite.get("Replaces") == names, "its own names: %s" % invite.text)
        if not done:
            phone.reply(invite, 420, headers="Unsupported: replaces\r\n")
            phone.request("ACK")
            progress(near, 420, True)
            talk(near, far)
            talk(near2, far2)
            attended.refer_to(near, near2)
            progress(near, 100, False)
            invite = phone.request("INVITE")
        ours = phone.reply(invite, 200, body=sdp_of("192.168.0.18", 43000))
        again = phones[0].request("INVITE")
        expect(again.get("Call-ID") == far.call_id, "the side that remains is asked in its dialog")
        phones[0].reply(again, 200, body=sdp_of("192.168.0.18", 44000))
        phones[0].request("ACK")
        expect(b"m=audio" in phone.request("ACK").body, "its answer")
        new = Dialog.called(phone, invite, ours)
        progress(near, 200, True)
        bye = e.pbx.request("BYE")
        expect(bye.get("Call-ID") == near.call_id, "BYE for who asked")
        e.pbx.reply(bye, 200)
        sent = far2.send("BYE")  # the phone ends what it replaced (RFC 3891 3)
        e.pbx.reply(e.pbx.request("BYE"), 200)
        expect(phone.answer(sent).code == 200, "BYE answered")
        talk(far, new)
        talk(new, far)
        hang_up(new, far)
        near, far = call(phones[0])
        done += 1
        if done == 2:
            break
    expect(done, "some phone's calls are on another worker")
    hang_up(near, far)
    for phone in phones:
        phone.register(0)
    e.finish()
