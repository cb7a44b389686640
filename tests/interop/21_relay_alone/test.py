# SPDX-License-Identifier: Apache-2.0
"""Our relay by itself, asked in NG, with bare sockets as the two parties: what a client of the
protocol can rely on, packet by packet."""
import os
import socket
import struct
import time

from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.relay import Bench, Party

WORKERS = [1]
LONG = True


def both_ways(a, b, count=10):
    a.rtp(count)
    b.rtp(count)
    got = len(a.received()), len(b.received())
    return got


def plain(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b)
    expect(both_ways(a, b) == (10, 10), "every packet both ways, from the first")
    a.rtcp()
    b.rtcp()
    expect(len(a.received(1)) == 1 and len(b.received(1)) == 1, "RTCP on the next port")
    source = b.sockets[0].getsockname()
    a.rtp()
    expect(b.received()[0][1] == b.relay, "packets come from the port that the SDP names (%s)" % (source,))
    reply = bench.hangup(a, b)
    expect(reply["totals"]["RTP"]["packets"] == 21, "the last numbers: %s" % reply["totals"])


def muxed_on_one_side(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b, "a=rtcp-mux\r\n", rtcp_mux=["demux"])
    expect("rtcp-mux" not in bench.offered and "rtcp-mux" in bench.answered, "accepted inside, not offered outside")
    a.rtp(3)
    a.rtcp(mux=True)
    b.rtp(3)
    b.rtcp()
    expect(len(b.received(1)) == 1, "RTCP of the muxed side leaves on a port of its own")
    got = [d for d, _ in a.received(0)]
    expect(len(got) == 4 and any(d[1] == 201 for d in got), "RTCP comes in on the shared port")
    bench.hangup(a, b)


def bridged_families(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "2001:db8:1::1", 5000)
    bench.call(a, b, address_family="IP6")
    expect("c=IN IP6 2001:db8:1::10" in bench.offered and "c=IN IP4 10.0.0.1" in bench.answered, "each side its family")
    expect(both_ways(a, b) == (10, 10), "IPv4 to IPv6 and back")
    bench.hangup(a, b)


def held(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b)
    both_ways(a, b, 3)
    bench.ng.must("offer", call_id=bench.id, from_tag="b", to_tag="a", sdp=b.sdp("a=sendonly\r\n"))
    expect(both_ways(a, b, 3) == (3, 3), "an offer alone changes nothing")
    bench.ng.must("answer", call_id=bench.id, from_tag="b", to_tag="a", sdp=a.sdp("a=recvonly\r\n"))
    expect(both_ways(a, b, 3) == (3, 0), "hold: one way")
    time.sleep(5)  # longer than the idle time-out
    expect(bench.ng.must("query", call_id=bench.id), "silence does not end a held call")
    bench.ng.must("offer", call_id=bench.id, from_tag="b", to_tag="a", sdp=b.sdp())
    bench.ng.must("answer", call_id=bench.id, from_tag="b", to_tag="a", sdp=a.sdp())
    expect(both_ways(a, b, 3) == (3, 3), "resume")
    bench.hangup(a, b)


def fax(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b, media="image %d udptl t38")
    for n in range(4):
        a.sockets[0].sendto(b"\x00%cfax" % n, a.relay)
        time.sleep(0.01)
    expect(len(b.received()) == 4, "UDPTL passes as it is")
    bench.hangup(a, b)


def srtp_ends_here(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    bench.call(a, b, key, key, media="audio %d RTP/SAVP 8")
    for said in (bench.offered, bench.answered):
        expect("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" in said and key not in said, "keys of our own: " + said)
    expect(both_ways(a, b, 5) == (0, 0), "what is not authentic is not relayed, though both keys are equal")
    a.rtcp(body=struct.pack("!BBHI", 0x81, 201, 7, a.ssrc) + os.urandom(40))
    expect(not b.received(1), "SRTCP neither")
    shown = bench.relay.ask_relay("show call " + bench.id)
    expect("srtp-auth" in str(shown), "and the drop has a name: %s" % shown)
    bench.hangup(a, b)


def learned_behind_a_nat(bench, lab):
    a = Party(lab, "desk", "10.0.0.30", 4000)
    b = Party(lab, "inet", "203.0.113.1", 5000, said="192.168.7.7", said_port=9000)
    stranger = Party(lab, "inet", "81.56.73.1", 6000)
    bench.count += 1
    bench.id = "call-%d" % bench.count
    # The phone outside calls; its INVITE came from 203.0.113.1.
    reply = bench.ng.must("offer", call_id=bench.id, from_tag="a", sdp=b.sdp(), direction=["wan", "lan"],
                          received_from=["IP4", "203.0.113.1"], flags=["SIP-source-address"])
    a.peer(reply)
    b.peer(bench.ng.must("answer", call_id=bench.id, from_tag="a", to_tag="b", sdp=a.sdp()))
    stranger.relay = b.relay
    stranger.rtp(20)
    a.rtp(2)
    expect(not a.received() and not stranger.received(), "a stranger is neither heard nor served")
    b.rtp(5)
    expect(len(a.received()) == 4, "the second packet confirms the source, and all from there pass")
    a.rtp(5)
    stranger.rtp(20)
    expect(len(b.received()) == 5 and not a.received() and not stranger.received(), "the phone gets its media, nobody else")
    call = bench.relay.ask_relay("show call " + bench.id)
    flow = call["dialogs"][0]["streams"][0]["sides"][0]["rtp"]
    expect(flow["source"] == "203.0.113.1:5000" and flow["hijack_attempts"] >= 20, "who tried is counted: %s" % flow)
    # Held by the other side, the phone only listens: it is not forgotten, and hears the music.
    bench.ng.must("offer", call_id=bench.id, from_tag="b", to_tag="a", sdp=a.sdp("a=sendonly\r\n"))
    bench.ng.must("answer", call_id=bench.id, from_tag="b", to_tag="a", sdp=b.sdp("a=recvonly\r\n"),
                  received_from=["IP4", "203.0.113.1"], flags=["SIP-source-address"])
    time.sleep(5.5)
    a.rtp(3)
    expect(len(b.received()) == 3, "music on hold finds the silent phone")
    bench.hangup(a, b, stranger)


def back_through_the_pbx(bench, lab):
    """Both phones are outside; the PBX hands the SDP of one call to the other, so our two inner sides face each other."""
    one, two = Party(lab, "inet", "203.0.113.1", 5000), Party(lab, "inet", "203.0.113.1", 5010)
    ng = bench.ng
    inner = ng.must("offer", call_id="in", from_tag="a", sdp=one.sdp(), direction=["wan", "lan"])["sdp"]
    two.peer(ng.must("offer", call_id="out", from_tag="p", sdp=inner, direction=["lan", "wan"]))
    inner = ng.must("answer", call_id="out", from_tag="p", to_tag="b", sdp=two.sdp())["sdp"]
    one.peer(ng.must("answer", call_id="in", from_tag="a", to_tag="q", sdp=inner))
    expect(both_ways(one, two) == (10, 10), "through the relay twice")
    one.rtcp()
    expect(len(two.received(1)) == 1, "RTCP as well")
    for call in ("in", "out"):
        ng.must("delete", call_id=call)
    one.close()
    two.close()


def silence(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    first = bench.ng.must("ping")
    bench.call(a, b)
    both_ways(a, b, 3)

    def ended():
        pong = bench.ng.must("ping", since=first["sequence"])
        expect(pong["instance"] == first["instance"], "the same relay")
        return bench.id.encode() in pong["ended"]
    wait_until(ended, 10, "the call ends by silence and ping says so", step=0.2)
    expect(bench.ng.request("query", call_id=bench.id)["error-reason"] == b"Unknown call-id", "it is gone")
    a.close()
    b.close()


def full_range(bench, lab):
    a = Party(lab, "desk", "10.0.0.30", 4000)
    replies = [bench.ng.request("offer", call_id="full-%d" % n, from_tag="a", sdp=a.sdp(), direction=["lan", "wan"])
               for n in range(105)]
    full = [r for r in replies if r["result"] != b"ok"]
    expect(full and full[-1]["error-reason"] == b"Ran out of ports" and b"of 200 ports in use" in full[-1]["detail"],
           "the reason names the range: %s" % full[-1:])
    for n in range(105):
        bench.ng.request("delete", call_id="full-%d" % n, flags=["fast"])
    a.close()


def foreign_control(bench, lab):
    s = lab.socket("inet", socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    s.sendto(b"1 d7:command4:pinge", ("203.0.113.10", 2223))
    try:
        raise LabError("the control port answers the outside: %r" % (s.recvfrom(2048),))
    except (socket.timeout, ConnectionRefusedError):
        pass
    s.close()


def privileges(bench, lab):
    """No root after start; one capability in the control thread, none in the others."""
    pid = bench.relay.process.pid
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as f:
            status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        allowed = 1 << 12 if int(task) == pid else 0  # CAP_NET_ADMIN
        expect("0" not in status["Uid"].split(), "thread %s (%s) is not root" % (task, status["Name"].strip()))
        expect(int(status["CapEff"], 16) & ~allowed == 0 and int(status["CapPrm"], 16) & ~allowed == 0,
               "thread %s (%s) has no more capabilities than it needs: %s" % (task, status["Name"].strip(), status["CapEff"]))


def run(lab):
    lab.edge()
    lab.run("inet", "ip", "addr", "add", "81.56.73.1/24", "dev", "s0", check=False)
    for driver in ("auto", "af_packet"):
        bench = Bench(lab, driver)
        for case in (privileges, plain, muxed_on_one_side, bridged_families, held, fax, srtp_ends_here, learned_behind_a_nat,
                     back_through_the_pbx, silence, foreign_control, full_range):
            try:
                case(bench, lab)
            except LabError as e:
                raise LabError("%s, %s: %s\n%s" % (driver, case.__name__, e, bench.relay.ask_relay("show calls")))
        bench.relay.check_idle(20)
        expect(bench.relay.relay_stats()["totals"]["lost"] == 0, "nothing was lost here")
        bench.relay.stop()
