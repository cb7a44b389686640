# SPDX-License-Identifier: Apache-2.0
"""A store that is none: a wrong password, a replica, a member of a Redis Cluster, something else on the port, records of
another key. Each is said at the start and in the stats; calls go on, unprotected."""
import os
import signal

from lib.crowd import CONFIG, Crowd
from lib.edge import expect
from lib.faults import StreamProxy
from lib.lab import wait_until
from lib.postern import Postern
from lib.redis import Redis

WORKERS = [2]
LONG = True
TIMEOUT = 120
SECRETS = {"MISTAKEN": "a password that is none", "FIRST": "the first of two keys, 32 characters",
           "OTHER": "the other of two keys, 32 characters"}


def start(lab, name, state):
    return Postern(lab, CONFIG + "state: {store: redis, %s}\n" % state, name=name, env=SECRETS)


def one_call(crowd, postern):
    before = crowd.report()
    crowd.start(2)
    report = crowd.settle()
    expect(report["answered"] == before["answered"] + 2, "calls are set up: %s" % report)
    held = postern.stats()["held"]["calls_unprotected"]
    crowd.do("bye", 2)
    report = crowd.settle()
    expect(report["bye_ok"] == before["bye_ok"] + 2, "and ended: %s" % report)
    return held


def says(postern, *words):
    """At its start, and as long as it is so."""
    store = wait_until(lambda: (lambda s: s if s["state"] == "refusing" else None)(postern.stats()["store"]), 5,
                       lambda: "the store refuses: %s" % postern.stats()["store"])
    log = postern.process.log()
    for word in words:
        expect(word in store["reason"] and word in log, "%r is said: %s\n%s" % (word, store, log[-2000:]))
    expect("store.refusing" in log and "unprotected" in log, "and its effect: %s" % log[-2000:])


def wrong(lab, crowd, name, state, *words):
    postern = start(lab, name, state)
    says(postern, *words)
    held = one_call(crowd, postern)
    expect(held == 2, "%s: calls count as unprotected: %s" % (name, held))
    postern.stop()


def kill(postern):
    """Whole, as a power failure would."""
    pids = set([postern.process.pid] + list(postern.pids().values()))
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    postern.process.wait(5)
    wait_until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), 5, "the node is gone")


def cluster(lab):
    """Three members; the two last have half of the slots each."""
    members = [Redis(lab, host="sbc", name="member%d" % i, options=["port %d" % (7001 + i), "cluster-enabled yes",
                                                                   "cluster-config-file member%d.nodes" % i])
               for i in range(3)]
    for i, member in enumerate(members):
        if i > 0:
            member.cli("CLUSTER", "ADDSLOTSRANGE", str(8192 * (i - 1)), str(8192 * i - 1))
        member.cli("CLUSTER", "MEET", "127.0.0.1", "7001")
    for member in members:
        wait_until(lambda: "cluster_state:ok" in member.cli("CLUSTER", "INFO"), 15, "the cluster is up")
    return members


def run(lab):
    lab.edge()
    crowd = Crowd(lab)
    locked = Redis(lab, name="locked", options=["requirepass right"])
    replica = Redis(lab, name="replica", options=["replicaof 127.0.0.1 1"])
    web = StreamProxy(os.path.join(lab.dir, "web.socket"), "")
    web.mode = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    wrong(lab, crowd, "password", 'servers: ["unix:%s"], password: !env MISTAKEN' % locked.socket, "WRONGPASS")
    wrong(lab, crowd, "none", 'servers: ["unix:%s"]' % locked.socket, "NOAUTH")
    wrong(lab, crowd, "role", 'servers: ["unix:%s"]' % replica.socket, "READONLY")
    members = cluster(lab)
    wrong(lab, crowd, "cluster", 'servers: ["unix:%s"]' % members[0].socket, "a Redis Cluster", "MOVED")
    wrong(lab, crowd, "web", 'servers: ["unix:%s"]' % web.path, "does not speak the Redis protocol")
    # what another key has sealed
    redis = Redis(lab)
    one = start(lab, "one", 'servers: ["unix:%s"], key: !env FIRST' % redis.socket)
    crowd.rtp(100)
    crowd.start(2)
    crowd.settle()
    wait_until(lambda: one.stats()["held"]["calls_unprotected"] == 0, 5, "they are protected")
    kill(one)
    other = start(lab, "other", 'servers: ["unix:%s"], key: !env OTHER' % redis.socket)
    wait_until(lambda: "another state.key" in other.process.log(), 5, lambda: "it is said: %s" % other.process.log()[-2000:])
    crowd.do("bye", 2)
    expect(crowd.settle()["bye_bad"] == 2, "they are unknown here")
    expect(not other.calls(), "no call of another key is taken up")
    expect(one_call(crowd, other) == 0, "its own are protected")
    other.stop()
    web.stop()
    crowd.close()
