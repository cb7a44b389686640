# SPDX-License-Identifier: Apache-2.0
"""Replaces across two hidden calls, on whatever workers they are: the PBX joins two outside phones by REFER;
the one it asks is told the other by the names that one knows; an INVITE with Replaces from inside reaches
the phone by its own names; a dialog that is none of ours is concealed and comes back as it was."""
import re
from urllib.parse import unquote

from lib.edge import expect
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of, uri_of

WORKERS = [1, 4]


def field(message):
    """Replaces in Refer-To: (call-id, to-tag, from-tag), and whom it names."""
    uri = re.search(r"<([^>]*)>", message.get("Refer-To"))[1]
    return read(unquote(re.search(r"Replaces=([^&]*)", uri)[1])), uri.split("?")[0]


def read(text):
    return text.split(";")[0], re.search("to-tag=([^;]*)", text)[1], re.search("from-tag=([^;]*)", text)[1]


def run(lab):
    e = Ends(lab)
    phones = [e.add(End(lab, "home", "phone%d" % i, "192.168.0.18", "203.0.113.10", 5070 + i)) for i in range(5)]
    calls = []
    for phone in phones:
        phone.register()
        calls.append(establish(e.pbx, phone, e.pbx.contacts[phone.user],
                               to="<sip:%s@example.com>" % phone.user))
    inner, outer = calls[0]
    for phone, (other_inner, other_outer) in list(zip(phones, calls))[1:]:
        # the PBX asks the first phone to take over its call with this one
        escaped = other_inner.replaces().replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
        sent = inner.send("REFER", headers="Refer-To: <%s?Replaces=%s&Require=replaces>\r\n" % (
            other_inner.target, escaped))
        refer = phones[0].request("REFER")
        names, target = field(refer)
        expect(names == (other_outer.call_id, other_outer.tag(other_outer.local), other_outer.tag(other_outer.remote)),
               "the far phone's own names: %s" % (names,))
        expect("10.0.0." not in refer.text and other_inner.call_id not in refer.text and phone.user in target,
               "and nothing of the inside: %s" % refer.get("Refer-To"))
        expect("Require=replaces" in refer.get("Refer-To"), "what must be understood crosses")
        phones[0].reply(refer, 202)
        expect(e.pbx.answer(sent).code == 202, "202 comes back")
        # somebody inside takes over the call: an INVITE with Replaces by the PBX's names
        sent = e.pbx.send("INVITE", e.pbx.contacts[phone.user], body=sdp_of("10.0.0.20"), type="application/sdp",
                          headers="Replaces: %s\r\nRequire: replaces\r\n" % other_inner.replaces())
        invite = phone.request("INVITE")
        expect(read(invite.get("Replaces")) == names and "replaces" in invite.get("Require"),
               "by the phone's names: %s" % invite.get("Replaces"))
        phone.reply(invite, 486)
        expect(e.pbx.answer(sent).code == 486, "486 comes back")
        phone.request("ACK")
        e.pbx.send("ACK", e.pbx.contacts[phone.user], frm=sent["from"], to=sent["to"] + ";tag=x",
                   call_id=sent["call_id"], branch=sent["branch"])
    # a dialog of the inside that does not go through us
    sent = inner.send("REFER", headers="Refer-To: <sip:desk2@10.0.0.31?Replaces=77%4010.0.0.31%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\n")
    refer = phones[0].request("REFER")
    names, target = field(refer)
    expect(names[0].startswith("q") and names[1:] == ("a", "b") and target == "sip:desk2@203.0.113.10",
           "concealed: %s" % refer.get("Refer-To"))
    phones[0].reply(refer, 202)
    e.pbx.answer(sent)
    sent = phones[0].send("INVITE", target, body=sdp_of("192.168.0.18"), type="application/sdp",
                          headers="Replaces: %s;to-tag=a;from-tag=b\r\n" % names[0])
    invite = e.pbx.request("INVITE")
    expect(read(invite.get("Replaces")) == ("77@10.0.0.31", "a", "b"), "revealed: %s" % invite.get("Replaces"))
    e.pbx.reply(invite, 481)
    expect(phones[0].answer(sent).code == 481, "481 comes back")
    for near, far in calls:
        hang_up(near, far)
    for phone in phones:
        phone.register(0)
    e.finish(words=["77@"])
