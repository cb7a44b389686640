#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/scenarios.md is true: each id has its line, each place is there, and each scenario that bears an
id in its name is in that id's line."""
import os
import re
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(os.path.dirname(TESTS), "docs", "scenarios.md")
IDS = (["F%d" % n for n in range(1, 11)] + ["R%d" % n for n in range(1, 12)] + ["N%d" % n for n in range(1, 16)] +
       ["S%d" % n for n in range(1, 22)] + ["A%02d" % n for n in range(1, 39)])


def rows(text):
    """(id, places) of each line of the table."""
    for line in text.splitlines():
        found = re.match(r"\| ([FRNSA]\d+) \| (.+) \| (.+) \|$", line)
        if found:
            yield found.group(1), found.group(3).split(", ")


def folders(tests):
    return {name for kind in ("scenario", "interop") for name in os.listdir(os.path.join(tests, kind))
            if os.path.exists(os.path.join(tests, kind, name, "test.py"))}


def wrong(text, tests):
    """What is not true of the table, a sentence each."""
    there, seen = folders(tests), {}
    for name, places in rows(text):
        if name in seen:
            yield "%s has two lines" % name
        seen[name] = places
        for place in places:
            if place not in there and not os.path.isfile(os.path.join(tests, place)):
                yield "%s: there is no %s" % (name, place)
    for name in IDS:
        if name not in seen:
            yield "%s has no line" % name
    for name in seen:
        if name not in IDS:
            yield "%s is no id" % name
    for folder in sorted(there):
        for name in re.findall(r"(?<=_)[frn]\d+(?=_)", folder):
            if folder not in seen.get(name.upper(), []):
                yield "%s bears an id, but is not in the line of %s" % (folder, name.upper())


def main():
    with open(TABLE) as f:
        found = list(wrong(f.read(), TESTS))
    for sentence in found:
        print("docs/scenarios.md: " + sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
