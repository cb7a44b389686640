# SPDX-License-Identifier: Apache-2.0
"""N15: the NAT forgets a silent UDP binding after 8 s. Keep-alives hold it open, though the phone itself says
nothing for a while, and a call comes through; the NAT's patience is found out (between 5 and 8 s) without
ever losing the binding; a phone without NAT is sent nothing."""
import time

from lib.edge import Edge, WAN, expect, requests
from lib.lab import LabError
from lib.own import Registration, subscriber, config
from lib.phone import Phone

WORKERS = [2]
LONG = True
SILENCE = 17
NAT = "nat: {keepalive: adaptive, minimum: 5s, maximum: 40s}"


def ok(phone, request):
    vias = "".join("Via: %s\r\n" % v for v in request.all("Via"))
    return ("SIP/2.0 200 OK\r\n%sFrom: %s\r\nTo: %s;tag=k\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n" % (
        vias, request.get("From"), request.get("To"), request.get("Call-ID"), request.get("CSeq")), vias)


def port_of(via):
    """Where RFC 3261 18.2.2 wants the reply: its source port if it asked for that, else the sent-by's."""
    return None if "rport" in via else int(via.split(";")[0].rsplit(":", 1)[1])


def live(phone, seconds):
    """A phone that answers OPTIONS as its Via says and is silent otherwise. Returns the INVITE, if one comes."""
    s, asked, end = phone.sockets[0], 0, time.monotonic() + seconds
    from lib.phone import parse
    while time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            data, source = s.recvfrom(65536)
        except (TimeoutError, OSError):
            break
        if not data.startswith((b"OPTIONS", b"INVITE")):
            continue
        request = parse(data)
        if request.method == "INVITE":
            return request, asked
        asked += 1
        text, _ = ok(phone, request)
        s.sendto(text.encode(), (source[0], port_of(request.all("Via")[0]) or source[1]))
    return None, asked


def run(lab):
    for user in ("home", "open", "dead"):
        subscriber(lab, "add", user + "@falco.bz", password="secret")
    edge = Edge(lab, config(lab, wan=NAT), phones=False, pbx=False, stranger=True)
    lab.run("nat", "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=8",
            "net.netfilter.nf_conntrack_udp_timeout_stream=8")
    home = Phone(lab, "home", "home", "192.168.0.18", WAN)
    expect(Registration(home).register().code == 200, "200")
    free = Phone(lab, "stranger", "open", "198.51.100.66", WAN)
    free.domain = "falco.bz"
    expect(Registration(free).register().code == 200, "200")
    before = {r["aor"]: r for r in edge.postern.ask("show registrations")}
    expect(before["sip:home@falco.bz"]["keepalive_ms"] == 5000, "begins with the minimum")
    expect(before["sip:open@falco.bz"]["keepalive_ms"] == 0, "none for a phone without NAT")
    invite, asked = live(home, SILENCE)
    expect(not invite and 2 <= asked <= 6, "a keep-alive every 5 s or so, no more: %d" % asked)
    call = free.invite("sip:home@falco.bz")
    invite, _ = live(home, 3)
    expect(invite, "the call comes through the NAT")
    text, _ = ok(home, invite)
    home.send(text.replace("200 OK", "486 Busy Here"))
    call.wait_final(486)
    call.ack()
    expect(not requests(edge.wan.messages(), "OPTIONS", destination="198.51.100.66"), "nothing was sent in vain")
    home.close()
    free.close()
    edge.postern.stop()
