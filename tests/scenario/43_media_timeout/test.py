# SPDX-License-Identifier: Apache-2.0
"""Media falls silent on both sides: after the interface's idle-timeout the call is ended with a BYE on
both legs."""
import os
import signal

from lib.edge import Edge, LAN, WAN, expect, requests
from lib.lab import wait_until

TIMEOUT = 100
WORKERS = [2]


def run(lab):
    config = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, media: {idle-timeout: 3s}}
  wan: {address: 203.0.113.10, media: {idle-timeout: 3s}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
    edge = Edge(lab, config)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    for host in ("home", "desk"):
        lab.nft(host, """table inet silent {
            chain out {
                type filter hook output priority 0;
                meta l4proto udp udp dport != 5060 drop
            }
        }
        """)
    edge.home.wait_event("CALL_CLOSED", 20)
    edge.desk.wait_event("CALL_CLOSED", 5)
    edge.wait_no_call()
    edge.finish()
    expect(requests(edge.wan.messages(), "BYE", source=WAN), "BYE to the phone")
    expect(requests(edge.lan.messages(), "BYE", source=LAN), "BYE to the PBX")
    log = edge.postern.process.log()
    expect("media" in log and "call.ended" in log, "the log names the cause")
