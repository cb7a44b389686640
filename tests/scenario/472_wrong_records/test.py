# SPDX-License-Identifier: Apache-2.0
"""Records that cannot be read again after kill -9 of postern-sbc: of an unknown version, cut, forged, of another type.
Each is counted and named in the log, its call is unknown (481); the others go on."""
import os
import signal

from chaos.world import World
from lib.edge import expect
from lib.lab import wait_until
from lib.state_check import ask_redis

WORKERS = [2]
TIMEOUT = 120


def damage(redis):
    """Of six records, four; the first of them is of another type."""
    keys, = ask_redis(redis.socket, (b"KEYS", b"call:*"))
    expect(len(keys) == 6, "six records")
    values = ask_redis(redis.socket, *((b"GET", key) for key in keys))
    wrong = [values[0], values[1][:1] + b"\x7f" + values[1][2:], values[2][:len(values[2]) // 2],
             values[3][:-1] + bytes([values[3][-1] ^ 1])]
    ask_redis(redis.socket, (b"DEL", keys[0]), (b"RPUSH", keys[0], b"x"),
              *((b"SET", key, value, b"KEEPTTL") for key, value in list(zip(keys, wrong))[1:]))
    return [key.decode()[6:-1] for key in keys[:4]]


def run(lab):
    world = World(lab, proxies=False)
    world.crowd.rtp(100)
    world.crowd.start(6)
    world.crowd.settle()
    world.protected()
    names = damage(world.redis)
    pid = world.pid("postern-sbc")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: world.pid("postern-sbc") not in (None, pid) and world.answers(), 20, "it is back")
    wait_until(lambda: len(world.calls()) == 2, 5, "the calls with records are there")
    expect("store.record_refused" in world.postern.process.log(), "that there are others is said")
    world.crowd.do("bye", 6)
    report = world.crowd.settle()
    log = world.postern.process.log()
    named = [name for name in names if "call.not_taken_up call=%s" % name in log]
    expect(named == names[1:], "each that is damaged is named: %s of %s" % (named, names))
    expect("store.get_refused" in log and "WRONGTYPE" in log, "another type is said")
    expect(world.postern.stats()["calls"]["bad_records"] >= 3, "and counted: %s" % world.postern.stats()["calls"])
    expect(report["bye_ok"] == 2 and report["bye_bad"] == 4, "two are known, four are not: %s" % report)
    # of the one that the server refuses to read nobody knows whether it is a call: 481, or 500 to try again
    expect(world.crowd.log().count("SIP/2.0 481") >= 3, "by 481: %s" % world.crowd.log())
    wait_until(lambda: not world.calls(), 5, "no call is left")
    world.crowd.close()
    world.postern.stop()
