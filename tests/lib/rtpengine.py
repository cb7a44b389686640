# SPDX-License-Identifier: Apache-2.0
"""Debian's rtpengine, user space only, as the peer relay."""
import socket

from .lab import LabError, wait_until
from .ng import NG


def start(lab, host="sbc", control="127.0.0.1:2223", interfaces=(("lan", "10.0.0.1"), ("wan", "203.0.113.10")),
          name="rtpengine", ports=(40000, 49999)):
    command = ["rtpengine", "-f", "--config-file=none", "--table=-1", "--log-stderr", "--log-level=5",
               "--listen-ng=" + control, "--port-min=%d" % ports[0], "--port-max=%d" % ports[1],
               "--num-threads=2", "--pidfile=%s/%s.pid" % (lab.dir, name), "--delete-delay=0"]
    for label, address in interfaces:
        command.append("--interface=%s/%s" % (label, address))
    process = lab.spawn(host, name, *command)
    address, port = control.rsplit(":", 1)
    made = lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
    client = NG(made, address, int(port), timeout=0.2, tries=1)

    def answers():
        if not process.alive():
            raise LabError("rtpengine ended:\n" + process.log()[-2000:])
        try:
            return client.request("ping")
        except (LabError, OSError):
            return None
    wait_until(answers, 10, "rtpengine answers a ping")
    made.close()
    return process
