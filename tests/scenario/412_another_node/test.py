# SPDX-License-Identifier: Apache-2.0
"""A node dies whole, and another one with its addresses and the same Redis goes on: a call is taken over by the first
message in it, another one is swept when the dead node's heartbeat has ended, and each has one CDR."""
from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import Postern, SHORTEST
from lib.redis import Redis

WORKERS = [2]
LONG = True
TIMEOUT = 120


def ended(*nodes):
    return [line for node in nodes for line in node.process.log().split("\n") if " call.ended " in line]


def run(lab):
    redis = Redis(lab)
    text = SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket
    edge = Edge(lab, text + "node: {name: a}\n")
    a = edge.postern
    edge.establish(edge.home, edge.desk)
    a.gone(a.power_failure())
    # by the first message, before anybody knows that the node is dead
    edge.postern = b = Postern(lab, text + "node: {name: b}\n", name="b")
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    expect(len(ended(a, b)) == 1 and 'cause="hung up"' in ended(b)[0], "one CDR, of the second node: %s" % ended(a, b))
    # swept
    wait_until(lambda: b.ask("show registrations"), 10, "the phone of the dead node is known here")
    edge.establish(edge.home, edge.desk)
    b.gone(b.power_failure())
    edge.postern = c = Postern(lab, text + "node: {name: c}\n", name="c")
    wait_until(lambda: len(edge.live_calls()) == 1, 10, "the dead node's call is here")
    expect(" node.lost " in c.process.log(), "as its heartbeat has ended")
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10, count=2)
    edge.wait_no_call()
    expect(len(ended(a, b, c)) == 2, "one CDR each: %s" % ended(a, b, c))
    wait_until(lambda: not redis.keys("call:*"), 5, "no record is left: %s" % redis.keys("call:*"))
    for phone in (edge.home, edge.desk):
        phone.stop()
    c.stop()
