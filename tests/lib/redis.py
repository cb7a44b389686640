# SPDX-License-Identifier: Apache-2.0
"""A real Redis for a test: unix socket in the lab's folder, no persistence."""
import os

from .lab import sh, wait_until


class Redis:
    def __init__(self, lab, host=None, name="redis", options=()):
        self.socket = os.path.join(lab.dir, name + ".socket")
        self.lab = lab
        config = lab.write(name + ".conf", "port 0\nunixsocket %s\nunixsocketperm 777\nsave \"\"\nappendonly no\n"
                           "dir %s\n%s\n" % (self.socket, lab.dir, "\n".join(options)))
        self.process = lab.spawn(host, name, "redis-server", config)
        wait_until(lambda: sh("redis-cli", "-s", self.socket, "PING", check=False).startswith(("PONG", "NOAUTH")), 10,
                   "redis answers")

    def cli(self, *command):
        return sh("redis-cli", "-s", self.socket, *command).strip()

    def keys(self, pattern="*"):
        out = self.cli("--raw", "KEYS", pattern)
        return out.split("\n") if out else []

    def stop(self):
        return self.process.stop()
