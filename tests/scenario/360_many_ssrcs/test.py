# SPDX-License-Identifier: Apache-2.0
"""A phone that changes its SSRC again and again under one SDES key, as with each announcement of a PBX: nothing is lost,
though a key begins with room for two. Two calls of one relay, SRTP between them, so that each SSRC is sealed and opened."""
import time

from lib.edge import expect
from lib.lab import LabError
from lib.relay import Bench, Party

WORKERS = [1]
SSRCS = 12


def chained(bench, lab, suite):
    """desk - RTP - relay - SDES - the same relay - RTP - pbx."""
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "pbx", "10.0.0.20", 7000)
    common = {"from_tag": "a", "replace": ["origin"], "DTLS": "off", "SDES": ["only-" + suite]}
    out = bench.ng.must("offer", call_id="out", sdp=a.sdp(), direction=["lan", "wan"], transport_protocol="RTP/SAVP", **common)
    back = bench.ng.must("offer", call_id="in", sdp=out["sdp"].decode(), direction=["wan", "lan"],
                         transport_protocol="RTP/AVP", **common)
    b.peer(back)
    answer = bench.ng.must("answer", call_id="in", from_tag="a", to_tag="b", sdp=b.sdp())
    expect(suite in answer["sdp"].decode(), "the two calls speak %s" % suite)
    a.peer(bench.ng.must("answer", call_id="out", from_tag="a", to_tag="b", sdp=answer["sdp"].decode()))
    return a, b


def run(lab):
    lab.edge()
    bench = Bench(lab)
    try:
        for suite in ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"):
            a, b = chained(bench, lab, suite)
            a.rtp(1)
            b.rtp(1)
            expect(len(a.received()) == 1 and len(b.received()) == 1, "sound both ways by %s" % suite)
            for ssrc in range(SSRCS):
                a.ssrc = 0x1000 + ssrc
                a.rtp(2)
                time.sleep(0.1)  # of a busy machine: the control thread has to have made room
            heard = [int.from_bytes(data[8:12], "big") for data, _ in b.received()]
            expect(heard == [0x1000 + i // 2 for i in range(2 * SSRCS)], "each packet of each SSRC: %s" % heard)
            a.ssrc = 0x1000  # its numbers go on
            a.rtp(1)
            expect(len(b.received()) == 1, "the first SSRC speaks again")
            for call in ("in", "out"):
                bench.ng.must("delete", call_id=call)
            a.close()
            b.close()
    except LabError as e:
        raise LabError("%s\n%s" % (e, bench.relay.ask_relay("show stats")))
    bench.relay.check_idle(20)
    bench.relay.stop()
