# SPDX-License-Identifier: Apache-2.0
"""SDP bombs in an INVITE of a phone that is known (A21): 2,400 media lines, 29,500 payload types, 12,000
attributes, 1,000 candidates, a body of 60 kB: refused within the time of a usual answer, no port is taken, and a
call comes about meanwhile. What a body says it is longer than a message may be is 513."""
import time

from lib.edge import Edge, WAN, expect
from lib.phone import Phone
from lib.pbx import End, establish, hang_up

WORKERS = [2]
HEAD = "v=0\r\no=- 1 1 IN IP4 192.168.0.18\r\ns=-\r\nc=IN IP4 192.168.0.18\r\nt=0 0\r\n"
AUDIO = "m=audio 40000 RTP/AVP 8\r\n"
BOMBS = {
    "media lines": HEAD + "m=audio 1 RTP/AVP 0\r\n" * 2400,
    "payload types": HEAD + "m=audio 40000 RTP/AVP " + " ".join(str(n % 128) for n in range(16000)) + "\r\n",
    "attributes": HEAD + AUDIO + "a=x\r\n" * 12000,
    "candidates": HEAD + AUDIO + "".join(
        "a=candidate:%d 1 UDP %d 192.168.0.18 %d typ host\r\n" % (n, n, n + 1) for n in range(1000)),
    "a line": HEAD + AUDIO + "a=x:" + "y" * 60000 + "\r\n",
    "seventeen media": HEAD + AUDIO * 17,
}


def run(lab):
    edge = Edge(lab, phones=False, pbx=False, capture=False)
    pbx = End(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1")
    phone = Phone(lab, "home", "home", "192.168.0.18", WAN, transport="tcp", port=5090)
    phone.register("example.com", "secret")
    other = End(lab, "home", "other", "192.168.0.18", WAN, 5070)
    other.register()

    def ports():
        return sum(r["in_use"] for r in edge.postern.relay_stats()["ports"])
    before = ports()
    for name, body in BOMBS.items():
        started = time.monotonic()
        answer = phone.invite("sip:desk@example.com", body).wait_final()
        took = time.monotonic() - started
        expect(answer.code in (400, 413, 488, 513), "%s: %s" % (name, answer.first_line))
        expect(took < 1, "%s: %.2f s" % (name, took))
        phone.close()  # whoever sends such things may lose his connection
    expect(ports() == before, "no port is taken: %d" % ports())
    near, far = establish(other, pbx, "sip:desk@example.com")
    expect(ports() > before, "a call has its ports")
    hang_up(near, far)
    edge.wait_no_call()
    for end in (pbx, other):
        end.close()
    edge.postern.stop()
