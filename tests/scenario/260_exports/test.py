# SPDX-License-Identifier: Apache-2.0
"""What others are told of a call: a line of its own in the file of call detail records (which logrotate may move
away), the counters for Prometheus, and every message for Homer. Who reads them slowly, or not at all, harms nobody."""
import json
import os
import re
import signal
import struct

from lib.edge import Edge, expect
from lib.lab import wait_until

WORKERS = [2]
SHORTEST = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
"""
PORT = 9090
CHUNKS = {7: "from_port", 8: "to_port", 11: "kind", 12: "agent", 15: "payload"}



def scrape(lab, path="/metrics", method="GET"):
    said = lab.run("sbc", "curl", "-s", "-i", "-m", "5", "-X", method, "http://127.0.0.1:%d%s" % (PORT, path), check=False)
    head, _, body = said.partition("\n\n") if "\r" not in said else said.replace("\r", "").partition("\n\n")
    return head.split("\n")[0], head, body


def samples(text):
    """{sample with labels: value}, after a look at the form: families in one piece, a type first, an end."""
    expect(text.endswith("# EOF\n"), "an end: %r" % text[-80:])
    found, seen, family = {}, set(), None
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            expect(family not in seen and kind in ("counter", "gauge"), "one family each: %s" % line)
            seen.add(family)
            continue
        m = re.fullmatch(r'([a-zA-Z_][a-zA-Z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?\d+)', line)
        expect(m and m[1] == family + ("_total" if kind == "counter" else ""), "a sample of %s: %r" % (family, line))
        key = m[1] + (m[2] or "")
        expect(key not in found, "no sample twice: %s" % key)
        found[key] = int(m[3])
    return found


def packets(path):
    """The HEP packets that the collector wrote, each with its length before it."""
    with open(path, "rb") as f:
        data = f.read()
    out = []
    while len(data) >= 4:
        size, = struct.unpack(">I", data[:4])
        packet, data = data[4:4 + size], data[4 + size:]
        expect(packet[:4] == b"HEP3" and struct.unpack(">H", packet[4:6])[0] == size, "a HEP3 packet")
        one, at = {}, 6
        while at < size:
            _, kind, length = struct.unpack(">HHH", packet[at:at + 6])
            one[CHUNKS.get(kind, kind)] = packet[at + 6:at + length]
            at += length
        out.append(one)
    return out


COLLECT = """import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("10.0.0.30", 9060))
with open(sys.argv[1], "ab", 0) as f:
    while True:
        p = s.recv(65536)
        f.write(struct.pack(">I", len(p)) + p)
"""
SLOW = """import socket, time
held = []
for i in range(12):
    s = socket.create_connection(("127.0.0.1", %d))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n" + (b"\\r\\n" if i %% 2 else b""))
    held.append(s)
print("held", flush=True)
time.sleep(60)
""" % PORT


def run(lab):
    cdr = os.path.join(lab.dir, "cdr", "calls.json")
    stats = "stats: {socket: %s/postern.sock, relay-socket: %s/postern-relay.sock, prometheus: %d, " \
            "hep: {to: 10.0.0.30}}\ncdr: {path: %s}\n" % (lab.dir, lab.dir, PORT, cdr)
    edge = Edge(lab, SHORTEST + stats)
    postern = edge.postern
    copies = os.path.join(lab.dir, "copies")
    collector = lab.spawn("desk", "collector", "python3", "-c", COLLECT, copies)
    wait_until(lambda: os.path.exists(copies), 5, "the collector listens")

    edge.establish(edge.home, edge.desk)
    edge.both_hear()
    status, head, text = scrape(lab)
    expect("200" in status and "application/openmetrics-text" in head, "an answer: %s" % head)
    now = samples(text)
    expect(now['postern_answers{half="sbc"}'] == 1 and now['postern_answers{half="rtpengine"}'] == 1, "both halves")
    expect(now["postern_sbc_calls_up"] == 1 and now["postern_sbc_calls_answered_total"] == 1, "the call: %s" % text)
    expect(now['postern_interface_calls{interface="wan",role="untrusted"}'] == 1, "of the interface: %s" % text)
    expect(any(k.startswith('postern_peer_up{') and 'peer="pbx"' in k and v == 1 for k, v in now.items()), "the peer")
    expect(now["postern_rtpengine_resources_sessions"] == 1, "of the relay")
    expect(now["postern_rtpengine_totals_packets_total"] > 0, "packets")
    expect("404" in scrape(lab, "/")[0] and "405" in scrape(lab, "/metrics", "POST")[0], "nothing else is answered")

    # Readers that do not read, and requests that do not end, on a stopped collector: the call goes on.
    slow = lab.spawn("sbc", "slow", "python3", "-c", SLOW)
    slow.wait_log("held")
    collector.signal(signal.SIGSTOP)
    edge.both_hear()
    edge.home.hangup()
    edge.desk.wait_event("CALL_CLOSED", 10)
    edge.wait_no_call()
    slow.signal(signal.SIGKILL)
    collector.signal(signal.SIGCONT)

    def lines(path=cdr):
        with open(path) as f:
            return [json.loads(line) for line in f.read().splitlines()]
    wait_until(lambda: lines(), 5, "a line")
    one, = lines()
    expect(one["from"]["interface"] == "wan" and one["to"]["peer"] == "pbx" and one["status"] == 200 and
           one["ended_by"] == "caller" and one["caller"] == "sip:home@example.com" and one["talk_ms"] > 500 and
           one["created"] < one["answered"] < one["ended"], "the whole call: %s" % one)
    os.rename(cdr, cdr + ".1")  # as logrotate does
    edge.ring(edge.desk, edge.home)
    edge.desk.hangup()
    edge.wait_no_call()
    wait_until(lambda: os.path.exists(cdr) and lines(), 5, "a line in the new file")
    expect(lines()[0]["status"] != 200 and "answered" not in lines()[0], "a call that was not answered: %s" % lines())
    expect(len(lines(cdr + ".1")) == 1 and postern.stats()["cdr"] == {"written": 2, "lost": 0}, "nothing lost")

    def seen():
        return [p for p in packets(copies) if b"\r\nCSeq: " in p["payload"] and b" INVITE\r\n" in p["payload"]]
    wait_until(lambda: any(p["payload"].startswith(b"CANCEL") for p in packets(copies)), 5, "copies of both calls")
    sent = [p for p in seen() if p["payload"].startswith(b"INVITE")]
    got = {l.split(b": ")[1] for p in sent for l in p["payload"].split(b"\r\n") if l.startswith(b"Call-ID: ")}
    expect(len(got) >= 4, "INVITEs of both sides: %s" % got)
    expect({p["kind"] for p in seen()} == {b"\1"} and {p["agent"] for p in seen()} == {struct.pack(">I", 2001)}, "SIP")
    expect(any(struct.unpack(">H", p["to_port"])[0] == 5060 for p in sent), "ports")
    counted = postern.stats()["hep"]
    expect(counted["sent"] + counted["dropped"] >= len(packets(copies)) > 10, "counted: %s" % counted)
    exporter, = (pid for name, pid in postern.pids().items() if name == "postern" and pid != postern.process.pid)
    os.kill(exporter, signal.SIGKILL)  # it is nobody's worry, and comes back
    wait_until(lambda: "200" in scrape(lab)[0], 5, "the exporter is back")
    collector.stop()
    edge.finish()
