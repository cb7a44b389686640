# SPDX-License-Identifier: Apache-2.0
"""N13: the NAT's kernel has a SIP ALG (nf_conntrack_sip, nf_nat_sip) that rewrites Via, Contact and SDP of what
passes. Registrations and calls work both ways with audio, and the ALG's addresses are not rewritten again."""
from lib.edge import Edge, expect, requests

WORKERS = [2]
HELPER = """table ip alg {
  ct helper sip { type "sip" protocol udp; }
  chain pre { type filter hook prerouting priority 0;
    udp dport 5060 ct helper set "sip"
  }
}
"""


def run(lab):
    edge = Edge.__new__(Edge)
    real = lab.edge

    def with_alg(**kw):
        real(**kw)
        lab.nft("nat", HELPER)
    lab.edge = with_alg
    edge.__init__(lab)
    register = requests(edge.wan.messages(), "REGISTER", destination="203.0.113.10")[0]
    expect("81.56.73.55" in register.get("Contact") and "192.168.0.18" not in register.text, "the ALG rewrites")
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    edge.home.hangup()
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    edge.desk.hangup()
    edge.wait_no_call()
    for invite in requests(edge.wan.messages(), "INVITE", source="203.0.113.10"):
        expect("192.168.0.18" in invite.first_line or "81.56.73.55" in invite.first_line, "towards the phone by its contact")
    edge.finish()
