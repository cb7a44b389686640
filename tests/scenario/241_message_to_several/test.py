# SPDX-License-Identifier: Apache-2.0
"""A user of our own domains with several phones: a MESSAGE goes to each of them once, one 2xx is the answer, else
the best of what they say. A SUBSCRIBE goes to the best one, and to the next where that one is not there."""
import random

from lib import own
from lib.device import Device
from lib.edge import Edge, WAN, expect
from lib.own import Registration
from lib.phone import Phone

WORKERS = [2]


def ask(alice, method, extra="", body=""):
    """Its Call-ID."""
    call_id = "%08x" % random.getrandbits(32)
    alice.send("%s sip:bob@falco.bz SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:alice@falco.bz>;tag=1\r\n"
               "To: <sip:bob@falco.bz>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nContact: %s\r\n%sContent-Length: %d\r\n\r\n%s" % (
                   method, alice.via(), call_id, method, alice.contact(), extra, len(body), body))
    return call_id


def answer(alice, call_id):
    return alice.receive(lambda m: not m.is_request and m.get("Call-ID") == call_id and m.code >= 200, 8)


def message(alice, devices, codes):
    call_id = ask(alice, "MESSAGE", "Content-Type: text/plain\r\n", "hello")
    got = [device.expect_request("MESSAGE") for device in devices]
    expect(all(m.body == b"hello" for m in got), "each has the text")
    for device, request, code in zip(devices, got, codes):
        device.reply(request, code)
    expect(all(device.silent("MESSAGE") for device in devices), "once each")
    return answer(alice, call_id).code


def run(lab):
    for user in ("alice", "bob"):
        own.subscriber(lab, "add", user + "@falco.bz", password="secret")
    edge = Edge(lab, own.config(lab), phones=False, pbx=False)
    alice = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=5070)
    alice.domain = "falco.bz"
    expect(Registration(alice).register().code == 200, "alice registers")
    flow = ';reg-id=%d;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    first = Device(lab, 5080, q="0.9")
    second = Device(lab, 5081, q="0.5", parameters=flow % 1, transport="tcp")
    again = Device(lab, 5083, q="0.4", parameters=flow % 2, transport="tcp")  # another flow of the second
    third = Device(lab, 5082, q="0.2")
    devices = [first, second, third]
    for codes, wanted in (((200, 480, 486), 200), ((480, 202, 404), 202), ((480, 480, 480), 480),
                          ((480, 486, 503), 486), ((486, 603, 480), 603)):
        code = message(alice, devices, codes)
        expect(code == wanted, "%d of %s, not %d" % (wanted, codes, code))
    expect(again.silent("MESSAGE"), "one phone with two flows gets it once")

    call_id = ask(alice, "SUBSCRIBE", "Event: presence\r\nExpires: 60\r\n")
    first.reply(first.expect_request("SUBSCRIBE"), 480)
    second.reply(second.expect_request("SUBSCRIBE"), 200, lines="Expires: 60\r\n")
    expect(answer(alice, call_id).code == 200, "the second one has it")
    expect(third.silent("SUBSCRIBE"), "and nobody else")
    call_id = ask(alice, "SUBSCRIBE", "Event: presence\r\nExpires: 60\r\n")
    first.reply(first.expect_request("SUBSCRIBE"), 489)
    expect(answer(alice, call_id).code == 489, "who is there has the say")
    call_id = ask(alice, "SUBSCRIBE", "Event: presence\r\nExpires: 60\r\n")
    for device in devices:
        device.reply(device.expect_request("SUBSCRIBE"), 480)
    expect(answer(alice, call_id).code == 480, "none is there")
    for phone in [alice, again] + devices:
        phone.close()
    edge.postern.stop()
