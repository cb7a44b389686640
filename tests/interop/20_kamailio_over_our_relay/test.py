# SPDX-License-Identifier: Apache-2.0
"""Debian's Kamailio with its rtpengine module, unchanged, drives our relay alone: calls with RTP both
ways, a hold, BYE; the relay counts what the phones sent, and nothing is left."""
import os

from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.postern import Postern, SHORTEST, binaries
from lib.sipp import Sipp

WORKERS = [1]
CALLS = 20
HERE = os.path.dirname(os.path.abspath(__file__))


class RelayAlone(Postern):
    """postern-rtpengine by itself; the signalling is somebody else's."""

    def command(self):
        return [os.path.join(binaries(), "rtpengine/postern-rtpengine"), "-c", self.path]

    def stats(self):
        return {"held": {}}


def kamailio(lab):
    with open(os.path.join(HERE, "kamailio.cfg")) as f:
        path = lab.write("edge.cfg", f.read())
    process = lab.spawn("sbc", "edge", "kamailio", "-DD", "-E", "-f", path, "-Y", lab.dir, "-P",
                        os.path.join(lab.dir, "edge.pid"), "-m", "32", "-M", "4")
    process.wait_log(r"edge proxy is up", 10)
    return process


def run(lab):
    lab.edge()
    relay = RelayAlone(lab, SHORTEST)
    proxy = kamailio(lab)
    lab.write("tone.alaw", "\xd5" * 8000)
    uas = Sipp(lab, "desk", os.path.join(HERE, "uas.xml"), calls=CALLS, timeout=60)
    uac = Sipp(lab, "inet", os.path.join(HERE, "uac.xml"), remote="203.0.113.10", calls=CALLS, rate=10, limit=CALLS,
               timeout=60)

    def both_ways():
        if not uac.process.alive():
            raise LabError("the caller ended early:\n%s" % uac.read(uac.errors)[-2000:])
        calls = relay.ask_relay("show calls")["calls"]
        return len(calls) == CALLS and all(c["caller_packets"] > 30 and c["callee_packets"] > 30 for c in calls)
    try:
        wait_until(both_ways, 15, "%d calls with packets from both sides" % CALLS, step=0.1)
    except LabError as e:
        raise LabError("%s\n%s\n%s" % (e, relay.ask_relay("show calls"), proxy.log()[-2000:]))
    wait_until(lambda: any(c["state"] == "held" for c in relay.ask_relay("show calls")["calls"]), 10, "calls are held")
    uac.wait()
    uas.wait()
    stats = relay.relay_stats()
    expect(stats["counters"]["deleted"] == CALLS, "each BYE deleted its call: %s" % stats["counters"])
    expect(stats["counters"]["errors"] == 0, "no request was refused: %s\n%s" % (stats["counters"], relay.process.log()))
    expect(stats["counters"]["hijack_attempts"] == 0, "nobody was taken for a stranger")
    expect(stats["totals"]["packets"] > CALLS * 100, "RTP was relayed: %s" % stats["totals"])
    expect(stats["totals"]["lost"] == 0, "no packet was lost here: %s" % stats["totals"])
    relay.check_idle(20)
    relay.stop()
