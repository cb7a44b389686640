# SPDX-License-Identifier: Apache-2.0
"""Random faults under calls for some seconds, as a seed says: what fails here can be repeated. `./run chaos` draws
another one each time; POSTERN_SEED gives this test another one."""
import os

from chaos.chaos import Chaos

WORKERS = [2]
LONG = True
TIMEOUT = 200


def run(lab):
    seed = int(os.environ.get("POSTERN_SEED", "2"))
    print("seed %d" % seed, flush=True)
    Chaos(lab, seed, calls=20, slow=6.0).run(10)
