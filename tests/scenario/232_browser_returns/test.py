# SPDX-License-Identifier: Apache-2.0
"""A browser on SIP over WSS refreshes its registration; its connection breaks while it talks: it comes back by itself,
registers again, the call goes on and the phone's hang-up reaches it; then it is called by its new connection."""
import subprocess

from lib.baresip import Baresip
from lib.browser import Browser
from lib.edge import Edge, LAN, WAN, expect, replies
from lib.lab import wait_until

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


def certificate(lab):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", lab.dir + "/edge.key", "-out", lab.dir + "/edge.pem", "-days", "2",
                    "-subj", "/CN=203.0.113.10", "-addext", "subjectAltName=IP:203.0.113.10"],
                   check=True, stderr=subprocess.DEVNULL, timeout=30)


def registered(browser):
    """How often it was told that it is."""
    return browser.get("phone.log.filter((line) => line.endsWith(' registered')).length")


def granted(edge):
    """Registrations that the browser was told of, as seen inside: its side of the edge is encrypted."""
    return edge.postern.stats()["registrations"]["absorbed"] + len(replies(edge.lan.messages(), 200, "REGISTER", destination=LAN))


def called(edge, browser):
    edge.desk.dial("sip:home@example.com")
    browser.wait_state("ringing")
    browser.run("answer()")
    browser.wait_state("confirmed")
    browser.wait_hears(1000)


def run(lab):
    certificate(lab)
    edge = Edge(lab, CONFIG, phones=False)
    browser = Browser(lab, "home", "home", "example.com", "wss://%s/" % WAN, hertz=440)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    browser.wait_registered()
    edge.desk.wait_registered(15)
    before = granted(edge)
    browser.run("phone.agent.register()")  # as its timer would
    wait_until(lambda: granted(edge) > before, 5, "the refresh is granted", step=0.1)

    called(edge, browser)
    lab.run("sbc", "ss", "-K", "sport", "=", ":443")  # RST both ways, as a NAT that forgot it would
    wait_until(lambda: registered(browser) == 2, 15, lambda: "it is back:\n" + browser.log(), step=0.1)
    expect("disconnected" in browser.log(), "the connection broke")
    browser.wait_hears(1000)
    edge.desk.hangup()
    browser.wait_state("ended")
    edge.wait_no_call()

    called(edge, browser)
    browser.run("hangup()")
    edge.wait_no_call()
    browser.stop()
    edge.finish()
