# SPDX-License-Identifier: Apache-2.0
"""What a reload brings acts at once, and what it takes away is gone, on every worker: a stranger becomes a peer
and is one no more, a rate is lower, a ban is new."""
from lib.edge import Edge, WAN, expect
from lib.lab import LabError, sh, wait_until
from lib.phone import Phone
from lib.postern import binaries

WORKERS = [1, 4]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10%s}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
%s"""
CARRIER = "  carrier: {interface: wan, address: 198.51.100.66}\n"
ROUTES = "routes: [{from: carrier, number: \"+*\", to: pbx}, {from: pbx, to: carrier}]\n"
ASK = ("%s sip:%s@example.com SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:x%d@example.com>;tag=1\r\n"
       "To: <sip:x%d@example.com>\r\nCall-ID: %d\r\nCSeq: 1 %s\r\nContact: <sip:x@%s>\r\nContent-Length: 0\r\n\r\n")


class Asking:
    def __init__(self, phone):
        self.phone, self.number = phone, 0

    def __call__(self, method, user="+33"):
        """The status of the answer; 0 = none."""
        self.number += 1
        n = self.number
        self.phone.send(ASK % (method, user, self.phone.via(), n, n, n, method, self.phone.address))
        try:
            return self.phone.receive(lambda m: not m.is_request and m.code >= 200 and
                                      m.get("Call-ID") == str(n), 0.4).code
        except LabError:
            return 0


def run(lab):
    edge = Edge(lab, CONFIG % ("", ""), phones=False, pbx=False, stranger=True)
    postern = edge.postern
    with open(postern.path) as f:
        own = f.read()[len(CONFIG % ("", "")):]
    stranger = Phone(lab, "stranger", "stranger", "198.51.100.66", WAN)
    ask = Asking(stranger)

    def reload(text):
        with open(postern.path, "w") as f:
            f.write(text + own)
        sh(binaries() + "/control/cli/postern", "reload", "-c", postern.path)

    expect(ask("INVITE", "nobody") == 0, "a stranger's INVITE gets no answer")
    reload(CONFIG % ("", CARRIER + ROUTES))
    for _ in range(4):
        expect(ask("INVITE", "nobody") == 404, "a peer's, without a route, gets 404")
    reload(CONFIG % (", security: {methods: [INVITE, ACK, BYE, CANCEL]}", CARRIER + ROUTES))
    for _ in range(4):
        expect(ask("OPTIONS") == 405 and ask("INVITE", "nobody") == 404, "OPTIONS is none of the methods")
    reload(CONFIG % ("", ""))
    for _ in range(3):
        expect(ask("INVITE", "nobody") == 0, "a stranger's again")

    reload(CONFIG % (", limits: {per-source: {register-rate: 2/m}}", ""))
    codes = [ask("REGISTER") for _ in range(6)]
    expect(503 in codes[2:], "a rate of two a minute: %s" % codes)
    reload(CONFIG % (", security: {ban: {bad-messages: 2/m, for: 1h}}", ""))
    for _ in range(20):
        stranger.send("INVITE x SIP/2.0\r\nVia: %s\r\nFrom: <sip:a@b>;tag=1\r\nCSeq: x\r\n\r\n" % stranger.via())
    wait_until(lambda: postern.ask("show bans"), 5, "a ban")
    expect(ask("OPTIONS") == 0, "the banned are not heard")
    reload(CONFIG % ("", ""))
    expect(ask("OPTIONS") == 0 and postern.ask("show bans"), "a ban outlives a reload")
    stranger.close()
    postern.stop()
