# SPDX-License-Identifier: Apache-2.0
"""kill -9 of postern-sbc while it carries out a transfer (transfer: local): the next process ends it. Whoever asked hears 503
and that his subscription is over, the side that was to leave is told what it had, and the call goes on; asked for again, the
transfer succeeds. Likewise when the side that was to leave has just been offered the new session, and when two calls were to
be joined. Where the one who asked had hung up already, the other side gets BYE."""
import importlib.util
import os
import signal
import time

from lib.edge import expect
from lib.lab import wait_until
from lib.pbx import Dialog, End, Ends, establish, hang_up, sdp_of
from lib.redis import Redis

HERE = os.path.dirname(os.path.abspath(__file__))


def other(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, "..", name, "test.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


local, attended = other("201_transfer_local"), other("202_transfer_attended")
WORKERS = [2]


def kill(e):
    pid = e.postern.pids()["postern-sbc"]
    time.sleep(0.1)  # the store has what was said
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: e.postern.pids().get("postern-sbc", pid) != pid and e.postern.is_up(), 10, "it is back", step=0.02)


def over(redis):
    """A record is deleted some time after its call: a kill in between would leave it."""
    wait_until(lambda: not redis.keys("call:*"), 10, "no record is left")


def told_again(dialog, address):
    """Its media is to go where it went before; a number of versions later."""
    m = dialog.end.request("INVITE")
    expect(m.get("Call-ID") == dialog.call_id and b"m=audio" in m.body, "told in its dialog what it had")
    dialog.end.reply(m, 200, body=sdp_of(address, 42000))
    dialog.end.request("ACK")
    return m


def version(m):
    return int(m.body.split(b"o=", 1)[1].split()[2])


def run(lab):
    redis = Redis(lab)
    e = Ends(lab, local.CONFIG + "state: {store: redis, servers: [\"unix:%s\"]}\n" % redis.socket)
    phone = e.add(End(lab, "home", "phone1", "192.168.0.18", "203.0.113.10", 5071))
    phone.register()

    # the new one rings
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    local.refer(far, e.pbx.contacts["phone1"])
    local.progress(far, 100, False)
    phone.reply(phone.request("INVITE"), 180)
    local.progress(far, 180, False)
    kill(e)
    local.progress(far, 503, True)
    told_again(near, "192.168.0.18")
    attended.talk(near, far)

    # it has answered, and who remains has its offer
    local.refer(far, e.pbx.contacts["phone1"])
    local.progress(far, 100, False)
    phone.reply(phone.request("INVITE"), 200, body=sdp_of("192.168.0.18", 41000))
    offered = e.home.request("INVITE")
    kill(e)
    local.progress(far, 503, True)
    e.home.reply(offered, 200, body=sdp_of("192.168.0.18", 42000))  # too late: nobody knows it
    expect(version(told_again(near, "192.168.0.18")) > version(offered), "a later version than what it was offered")
    attended.talk(near, far)
    e.pbx.quiet("BYE", 0.3)

    # once more, and it succeeds
    new = local.joined(far, near, phone, e.pbx.contacts["phone1"], "192.168.0.18")
    hang_up(new, near)
    over(redis)

    # what remains of two calls was to be joined
    near, far = establish(e.pbx, e.home, e.home_uri())
    near2, far2 = establish(e.pbx, phone, e.pbx.contacts["phone1"])
    attended.refer_to(near, near2)
    local.progress(near, 100, False)
    invite = phone.request("INVITE")
    if invite.get("Call-ID") == far2.call_id:  # else another worker holds it
        phone.reply(invite, 200, body=sdp_of("192.168.0.18", 43000))
        e.home.request("INVITE")
        kill(e)
        local.progress(near, 503, True)
        told_again(far, "192.168.0.18")
        told_again(far2, "192.168.0.18")
    else:
        kill(e)
        local.progress(near, 503, True)
        told_again(far, "192.168.0.18")
    attended.talk(near, far)
    attended.talk(near2, far2)
    hang_up(near, far)
    hang_up(near2, far2)
    over(redis)

    # who asked has hung up
    near, far = establish(e.home, e.pbx, "sip:desk@example.com")
    local.refer(far, e.pbx.contacts["phone1"])
    local.progress(far, 100, False)
    phone.request("INVITE")
    expect(far.ask("BYE").code == 200, "BYE of who asked")
    kill(e)
    e.home.reply(e.home.request("BYE"), 200)
    over(redis)
    phone.register(0)
    e.finish()
