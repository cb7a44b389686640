# SPDX-License-Identifier: Apache-2.0
"""R4: domains of our own. Their users call each other, on whatever workers they are; one who calls from elsewhere
than he registered is challenged (407) and let through with his password only; domains that are not ours get no
word; another user's credentials are no good."""
from lib import digest, own
from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1, 4]


def busy(phone, invite):
    vias = "".join("Via: %s\r\n" % v for v in invite.all("Via"))
    phone.send("SIP/2.0 486 Busy Here\r\n%sFrom: %s\r\nTo: %s;tag=b\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n"
               % (vias, invite.get("From"), invite.get("To"), invite.get("Call-ID"), invite.get("CSeq")))


def is_invite(message):
    return message.is_request and message.method == "INVITE"


def run(lab):
    for user in ("alice", "bob", "carol"):
        own.subscriber(lab, "add", user + "@falco.bz", password="secret")
    wan = own.QUICK.replace("security: {", "security: {unknown-caller: challenge, ")
    edge = Edge(lab, own.config(lab, wan=wan), phones=False, pbx=False, stranger=True)
    bob = Phone(lab, "home", "bob", "192.168.0.18", WAN)
    expect(Registration(bob).register().code == 200, "bob registers")
    alice = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=5070)
    alice.domain = "falco.bz"
    expect(Registration(alice).register().code == 200, "alice registers")
    call = alice.invite("sip:bob@falco.bz")
    busy(bob, bob.receive(is_invite, 5))
    call.wait_final(486)
    call.ack()
    alice.close()

    for host, address in (("home", "192.168.0.18"), ("stranger", "198.51.100.66")):
        away = Phone(lab, host, "alice", address, WAN, port=5090)
        away.domain = "falco.bz"
        call = away.invite("sip:bob@falco.bz")
        challenge = call.wait_final(407)
        call.ack()
        for user, password, want in (("carol", "secret", 403), ("alice", "wrong", 407), ("alice", "secret", 486)):
            line = digest.answer(challenge, user, password, "INVITE", "sip:bob@falco.bz")
            call = away.invite("sip:bob@falco.bz", extra=line)
            if want == 486:
                invite = bob.receive(is_invite, 5)
                expect("uthorization" not in invite.text, "credentials stay here")
                busy(bob, invite)
            answer = call.wait_final(want)
            call.ack()
            challenge = answer if want == 407 else challenge
        expect(away.invite("sip:carol@falco.bz", extra=digest.answer(
            challenge, "alice", "secret", "INVITE", "sip:carol@falco.bz")).wait_final().code in (407, 480), "no nonce twice")
        away.domain = "elsewhere.example"
        call = away.invite("sip:bob@falco.bz")
        try:
            call.wait_final(seconds=1)
            raise AssertionError("a stranger is answered")
        except LabError:
            pass
        away.close()
    bob.close()
    edge.postern.stop()
