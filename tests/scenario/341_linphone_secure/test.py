# SPDX-License-Identifier: Apache-2.0
"""linphone behind a NAT with SDES, and with DTLS-SRTP, called by a plain desk phone: each hears the other's tone, and on
the internet nothing goes in clear."""
import os

from lib.baresip import Baresip
from lib.capture import Capture
from lib.edge import Edge, DESK_TONE, HOME_TONE, WAN, expect
from lib.linphone import Linphone
from lib.tone import heard

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10, media: {srtp: require, keying: [sdes, dtls]}}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def is_rtp(payload):
    return len(payload) >= 12 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223


def call(lab, edge, encryption):
    """linphone calls: its SDP says which kind of keys."""
    phone = Linphone(lab, "home", "home", "example.com", WAN, "192.168.0.18", hertz=HOME_TONE, encryption=encryption)
    record = os.path.join(phone.dir, "heard.wav")
    phone.say("record " + record)
    phone.wait_state("LinphoneRegistrationOk")
    before = edge.desk.heard(HOME_TONE)
    calls = edge.desk.count("CALL_INCOMING")
    phone.say("call sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10, calls + 1)
    edge.desk.answer()
    edge.desk.wait_heard(HOME_TONE, before + 2.0)
    edge.desk.hangup()
    phone.wait_state("LinphoneCallReleased")
    edge.wait_no_call()
    phone.say("quit")
    expect(phone.wait(15) == 0, "linphone ends")
    expect(heard(record, DESK_TONE) >= 0.8, "%s: linphone hears the desk (%.1f s)" % (encryption, heard(record, DESK_TONE)))


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    wan = Capture(lab, "inet", "s0", "udp and not port 5060")
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=DESK_TONE)
    edge.desk.wait_registered(15)
    for encryption in ("srtp", "dtls"):
        call(lab, edge, encryption)
    counters = edge.postern.relay_stats()["counters"]
    expect(counters["dtls_done"] >= 1 and counters["dtls_failed"] == 0, "handshakes of one call: %s" % counters)
    wan.stop()
    clear = [p for p in wan.packets() if is_rtp(p.payload) and len(p.payload) <= 172]
    expect(not clear, "no RTP in clear on the internet: %s" % clear[:3])
    edge.finish()
