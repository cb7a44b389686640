# SPDX-License-Identifier: Apache-2.0
"""`state: {store: file}`, sealed: kill -9 of postern-sbc in mid-call, without any Redis: the call is there again, can be
ended, and is gone from the file; the file shows nobody's number."""
import os
import signal

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.state_check import file_records, findings, lasting, memory, of_kind

WORKERS = [2]
TIMEOUT = 120


def run(lab):
    folder = os.path.join(lab.dir, "kept")
    os.makedirs(folder)
    os.chmod(lab.dir, 0o755)
    os.chmod(folder, 0o777)
    path = os.path.join(folder, "state.db")
    edge = Edge(lab, SHORTEST + "state: {store: file, path: %s, key: !env STATE_KEY}\n" % path,
                env={"STATE_KEY": "correct horse battery staple"})
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    kept = wait_until(lambda: of_kind(file_records(path), "call"), 5, "the call is in the file")
    value = list(kept.values())[0]
    expect(len(kept) == 1 and value[:2] == b"\xcb\x02", "one record, sealed: %r" % value[:16])
    expect(b"example.com" not in value and b"desk" not in value, "nothing of it can be read")
    pid = edge.postern.pids()["postern-sbc"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: edge.postern.pids().get("postern-sbc", pid) != pid and edge.postern.is_up(), 15, "it is back")
    wait_until(lambda: len(edge.live_calls()) == 1, 5, "the call is there again")
    wrong = lasting(lambda: findings([memory(edge.postern.ask, edge.postern.ask_relay)], file_records(path)))
    expect(not wrong, "node and file agree: %s" % wrong)
    edge.both_hear(2.0)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not of_kind(file_records(path), "call"), 5, "and gone from the file")
    for phone in (edge.home, edge.desk):
        phone.stop()
    edge.postern.stop()
