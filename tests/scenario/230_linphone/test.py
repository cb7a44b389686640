# SPDX-License-Identifier: Apache-2.0
"""linphone behind a NAT: it registers through Postern, calls the desk and is called, each hears the
other's tone, and either hangs up."""
from lib.baresip import Baresip
from lib.capture import Capture
from lib.edge import Edge, DESK_TONE, HOME_TONE, WAN, expect
from lib.lab import wait_until
from lib.linphone import Linphone
from lib.tone import heard_on_wire

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def both_hear(lab, edge, before):
    capture = Capture(lab, "home", "eth0", "udp")
    edge.desk.wait_heard(HOME_TONE, before + 1.0)
    wait_until(lambda: heard_on_wire(capture.packets(), "192.168.0.18", DESK_TONE) >= 0.8, 10, "linphone hears the desk", step=0.3)
    capture.stop()


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    phone = Linphone(lab, "home", "home", "example.com", WAN, "192.168.0.18", hertz=HOME_TONE)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=DESK_TONE)
    phone.wait_state("LinphoneRegistrationOk")
    edge.desk.wait_registered(15)

    phone.say("call sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10)
    edge.desk.answer()
    both_hear(lab, edge, 0)
    phone.say("terminate")
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()

    before = edge.desk.heard(HOME_TONE)
    edge.desk.dial("sip:home@example.com")
    phone.wait_state("LinphoneCallIncomingReceived")
    phone.say("answer")
    edge.desk.wait_event("CALL_ESTABLISHED", 10)
    both_hear(lab, edge, before)
    edge.desk.hangup()
    phone.wait_state("LinphoneCallReleased", count=2)
    edge.wait_no_call()
    phone.say("quit")
    expect(phone.wait(15) == 0, "linphone ends")
    edge.finish()
