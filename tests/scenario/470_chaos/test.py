# SPDX-License-Identifier: Apache-2.0
"""A short schedule of faults under calls with RTP, SDES and DTLS-SRTP, the same each time: kill -9 of either half and of
both, Redis away, NG lossy. After each: no call lost, audio back, node and store agree; nothing is left at the end."""
from chaos.chaos import Chaos

WORKERS = [2]
LONG = True
TIMEOUT = 200
STEPS = ("sbc_killed", "ng_lossy", "relay_killed", "redis_restarted_empty", "redis_full", "sbc_killed_in_the_middle",
         "both_killed")


def run(lab):
    # under a sanitizer, beside other scenarios
    Chaos(lab, 1, calls=20, slow=6.0).run(0, STEPS)
