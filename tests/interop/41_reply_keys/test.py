# SPDX-License-Identifier: Apache-2.0
"""The same commands to our relay and to Debian's rtpengine: the replies have the same keys with the same types.
What differs stands below with its reason, and a difference that is no more must go from there."""
import re
import socket
import struct
import time

from lib import rtpengine
from lib.edge import expect
from lib.ng import NG
from lib.relay import CONFIG, Party, RelayAlone

WORKERS = [1]
EVENTS = "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
MEDIA = "audio %d RTP/AVP 8 101"
# Path -> why ours has it not, or otherwise.
MISSING = {
    r".*/intervalstatistics(/.*)?": "intervals are those of its Graphite export; ours are in the stats socket",
    r".*/controlstatistics/proxies(/.*)?": "clients are counted together",
    r".*/currentstatistics/\w+rate(_kernel|_user)?": "rates are differences of two totals, which the reader makes",
    r".*/currentstatistics/media_\w+": "there is one way through the relay, and no mixing",
    r".*/interfaces/\[\]/ports/last": "ports are taken by chance, not in turn",
    r".*/statistics/mos(/.*)?": "quality is told for each stream, and not averaged over calls",
    r".*/totalstatistics/(one|zero)waystreams": "not counted at the end of calls; see hijackattempts and drops",
    r".*/totalstatistics/totalcallsduration(2|_stddev)": "sums of squares are of no use to anybody",
    r".*/statistics/transcoders": "there is no transcoding",
}
EXTRA = {
    r"(query|delete)/SSRC/\*(/.*)?": "we count by ourselves; it tells what RTCP reports told it",
    r"(query|delete)/created_ts": "of later versions",
    r"(query|delete)/last redis update": "of later versions",
    r"(query|delete)/tags/\*/tag-aliases": "of later versions",
    r"(query|delete)/tags/\*/medias/\[\]/(in|e)gress SSRCs(/.*)?": "of later versions",
    r"(query|delete)/tags/\*/medias/\[\]/streams/\[\]/last (kernel|user) packet": "of later versions",
    r"(query|delete)/tags/\*/medias/\[\]/streams/\[\]/receive(/.*)?": "ours: why one side hears badly",
    r"(query|delete)/tags/\*/medias/\[\]/streams/\[\]/stats/sent packets": "ours",
    r"ping/(instance|sequence)": "ours: whether it is the same process, and what ended by itself",
    r".*/controlstatistics/total(error|pauserec)count": "of later versions",
    r".*/controlstatistics/totalconnectcount": "ours",
    r".*/currentstatistics/mediaports": "ours",
    r".*/interfaces/\[\]/ports/quarantine": "ours",
    r".*/totalstatistics/hijackattempts": "ours",
}


def shape(value, path, out):
    """Every path with its type; names of tags and SSRCs are one."""
    if isinstance(value, dict):
        for key, one in value.items():
            last = path.rsplit("/", 1)[-1]
            shape(one, "%s/%s" % (path, "*" if last in ("tags", "SSRC") and path.count("/") == 1 else key), out)
    elif isinstance(value, list):
        for one in value:
            shape(one, path + "/[]", out)
    out.add((path, {dict: "dict", list: "list", int: "int", bytes: "text"}[type(value)]))


def ask(ng, lab, ports):
    out = set()
    a, b = Party(lab, "desk", "10.0.0.30", ports), Party(lab, "inet", "203.0.113.1", ports + 1000)

    def command(name, **keys):
        reply = ng.request(name, **keys)
        shape(reply, name, out)
        return reply
    command("ping")
    reply = command("offer", call_id="c", from_tag="a", sdp=a.sdp(EVENTS, MEDIA), direction=["lan", "wan"], label="caller")
    b.peer(reply)
    a.peer(command("answer", call_id="c", from_tag="a", to_tag="b", sdp=b.sdp(EVENTS, MEDIA), label="callee"))
    for _ in range(3):
        a.rtp(3)
        b.rtp(3)
        for one in (a, b):
            one.rtcp(body=struct.pack("!BBHIIIIIIIIIIII", 0x81, 200, 12, one.ssrc, 0x83aa7e80, 0, 160, 9, 1440,
                                      (a if one is b else b).ssrc, 0, (a if one is b else b).sequence, 8, 0, 0))
        time.sleep(0.05)
    time.sleep(1.2)  # statistics go from one place to the other once a second
    reply = command("query", call_id="c", from_tag="a")
    labels = {tag: reply["tags"][tag].get("label") for tag in reply["tags"]}
    command("list")
    command("statistics")
    command("delete", call_id="c", from_tag="a", delete_delay=0)
    command("delete", call_id="unknown", from_tag="a")
    command("query", call_id="unknown")
    a.close()
    b.close()
    return out, labels


def run(lab):
    lab.edge()
    relay = RelayAlone(lab, CONFIG % "auto")
    rtpengine.start(lab, control="127.0.0.1:2224")
    clients = [NG(lab.socket("sbc", socket.AF_INET, socket.SOCK_DGRAM), "127.0.0.1", port) for port in (2223, 2224)]
    (ours, labels), (theirs, their_labels) = ask(clients[0], lab, 4000), ask(clients[1], lab, 4100)
    expect(labels == their_labels, "labels alike: %s and %s" % (labels, their_labels))
    missing = {path: kind for path, kind in theirs - ours}
    extra = {path: kind for path, kind in ours - theirs}
    told = ["ours has not %s (%s)" % one for one in sorted(missing.items()) if not known(one[0], MISSING)]
    told += ["ours alone has %s (%s)" % one for one in sorted(extra.items()) if not known(one[0], EXTRA)]
    told += ["not so any more: %s" % one for one in sorted(MISSING) if not any(re.fullmatch(one, p) for p in missing)]
    told += ["not so any more: %s" % one for one in sorted(EXTRA) if not any(re.fullmatch(one, p) for p in extra)]
    expect(not told, "replies alike:\n" + "\n".join(told))
    relay.check_idle(20)
    relay.stop()


def known(path, table):
    return any(re.fullmatch(one, path) for one in table)
