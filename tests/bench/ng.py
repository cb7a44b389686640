# SPDX-License-Identifier: Apache-2.0
"""./run bench ng: what a call costs the control side of a relay, beside Debian's rtpengine, in one sitting.

One client, one request at a time over loopback: an offer and an answer for each call, then its delete. Memory is
what the relay's PSS grows by for the calls it holds."""
import base64
import socket
import time

from lib.lab import Lab
from lib.ng import NG, encode

import measure
import media


class Client:
    """Messages are made before the clock starts; replies are read for what the next message needs."""

    def __init__(self, lab):
        self.ng = NG(lab.socket("relay", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1")
        self.ng.must("ping")

    def ask(self, cookie, message):
        self.ng.socket.send(cookie + b" " + message)
        reply = self.ng.socket.recv(65535)
        if b"6:result2:ok" not in reply:
            raise SystemExit("refused: %r" % reply[:300])
        return reply


def messages(first, calls, sdes=False):
    """The answerer takes the first suite it likes, by its own number: ours are numbered from 1."""
    out = []
    offered = {"transport-protocol": "RTP/SAVP", "DTLS": "off", "SDES": ["only-" + media.SUITE]} if sdes else {}
    key = "a=crypto:1 %s inline:%s\r\n" % (media.SUITE, base64.b64encode(bytes(30)).decode()) if sdes else ""
    for i in range(first, first + calls):
        common = {"call-id": "bench-%d" % i, "from-tag": "f%d" % i, "ICE": "remove", "replace": ["origin"],
                  "rtcp-mux": ["demux"]}
        port = 20000 + 2 * (i % 20000)
        offer = {"command": "offer", "sdp": media.sdp("10.81.1.2", port), "direction": ["lan", "wan"], **common,
                 **offered}
        answer = {"command": "answer", "sdp": media.sdp("10.81.2.2", port, "RTP/SAVP" if sdes else "RTP/AVP", key),
                  "to-tag": "t%d" % i, **common}
        delete = {"command": "delete", "call-id": "bench-%d" % i, "from-tag": "f%d" % i}
        out.append([encode(m) for m in (offer, answer, delete)])
    return out


def set_up(client, made, tag):
    started = time.monotonic()
    for i, (offer, answer, _) in enumerate(made):
        client.ask(b"%so%d" % (tag, i), offer)
        client.ask(b"%sa%d" % (tag, i), answer)
    return time.monotonic() - started


def tear_down(client, made, tag):
    for i, (_, _, delete) in enumerate(made):
        client.ask(b"%sd%d" % (tag, i), delete)


def one(lab, name, calls, sdes):
    relay = media.start_relay(lab, name)
    client = Client(lab)
    made = messages(0, calls, sdes)
    set_up(client, messages(10 ** 6, 50, sdes), b"w")  # what a relay takes with its first calls
    before = measure.pss_kb([relay.pid])
    seconds = set_up(client, made, b"r")
    time.sleep(0.5)
    grown = measure.pss_kb([relay.pid]) - before
    tear_down(client, made, b"r")
    client.ng.socket.close()
    relay.stop()
    return {"seconds": seconds, "kb": grown / calls}


def run(options, _):
    rows = {"rtpengine": [], "postern": []}
    with Lab("bench") as lab:
        media.topology(lab)
        for turn in range(options.rounds):
            for name in rows:
                row = one(lab, name, options.calls, options.sdes)
                rows[name].append(row)
                print("round %d %-10s %.3f s for %d offers and answers, %.1f kB a call" % (
                    turn + 1, name, row["seconds"], options.calls, row["kb"]), flush=True)
    speed = sorted(a["seconds"] / b["seconds"] for a, b in zip(rows["rtpengine"], rows["postern"]))
    memory = sorted(a["kb"] / b["kb"] for a, b in zip(rows["rtpengine"], rows["postern"]))
    print("\n%s; %d calls, %d rounds, alternating; medians" % (measure.machine(), options.calls, options.rounds))
    print(measure.table(["relay", "offers and answers of a call, us", "memory of a call, kB"],
                        [[n, "%.0f" % (1e6 * measure.median(r, "seconds") / options.calls), "%.1f" % measure.median(r, "kb")]
                         for n, r in rows.items()]))
    fast, small = speed[len(speed) // 2], memory[len(memory) // 2]
    print("\nrtpengine / postern, medians of the rounds' ratios: time %.2f (%s), memory %.2f (%s)" % (
        fast, ", ".join("%.2f" % r for r in speed), small, ", ".join("%.2f" % r for r in memory)))
    good = fast >= 1 and small >= 10
    print("aim (time at least 1, memory at least 10): %s" % ("met" if good else "NOT met"))
    return 0 if good else 1
