# SPDX-License-Identifier: Apache-2.0
"""Host names in Contact and Record-Route are looked up for the requests of a dialog (RFC 3263): ACK, BYE, INFO,
re-INVITE, UPDATE, REFER, SUBSCRIBE, with the next address when one fails. Where a name leads nowhere they go to
where the far end was last. A phone behind a NAT is where its packets come from, whatever it writes."""
from lib.edge import expect
from lib.nsd import NameServer
from lib.pbx import Dialog, End, Ends, establish, sdp_of

WORKERS = [2]
CONFIG = """interfaces:
  lan: {role: trusted, address: 10.0.0.1}
  wan: {address: 203.0.113.10}
peers:
  pbx: {interface: lan, address: 10.0.0.20}
dns: {servers: [10.0.0.30], timeout: 1s}
"""
ZONES = {"corp.example": """_sip._udp.cluster SRV 10 0 5071 node
_sip._tcp.both SRV 10 0 5099 node
_sip._udp.both SRV 10 0 5071 node
_sip._tcp.gone SRV 10 0 5099 node
node A 10.0.0.20
"""}


class Named(End):
    """Says where it is by a name."""
    name = "cluster.corp.example"

    def contact(self):
        return "<sip:%s@%s>" % (self.user, self.name)


def through(near, far, node, method, code=200, **kw):
    """A request of `near` arrives at the node that the name leads to, and is answered there."""
    sent = near.send(method, **kw)
    got = node.request(method)
    expect(got.get("Call-ID") == far.call_id, "%s of the dialog" % method)
    node.reply(got, code, body=sdp_of("10.0.0.20") if "m=audio" in kw.get("body", "") else "")
    if method == "INVITE":
        expect(near.end.answer(sent).code == code, "answered")
        near.ack(sent["cseq"])
        node.request("ACK")
    else:
        expect(near.end.answer(sent).code == code, "%s answered" % method)


def call(e, headers=""):
    """From the phone to the PBX; the ACK goes where the name in its Contact leads."""
    home = e.home
    sent = home.send("INVITE", "sip:desk@example.com", body=sdp_of(home.address), type="application/sdp")
    invite = e.invite = e.pbx.request("INVITE")
    to = e.pbx.reply(invite, 200, "OK", body=sdp_of(e.pbx.address), headers=headers)
    near = Dialog.calling(home, sent, home.answer(sent))
    near.ack(sent["cseq"])
    return near, Dialog.called(e.pbx, invite, to)


def run(lab):
    lab_edge = lab.edge

    def edge(stranger=False):
        lab_edge(stranger=stranger)
        NameServer(lab, "desk", "10.0.0.30", ZONES)
    lab.edge = edge
    e = Ends(lab, CONFIG)
    e.pbx.__class__ = Named
    node = e.add(Named(lab, "pbx", "pbx", "10.0.0.20", "10.0.0.1", 5071))

    near, far = call(e, "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, REFER\r\n")
    node.request("ACK")
    through(near, far, node, "INFO", body="x")
    through(near, far, node, "INVITE", body=sdp_of("192.168.0.18"), type="application/sdp")
    through(near, far, node, "UPDATE", body=sdp_of("192.168.0.18"), type="application/sdp")
    through(near, far, node, "REFER", 202, headers="Refer-To: <sip:boss@example.com>\r\n")
    through(near, far, node, "BYE")
    e.pbx.quiet("BYE", 0.2)

    # a proxy of the PBX recorded itself by name; its first address refuses, and is left alone for a while
    e.pbx.name = "10.0.0.20:5060"
    route = "Record-Route: <sip:both.corp.example;lr>\r\n"
    near, far = call(e, route)
    e.pbx.quiet("ACK", 0.2)
    e.pbx.reply(e.invite, 200, "OK", body=sdp_of(e.pbx.address), headers=route)  # no ACK came
    expect(node.request("ACK").get("Call-ID") == far.call_id, "ACK to the other address")
    through(near, far, node, "INFO", body="x")
    through(near, far, node, "BYE")

    # nobody is at the only address: the call ends all the same, and the sender is told
    e.pbx.name = "gone.corp.example"
    near, far = call(e)
    sent = near.send("BYE")
    expect(near.end.answer(sent).code == 200, "BYE is answered")

    # subscriptions likewise
    e.pbx.name = "cluster.corp.example"
    sent = e.home.send("SUBSCRIBE", "sip:desk@example.com", headers="Event: presence\r\nExpires: 60\r\n")
    e.pbx.reply(e.pbx.request("SUBSCRIBE"), 200, headers="Expires: 60\r\n")
    near = Dialog.calling(e.home, sent, e.home.answer(sent))
    sent = near.send("SUBSCRIBE", headers="Event: presence\r\nExpires: 0\r\n")
    node.reply(node.request("SUBSCRIBE"), 481)
    expect(e.home.answer(sent).code == 481, "the refresh goes where the name leads")

    # a name that leads nowhere: back to where it was
    e.pbx.name = "nowhere.corp.example"
    near, far = call(e)
    e.pbx.request("ACK")
    through(near, far, e.pbx, "INFO", body="x")
    through(near, far, e.pbx, "BYE")

    # the phone writes a name; it is where its packets come from
    e.pbx.name = "10.0.0.20:5060"
    e.home.__class__ = Named
    e.home.name = "cluster.corp.example"
    near, far = call(e)
    e.pbx.request("ACK")
    sent = far.send("BYE")
    e.home.reply(e.home.request("BYE"), 200)
    expect(e.pbx.answer(sent).code == 200, "to where the phone is")
    node.quiet("BYE", 0.2)
    e.home.__class__ = End
    e.finish()
