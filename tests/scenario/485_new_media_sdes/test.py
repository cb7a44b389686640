# SPDX-License-Identifier: Apache-2.0
"""The relay comes back with nothing under a call with SDES: a re-INVITE brings other ports and other keys, and sound goes on
both ways. linphone, for baresip 1.0 keeps the keys that it had."""
import os
import signal

from lib import relay_returns
from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.linphone import Linphone
from lib.tone import heard

WORKERS = [2]


def run(lab):
    edge = Edge(lab, relay_returns.WITHOUT_STORE % "sdes", phones=False)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.desk.wait_registered(15)
    home = Linphone(lab, "home", "home", "example.com", WAN, "192.168.0.18", hertz=440, encryption="srtp")
    record = os.path.join(home.dir, "heard.wav")
    home.say("record " + record)
    home.wait_state("LinphoneRegistrationOk")
    home.say("call sip:desk@example.com")
    edge.desk.wait_event("CALL_INCOMING", 10)
    edge.desk.answer()
    edge.desk.wait_heard(440, 0.5)
    began, renewed = edge.desk.heard(440), edge.postern.stats()["calls"]["renewed"]
    os.kill(edge.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: edge.postern.stats()["calls"]["renewed"] > renewed, 10, "the call has new media")
    edge.desk.wait_heard(440, began + 2.5)
    edge.desk.hangup()
    home.wait_state("LinphoneCallReleased")
    edge.wait_no_call()
    expect(not edge.postern.stats()["calls"]["untold"], "nobody refused it")
    home.say("quit")
    expect(home.wait(15) == 0, "linphone ends")
    expect(heard(record, 1000) > began + 1.0, "linphone hears the desk: %.1f s, %.1f before" % (heard(record, 1000), began))
    edge.finish()
    told = [m.text for m in edge.wan.messages() if m.is_request and m.method == "INVITE" and m.source == WAN]
    expect(told and all("RTP/SAVP" in text and "a=crypto" in text for text in told), "keyed as before: %s" % told)
