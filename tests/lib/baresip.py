# SPDX-License-Identifier: Apache-2.0
"""A real phone: baresip, driven over its ctrl_tcp socket (JSON in netstrings)."""
import glob
import json
import os
import re
import socket

from .lab import LabError, wait_until
from .tone import write_tone, heard


class Baresip:
    def __init__(self, lab, host, user, domain, password="secret", address=None, hertz=440, proxy=None,
                 transport="udp", register=True, answer="manual", expires=600, mediaenc=None, medianat=None):
        self.lab, self.host, self.user, self.name = lab, host, user, "baresip-" + user
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(self.dir)
        self.tone = os.path.join(self.dir, "tone.wav")
        self.hertz = hertz
        write_tone(self.tone, hertz, seconds=120)
        address = address or {"home": "192.168.0.18", "desk": "10.0.0.30"}[host]
        account = "<sip:%s@%s;transport=%s>;auth_pass=%s;answermode=%s;regint=%d;audio_codecs=PCMA" % (
            user, domain, transport, password, answer, expires if register else 0)
        if proxy:
            account += ';outbound="sip:%s;transport=%s"' % (proxy, transport)
        modules = ""
        for key, module in (("mediaenc", mediaenc), ("medianat", medianat)):
            if module:  # "dtls_srtp", "ice"
                account += ";%s=%s" % (key, module)
                modules += "module %s.so\n" % module.split("-")[0]  # "srtp-mand" is one of srtp.so
        with open(os.path.join(self.dir, "accounts"), "w") as f:
            f.write(account + "\n")
        with open(os.path.join(self.dir, "contacts"), "w") as f:
            f.write("")
        with open(os.path.join(self.dir, "config"), "w") as f:
            f.write("""poll_method epoll
sip_listen %(address)s:5060
call_local_timeout 120
call_max_calls 4
module_path /usr/lib/baresip/modules
audio_player aubridge,sink
audio_source aufile,%(tone)s
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_tos 184
rtcp_mux no
jitter_buffer_type off
rtp_stats no
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
%(modules)smodule_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:4444
snd_path %(dir)s
""" % {"address": address, "tone": self.tone, "dir": self.dir, "modules": modules})
        self.process = lab.spawn(host, self.name, "baresip", "-f", self.dir, "-v")
        self.socket, self.buffer, self.events, self.token = None, b"", [], 0
        self.connect()

    def connect(self):
        s = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)

        def try_connect():
            if not self.process.alive():
                raise LabError("baresip ended:\n" + self.process.log()[-2000:])
            try:
                s.connect(("127.0.0.1", 4444))
                return True
            except OSError:
                return False
        wait_until(try_connect, 10, "baresip of %s takes commands" % self.host)
        s.setblocking(False)
        self.socket = s

    def pump(self):
        """Read what came; events are kept in order."""
        try:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    break
                self.buffer += data
        except BlockingIOError:
            pass
        while True:
            colon = self.buffer.find(b":")
            if colon < 0 or not self.buffer[:colon].isdigit():
                break
            length = int(self.buffer[:colon])
            if len(self.buffer) < colon + length + 2:
                break
            body = self.buffer[colon + 1:colon + 1 + length]
            self.buffer = self.buffer[colon + length + 2:]
            self.events.append(json.loads(body))

    def command(self, command, params="", seconds=5):
        self.token += 1
        token = "t%d" % self.token
        body = json.dumps({"command": command, "params": params, "token": token}).encode()
        self.socket.send(b"%d:%s," % (len(body), body))

        def answered():
            self.pump()
            return next((e for e in self.events if e.get("response") and e.get("token") == token), None)
        return wait_until(answered, seconds, "%s answers %s" % (self.name, command))

    def wait_event(self, kind, seconds=10, count=1):
        def seen():
            self.pump()
            found = [e for e in self.events if e.get("event") and e.get("type") == kind]
            return found[count - 1] if len(found) >= count else None
        try:
            return wait_until(seen, seconds, "%s of %s" % (kind, self.name))
        except LabError as e:
            kinds = [ev.get("type") for ev in self.events if ev.get("event")]
            raise LabError("%s; events so far: %s; log:\n%s" % (e, kinds, self.process.log()[-1500:]))

    def count(self, kind):
        self.pump()
        return sum(1 for e in self.events if e.get("event") and e.get("type") == kind)

    def saw(self, kind):
        return self.count(kind) > 0

    def wait_registered(self, seconds=10):
        """The phone's own word: its log (the event may come before we are connected)."""
        return self.process.wait_log(r"%s@.*200 OK.*binding" % re.escape(self.user), seconds)

    def dial(self, uri):
        return self.command("dial", uri)

    def answer(self):
        return self.command("accept")

    def hangup(self):
        return self.command("hangup")

    def hold(self):
        return self.command("hold")

    def resume(self):
        return self.command("resume")

    def heard(self, hertz):
        """Seconds of that tone in what this phone received so far."""
        return sum(heard(path, hertz) for path in glob.glob(os.path.join(self.dir, "dump-*-dec.wav")))

    def wait_heard(self, hertz, seconds_of_tone=1.0, seconds=15):
        return wait_until(lambda: self.heard(hertz) >= seconds_of_tone, seconds,
                          "%s hears %d Hz for %.1f s (heard %.1f)" %
                          (self.name, hertz, seconds_of_tone, self.heard(hertz)), step=0.3)

    def stop(self):
        if self.socket:
            self.socket.close()
            self.socket = None
        return self.process.stop()
