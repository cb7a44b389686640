# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the relay under SDES: with `state.key` keys, rollover counters and indexes come back with the session;
sound goes on both ways, and no key stands readable in the store."""
from lib import relay_returns

WORKERS = [2]


def run(lab):
    relay_returns.check(lab, "sdes", "srtp-mand")
