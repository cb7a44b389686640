# SPDX-License-Identifier: Apache-2.0
"""A stranger's INVITE gets no answer, whatever is wrong with it; the PBX is told what is wrong with its own.
REGISTERs over the rate get 503 and are counted."""
from lib.edge import Edge, LAN, WAN, expect
from lib.lab import LabError
from lib.phone import Phone

WORKERS = [1]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, limits: {per-source: {register-rate: 2/s}}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
FAULTS = [("sip:home@example.com", "Max-Forwards: 0\r\n", 483),
          ("sips:home@example.com", "Max-Forwards: 70\r\n", 416),
          ("sip:home@example.com", "Max-Forwards: 70\r\nRequire: x\r\n", 420)]


def request(phone, method, uri, lines, number):
    phone.send("%s %s SIP/2.0\r\nVia: %s\r\nFrom: <sip:x@example.com>;tag=1\r\nTo: <sip:x@example.com>\r\n"
               "Call-ID: %d\r\nCSeq: 1 %s\r\nContact: <sip:x@%s>\r\n%sContent-Length: 0\r\n\r\n" % (
                   method, uri, phone.via(), number, method, phone.address, lines))


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, pbx=False, stranger=True)
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)
    pbx = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN)
    for number, (uri, lines, status) in enumerate(FAULTS + [("sip:home@example.com", "Max-Forwards: 70\r\n", 0)]):
        request(stranger, "INVITE", uri, lines, number)
        if status:
            request(pbx, "INVITE", uri, lines, 100 + number)
            answer = pbx.receive(lambda m: m.code >= 200, 3)
            expect(answer.code == status, "%d to the PBX, got %s" % (status, answer.first_line))
    try:
        answer = stranger.receive(lambda m: True, 1)
    except LabError:
        answer = None
    expect(answer is None, "no answer to a stranger, got %s" % (answer and answer.first_line))
    expect(edge.postern.stats()["calls"]["unknown_caller"] == len(FAULTS) + 1, "they are counted")
    for number in range(20):
        request(stranger, "REGISTER", "sip:example.com", "Max-Forwards: 70\r\n", 200 + number)
    answer = stranger.receive(lambda m: m.code == 503 and m.get("Retry-After"), 3)
    limited = edge.postern.stats()["registrations"]["limited"]
    expect(limited >= 10, "REGISTERs over the rate are counted: %s" % limited)
    stranger.close(), pbx.close()
    edge.postern.stop()
