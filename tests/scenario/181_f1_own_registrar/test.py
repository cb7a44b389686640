# SPDX-License-Identifier: Apache-2.0
"""F1 with our own registrar, over UDP and TCP: challenge, 200, refresh; a nonce is not replayable, a wrong
password and a user who does not exist get the same; bad registrations change nothing."""
from lib import own
from lib.edge import Edge, WAN, expect
from lib.own import Registration
from lib.phone import Phone

WORKERS = [1, 4]


def check_challenge(answer, domain="falco.bz"):
    values = answer.all("WWW-Authenticate")
    expect(answer.code == 401 and len(values) == 2, "401 with a challenge for each algorithm")
    expect("SHA-256" in values[0] and "MD5" in values[1], "the stronger first (RFC 8760)")
    expect(all('realm="%s"' % domain in v and 'qop="auth"' in v for v in values), "our realm, qop")


def phone_registers(lab, transport, algorithm, port):
    phone = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=port, transport=transport)
    r = Registration(phone)
    r.challenge = first = r.send()
    check_challenge(first)
    credentials = r.credentials("secret", algorithm)
    answer = r.send(credentials)
    expect(answer.code == 200 and "expires=" in answer.get("Contact"), "200 with the contact and its expiry")
    replayed = r.send(credentials)
    expect(replayed.code == 401 and "stale=true" in replayed.get("WWW-Authenticate"), "a replay is stale")
    r.challenge, r.count = replayed, 0
    expect(r.send(r.credentials("wrong", algorithm)).code == 401, "a wrong password is no 200")
    r.challenge, r.count = r.send(), 0
    expect(r.register(algorithm=algorithm).code == 200, "refreshed")
    expect(r.send(r.credentials("secret", algorithm)).code == 200, "again on the same nonce, counted on")
    expect(r.send(r.credentials("secret", algorithm), cseq=2).code == 500, "an old CSeq is out of order")
    r.cseq = 100
    expect(r.send(r.credentials("secret", algorithm), expires=5).code == 423, "too short: 423")
    answer = r.send(r.credentials("secret", algorithm), expires=5)
    expect(answer.get("Min-Expires") == "60", "with what is long enough")
    answer = r.send(r.credentials("secret", algorithm), expires=100000)
    expect("expires=3600" in answer.get("Contact"), "too long is cut")
    expect(r.send(r.credentials("secret", algorithm), user="bob").code in (401, 403), "nobody else's address")
    r.challenge, r.count = r.send(), 0
    two = '<sip:alice@192.168.0.18:5999>;q=0.5, %s;q=0.7' % r.contact
    answer = r.send(r.credentials("secret", algorithm), contact=two)
    expect(len(r.contacts(answer)) == 2 and ";q=0.500" in answer.text, "several contacts with their q")
    expect(r.send(r.credentials("secret", algorithm), contact="*", expires=60).code == 400, "* wants Expires: 0")
    answer = r.send(r.credentials("secret", algorithm), contact="", expires=None)
    expect(len(r.contacts(answer)) == 2, "a query lists, and nothing was changed")
    answer = r.send(r.credentials("secret", algorithm), contact="<sip:alice@192.168.0.18:5999>", expires=0)
    expect(len(r.contacts(answer)) == 1, "one leaves")
    answer = r.send(r.credentials("secret", algorithm), contact="*", expires=0)
    expect(answer.code == 200 and not r.contacts(answer), "all leave")
    phone.close()


def run(lab):
    for user in ("alice", "bob"):
        own.subscriber(lab, "add", user + "@falco.bz", password="secret")
    edge = Edge(lab, own.config(lab), phones=False, pbx=False)
    phone_registers(lab, "udp", "SHA-256", 5060)
    phone_registers(lab, "udp", "MD5", 5061)
    phone_registers(lab, "tcp", "SHA-256", 5062)
    # one who does not exist: the same words
    texts = []
    for user in ("alice", "nobody"):
        phone = Phone(lab, "home", user, "192.168.0.18", WAN, port=5070)
        r = Registration(phone)
        r.challenge = r.send()
        check_challenge(r.challenge)
        answer = r.send(r.credentials("wrong"))
        expect(answer.code == 401, "401")
        texts.append([h.split(":")[0] for h in answer.text.split("\r\n")])
        phone.close()
    expect(texts[0] == texts[1], "nothing tells a wrong password from a missing user")
    edge.postern.check_idle(5, linger=False)
    edge.finish()
