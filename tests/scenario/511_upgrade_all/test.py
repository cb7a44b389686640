# SPDX-License-Identifier: Apache-2.0
"""Other binaries of all three programs under a call: `postern upgrade run` (the same process, its halves and their sockets
stay; refused when the new one would not start), `postern upgrade`, and `postern relay upgrade` (the same ports). Each request that
comes meanwhile is answered though none is sent twice, the call is heard again, and the new supervisor does its work."""
import importlib.util
import os
import shutil
import signal
import time

from lib.capture import Capture
from lib.cluster import silence
from lib.edge import Edge, expect
from lib.lab import sh, wait_until
from lib.postern import SHORTEST, binaries
from lib.redis import Redis

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("upgrade", os.path.join(HERE, "../447_upgrade_in_place/test.py"))
upgrade = importlib.util.module_from_spec(spec)
spec.loader.exec_module(upgrade)
WORKERS = [2]
LONG = True
PROGRAMS = ("control/cli/postern", "sbc/postern-sbc", "rtpengine/postern-rtpengine")


def install(built, top):
    """As a package does it: another file of the same name."""
    for program in PROGRAMS:
        path = os.path.join(top, program)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(built, program), path + ".new")
        os.rename(path + ".new", path)


def is_new(pid):
    return not os.readlink("/proc/%d/exe" % pid).endswith(" (deleted)")


def run(lab):
    built, top = binaries(), os.path.join(lab.dir, "bin")
    os.chmod(lab.dir, 0o755)
    install(built, top)
    os.environ["POSTERN_BUILD"] = top
    redis = Redis(lab)
    edge = Edge(lab, SHORTEST + "state: {store: redis, protect: ringing, servers: [\"unix:%s\"]}\n" % redis.socket)
    postern, cli = edge.postern, os.path.join(top, PROGRAMS[0])
    edge.establish(edge.home, edge.desk)
    edge.both_hear(0.5)
    wires = {"192.168.0.18": Capture(lab, "home", "eth0", "udp and not port 5060"),
             "10.0.0.30": Capture(lab, "desk", "eth0", "udp and not port 5060")}
    asker = upgrade.Asker(lab)

    def gap(since):
        return max(silence(wire.packets(), address, since) for address, wire in wires.items())

    def answered():
        wait_until(asker.all_answered, 10, lambda: "each of %d requests is answered: %d" %
                   (asker.asked, len(asker.answered)))

    def said(line, count=1):
        asker.ask(0.2)
        wait_until(lambda: postern.process.log().count(line) == count, 10, line)

    install(built, top)
    before, since = postern.pids(), time.time()
    files = "/proc/%d/fd" % postern.process.pid
    held = len(os.listdir(files))
    expect(not any(is_new(pid) for name, pid in before.items() if name.startswith("postern")), "the old ones run")
    sh(cli, "upgrade", "run", "-s", postern.socket)
    said("run.resumed programs=2")
    expect(postern.pids() == before and is_new(postern.process.pid), "the same processes, the supervisor another binary")

    config = open(postern.path).read()
    with open(postern.path, "w") as f:
        f.write("nonsense: true\n" + config)
    sh(cli, "upgrade", "run", "-s", postern.socket)
    said("run.not_replaced")
    with open(postern.path, "w") as f:
        f.write(config)
    sh(cli, "upgrade", "run", "-s", postern.socket)
    said("run.resumed", 2)
    expect(len(os.listdir(files)) == held, "no descriptor is left over: %d, %d" % (held, len(os.listdir(files))))

    sh(cli, "upgrade", "-s", postern.socket)
    asker.ask(1.0)
    wait_until(lambda: postern.pids().get("postern-sbc", before["postern-sbc"]) != before["postern-sbc"] and postern.is_up(), 20,
               "the next signalling half")
    expect("run.upgrade program=postern-sbc sockets=8" in postern.process.log(), "it has the sockets")
    answered()
    asker.ask(0.2)
    expect(gap(since) < 0.5, "no gap in the audio until here: %.2f" % gap(since))

    since, instance = time.time(), postern.ask_relay("show version")["instance"]
    sh(cli, "relay", "upgrade", "-s", postern.relay_socket)
    asker.ask(2.0)
    wait_until(lambda: postern.pids().get("postern-rtpengine", before["postern-rtpengine"]) != before["postern-rtpengine"] and
               postern.is_up(), 20, "the next relay")
    asker.ask(0.3)
    silent = gap(since)
    print("relay upgraded: silent for %.0f ms" % (silent * 1000))
    expect(silent < 1.9 and postern.ask_relay("show version")["instance"] == instance, "the same relay: %.2f" % silent)

    old = postern.pids()["postern-sbc"]
    os.kill(old, signal.SIGKILL)
    asker.ask(1.0)
    wait_until(lambda: postern.pids().get("postern-sbc", old) != old and postern.is_up(), 20, "it is started again")
    answered()
    expect(all(is_new(pid) for name, pid in postern.pids().items() if name.startswith("postern-")), "all are new")
    edge.both_hear()
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    expect(postern.process.log().count(" call.ended ") == 1, "one CDR")
    asker.close()
    edge.finish()
