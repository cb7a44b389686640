# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the relay while a DTLS handshake is under way: what was half agreed on went with the process, and the
certificate that it had promised. So the phone is offered another association (RFC 8842); others keep what they have.
baresip does not begin one in a dialog that had one; the crowd of tests/chaos does."""
import os
import signal

from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect, requests
from lib.lab import wait_until
from lib.redis import Redis
from lib.relay_returns import CONFIG, SECRET

WORKERS = [2]


def run(lab):
    redis = Redis(lab)
    edge = Edge(lab, CONFIG % ("dtls", redis.socket), phones=False, env={"STATE_KEY": SECRET})
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.home = Baresip(lab, "home", "home", "example.com", proxy=WAN, hertz=440, mediaenc="dtls_srtp")
    for phone in (edge.desk, edge.home):
        phone.wait_registered(15)
    lab.nft("nat", "table ip cut { chain through { type filter hook forward priority 0; udp dport 20000-40000 drop; }; }")
    edge.ring(edge.home, edge.desk)
    edge.desk.answer()
    edge.home.wait_event("CALL_ESTABLISHED", 10)
    wait_until(lambda: redis.keys("media:*"), 5, "a record")
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: "relay.restarted" in edge.postern.process.log(), 10, "it is back, with another instance")
    lab.nft("nat", "delete table ip cut")
    told = wait_until(lambda: [m.text for m in requests(edge.wan.messages(), "INVITE", source=WAN)], 5, "a re-INVITE")
    first = wait_until(lambda: [m.text for m in edge.wan.messages() if m.code == 200 and "a=fingerprint" in m.text], 5, "an answer")

    def said(text):
        return sorted(line for line in text.splitlines() if line.startswith(("a=fingerprint", "a=tls-id")))
    expect(said(told[0]) and said(told[0]) != said(first[0]), "another fingerprint: %s" % told[0])
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
