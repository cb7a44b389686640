# SPDX-License-Identifier: Apache-2.0
"""Interfaces, listeners, media ports and a domain come and go while people speak. What cannot be opened is refused whole, in
one line. Over an interface that is gone its call goes on, nothing new begins, and its listeners close behind the last
one; descriptors are back where they were."""
import os
import socket
import subprocess

from lib.callee import Callee
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.phone import Phone
from lib.postern import binaries

WORKERS = [4]
DMZ = "203.0.113.12"
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10%s}
%speers:
  pbx: {interface: lan, address: 10.0.0.20}
  machine: {interface: lan, address: "10.0.0.30:5090"}
%s%s"""
SIDE = "  dmz: {address: 203.0.113.12, listen: [udp/5062, tcp/5062, udp/5060]%s}\n"
CARRIER = "  carrier: {interface: dmz, address: 198.51.100.66}\n"
ROUTES = "phones: [{from: wan, registrar: pbx}]\nroutes:\n  - {from: phones, to: pbx}\n" \
         "  - {from: pbx, registered: true, to: phones}\n"
INWARD = "  - {from: carrier, to: machine}\n"


def config(wan="", side="", carrier="", inward=""):
    return CONFIG % (wan, side, carrier, ROUTES + inward)


WHOLE = dict(side=SIDE % "", carrier=CARRIER, inward=INWARD)


def run(lab):
    lab.edge(stranger=True)
    for address in ("203.0.113.11", DMZ):
        lab.run("sbc", "ip", "addr", "add", address + "/24", "dev", "wan")
    lab.edge = lambda stranger=False: None  # made already
    edge = Edge(lab, config())
    postern = edge.postern
    with open(postern.path) as f:
        own = f.read()[len(config()):]

    def reload(**parts):
        with open(postern.path, "w") as f:
            f.write(config(**parts) + own)
        return subprocess.run([os.path.join(binaries(), "control/cli/postern"), "reload", "-c", postern.path],
                              capture_output=True, text=True, timeout=20)

    def sides():
        return {i["name"]: i for i in postern.ask("show interfaces") if not i.get("removed")}

    def accepts(address, port):
        s = lab.socket("stranger", socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(2)
        try:
            return s.connect_ex((address, port)) == 0
        finally:
            s.close()
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    before = postern.settled()["fds"]

    taken = lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind((DMZ, 5062))
    said = reload(**WHOLE)
    expect(said.returncode == 1 and "cannot listen on udp 203.0.113.12:5062" in said.stderr and
           "another program" in said.stderr, "a port that is taken: %s" % said)
    expect(set(sides()) == {"lan", "wan"}, "nothing has changed: %s" % sides())
    wait_until(lambda: postern.fds() == before, 5, lambda: "descriptors: %s, before %s\n%s" % (postern.fds(), before, postern.open_files()))
    taken.close()
    said = reload(side=SIDE.replace("203.0.113.12", "203.0.113.99") % "")
    expect(said.returncode == 1 and "203.0.113.99" in said.stderr, "an address that is not here: %s" % said)

    said = reload(wan=", listen: [udp/5060, tcp/5060, tcp/5070]", **WHOLE)
    expect(said.returncode == 0 and said.stdout.count("+ interfaces.dmz") == 2, "it comes: %s" % said)
    wait_until(lambda: set(sides()) == {"lan", "wan", "dmz"}, 5, "the new side")
    expect(accepts(WAN, 5070) and accepts(DMZ, 5062), "new listeners")
    edge.both_hear()
    machine = Callee(lab, "desk", "10.0.0.30", 5090)
    carrier = Phone(lab, "stranger", "caller", "198.51.100.66", DMZ)
    answered = carrier.invite("sip:machine@example.com")
    answered.wait_final(200)
    answered.ack()
    expect(DMZ + ":5060" in answered.target, "Contact of the new side: " + answered.target)

    # Other ports for new media, another domain, the new side gone: all calls go on.
    said = reload(wan=", media: {ports: 41000-41099}")
    expect(said.returncode == 0 and "- interfaces.dmz" in said.stdout, "it goes: %s" % said)
    refused = carrier.invite("sip:machine@example.com", rtp_port=40010)
    refused.wait_final(503)
    refused.ack()
    edge.both_hear()
    info = answered.request("OPTIONS")
    expect(info.code == 200, "inside the call: %s" % info.first_line)
    wait_until(lambda: not accepts(WAN, 5070) and not accepts(DMZ, 5062), 10, "listeners that nobody uses are closed")
    expect(answered.request("OPTIONS").code == 200 and postern.process.log().count("listener.closed") == 3,
           "the one with a call is not")
    expect(answered.request("BYE").code == 200, "its end")
    wait_until(lambda: postern.process.log().count("listener.closed") == 4, 5, "each is said")
    wait_until(lambda: postern.fds() == before, 10, lambda: "descriptors: %s, before %s\n%s" % (postern.fds(), before, postern.open_files()))

    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    ports = [r for r in postern.ask_relay("show stats")["ports"] if r["interface"] == "wan" and r["in_use"]]
    expect([r["ports"] for r in ports] == ["41000-41099"], "new media has the new ports: %s" % ports)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()

    # And back, as often as one likes.
    for _ in range(2):
        for parts in (WHOLE, {}):
            said = reload(**parts)
            expect(said.returncode == 0, "%s" % said)
    wait_until(lambda: postern.process.log().count("listener.closed") >= 7, 10, "closed again")
    wait_until(lambda: postern.fds() == before, 10, "descriptors as before")
    carrier.close()
    machine.close()
    edge.finish()

