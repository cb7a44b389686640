# SPDX-License-Identifier: Apache-2.0
"""R5: a destination that there is no usable listener for is refused when the file is checked, by line; so are rules
for headers that make the dialog, and a fail-over after a person's decision."""
import os
import subprocess

from lib.edge import expect
from lib.postern import binaries

WORKERS = [1]
SIDES = """interfaces:
  lan: {role: trusted, address: 127.0.0.1, listen: [udp/5060]}
  wan: {address: 127.0.0.2}
peers:
  pbx: {interface: lan, servers: [127.0.0.3]}
"""
CASES = [
    ("  carrier: {interface: lan, servers: [\"sip:127.0.0.4;transport=tcp\"]}\nroutes:\n"
     "  - {from: pbx, to: carrier}\n", 6, "tcp"),
    ("  carrier: {interface: wan, servers: [\"sip:carrier.example;transport=tls\"]}\nroutes:\n"
     "  - {from: pbx, to: carrier}\n", 6, "tls"),
    ("  carrier: {interface: wan, servers: [127.0.0.4], headers: {out: {remove: [Contact]}}}\nroutes:\n"
     "  - {from: pbx, to: carrier}\n", 6, "Contact"),
    ("  carrier: {interface: wan, servers: [127.0.0.4], failover-on: [486]}\nroutes:\n"
     "  - {from: pbx, to: carrier}\n", 6, "486"),
    ("routes:\n  - {from: pbx, to: {dns: elsewhere}}\n", 7, "elsewhere"),
    ("  carrier: {interface: wan, servers: [carrier.example], strategy: weighted}\nroutes:\n"
     "  - {from: pbx, to: carrier}\n", 0, ""),
]


def run(lab):
    for number, (text, line, word) in enumerate(CASES):
        path = lab.write("%d.yaml" % number, SIDES + text)
        done = subprocess.run([os.path.join(binaries(), "control/cli/postern"), "check", path],
                              capture_output=True, text=True, timeout=20)
        said = done.stdout + done.stderr
        expect((done.returncode == 0) == (line == 0), "case %d: exit %d\n%s" % (number, done.returncode, said))
        if line:
            expect("%s:%d:" % (path, line) in said and word in said, "case %d names line %d: %s" % (number, line, said))
