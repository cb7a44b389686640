# SPDX-License-Identifier: Apache-2.0
"""limits.message-rate of a peer counts over all workers: however its calls are spread, so many messages are heard."""
from lib.edge import Edge, WAN, expect
from lib.lab import LabError, wait_until
from lib.phone import Phone

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, address: 198.51.100.66, limits: {message-rate: 10/s}}
routes: [{from: carrier, number: "+*", to: pbx}, {from: pbx, to: carrier}]
"""
ASK = ("OPTIONS sip:203.0.113.10 SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:x%d@example.com>;tag=1\r\n"
       "To: <sip:x@example.com>\r\nCall-ID: c%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


def run(lab):
    edge = Edge(lab, CONFIG, phones=False, pbx=False, stranger=True)
    # Several sockets: the kernel spreads them over the workers' sockets.
    phones = [Phone(lab, "stranger", "x", "198.51.100.66", WAN, port=5060 + i) for i in range(16)]
    for n in range(320):
        phone = phones[n % len(phones)]
        phone.send(ASK % (phone.via(), n, n))
    drops = "source sends too much"
    wait_until(lambda: edge.postern.stats()["messages"]["messages"] +
               edge.postern.stats()["messages"]["drops"][drops] >= 320, 10, "all have come")
    answered = 0
    for phone in phones:
        try:
            while phone.receive(lambda m: not m.is_request and m.code == 200, 0.1):
                answered += 1
        except LabError:
            pass
    expect(20 <= answered <= 60, "two seconds' worth at once, and a little more: %d" % answered)
    for phone in phones:
        phone.close()
    edge.finish()
