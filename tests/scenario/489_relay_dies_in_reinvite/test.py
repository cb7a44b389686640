# SPDX-License-Identifier: Apache-2.0
"""The relay dies, and comes back empty, while a re-INVITE is under way: it is answered, the call goes on, and the side that was
shown ports of before gets its new ones."""
import os
import signal

from lib.edge import expect
from lib.lab import wait_until
from lib.pbx import Ends, establish, hang_up, sdp_of

WORKERS = [1]


def port(message):
    return message.body.split(b"m=audio ")[1].split()[0]


def run(lab):
    e = Ends(lab)
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    sent = near.send("INVITE", body=sdp_of("192.168.0.18", 42002), type="application/sdp")
    hold = e.pbx.request("INVITE")
    os.kill(e.postern.pids()["postern-rtpengine"], signal.SIGKILL)
    wait_until(lambda: "relay.restarted" in e.postern.process.log(), 10, "it is back")
    e.pbx.reply(hold, 200, body=sdp_of("10.0.0.20", 43000))
    answer = e.home.answer(sent)
    expect(answer.code == 200 and b"m=audio" in answer.body, "the re-INVITE is answered: %s" % answer.first_line)
    near.ack()
    e.pbx.request("ACK")
    again = e.pbx.request("INVITE")
    expect(port(again) != port(hold), "other ports for who has those of before")
    e.pbx.reply(again, 200, body=sdp_of("10.0.0.20", 43000))
    e.pbx.request("ACK")
    sent = near.send("INFO", body="x")
    e.pbx.reply(e.pbx.request("INFO"), 200, contact=False)
    expect(e.home.answer(sent).code == 200, "the call goes on")
    hang_up(near, far)
    e.finish()
