# SPDX-License-Identifier: Apache-2.0
"""sipp: scenarios as XML, calls by the hundred."""
import os

from .lab import LabError


class Sipp:
    """`scenario` is the path of an XML file, or XML text. Bounded by `timeout` seconds."""

    count = 0

    def __init__(self, lab, host, scenario, remote=None, address=None, port=5060, service="desk", transport="u1",
                 calls=1, rate=None, limit=None, timeout=40, media_port=None, keys=None, options=()):
        Sipp.count += 1
        self.lab, self.name = lab, "sipp-%s-%d" % (host, Sipp.count)
        if scenario.lstrip().startswith("<"):
            scenario = lab.write(self.name + ".xml", scenario)
        self.messages = os.path.join(lab.dir, self.name + ".messages")
        self.errors = os.path.join(lab.dir, self.name + ".errors")
        address = address or {"home": "192.168.0.18", "pbx": "10.0.0.20", "desk": "10.0.0.30",
                              "stranger": "198.51.100.66", "inet": "203.0.113.1"}[host]
        command = ["sipp", "-sf", scenario, "-i", address, "-p", str(port), "-t", transport, "-m", str(calls),
                   "-nostdin", "-timeout", "%ds" % timeout, "-timeout_error", "-trace_msg", "-message_file",
                   self.messages, "-trace_err", "-error_file", self.errors, "-mi", address, "-buff_size", "1048576"]
        if remote:
            command += ["-s", service, remote]
        if rate:
            command += ["-r", str(rate)]
        if limit:
            command += ["-l", str(limit)]
        if media_port:
            command += ["-mp", str(media_port)]
        for key, value in (keys or {}).items():
            command += ["-key", key, value]
        self.timeout = timeout
        self.process = lab.spawn(host, self.name, *command, *options)

    def wait(self, seconds=None):
        """0 calls failed, or a LabError with what sipp saw."""
        status = self.process.wait(seconds or self.timeout + 10)
        if status != 0:
            raise LabError("%s ended with %d\n%s\n%s" % (self.name, status, self.read(self.errors)[-3000:],
                                                        self.read(self.messages)[-3000:]))

    @staticmethod
    def read(path):
        try:
            with open(path, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def stop(self):
        return self.process.stop()
