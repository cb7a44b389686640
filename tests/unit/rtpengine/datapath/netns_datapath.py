#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""netns_datapath.py RELAY DRIVER [TEST...] - the datapath on real veth pairs: what kernel sockets on both
sides send and receive, so that the kernel judges every checksum. Needs root; skipped without. TAP on
standard output."""
import os, select, signal, socket, sys, time

sys.dont_write_bytecode = True
from netns_lab import (DRIVER, PREFIX, RELAY, SLOW, Inside, Relay, clean, drain, eq, exchange, pair, rtcp, rtp, sh,
                       topology, udp)


def test_both_ways_ipv4(r):
    a, b = pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    exchange(r, udp("L", "10.91.1.2", 4000), ("10.91.1.1", 30000), udp("W", "10.91.2.2", 5000), ("10.91.2.1", 30000))
    st = r.stats(a)
    eq((st["packets"], st["lost"], st["source"]), ("200", "0", "10.91.1.2:4000"))


def test_both_ways_ipv6(r):
    pair(r, "[fd91:1::1]:30000", "[fd91:1::2]:4000", "[fd91:2::1]:30000", "[fd91:2::2]:5000")
    exchange(r, udp("L", "fd91:1::2", 4000), ("fd91:1::1", 30000), udp("W", "fd91:2::2", 5000), ("fd91:2::1", 30000))


def test_ipv4_to_ipv6(r):
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "[fd91:2::1]:30000", "[fd91:2::2]:5000")
    exchange(r, udp("L", "10.91.1.2", 4000), ("10.91.1.1", 30000), udp("W", "fd91:2::2", 5000), ("fd91:2::1", 30000))


def test_behind_a_gateway(r):
    pair(r, "10.91.1.1:30000", "10.91.9.1:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    exchange(r, udp("L", "10.91.9.1", 4000), ("10.91.1.1", 30000), udp("W", "10.91.2.2", 5000), ("10.91.2.1", 30000), 50)


def test_dscp_is_set(r):
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    s, d = udp("L", "10.91.1.2", 4000), udp("W", "10.91.2.2", 5000)
    s.sendto(rtp(1), ("10.91.1.1", 30000))
    select.select([d], [], [], 2)
    _, ancillary, _, _ = d.recvmsg(2048, 512)
    eq([x[2][0] for x in ancillary if x[1] == socket.IP_TOS], [46 << 2])


def test_learns_a_natted_source(r):
    a, b = r.open("10.91.1.1:30000"), r.open("10.91.2.1:30000")
    r.set(a, expected="10.91.1.2:4000", remote="10.91.1.2:4000", to=b)
    r.set(b, expected="10.91.2.2:0", to=a)
    s, d = udp("L", "10.91.1.2", 4000), udp("W", "10.91.2.2", 6001)
    evil = udp("W", "10.91.2.66", 7000)
    s.sendto(rtp(1), ("10.91.1.1", 30000))
    for i in range(20):
        evil.sendto(rtp(i, ssrc=66), ("10.91.2.1", 30000))
    eq(drain(s), [], "nothing of a stranger, before")
    for i in range(10):
        d.sendto(rtp(100 + i), ("10.91.2.1", 30000))
        time.sleep(0.002)
    eq([x[0] for x in drain(s)], [rtp(100 + i) for i in range(1, 10)], "one packet of probation")
    s.sendto(rtp(2), ("10.91.1.1", 30000))
    eq([x[0] for x in drain(d)], [rtp(2)], "back to what was learned")
    for i in range(20):
        evil.sendto(rtp(i, ssrc=66), ("10.91.2.1", 30000))
    eq(drain(s), [], "nothing of a stranger, after")
    eq(drain(evil), [], "nothing to a stranger")
    st = r.stats(b)
    eq((st["hijack"], st["source"], st["drop.probation"]), ("40", "10.91.2.2:6001", "1"))
    assert "locked:%s:10.91.2.2:6001" % b in r.cmd("events")
    # the NAT re-maps in mid-call
    time.sleep(0.4)
    d2 = udp("W", "10.91.2.2", 6002)
    for i in range(10):
        d2.sendto(rtp(110 + i), ("10.91.2.1", 30000))
        time.sleep(0.002)
    eq(len(drain(s)), 9, "after the re-mapping")
    s.sendto(rtp(3), ("10.91.1.1", 30000))
    eq(len(drain(d2)), 1, "follows the re-mapping")
    eq(r.stats(b)["source"], "10.91.2.2:6002")


def test_rtcp_on_the_odd_port(r):
    a, b = pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    c, d = r.open("10.91.1.1:30001"), r.open("10.91.2.1:30001")
    r.set(c, kind="rtcp", expected="10.91.1.2:4001", remote="10.91.1.2:4001", rtcp_to=d, rtp_of=a)
    r.set(d, kind="rtcp", expected="10.91.2.2:0", rtcp_to=c, rtp_of=b)
    s, t, tr = udp("L", "10.91.1.2", 4001), udp("W", "10.91.2.2", 5555), udp("W", "10.91.2.2", 5000)
    tr.sendto(rtp(1, ssrc=77), ("10.91.2.1", 30000))
    time.sleep(0.1)
    t.sendto(rtcp(77), ("10.91.2.1", 30001))
    eq([x[0] for x in drain(s)], [rtcp(77)], "vouched for by RTP")
    s.sendto(rtcp(9), ("10.91.1.1", 30001))
    eq([x[0] for x in drain(t)], [rtcp(9)])


def test_two_calls_through_each_other(r):
    """The peer of call 1 is a port of call 2: the packet turns around inside."""
    a, b = r.open("10.91.1.1:30000", 1), r.open("10.91.2.1:30000", 1)
    c, d = r.open("10.91.2.1:30010", 2), r.open("10.91.1.1:30010", 2)
    r.set(a, expected="10.91.1.2:4000", remote="10.91.1.2:4000", to=b)
    r.set(b, expected="10.91.2.1:30010", remote="10.91.2.1:30010", to=a)
    r.set(c, expected="10.91.2.1:30000", remote="10.91.2.1:30000", to=d)
    r.set(d, expected="10.91.1.2:4010", remote="10.91.1.2:4010", to=c)
    exchange(r, udp("L", "10.91.1.2", 4000), ("10.91.1.1", 30000), udp("L", "10.91.1.2", 4010), ("10.91.1.1", 30010), 50)


def test_a_neighbour_changes_its_mac(r):
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    s, d = udp("L", "10.91.1.2", 4000), udp("W", "10.91.2.2", 5000)
    args = (r, s, ("10.91.1.1", 30000), d, ("10.91.2.1", 30000), 20)
    exchange(*args)
    sh("ip netns exec %sW sysctl -qw net.ipv4.conf.wan0.arp_notify=1" % PREFIX)
    sh("ip -n %sW link set wan0 address 02:00:00:00:77:%02x" % (PREFIX, os.getpid() % 250))
    time.sleep(0.2)
    exchange(*args)


def test_our_mac_changes(r):
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    args = (r, udp("L", "10.91.1.2", 4000), ("10.91.1.1", 30000), udp("W", "10.91.2.2", 5000), ("10.91.2.1", 30000), 20)
    exchange(*args)
    sh("ip netns exec %sR sysctl -qw net.ipv4.conf.rlan0.arp_notify=1" % PREFIX)
    sh("ip -n %sR link set rlan0 address 02:00:00:00:66:%02x" % (PREFIX, os.getpid() % 250))
    time.sleep(0.3)
    exchange(*args)
    assert "02:00:00:00:66" in sh("ip -n %sL neigh show 10.91.1.1" % PREFIX)


def test_a_route_comes_and_goes(r):
    a, b = pair(r, "10.91.1.1:30000", "10.91.9.1:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    s, d = udp("L", "10.91.9.1", 4000), udp("W", "10.91.2.2", 5000)
    args = (r, s, ("10.91.1.1", 30000), d, ("10.91.2.1", 30000), 20)
    exchange(*args)
    sh("ip -n %sR route del 10.91.9.0/24" % PREFIX)
    time.sleep(0.3)
    d.sendto(rtp(1), ("10.91.2.1", 30000))
    eq(drain(s, 0.1), [])
    eq(r.stats(b).get("drop.no-route"), "1")
    sh("ip -n %sR route add 10.91.9.0/24 via 10.91.1.2" % PREFIX)
    time.sleep(0.3)
    exchange(*args)


def test_the_kernel_keeps_the_rest(r):
    sh("ip -n %sL neigh flush all" % PREFIX)  # so that ARP must work too
    with Inside("R"):
        k = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        k.bind(("10.91.1.1", 5060))
    udp("L", "10.91.1.2", 5060).sendto(b"OPTIONS", ("10.91.1.1", 5060))
    k.settimeout(5 * SLOW)
    eq(k.recv(100), b"OPTIONS")
    big = b"\x75\x94" * 2000  # in fragments; where a port would be, those without a header say 30100
    udp("L", "10.91.1.2", 5061).sendto(big, ("10.91.1.1", 5060))
    assert k.recv(5000) == big


def test_no_icmp_for_media(r):
    for peer, ours in (("10.91.1.2", "10.91.1.1"), ("fd91:1::2", "fd91:1::1")):
        s = udp("L", peer, 4000)
        s.connect((ours, 30500))  # a connected socket reports ICMP port unreachable
        for _ in range(3):
            s.send(rtp(1))
            time.sleep(0.05)
    assert int(r.totals()["drop.no-flow"]) >= 6


def test_a_flood_leaves_no_mark(r):
    """More at once than rings and pool hold; then all is as before (the drivers' rings refill)."""
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    s, d = udp("L", "10.91.1.2", 4000), udp("W", "10.91.2.2", 5000)
    os.kill(r.p.pid, signal.SIGSTOP)  # so that all rings run full
    for i in range(6000):
        s.sendto(rtp(i), ("10.91.1.1", 30000))
        d.sendto(rtp(i), ("10.91.2.1", 30000))
    os.kill(r.p.pid, signal.SIGCONT)
    for i in range(20000):
        s.sendto(rtp(i), ("10.91.1.1", 30000))
        d.sendto(rtp(i), ("10.91.2.1", 30000))
    drain(s), drain(d)
    exchange(r, s, ("10.91.1.1", 30000), d, ("10.91.2.1", 30000), 300)


def coalescing(device):
    return sh("ip netns exec %sR sh -c 'cat /sys/class/net/%s/gro_flush_timeout /sys/class/net/%s/napi_defer_hard_irqs'"
              % (PREFIX, device, device)).split()


def test_coalesces_while_there_are_calls(r):
    eq(coalescing("rlan0"), ["0", "0"])
    a, b = pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    eq(coalescing("rlan0"), ["1000000", "1"])
    r.cmd("close " + a)
    eq(coalescing("rlan0"), ["1000000", "1"])
    r.cmd("close " + b)
    eq(coalescing("rlan0"), ["0", "0"])
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")  # stop must put it back


def test_stops_coalescing_at_once_when_crowded(r):
    """A rate that comes from nothing must not wait for the next look at the rates: the device's ring is small."""
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    s = udp("L", "10.91.1.2", 4000)
    for state in (["0", "0"], ["1000000", "1"]):  # and coalesces again when it is over
        if state[0] == "0":
            os.kill(r.p.pid, signal.SIGSTOP)
            for i in range(150):
                s.sendto(rtp(i), ("10.91.1.1", 30000))
                time.sleep(0.0001)
            os.kill(r.p.pid, signal.SIGCONT)
        until = time.time() + (0.5 if state[0] == "0" else 4) * SLOW
        while coalescing("rlan0") != state and time.time() < until:
            time.sleep(0.02)
        eq(coalescing("rlan0"), state)


def test_idle_costs_nothing(r):
    pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
    tasks = ["/proc/%d/task/%s/schedstat" % (r.p.pid, t) for t in os.listdir("/proc/%d/task" % r.p.pid)]
    time.sleep(0.2)
    used = lambda: sum(int(open(t).read().split()[0]) for t in tasks)
    before = used()
    time.sleep(2)
    share = (used() - before) / 2e9
    assert share < 0.01, "%.2f %% of a core while idle" % (share * 100)


def with_relay(test, **more):
    def run():
        r = Relay(**more)
        assert r.first == "ready", r.first
        try:
            test(r)
            t = r.settle()
            eq(t["mbufs"], "0", "mbufs at the end (%s)" % t)
            if DRIVER != "auto":
                eq({t["rlan0"], t["rwan0"]}, {DRIVER}, "driver")
        except BaseException:
            print("# " + r.cmd("totals"))
            raise
        finally:
            code = r.stop()
        eq(code, 0, "exit status")
        eq(set(coalescing("rlan0") + coalescing("rwan0")), {"0"}, "settings put back")
        assert "xdp" not in sh("ip -n %sR link show rlan0" % PREFIX), "a program was left"
        eq(sh("ip netns exec %sR nft list tables" % PREFIX).strip(), "", "tables left")
    return run


def many(cores):
    """Several calls on several lcores, at once."""
    def test(r):
        calls = []
        for i in range(8):
            p = 30000 + 2 * i
            pair(r, "10.91.1.1:%d" % p, "10.91.1.2:%d" % (4000 + i), "10.91.2.1:%d" % p, "10.91.2.2:%d" % (5000 + i), affinity=i)
            calls.append((udp("L", "10.91.1.2", 4000 + i), udp("W", "10.91.2.2", 5000 + i), p))
        for n in range(100):
            for s, d, p in calls:
                s.sendto(rtp(n), ("10.91.1.1", p))
                d.sendto(rtp(n), ("10.91.2.1", p))
            time.sleep(0.002)
        for s, d, p in calls:
            eq([x[0] for x in drain(s, 0.1)], [rtp(n) for n in range(100)], "back, port %d" % p)
            eq([x[0] for x in drain(d, 0.1)], [rtp(n) for n in range(100)], "forth, port %d" % p)
        if cores > 1:
            assert int(r.totals()["handed_over"]) > 0
    return test


def dropped(how):
    def test(r):
        eq(r.cmd("drop " + how), "ok")
        sh("ip -n %sR neigh flush all" % PREFIX)
        pair(r, "10.91.1.1:30000", "10.91.1.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
        time.sleep(0.3)
        exchange(r, udp("L", "10.91.1.2", 4000), ("10.91.1.1", 30000), udp("W", "10.91.2.2", 5000), ("10.91.2.1", 30000), 50)
    return test


def test_killed_and_started_again():
    r = Relay()
    eq(r.first, "ready")
    second = Relay()
    assert "another postern-rtpengine" in second.first, second.first
    second.p.wait(timeout=10)
    r.stop(kill=True)
    with_relay(test_both_ways_ipv4)()


def test_stays_usable_after_losing_its_rights():
    r = Relay()
    eq(r.first, "ready")
    dropped("nothing")(r)
    r.stop()
    with_relay(test_the_kernel_keeps_the_rest)()


def test_on_loopback():
    r = Relay(addresses=["127.0.0.1", "127.0.0.2", "[::1]"])
    eq(r.first, "ready")
    try:
        pair(r, "127.0.0.1:30000", "127.0.0.1:4000", "127.0.0.2:30000", "127.0.0.1:5000")
        exchange(r, udp("R", "127.0.0.1", 4000), ("127.0.0.1", 30000), udp("R", "127.0.0.1", 5000), ("127.0.0.2", 30000), 50)
        pair(r, "127.0.0.1:30010", "127.0.0.1:4010", "[::1]:30010", "[::1]:5010")
        exchange(r, udp("R", "127.0.0.1", 4010), ("127.0.0.1", 30010), udp("R", "::1", 5010), ("::1", 30010), 50)
        eq(r.settle()["mbufs"], "0")
    except BaseException:
        print("# " + r.cmd("totals"))
        raise
    finally:
        r.stop()


def on_device(name, setup):
    """The LAN side on a device of another kind, 10.91.5.1 against 10.91.5.2."""
    def test():
        for line in setup.strip().splitlines():
            sh(line.strip().format(R="ip -n %sR" % PREFIX, L="ip -n %sL" % PREFIX, l=PREFIX + "L"))
        r = Relay(addresses=["10.91.5.1", "10.91.2.1"])
        try:
            eq(r.first, "ready")
            pair(r, "10.91.5.1:30000", "10.91.5.2:4000", "10.91.2.1:30000", "10.91.2.2:5000")
            exchange(r, udp("L", "10.91.5.2", 4000), ("10.91.5.1", 30000), udp("W", "10.91.2.2", 5000), ("10.91.2.1", 30000), 200)
            eq(r.settle()["mbufs"], "0")
        finally:
            r.stop()
            sh("ip -n %sR link del %s" % (PREFIX, name))
    return test


BRIDGE = """{R} link add br5 type bridge
            {R} link add br5p type veth peer name lan6 netns {l}
            {R} link set br5p master br5
            {R} addr add 10.91.5.1/24 dev br5
            {L} addr add 10.91.5.2/24 dev lan6
            {R} link set br5p up
            {R} link set br5 up
            {L} link set lan6 up"""


def test_falls_back_where_xdp_is_denied():
    r = Relay(driver="auto", under=("setpriv", "--bounding-set", "-bpf,-sys_admin,-perfmon"))
    eq(r.first, "ready")
    try:
        test_both_ways_ipv4(r)
        eq(r.totals()["rlan0"], "af_packet")
        assert "datapath.fallback" in open("/tmp/%s.log" % PREFIX).read()
    finally:
        r.stop()


def test_errors_are_one_line():
    for args, text in ((dict(addresses=["10.99.9.9"]), "no device has the address 10.99.9.9"),
                       (dict(cores=(99,)), "CPU 99"),
                       (dict(addresses=["10.91.1.1", "10.91.1.1"]), "share the address"),
                       (dict(addresses=["0.0.0.0"]), "wildcard")):
        r = Relay(**args)
        assert r.first.startswith("failed: ") and text in r.first, r.first
        eq(r.p.wait(timeout=10), 1)


TESTS = [(n[5:], with_relay(f)) for n, f in list(globals().items()) if n.startswith("test_") and f.__code__.co_argcount == 1]
TESTS += [("cores_%d" % len(c), with_relay(many(len(c)), cores=c)) for c in ((1,), (0, 1), (0, 1, 0, 1))]
TESTS += [("spinning", with_relay(test_both_ways_ipv4, batch=0)), ("rights_kept", with_relay(dropped("keep")))]
TESTS += [("on_a_bridge", on_device("br5", BRIDGE))]
TESTS += [(n[5:], f) for n, f in list(globals().items()) if n.startswith("test_") and f.__code__.co_argcount == 0]


def main():
    if os.geteuid() != 0:
        print("Bail out! namespaces and XDP need root: sudo ./run tests")
        return 1
    only = sys.argv[3:]
    failed = 0
    tests = [t for t in TESTS if not only or t[0] in only]
    print("1..%d" % len(tests), flush=True)
    try:
        topology()
        for i, (name, test) in enumerate(tests, 1):
            signal.alarm(int(60 * SLOW))
            try:
                test()
                print("ok %d - %s" % (i, name), flush=True)
            except BaseException as e:  # noqa: one failed test must not hide the next
                failed += 1
                print("not ok %d - %s\n# %s: %s" % (i, name, type(e).__name__, str(e)[:600]), flush=True)
                print("# " + open("/tmp/%s.log" % PREFIX).read()[-6000:].replace("\n", "\n# "), flush=True)
    finally:
        clean()
        if os.path.exists("/tmp/%s.log" % PREFIX):
            os.unlink("/tmp/%s.log" % PREFIX)
    return 1 if failed else 0


signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("too slow")))
sys.exit(main())
