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


def findings(nodes, records):
    """`nodes`: of each living node what `show calls` says; `records`: value (or None) by key, of keys `call:{ID}`."""
    found, holders = [], {}
    for number, calls in enumerate(nodes):
        for call in calls:
            holders.setdefault(call["id"], []).append(number)
            key = "call:{%s}" % call["id"]
            if call.get("protected") and call.get("state") == "up" and key not in records:
                found.append("missing: call %s of node %d is acknowledged, and not in the store" % (call["id"], number))
    for ident, where in sorted(holders.items()):
        if len(where) > 1:
            found.append("two owners: call %s is held by nodes %s" % (ident, where))
    for key, value in sorted(records.items()):
        if key[len("call:{"):-1] not in holders:
            found.append("left over: %s is in the store, and no node has the call" % key)
        if value is not None and not head(value):
            found.append("no head: %s says nothing about its owner" % key)
    return found


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
    keys, = ask_redis(where, (b"KEYS", b"call:*"))
    values = ask_redis(where, *((b"GET", key) for key in keys)) if keys else []
    # one that went meanwhile is no record any more
    return {key.decode(): None if isinstance(value, ValueError) else value for key, value in zip(keys, values)
            if value is not None}


def file_records(path):
    file = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5)
    file.text_factory = bytes
    try:
        rows = file.execute("SELECT key,value FROM records WHERE key LIKE 'call:%' AND expires>?",
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
    found = lasting(lambda: findings([ask(s, "show calls") for s in args.sockets],
                                     file_records(args.file) if args.file else redis_records(*where)))
    for line in found:
        print(line)
    if not found:
        print("all is well: nodes and store agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
