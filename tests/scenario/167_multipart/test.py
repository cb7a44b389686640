# SPDX-License-Identifier: Apache-2.0
"""An INVITE and its answer with several parts (RFC 5621): the SDP among them goes through the relay, the
others arrive byte by byte; parts with addresses by their type."""
from lib.edge import expect
from lib.pbx import Dialog, Ends, hang_up, sdp_of

ISUP = "\x01\x10\x48\x00\x0a\x03\x02\x0a\x08\x83\x90"


def parts(sdp):
    return ("--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b\r\nContent-Type: application/isup;version=itu-t92+;"
            "base=itu-t92\r\nContent-Disposition: signal;handling=optional\r\n\r\n%s\r\n--b--\r\n" % (sdp, ISUP))


def run(lab):
    e = Ends(lab)
    kind = "multipart/mixed;boundary=b"
    sent = e.home.send("INVITE", "sip:desk@example.com", body=parts(sdp_of("192.168.0.18")), type=kind,
                       headers="MIME-Version: 1.0\r\n")
    invite = e.pbx.request("INVITE")
    check(invite, "10.0.0.1", "192.168")
    expect(invite.get("MIME-Version") == "1.0", "what describes the body goes with it")
    to = e.pbx.reply(invite, 200, body=parts(sdp_of("10.0.0.20")), type=kind)
    answer = e.home.answer(sent)
    check(answer, "203.0.113.10", "10.0.0.")
    near = Dialog.calling(e.home, sent, answer)
    near.ack(sent["cseq"])
    e.pbx.request("ACK")
    far = Dialog.called(e.pbx, invite, to)
    sent = near.send("INFO", body="--x\r\nContent-Type: message/sipfrag\r\n\r\nVia: 192.168.0.18\r\nSubject: s\r\n\r\n--x--\r\n",
                     type="multipart/related;boundary=x")
    info = e.pbx.request("INFO")
    expect(b"192.168" not in info.body and b"Subject: s" in info.body, "parts by their type: %s" % info.body)
    e.pbx.reply(info, 200)
    e.home.answer(sent)
    hang_up(near, far)
    e.finish()


def check(message, ours, theirs):
    expect(message.get("Content-Type").startswith("multipart/mixed"), "still in parts: %s" % message.get("Content-Type"))
    expect(ISUP.encode() in message.body and b"itu-t92" in message.body, "ISUP byte by byte")
    expect(b"c=IN IP4 " + ours.encode() in message.body and theirs.encode() not in message.body,
           "the SDP is the relay's: %s" % message.body)
