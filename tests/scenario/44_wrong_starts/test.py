# SPDX-License-Identifier: Apache-2.0
"""What can be wrong at start: each gets one line that names the cause and the cure, and an exit code;
what can go on without it goes on and says so."""
import os
import socket
import time

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import Postern, SHORTEST, binaries

WORKERS = [1]
TIMEOUT = 150


def start(lab, text, seconds=8):
    lab.count = getattr(lab, "count", 0) + 1
    path = lab.write("wrong%d.yaml" % lab.count, text + "stats: {socket: %s/w.sock, relay-socket: %s/wr.sock}\n" %
                     (lab.dir, lab.dir))
    process = lab.spawn("sbc", "wrong%d" % lab.count, os.path.join(binaries(), "control/cli/postern"), "run", "-c", path)
    return process


def fails(lab, text, *words):
    process = start(lab, text)
    wait_until(lambda: not process.alive(), 20, "postern run gives up; it said:\n" + process.log())
    expect(process.popen.returncode not in (0, None), "a non-zero exit status")
    log = process.log()
    for word in words:
        expect(word in log, "%r in what it said:\n%s" % (word, log))


def run(lab):
    lab.edge()
    fails(lab, SHORTEST.replace("role: trusted", "role: trsted"), ".yaml:2:", "trusted")
    fails(lab, SHORTEST.replace("10.0.0.1}", "10.0.0.77}"), "10.0.0.77", "lan")
    fails(lab, SHORTEST.replace("wan: {", "wan: {listn: [udp/5060], "), ".yaml:3:", "listen")
    taken = lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("203.0.113.10", 5060))
    fails(lab, SHORTEST, "203.0.113.10:5060", "in use")
    taken.close()
    # No Redis: it goes on, and says so.
    postern = Postern(lab, SHORTEST + "state: {store: redis, servers: [\"unix:%s/no.socket\"]}\n" % lab.dir)
    expect("no.socket" in postern.process.log(), "the log names the Redis that is missing")
    postern.stop()
    # No relay: the signalling half alone answers, and says so.
    path = lab.write("alone.yaml", SHORTEST + "stats: {socket: %s/a.sock, relay-socket: %s/ar.sock}\n" % (lab.dir, lab.dir))
    alone = lab.spawn("sbc", "alone", os.path.join(binaries(), "sbc/postern-sbc"), "-c", path)
    alone.wait_log(r"relay.*(down|unreachable|no answer|out of service)", 15)
    expect(alone.alive(), "signalling goes on without a relay")
    expect(alone.stop() == 0, "and ends cleanly")
