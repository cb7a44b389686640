# SPDX-License-Identifier: Apache-2.0
"""Our signalling half drives Debian's rtpengine, unchanged: audio both ways, and its ports come back."""
import os

from lib import kamailio, rtpengine
from lib.edge import Edge, expect
from lib.postern import Postern, SHORTEST, binaries
from lib.lab import wait_until
import lib.edge


class SignallingOnly(Postern):
    """postern-sbc alone; the relay is somebody else's."""

    def __init__(self, lab, config=SHORTEST, host="sbc", workers=None, **kw):
        rtpengine.start(lab)
        super().__init__(lab, config, host, workers, **kw)

    def command(self):
        return [os.path.join(binaries(), "sbc/postern-sbc"), "-c", self.path]

    def relay_stats(self):
        return {"resources": {}}


def run(lab):
    lib.edge.Postern = SignallingOnly
    edge = Edge(lab)
    for caller, callee in ((edge.home, edge.desk), (edge.desk, edge.home)):
        edge.ring(caller, callee)
        before = edge.home.heard(1000), edge.desk.heard(440)
        callee.answer()
        edge.home.wait_heard(1000, before[0] + 1.0)
        edge.desk.wait_heard(440, before[1] + 1.0)
        callee.hangup()
        edge.wait_no_call()
    edge.finish()
