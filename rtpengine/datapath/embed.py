#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py IN OUT NAME - a file as a C array."""
import sys

data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "w") as out:
    out.write("/* made by embed.py */\n#pragma once\n")
    out.write("static const unsigned char %s[%d] = {" % (sys.argv[3], len(data)))
    for i, byte in enumerate(data):
        out.write(("\n\t" if i % 16 == 0 else " ") + "%d," % byte)
    out.write("\n};\n")
