# SPDX-License-Identifier: Apache-2.0
"""N4: a firewall without connection tracking lets UDP in and none out, not even replies; TCP goes out. With
`send: tcp` and `send-replies: tcp` calls work in both directions."""
import socket
import time

from lib.baresip import Baresip
from lib.lab import LabError
from lib.edge import Edge, expect
from lib.phone import parse

CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1, send: tcp, send-replies: tcp}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
FIREWALL = """table inet wall { chain out {
    type filter hook output priority 0;
    oifname lan udp dport 5060 drop
    oifname lan udp dport 5070 drop
    oifname lan udp sport 5060 drop
  }
}
"""


def reply_by_tcp(lab, source_port, via_port):
    """An OPTIONS by UDP from one port, a reply by TCP to the port that its Via names."""
    listener = lab.socket("desk", socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("10.0.0.30", via_port))
    listener.listen(4)
    listener.settimeout(1)
    udp = lab.socket("desk", socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("10.0.0.30", source_port))
    request = ("OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.30:%d;branch=z9hG4bK%x;rport\r\n"
               "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:10.0.0.1>\r\nCall-ID: %x\r\n"
               "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (via_port, time.monotonic_ns(), time.monotonic_ns())).encode()
    for _ in range(5):  # a connection of before may break under the first reply: over UDP one asks again
        udp.sendto(request, ("10.0.0.1", 5060))
        try:
            connection, source = listener.accept()
            break
        except socket.timeout:
            continue
    else:
        raise LabError("no reply by TCP")
    connection.settimeout(5)
    message = parse(connection.recv(65536))
    expect(source[0] == "10.0.0.1" and message.code >= 200 and message.method == "OPTIONS", message.first_line)
    for s in (listener, udp, connection):
        s.close()


def run(lab):
    edge = Edge(lab, CONFIG, phones=False)
    lab.nft("sbc", FIREWALL)
    reply_by_tcp(lab, 5070, 5070)
    reply_by_tcp(lab, 5071, 5070)
    edge.home = Baresip(lab, "home", "home", "example.com", proxy="203.0.113.10", hertz=440)
    edge.desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=1000)
    edge.home.wait_registered(15)
    edge.desk.wait_registered(15)
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.home, edge.desk)
    edge.desk.hangup()
    edge.wait_no_call()
    edge.home.stop()
    edge.desk.stop()
    edge.pbx.stop()  # it ends the connections that we opened to it
    edge.finish()
    sent = [m for m in edge.lan.messages() if m.source == "10.0.0.1"]
    expect(sent and {m.transport for m in sent} == {"TCP"}, "all of ours by TCP")
