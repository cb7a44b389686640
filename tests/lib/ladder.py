# SPDX-License-Identifier: Apache-2.0
"""Two ladders side by side: what each side of the edge saw, on one clock."""

WIDTH = 62


def lines_of(message, edge):
    """One message as a few short lines; `edge` is our address on that side."""
    inbound = message.destination == edge
    arrow = "-->" if inbound else "<--"
    peer = "%s:%d" % ((message.source, message.sport) if inbound else (message.destination, message.dport))
    out = ["%s %s %s  (%s)" % (peer, arrow, message.first_line.replace(" SIP/2.0", "").replace("SIP/2.0 ", ""),
                               message.transport)]
    if message.method in ("INVITE", "REGISTER", "BYE") and (message.is_request or message.code >= 200):
        for name in ("Via", "Call-ID", "Contact"):
            value = message.get(name)
            if value:
                out.append("    %s: %s" % (name, value.replace("SIP/2.0/", "")))
    if message.is_request and message.method == "INVITE":
        for line in message.body.decode("utf-8", "replace").split("\r\n"):
            if line[:2] in ("o=", "c=", "m="):
                out.append("    " + line)
    return [l if len(l) <= WIDTH else l[:WIDTH - 1] + "…" for l in out]


def render(wan_messages, wan_edge, lan_messages, lan_edge):
    rows = [(m.time, 0, lines_of(m, wan_edge)) for m in wan_messages] + \
           [(m.time, 1, lines_of(m, lan_edge)) for m in lan_messages]
    rows.sort(key=lambda r: r[0])
    if not rows:
        return "  (no message was captured)"
    first = rows[0][0]
    out = ["%7s  %-*s | %s" % ("s", WIDTH, "internet side (Postern is %s)" % wan_edge,
                               "LAN side (Postern is %s)" % lan_edge),
           "-" * 7 + "--" + "-" * WIDTH + "-+-" + "-" * WIDTH]
    for when, side, lines in rows:
        for i, line in enumerate(lines):
            clock = "%7.3f" % (when - first) if i == 0 else " " * 7
            left, right = (line, "") if side == 0 else ("", line)
            out.append("%s  %-*s | %s" % (clock, WIDTH, left, right))
    return "\n".join(out) + "\n"
