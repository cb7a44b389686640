# SPDX-License-Identifier: Apache-2.0
"""The leak guard as it is by default: a message with an inside address passes, is counted and sampled. The lab
itself would fail a scenario for that: this one says that something shows."""
from lib.edge import expect
from lib.pbx import Ends

WORKERS = [2]


def run(lab):
    lab.shows_inside = True
    e = Ends(lab)
    sent = e.pbx.send("MESSAGE", e.home_uri(), body="110.0.0.10 is nobody's", headers="Subject: ask 10.0.0.30\r\n")
    e.home.reply(e.home.request("MESSAGE"), 200, contact=False)
    expect(e.pbx.answer(sent).code == 200, "it passes")
    found = e.postern.ask("show leaks")
    expect(len(found) == 1 and found[0]["what"] == "10.0.0.30" and found[0]["where"] == "Subject" and
           found[0]["message"] == "MESSAGE" and not found[0]["blocked"], "one sample: %s" % found)
    leaks = e.postern.stats()["leaks"]
    expect(leaks["found"] == 1 and leaks["blocked"] == 0 and leaks["bytes"] > 500, "counted: %s" % leaks)
    e.home.register(0)
    e.postern.stop()
    for end in e.ends:
        end.close()
