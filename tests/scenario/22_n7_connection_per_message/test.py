# SPDX-License-Identifier: Apache-2.0
"""N7: a client that opens a new TCP connection for every message: each is matched to its transaction
and dialog, and the idle connections end."""
import os
import re
import socket

from lib.baresip import Baresip
from lib.edge import Edge, WAN, expect
from lib.phone import Phone

LONG = True


def run(lab):
    edge = Edge(lab, phones=False)
    desk = edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20")
    desk.wait_registered(15)
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN, transport="tcp-each")
    phone.register("example.com", "secret")
    call = phone.invite("sip:desk@example.com")
    desk.wait_event("CALL_INCOMING", 10)
    desk.answer()
    call.wait_final(200)
    call.ack()
    desk.wait_event("CALL_ESTABLISHED", 10)
    answer = call.request("BYE")
    expect(answer.code == 200, "200 to the BYE sent on yet another connection, got %s" % answer.first_line)
    desk.wait_event("CALL_CLOSED", 10)
    expect(phone.connections >= 5, "a connection per message (%d)" % phone.connections)
    phone.register("example.com", "secret", expires=0)
    phone.close()
    edge.wait_no_call()
    edge.finish(linger=os.environ["POSTERN_WORKERS"] == "2")
