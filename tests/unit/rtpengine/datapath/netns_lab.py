# SPDX-License-Identifier: Apache-2.0
"""netns_lab.py - two veth pairs around the relay (LAN - relay - WAN), each end in a namespace of its own,
with kernel sockets that send and judge. Used by netns_datapath.py."""
import ctypes, os, select, socket, struct, subprocess, sys, time

sys.dont_write_bytecode = True
RELAY, DRIVER = sys.argv[1], sys.argv[2]
PREFIX = "dpt%d" % os.getpid()
SLOW = float(os.environ.get("DATAPATH_TEST_SLOW", "1"))  # under sanitizers
libc = ctypes.CDLL(None, use_errno=True)


def sh(command, check=True):
    return subprocess.run(command, shell=True, check=check, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL if not check else None, text=True, timeout=30).stdout


class Inside:
    """Sockets made in here belong to a namespace."""
    def __init__(self, name):
        self.name = PREFIX + name

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        fd = os.open("/run/netns/" + self.name, os.O_RDONLY)
        assert libc.setns(fd, 0) == 0
        os.close(fd)

    def __exit__(self, *_):
        libc.setns(self.home, 0)
        os.close(self.home)


def udp(where, ip, port):
    with Inside(where):
        s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if ":" not in ip:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        s.bind((ip, port))
    s.setblocking(False)
    return s


def rtp(seq, ssrc=7, payload=b"\xd5" * 160, pt=8):
    return struct.pack("!BBHII", 0x80, pt, seq & 0xffff, seq * 160 & 0xffffffff, ssrc) + payload


def rtcp(ssrc=7):
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


def drain(s, wait=0.1):
    got, end = [], time.time() + wait * SLOW
    while time.time() < end:
        if select.select([s], [], [], 0.02)[0]:
            got.append(s.recvfrom(4096))
            end = time.time() + wait * SLOW
    return got


def topology():
    """lan - relay - wan, with a second address on the WAN side for strangers."""
    for n in "LRW":
        sh("ip netns add %s%s" % (PREFIX, n))
        sh("ip -n %s%s link set lo up" % (PREFIX, n))
    for n, dev, v4, v6 in (("L", "lan0", "10.91.1.", "fd91:1::"), ("W", "wan0", "10.91.2.", "fd91:2::")):
        sh("ip -n {p}R link add r{d} type veth peer name {d} netns {p}{n}".format(p=PREFIX, d=dev, n=n))
        for ns, d, host in ((n, dev, 2), ("R", "r" + dev, 1)):
            sh("ip netns exec %s%s sysctl -qw net.ipv6.conf.%s.accept_dad=0" % (PREFIX, ns, d))
            sh("ip -n %s%s addr add %s%d/24 dev %s" % (PREFIX, ns, v4, host, d))
            sh("ip -n %s%s addr add %s%d/64 dev %s nodad" % (PREFIX, ns, v6, host, d))
            sh("ip -n %s%s link set %s up" % (PREFIX, ns, d))
    sh("ip -n %sW addr add 10.91.2.66/24 dev wan0" % PREFIX)
    # a subnet behind a gateway: the LAN host itself
    sh("ip -n %sL addr add 10.91.9.1/32 dev lo" % PREFIX)
    sh("ip -n %sR route add 10.91.9.0/24 via 10.91.1.2" % PREFIX)

    for _ in range(50):  # neighbour discovery needs its link-local addresses
        ready = [sh("ip -n %s%s -6 -o addr show scope link -tentative" % (PREFIX, n)).count("\n") for n in "LRW"]
        if ready == [1, 2, 1]:
            break
        time.sleep(0.1)


def clean():
    for n in "LRW":
        sh("ip netns del %s%s" % (PREFIX, n), check=False)


ADDRESSES = ["10.91.1.1", "10.91.2.1", "[fd91:1::1]", "[fd91:2::1]"]


class Relay:
    def __init__(self, cores=(1,), addresses=ADDRESSES, driver=DRIVER, batch=500, under=()):
        command = ["ip", "netns", "exec", PREFIX + "R", *under, RELAY, "-d", driver, "-b", str(batch)]
        for c in cores:
            command += ["-c", str(c)]
        for a in addresses:
            command += ["-i", "%s,30000,30999" % a]
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=open("/tmp/%s.log" % PREFIX, "w"), text=True, bufsize=1)
        self.first = self.p.stdout.readline().strip()

    def cmd(self, line):
        self.p.stdin.write(line + "\n")
        return self.p.stdout.readline().strip()

    def fields(self, line):
        return dict(x.split("=", 1) for x in self.cmd(line).split() if "=" in x)

    def open(self, local, affinity=1):
        r = self.cmd("open %s %d" % (local, affinity))
        assert r.isdigit(), r
        return r

    def set(self, id, kind="rtp", mode="learn", expected="-", expected2="-", remote="-", to="0",
            rtcp_to="0", rtp_of="0", epoch=1, window=0):
        r = self.cmd("set %s %s %s %s %s %s %s %s %s %d %d" % (id, kind, mode, expected, expected2,
                     remote, to, rtcp_to, rtp_of, epoch, window))
        assert r == "ok", r

    def stats(self, id):
        return self.fields("stats %s" % id)

    def totals(self):
        return self.fields("totals")

    def settle(self):
        for _ in range(50):
            t = self.totals()
            if t["mbufs"] == "0":
                return t
            time.sleep(0.05 * SLOW)
        return t

    def stop(self, kill=False):
        if kill:
            self.p.kill()
        else:
            try:
                self.cmd("quit")
            except BrokenPipeError:
                pass
        return self.p.wait(timeout=20)


def pair(relay, a_local, a_peer, b_local, b_peer, affinity=1, **more):
    a, b = relay.open(a_local, affinity), relay.open(b_local, affinity)
    relay.set(a, expected=a_peer, remote=a_peer, to=b, rtcp_to=b, **more)
    relay.set(b, expected=b_peer, remote=b_peer, to=a, rtcp_to=a, **more)
    time.sleep(0.05)  # ARP: a packet that comes before the answer is dropped, as "no-neighbour"
    return a, b


def eq(a, b, what=""):
    if isinstance(a, list) and isinstance(b, list) and len(b) > 3:
        a, b, what = [x.hex()[:8] for x in a], [x.hex()[:8] for x in b], what + " %d of %d" % (len(a), len(b))
    assert a == b, "%s: %r, expected %r" % (what, a, b)


def exchange(relay, s, s_to, d, d_to, n=200):
    """n packets each way at once, paced; every one arrives unchanged, from the right address."""
    want = [rtp(i, ssrc=9, payload=os.urandom(100 + i % 61)) for i in range(n)]
    gs, gd = [], []
    for p in want:
        s.sendto(p, s_to)
        d.sendto(p, d_to)
        time.sleep(0.0005)
    gd, gs = drain(d), drain(s)
    eq([x[0] for x in gd], want, "forth")
    eq([x[0] for x in gs], want, "back")
    eq({x[1][:2] for x in gd}, {d_to}, "source forth")
    eq({x[1][:2] for x in gs}, {s_to}, "source back")
