# SPDX-License-Identifier: Apache-2.0
"""Claims at size, each measured and checked: ./run chaos --show NAME."""
import os
import random
import re
import signal
import sys
import threading
import time

from chaos.world import Pair, World
from lib.edge import expect
from lib.lab import Lab, wait_until

# a program that ran for less is started again later and later
SETTLED_S = 3.2
SBC, RELAY = "postern-sbc", "postern-rtpengine"


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0


class Options:
    """Made for a machine of two CPUs; each can be asked for in the environment."""
    calls = int(os.environ.get("POSTERN_CALLS", "500"))
    kills = int(os.environ.get("POSTERN_KILLS", "100"))
    ringing = int(os.environ.get("POSTERN_RINGING", "100"))
    deaths = int(os.environ.get("POSTERN_DEATHS", "3"))  # of nodes
    records = int(os.environ.get("POSTERN_RECORDS", "100000"))
    # a packet each so many ms: 20 as phones send
    ptime = int(os.environ.get("POSTERN_PTIME", "20"))


def full(world, count, **start):
    """So many answered calls that everybody hears."""
    world.crowd.rtp(Options.ptime)
    world.crowd.start(count, 100, 0, **start)
    world.crowd.settle(60)
    world.crowd.wait(lambda r: r["deaf"] == 0 and r["up"] == count, 10, "%d calls" % count)


def quiet(world):
    """Nobody speaks, and what was said has arrived: sent and received can be compared."""
    world.crowd.rtp(0)
    time.sleep(0.25)
    return world.crowd.report()


def lost_without(world, seconds=5):
    """RTP packets lost while nothing happens: a machine that is too busy loses some."""
    quiet(world)
    world.crowd.mark()
    world.crowd.rtp(Options.ptime)
    time.sleep(seconds)
    report = quiet(world)
    return report["rtp_sent"] - report["rtp_received"]


def age_at_death():
    """Seconds: at any moment of its life, one time in five right after its start; mostly old enough to be started
    again at once."""
    return random.uniform(0.02, 0.5) if random.random() < 0.2 else SETTLED_S + random.uniform(0, 1)


def kill_once(world):
    """(ms from the start to the first answer, ms from the kill until all calls are there again)"""
    pid = world.pid(SBC)
    world.crowd.probe()
    world.crowd.probed()
    os.kill(pid, signal.SIGKILL)
    killed, killed_at = time.monotonic(), time.time()
    world.crowd.probe()
    answered_at = killed_at + world.crowd.probed() / 1000
    wait_until(lambda: world.pid(SBC) not in (None, pid) and world.answers(), 10, "it is back")
    wait_until(lambda: len(world.calls()) == Options.calls, 5, lambda: "%d calls are there again, not %d" % (
        len(world.calls()), Options.calls))
    return (answered_at - world.started_at(SBC)) * 1000, (time.monotonic() - killed) * 1000


def killed_calls(lab):
    """Show 1: answered calls with RTP, kill -9 of postern-sbc again and again."""
    world = World(lab, proxies=False)
    full(world, Options.calls)
    first, ready = [], []
    without = lost_without(world)
    quiet(world)
    world.crowd.mark()
    world.crowd.rtp(Options.ptime)
    for number in range(Options.kills):
        time.sleep(age_at_death())
        answered_ms, ready_ms = kill_once(world)
        first.append(answered_ms)
        ready.append(ready_ms)
        report = world.crowd.report()
        print("  kill %3d: answers after %3.0f ms, all calls after %4.0f ms, %d up, %d cut, silent for %.0f ms at most" %
              (number + 1, answered_ms, ready_ms, report["up"], report["cut"], report["gap_max_ms"]), flush=True)
        expect(report["cut"] == 0 and report["up"] == Options.calls, "no call is lost: %s" % report)
    silent_ms = world.crowd.report()["gap_max_ms"]
    report = quiet(world)
    lost = report["rtp_sent"] - report["rtp_received"]
    print("%d kills of postern-sbc under %d calls: first SIP answer %.0f ms after it was started (p90 %.0f, at most %.0f), all calls "
          "there %.0f ms after the kill (p99 %.0f); RTP, a packet each %d ms: %d sent, %d lost; longest silence %.0f ms" %
          (len(first), Options.calls, percentile(first, 50), percentile(first, 90), max(first), percentile(ready, 50),
           percentile(ready, 99), Options.ptime, report["rtp_sent"], lost, silent_ms), flush=True)
    expect(report["cut"] == 0 and report["up"] == Options.calls, "no call is lost: %s" % report)
    world.consistent()
    report = world.finish()
    print("each ended by BYE from a random side: %d answered 200, %d reached the other end; one CDR each" %
          (report["bye_ok"], report["bye_through"]))
    world.close()
    if without:
        print("this machine is too busy: it lost %d RTP packets in 5 s before the first kill" % without)
    else:
        expect(lost == 0, "no RTP packet is lost: %d" % lost)
    # of each start on a quiet machine; one that compiles beside makes some of them wait for a CPU
    expect(percentile(first, 90) <= 100, "it answers 100 ms after its start: %.0f at p90" % percentile(first, 90))


def killed_ringing(lab):
    """Show 2: ringing calls, kill -9 of postern-sbc; then they are answered, cancelled, declined."""
    count, good, tried = 200, 0, 0
    world = World(lab, proxies=False)
    world.crowd.rtp(200)
    for verb, counter in (("answer", "answered"), ("cancel", "cancelled"), ("decline", "declined")):
        world.crowd.start(count, 100, -1)
        world.crowd.wait(lambda r: r["ringing"] == count and not r["busy"], 20, "%d calls ring" % count)
        before = world.crowd.report()[counter]
        time.sleep(random.uniform(0.05, 0.5))
        world.kill(SBC)
        world.crowd.do(verb, count, 500)
        report = world.crowd.wait(lambda r: not (r["busy"] or r["ringing"] or r["ending"]), 30, verb)
        report = world.crowd.settle(30)
        print("%d ringing calls, kill -9 of postern-sbc: %d %s" % (count, report[counter] - before, counter))
        good, tried = good + report[counter] - before, tried + count
        world.crowd.do("bye", report["up"], 500)
        world.crowd.settle()
    expect(good * 100 >= tried * 99, "99 in 100 go on: %d of %d" % (good, tried))
    world.finish()
    world.close()


def killed_relay(lab):
    """Show 3: kill -9 of postern-rtpengine, half of the calls SDES, some DTLS-SRTP."""
    world = World(lab, proxies=False)
    full(world, Options.calls, caller="wan", sdes=50, dtls=10)
    time.sleep(3)  # indexes are written every two seconds
    gaps = []
    for _ in range(5):
        world.crowd.mark()
        started = time.monotonic()
        world.kill(RELAY)
        back = (time.monotonic() - started) * 1000
        time.sleep(1.5)
        report = world.crowd.report()
        gaps.append((report["gap_p50_ms"], report["gap_p99_ms"], report["gap_max_ms"]))
        print("kill -9 of postern-rtpengine under %d calls: silent for %.0f ms at p50, %.0f at p99, %.0f at most; asked "
              "again after %.0f ms; %d SRTP failures" % ((Options.calls,) + gaps[-1] + (back, report["srtp_bad"])))
        world.crowd.mark()
        time.sleep(1)
        after = world.crowd.report()
        expect(after["srtp_bad"] == 0, "no SRTP failure that lasts: %s" % after)
        # the crowd hears what comes from the port it was told, and nothing else
        expect(after["deaf"] == 0 and after["up"] == Options.calls, "everybody hears: %s" % after)
        time.sleep(SETTLED_S)
    world.finish()
    world.close()
    expect(percentile([g[1] for g in gaps], 50) <= 500, "back within 500 ms at p99: %s" % gaps)


def setups(world, seconds, rate=50):
    """Calls at a rate for a while, each ended at once; set-up times as the caller sees them."""
    world.crowd.mark()
    world.crowd.start(int(seconds * rate), rate)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
        world.crowd.do("bye", int(rate * 0.1), rate * 2)
    return world.crowd.report()


def redis_away(lab):
    """Show 5: Redis paused under 50 calls a second; killed, and restarted empty."""
    world = World(lab, proxies=False, protect="answered")
    full(world, 100)
    world.crowd.rtp(200)
    setups(world, 2)
    before = setups(world, 8)
    counted = world.postern.stats()["store"]["unprotected"]
    pause = threading.Timer(2, world.freeze, (world.redis.process.pid, 3))
    pause.start()
    paused = setups(world, 8)
    pause.join(10)
    unprotected = world.postern.stats()["store"]["unprotected"] - counted
    print("set-up at 50/s: p50 %.1f p99 %.1f, at most %.1f ms; with Redis paused for 3 of 8 s: p50 %.1f p99 %.1f, at most "
          "%.1f ms (%d calls); %d writes not acknowledged in time" % (
              before["setup_p50_ms"], before["setup_p99_ms"], before["setup_max_ms"], paused["setup_p50_ms"],
              paused["setup_p99_ms"], paused["setup_max_ms"], paused["setups"], unprotected))
    expect(unprotected > 0, "unprotected calls are counted")
    started = time.monotonic()
    world.check()
    print("all written %.1f s after Redis went on; node and store agree" % (time.monotonic() - started))
    full_again = max(0, Options.calls - world.crowd.report()["up"])
    world.crowd.start(full_again, 100)
    world.check()
    world.restart_redis(1.0)
    started = time.monotonic()
    held = len(world.calls())
    wait_until(lambda: len(world.redis.keys("call:*")) == held, 5, lambda: "%d calls, %d records" % (
        held, len(world.redis.keys("call:*"))), step=0.1)
    count = len(world.redis.keys("call:*"))
    print("Redis killed and restarted empty: %d records rewritten %.1f s after it was there" % (
        count, time.monotonic() - started))
    world.check()
    again = setups(world, 3)
    print("set-up again: p50 %.1f p99 %.1f ms" % (again["setup_p50_ms"], again["setup_p99_ms"]))
    world.finish()
    world.close()
    expect(paused["setup_p99_ms"] <= before["setup_p99_ms"] + 5, "set-up is not slower: %.1f, %.1f" % (
        before["setup_p99_ms"], paused["setup_p99_ms"]))


def commands(lab):
    """Show 6: Redis counts what it is asked; calls without SRTP, answered and ended."""
    count = 1000
    world = World(lab, proxies=False, protect="answered")
    monitor = lab.spawn(None, "monitor", "redis-cli", "-s", world.redis.socket, "MONITOR")
    monitor.wait_log("OK")
    late = world.postern.stats()["store"]["unprotected"]
    world.crowd.rtp(500)
    world.redis.cli("CONFIG", "RESETSTAT")
    world.crowd.start(count, 100)
    world.crowd.settle(60)
    world.crowd.do("bye", count, 200)
    world.crowd.settle(60)
    wait_until(lambda: not world.left(), 10, "no key is left")
    text = world.redis.cli("INFO", "commandstats")
    counts = {line.split(":")[0][8:]: int(line.split("calls=")[1].split(",")[0])
              for line in text.split("\n") if line.startswith("cmdstat_")}
    told = [line for line in monitor.log().split("\n") if " lua]" not in line]
    about, media = (sum('"%s:{' % kind in line for line in told) for kind in ("call", "media"))
    late = world.postern.stats()["store"]["unprotected"] - late
    print("%d calls; of postern-sbc %.2f commands a call, of postern-rtpengine %.2f; %d of them again, as the first was not "
          "acknowledged within 20 ms" % (count, about / count, media / count, late))
    print("Redis counts, by command: %s" % counts)
    reads = {}
    for kind in re.findall(r'"GET" "([a-z]+)', "\n".join(told)):
        reads[kind] = reads.get(kind, 0) + 1
    print("read: %s" % (", ".join("%d of %s" % (n, kind) for kind, n in reads.items()) or "nothing"))
    expect(about - late <= 2 * count, "at most two commands a call")
    expect(not set(reads) - {"node"}, "of calls nothing is read while their owner lives, of nodes their heartbeats: %s" % reads)
    world.finish()
    world.close()


def node_dies(lab):
    """Show 4: a node dies whole under answered calls with RTP and ringing ones, its addresses move to the other."""
    world = Pair(lab, proxies=False)
    ringing, good, tried, gaps = Options.ringing, 0, 0, []
    full(world, Options.calls)
    for number in range(Options.deaths):
        world.crowd.start(ringing, 100, -1)
        world.crowd.wait(lambda r: r["ringing"] == ringing and not r["busy"], 30, "%d calls ring" % ringing)
        before = world.crowd.report()
        expect(before["up"] == Options.calls, "all are up: %s" % before)
        world.crowd.mark()
        dead = world.serving
        world.fail_over()
        heard = world.crowd.wait(lambda r: r["deaf"] == 0, 10, "all hear again")
        world.crowd.do("answer", ringing, 500)
        report = world.crowd.settle(40)
        answered = report["answered"] - before["answered"]
        gaps.append(heard["gap_max_ms"])
        print("node %s dies, its addresses are at %s 0.5 s later: %d of %d calls go on, silent for %.0f ms at p50, %.0f at p99, %.0f at "
              "most; %d of %d ringing ones are answered" % (
                  dead.name, world.serving.name, report["up"] - answered, Options.calls, heard["gap_p50_ms"], heard["gap_p99_ms"],
                  heard["gap_max_ms"], answered, ringing), flush=True)
        expect(report["cut"] == 0 and report["up"] == Options.calls + answered, "no call is lost: %s" % report)
        good, tried = good + answered, tried + ringing
        world.check(10)
        world.crowd.do("bye", answered, 500)
        world.crowd.settle()
        if number + 1 < Options.deaths:
            world.come_back()
            world.consistent()
            world.crowd.mark()
            world.crowd.wait(lambda r: r["deaf"] == 0, 10, "all hear")
    report = world.finish()
    print("each ended by BYE from a random side: %d answered 200; one CDR each of either node; no key is left" % report["bye_ok"])
    world.close(idle=False)
    expect(max(gaps) <= 1500, "silent for 1.5 s at most: %s" % gaps)
    expect(good * 100 >= tried * 95, "95 in 100 that rang are answered: %d of %d" % (good, tried))


def memory_mb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def many_records(lab):
    """Show 7: 100,000 calls in the store, kill -9 of postern-sbc."""
    living, count = 20, Options.records
    world = World(lab, proxies=False, idle="600s")  # the relay does not know them
    world.crowd.rtp(200)
    world.crowd.start(living, 100)
    world.crowd.settle(20)
    world.protected()
    world.multiply(count)
    wait_until(lambda: len(world.redis.keys("call:*")) == count + living, 60, "%d records" % count, step=1)
    print("%d records of calls, %.1f MB in Redis" % (count + living, int(
        next(l for l in world.redis.cli("INFO", "memory").split() if l.startswith("used_memory:")).split(":")[1]) / 1e6))
    for _ in range(3):
        pid = world.pid(SBC)
        os.kill(pid, signal.SIGKILL)
        killed_at = time.time()
        world.crowd.probe()
        # asked for before it was read from the store: of calls nobody has touched, and in all the load
        world.crowd.do("reinvite", living, 1000)
        answered_at = killed_at + world.crowd.probed() / 1000
        started_at = world.started_at(SBC)
        report = world.crowd.settle(10)
        touched = time.time() - started_at
        expect(report["reinvite_bad"] == 0, "calls that are not taken up yet go on: %s" % report)

        def held():
            return world.postern.stats()["held"]["calls"]
        wait_until(lambda: world.answers() and held() == count + living, 60, lambda: "%d calls" % held(), step=0.05)
        ready_at = world.said_at("calls.taken_up")
        print("kill -9 under %d calls: first SIP answer %.0f ms after it was started, %d re-INVITEs in calls done after %.0f ms, "
              "all calls taken up after %.0f ms, %.0f MB" % (count + living, (answered_at - started_at) * 1000, living,
              touched * 1000, (ready_at - started_at) * 1000, memory_mb(world.pid(SBC))))
        time.sleep(SETTLED_S)
    world.crowd.close()
    world.postern.stop(expect=None)  # it has no time to send BYE to as many


SHOWS = {"killed-calls": killed_calls, "killed-ringing": killed_ringing, "killed-relay": killed_relay,
         "redis": redis_away, "commands": commands, "node-dies": node_dies, "many-records": many_records}


def run(name):
    if name == "list":
        for each, function in SHOWS.items():
            print("%-15s %s" % (each, function.__doc__.split("\n")[0]))
        return 0
    if name != "all" and name not in SHOWS:
        print("no such show: %s (%s, all)" % (name, ", ".join(SHOWS)), file=sys.stderr)
        return 2
    for each, function in SHOWS.items():
        if name in (each, "all"):
            print("== %s: %s" % (each, function.__doc__.split("\n")[0]), flush=True)
            with Lab("show") as lab:
                function(lab)
    return 0
