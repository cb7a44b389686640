# SPDX-License-Identifier: Apache-2.0
"""A browser behind a NAT (SIP over WSS, ICE, DTLS-SRTP, BUNDLE, rtcp-mux) and a plain phone on the LAN: whoever calls,
they hear each other, measured by frequency, after a hold too; and either hangs up."""
import subprocess
import time

from lib.baresip import Baresip
from lib.browser import Browser
from lib.capture import Capture
from lib.edge import Edge, WAN, expect
from lib.tone import heard_on_wire

WORKERS = [2]
LONG = True
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, send: udp}  # a browser's INVITE is large: no TCP that stays open
  wan:
    address: 203.0.113.10
    listen: [udp/5060, wss/443]
    tls: {certificate: !file edge.pem, key: !file edge.key}
    media: {srtp: require, keying: dtls, ice: lite, rtcp-mux: require, bundle: offer}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def certificate(lab):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", lab.dir + "/edge.key", "-out", lab.dir + "/edge.pem", "-days", "2",
                    "-subj", "/CN=203.0.113.10", "-addext", "subjectAltName=IP:203.0.113.10"],
                   check=True, stderr=subprocess.DEVNULL, timeout=30)


def run(lab):
    certificate(lab)
    edge = Edge(lab, CONFIG, phones=False)
    browser = Browser(lab, "home", "home", "example.com", "wss://%s/" % WAN, hertz=440)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    browser.wait_registered()
    edge.desk.wait_registered(15)

    browser.dial("sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10)
    edge.desk.answer()
    browser.wait_state("confirmed")
    browser.wait_hears(1000)
    edge.desk.wait_heard(440, 1.0)
    edge.desk.hangup()
    browser.wait_state("ended")
    edge.wait_no_call()

    before = edge.desk.heard(440)
    edge.desk.dial("sip:home@example.com")
    browser.wait_state("ringing")
    browser.run("answer()")
    browser.wait_state("confirmed")
    browser.wait_hears(1000)
    edge.desk.wait_heard(440, before + 1.0)
    edge.desk.hold()  # a re-INVITE each: neither ICE nor DTLS begins anew
    browser.wait("phone.session.isOnHold().remote")
    edge.desk.resume()
    browser.wait("!phone.session.isOnHold().remote")
    browser.wait_hears(1000)
    capture = Capture(lab, "desk", "eth0", "udp")
    time.sleep(1.2)
    expect(heard_on_wire(capture.stop().packets(), "10.0.0.30", 440) >= 0.8, "the phone hears the browser again")
    browser.run("hangup()")
    edge.wait_no_call()

    counters = edge.postern.relay_stats()["counters"]
    expect(counters["dtls_done"] == 2 and counters["ice_completed"] >= 2 and counters["dtls_failed"] == 0,
           "two calls by ICE and DTLS: %s" % counters)
    browser.stop()
    edge.finish()
