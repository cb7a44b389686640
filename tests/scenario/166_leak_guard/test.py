# SPDX-License-Identifier: Apache-2.0
"""The leak guard: a header that passes by policy and holds an inside address is counted and sampled, or kept
back: a request fails with 5xx, an answer becomes a bare 500, a call's answer ends its call. A phone with an
address of the LAN's own is no leak."""
from lib.capture import Capture
from lib.edge import LAN, WAN, expect, leaks
from lib.pbx import Dialog, End, Ends, sdp_of

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, security: {leak-guard: %s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
WORKERS = [2]


def run(lab):
    e = Ends(lab, CONFIG % "block")
    blocked = e.postern.stats()["leaks"]["blocked"]
    sent = e.pbx.send("MESSAGE", e.home_uri(), body="x", headers="Subject: ask 10.0.0.30\r\n")
    expect(e.pbx.answer(sent).code >= 500, "a request that would leak fails")
    e.home.quiet("MESSAGE", 0.2)
    sent = e.home.send("MESSAGE", "sip:desk@example.com", body="x")
    e.pbx.reply(e.pbx.request("MESSAGE"), 200, headers="Subject: at 10.0.0.30\r\n", contact=False)
    answer = e.home.answer(sent)
    expect(answer.code == 500 and not answer.get("Subject"), "an answer that would leak becomes a bare 500")
    sent = e.home.send("INVITE", "sip:desk@example.com", body=sdp_of("192.168.0.18"), type="application/sdp")
    invite = e.pbx.request("INVITE")
    to = e.pbx.reply(invite, 200, body=sdp_of("10.0.0.20"), headers="Subject: at 10.0.0.30\r\n")
    answer = e.home.answer(sent)
    expect(answer.code == 500, "a call whose answer would leak ends")
    e.home.send("ACK", sent["uri"], frm=sent["from"], to=answer.get("To"), call_id=sent["call_id"], branch=sent["branch"])
    e.pbx.request("ACK")
    e.pbx.reply(e.pbx.request("BYE"), 200)
    now = e.postern.stats()["leaks"]
    expect(now["blocked"] - blocked >= 3 and now["checked"] > 5, "counted: %s" % now)
    samples = e.postern.ask("show leaks")
    expect(samples and samples[0]["what"] == "10.0.0.30" and samples[0]["where"] == "Subject" and
           samples[0]["blocked"] and samples[0]["interface"] == "wan", "sampled: %s" % samples[:1])
    # its own words back to a phone whose address is the LAN's too
    home = e.add(End(lab, "home", "twin", "192.168.0.18", WAN, 5090))
    sent = home.send("REGISTER", "sip:example.com", to="<sip:twin@10.0.0.30>", call_id="a@10.0.0.30",
                     headers="Expires: 60\r\n")
    expect(home.answer(sent).code == 200, "what a phone said itself is no leak")
    home.ask("REGISTER", "sip:example.com", to="<sip:twin@10.0.0.30>", call_id="a@10.0.0.30", cseq=2,
             headers="Expires: 0\r\n")
    e.home.ask("REGISTER", "sip:example.com", to="<sip:home@example.com>", headers="Expires: 0\r\n")
    e.wait_idle()
    e.postern.stop()
    for end in e.ends:
        end.close()
    e.wan.stop(), e.lan.stop()
    kept = [m for m in e.wan.messages() if m.source == WAN and "10.0.0.30" in m.get("Subject") + m.body.decode()]
    expect(not kept, "nothing of it was sent")
