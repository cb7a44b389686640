# SPDX-License-Identifier: Apache-2.0
"""A name server (nsd) in a host of the lab, with zones written as text."""
import os
import time

from .lab import LabError

HEAD = "$ORIGIN {name}.\n$TTL {ttl}\n@ SOA ns.{name}. hostmaster.{name}. 1 3600 600 86400 {ttl}\n@ NS ns.{name}.\n"


class NameServer:
    """zones: {"carrier.example": "_sip._tcp SRV 10 0 5060 gw\\ngw A 198.51.100.66"}"""

    def __init__(self, lab, host, address, zones, ttl=60):
        self.lab, self.address, self.zones = lab, address, dict(zones)
        self.dir = os.path.join(lab.dir, "nsd")
        os.makedirs(self.dir)
        for name, text in zones.items():
            self.write(name, text, ttl)
        config = lab.write("nsd/nsd.conf", """server:
  ip-address: %s
  server-count: 1
  username: ""
  zonesdir: "%s"
  database: ""
  pidfile: "%s/pid"
  xfrdfile: "%s/xfrd"
  xfrdir: "%s"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
""" % (address, self.dir, self.dir, self.dir, self.dir) + "".join(
            'zone:\n  name: "%s"\n  zonefile: "%s.zone"\n' % (name, name) for name in zones))
        self.process = lab.spawn(host, "nsd", "nsd", "-d", "-c", config)
        self.process.wait_log("nsd started", 10)

    def write(self, name, text, ttl=60):
        with open(os.path.join(self.dir, name + ".zone"), "w") as f:
            f.write(HEAD.format(name=name, ttl=ttl) + text + "\n")

    def stop(self):
        self.process.stop()
