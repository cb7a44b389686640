# SPDX-License-Identifier: Apache-2.0
"""Media has addresses and several ranges of ports of its own, and a peer a source rule and an idle time-out of its own:
two phones talk over them, and when both fall silent the peer's time-out ends the call, not its interface's."""
import re
import time

from lib.edge import Edge, WAN, expect, requests
from lib.lab import wait_until

WORKERS = [2]
MEDIA = ["203.0.113.11", "203.0.113.12"]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {ports: 20000-20099}}
  wan:
    address: 203.0.113.10
    media: {addresses: [203.0.113.11, 203.0.113.12], ports: [30000-30003, 32000-32099]}
peers:
  pbx: {interface: lan, address: 10.0.0.20, media: {source: sdp-only, idle-timeout: 3s}}
"""


def run(lab):
    lab.edge()
    for address in MEDIA:
        lab.run("sbc", "ip", "addr", "add", address + "/24", "dev", "wan")
    lab.edge = lambda stranger=False: None  # made already
    edge = Edge(lab, CONFIG)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    sides = {s["interface"]: s for call in edge.postern.ask_relay("show calls")["calls"]
             for d in edge.postern.ask_relay("show call " + call["call_id"])["dialogs"]
             for stream in d["streams"] for s in stream["sides"]}
    local = sides["wan"]["rtp"]["local"]
    expect(local.rsplit(":", 1)[0] in MEDIA and 32000 <= int(local.rsplit(":", 1)[1]) <= 32099,
           "the emptiest range of a media address: " + local)
    for host in ("home", "desk"):
        lab.nft(host, "table inet silent {\n chain out {\n type filter hook output priority 0;\n"
                      " meta l4proto udp udp dport != 5060 drop\n }\n}\n")
    silent = time.monotonic()
    edge.home.wait_event("CALL_CLOSED", 20)
    expect(time.monotonic() - silent < 15, "after the peer's time-out")
    edge.wait_no_call()
    edge.finish()
    answers = [m.body.decode() for m in edge.wan.messages() if not m.is_request and m.code == 200 and m.body]
    named = {a for body in answers for a in re.findall(r"c=IN IP4 (\S+)", body)}
    expect(named and named <= set(MEDIA), "SDP names the media address: %s" % named)
    expect(requests(edge.wan.messages(), "BYE", source=WAN), "BYE to the phone, from where SIP is")
