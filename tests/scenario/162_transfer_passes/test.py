# SPDX-License-Identifier: Apache-2.0
"""A blind transfer passes from either side: Refer-To and Referred-By by the names of the side, the progress
comes back with the REFER's own number, without what its sipfrag says of the other side."""
from lib.edge import expect
from lib.pbx import Ends, establish, hang_up


def run(lab):
    e = Ends(lab)
    for caller, callee, uri in ((e.home, e.pbx, "sip:desk@example.com"), (e.pbx, e.home, e.home_uri())):
        near, far = establish(caller, callee, uri, headers="Supported: replaces, norefersub, x-odd\r\n")
        expect("replaces" in ",".join(far.invite.all("Supported")) and "x-odd" not in far.invite.text,
               "what the ends can do crosses")
        near.cseq += 10
        for sender, other in ((near, far), (far, near)):
            transfer(sender, other)
        hang_up(near, far)
    e.finish(words=["corp"])


def transfer(sender, other):
    outside = sender.end.user == "home"
    address = "192.168.0.18" if outside else "10.0.0.30"
    sent = sender.send("REFER", headers="Refer-To: <sip:boss@%s;method=INVITE?Subject=a%%20b&Route=%%3Csip:x%%3E>\r\n"
                       "Referred-By: <sip:me@%s>;cid=\"1@x\"\r\n" % (address, address))
    refer = other.end.request("REFER")
    shown = "10.0.0.20" if outside else "203.0.113.10"
    expect(refer.get("Refer-To") == "<sip:boss@%s;method=INVITE?Subject=a%%20b>" % shown,
           "Refer-To by this side's names, without a Route: %s" % refer.get("Refer-To"))
    expect(refer.get("Referred-By") == '<sip:me@%s>;cid="1@x"' % shown, "Referred-By too: %s" % refer.get("Referred-By"))
    other.end.reply(refer, 202)
    expect(sender.end.answer(sent).code == 202, "202 comes back")
    number = int(refer.get("CSeq").split()[0])
    expect(number != sent["cseq"], "the sides count for themselves")
    notify = other.send("NOTIFY", headers="Event: refer;id=%d\r\nSubscription-State: active;expires=60\r\n" % number,
                        body="SIP/2.0 183 from pbx.corp\r\nServer: corp/1\r\n", type="message/sipfrag;version=2.0")
    got = sender.end.request("NOTIFY")
    expect(got.get("Event") == "refer;id=%d" % sent["cseq"], "the number of its own REFER: %s" % got.get("Event"))
    expect(got.get("Subscription-State") == "active;expires=60", "the state crosses")
    expect(b"corp/1" not in got.body and got.body.startswith(b"SIP/2.0 183 "), "the fragment: %s" % got.body)
    sender.end.reply(got, 200)
    expect(other.end.answer(notify).code == 200, "NOTIFY answered")
    sent = sender.send("SUBSCRIBE", headers="Event: refer;id=%d\r\nExpires: 0\r\n" % sent["cseq"])
    end = other.end.request("SUBSCRIBE")
    expect(end.get("Event") == "refer;id=%d" % number, "and back: %s" % end.get("Event"))
    other.end.reply(end, 200)
    expect(sender.end.answer(sent).code == 200, "SUBSCRIBE answered")
    expect(other.ask("NOTIFY", headers="Event: presence\r\nSubscription-State: active\r\n").code == 489,
           "other packages have dialogs of their own")
