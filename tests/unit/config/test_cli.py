#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The postern command as an operator meets it: words, exit status, stdout and stderr. The stats
sockets are answered by two threads here. Usage: test_cli.py POSTERN"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

POSTERN = sys.argv[1]
GOOD = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def run(*words, stdin=None):
    done = subprocess.run([POSTERN, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


class Answers(threading.Thread):
    """A stats socket that answers from a dict; anything else is an error, as the real one does."""

    def __init__(self, path, answers):
        super().__init__(daemon=True)
        self.answers = answers
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(8)
        self.start()

    def run(self):
        while True:
            peer, _ = self.socket.accept()
            with peer, peer.makefile("rw") as stream:
                for line in stream:
                    answer = self.answers.get(line.strip(), {"error": "unknown command: " + line.strip()})
                    stream.write(json.dumps(answer) + "\n")
                    stream.flush()


class Bench:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="postern-cli-")

    def file(self, text, name="test.yaml"):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def halves(self, sbc=None, relay=None):
        paths = [os.path.join(self.dir, n) for n in ("sbc.sock", "relay.sock")]
        for path, answers in zip(paths, (sbc, relay)):
            if answers is not None:
                Answers(path, answers)
        return self.file(GOOD + "stats: {socket: %s, relay-socket: %s}\n" % tuple(paths))


def check_says_fine_in_two_lines(b):
    status, out, err = run("check", b.file(GOOD))
    assert status == 0 and err == "", (status, err)
    assert len(out.splitlines()) == 2, out
    assert "2 interfaces, 1 peer, 2 routes" in out and "phones on wan register with pbx" in out, out


def check_tells_warnings_and_goes_on(b):
    status, out, err = run("check", b.file(GOOD + "  pbx2: {interface: wan, address: 203.0.113.9}\n"))
    assert status == 0, status
    assert "test.yaml:6:3: warning: peer \"pbx2\" is not used" in err, err


def check_refuses_a_wrong_file(b):
    path = b.file(GOOD.replace("trusted", "trustd"))
    status, out, err = run("check", path)
    assert status == 1 and out == "", (status, out)
    assert err.startswith(path + ":2:15: \"trustd\" is none of the values of role (did you mean \"trusted\"?)\n"), err


def check_reads_from_a_pipe(b):
    status, out, _ = run("check", "-", stdin=GOOD)
    assert status == 0 and "fine" in out


def check_shows_the_difference_of_two_files(b):
    old, new = b.dir + "/old.yaml", b.dir + "/new.yaml"
    for path, text in ((old, GOOD), (new, GOOD + "workers: 3\nlog: {level: debug}\n")):
        with open(path, "w") as f:
            f.write(text)
    status, out, err = run("check", "--diff", old, new)
    assert status == 0 and err == "", (status, err)
    assert "~ log.level: info -> debug\n" in out, out
    assert "-> 3 (needs a restart)\n" in out, out
    assert run("check", "--diff", old, old)[1] == "nothing changes\n"
    assert run("check", "--diff", old)[0] == 2


def check_of_no_file_says_so(b):
    status, _, err = run("check", b.dir + "/none.yaml")
    assert status == 1 and "cannot be opened: No such file" in err, err
    assert run("check")[0] == 2
    assert run("check", "a", "b")[0] == 2


def effective_is_shown(b):
    path = b.file(GOOD)
    for words in (("--effective", path), (path, "--effective")):
        status, out, _ = run("config", "show", *words)
        assert status == 0 and "# role untrusted" in out and "# %s:2" % path in out, out
    status, out, _ = run("config", "show", path)
    assert status == 0 and out == GOOD


def schema_is_json_and_docs_are_markdown(b):
    status, out, _ = run("config", "schema")
    schema = json.loads(out)
    assert status == 0
    interface = schema["properties"]["interfaces"]["additionalProperties"]
    assert interface["required"] == ["address"], interface
    assert "ports" in interface["properties"]["media"]["properties"]
    assert "certificate" in interface["properties"]["tls"]["properties"]
    status, out, _ = run("config", "docs")
    assert status == 0 and "| `media.ports` |" in out


def unknown_words_get_the_nearest(b):
    status, _, err = run("chekc")
    assert (status, err) == (2, "postern: no command \"chekc\" (did you mean \"check\"?)\n"), err
    status, _, err = run("config", "shwo")
    assert (status, err) == (2, "postern: no command \"config shwo\" (did you mean \"config show\"?)\n"), err
    status, _, err = run("show", "cals")
    assert status == 2 and "(did you mean \"calls\"?)" in err, err
    assert run("frobnicate")[0] == 2
    assert run()[0] == 2


def help_is_everywhere(b):
    status, out, _ = run("--help")
    assert status == 0 and "check" in out and "run" in out
    for words in (("run", "--help"), ("help", "run"), ("run", "-h")):
        status, out, _ = run(*words)
        assert status == 0 and out.startswith("usage: postern run -c FILE\n"), out
    for command in ("check", "config show", "config docs", "config schema", "show", "version"):
        status, out, _ = run(*command.split(), "--help")
        assert status == 0 and out.startswith("usage: postern " + command), out
    assert run("version")[1].startswith("postern ")


def show_asks_the_sbc(b):
    path = b.halves(sbc={"show calls": {"calls": [{"id": "w0-17", "state": "answered"}]},
                         "show call w0-17": {"id": "w0-17"}}, relay={})
    status, out, err = run("show", "calls", "-c", path)
    assert status == 0 and "w0-17" in out and "answered" in out, (out, err)
    status, out, _ = run("show", "call", "w0-17", "--json", "-c", path)
    assert status == 0 and json.loads(out) == {"id": "w0-17"}, out


def show_merges_both_halves(b):
    path = b.halves(sbc={"show version": {"program": "postern-sbc"}},
                    relay={"show version": {"program": "postern-rtpengine"}})
    status, out, _ = run("show", "version", "--json", "-c", path)
    assert status == 0
    assert json.loads(out) == {"sbc": {"program": "postern-sbc"}, "relay": {"program": "postern-rtpengine"}}
    status, out, _ = run("show", "version", "-c", path)
    assert status == 0 and "postern-sbc" in out and "postern-rtpengine" in out, out


def show_says_who_is_missing(b):
    path = b.halves(sbc={"show stats": {"calls": 3}})
    status, out, err = run("show", "stats", "--json", "-c", path)
    assert status == 5 and json.loads(out) == {"sbc": {"calls": 3}}, (status, out)
    assert "postern-rtpengine is not running" in err, err
    path = b.file(GOOD + "stats: {socket: %s/no.sock}\n" % b.dir)
    status, out, err = run("show", "calls", "-c", path)
    assert status == 5 and out == "" and "postern-sbc is not running" in err, err


def show_passes_errors_on(b):
    path = b.halves(sbc={}, relay={})
    status, out, err = run("show", "call", "nobody", "-c", path)
    assert status == 1 and "unknown command" in err, (status, err)
    status, out, err = run("show", "what-only-it-knows", "-s", os.path.join(b.dir, "sbc.sock"))
    assert status == 1
    assert run("show")[0] == 2
    assert run("show", "calls\nx")[0] == 2
    assert run("show", "call", "x" * 2000)[0] == 2


def reload_asks_both_halves_in_turn(b):
    path = b.halves(sbc={"reload": {"changes": ["~ log.level: info -> debug"]}}, relay={"reload check": {"changes": []}, "reload": {"changes": []}})
    status, out, err = run("reload", "-c", path)
    assert status == 0 and err == "", (status, err)
    assert out == ("postern-sbc: reloaded\n  ~ log.level: info -> debug\n"
                   "postern-rtpengine: nothing has changed\n"), out
    sockets = [os.path.join(b.dir, name) for name in ("sbc2.sock", "relay2.sock")]
    Answers(sockets[0], {"reload": {"changes": ["x"]}})
    Answers(sockets[1], {"reload check": {"error": "no device has it"}})
    path = b.file(GOOD + "stats: {socket: %s, relay-socket: %s}\n" % tuple(sockets))
    status, out, err = run("reload", "-c", path)
    assert (status, out) == (1, "") and "no device has it" in err, (status, out, err)
    other = os.path.join(b.dir, "other.sock")
    Answers(other, {"reload": {"error": "~ workers: 1 -> 2 (needs a restart)"}})
    status, out, err = run("reload", "-s", other)
    assert (status, out) == (1, "") and "workers: 1 -> 2 (needs a restart)" in err, (status, out, err)
    assert run("reload", "now")[0] == 2


TESTS = [check_says_fine_in_two_lines, check_tells_warnings_and_goes_on, check_refuses_a_wrong_file,
         check_shows_the_difference_of_two_files,
         check_reads_from_a_pipe, check_of_no_file_says_so, effective_is_shown,
         schema_is_json_and_docs_are_markdown, unknown_words_get_the_nearest, help_is_everywhere,
         show_asks_the_sbc, show_merges_both_halves, show_says_who_is_missing, show_passes_errors_on,
         reload_asks_both_halves_in_turn]


def main():
    print("1..%d" % len(TESTS))
    failed = 0
    for number, test in enumerate(TESTS, 1):
        bench = Bench()
        try:
            test(bench)
            print("ok %d - %s" % (number, test.__name__))
        except (AssertionError, subprocess.TimeoutExpired, ValueError) as e:
            failed += 1
            print("not ok %d - %s" % (number, test.__name__))
            print("# " + repr(e).replace("\n", "\n# "))
        finally:
            shutil.rmtree(bench.dir)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
