# SPDX-License-Identifier: Apache-2.0
"""What was seen on a wire: tcpdump into a file, read back as packets and as SIP messages."""
import ipaddress
import re
import signal
import struct
import time

from .lab import wait_until


class Packet:
    __slots__ = ("time", "source", "destination", "sport", "dport", "protocol", "payload", "seq")

    def __repr__(self):
        return "%s:%d > %s:%d %d bytes" % (self.source, self.sport, self.destination, self.dport, len(self.payload))


class Message:
    """One SIP message as it went over the wire."""

    def __init__(self, packet, raw):
        self.time, self.raw = packet.time, raw
        self.source, self.sport = packet.source, packet.sport
        self.destination, self.dport = packet.destination, packet.dport
        self.transport = {17: "UDP", 6: "TCP"}[packet.protocol]
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.first_line = lines[0]
        self.headers = []
        for line in lines[1:]:
            if line[:1] in " \t" and self.headers:
                name, value = self.headers[-1]
                self.headers[-1] = (name, value + " " + line.strip())
            else:
                name, _, value = line.partition(":")
                self.headers.append((name.strip(), value.strip()))

    COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
               "c": "content-type", "k": "supported", "s": "subject", "e": "content-encoding"}

    def all(self, name):
        return [v for n, v in self.headers if self.COMPACT.get(n.lower(), n.lower()) == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else ""

    @property
    def is_request(self):
        return not self.first_line.startswith("SIP/2.0")

    @property
    def method(self):
        return self.first_line.split(" ")[0] if self.is_request else self.get("CSeq").split()[-1]

    @property
    def code(self):
        return 0 if self.is_request else int(self.first_line.split(" ")[1])

    @property
    def text(self):
        return self.raw.decode("utf-8", "replace")


# What lies inside the edge, in every scenario that has the usual places: it must not be seen outside.
CANARIES = (b"10.0.0.", b"fd00::", b"corp.lan", b"Kamailio PBX")
# What a side hears is what it said (sbc/topology/leak.h).
ECHOES = ("via", "from", "to", "call-id", "cseq", "record-route", "contact")


class Capture:
    def __init__(self, lab, host, device, expression="port 5060"):
        self.host, self.device = host, device
        lab.captures.append(self)
        self.path = "%s/%s-%s.pcap" % (lab.dir, host, device)
        self.process = lab.spawn(host, "tcpdump-%s-%s" % (host, device), "tcpdump", "-i", device, "-U", "-B", "16384",
                                 "--immediate-mode", "-n", "-s", "0", "-Z", "root", "-w", self.path, expression,
                                 stop_signal=signal.SIGINT)
        self.process.wait_log(r"listening on", 5)

    def stop(self):
        time.sleep(0.1)
        self.process.stop()
        return self

    def canaries(self):
        """Lines that Postern sent out of the untrusted side, with something of the inside in them."""
        if (self.host, self.device) != ("sbc", "wan"):
            return []
        with open(self.path, "rb") as f:
            raw = f.read()
        if not any(c in raw for c in CANARIES):
            return []
        return ["%s: %s" % (m.first_line, line) for m in self.messages() if m.source in ("203.0.113.10", "2001:db8:1::10")
                for line in m.text.split("\r\n")[0 if not m.is_request else 1:]
                if any(re.search(r"(?<![\w.])" + re.escape(c.decode()), line) for c in CANARIES) and
                (m.is_request or line.split(":")[0].strip().lower() not in ECHOES)]

    def packets(self):
        return read_packets(self.path)

    def messages(self):
        return sip_messages(self.packets())

    def wait_message(self, test, seconds=5, what="the message"):
        return wait_until(lambda: next((m for m in self.messages() if test(m)), None), seconds, what, step=0.1)


def read_packets(path):
    with open(path, "rb") as f:
        data = f.read()
    packets, at = [], 24
    if len(data) < 24:
        return packets
    link = struct.unpack_from("<I", data, 20)[0]
    nano = struct.unpack_from("<I", data, 0)[0] == 0xa1b23c4d
    while at + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        packet = decode(frame, link)
        if packet:
            packet.time = seconds + fraction / (1e9 if nano else 1e6)
            packets.append(packet)
    return packets


def decode(frame, link):
    if link == 1:
        kind, at = struct.unpack_from("!H", frame, 12)[0], 14
    elif link == 113:  # Linux cooked ("any")
        kind, at = struct.unpack_from("!H", frame, 14)[0], 16
    else:
        return None
    p = Packet()
    if kind == 0x0800:
        header = (frame[at] & 15) * 4
        total = struct.unpack_from("!H", frame, at + 2)[0]
        p.protocol = frame[at + 9]
        p.source = str(ipaddress.ip_address(frame[at + 12:at + 16]))
        p.destination = str(ipaddress.ip_address(frame[at + 16:at + 20]))
        end, at = at + total, at + header
    elif kind == 0x86dd:
        p.protocol = frame[at + 6]
        p.source = str(ipaddress.ip_address(frame[at + 8:at + 24]))
        p.destination = str(ipaddress.ip_address(frame[at + 24:at + 40]))
        end, at = at + 40 + struct.unpack_from("!H", frame, at + 4)[0], at + 40
    else:
        return None
    if p.protocol not in (6, 17) or len(frame) < at + 8:
        return None
    p.sport, p.dport = struct.unpack_from("!HH", frame, at)
    if p.protocol == 17:
        p.seq, p.payload = 0, frame[at + 8:end]
    else:
        p.seq = struct.unpack_from("!I", frame, at + 4)[0]
        p.payload = frame[at + (frame[at + 12] >> 4) * 4:end]
    return p


def sip_messages(packets):
    messages, streams = [], {}
    for packet in packets:
        if packet.protocol == 17:
            if packet.payload.strip(b"\r\n\0"):
                messages.append(Message(packet, packet.payload))
            continue
        if not packet.payload:
            continue
        key = (packet.source, packet.sport, packet.destination, packet.dport)
        stream = streams.setdefault(key, {"next": None, "data": b""})
        if stream["next"] is not None and packet.seq != stream["next"]:
            if ((packet.seq - stream["next"]) & 0xffffffff) > 0x7fffffff:
                continue  # a retransmission
        stream["next"] = (packet.seq + len(packet.payload)) & 0xffffffff
        stream["data"] += packet.payload
        while True:
            data = stream["data"].lstrip(b"\r\n")
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                break
            length = 0
            for line in head.split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.strip().lower() in (b"content-length", b"l"):
                    length = int(value)
            if len(rest) < length:
                break
            messages.append(Message(packet, data[:len(head) + 4 + length]))
            stream["data"] = rest[length:]
    return messages
