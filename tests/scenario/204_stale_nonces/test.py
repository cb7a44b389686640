# SPDX-License-Identifier: Apache-2.0
"""A peer that wants our credentials in a dialog and finds their nonce stale (RFC 7616 3.3) gets the request once
more with new ones: INFO, UPDATE with SDP, re-INVITE, BYE. Twice is enough; its challenge never goes to the phone."""
from lib.edge import expect
from lib.pbx import Dialog, Ends, sdp_of

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20, credentials: {user: edge, password: !file secret}}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {name: users, from: phones, to: pbx}
  - {name: to-users, from: pbx, registered: true, to: phones}
"""
WORKERS = [2]


def challenge(end, request, nonce, code=407):
    name = "Proxy-Authenticate" if code == 407 else "WWW-Authenticate"
    end.reply(request, code, headers='%s: Digest realm="corp", nonce="%s", algorithm=MD5, qop="auth", stale=true\r\n' % (
        name, nonce))


def again(end, method, nonce):
    request = end.request(method)
    expect('nonce="%s"' % nonce in (request.get("Proxy-Authorization") or request.get("Authorization") or ""),
           "%s once more, by the new nonce: %s" % (method, request.text))
    return request


def run(lab):
    lab.write("secret", "secret\n")
    e = Ends(lab, CONFIG)
    sent = e.home.send("INVITE", "sip:desk@example.com", body=sdp_of("192.168.0.18"), type="application/sdp")
    challenge(e.pbx, e.pbx.request("INVITE"), "n1")
    e.pbx.request("ACK")
    invite = again(e.pbx, "INVITE", "n1")
    far = Dialog.called(e.pbx, invite, e.pbx.reply(invite, 200, body=sdp_of("10.0.0.20"), headers="Allow: UPDATE, INVITE\r\n"))
    near = Dialog.calling(e.home, sent, e.home.answer(sent))
    near.ack()
    e.pbx.request("ACK")
    for nonce, code in (("n2", 407), ("n3", 401)):
        sent = near.send("INFO", body="x")
        challenge(e.pbx, e.pbx.request("INFO"), nonce, code)
        request = again(e.pbx, "INFO", nonce)
        expect(request.body == b"x", "with its body")
        e.pbx.reply(request, 200, contact=False)
        expect(e.home.answer(sent).code == 200, "INFO answered")
    sent = near.send("UPDATE", body=sdp_of("192.168.0.18", 40002), type="application/sdp")
    first = e.pbx.request("UPDATE")
    challenge(e.pbx, first, "n4")
    request = again(e.pbx, "UPDATE", "n4")
    expect(request.body and request.body == first.body, "the same offer")
    e.pbx.reply(request, 200, body=sdp_of("10.0.0.20"))
    expect(e.home.answer(sent).code == 200, "UPDATE answered")
    sent = near.send("INVITE", body=sdp_of("192.168.0.18", 40004), type="application/sdp")
    challenge(e.pbx, e.pbx.request("INVITE"), "n5")
    e.pbx.request("ACK")
    e.pbx.reply(again(e.pbx, "INVITE", "n5"), 200, body=sdp_of("10.0.0.20"))
    expect(e.home.answer(sent).code == 200, "re-INVITE answered")
    near.ack()
    e.pbx.request("ACK")
    sent = near.send("INFO", body="x")
    challenge(e.pbx, e.pbx.request("INFO"), "n6")
    challenge(e.pbx, again(e.pbx, "INFO", "n6"), "n7")
    answer = e.home.answer(sent)
    expect(answer.code == 403 and "n7" not in answer.text, "enough, and nothing of it to the phone: %s" % answer.text)
    expect(near.ask("BYE").code == 200, "BYE")
    challenge(e.pbx, e.pbx.request("BYE"), "n8")
    e.pbx.reply(again(e.pbx, "BYE", "n8"), 200)
    e.finish()
