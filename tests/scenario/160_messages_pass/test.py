# SPDX-License-Identifier: Apache-2.0
"""MESSAGE both ways, PUBLISH with its tag, OPTIONS to somebody beyond, an unknown method: by route, and
nothing of one side shows on the other. A stranger's MESSAGE is dropped; INFO without a dialog is 481."""
from lib.edge import expect, requests
from lib.lab import LabError
from lib.pbx import End, Ends


def run(lab):
    e = Ends(lab, stranger=True)
    # from outside to the PBX
    sent = e.home.send("MESSAGE", "sip:desk@example.com", body="hello, 10.0.0.20 is fine here",
                       headers="User-Agent: phone\r\nSubject: s\r\n")
    m = e.pbx.request("MESSAGE")
    expect(m.body == b"hello, 10.0.0.20 is fine here", "the text crosses as it is")
    expect(m.get("Subject") == "s" and not m.get("User-Agent"), "headers by policy")
    expect(m.get("Call-ID") != sent["call_id"] and "192.168" not in m.text, "nothing of the NAT side")
    expect(m.get("Max-Forwards") == "69", "one hop less")
    e.pbx.reply(m, 202, headers="Server: pbx\r\n", contact=False)
    expect(e.home.answer(sent).code == 202, "202 comes back")
    # from the PBX to the phone
    sent = e.pbx.send("MESSAGE", e.home_uri(), body="answer", headers="P-Asserted-Identity: <sip:x@10.0.0.20>\r\n")
    m = e.home.request("MESSAGE")
    expect(m.body == b"answer" and not m.get("P-Asserted-Identity"), "no asserted identity to a phone")
    e.home.reply(m, 200, contact=False)
    expect(e.pbx.answer(sent).code == 200, "200 comes back")
    # PUBLISH, and its refresh by the tag of the first
    sent = e.home.send("PUBLISH", "sip:home@example.com", headers="Event: presence\r\nExpires: 60\r\n",
                       body="<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:home@192.168.0.18'/>",
                       type="application/pidf+xml")
    m = e.pbx.request("PUBLISH")
    expect("entity='pres:home@10.0.0.20'" in m.text, "the address is the PBX's now: %s" % m.body)
    e.pbx.reply(m, 200, headers="SIP-ETag: e1\r\nExpires: 60\r\n", contact=False)
    answer = e.home.answer(sent)
    expect(answer.get("SIP-ETag") == "e1", "the tag comes back")
    sent = e.home.send("PUBLISH", "sip:home@example.com", cseq=2, call_id=sent["call_id"], frm=sent["from"],
                       headers="Event: presence\r\nSIP-If-Match: e1\r\nExpires: 0\r\n")
    again = e.pbx.request("PUBLISH")
    expect(again.get("SIP-If-Match") == "e1" and again.get("Call-ID") == m.get("Call-ID"), "the same hidden Call-ID")
    e.pbx.reply(again, 412, contact=False)
    expect(e.home.answer(sent).code == 412, "412 comes back")
    # OPTIONS to a person, and to us
    sent = e.home.send("OPTIONS", "sip:desk@example.com")
    answer = e.home.answer(sent)
    expect(answer.code == 200, "somebody beyond answers")
    expect(e.home.ask("OPTIONS", "sip:203.0.113.10").get("Allow"), "we answer for ourselves")
    # what nobody knows, and what needs a dialog
    sent = e.home.send("JUGGLE", "sip:desk@example.com")
    e.pbx.reply(e.pbx.request("JUGGLE"), 501, contact=False)
    expect(e.home.answer(sent).code == 501, "the one asked says what he cannot do")
    expect(e.home.ask("INFO", "sip:desk@example.com").code == 481, "INFO wants a dialog")
    expect(e.home.ask("MESSAGE", "sip:desk@example.com", headers="Require: telepathy\r\n").get("Unsupported") ==
           "telepathy", "420 names what is required")
    expect(e.home.ask("NOTIFY", "sip:desk@example.com", headers="Event: x\r\n").code == 481, "no NOTIFY from outside")
    # REFER outside a call
    sent = e.home.send("REFER", "sip:desk@example.com", headers="Refer-To: <sip:boss@192.168.0.19?X=y>\r\n")
    refer = e.pbx.request("REFER")
    expect(refer.get("Refer-To") == "<sip:boss@10.0.0.20>", "by the PBX's names: %s" % refer.get("Refer-To"))
    e.pbx.reply(refer, 603, contact=False)
    expect(e.home.answer(sent).code == 603, "603 comes back")
    expect(e.home.ask("REFER", "sip:desk@example.com").code == 400, "REFER says to whom")
    # a stranger hears nothing
    stranger = e.add(End(lab, "stranger", "home", "198.51.100.66", "203.0.113.10", 5080))
    sent = stranger.send("MESSAGE", "sip:desk@example.com", body="spam")
    try:
        stranger.answer(sent, 1)
        raise AssertionError("a stranger was answered")
    except LabError:
        pass
    e.pbx.quiet("MESSAGE", 0.1)
    e.finish()
