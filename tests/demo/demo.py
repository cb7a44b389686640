#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./run demo: a real call across the edge.

A phone behind a NAT registers through Postern with the PBX on the LAN and is called by the phone on
the LAN; each must hear the other's tone; the callee hangs up. Then: what each side saw, and the
verdicts. Exit status 0 says that all was so."""
import argparse
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from lib import kamailio, postern, ladder          # noqa: E402
from lib.baresip import Baresip                     # noqa: E402
from lib.capture import Capture                     # noqa: E402
from lib.edge import leaks                          # noqa: E402
from lib.lab import Lab, LabError, wait_until       # noqa: E402

STARTED = time.monotonic()
HOME_TONE, DESK_TONE = 440, 1000
DEFAULT_SOCKET = "/run/postern/stats.sock"


def say(text):
    print("\033[1m[%5.1fs]\033[0m %s" % (time.monotonic() - STARTED, text), flush=True)


class Verdicts:
    def __init__(self):
        self.rows = []

    def add(self, what, good, detail=""):
        self.rows.append((what, bool(good), detail))

    def show(self):
        print("\nVerdicts")
        for what, good, detail in self.rows:
            print("  %s %-58s %s" % ("\033[32myes\033[0m" if good else "\033[31mNO \033[0m", what, detail))
        return all(good for _, good, _ in self.rows)


def start(lab):
    say("network: home 192.168.0.18 - NAT 81.56.73.55 - internet - Postern 203.0.113.10 | 10.0.0.1 - LAN")
    lab.edge()
    wan = Capture(lab, "sbc", "wan")
    lan = Capture(lab, "sbc", "lan")
    say("PBX: Kamailio on 10.0.0.20, registrar of example.com")
    kamailio.registrar(lab)
    config = lab.write("postern.yaml", postern.SHORTEST)
    say("Postern, with the shortest configuration (%s):" % config)
    print("".join("           %s\n" % line for line in postern.SHORTEST.splitlines()), end="", flush=True)
    binary = os.path.join(postern.binaries(), "control/cli/postern")
    edge = lab.spawn("sbc", "postern", binary, "run", "-c", config)

    def up():
        if not edge.alive():
            raise LabError("postern run ended:\n" + edge.log()[-3000:])
        try:
            return postern.ask(DEFAULT_SOCKET, "show version")
        except OSError:
            return None
    wait_until(up, 20, "Postern is ready; it said:\n" + edge.log()[-3000:])
    for line in edge.log().splitlines():
        if re.search(r"driver|ready|listen", line):
            print("           " + line)
    return wan, lan, edge


def one_call(lab, home, desk):
    """The call; returns what the stats socket showed while it was up."""
    say("the LAN phone calls sip:home@example.com, through the PBX and Postern")
    desk.dial("sip:home@example.com")
    home.wait_event("CALL_INCOMING", 10)
    say("it rings behind the NAT; answered")
    home.answer()
    desk.wait_event("CALL_ESTABLISHED", 10)
    say("talking: %d Hz from home, %d Hz from the LAN" % (HOME_TONE, DESK_TONE))
    home.wait_heard(DESK_TONE, 2.0, 15)
    desk.wait_heard(HOME_TONE, 2.0, 15)
    calls = postern.ask(DEFAULT_SOCKET, "show calls")
    if not calls:
        raise LabError("`postern show calls` lists no call while one is up")
    ident = calls[0]["id"]
    return {"calls": calls, "call": postern.ask(DEFAULT_SOCKET, "show call " + ident),
            "record": postern.ask(DEFAULT_SOCKET, "show record " + ident)}


def media_table(call):
    rows = []
    for stream in rtp_streams(call):
        received = stream["receive"]
        rows.append("  from the %-7s (%-21s) %5d packets in, %3d lost, %4.1f ms jitter; %5d packets out" % (
            stream["leg"], stream["remote"], stream["packets"], received["lost"], received["jitter_us"] / 1000,
            stream["sent_packets"]))
    return rows


def rtp_streams(call):
    return [s for s in call.get("streams", []) if "RTP" in s["flags"]]


def main():
    parser = argparse.ArgumentParser(prog="./run demo")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="leave it running, and say how to look")
    options = parser.parse_args()
    os.environ["POSTERN_BUILD"] = options.bin
    verdicts = Verdicts()
    lab = Lab("demo")
    try:
        wan, lan, edge = start(lab)
        home = Baresip(lab, "home", "home", "example.com", proxy="203.0.113.10", hertz=HOME_TONE)
        desk = Baresip(lab, "desk", "desk", "example.com", proxy="10.0.0.20", hertz=DESK_TONE)
        home.wait_registered(15)
        desk.wait_registered(15)
        say("registered: home through Postern, desk directly")
        seen = one_call(lab, home, desk)
        say("the callee, behind the NAT, hangs up")
        home.hangup()
        desk.wait_event("CALL_CLOSED", 10)
        wait_until(lambda: not postern.ask(DEFAULT_SOCKET, "show calls"), 10, "no call is left")
        wan.stop(), lan.stop()

        print("\nWhat each side saw (one call; nothing of one side is visible on the other)\n")
        print(ladder.render(wan.messages(), "203.0.113.10", lan.messages(), "10.0.0.1"))
        print("The store's record during the call (postern show record %s)\n" % seen["calls"][0]["id"])
        print("\n".join("  " + l for l in json.dumps(seen["record"], indent=2).splitlines()))
        print("\nMedia, as relayed (postern show call %s)\n" % seen["calls"][0]["id"])
        print("\n".join(media_table(seen["call"])))

        streams = rtp_streams(seen["call"])
        heard_home, heard_desk = home.heard(DESK_TONE), desk.heard(HOME_TONE)
        verdicts.add("home heard %d Hz" % DESK_TONE, heard_home >= 2, "%.1f s" % heard_home)
        verdicts.add("desk heard %d Hz" % HOME_TONE, heard_desk >= 2, "%.1f s" % heard_desk)
        verdicts.add("neither heard itself", home.heard(HOME_TONE) == 0 and desk.heard(DESK_TONE) == 0)
        verdicts.add("both directions were relayed", len(streams) >= 2 and all(s["packets"] > 50 and s["sent_packets"] > 50
                                                                                   for s in streams))
        verdicts.add("no packet was lost", streams and all(s["receive"]["lost"] == 0 for s in streams))
        verdicts.add("the BYE of the callee reached the caller", desk.saw("CALL_CLOSED"))
        lan_leaks = leaks(wan.messages(), "203.0.113.10", ["10.0.0.", "kamailio", "baresip", "postern", os.uname().nodename])
        wan_leaks = leaks(lan.messages(), "10.0.0.1", ["192.168.0.", "81.56.73.", "baresip", "postern", os.uname().nodename])
        verdicts.add("nothing of the LAN is visible on the WAN", not lan_leaks, "; ".join(lan_leaks[:3]))
        verdicts.add("nothing of the home network is visible on the LAN", not wan_leaks, "; ".join(wan_leaks[:3]))
        verdicts.add("the store held the call's record", "error" not in seen["record"])
        good = verdicts.show()
        if options.keep:
            keep(lab, options.bin)
            return 0 if good else 1
        for phone in (home, desk):
            phone.stop()
        if edge.stop() != 0:
            raise LabError("postern run ended with %s:\n%s" % (edge.popen.returncode, edge.log()[-2000:]))
        say("done: %s" % ("all was so" if good else "something was not so"))
        return 0 if good else 1
    except LabError as e:
        print("\ndemo failed: %s" % e, file=sys.stderr)
        lab.save_logs()
        return 1
    finally:
        lab.close()


def keep(lab, folder):
    lab.keep = True
    binary = os.path.join(folder, "control/cli/postern")
    print("""
Left running. Look and play:
  %(bin)s show calls                    what is up now (also: registrations, peers, interfaces, stats)
  ip netns exec %(p)s-sbc bash            a shell on the edge; likewise -home -nat -inet -pbx -desk
  ip netns exec %(p)s-desk python3 -c "import socket; s = socket.create_connection(('127.0.0.1', 4444)); \\
      b = b'{\\"command\\": \\"dial\\", \\"params\\": \\"sip:home@example.com\\"}'; s.send(b'%%d:%%s,' %% (len(b), b)); print(s.recv(999))"
                                        call again (answer the same way: \\"accept\\" in -home; \\"hangup\\" ends)
  %(dir)s     logs, captures (*.pcap) and what each phone heard (*-dec.wav)
End it:
  kill %(pids)s; for n in $(ip netns list | grep -o '^%(p)s-[a-z]*'); do ip netns del $n; done; rm -r %(dir)s
""" % {"bin": binary, "p": lab.prefix, "dir": lab.dir,
       "pids": " ".join(str(p.pid) for p in lab.processes if p.alive())})


if __name__ == "__main__":
    sys.exit(main())
