# SPDX-License-Identifier: Apache-2.0
"""Every command that Debian's Kamailio has for its relay, given to ours by a script, and what it does seen
on the wire; and the module's RPC: ping, show, out of service and back."""
import os
import re
import socket
import struct
import time
import wave

from lib.edge import expect
from lib.lab import LabError, wait_until
from lib.relay import CONFIG, Party, RelayAlone

WORKERS = [1]
HERE = os.path.dirname(os.path.abspath(__file__))
EDGE, MEDIA = "203.0.113.10", "audio %d RTP/AVP 8 101"
EVENTS = "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"


class Call:
    """A call through the proxy: bare sockets on both sides, SIP and RTP."""

    def __init__(self, lab, number, how=""):
        self.lab, self.id, self.cseq, self.how = lab, "call-%d" % number, 1, how
        self.a, self.b = Party(lab, "inet", "203.0.113.1", 5000), Party(lab, "desk", "10.0.0.30", 4000)
        self.caller, self.callee = self.sip("inet", "203.0.113.1"), self.sip("desk", "10.0.0.30")
        self.caller.sendto(self.request("INVITE", self.a.sdp(EVENTS, MEDIA)), (EDGE, 5060))
        invite, source = self.receive(self.callee)
        self.b.peer({"sdp": invite.partition("\r\n\r\n")[2].encode()})
        self.callee.sendto(self.answer(invite, self.b.sdp(EVENTS, MEDIA)), source)
        final = self.receive(self.caller)[0]
        expect(final.startswith("SIP/2.0 200"), "the call is answered: %s" % final[:60])
        self.a.peer({"sdp": final.partition("\r\n\r\n")[2].encode()})
        expect(self.a.relay[0] == EDGE and self.b.relay[0] == "10.0.0.1", "both speak to the relay: %s, %s" %
               (self.a.relay, self.b.relay))
        self.both_hear()

    def sip(self, host, address):
        s = self.lab.socket(host, socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, 5060))
        s.settimeout(4)
        return s

    def request(self, method, body="", lines="", tag=""):
        return ("%s sip:desk@%s SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK%s%d\r\n"
                "From: <sip:a@inet>;tag=a\r\nTo: <sip:desk@edge>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nMax-Forwards: 9\r\n"
                "Contact: <sip:a@203.0.113.1>\r\n%s%s%sContent-Length: %d\r\n\r\n%s" %
                (method, EDGE, self.id, self.cseq, tag, self.id, self.cseq, method,
                 "X-Do: %s\r\n" % self.how if self.how else "", lines,
                 "Content-Type: application/sdp\r\n" if body else "", len(body), body)).encode()

    def answer(self, request, body=""):
        kept = re.findall(r"^(?:Via|From|Call-ID|CSeq|X-Do):.*$", request, re.M | re.I)
        to = re.search(r"^To: <[^>]*>", request, re.M).group(0) + ";tag=b"
        return ("SIP/2.0 200 OK\r\n%s\r\n%s\r\nContact: <sip:desk@10.0.0.30>\r\n%sContent-Length: %d\r\n\r\n%s" %
                ("\r\n".join(line.strip() for line in kept), to, "Content-Type: application/sdp\r\n" if body else "",
                 len(body), body)).encode()

    @staticmethod
    def receive(s):
        while True:
            data, source = s.recvfrom(65535)
            if not data.startswith(b"SIP/2.0 1") and not data.startswith(b"ACK"):
                return data.decode(), source

    def do(self, command, what=""):
        """The answer's status line."""
        self.cseq += 1
        lines = "X-Do: %s\r\n%s" % (command, "X-With: %s\r\n" % (what or "all"))
        self.caller.sendto(self.request("INFO", lines=lines, tag=";tag=b"), (EDGE, 5060))
        return self.receive(self.caller)[0].split("\r\n")[0]

    def must(self, command, what=""):
        status = self.do(command, what)
        if not status.startswith("SIP/2.0 200"):
            raise LabError("%s: %s" % (command, status))
        return status

    def both_hear(self):
        self.a.rtp(3)
        self.b.rtp(3)
        got = len(self.b.received()), len(self.a.received())
        expect(got == (3, 3), "sound both ways: %s" % (got,))

    def silent_rtp(self):
        """One loud packet of the caller; what the callee hears of it."""
        self.a.sequence += 1
        self.a.sockets[0].sendto(struct.pack("!BBHII", 0x80, 8, self.a.sequence, 5, self.a.ssrc) + b"\x2a" * 160, self.a.relay)
        return [data[12:] for data, _ in self.b.received()]

    def hang_up(self):
        self.cseq += 1
        self.caller.sendto(self.request("BYE", tag=";tag=b"), (EDGE, 5060))
        bye, source = self.receive(self.callee)
        self.callee.sendto(self.answer(bye), source)
        self.receive(self.caller)
        for one in (self.caller, self.callee, self.a, self.b):
            one.close()
        return bye


def block_media(call, lab):
    call.must("block_media")
    call.a.rtp(3)
    call.b.rtp(3)
    got = len(call.b.received()), len(call.a.received())
    expect(got == (0, 0), "nobody hears anybody: %s" % (got,))


def unblock_media(call, lab):
    call.must("unblock_media")
    call.both_hear()


def silence_media(call, lab):
    call.must("silence_media")
    expect(call.silent_rtp() == [b"\xd5" * 160], "what was loud is silent")


def unsilence_media(call, lab):
    call.must("unsilence_media")
    expect(call.silent_rtp() == [b"\x2a" * 160], "loud again")


def event(call):
    call.a.sequence += 1
    body = struct.pack("!BBHIIBBH", 0x80, 101, call.a.sequence, 9, call.a.ssrc, 1, 0x8a, 800)
    call.a.sockets[0].sendto(body, call.a.relay)
    call.a.rtp()
    return [data[1] & 0x7f for data, _ in call.b.received()]


def block_dtmf(call, lab):
    call.must("block_dtmf")
    expect(event(call) == [8], "events are blocked, audio is not")


def unblock_dtmf(call, lab):
    call.must("unblock_dtmf")
    expect(event(call) == [101, 8], "both pass")


def play_dtmf(call, lab):
    call.must("play_dtmf", "code=7 duration=100")
    for _ in range(12):
        call.a.rtp()
        time.sleep(0.015)
    got = [data for data, _ in call.b.received()]
    events = [data for data in got if data[1] & 0x7f == 101]
    expect(len(got) == 12 and len(events) >= 5 and all(data[12] == 7 for data in events), "a seven in place of audio: %d of %d" %
           (len(events), len(got)))


def play_media(call, lab):
    call.must("play_media", "file=tone.wav")
    got = [call.a.sockets[0].recvfrom(2048) for _ in range(5)]
    expect(got[4][1] == call.a.relay and got[4][0][12:20] != b"\xd5" * 8, "the caller hears the sound")
    expect(call.do("play_media", "file=none.wav") == "SIP/2.0 500 Refused", "what is not there is refused")


def stop_media(call, lab):
    call.must("stop_media")
    call.a.received()
    expect(len(call.a.received()) == 0, "the sound has stopped")
    call.both_hear()


def start_recording(call, lab):
    call.must("start_recording", "recording-file=one.pcapng")
    call.a.rtp(5)
    call.b.rtp(4)
    call.a.received(), call.b.received()


def stop_recording(call, lab):
    call.must("stop_recording")
    path = os.path.join(lab.dir, "recordings", "one.pcapng")

    def sources():
        if not os.path.exists(path):
            return []
        return sorted(re.findall(r" IP (\d+\.\d+\.\d+\.\d+)\.\d+ > ", lab.run("desk", "tcpdump", "-nr", path, check=False)))
    wait_until(lambda: sources() == ["10.0.0.30"] * 4 + ["203.0.113.1"] * 5, 3,
               lambda: "what was said is recorded: %s" % sources(), step=0.2)
    call.both_hear()
    expect(len(sources()) == 9, "and nothing after it")


def query(call, lab):
    packets = int(re.search(r"RTP: \d+ bytes, (\d+) packets", call.must("query")).group(1))
    call.both_hear()
    more = int(re.search(r"RTP: \d+ bytes, (\d+) packets", call.must("query")).group(1))
    expect(more == packets + 6, "$rtpstat counts: %d, then %d" % (packets, more))


def start_forwarding(call, lab):
    """To the listener of relay.forwarding: a connection for each who speaks, his sound as PCM."""
    call.must("start_forwarding", "metadata=one")
    call.heard = []
    for _ in range(2):
        s = lab.listener.accept()[0]
        s.settimeout(0.5)
        call.heard.append(s)
    call.a.sequence += 1
    call.a.sockets[0].sendto(struct.pack("!BBHII", 0x80, 8, call.a.sequence, 5, call.a.ssrc) + b"\x2a" * 160, call.a.relay)
    call.b.received()
    got = sorted(read_all(s) for s in call.heard)
    loud = struct.unpack("<h", got[1][4:6])[0] if len(got[1]) > 5 else 0
    expect(got[0] == b"one\0" and len(got[1]) == 4 + 320 and loud == 32256 * (1 if loud > 0 else -1),
           "the text, a zero, and 160 loud samples of the caller: %s" % [one[:10] for one in got])


def read_all(s):
    data = b""
    try:
        while True:
            more = s.recv(4096)
            if not more:
                break
            data += more
    except socket.timeout:
        pass
    return data


def stop_forwarding(call, lab):
    call.must("stop_forwarding")
    call.both_hear()
    for s in call.heard:
        expect(read_all(s) == b"", "nothing more comes")
        s.close()


TABLE = [block_media, unblock_media, silence_media, unsilence_media, block_dtmf, unblock_dtmf, play_dtmf, play_media,
         stop_media, start_recording, stop_recording, query, start_forwarding, stop_forwarding]


def rpc(lab, *words):
    return lab.run("sbc", "kamcmd", "-s", "unix:%s/edge.ctl" % lab.dir, *words, check=False)


def out_of_service(lab, relay):
    """What the operator sees of the relay, and that the module notices when it is gone."""
    expect("disabled: 0" in rpc(lab, "rtpengine.show", "all"), "it is in service: %s" % rpc(lab, "rtpengine.show", "all"))
    before = relay.relay_stats()["counters"]["pings"]
    expect("success" in rpc(lab, "rtpengine.ping", "all"), "a ping by hand: %s" % rpc(lab, "rtpengine.ping", "all"))
    expect(relay.relay_stats()["counters"]["pings"] > before, "it came here")
    rpc(lab, "rtpengine.enable", "all", "0")
    expect("disabled: 1" in rpc(lab, "rtpengine.show", "all"), "taken out")
    rpc(lab, "rtpengine.enable", "all", "1")
    expect("disabled: 0" in rpc(lab, "rtpengine.show", "all"), "and taken back: our pong is understood")


def run(lab):
    lab.edge()
    os.chmod(lab.dir, 0o755)
    os.mkdir(os.path.join(lab.dir, "sounds"))
    with wave.open(os.path.join(lab.dir, "sounds", "tone.wav"), "wb") as f:
        f.setparams((1, 2, 8000, 0, "NONE", ""))
        f.writeframes(struct.pack("<h", 12000) * 8000 * 5)
    lab.listener = lab.socket("sbc", socket.AF_INET, socket.SOCK_STREAM)
    lab.listener.bind(("127.0.0.1", 5555))
    lab.listener.listen(4)
    lab.listener.settimeout(2)
    relay = RelayAlone(lab, CONFIG.replace("{control: [udp/127.0.0.1:2223]}", "{control: [udp/127.0.0.1:2223], recordings: "
                                           "%s/recordings, forwarding: tcp/127.0.0.1:5555, sounds: %s/sounds}" % (lab.dir, lab.dir)) % "auto")
    with open(os.path.join(HERE, "kamailio.cfg")) as f:
        path = lab.write("edge.cfg", f.read().replace("@DIR@", lab.dir))
    lab.spawn("sbc", "edge", "kamailio", "-DD", "-E", "-f", path, "-Y", lab.dir, "-P", lab.dir + "/edge.pid",
              "-m", "32", "-M", "4").wait_log(r"edge proxy is up", 10)
    call = Call(lab, 1)
    for case in TABLE:
        try:
            case(call, lab)
        except (LabError, OSError) as e:
            raise LabError("%s: %s" % (case.__name__, e))
    bye = call.hang_up()
    expect(re.search(r"^X-Mos: [1-5]", bye, re.M), "delete tells the quality of the call:\n%s" % bye)
    Call(lab, 2, "manage").hang_up()  # one function for offer, answer and delete
    counters = relay.relay_stats()["counters"]
    expect(counters["offers"] == counters["answers"] == counters["deletes"] == 2, "each once a call: %s" % counters)
    expect(counters["errors"] == 1, "and nothing was refused but what had to be: %s" % counters)
    out_of_service(lab, relay)
    relay.check_idle(20)
    relay.stop()
