# SPDX-License-Identifier: Apache-2.0
"""R1: subscribers by one command: add, password, remove, list, backup, restore. A running Postern follows;
the password is nowhere."""
import os

from lib import own
from lib.edge import Edge, WAN, expect
from lib.lab import wait_until
from lib.own import Registration, subscriber
from lib.phone import Phone

WORKERS = [2]


def run(lab):
    subscriber(lab, "add", "alice@falco.bz", password="Geheim-1")
    subscriber(lab, "add", "alice@FALCO.BZ", password="x", expect=1)  # is there already
    subscriber(lab, "add", "bob", password="x", expect=2)  # no domain
    subscriber(lab, "add", "bob@falco.bz", expect=1)  # no password came
    edge = Edge(lab, own.config(lab), phones=False, pbx=False)
    phone = Phone(lab, "home", "alice", "192.168.0.18", WAN)

    def code(password):
        return Registration(phone).register(password, expires=0).code
    expect(code("Geheim-1") == 200, "alice registers")
    subscriber(lab, "password", "alice@falco.bz", password="Geheim-2")
    wait_until(lambda: code("Geheim-2") == 200, 3, "the new password counts")
    expect(code("Geheim-1") == 401, "the old one does not")
    subscriber(lab, "password", "carol@falco.bz", password="x", expect=1)  # is not there
    backup = lab.dir + "/backup.txt"
    subscriber(lab, "backup", backup)
    with open(backup) as f:
        text = f.read()
    expect(os.stat(backup).st_mode & 0o077 == 0, "a backup is its owner's alone")
    subscriber(lab, "remove", "alice@falco.bz")
    subscriber(lab, "remove", "alice@falco.bz", expect=1)
    expect(subscriber(lab, "list") == "", "nobody is left")
    wait_until(lambda: code("Geheim-2") == 401, 3, "who was removed is refused")
    with open(backup, "w") as f:
        f.write(text[:-2] + "x\n")
    subscriber(lab, "restore", backup, expect=1)
    with open(backup, "w") as f:
        f.write(text)
    subscriber(lab, "restore", backup)
    expect(subscriber(lab, "list", "falco.bz") == "alice@falco.bz\n", "restored")
    wait_until(lambda: code("Geheim-2") == 200, 3, "and registers again")
    phone.close()
    log = edge.postern.process.log()
    with open(lab.dir + "/store/subscribers.db", "rb") as f:
        stored = f.read()
    expect("Geheim" not in log and b"Geheim" not in stored and "Geheim" not in text, "the password is nowhere")
    expect(os.stat(lab.dir + "/store/subscribers.db").st_mode & 0o007 == 0, "the store is not everybody's")
    edge.finish()
