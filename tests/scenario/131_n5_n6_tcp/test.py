# SPDX-License-Identifier: Apache-2.0
"""N5 and N6: TCP that is refused costs nothing, the next address or transport is tried at once; a SYN that is
dropped costs seconds, and no other call waits. When nothing is left the answer is a clear 5xx."""
import time

from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1]
CONFIG = "peers:\n" + PBX + """  refused: {interface: wan, servers: ["sip:198.51.100.67;transport=tcp", 198.51.100.66]}
  dropped: {interface: wan, servers: ["sip:198.51.100.68;transport=tcp", 198.51.100.66]}
  alone: {interface: wan, servers: ["sip:198.51.100.67;transport=tcp"]}
routes:
  - {from: pbx, number: "1*", to: refused}
  - {from: pbx, number: "2*", to: dropped}
  - {from: pbx, number: "3*", to: alone}
"""


def run(lab):
    carrier = Carrier(lab, CONFIG)
    lab.nft("stranger", """table ip filter { chain in {
        type filter hook input priority 0;
        ip daddr 198.51.100.68 tcp dport 5060 drop
      }
    }
    """)
    udp = Callee(lab, "stranger", CARRIER % 66)
    started = time.monotonic()
    carrier.call("100")
    expect(time.monotonic() - started < 1, "refused: at once, not %.1f s" % (time.monotonic() - started))
    waiting = carrier.pbx.invite("sip:200@10.0.0.1")
    started = time.monotonic()
    carrier.call("100")
    expect(time.monotonic() - started < 1, "no other call waits")
    waiting.wait_final(200, 10)
    waiting.ack()
    expect(time.monotonic() - started < 6, "dropped: %.1f s" % (time.monotonic() - started))
    waiting.request("BYE")
    answer = carrier.call("300", 503)
    expect(answer.get("Retry-After"), "a clear answer")
    expect(count(udp) == [3], "calls: %s" % count(udp))
    carrier.finish(udp)
