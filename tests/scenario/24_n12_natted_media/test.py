# SPDX-License-Identifier: Apache-2.0
"""N12: the SDP holds private addresses; the relay anchors media and learns the NATed source, while a
stranger sprays RTP over the port range from before the answer: it gets nothing and is not heard."""
import socket
import struct
import threading
import time

from lib.capture import Capture
from lib.edge import Edge, HOME_TONE, DESK_TONE, WAN, expect

WORKERS = [2]
STRANGER_TONE_SSRC = 0x53545247


def spray(lab, ports, stop, sent):
    s = lab.socket("stranger", socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("198.51.100.66", 20000))
    sequence = 0
    while not stop.is_set():
        sequence += 1
        packet = struct.pack("!BBHII", 0x80, 8, sequence & 0xffff, sequence * 160 & 0xffffffff,
                             STRANGER_TONE_SSRC) + b"\x55" * 160
        for port in ports:
            s.sendto(packet, (WAN, port))
            sent[0] += 1
        time.sleep(0.02)
    s.close()


def run(lab):
    config = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-20019}}
  wan: {address: 203.0.113.10, media: {ports: 30000-30019}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
    edge = Edge(lab, config, stranger=True)
    bled = Capture(lab, "stranger", "eth0", "udp and src host %s" % WAN)
    heard = Capture(lab, "desk", "eth0", "udp and src host 10.0.0.1 and portrange 1024-65535")
    stop, sent = threading.Event(), [0]
    thread = threading.Thread(target=spray, args=(lab, range(30000, 30020), stop, sent))
    thread.start()
    try:
        edge.establish(edge.desk, edge.home)
        edge.both_hear(2.0)
        call = edge.postern.ask("show call " + edge.live_calls()[0]["id"])
        edge.desk.hangup()
        edge.home.wait_event("CALL_CLOSED", 10)
    finally:
        stop.set()
        thread.join()
    edge.wait_no_call()
    expect(sent[0] > 500, "the stranger did spray (%d)" % sent[0])
    expect(not bled.stop().packets(), "no packet of the call to the stranger: %s" % bled.packets()[:3])
    ssrcs = {struct.unpack_from("!I", p.payload, 8)[0] for p in heard.stop().packets() if len(p.payload) >= 12 and
             p.payload[0] >> 6 == 2 and p.payload[1] & 0x7f == 8}
    expect(STRANGER_TONE_SSRC not in ssrcs, "no packet of the stranger in the call")
    expect(len(ssrcs) >= 1, "the desk did get RTP")
    edge.finish()
