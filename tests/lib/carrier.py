# SPDX-License-Identifier: Apache-2.0
"""The cast of scenarios about where calls go: a PBX that calls from the LAN, a carrier's machines on the
internet (198.51.100.66 and on), a name server at 203.0.113.1."""
from .edge import LAN, Edge, expect
from .lab import LabError
from .phone import Phone

CARRIER = "198.51.100.%d"
HEAD = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
dns: {servers: [203.0.113.1], timeout: 2s}
"""
PBX = "  pbx: {interface: lan, address: 10.0.0.20}\n"


class Carrier:
    def __init__(self, lab, config, machines=4, before=None):
        """before: called when the network is there and Postern is not (name servers)."""
        self.lab = lab
        self.before = before
        lab_edge = lab.edge

        def edge(stranger=False):
            lab_edge(stranger=True)
            for n in range(1, machines):
                lab.run("stranger", "ip", "addr", "add", CARRIER % (66 + n) + "/24", "dev", "eth0")
            if before:
                before()
        lab.edge = edge
        self.edge = Edge(lab, HEAD + config, phones=False, pbx=False, capture=False)
        self.postern = self.edge.postern
        self.pbx = Phone(lab, "pbx", "pbx", "10.0.0.20", LAN)

    def call(self, number="100", code=200, seconds=15, uri=None, **kw):
        """One call of the PBX; answered ones are hung up. The final reply."""
        call = self.pbx.invite(uri or "sip:%s@10.0.0.1" % number, **kw)
        answer = call.wait_final(seconds=seconds)
        call.ack() if answer.code < 300 else self.ack_refusal(call, answer)
        expect(answer.code == code, "%d for %s, got %s" % (code, uri or number, answer.first_line))
        if answer.code == 200:
            expect(call.request("BYE").code == 200, "BYE is answered")
        return answer

    def ack_refusal(self, call, answer):
        self.pbx.send("ACK %s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                      "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n" % (
                          call.uri, self.pbx.via(call.branch), call.local, answer.get("To"), call.call_id))

    def finish(self, *others):
        for other in others:
            other.close()
        self.pbx.close()
        self.edge.wait_no_call(40)
        self.postern.stop()
