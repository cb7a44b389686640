# SPDX-License-Identifier: Apache-2.0
"""The usual cast of a scenario: PBX, Postern, a phone behind the NAT and one on the LAN."""
import re

from . import kamailio
from .baresip import Baresip
from .capture import Capture
from .lab import LabError, wait_until
from .postern import Postern, SHORTEST

HOME_TONE, DESK_TONE = 440, 1000
WAN, LAN = "203.0.113.10", "10.0.0.1"


class Edge:
    def __init__(self, lab, config=SHORTEST, phones=True, home_transport="udp", desk_transport="udp",
                 home_answer="manual", capture=True, stranger=False, pbx=True, relay=None, **postern):
        self.lab = lab
        lab.edge(stranger=stranger)
        self.wan = Capture(lab, "sbc", "wan") if capture else None
        self.lan = Capture(lab, "sbc", "lan") if capture else None
        self.pbx = kamailio.registrar(lab) if pbx else None
        self.postern = Postern(lab, config, **postern)
        self.home = self.desk = None
        if phones:
            self.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=HOME_TONE,
                                transport=home_transport, answer=home_answer)
            self.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=DESK_TONE,
                                transport=desk_transport)
            self.home.wait_registered(15)
            self.desk.wait_registered(15)

    # --- calls -----------------------------------------------------------------------------------
    def ring(self, caller, callee):
        before = callee.count("CALL_INCOMING")
        caller.dial("sip:%s@example.com" % callee.user)
        callee.wait_event("CALL_INCOMING", 10, count=before + 1)

    def establish(self, caller, callee):
        before = [(phone, phone.count("CALL_ESTABLISHED")) for phone in (caller, callee)]
        self.ring(caller, callee)
        callee.answer()
        for phone, count in before:
            phone.wait_event("CALL_ESTABLISHED", 10, count=count + 1)

    def both_hear(self, seconds=1.0):
        self.home.wait_heard(DESK_TONE, seconds)
        self.desk.wait_heard(HOME_TONE, seconds)

    def live_calls(self):
        return self.postern.calls()

    def wait_no_call(self, seconds=10):
        wait_until(lambda: not self.live_calls(), seconds, "no call is left")

    # --- the end -----------------------------------------------------------------------------------
    def finish(self, linger=False, seconds=20):
        """Phones leave, everything returns to where it started, Postern ends with 0 and no sanitizer report.
        Scenarios that say `linger` also wait for the lingering transactions to go."""
        for phone in (self.home, self.desk):
            if phone:
                phone.stop()
        self.postern.check_idle(seconds + (40 if linger else 0), linger)
        self.postern.stop()
        if self.wan:
            self.wan.stop()
            self.lan.stop()
            self.check_hiding()

    def check_hiding(self):
        check_hiding(self.wan.messages(), WAN, ["10.0.0.", "fd00::", "kamailio", "baresip", "postern"])
        check_hiding(self.lan.messages(), LAN, ["192.168.", "81.56.73.", "baresip", "postern"])


def leaks(messages, ours, words):
    """Lines that `ours` itself sent and that hold one of `words`. A word that begins or ends in a letter or
    digit stands alone: a nonce may hold any two letters."""
    patterns = [(w, re.compile((r"(?<![\w+/])" if w[0].isalnum() else "") + re.escape(w) +
                               (r"(?![\w+/=])" if w[-1].isalnum() else ""), re.I)) for w in words]
    return ["%s: %s" % (message.first_line, line) for message in messages if message.source == ours
            for line in message.text.split("\r\n") for word, pattern in patterns if pattern.search(line)]


def check_hiding(messages, ours, words):
    found = leaks(messages, ours, words)
    if found:
        raise LabError("leaves by %s: %s" % (ours, "; ".join(found[:5])))


def requests(messages, method, source=None, destination=None):
    return [m for m in messages if m.is_request and m.method == method and
            source in (None, m.source) and destination in (None, m.destination)]


def replies(messages, code, method=None, source=None, destination=None):
    return [m for m in messages if not m.is_request and m.code == code and method in (None, m.method) and
            source in (None, m.source) and destination in (None, m.destination)]


def expect(condition, text):
    """An assertion that says what it wanted, also under python -O."""
    if not condition:
        raise LabError("expected: " + text)
