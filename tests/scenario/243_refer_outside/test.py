# SPDX-License-Identifier: Apache-2.0
"""REFER outside any call: passed on by route, with a Replaces in its Refer-To by the names that the other side
knows, whatever worker has that call; with transfer: local it is refused, for there is no call here to be
transferred. In a call that is not answered yet a transfer that ends here has to wait (491)."""
import re
from urllib.parse import unquote

from lib.edge import expect
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, transfer: local}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def read(text):
    return text.split(";")[0], re.search("to-tag=([^;]*)", text)[1], re.search("from-tag=([^;]*)", text)[1]


def run(lab):
    e = Ends(lab, CONFIG)
    phones = [e.add(End(lab, "home", "phone%d" % i, "192.168.0.18", "203.0.113.10", 5070 + i)) for i in range(4)]
    for phone in phones:
        phone.register()
    target = phones.pop()
    for phone in phones:
        inner, outer = establish(e.pbx, phone, e.pbx.contacts[phone.user], to="<sip:%s@example.com>" % phone.user)
        # the PBX asks another phone, outside any call, to take this one over
        escaped = inner.replaces().replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
        sent = e.pbx.send("REFER", e.pbx.contacts[target.user], headers="Refer-To: <%s?Replaces=%s>\r\n" % (
            inner.target, escaped))
        refer = target.request("REFER")
        uri = re.search(r"<([^>]*)>", refer.get("Refer-To"))[1]
        names = read(unquote(re.search(r"Replaces=([^&]*)", uri)[1]))
        expect(names == (outer.call_id, outer.tag(outer.local), outer.tag(outer.remote)),
               "by the far phone's names: %s" % uri)
        expect(phone.user in uri and "10.0.0." not in refer.text, "and nothing of the inside: %s" % uri)
        target.reply(refer, 202)
        answer = e.pbx.answer(sent)
        expect(answer.code == 202, "202 comes back")
        # what becomes of it is told in the dialog that this made
        notify = Dialog.called(target, refer, "%s;tag=r%s" % (refer.get("To"), abs(hash(refer.get("Call-ID") + target.user))))
        told = notify.send("NOTIFY", headers="Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n",
                           body="SIP/2.0 200 OK\r\n", type="message/sipfrag")
        got = e.pbx.request("NOTIFY")
        expect(got.body.startswith(b"SIP/2.0 200"), "told: %s" % got.body)
        e.pbx.reply(got, 200)
        expect(target.answer(told).code == 200, "NOTIFY answered")
        hang_up(inner, outer)
    # what is no header that may be in one
    expect(e.pbx.ask("REFER", e.pbx.contacts[target.user], headers="Refer-To: <sip:a@b?Replaces=x>\r\n").code == 400,
           "a Replaces that is none")
    # from a side whose transfers end here
    expect(target.ask("REFER", "sip:desk@example.com", headers="Refer-To: <sip:desk2@example.com>\r\n").code == 403,
           "refused outside a call")
    e.pbx.quiet("REFER", 0.2)
    sent = target.send("INVITE", "sip:desk@example.com", body=sdp_of("192.168.0.18"), type="application/sdp")
    invite = e.pbx.request("INVITE")
    e.pbx.reply(invite, 180, tag="early")
    early = Dialog.calling(target, sent, target.answer(sent, provisional=True))
    expect(early.ask("REFER", headers="Refer-To: <sip:desk2@example.com>\r\n").code == 491, "not yet")
    e.pbx.reply(invite, 486, tag="early")
    e.pbx.request("ACK")
    answer = target.answer(sent)
    target.send("ACK", sent["uri"], frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"], branch=sent["branch"])
    for phone in phones + [target]:
        phone.register(0)
    e.finish()
