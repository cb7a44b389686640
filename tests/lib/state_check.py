# SPDX-License-Identifier: Apache-2.0
"""The memories of all living nodes against the store: nothing that was acknowledged is missing, nothing that has ended
is there, no call has two owners. Run by hand, beside nodes that serve:
    python3 -m lib.state_check --redis /run/redis.sock STATS_SOCKET...     (or --file /var/lib/postern/state.db)
Exit 0 and a line when all is well; else a line a finding, exit 1."""
import argparse
import socket
import sqlite3
import sys
import time

HEAD = 14


def head(value):
    """(node, epoch) of a record's clear head; None = none."""
    if len(value) < HEAD or value[0] != 0xCB:
        return None
    return int.from_bytes(value[2:4], "big"), int.from_bytes(value[4:12], "big")


def memory(ask, ask_relay=None):
    """What a living node has: answers of its signalling half, and of its relay where it has one."""
    found = {"node": ask("show version")["node"], "calls": ask("show calls"), "peers": ask("show peers"),
             "registrations": ask("show registrations"), "subscriptions": ask("show subscriptions")}
    if ask_relay:
        found["sessions"] = [call["call_id"] for call in ask_relay("show calls")["calls"]]
    return found


def numbers(records):
    """{name: number} of the nodes whose heart beats in the store."""
    return {value.split(b"\n")[0].decode(): int(key[len("node:{"):-1]) for key, value in records.items()
            if key.startswith("node:{") and key.endswith("}") and key != "node:{}" and value is not None}


def findings(nodes, records):
    """`nodes`: of each living node its memory(); `records`: value (or None: of another type) by key."""
    known = numbers(records)
    return (of_calls(nodes, records, known) + of_phones(nodes, records) + of_trunks(nodes, records, known) +
            of_media(nodes, records) + of_hearts(nodes, known))


def of_kind(records, kind):
    return {key: value for key, value in sorted(records.items()) if key.startswith(kind + ":{")}


def of_calls(nodes, records, known):
    found, holders = [], {}
    for node in nodes:
        for call in node["calls"]:
            holders.setdefault(call["id"], []).append(node["node"])
            if call.get("protected") and call.get("state") == "up" and "call:{%s}" % call["id"] not in records:
                found.append("missing: call %s of node %s is acknowledged, and not in the store" % (call["id"], node["node"]))
    for ident, where in sorted(holders.items()):
        if len(where) > 1:
            found.append("two owners: call %s is held by nodes %s" % (ident, where))
    for key, value in of_kind(records, "call").items():
        where = holders.get(key[len("call:{"):-1])
        if not where:
            found.append("left over: %s is in the store, and no node has the call" % key)
        if value is not None and not head(value):
            found.append("no head: %s says nothing about its owner" % key)
        elif value is not None and where and known.get(where[0], head(value)[0]) != head(value)[0]:
            found.append("another owner: %s is node %d's, and node %s has the call" % (key, head(value)[0], where[0]))
    return found


def of_phones(nodes, records):
    """Registrations through us, and subscriptions: each line names its record."""
    found = []
    for kind, what in (("aor", "registrations"), ("sub", "subscriptions")):
        held = {}
        for node in nodes:
            for line in node[what]:
                if not line.get("record"):
                    continue
                held.setdefault(line["record"], []).append(node["node"])
                if line.get("protected", True) and line["record"] not in records:
                    found.append("missing: %s of node %s is not in the store" % (line["record"], node["node"]))
        found += ["two owners: %s is held by nodes %s" % (key, where) for key, where in sorted(held.items())
                  if len(where) > 1]
        found += ["left over: %s is in the store, and no node has it" % key for key in of_kind(records, kind)
                  if key not in held]
    return found


def of_trunks(nodes, records, known):
    found, holders = [], {}
    for node in nodes:
        for line in node["peers"]:
            if line.get("registration") == "registered":
                holders.setdefault(line["peer"], set()).add(node["node"])
    for peer, where in sorted(holders.items()):
        value = records.get("trunk:{%s}" % peer)
        if len(where) > 1:
            found.append("two owners: trunk %s is registered by nodes %s" % (peer, sorted(where)))
        elif value is None or not head(value):
            found.append("missing: trunk %s is registered, and not in the store" % peer)
        elif known.get(min(where), head(value)[0]) != head(value)[0]:
            found.append("another owner: trunk %s is node %d's, and node %s registers it" % (peer, head(value)[0], min(where)))
    return found


def of_media(nodes, records):
    """What the relay of a living node wrote ends with its session; of a dead one, by itself."""
    found = []
    for key in of_kind(records, "media"):
        ident, _, name = key[len("media:{"):].partition("}:")
        for node in nodes:
            if node["node"] == name and "sessions" in node and ident not in node["sessions"]:
                found.append("left over: %s is in the store, and the relay of node %s has no such session" % (key, name))
    return found


def of_hearts(nodes, known):
    """A store that is a file has none."""
    return ["missing: node %s lives, and its heart does not beat in the store" % node["node"] for node in nodes
            if known and node["node"] not in known]


def lasting(look, seconds=5.0, step=0.25):
    """What `look` finds, all the time: what a moment's writing explains is none. Empty = all is well."""
    end, same = time.monotonic() + seconds, None
    while same is None or (same and time.monotonic() < end):
        now = set(look())
        same = now if same is None else same & now
        if same:
            time.sleep(step)
    return sorted(same)


def ask_redis(where, *commands):
    """Replies to commands that leave at once; `where` is a path, or (host, port)."""
    kind = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(kind) as s:
        s.settimeout(10)
        s.connect(where)
        s.sendall(b"".join(b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in c)
                           for c in commands))
        with s.makefile("rb") as lines:
            return [read_reply(lines) for _ in commands]


def read_reply(lines):
    line = lines.readline()[:-2]
    kind, value = line[:1], line[1:]
    if kind == b"$":
        return None if value == b"-1" else lines.read(int(value) + 2)[:-2]
    if kind == b"*":
        return [read_reply(lines) for _ in range(int(value))]
    return ValueError(value.decode()) if kind == b"-" else value


def redis_records(where):
    """Keys and values; a value of another type is None."""
    keys, = ask_redis(where, (b"KEYS", b"*:{*"))
    values = ask_redis(where, *((b"GET", key) for key in keys)) if keys else []
    # one that went meanwhile is no record any more
    return {key.decode(): None if isinstance(value, ValueError) else value for key, value in zip(keys, values)
            if value is not None}


def file_records(path):
    file = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5)
    file.text_factory = bytes
    try:
        rows = file.execute("SELECT key,value FROM records WHERE key LIKE '%:{%' AND expires>?",
                            (int(time.time() * 1000),)).fetchall()
    finally:
        file.close()
    return {key.decode(): bytes(value) for key, value in rows}


def main():
    from .postern import ask
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", help="unix socket, or HOST:PORT")
    parser.add_argument("--file")
    parser.add_argument("sockets", nargs="+")
    args = parser.parse_args()
    if args.redis and ":" in args.redis:
        host, _, port = args.redis.rpartition(":")
        where = (host, int(port))
    else:
        where = args.redis
    found = lasting(lambda: findings([memory(lambda command, s=s: ask(s, command)) for s in args.sockets],
                                     file_records(args.file) if args.file else redis_records(where)))
    for line in found:
        print(line)
    if not found:
        print("all is well: nodes and store agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
