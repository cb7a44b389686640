#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The longest files and functions of our own code: read it at every change, for style decays by
appending. A report, not a gate. Usage: sizes.py [rows]"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# With the braces of the kernel style a function's body is between two braces in the first column,
# and the last line above that begins in the first column has its name.
NAME = re.compile(r"(\w+)\s*\(")


def functions(lines):
    head, start = None, None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}"):
            if start and head:
                yield head[1], head[0], number - head[0] + 1
            head = start = None
        elif start is None and line[:1].isalpha():
            found = NAME.findall(line)
            named = [name for name in found if name != "__attribute__"]
            if named:
                head = (number, named[0])


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    files, bodies = [], []
    for top in ("control", "config", "sbc", "rtpengine", "tests"):
        for folder, _, names in os.walk(os.path.join(TOP, top)):
            for name in names:
                if not name.endswith((".c", ".h", ".py")):
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8", errors="replace") as source:
                    lines = source.read().splitlines()
                shown = os.path.relpath(path, TOP)
                files.append((len(lines), shown))
                if name.endswith(".c"):
                    bodies += [(length, "%s:%d %s()" % (shown, at, what)) for what, at, length in functions(lines)]
    own = sorted((length for length, shown in files if not shown.startswith("tests/")))
    print("%d files, %d lines; without tests %d files, %d lines, median %d" % (
        len(files), sum(length for length, _ in files), len(own), sum(own), own[len(own) // 2] if own else 0))
    for title, found in (("longest files", files), ("longest functions", bodies)):
        print("\n%s" % title)
        for length, what in sorted(found, reverse=True)[:rows]:
            print("%6d  %s" % (length, what))


if __name__ == "__main__":
    main()
