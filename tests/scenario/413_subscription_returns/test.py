# SPDX-License-Identifier: Apache-2.0
"""A subscription outlives kill -9 of postern-sbc and the death of its node: a NOTIFY and a refresh go on in dialogs
that the new process never saw, a fork's notifier keeps its own, and nothing of them stays in the store."""
import os
import signal

from lib.edge import expect
from lib.lab import sh, wait_until
from lib.pbx import Dialog, Ends
from lib.postern import Postern, SHORTEST, binaries
from lib.redis import Redis

WORKERS = [2]
TIMEOUT = 120
LINES = "Event: presence\r\n"


def kill(postern, whole):
    pids = [postern.process.pid] if whole else []
    pids += list(postern.pids().values()) if whole else [postern.pids()["postern-sbc"]]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if whole:
        postern.process.wait(5)
        wait_until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), 5, "the node is gone")
    else:
        wait_until(lambda: postern.pids().get("postern-sbc", pids[0]) != pids[0] and postern.is_up(), 10, "it is back",
                   step=0.02)


def notify(e, notifier, state="active;expires=3000"):
    sent = notifier.send("NOTIFY", headers=LINES + "Subscription-State: %s\r\n" % state)
    got = e.home.request("NOTIFY")
    e.home.reply(got, 200)
    expect(e.pbx.answer(sent).code == 200, "NOTIFY answered")
    return got


def run(lab):
    redis = Redis(lab)
    text = SHORTEST + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket
    e = Ends(lab, text + "node: {name: a}\n")
    sent = e.home.send("SUBSCRIBE", "sip:desk@example.com", headers=LINES + "Expires: 3600\r\n")
    m = e.pbx.request("SUBSCRIBE")
    e.pbx.reply(m, 200, headers="Expires: 3600\r\n", tag="n1")
    subscriber = Dialog.calling(e.home, sent, e.home.answer(sent))
    notifier = Dialog.called(e.pbx, m, m.get("To") + ";tag=n1")
    fork = Dialog.called(e.pbx, m, m.get("To") + ";tag=n2")
    first, second = notify(e, notifier), notify(e, fork)
    wait_until(lambda: len(redis.keys("sub:*")) == 2, 5, "both are in the store: %s" % redis.keys("sub:*"))
    wait_until(lambda: redis.cli("GET", "node:{1}").startswith("a"), 5, "its heartbeat has its name")
    listed = sh(os.path.join(binaries(), "control/cli/postern"), "records", "-c", e.postern.path)
    lines = [line for line in listed.split("\n") if line.startswith("sub ")]
    expect(len(lines) == 2 and all("node=1 (a) epoch=1 " in line and "state=up" in line for line in lines) and
           "sub 2 " in listed.split("\n")[-2] + " " and "example.com" not in listed, "postern records: %s" % listed)
    # 1. the fork's notifier is first: it is found beside the subscription that it belongs to
    kill(e.postern, whole=False)
    again = notify(e, fork)
    expect(again.get("From") == second.get("From") and int(again.get("CSeq").split()[0]) > int(second.get("CSeq").split()[0]),
           "in the fork's dialog, with a higher number: %s" % again.text)
    expect(notify(e, notifier).get("From") == first.get("From"), "and the first in its own")
    wait_until(lambda: e.held()["subscriptions"] == 2, 5, "both are here")
    # 2. the subscriber's refresh, after the node has died and another one with its addresses runs
    kill(e.postern, whole=True)
    a, e.postern = e.postern, Postern(lab, text + "node: {name: b}\n", name="b")
    sent = subscriber.send("SUBSCRIBE", headers=LINES + "Expires: 3600\r\n")
    m = e.pbx.request("SUBSCRIBE", 10)
    expect(m.get("To").endswith(";tag=n1") and m.get("Call-ID") == notifier.call_id, "in the notifier's dialog: %s" % m.text)
    e.pbx.reply(m, 200, headers="Expires: 3600\r\n")
    expect(e.home.answer(sent).code == 200, "refreshed")
    notify(e, notifier)
    # 3. what nobody asked for is swept, ends, and leaves nothing
    wait_until(lambda: e.held()["subscriptions"] == 2, 10, "the fork is here too")
    notify(e, fork, "terminated;reason=timeout")
    notify(e, notifier, "terminated;reason=timeout")
    wait_until(lambda: not redis.keys("sub:*"), 5, "no record is left: %s" % redis.keys("sub:*"))
    expect(notifier.ask("NOTIFY", headers=LINES + "Subscription-State: active\r\n").code == 481, "it is over")
    for end in e.ends:
        end.close()
    e.postern.stop()
    expect(" ERROR " not in a.process.log(), "no error on the first node")
