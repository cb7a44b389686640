# SPDX-License-Identifier: Apache-2.0
"""10,000 calls at once by NG: each has ports of its own on both sides, and when they are deleted nothing is left of them."""
import os
import socket
import time

from lib.edge import expect
from lib.ng import NG, encode
from lib.relay import RelayAlone

WORKERS = [1]
CALLS = 10000
WINDOW = 40  # requests under way
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-40999}}
  wan: {address: 203.0.113.10, media: {ports: 20000-40999}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
relay: {control: [udp/127.0.0.1:2223], limits: {sessions: 20000}}
"""
SDP = ("v=0\r\no=- 1 1 IN IP4 %(ip)s\r\ns=-\r\nc=IN IP4 %(ip)s\r\nt=0 0\r\nm=audio %(port)d RTP/AVP 8\r\n"
       "a=rtpmap:8 PCMA/8000\r\n")


def ask_all(s, requests):
    """Many at a time; each is sent again until it is answered. Returns the ports named in the answers."""
    waiting, ports, requests, sent = {}, [], enumerate(requests), time.monotonic()
    done = False
    while not done or waiting:
        while not done and len(waiting) < WINDOW:
            number, request = next(requests, (None, None))
            if request is None:
                done = True
                break
            cookie = b"%d_%d_%d" % (os.getpid(), int(sent * 1000), number)
            waiting[cookie] = cookie + b" " + encode(request)
            s.send(waiting[cookie])
        try:
            data = s.recv(65535)
        except socket.timeout:
            for message in waiting.values():
                s.send(message)
            continue
        cookie, _, body = data.partition(b" ")
        if waiting.pop(cookie, None):
            expect(b"6:result2:ok" in body, "ok: %r" % body[:200])
            at = body.find(b"m=audio ")
            if at >= 0:
                ports.append(int(body[at + 8:at + 16].split()[0]))
    return ports


def offers():
    for i in range(CALLS):
        yield {"command": "offer", "call-id": "call-%d" % i, "from-tag": "a", "direction": ["lan", "wan"],
               "sdp": SDP % {"ip": "10.0.0.20", "port": 1024 + 2 * (i % 30000)}}


def answers():
    for i in range(CALLS):
        yield {"command": "answer", "call-id": "call-%d" % i, "from-tag": "a", "to-tag": "b",
               "sdp": SDP % {"ip": "198.51.100.2", "port": 1024 + 2 * (i % 30000)}}


def run(lab):
    lab.edge()
    relay = RelayAlone(lab, CONFIG)
    s = NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1", timeout=1.0).socket
    before = relay.relay_stats()["resources"]
    wan = ask_all(s, offers())
    lan = ask_all(s, answers())
    expect(len(set(wan)) == CALLS and len(set(lan)) == CALLS, "two ports for each call: %d, %d" % (
        len(set(wan)), len(set(lan))))
    held = relay.relay_stats()["resources"]
    expect(held["sessions"] == CALLS and held["ports"] == 2 * 2 * CALLS and held["flows"] == 4 * CALLS,
           "all are there: %s" % held)
    ask_all(s, ({"command": "delete", "call-id": "call-%d" % i, "flags": ["fast"]} for i in range(CALLS)))
    stats = relay.relay_stats()
    expect(stats["resources"] == before, "nothing is left: %s, not %s" % (stats["resources"], before))
    expect(stats["counters"]["created"] == CALLS and stats["counters"]["deleted"] == CALLS and
           stats["counters"]["errors"] == 0, "counted: %s" % stats["counters"])
    s.close()
    relay.stop()
