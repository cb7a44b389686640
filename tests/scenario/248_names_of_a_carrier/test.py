# SPDX-License-Identifier: Apache-2.0
"""A carrier on an untrusted side writes names and addresses into its Contact: requests of the dialog go there as far as
those are the carrier's own; where they lead to anybody else, to where the carrier's last message came from."""
from lib.edge import expect
from lib.nsd import NameServer
from lib.pbx import Dialog, End, Ends, sdp_of

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
  carrier: {interface: wan, servers: [198.51.100.66, 198.51.100.67], ping: off}
phones:
  - {from: wan, registrar: pbx}
routes:
  - {from: pbx, number: "9*", to: carrier}
  - {from: phones, to: pbx}
dns: {servers: [203.0.113.1], timeout: 1s}
"""
ZONES = {"carrier.example": "own A 198.51.100.67\nother A 198.51.100.68\ninside A 10.0.0.20\n"}


class Carrier(End):
    host = ""

    def contact(self):
        return "<sip:%s@%s>" % (self.user, self.host)


def run(lab):
    lab_edge = lab.edge

    def edge(stranger=False):
        lab_edge(stranger=True)
        for n in (67, 68):
            lab.run("stranger", "ip", "addr", "add", "198.51.100.%d/24" % n, "dev", "eth0")
        NameServer(lab, "inet", "203.0.113.1", ZONES)
    lab.edge = edge
    e = Ends(lab, CONFIG)
    first, second, third = (e.add(Carrier(lab, "stranger", "c", "198.51.100.%d" % n, "203.0.113.10")) for n in (66, 67, 68))
    for host, at in (("own.carrier.example", second), ("198.51.100.67", second), ("other.carrier.example", first),
                     ("198.51.100.68", first), ("inside.carrier.example", first), ("none.carrier.example", first)):
        first.host = host
        sent = e.pbx.send("INVITE", "sip:91@10.0.0.1", body=sdp_of("10.0.0.20"), type="application/sdp")
        invite = first.request("INVITE")
        first.reply(invite, 200, body=sdp_of("198.51.100.66"))
        near = Dialog.calling(e.pbx, sent, e.pbx.answer(sent))
        near.ack(sent["cseq"])
        at.request("ACK")
        sent = near.send("BYE")
        at.reply(at.request("BYE"), 200, contact=False)
        expect(e.pbx.answer(sent).code == 200, "BYE for %s" % host)
    expect(not third.inbox and not [m for m in e.pbx.inbox if m.is_request], "nobody else hears anything")
    e.finish()
