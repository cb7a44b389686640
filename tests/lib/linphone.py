# SPDX-License-Identifier: Apache-2.0
"""A phone of another make: linphonec, given commands on its standard input; its sound comes from a file.
What it hears is measured on its own wire: its recording is written late."""
import os
import re
import subprocess

from .lab import LabError, Process, wait_until
from .tone import write_tone

SETTINGS = """[sip]
sip_port=5060
sip_tcp_port=-1
sip_tls_port=-1
contact="%(user)s" <sip:%(user)s@%(address)s>
use_info=0
media_encryption=%(encryption)s
inc_timeout=60
default_proxy=0

[rtp]
audio_rtp_port=7078
audio_jitt_comp=60

[sound]
echocancellation=0
agc=0

[net]
firewall_policy=0

[misc]
uuid=00000000-0000-4000-8000-000000000001

[proxy_0]
reg_proxy=<sip:%(proxy)s>
reg_route=<sip:%(proxy)s;lr>
reg_identity=sip:%(user)s@%(domain)s
reg_expires=600
reg_sendregister=1
publish=0
dial_escape_plus=0

[auth_info_0]
username=%(user)s
passwd=%(password)s
realm=%(domain)s

[audio_codec_0]
mime=PCMA
rate=8000
channels=1
enabled=1
"""


class Linphone(Process):
    def __init__(self, lab, host, user, domain, proxy, address, password="secret", hertz=440, encryption="none"):
        self.user, self.name = user, "linphone-%s-%s" % (user, encryption)
        self.dir = os.path.join(lab.dir, self.name)
        os.makedirs(os.path.join(self.dir, ".local/share/linphone"))
        self.tone = os.path.join(self.dir, "tone.wav")
        write_tone(self.tone, hertz, seconds=60)
        settings = lab.write(self.name + "/linphonerc", SETTINGS % {
            "user": user, "address": address, "domain": domain, "proxy": proxy, "password": password, "encryption": encryption})
        os.chmod(self.dir, 0o777)
        command = ["ip", "netns", "exec", lab.ns(host), "linphonec", "-c", settings, "-d", "6",
                   "-l", os.path.join(self.dir, "trace.log")]
        self.lab, self.stop_signal = lab, 15
        self.log_path = os.path.join(lab.dir, self.name + ".log")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=self.dir,
                                          env={**os.environ, "HOME": self.dir}, start_new_session=True)
        self.pid = self.popen.pid
        lab.processes.append(self)
        self.say("soundcard use files")
        self.say("play " + self.tone)

    def say(self, line):
        try:
            self.popen.stdin.write(line.encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            raise LabError("linphonec ended:\n" + self.log()[-2000:])

    def trace(self):
        """What it does, and each message: its console says little when nobody is at it."""
        path = os.path.join(self.dir, "trace.log")
        if not os.path.exists(path):  # it has not begun yet
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def wait_state(self, state, seconds=15, count=1):
        """LinphoneRegistrationOk, LinphoneCallIncomingReceived... as liblinphone names them, for the count-th time."""
        wait_until(lambda: len(re.findall(r"to \[?%s\b" % state, self.trace())) >= count, seconds,
                   lambda: "%s is in %s:\n%s" % (self.name, state, self.trace()[-3000:]), step=0.1)
