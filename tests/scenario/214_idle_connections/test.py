# SPDX-License-Identifier: Apache-2.0
"""What an idle TLS connection costs: phones that have registered and say nothing more. At most 20 kB each in a
release build; with the sanitizers' own share, 60."""
import os
import subprocess
import time

from lib.edge import WAN, Edge, expect
from lib.postern import binaries
from lib.tls import Authority, FlowPhone

WORKERS = [2]
COUNT = int(os.environ.get("POSTERN_CONNECTIONS", "200"))
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan:
    address: 203.0.113.10
    listen: [udp/5060, tls/5061]
    tls: {certificate: %s, key: %s}
    limits: {connections: 20000, per-source: {connections: 20000, register-rate: 10000/s}, register-rate: 10000/s}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def is_sanitized():
    program = os.path.join(binaries(), "sbc/postern-sbc")
    return "asan" in subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True).stdout


def options(phone, n):
    phone.send("OPTIONS sip:203.0.113.10 SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=%d\r\n"
               "To: <sip:203.0.113.10>\r\nCall-ID: %d@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (phone.via(), n, n))
    phone.receive(lambda m: m.code == 200)


def run(lab):
    authority = Authority(lab)
    # Of what the sanitizer keeps of freed memory, little.
    env = {"ASAN_OPTIONS": "log_path=%s/asan:detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=1:"
                           "thread_local_quarantine_size_kb=16" % lab.dir}
    edge = Edge(lab, CONFIG % authority.sign("edge", "DNS:edge"), phones=False, pbx=False, capture=False, env=env)
    pid, phones = edge.postern.pids()["postern-sbc"], []
    for n in range(COUNT + COUNT // 4):
        if n == COUNT // 4:  # what is there once for all has been made
            time.sleep(0.3)
            before = rss_kb(pid)
        phone = FlowPhone(lab, "home", "u%d" % n, "192.168.0.18", WAN, "tls", authority, "edge")
        options(phone, n)
        phones.append(phone)
    time.sleep(0.3)
    each = (rss_kb(pid) - before) / COUNT
    print("%d idle TLS connections: %.1f kB each" % (COUNT, each))
    expect(each < (60 if is_sanitized() else 20), "at most 20 kB: %.1f" % each)
    for phone in phones:
        phone.close()
    edge.postern.check_idle(20, linger=False)
    edge.postern.stop()
