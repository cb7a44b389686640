# SPDX-License-Identifier: Apache-2.0
"""After which answers the next server is asked: those of failover-on, and never a person's decision. A server that
says nothing costs seconds, not 32; one that asks to be left alone is."""
import time

from lib.callee import Callee, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1, 2]
CONFIG = "peers:\n" + PBX + """  usual: {interface: wan, servers: [198.51.100.66, 198.51.100.67]}
  strict: {interface: wan, servers: [198.51.100.66, 198.51.100.67], failover-on: [404, no-answer/2s]}
  busy: {interface: wan, servers: [198.51.100.68, 198.51.100.67]}
routes:
  - {from: pbx, number: "1*", to: usual}
  - {from: pbx, number: "2*", to: strict}
  - {from: pbx, number: "3*", to: busy}
"""


def run(lab):
    carrier = Carrier(lab, CONFIG)
    first, second, busy = [Callee(lab, "stranger", CARRIER % (66 + n)) for n in range(3)]
    for code in (486, 603, 600, 404, 480):
        first.answer = code
        carrier.call("100", code)
    expect(count(first, second) == [5, 0], "a person's decision stands: %s" % count(first, second))
    for code in (500, 502, 408):
        first.answer = code
        carrier.call("100")
    expect(count(first, second) == [8, 3], "these are the server's: %s" % count(first, second))
    first.answer = 404
    carrier.call("200")
    first.answer = 500
    carrier.call("200", 500)
    expect(count(first, second) == [10, 4], "failover-on as written: %s" % count(first, second))
    # 503 with Retry-After: it is spared until then, whatever else happens.
    busy.answer = (503, "Retry-After: 3\r\n")
    carrier.call("300")
    asked = time.monotonic()
    busy.answer = 200
    carrier.call("300")
    expect(count(busy) == [1], "it was left alone: %s" % count(busy))
    # Nothing at all: the next one within seconds. 100 and no more: as failover-on says.
    first.answer, started = None, time.monotonic()
    carrier.call("100")
    spent = time.monotonic() - started
    expect(3.5 < spent < 6, "silence is left after 4 s, not %.1f s" % spent)
    first.answer, started = 0, time.monotonic()
    carrier.call("200")
    spent = time.monotonic() - started
    expect(1.5 < spent < 3.5, "a 100 alone is left after 2 s, not %.1f s" % spent)
    expect(any(m.method == "CANCEL" for m in first.requests), "and it is told so")
    time.sleep(max(0, 3.2 - (time.monotonic() - asked)))
    carrier.call("300")
    expect(count(busy) == [2], "after its time it is asked again: %s" % count(busy))
    carrier.finish(first, second, busy)
