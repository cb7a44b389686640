# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc while three phones of one user of ours ring, with `protect: ringing`: afterwards one answers and
the others get CANCEL; one declines and the others ring on; the caller cancels and all hear it; the best refusal comes back
once all have declined. One CDR a call, one call of the limit."""
import os
import signal

from lib import own
from lib.device import Device
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.own import Registration
from lib.phone import Phone
from lib.redis import Redis

WORKERS = [1, 2]
TIMEOUT = 120
LIMITED = own.QUICK.replace("limits: {", "limits: {calls: 1, ")


class Bob:
    def __init__(self, lab):
        for user in ("alice", "bob"):
            own.subscriber(lab, "add", user + "@falco.bz", password="secret")
        self.redis = Redis(lab)
        more = "state: {store: redis, servers: [\"unix:%s\"], protect: ringing}\n" % self.redis.socket
        self.edge = Edge(lab, own.config(lab, wan=LIMITED, more=more), phones=False, pbx=False)
        self.alice = Phone(lab, "home", "alice", "192.168.0.18", WAN, port=5070)
        self.alice.domain = "falco.bz"
        expect(Registration(self.alice).register().code == 200, "alice registers")
        self.devices = [Device(lab, 5080), Device(lab, 5081), Device(lab, 5082)]

    def ring(self, waits=True):
        """All ring, and the process that rang them is gone."""
        call = self.alice.invite("sip:bob@falco.bz")
        for device in self.devices:
            device.expect_invite()
            device.reply(device.invite, 180)
            call.wait_ringing()
        wait_until(lambda: len(self.redis.keys("call:*")) == 3, 5, "the store has all three")
        pid = self.edge.postern.pids()["postern-sbc"]
        os.kill(pid, signal.SIGKILL)
        if waits:
            wait_until(lambda: self.edge.postern.pids().get("postern-sbc", pid) != pid and self.edge.postern.is_up(), 10,
                       "it is back", step=0.02)
        return call

    def over(self, count):
        self.edge.wait_no_call()
        ended = [line for line in self.edge.postern.process.log().split("\n") if " call.ended " in line]
        expect(len(ended) == count, "one CDR a call: %s" % ended)
        wait_until(lambda: not self.redis.keys("call:*"), 5, lambda: "no record is left: %s" % self.redis.keys("call:*"))
        held = self.edge.postern.ask("show stats")["calls"]
        expect(held["live"] == 0, "nothing is held: %s" % held)


def refuse(device, code):
    device.reply(device.invite, code)
    device.expect_request("ACK")


def ack(call):
    call.write("ACK", 1, branch=call.branch if call.answer.code >= 300 else None)


def answered(bob, device):
    device.reply(device.invite, 200, body=True)
    device.expect_request("ACK")


def run(lab):
    bob = Bob(lab)
    one, two, three = bob.devices
    # one answers
    call = bob.ring()
    answered(bob, two)
    call.wait_final(200)
    ack(call)
    for device in (one, three):
        device.expect_cancel()
    wait_until(lambda: len(bob.redis.keys("call:*")) == 1, 5, "one call is left in the store")
    cseq = call.begin("BYE")
    two.reply(two.expect_request("BYE"), 200)
    expect(call.final("BYE", cseq).code == 200, "BYE is answered")
    bob.over(1)
    # one declines before anything is taken up, another one answers
    call = bob.ring(waits=False)
    refuse(one, 486)
    expect(not [m for m in bob.alice.inbox if not m.is_request and m.code >= 300], "the others ring on")
    answered(bob, three)
    call.wait_final(200)
    ack(call)
    two.expect_cancel()
    cseq = call.begin("BYE")
    three.reply(three.expect_request("BYE"), 200)
    expect(call.final("BYE", cseq).code == 200, "BYE is answered")
    bob.over(2)
    # the caller cancels
    call = bob.ring()
    call.cancel()
    for device in bob.devices:
        device.expect_cancel()
    call.wait_final(487)
    ack(call)
    bob.over(3)
    # all decline
    call = bob.ring(waits=False)
    for device, code in zip(bob.devices, (480, 486, 500)):
        refuse(device, code)
    call.wait_final(486)
    ack(call)
    bob.over(4)
    for phone in [bob.alice] + bob.devices:
        phone.close()
    bob.edge.postern.stop()
