# SPDX-License-Identifier: Apache-2.0
"""R11: SUBSCRIBE and NOTIFY cross with hidden dialogs and addresses rewritten in their bodies: presence, a
NOTIFY before the 200, a fork's second notifier, refresh, dialog-info, 481, and message-summary unasked."""
from lib.edge import expect
from lib.pbx import Dialog, Ends, uri_of

PIDF = ('<?xml version="1.0"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:desk@10.0.0.20">'
        '<tuple id="a"><contact>sip:desk@10.0.0.30:5060</contact></tuple></presence>\n')
INFO = ('<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:desk@10.0.0.20">'
        '<dialog id="1" call-id="77@10.0.0.30" local-tag="lt" remote-tag="rt" direction="recipient">'
        '<state>early</state><local><target uri="sip:desk@10.0.0.30"/></local></dialog></dialog-info>')


def run(lab):
    e = Ends(lab)
    for event, accept in (("presence", "application/pidf+xml"), ("dialog", "application/dialog-info+xml")):
        subscribe(e, event, accept)
    unasked(e)
    pbx_subscribes(e)
    e.finish(words=["77@"])


def subscribe(e, event, accept):
    sent = e.home.send("SUBSCRIBE", "sip:desk@example.com",
                       headers="Event: %s\r\nExpires: 600\r\nAccept: %s\r\nSupported: eventlist\r\n" % (event, accept))
    m = e.pbx.request("SUBSCRIBE")
    expect(m.get("Event") == event and m.get("Expires") == "600" and m.get("Supported") == "eventlist" and
           m.get("Accept") == accept, "what is between the ends crosses")
    expect("192.168" not in m.text and sent["call_id"] not in m.text and "@10.0.0.1" in m.get("Contact"),
           "nothing of the subscriber's side")
    # the NOTIFY is faster than the 200
    to = m.get("To") + ";tag=n1"
    notifier = Dialog.called(e.pbx, m, to)
    body, type = (PIDF, "application/pidf+xml") if event == "presence" else (INFO, "application/dialog-info+xml")
    first = notifier.send("NOTIFY", headers="Event: %s\r\nSubscription-State: active;expires=600\r\n" % event,
                          body=body, type=type)
    n = e.home.request("NOTIFY")
    expect(n.get("Call-ID") == sent["call_id"] and n.get("Subscription-State") == "active;expires=600", "it is ours")
    expect("10.0.0." not in n.text and b"203.0.113.10" in n.body, "addresses are ours: %s" % n.text)
    if event == "dialog":
        expect(b'call-id="q' in n.body and b'local-tag="lt"' in n.body, "the inside dialog is concealed: %s" % n.body)
    e.home.reply(n, 200)
    expect(e.pbx.answer(first).code == 200, "NOTIFY answered before the 200")
    e.pbx.reply(m, 200, headers="Expires: 300\r\n", tag="n1")
    answer = e.home.answer(sent)
    expect(answer.get("Expires") == "300" and "@203.0.113.10" in answer.get("Contact"), "granted, by us")
    expect(answer.get("To").split("tag=")[1] == n.get("From").split("tag=")[1], "one dialog, NOTIFY and 200")
    subscriber = Dialog.calling(e.home, sent, answer)
    # another fork's notifier gets a dialog of its own
    second = Dialog.called(e.pbx, m, m.get("To") + ";tag=n2")
    other = second.send("NOTIFY", headers="Event: %s\r\nSubscription-State: active\r\n" % event)
    n2 = e.home.request("NOTIFY")
    expect(n2.get("From") != n.get("From") and n2.get("Call-ID") == n.get("Call-ID"), "a fork is another dialog")
    e.home.reply(n2, 481)
    expect(e.pbx.answer(other).code == 481, "the subscriber does not want the fork")
    # refresh, then the end
    sent = subscriber.send("SUBSCRIBE", headers="Event: %s\r\nExpires: 0\r\n" % event)
    m = e.pbx.request("SUBSCRIBE")
    expect(m.get("To").endswith(";tag=n1") and m.get("Call-ID") == notifier.call_id, "in the notifier's dialog")
    e.pbx.reply(m, 200, headers="Expires: 0\r\n")
    expect(e.home.answer(sent).code == 200, "unsubscribed")
    last = notifier.send("NOTIFY", headers="Event: %s\r\nSubscription-State: terminated;reason=timeout\r\n" % event)
    e.home.reply(e.home.request("NOTIFY"), 200)
    expect(e.pbx.answer(last).code == 200, "the last NOTIFY")
    expect(e.postern.stats()["held"]["subscriptions"] == 0, "nothing is kept")
    expect(notifier.ask("NOTIFY", headers="Event: %s\r\nSubscription-State: active\r\n" % event).code == 481,
           "a late NOTIFY: 481")
    expect(subscriber.ask("SUBSCRIBE", headers="Event: %s\r\nExpires: 9\r\n" % event).code == 481,
           "a late refresh: 481")


def unasked(e):
    sent = e.pbx.send("NOTIFY", e.home_uri(), headers="Event: message-summary\r\nSubscription-State: active\r\n",
                      body="Messages-Waiting: yes\r\nMessage-Account: sip:home@10.0.0.20\r\n",
                      type="application/simple-message-summary")
    n = e.home.request("NOTIFY")
    expect(b"sip:home@203.0.113.10" in n.body and b"10.0.0" not in n.body, "the account by our name: %s" % n.body)
    e.home.reply(n, 200)
    expect(e.pbx.answer(sent).code == 200, "message-summary unasked")


def pbx_subscribes(e):
    sent = e.pbx.send("SUBSCRIBE", e.home_uri(), headers="Event: presence\r\nExpires: 60\r\n")
    m = e.home.request("SUBSCRIBE")
    expect("10.0.0." not in m.text and uri_of(m.get("Contact")).split("@")[1].startswith("203.0.113.10"), "hidden")
    to = e.home.reply(m, 200, headers="Expires: 60\r\n")
    answer = e.pbx.answer(sent)
    expect(answer.code == 200, "200 for the PBX")
    n = Dialog.called(e.home, m, to).send("NOTIFY", headers="Event: presence\r\nSubscription-State: terminated\r\n",
                                         body=PIDF.replace("10.0.0.", "192.168.0."), type="application/pidf+xml")
    got = e.pbx.request("NOTIFY")
    expect(b"192.168" not in got.body, "the phone's addresses stay outside: %s" % got.body)
    e.pbx.reply(got, 200)
    expect(e.home.answer(n).code == 200, "200 for the phone")
