# SPDX-License-Identifier: Apache-2.0
"""An INVITE without SDP: the offer comes in the 200, the answer in the ACK; media is anchored."""
import socket
import struct
import time

from lib.baresip import Baresip
from lib.edge import Edge, DESK_TONE, WAN, expect
from lib.phone import Phone, SDP


def run(lab):
    edge = Edge(lab, phones=False)
    desk = edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=DESK_TONE)
    desk.wait_registered(15)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN)
    phone.register("example.com", "secret")
    call = phone.invite("sip:desk@example.com", sdp=False)
    desk.wait_event("CALL_INCOMING", 10)
    desk.answer()
    answer = call.wait_final(200)
    body = answer.body.decode()
    expect("c=IN IP4 %s" % WAN in body and "m=audio " in body, "the 200 holds an offer of ours:\n" + body)
    port = int(body.split("m=audio ")[1].split()[0])
    media = lab.socket("home", socket.AF_INET, socket.SOCK_DGRAM)
    media.bind(("192.168.0.18", 40000))
    media.setblocking(False)
    call.ack(SDP % {"ip": "192.168.0.18", "port": 40000})
    desk.wait_event("CALL_ESTABLISHED", 10)
    got, sequence = 0, 0
    end = time.monotonic() + 10
    while got < 20 and time.monotonic() < end:
        sequence += 1
        media.sendto(struct.pack("!BBHII", 0x80, 8, sequence, sequence * 160, 77) + b"\xd5" * 160, (WAN, port))
        time.sleep(0.02)
        try:
            while len(media.recv(2048)) > 12:
                got += 1
        except BlockingIOError:
            pass
    expect(got >= 20, "the phone gets the desk's audio (%d packets)" % got)
    expect(call.request("BYE").code == 200, "BYE answered 200")
    desk.wait_event("CALL_CLOSED", 10)
    media.close()
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.wait_no_call()
    edge.finish()
