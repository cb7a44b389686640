# SPDX-License-Identifier: Apache-2.0
"""The file is changed and read again while people speak: nobody notices. The PBX gets a second server, so it
is another peer; its call goes on, ends as it should, and the next one takes the new way. What is wrong, or needs
a restart, changes nothing."""
import os
import signal
import subprocess

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST, binaries

WORKERS = [1, 4]
MORE = """interfaces:
  wan: {address: 203.0.113.10, limits: {calls: 7}}
  lan: {role: trusted, address: 10.0.0.1}
peers:
  pbx: {interface: lan, servers: [10.0.0.20, 10.0.0.21]}
  other: {interface: wan, address: 198.51.100.7}
routes:
  - {name: users, from: phones, to: pbx}
  - {name: to-users, from: [pbx, other], registered: true, to: phones}
phones: [{from: wan, registrar: pbx}]
log: {level: debug}
"""


def reload(postern):
    return subprocess.run([os.path.join(binaries(), "control/cli/postern"), "reload", "-c", postern.path],
                          capture_output=True, text=True, timeout=10)


def run(lab):
    edge = Edge(lab)
    postern = edge.postern
    with open(postern.path) as f:
        own = f.read()[len(SHORTEST):]  # its sockets

    def write(text):
        with open(postern.path, "w") as f:
            f.write(text + own)

    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    said = reload(postern)
    expect(said.returncode == 0 and said.stdout.count("nothing has changed") == 2, "no change: " + said.stdout + said.stderr)

    write(MORE)
    said = reload(postern)
    expect(said.returncode == 0, "taken: %s" % said)
    for line in ("~ interfaces.wan.limits.calls: 5000 -> 7", "+ peers.other", "~ log.level: info -> debug",
                 '~ peers.pbx.servers: [] -> ["sip:10.0.0.20:5060", "sip:10.0.0.21:5060"]'):
        expect(said.stdout.count("  " + line + "\n") == 2, "both halves say %r: %s" % (line, said.stdout))
    wait_until(lambda: sorted({p["peer"] for p in postern.ask("show peers")}) == ["other", "pbx"], 5, "the new peers")
    expect(len({p["server"] for p in postern.ask("show peers") if p["peer"] == "pbx"}) == 2, "both servers of the PBX")
    edge.both_hear()

    write(MORE.replace("role: trusted", "role: trustd"))
    said = reload(postern)
    expect(said.returncode == 1 and "did you mean" in said.stderr, "a wrong file is refused: %s" % said)
    write(MORE.replace("log: {level: debug}", "relay: {timeout: 1s}"))
    said = subprocess.run([os.path.join(binaries(), "control/cli/postern"), "reload", "-s", postern.socket],
                          capture_output=True, text=True, timeout=10)
    expect(said.returncode == 1 and "relay.timeout: 500ms -> 1s (needs a restart)" in said.stderr,
           "what needs a restart is refused: %s" % said)
    write(SHORTEST)
    for _ in range(5):
        for pid in postern.pids().values():
            os.kill(pid, signal.SIGHUP)
        write(MORE if _ % 2 else SHORTEST)
    write(MORE)
    os.kill(postern.process.pid, signal.SIGHUP)  # `postern run` tells both
    wait_until(lambda: {p["peer"] for p in postern.ask("show peers")} == {"pbx", "other"}, 5, "the last file")
    expect(postern.ask_relay("show version")["version"], "the relay answers")

    edge.both_hear()
    edge.desk.hangup()  # from a peer that this one is no more
    edge.home.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.establish(edge.desk, edge.home)
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    edge.finish()
