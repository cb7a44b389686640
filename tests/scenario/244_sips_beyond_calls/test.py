# SPDX-License-Identifier: Apache-2.0
"""sips: beyond calls (RFC 3261 26.2.2, RFC 5630): MESSAGE, SUBSCRIBE, OPTIONS, REFER go by TLS on both sides or not
at all, REGISTER and OPTIONS for ourselves come by TLS; our own Contact keeps the promise."""
import importlib.util
import os
import random
import re

from lib.edge import Edge, WAN, expect
from lib.lab import LabError
from lib.phone import Phone
from lib.tls import Authority, FlowPhone

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("calls", os.path.join(HERE, "../113_sips/test.py"))
calls = importlib.util.module_from_spec(spec)
spec.loader.exec_module(calls)
WORKERS = [2]
EXTRA = {"SUBSCRIBE": "Event: presence\r\nExpires: 60\r\n", "REFER": "Refer-To: <sip:boss@example.com>\r\n"}


def ask(end, method, uri, user, to="sip:x@example.com"):
    """The Call-ID it is known by."""
    call_id = "%08x" % random.getrandbits(32)
    end.send("%s %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=1\r\nTo: <%s>\r\n"
             "Call-ID: %s\r\nCSeq: 1 %s\r\nContact: %s\r\n%sContent-Length: 0\r\n\r\n" % (
                 method, uri, end.via(), user, to, call_id, method, end.contact(), EXTRA.get(method, "")))
    return call_id


def code(end, call_id):
    return end.receive(lambda m: not m.is_request and m.get("Call-ID") == call_id and m.code >= 200, 8).code


def run(lab):
    authority = Authority(lab)
    authority.sign("edge", "DNS:edge,IP:10.0.0.1")
    edge = Edge(lab, calls.CONFIG, phones=False, capture=False, pbx=False)
    pbx = calls.Pbx(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1", "tls", authority, "edge",
                    authority.sign("pbx", "IP:10.0.0.20"))
    code(pbx, ask(pbx, "OPTIONS", "sip:10.0.0.1", "pbx"))
    phone = FlowPhone(lab, "home", "home", "192.168.0.18", WAN, "tls", authority, "edge")
    clear = Phone(lab, "home", "clear", "192.168.0.18", WAN, port=5066)
    for end, user in ((phone, "home"), (clear, "clear")):
        calls.register(end, pbx, user)
        seen = [m for m in pbx.inbox if m.is_request and m.method == "REGISTER"]
        expect(not seen, "one REGISTER")
    for method in ("MESSAGE", "SUBSCRIBE", "OPTIONS", "REFER"):
        sent = ask(phone, method, "sips:desk@example.com", "home")
        got = pbx.receive(lambda m: m.is_request and m.method == method, 5)
        expect(got.first_line.startswith(method + " sips:desk@") and got.get("Via").startswith("SIP/2.0/TLS"),
               "%s by TLS: %s" % (method, got.text))
        if method in ("SUBSCRIBE", "REFER"):
            expect(re.match(r"<sips:[^;]*:5061>", got.get("Contact")), "our Contact: %s" % got.get("Contact"))
        pbx.answer(got, "489 No")
        expect(code(phone, sent) == 489, "answered")
        expect(code(clear, ask(clear, method, "sips:desk@example.com", "clear")) == 416, "%s in clear" % method)
        refused = code(phone, ask(phone, method, "sips:999@example.com", "home"))
        expect(refused in (480, 503), "%s to a peer without TLS: %d" % (method, refused))
    expect(code(clear, ask(clear, "REGISTER", "sips:example.com", "clear", "sip:clear@example.com")) == 416,
           "REGISTER in clear")
    expect(code(clear, ask(clear, "OPTIONS", "sips:203.0.113.10", "clear")) == 416, "OPTIONS in clear")
    expect(code(phone, ask(phone, "OPTIONS", "sips:203.0.113.10", "home")) == 200, "and by TLS")
    # REGISTER by TLS goes on by TLS, and our Contact says so
    secure = ask(phone, "REGISTER", "sips:example.com", "home", "sip:home@example.com")
    got = pbx.receive(lambda m: m.is_request and m.method == "REGISTER", 5)
    expect(got.first_line.startswith("REGISTER sips:example.com ") and got.get("Contact").startswith("<sips:") and
           got.get("Via").startswith("SIP/2.0/TLS"), "on by TLS: %s" % got.text)
    pbx.answer(got, "200 OK", "Contact: %s;expires=600\r\n" % got.get("Contact").split(";expires")[0])
    expect(code(phone, secure) == 200, "registered")
    # towards phones: by TLS, or they are not there
    for end, user in ((phone, "home"), (clear, "clear")):
        sent = ask(pbx, "MESSAGE", "sips:%s@example.com" % user, "pbx")
        if end is clear:
            expect(code(pbx, sent) == 480, "not to a phone in clear")
            continue
        got = end.receive(lambda m: m.is_request and m.method == "MESSAGE", 5)
        end.send("SIP/2.0 200 OK\r\n%sFrom: %s\r\nTo: %s;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n" % (
            "".join("Via: %s\r\n" % v for v in got.all("Via")), got.get("From"), got.get("To"), got.get("Call-ID"),
            got.get("CSeq")))
        expect(code(pbx, sent) == 200, "to the phone by TLS")
    try:
        clear.receive(lambda m: m.is_request, 0.2)
        raise AssertionError("something came in clear")
    except LabError:
        pass
    for end in (pbx, phone, clear):
        end.close()
    edge.postern.stop()
