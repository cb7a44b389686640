#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py DIR - writes the first corpus of fuzz_datapath: a few plain conversations."""
import os, struct, sys

MEND, LATER, OFFER, ADDRESS = 1, 2, 4, 8


def v4(source, destination, sport, dport, payload):
    return (b"\x02" * 12 + b"\x08\0" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, 0x4000, 64, 17, 0,
            bytes(source), bytes(destination)) + struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def v6(sport, dport, payload):
    a = bytes([0xfd] + [0] * 14)
    return (b"\x02" * 12 + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 8 + len(payload), 17, 64) + a + b"\x09" + a + b"\x01"
            + struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def rtp(seq, first=0x80, pt=8, ssrc=7, body=b"\xd5" * 20):
    return struct.pack("!BBHII", first, pt, seq, seq * 160, ssrc) + body


RR = struct.pack("!BBHI", 0x80, 201, 1, 7)
LAN, WAN, OUR_LAN, OUR_WAN = (10, 0, 0, 9), (192, 0, 2, 9), (10, 0, 0, 1), (192, 0, 2, 1)
lan = lambda p, port=4000, to=30000: v4(LAN, OUR_LAN, port, to, p)
wan = lambda p, port=6001, to=30000: v4(WAN, OUR_WAN, port, to, p)
SEEDS = {
    "rtp": (8, [(MEND, lan(rtp(i))) for i in range(3)] + [(MEND, wan(rtp(i))) for i in range(3)] + [(MEND, lan(rtp(9)))]),
    "remap": (8, [(MEND, wan(rtp(i))) for i in range(3)] + [(MEND | LATER, wan(rtp(3 + i), 6002)) for i in range(3)]),
    "offer": (8, [(MEND, lan(rtp(1))), (MEND | OFFER, lan(rtp(2))), (MEND, lan(rtp(3), 4001)), (MEND, lan(rtp(4), 4001))]),
    "mux": (10, [(MEND, lan(rtp(1))), (MEND, lan(RR)), (MEND, wan(RR)), (MEND, wan(rtp(1))), (MEND, wan(rtp(2))), (MEND, wan(RR))]),
    "rtcp": (9, [(MEND, lan(RR)), (MEND, lan(RR + struct.pack("!BBHI", 0x81, 202, 3, 7) + b"\x01\x01a\0\0\0\0\0"))]),
    "other": (11, [(MEND, lan(b"\0\x01udptl")), (MEND, lan(b""))]),
    "ipv6": (8, [(MEND, v6(4000, 30001, rtp(1))), (MEND, v6(4000, 30001, rtp(2)))]),
    "turn": (8 | 16, [(MEND, lan(rtp(1))), (MEND, wan(rtp(1), 30000)), (MEND, lan(rtp(1), to=30002))]),
    "header": (8, [(MEND, lan(rtp(1, 0x93, body=b"\0" * 12 + b"\xbe\xde\0\1" + b"\0" * 24))), (MEND, lan(rtp(2, 0xa0, body=b"\0" * 19 + b"\x04")))]),
    "raw": (8, [(0, lan(rtp(1))), (0, b"\x02" * 12 + b"\x81\0\0\x05\x08\0"), (0, b""), (0, lan(rtp(1))[:30])]),
    "stun": (8, [(MEND, lan(b"\0\1\0\0\x21\x12\xa4\x42" + b"\0" * 12)), (MEND, lan(b"\x16\xfe\xfd" + b"\0" * 20))]),
}
os.makedirs(sys.argv[1], exist_ok=True)
for name, (how, frames) in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(bytes([how]) + b"".join(struct.pack("!BH", flags, len(x)) + x for flags, x in frames))
