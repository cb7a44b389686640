# SPDX-License-Identifier: Apache-2.0
"""A browser's audio and video share one port (BUNDLE, RFC 9143); the phone it calls has a port for each and sends all
back. Each packet comes to the port of its kind, and the browser hears its tone and sees its pictures."""
import random
import re
import socket
import subprocess
import threading

from lib.browser import Browser
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.phone import Phone

WORKERS = [2]
LONG = True
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, send: udp}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, wss/443]
    tls: {certificate: !file edge.pem, key: !file edge.key}
    media: {srtp: require, keying: dtls, ice: lite, rtcp-mux: require, bundle: offer}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
AUDIO = 40000
VIDEO = 40002


class Mirror(threading.Thread):
    """Sends back what comes to a port, under another SSRC, and remembers the payload types."""

    def __init__(self, lab, host, address, port):
        super().__init__(daemon=True)
        self.sockets = []
        for p in (port, port + 1):
            s = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, p))
            s.settimeout(0.2)
            self.sockets.append(s)
        self.done, self.types, self.feedback = False, set(), 0
        threading.Thread(target=self.mirror, args=(self.sockets[1], False), daemon=True).start()
        self.start()

    def run(self):
        self.mirror(self.sockets[0], True)

    def mirror(self, s, is_rtp):
        while not self.done:
            try:
                data, source = s.recvfrom(2048)
            except (TimeoutError, OSError):
                continue
            data = bytearray(data)
            if is_rtp:
                self.types.add(data[1] & 0x7f)
                data[11] ^= 1
            else:
                data[7] ^= 1
                if data[1] in (205, 206):
                    self.feedback += 1
                    data[11] ^= 1
            s.sendto(data, source)

    def close(self):
        self.done = True
        self.join(2)
        for s in self.sockets:
            s.close()


def answer(phone, invite):
    offer = invite.body.decode()
    protocols = re.findall(r"m=\w+ [1-9]\d* (\S+)", offer)
    vp8 = re.search(r"a=rtpmap:(\d+) VP8/90000", offer)[1]
    body = ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s 8\r\n"
            "m=video %d %s %s\r\na=rtpmap:%s VP8/90000\r\na=rtcp-fb:%s nack pli\r\n" % (
                phone.address, phone.address, AUDIO, protocols[0], VIDEO, protocols[1], vp8, vp8, vp8))
    respond(phone, invite, 200, body, to=";tag=%08x" % random.getrandbits(32))
    return offer, int(vp8)


def respond(phone, request, code, body="", to=""):
    phone.send("SIP/2.0 %d x\r\n%s%sFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: %s\r\n%s"
               "Content-Length: %d\r\n\r\n%s" % (
                   code, "".join("Via: %s\r\n" % v for v in request.all("Via")),
                   "".join("Record-Route: %s\r\n" % v for v in request.all("Record-Route")),
                   request.get("From"), request.get("To"), to, request.get("Call-ID"), request.get("CSeq"),
                   phone.contact(), "Content-Type: application/sdp\r\n" if body else "", len(body), body))


def run(lab):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", lab.dir + "/edge.key", "-out", lab.dir + "/edge.pem", "-days", "2",
                    "-subj", "/CN=203.0.113.10"], check=True, stderr=subprocess.DEVNULL, timeout=30)
    edge = Edge(lab, CONFIG, phones=False)
    browser = Browser(lab, "home", "home", "example.com", "wss://%s/" % WAN, hertz=440)
    phone = Phone(lab, "desk", "desk", "10.0.0.30", "10.0.0.20")
    phone.register("example.com", "secret")
    audio, video = Mirror(lab, "desk", "10.0.0.30", AUDIO), Mirror(lab, "desk", "10.0.0.30", VIDEO)
    browser.wait_registered()

    browser.dial("sip:desk@example.com", video=True)
    invite = phone.receive(lambda m: m.is_request and m.method == "INVITE")
    offer, vp8 = answer(phone, invite)
    expect("BUNDLE" not in offer and len(set(re.findall(r"m=\w+ (\d+)", offer))) == 2,
           "a port for each on the LAN:\n" + offer)
    phone.receive(lambda m: m.is_request and m.method == "ACK")
    browser.wait_state("confirmed")
    browser.wait_hears(440)
    seen = wait_until(lambda: (lambda s: s if s.get("video", {}).get("frames", 0) > 20 else None)(
        browser.get("inbound()")), 20, "the browser sees pictures")
    expect(seen["transports"] == 1, "on one transport: %s" % seen)
    expect(audio.types == {8}, "audio alone came to the audio port: %s" % audio.types)
    expect(vp8 in video.types and 8 not in video.types, "and video to the other: %s" % video.types)

    browser.run("hangup()")
    bye = phone.receive(lambda m: m.is_request and m.method == "BYE")
    respond(phone, bye, 200)
    edge.wait_no_call()
    counters = edge.postern.relay_stats()["counters"]
    expect(counters["dtls_done"] == 1, "one handshake for both: %s" % counters)
    browser.stop()
    for one in (audio, video):
        one.close()
    phone.close()
    edge.finish()
