# SPDX-License-Identifier: Apache-2.0
"""R4: whoever speaks in the name of a user of ours from elsewhere than he registered is challenged, whatever the
method: MESSAGE, SUBSCRIBE, PUBLISH and OPTIONS as INVITE; with the password it goes on. A phone behind a proxy of
its own registers with a Path (RFC 3327): what is sent to it has that Route, also to another worker's caller.
A bulk registration (RFC 6140), which only a registrar with number ranges can take, is refused by name."""
import random

from lib import digest, own
from lib.edge import Edge, WAN, expect
from lib.own import Registration
from lib.phone import Phone

WORKERS = [2]
BOB = "sip:bob@falco.bz"
MORE = {"SUBSCRIBE": "Event: presence\r\nExpires: 60\r\n", "PUBLISH": "Event: presence\r\nExpires: 60\r\n"}


def ask(phone, method, extra=""):
    call_id, cseq = "%08x" % random.getrandbits(32), random.randrange(1, 1000)
    phone.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:alice@falco.bz>;tag=%08x\r\nTo: <%s>\r\n"
               "Call-ID: %s\r\nCSeq: %d %s\r\nContact: %s\r\n%s%sContent-Length: 0\r\n\r\n" % (
                   method, BOB, phone.via(), random.getrandbits(32), BOB, call_id, cseq, method, phone.contact(),
                   MORE.get(method, ""), extra))
    return lambda: phone.receive(lambda m: not m.is_request and m.code >= 200 and m.get("Call-ID") == call_id)


def reply(phone, request, code, lines=""):
    phone.send("SIP/2.0 %d x\r\n%sFrom: %s\r\nTo: %s;tag=b\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s\r\n%sContent-Length: 0\r\n\r\n" % (
        code, "".join("Via: %s\r\n" % v for v in request.all("Via")), request.get("From"), request.get("To"),
        request.get("Call-ID"), request.get("CSeq"), phone.contact(), lines))


def run(lab):
    for user in ("alice", "bob", "pbx"):
        own.subscriber(lab, "add", user + "@falco.bz", password="secret")
    wan = own.QUICK.replace("security: {", "security: {unknown-caller: challenge, ")
    edge = Edge(lab, own.config(lab, wan=wan), phones=False, pbx=False)
    bob = Phone(lab, "home", "bob", "192.168.0.18", WAN)
    path = "<sip:proxy.bob.example;lr>"
    r = Registration(bob, extra="Supported: path\r\nPath: %s\r\n" % path)
    answer = r.register()
    expect(answer.code == 200 and answer.get("Path") == path, "the Path is kept and shown: %s" % answer.text)
    away = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=5090)
    for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH", "OPTIONS"):
        challenge = ask(away, method)()
        expect(challenge.code == 407 and "falco.bz" in challenge.get("Proxy-Authenticate"),
               "%s is challenged: %s" % (method, challenge.first_line))
        line = digest.answer(challenge, "alice", "wrong", method, BOB)
        challenge = ask(away, method, line)()
        expect(challenge.code == 407, "a wrong password is no right one")
        wait = ask(away, method, digest.answer(challenge, "alice", "secret", method, BOB))
        got = bob.receive(lambda m: m.is_request and m.method == method)
        expect(got.get("Route") == path, "%s by its Path: %s" % (method, got.text))
        expect("uthorization" not in got.text, "credentials stay here")
        reply(bob, got, 404)
        expect(wait().code == 404, "and the answer comes back")
    bob.domain = "falco.bz"
    away.domain = "falco.bz"
    expect(Registration(away).register().code == 200, "alice registers")
    call = away.invite(BOB)
    invite = bob.receive(lambda m: m.is_request and m.method == "INVITE")
    expect(invite.get("Route") == path, "a call too")
    reply(bob, invite, 486)
    call.wait_final(486)
    call.write("ACK", 1, branch=call.branch)

    pbx = Phone(lab, "home", "pbx", "192.168.0.18", WAN, port=5091)
    r = Registration(pbx, contact="<sip:192.168.0.18:5091;bnc>", extra="Require: gin\r\nProxy-Require: gin\r\n")
    answer = r.register()
    expect(answer.code == 420 and answer.get("Unsupported") == "gin", "RFC 6140: %s" % answer.text)
    for phone in (bob, away, pbx):
        phone.close()
    edge.postern.stop()
