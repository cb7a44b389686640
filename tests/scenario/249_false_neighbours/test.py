# SPDX-License-Identifier: Apache-2.0
"""Neighbours that are none (A33): a host of the LAN says by ARP that it is everybody, the phone in the call too, and
sends neighbour advertisements of 10,000 IPv6 addresses that do not exist. The relay follows the kernel's table for
the few hops that it uses: an entry that is pinned stays, the call goes on, memory does not grow."""
import random
import socket
import struct

from lib.edge import DESK_TONE, HOME_TONE, Edge, expect

WORKERS = [2]
CLAIMS, ADVERTISED = 10, 10000


def mac_of(lab, host):
    return lab.run(host, "cat", "/sys/class/net/eth0/address").strip()


def raw(mac):
    return bytes(int(part, 16) for part in mac.split(":"))


def claim(source, to, address, target):
    """ARP reply: `address` is at `source`."""
    return (to + source + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2) + source + socket.inet_aton(address) +
            to + socket.inet_aton(target)).ljust(60, b"\0")


def advertisement(source, to, target):
    """Unsolicited, to override what is known (RFC 4861 4.4)."""
    address = socket.inet_pton(socket.AF_INET6, target)
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + address + b"\2\1" + source
    destination = socket.inet_pton(socket.AF_INET6, "fd00::1")
    whole = address + destination + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack("!%dH" % (len(whole) // 2), whole))
    total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + body[4:]
    return to + source + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + address + destination + body


def memory(edge):
    """Private memory of the relay, kB."""
    pid = edge.postern.pids()["postern-rtpengine"]
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_"))


def run(lab):
    edge = Edge(lab, capture=False)
    lab.run("sbc", "ip", "neigh", "replace", "10.0.0.30", "lladdr", mac_of(lab, "desk"), "nud", "permanent", "dev", "lan")
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    before = memory(edge)
    liar, us = raw(mac_of(lab, "pbx")), raw(lab.run("sbc", "cat", "/sys/class/net/lan/address").strip())
    s = lab.socket("pbx", socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("eth0", 0))
    for _ in range(CLAIMS):
        for host in range(2, 255):
            if host != 20:  # that one is true
                s.send(claim(liar, us, "10.0.0.%d" % host, "10.0.0.1"))
    for n in range(ADVERTISED):
        s.send(advertisement(liar, us, "fd00::%x:%x" % (random.getrandbits(16) | 1, n & 0xffff)))
    s.close()
    held = lab.run("sbc", "ip", "neigh", "show", "dev", "lan").count("\n")
    expect(held < 2000, "the kernel's table is bounded: %d" % held)
    edge.desk.wait_heard(HOME_TONE, edge.desk.heard(HOME_TONE) + 1)
    edge.home.wait_heard(DESK_TONE, edge.home.heard(DESK_TONE) + 1)
    grown = memory(edge) - before
    expect(grown < 2048, "the relay's memory does not grow: %d kB" % grown)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    lab.run("sbc", "ip", "neigh", "del", "10.0.0.30", "dev", "lan")
    edge.finish()
