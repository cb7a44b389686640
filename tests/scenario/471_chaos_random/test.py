# SPDX-License-Identifier: Apache-2.0
"""Random faults under calls for some seconds; the printed seed gives the same schedule again: `./run chaos --seed N`
(POSTERN_SEED for this test)."""
import os

from chaos.chaos import Chaos

WORKERS = [2]
LONG = True
TIMEOUT = 200


def run(lab):
    seed = int(os.environ.get("POSTERN_SEED") or int.from_bytes(os.urandom(4), "big"))
    print("seed %d" % seed, flush=True)
    Chaos(lab, seed, calls=20, slow=6.0).run(10)
