#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The include graph of our own code follows the picture in docs/architecture.md and has no cycle, by
file and by folder; each library has its one place; headers and sources begin as agreed.
Prints file:line: text for each violation; exit 1 when there is any. Usage: layers.py [tree]"""
import os
import re
import sys

# The house: who may include whom. A folder's own sub-folders and neighbours below the same row are
# free, as long as there is no cycle.
ROOMS = {
    "control/base": [],
    "control/ng": ["control/base"],
    "control/sdp": ["control/base"],
    "control/state": ["control/base"],
    "control/stats": ["control/base"],
    "config": ["control/base"],
    "sbc": ["control/base", "control/ng", "control/sdp", "control/state", "control/stats", "config"],
    "rtpengine": ["control/base", "control/ng", "control/sdp", "control/state", "control/stats", "config"],
    "control/cli": ["control/base", "control/ng", "control/sdp", "control/state", "control/stats", "config"],
}

# The packet path knows nothing of sessions.
FORBIDDEN = [("rtpengine/datapath", "rtpengine/session")]

# What two sub-folders agree on lies above both, beside main.c, and counts as a folder of its own.
AGREEMENTS = ["rtpengine/flow.h", "rtpengine/record.h"]

# Third-party headers: a pattern, and the files or folders (with a slash) that may include it.
LIBRARIES = [
    (r"ev\.h|ev\+\+\.h", ["control/base/loop.c"]),
    (r"libfyaml.*", ["config/yaml.c"]),
    (r"ares.*", ["sbc/dns/"]),
    (r"pcre2\.h", ["sbc/dns/enum.c"]),
    (r"hiredis.*", ["control/state/redis_reader.c", "control/state/redis_plain.c"]),
    (r"sqlite3\.h", ["control/state/sqlite.c"]),
    (r"osip.*", ["sbc/message/"]),
    (r"expat.*", ["sbc/topology/xml.c"]),
    (r"jansson\.h", ["control/ng/json.c", "control/stats/", "control/cli/"]),
    (r"rte_.*", ["rtpengine/"]),
    (r"(bpf|xdp)/.*", ["rtpengine/datapath/"]),
    (r"emmintrin\.h", ["rtpengine/datapath/checksum.h"]),
    (r"intel-ipsec-mb\.h", ["rtpengine/datapath/srtp_crypto.c"]),
    (r"libmnl/.*", ["rtpengine/datapath/"]),
    (r"emmintrin\.h", ["rtpengine/datapath/checksum.h"]),  # SSE2: part of every x86-64
    (r"microhttpd\.h", ["control/ng/server_http.c", "control/cli/exporter.c"]),
    (r"seccomp\.h", ["sbc/sandbox.c"]),
    (r"wslay/.*", ["control/ng/server_ws.c", "sbc/transport/websocket.c"]),
    (r"openssl/.*", ["config/certificate.c", "control/base/digest.c", "control/state/seal.c", "control/ng/server_http.c", "rtpengine/ice/hmac.c", "rtpengine/dtls/",
                     "sbc/transport/tls_private.h", "sbc/transport/tls_verify.c"]),
    (r"cmocka.*", []),
]

# The C library and the kernel. Anything else is a library: it gets a row above, with its one place.
SYSTEM = re.compile(
    r"(sys|net|netinet|arpa|linux|sanitizer)/.*|"
    r"(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|getopt|grp|ifaddrs|inttypes|limits|locale|math|"
    r"netdb|poll|pthread|pwd|sched|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|"
    r"stdio|stdlib|string|strings|syslog|termios|threads|time|unistd|wchar)\.h"
)

# Written by the build.
GENERATED = ["filter_object.h"]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
SPDX = "SPDX-License-Identifier: Apache-2.0"


def room_of(path):
    """The row of ROOMS that a file belongs to."""
    return next((room for room in ROOMS if path.startswith(room + "/")), None)


def folder_of(path):
    return path if path in AGREEMENTS else os.path.dirname(path)


def own_files(tree):
    for top in ("control", "config", "sbc", "rtpengine"):
        for folder, folders, names in os.walk(os.path.join(tree, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), tree)


class Checker:
    def __init__(self, tree):
        self.tree = tree
        self.violations = []
        self.files = list(own_files(tree))
        self.edges = {}  # file -> [(line, file included)]

    def complain(self, path, line, text):
        self.violations.append((path, line, text))

    def check_file(self, path):
        with open(os.path.join(self.tree, path), encoding="utf-8", errors="replace") as source:
            lines = source.read().splitlines()
        self.edges[path] = []
        if room_of(path) is None:
            self.complain(path, 1, "a folder that is not in the picture (tests/layers.py, ROOMS)")
        if not any(SPDX in line for line in lines[:30]):
            self.complain(path, 1, "no line '%s' near the top" % SPDX)
        if path.endswith(".h") and "#pragma once" not in lines:
            self.complain(path, 1, "no #pragma once")

        first = None
        for number, line in enumerate(lines, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            first = first or (number, found[1])
            if found[1]:
                self.check_own(path, number, found[1])
            else:
                self.check_library(path, number, found[2])
        if path.endswith(".c"):
            self.check_first(path, first)

    def check_first(self, path, first):
        """A source proves that its header stands alone by including it first, directly or through a
        header of the same folder (the inside face) that begins with it."""
        own = path[:-2] + ".h"
        if own not in self.files:
            return
        seen, at = [], first and first[1]
        while at and at != own and at not in seen and os.path.dirname(at) == os.path.dirname(path):
            seen.append(at)
            at = self.first_include(at)
        if at != own:
            self.complain(path, first[0] if first else 1, 'the first include must be "%s"' % own)

    def first_include(self, path):
        try:
            with open(os.path.join(self.tree, path), encoding="utf-8", errors="replace") as source:
                found = (INCLUDE.match(line) for line in source)
                return next((match[1] for match in found if match and match[1]), None)
        except OSError:
            return None

    def check_own(self, path, line, target):
        if target in GENERATED:
            return
        if path.endswith(".bpf.c"):  # compiled for the kernel, alone, without our include path
            target = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if target not in self.files:
            self.complain(path, line, '"%s" is no file of ours, from the root of the tree' % target)
            return
        self.edges[path].append((line, target))
        here, there = room_of(path), room_of(target)
        if here and there and here != there and there not in ROOMS[here]:
            self.complain(path, line, "%s must not include %s (%s)" % (here, there, target))
        for below, above in FORBIDDEN:
            if path.startswith(below + "/") and target.startswith(above + "/"):
                self.complain(path, line, "%s must not include %s (%s)" % (below, above, target))
        if target.endswith(".c"):
            self.complain(path, line, "includes a source file (%s)" % target)

    def check_library(self, path, line, header):
        for pattern, places in LIBRARIES:
            if re.fullmatch(pattern, header):
                if not any(path == place or (place.endswith("/") and path.startswith(place)) for place in places):
                    self.complain(path, line, "<%s> belongs to %s" % (header, ", ".join(places) or "nobody"))
                return
        if not SYSTEM.fullmatch(header):
            self.complain(path, line, "<%s> is of a library without a place (tests/layers.py, LIBRARIES)" % header)

    def check_cycles(self, edges, what):
        """Depth first; each cycle is told once, at the include that closes it."""
        done, path = set(), []

        def visit(node):
            path.append(node)
            for target, where in sorted(edges.get(node, {}).items()):
                if target in path:
                    cycle = path[path.index(target):] + [target]
                    self.complain(where[0], where[1], "cycle of %s: %s" % (what, " -> ".join(cycle)))
                elif target not in done:
                    visit(target)
            path.pop()
            done.add(node)

        for node in sorted(edges):
            if node not in done:
                visit(node)

    def run(self):
        for path in self.files:
            self.check_file(path)
        by_file, by_folder = {}, {}
        for path, targets in self.edges.items():
            for line, target in targets:
                by_file.setdefault(path, {}).setdefault(target, (path, line))
                here, there = folder_of(path), folder_of(target)
                if here != there:
                    by_folder.setdefault(here, {}).setdefault(there, (path, line))
        self.check_cycles(by_file, "files")
        self.check_cycles(by_folder, "folders")
        return sorted(set(self.violations))


def main():
    tree = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    checker = Checker(tree)
    violations = checker.run()
    for path, line, text in violations:
        print("%s:%d: %s" % (path, line, text))
    if not checker.files:
        print("no source files in %s" % tree)
        return 1
    print("%d files, %d violations" % (len(checker.files), len(violations)))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
