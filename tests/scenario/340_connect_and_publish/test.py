# SPDX-License-Identifier: Apache-2.0
"""NG's connect and publish on the wire: two calls are joined, whichever of two cores serves them, and come apart; what is
published is heard by who subscribes to it, and by who is connected with it."""
from lib.edge import expect
from lib.lab import LabError
from lib.relay import Bench, CONFIG, Party

WORKERS = [1]


def call(bench, lab, port):
    a, b = Party(lab, "desk", "10.0.0.30", port), Party(lab, "inet", "203.0.113.1", port + 1000)
    bench.call(a, b)
    a.rtp(2)
    b.rtp(2)
    expect(len(a.received()) == 2 and len(b.received()) == 2, "call %s has sound" % bench.id)
    return bench.id, a, b


def heard(speaker, *listeners):
    speaker.rtp(3)
    return [len(one.received()) for one in listeners]


def joined(bench, lab):
    """Several calls, so that some pairs are of different cores."""
    first, a, b = call(bench, lab, 4000)
    for i in range(2):
        second, c, d = call(bench, lab, 4100 + 100 * i)
        bench.ng.must("connect", call_id=first, from_tag="a", to_call_id=second, to_tag="a")
        d.rtp(3)
        got = heard(a, c) + heard(c, a) + heard(b, a)
        expect(got == [3, 3, 0], "the two callers hear each other alone: %s" % got)
        a.rtcp()
        expect(len(c.received(1)) == 1, "RTCP goes along")
        bench.ng.must("delete", call_id=second)
        c.close()
        d.close()
    expect(heard(a, b) == [0], "whom it was connected with is gone")
    bench.ng.must("connect", call_id=first, from_tag="a", to_tag="b")
    got = heard(a, b) + heard(b, a)
    expect(got == [3, 3], "and back: %s" % got)
    bench.ng.must("delete", call_id=first)
    a.close()
    b.close()


def published(bench, lab):
    source, listener = Party(lab, "desk", "10.0.0.30", 4000), Party(lab, "pbx", "10.0.0.20", 7000)
    reply = bench.ng.must("publish", sdp=source.sdp("a=sendonly\r\n", "audio %d RTP/AVP 0 8"), interface="lan",
                          codec={"accept": ["PCMA"]})
    text = source.peer(reply)
    expect("RTP/AVP 8\r\n" in text and "a=recvonly" in text, "one codec, received:\n" + text)
    name, tag = reply["call-id"].decode(), reply["from-tag"].decode()
    request = bench.ng.must("subscribe request", call_id=name, from_tag=tag, interface="lan")
    bench.ng.must("subscribe answer", call_id=name, to_tag=request["to-tag"].decode(), sdp=listener.sdp("a=recvonly\r\n"))
    expect(heard(source, listener) == [3], "the subscriber hears it")
    call_id, a, b = call(bench, lab, 4100)
    bench.ng.must("connect", call_id=call_id, from_tag="b", to_call_id=name, to_tag=tag)
    got = heard(source, listener, b, a)
    expect(got == [3, 3, 0], "the callee hears it in place of the caller, the subscriber too: %s" % got)
    for one in (name, call_id):
        bench.ng.must("delete", call_id=one)
    for one in (source, listener, a, b):
        one.close()


def run(lab):
    lab.edge()
    bench = Bench(lab, config=CONFIG.replace("dataplane: {", "dataplane: {cores: [0, 1], "))
    try:
        joined(bench, lab)
        published(bench, lab)
    except LabError as e:
        raise LabError("%s\n%s" % (e, bench.relay.ask_relay("show stats")))
    bench.relay.check_idle(20)
    bench.relay.stop()
