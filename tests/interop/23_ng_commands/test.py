# SPDX-License-Identifier: Apache-2.0
"""NG's commands on a call in progress, seen on the wire: block, silence, DTMF, sounds, recordings,
subscriptions; and NG over TCP in JSON, HTTP and WebSocket."""
import base64
import json
import os
import re
import socket
import struct
import time
import wave

from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.relay import Bench, CONFIG, Party

WORKERS = [1]
EVENTS = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
MEDIA = "audio %d RTP/AVP 8 101"


def call(bench, lab):
    a, b = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "inet", "203.0.113.1", 5000)
    bench.call(a, b, EVENTS, EVENTS, MEDIA)
    a.rtp(3)
    b.rtp(3)
    expect(len(a.received()) == 3 and len(b.received()) == 3, "the call has sound")
    return a, b


def types(packets):
    return [data[1] & 0x7f for data, _ in packets]


def block(bench, lab):
    a, b = call(bench, lab)
    bench.ng.must("block media", call_id=bench.id, from_tag="a", flags=["directional"])
    a.rtp(3)
    b.rtp(3)
    expect(len(b.received()) == 0 and len(a.received()) == 3, "the caller alone is blocked")
    bench.ng.must("unblock media", call_id=bench.id, from_tag="a", flags=["directional"])
    bench.ng.must("silence media", call_id=bench.id)
    a.sockets[0].sendto(struct.pack("!BBHII", 0x80, 8, a.sequence + 1, 5, a.ssrc) + b"\x2a" * 160, a.relay)
    a.sequence += 1
    got = b.received()
    expect(len(got) == 1 and got[0][0][12:] == b"\xd5" * 160, "what was loud is silent")
    bench.ng.must("unsilence media", call_id=bench.id)
    bench.hangup(a, b)


def dtmf(bench, lab):
    a, b = call(bench, lab)
    bench.ng.must("play DTMF", call_id=bench.id, from_tag="a", code="7", duration=100)
    for _ in range(20):
        a.rtp()
        time.sleep(0.015)
    got = b.received()
    events = [data for data, _ in got if data[1] & 0x7f == 101]
    expect(len(got) == 20 and 5 <= len(events) <= 9, "events in place of audio (%d of %d)" % (len(events), len(got)))
    expect(all(data[12] == 7 for data in events) and events[-1][13] & 0x80, "it is a seven, and it ends")
    sequence = [struct.unpack("!H", data[2:4])[0] for data, _ in got]
    expect(sequence == list(range(sequence[0], sequence[0] + 20)), "the numbers go on")
    bench.ng.must("block DTMF", call_id=bench.id)
    body = struct.pack("!BBHIIBBH", 0x80, 101, a.sequence + 1, 9, a.ssrc, 1, 0x8a, 800)
    a.sequence += 1
    a.sockets[0].sendto(body, a.relay)
    a.rtp(2)
    expect(types(b.received()) == [8, 8], "events are blocked, audio is not")
    bench.hangup(a, b)


def sounds(bench, lab):
    a, b = call(bench, lab)
    reply = bench.ng.must("play media", call_id=bench.id, from_tag="a", file="tone.wav")
    expect(reply["duration"] == 400, "20 packets")
    b.rtp(5)
    wait_until(lambda: True, 1, "")
    got = a.received()
    expect(len(got) == 20, "the caller hears the sound, and not the callee (%d packets)" % len(got))
    expect(got[0][1] == a.relay and got[0][0][12:20] != b"\xd5" * 8, "from the port of the call, and loud")
    time.sleep(0.2)
    b.rtp(3)
    expect(len(a.received()) == 3, "then the callee again")
    reply = bench.ng.request("play media", call_id=bench.id, from_tag="a", file="none.wav")
    expect(reply["error-reason"] == b"cannot play: no such file", "what is not there is said")
    bench.hangup(a, b)


def recording(bench, lab):
    a, b = call(bench, lab)
    bench.ng.must("start recording", call_id=bench.id, recording_file="one.pcapng")
    a.rtp(5)
    b.rtp(5)
    bench.ng.must("pause recording", call_id=bench.id)
    a.rtp(5)
    bench.ng.must("start recording", call_id=bench.id)
    a.rtp(2)
    time.sleep(0.1)
    bench.hangup(a, b)
    path = os.path.join(lab.dir, "recordings", "one.pcapng")

    def count():
        out = lab.run("desk", "tcpdump", "-nr", path)
        return sorted(re.findall(r" IP (\d+\.\d+\.\d+\.\d+)\.\d+ > ", out))
    wait_until(lambda: os.path.getsize(path) > 2000, 3, "the file is written")
    time.sleep(0.2)
    expect(count() == ["10.0.0.30"] * 7 + ["203.0.113.1"] * 5, "what was said while recording: %s" % count())


def subscription(bench, lab):
    a, b = call(bench, lab)
    reply = bench.ng.must("subscribe request", call_id=bench.id, flags=["all", "siprec"], interface="lan")
    ports = [int(line.split()[1]) for line in reply["sdp"].decode().split("\r\n") if line.startswith("m=")]
    expect(len(ports) == 2, "one m= line per party")
    recorder = [Party(lab, "pbx", "10.0.0.20", 7000), Party(lab, "pbx", "10.0.0.20", 7002)]
    sdp = recorder[0].sdp("a=recvonly\r\n") + "m=audio 7002 RTP/AVP 8\r\na=recvonly\r\n"
    bench.ng.must("subscribe answer", call_id=bench.id, to_tag=reply["to-tag"].decode(), sdp=sdp)
    a.rtp(4)
    b.rtp(6)
    expect(len(a.received()) == 6 and len(b.received()) == 4, "the call goes on")
    got = [r.received() for r in recorder]
    expect([len(one) for one in got] == [4, 6], "copies of both: %s" % [len(one) for one in got])
    expect(got[0][0][1] == ("10.0.0.1", ports[0]), "from the ports of the offer")
    bench.ng.must("unsubscribe", call_id=bench.id, to_tag=reply["to-tag"].decode())
    a.rtp(2)
    expect(len(b.received()) == 2 and len(recorder[0].received()) == 0, "no copies any more")
    for r in recorder:
        r.close()
    bench.hangup(a, b)


def json_over_tcp(bench, lab):
    s = lab.socket("sbc", socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(2)
    s.connect(("127.0.0.1", 2223))
    for part in (b'x {"comm', b'and":"pi', b'ng"}'):
        s.sendall(part)
        time.sleep(0.02)
    text = s.recv(1000)
    expect(text.startswith(b'x {"result":"pong"'), "JSON in three segments: %r" % text)
    s.close()


def http(bench, lab):
    s = lab.socket("sbc", socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(2)
    s.connect(("127.0.0.1", 2225))
    body = json.dumps({"command": "ping"})
    s.sendall(("POST /ng-plain HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
    text = s.recv(4000)
    expect(b"200 OK" in text and b'"result":"pong"' in text, "HTTP: %r" % text)
    s.close()


def websocket(bench, lab):
    s = lab.socket("sbc", socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(2)
    s.connect(("127.0.0.1", 2225))
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: ng.rtpengine.com\r\n\r\n" % key).encode())
    expect(b"101 " in s.recv(4000), "the handshake")
    message = b"c d7:command4:pinge"
    s.sendall(bytes([0x82, 0x80 | len(message), 0, 0, 0, 0]) + message)
    expect(b"c d6:result4:pong" in s.recv(4000), "a message and its answer")
    s.close()


def run(lab):
    lab.edge()
    sounds_dir = os.path.join(lab.dir, "sounds")
    os.mkdir(sounds_dir)
    os.chmod(lab.dir, 0o755)
    with wave.open(os.path.join(sounds_dir, "tone.wav"), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(8000)
        f.writeframes(struct.pack("<h", 12000) * 160 * 20)
    config = CONFIG.replace("{control: [udp/127.0.0.1:2223]}",
                            "{control: [udp/127.0.0.1:2223], listen: [udp/127.0.0.1:2223, tcp/127.0.0.1:2223, "
                            "http/127.0.0.1:2225], recordings: %s/recordings, sounds: %s}" % (lab.dir, sounds_dir))
    bench = Bench(lab, config=config)
    for case in (block, dtmf, sounds, recording, subscription, json_over_tcp, http, websocket):
        try:
            case(bench, lab)
        except (LabError, socket.timeout) as e:
            raise LabError("%s: %s\n%s" % (case.__name__, e, bench.relay.ask_relay("show stats")))
    bench.relay.check_idle(20)
    bench.relay.stop()
