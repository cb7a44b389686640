# SPDX-License-Identifier: Apache-2.0
"""Nothing is downgraded in silence: where SRTP is required, an offer of RTP gets 488 and the LAN hears nothing of
it; an answer without keys ends the call; where there is no SRTP, an offer of it gets 488."""
from lib.edge import expect
from lib.side import Callee, Sides, sdp

WORKERS = [2]
KEYS = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"


def secure(ip, port=40000, keys=KEYS):
    return sdp(ip, port, keys).replace("RTP/AVP", "RTP/SAVP")


def run(lab):
    sides = Sides(lab, lan=", media: {srtp: never}", wan=", media: {srtp: require, keying: sdes}")
    call = sides.carrier.invite("sip:1000@example.com")
    call.wait_final(488)
    call.ack()
    bad = sides.carrier.invite("sip:1001@example.com", sdp=secure("198.51.100.66", keys="a=crypto:1 F8 inline:x\r\n"))
    bad.wait_final(488)
    bad.ack()
    good = sides.carrier.invite("sip:1002@example.com", sdp=secure("198.51.100.66"))
    invite = sides.pbx.receive(lambda m: m.is_request and m.method == "INVITE")
    expect("sip:1002@" in invite.first_line, "only the third came through: " + invite.first_line)
    expect("RTP/AVP" in invite.text and "crypto" not in invite.text, "in clear on the LAN")
    callee = Callee(sides.pbx, invite)
    callee.reply(invite, 200, body=callee.sdp())
    callee.expect_request("ACK")
    final = good.wait_final(200)
    expect("RTP/SAVP" in final.text and "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" in final.text,
           "answered with a key: " + final.text)
    expect("WVNfX19zZW1jdGwg" not in final.text, "which is not the offerer's")
    good.ack()
    sides.hang_up(good, callee)
    # the other way: the LAN offers SRTP although its policy has none
    other = sides.pbx.invite("sip:2000@example.com", sdp=secure("10.0.0.20"))
    other.wait_final(488)
    other.ack()
    sides.finish()
