# SPDX-License-Identifier: Apache-2.0
"""`state: {store: file}`, without any Redis: kill -9 of both halves at once in mid-call. Both phones hear each other
again on the same ports, the call is held, resumed and ended as ever, and nothing of it stays in the file."""
import os
import signal
import sqlite3
import time

from lib.edge import Edge, expect
from lib.lab import wait_until
from lib.postern import SHORTEST
from lib.state_check import file_records, findings, lasting, memory

WORKERS = [2]
TIMEOUT = 120


def left(path):
    """Keys of calls and of media."""
    file = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5)
    try:
        rows = file.execute("SELECT CAST(key AS TEXT) FROM records WHERE expires>?", (int(time.time() * 1000),)).fetchall()
    finally:
        file.close()
    return [row[0] for row in rows if row[0].startswith(("call:", "media:"))]


def run(lab):
    folder = os.path.join(lab.dir, "kept")
    os.makedirs(folder)
    os.chmod(lab.dir, 0o755)
    os.chmod(folder, 0o777)
    path = os.path.join(folder, "state.db")
    edge = Edge(lab, SHORTEST + "state: {store: file, path: %s}\n" % path)
    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    wait_until(lambda: left(path), 5, lambda: "the call, and its media, are in the file: %s" % left(path))
    time.sleep(0.5)
    ports = edge.postern.ask_relay("show stats").get("resources", {}).get("ports")
    before = edge.postern.pids()
    for half in ("postern-sbc", "postern-rtpengine"):
        os.kill(before[half], signal.SIGKILL)

    def is_back():
        now = edge.postern.pids()
        return all(now.get(half, before[half]) != before[half] for half in ("postern-sbc", "postern-rtpengine")) and \
            edge.postern.is_up()
    wait_until(is_back, 15, "both are back", step=0.02)
    edge.both_hear(2.0)
    expect(edge.postern.ask_relay("show stats").get("resources", {}).get("ports") == ports, "the same ports are open")
    wait_until(lambda: len(edge.live_calls()) == 1, 5, "the call is there again")
    wrong = lasting(lambda: findings([memory(edge.postern.ask, edge.postern.ask_relay)], file_records(path)))
    expect(not wrong, "node and file agree: %s" % wrong)
    edge.home.hold()
    time.sleep(0.5)
    edge.home.resume()
    edge.both_hear(2.0)
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    wait_until(lambda: not left(path), 5, lambda: "and gone from the file: %s" % left(path))
    ended = [line for line in edge.postern.process.log().split("\n") if " call.ended " in line]
    expect(len(ended) == 1 and 'cause="hung up"' in ended[0], "one CDR: %s" % ended)
    for phone in (edge.home, edge.desk):
        phone.stop()
    edge.postern.stop()
