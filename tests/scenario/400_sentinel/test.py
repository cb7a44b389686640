# SPDX-License-Identifier: Apache-2.0
"""Redis with a replica under Sentinel: the master is asked for, and when it is killed in mid-call the promoted replica
is used within seconds; the living call is in it, a new one is protected, no record is left at the end."""
import signal

from lib.edge import Edge, expect
from lib.lab import sh, wait_until
from lib.postern import SHORTEST
from lib.state_check import lasting, of_calls

WORKERS = [2]
TIMEOUT = 150
MASTER = 7001
REPLICA = 7002
SENTINEL = 7003
WRONG = 7004


def redis(lab, name, port, *lines, sentinel=False):
    head = ["port %d" % port, "bind 127.0.0.1", "dir %s" % lab.dir, "save \"\"", "appendonly no"]
    if sentinel:
        head = ["port %d" % port, "bind 127.0.0.1", "dir %s" % lab.dir]
    config = lab.write(name + ".conf", "\n".join(head + list(lines)) + "\n")
    process = lab.spawn("sbc", name, "redis-server", config, *(["--sentinel"] if sentinel else []))
    wait_until(lambda: cli(lab, port, "PING") == "PONG", 10, "%s answers" % name)
    return process


def cli(lab, port, *command):
    login = ["--no-auth-warning", "-a", "watchers"] if port == SENTINEL else []
    return sh("ip", "netns", "exec", lab.ns("sbc"), "redis-cli", *login, "-p", str(port), *command, check=False).strip()


def run(lab):
    lab.edge(stranger=False)
    lab.edge = lambda **_: None  # Redis lives in its namespaces, and must be there before Postern
    master = redis(lab, "master", MASTER)
    redis(lab, "replica", REPLICA, "replicaof 127.0.0.1 %d" % MASTER, "repl-diskless-sync-delay 0")
    redis(lab, "sentinel", SENTINEL, "sentinel monitor calls 127.0.0.1 %d 1" % MASTER,
          "requirepass watchers", "sentinel down-after-milliseconds calls 700", "sentinel failover-timeout calls 3000", sentinel=True)
    wait_until(lambda: "slave0:" in cli(lab, SENTINEL, "INFO", "sentinel") or
               "slaves=1" in cli(lab, SENTINEL, "INFO", "sentinel"), 15, "Sentinel knows the replica")
    lab.write("watchers", "watchers\n")
    # The first of them is no Sentinel at all: it is passed over, and named.
    redis(lab, "wrong", WRONG)
    edge = Edge(lab, SHORTEST + "state: {store: redis, sentinel: {master: calls, password: !file watchers, servers: "
                "[\"127.0.0.1:%d\", \"127.0.0.1:%d\"]}}\n" % (WRONG, SENTINEL))
    wait_until(lambda: edge.postern.stats()["store"]["state"] == "up", 10, "the store is up")
    expect("Sentinel: login: ERR" in edge.postern.process.log(), "what is no Sentinel is named")
    edge.establish(edge.desk, edge.home)
    wait_until(lambda: cli(lab, MASTER, "KEYS", "call:*"), 5, "the master has the call")
    master.signal(signal.SIGKILL)
    edge.both_hear()
    wait_until(lambda: "role:master" in cli(lab, REPLICA, "INFO", "replication"), 20, "the replica is promoted")
    wait_until(lambda: edge.postern.stats()["store"]["state"] == "up", 10, "the store is up again")
    expect(str(REPLICA) in edge.postern.stats()["store"]["server"], "it is the promoted one")
    wait_until(lambda: edge.live_calls()[0]["protected"], 5, "the living call is protected there")
    wrong = lasting(lambda: of_calls(
        [{"node": "vm", "calls": edge.live_calls()}], dict.fromkeys(cli(lab, REPLICA, "KEYS", "call:*").split()), {}))
    expect(not wrong, "node and store agree: %s" % wrong)
    edge.desk.hangup()
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not cli(lab, REPLICA, "KEYS", "call:*"), 5, "no record is left")
    for phone in (edge.home, edge.desk):
        phone.stop()
    edge.postern.stop()
