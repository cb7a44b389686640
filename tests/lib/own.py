# SPDX-License-Identifier: Apache-2.0
"""Domains of our own: the subscriber command, and a REGISTER step by step."""
import os
import random
import re
import subprocess

from . import digest
from .lab import LabError
from .postern import binaries

DOMAIN = "falco.bz"


QUICK = ("limits: {per-source: {register-rate: 400/s, setup-rate: 100/s}}, "
         "security: {ban: {auth-failures: off}}")


def config(lab, keep="at-once", wan=QUICK, domain="", more=""):
    """One side, no PBX; the store is the lab's."""
    return """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10%s}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
domains:
  falco.bz: {keep: %s%s}
subscribers: {path: %s/store/subscribers.db}
%s""" % (wan and ", " + wan, keep, domain and ", " + domain, lab.dir, more)


def subscriber(lab, *words, password=None, expect=0):
    command = [os.path.join(binaries(), "control/cli/postern"), "subscriber", *words,
               "-f", lab.dir + "/store/subscribers.db"]
    result = subprocess.run(command, input=None if password is None else password + "\n", text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20,
                            **({"stdin": subprocess.DEVNULL} if password is None else {}))
    if result.returncode != expect:
        raise LabError("subscriber %s: exit %d: %s" % (" ".join(words), result.returncode, result.stderr))
    return result.stdout


class Registration:
    """One Call-ID, rising CSeq, the last challenge; of a phone (lib/phone.py)."""

    def __init__(self, phone, domain=DOMAIN, contact=None, extra=""):
        self.phone, self.domain, self.extra = phone, domain, extra
        self.call_id, self.cseq, self.count = "%08x" % random.getrandbits(32), 0, 0
        self.contact = contact or "<sip:%s@%s:%d%s>" % (
            phone.user, phone.address, phone.port, "" if phone.transport == "udp" else ";transport=tcp")
        self.challenge = None

    def send(self, authorization="", expires=600, contact=None, cseq=None, user=None):
        self.cseq = cseq or self.cseq + 1
        phone, contact = self.phone, self.contact if contact is None else contact
        aor = "sip:%s@%s" % (user or phone.user, self.domain)
        phone.send("REGISTER sip:%s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\n"
                   "Call-ID: %s\r\nCSeq: %d REGISTER\r\n%s%s%s%sContent-Length: 0\r\n\r\n" % (
                       self.domain, phone.via(), aor, phone.tag, aor, self.call_id, self.cseq,
                       "Contact: %s\r\n" % contact if contact else "",
                       "" if expires is None else "Expires: %d\r\n" % expires, self.extra, authorization))
        return phone.receive(lambda m: not m.is_request and m.get("Call-ID") == self.call_id and m.code >= 200 and
                             m.get("CSeq").startswith("%d " % self.cseq))

    def credentials(self, password, algorithm=None, user=None):
        self.count += 1
        return digest.answer(self.challenge, user or self.phone.user, password, "REGISTER", "sip:%s" % self.domain,
                             algorithm, self.count)

    def register(self, password="secret", algorithm=None, **kw):
        """With the last challenge if there is one, else by way of a new one."""
        if self.challenge:
            answer = self.send(self.credentials(password, algorithm), **kw)
        else:
            answer = self.send(**kw)
        if answer.code in (401, 407):
            self.challenge, self.count = answer, 0
            answer = self.send(self.credentials(password, algorithm), **kw)
        return answer

    def contacts(self, answer):
        return [c.strip() for v in answer.all("Contact") for c in re.split(r",(?=\s*<)", v)]
