# SPDX-License-Identifier: Apache-2.0
"""R4: a user of our own domains with several phones. All ring at once, each as an early dialog of its own for
the caller; the first 200 makes the call, with its own media, the others get CANCEL with the reason, a late 200
gets ACK and BYE; the best refusal comes back once all have refused; 6xx ends all; CANCEL reaches all; lower q
rings later; Max-Breadth is divided; one phone with two flows rings once."""
import re
import socket
import struct
import time

from lib import own
from lib.device import Device
from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.own import Registration
from lib.phone import Phone
from lib.side import early

WORKERS = [2]


def ring(alice, devices, extra=""):
    call = alice.invite("sip:bob@falco.bz", extra=extra)
    for device in devices:
        device.expect_invite()
    return call


def hang_up(call, device):
    cseq = call.begin("BYE")
    device.reply(device.expect_request("BYE"), 200)
    expect(call.final("BYE", cseq).code == 200, "BYE is answered")


def ack(call):
    call.write("ACK", 1, branch=call.branch if call.answer.code >= 300 else None)


def heard(call, device, caller_rtp):
    """RTP both ways, by the ports in the answer and in the device's INVITE."""
    def relay(message):
        text = message.body.decode()
        return re.search(r"c=IN IP4 (\S+)", text)[1], int(re.search(r"m=audio (\d+)", text)[1])
    for seq in range(20):  # both are behind a NAT: each is known by what it sends
        for sender, to in ((caller_rtp, relay(call.answer)), (device.rtp, relay(device.invite))):
            sender.sendto(struct.pack("!BBHII", 0x80, 8, seq, seq * 160, to[1]) + b"\xd5" * 160, to)
        time.sleep(0.01)
    for receiver in (caller_rtp, device.rtp):
        data, source = receiver.recvfrom(2048)
        expect(len(data) == 172 and source[0] == WAN, "media comes by the relay: %s" % (source,))


def first_answer_wins(alice, devices, caller_rtp):
    call = ring(alice, devices, "Max-Breadth: 30\r\nSupported: 100rel\r\n")
    one, two, three = devices
    expect(len({d.invite.get("Call-ID") for d in devices}) == 3, "dialogs that share nothing")
    expect([d.invite.get("Max-Breadth") for d in devices] == ["10"] * 3, "RFC 5393: the breadth is divided")
    replies = []
    for device in devices:
        device.reply(device.invite, 183 if device is one else 180, body=device is one)
        replies.append(call.phone.receive(lambda m: m.code in (180, 183)))
    expect(len({r.get("To") for r in replies}) == 3, "an early dialog each")
    info = early(call, replies[1]).begin("INFO")
    two.reply(two.expect_request("INFO"), 200)
    expect(call.final("INFO", info).code == 200, "what is said in one reaches its phone")
    call.cseq += 1
    two.reply(two.invite, 200, body=True)
    two.expect_request("ACK")
    answer = call.wait_final(200)
    expect(answer.get("To") == replies[1].get("To"), "the dialog of who answered")
    ack(call)
    for device in (one, three):
        cancel = device.expect_request("CANCEL")
        expect("cause=200" in cancel.get("Reason"), "RFC 3326: %s" % cancel.get("Reason"))
        device.reply(cancel, 200)
    one.reply(one.invite, 487)
    one.expect_request("ACK")
    three.reply(three.invite, 200, body=True)  # they crossed
    three.expect_request("ACK")
    three.reply(three.expect_request("BYE"), 200)
    heard(call, two, caller_rtp)
    hang_up(call, two)


def refusals(alice, devices):
    for codes, wanted in (((404, 486, 480), 486), ((503, 480, 500), 480), ((486, 603, None), 603)):
        call = ring(alice, devices)
        for device, code in zip(devices, codes):
            if code:
                device.reply(device.invite, code)
                device.expect_request("ACK")
            else:
                device.reply(device.invite, 100)
        for device, code in zip(devices, codes):
            if code is None:
                device.expect_cancel()
        call.wait_final(wanted)
        ack(call)
    # one refuses, another one answers
    call = ring(alice, devices)
    for device in devices:
        device.reply(device.invite, 180)
        call.phone.receive(lambda m: m.code == 180)
    devices[0].reply(devices[0].invite, 486)
    devices[0].expect_request("ACK")
    expect(not [m for m in alice.inbox if m.code >= 200], "the others ring on")
    devices[2].reply(devices[2].invite, 200, body=True)
    devices[2].expect_request("ACK")
    call.wait_final(200)
    ack(call)
    devices[1].expect_cancel()
    hang_up(call, devices[2])


def caller_cancels(alice, devices):
    call = ring(alice, devices)
    for device in devices:
        device.reply(device.invite, 180)
        call.wait_ringing()
    call.cancel()
    for device in devices:
        device.expect_cancel()
    call.wait_final(487)
    ack(call)


def reliable_in_turn(alice, devices):
    """Two reliable replies at a time would repeat each other's: the second waits for the first one's PRACK."""
    call = ring(alice, devices, "Require: 100rel\r\n")
    for device in devices:
        device.reply(device.invite, 180)
    seen = set()
    for _ in devices:
        reply = call.phone.receive(lambda m: m.code == 180)
        while reply.get("To") in seen:
            reply = call.phone.receive(lambda m: m.code == 180)
        seen.add(reply.get("To"))
        expect(not [m for m in alice.inbox if m.code == 180 and m.get("To") not in seen], "one at a time")
        call.cseq += 1
        talk = early(call, reply)
        cseq = talk.begin("PRACK", extra="RAck: %s 1 INVITE\r\n" % reply.get("RSeq"))
        expect(talk.final("PRACK", cseq).code == 200, "its PRACK")
        call.cseq = cseq
    call.cancel()
    for device in devices:
        device.expect_cancel()
    call.wait_final(487)
    ack(call)


def run(lab):
    for user in ("alice", "bob"):
        own.subscriber(lab, "add", user + "@falco.bz", password="secret")
    edge = Edge(lab, own.config(lab), phones=False, pbx=False)
    alice = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=5070)
    alice.domain = "falco.bz"
    expect(Registration(alice).register().code == 200, "alice registers")
    caller_rtp = lab.socket("home", socket.AF_INET, socket.SOCK_DGRAM)
    caller_rtp.bind(("192.168.0.18", 40000))
    caller_rtp.settimeout(3)
    devices = [Device(lab, 5080), Device(lab, 5081), Device(lab, 5082, transport="tcp")]
    for device in devices:
        device.media()
    first_answer_wins(alice, devices, caller_rtp)
    refusals(alice, devices)
    caller_cancels(alice, devices)
    reliable_in_turn(alice, devices)

    late = Device(lab, 5083, q="0.3")
    call = ring(alice, devices)
    for device in devices:
        device.reply(device.invite, 480)
        device.expect_request("ACK")
    late.expect_invite()
    late.reply(late.invite, 486)
    late.expect_request("ACK")
    call.wait_final(486)
    ack(call)
    # less breadth than phones: the rest is called when these have refused
    call = alice.invite("sip:bob@falco.bz", extra="Max-Breadth: 2\r\n")
    for wave in (devices[2:0:-1], devices[:1]):
        for device in wave:
            expect(device.expect_invite().get("Max-Breadth") == str(3 - len(wave)), "its part of the breadth")
        expect(all(device.silent() for device in devices), "the others wait")
        for device in wave:
            device.reply(device.invite, 480)
            device.expect_request("ACK")
    late.expect_invite()
    late.reply(late.invite, 480)
    late.expect_request("ACK")
    call.wait_final(480)
    ack(call)
    for device in devices + [late]:
        answer = device.registration.send(device.registration.credentials("secret"), expires=0)
        expect(answer.code == 200, "leaves: %s" % answer.first_line)
    flow = ';reg-id=%d;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    flows = [Device(lab, 5084, transport="tcp", parameters=flow % 1), Device(lab, 5085, transport="tcp", parameters=flow % 2)]
    call = alice.invite("sip:bob@falco.bz")
    flows[1].expect_invite()
    flows[1].reply(flows[1].invite, 486)
    call.wait_final(486)
    ack(call)
    try:
        flows[0].expect_invite(0.2)
        raise AssertionError("one phone rings once")
    except LabError:
        pass
    calls = edge.postern.stats()["calls"]
    expect((calls["attempts"], calls["answered"], calls["failed"]) == (10, 2, 8),
           "branches that lost count nowhere: %s" % calls)
    for phone in [alice] + devices + flows + [late]:
        phone.close()
    caller_rtp.close()
    edge.wait_no_call()
    edge.postern.stop()
