# SPDX-License-Identifier: Apache-2.0
"""Codecs of a peer: others are taken out of what it is offered, in its order, telephone-event stays; when nothing is
left the call is refused with 488 and nobody is called."""
import re

from lib.callee import Callee, body_of, count
from lib.carrier import CARRIER, PBX, Carrier
from lib.edge import expect

WORKERS = [1]
CONFIG = "peers:\n" + PBX + """  carrier: {interface: wan, servers: [198.51.100.66], media: {codecs: [PCMU, PCMA]}}
routes:
  - {from: pbx, to: carrier}
"""
SDP = ("v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\nm=audio 40000 RTP/AVP %s\r\n"
       "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:96 opus/48000/2\r\n"
       "a=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\n%s")
VIDEO = "m=video 40002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"


def run(lab):
    carrier = Carrier(lab, CONFIG)
    callee = Callee(lab, "stranger", CARRIER % 66)
    carrier.call(sdp=SDP % ("96 9 8 0 101", VIDEO))
    body = body_of(callee.invites[0])
    audio, video = re.search(r"m=audio \d+ RTP/AVP (.*)", body)[1].strip(), re.search(r"m=video (\d+)", body)[1]
    expect(audio == "0 8 101", "the peer's codecs in its order: %r" % audio)
    expect(video == "0" and "opus" not in body and "useinbandfec" not in body, "nothing else: %s" % body)
    carrier.call(sdp=SDP % ("96 9 101", ""), code=488)
    expect(count(callee) == [1], "nobody is called for nothing")
    carrier.finish(callee)
