# SPDX-License-Identifier: Apache-2.0
"""CPU and memory as the scheduler and the kernel account them, and medians of them."""
import glob
import os
import statistics


def tree(root):
    """The process and all its descendants."""
    found, stack = [], [root]
    while stack:
        pid = stack.pop()
        found.append(pid)
        for path in glob.glob("/proc/%d/task/*/children" % pid):
            try:
                with open(path) as f:
                    stack += [int(c) for c in f.read().split()]
            except OSError:
                pass
    return found


def cpu_s(roots):
    """Seconds on a CPU so far: every thread of every process, in ns by schedstat."""
    total = 0
    for root in roots:
        for pid in tree(root):
            for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
                try:
                    with open(path) as f:
                        total += int(f.read().split()[0])
                except OSError:
                    pass
    return total / 1e9


def kernel_threads(prefixes):
    """pids of kernel threads whose name begins so ("napi/rl0")."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as f:
                if f.read().startswith(tuple(prefixes)):
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


def pss_kb(roots):
    total = 0
    for root in roots:
        for pid in tree(root):
            try:
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    total += next(int(l.split()[1]) for l in f if l.startswith("Pss:"))
            except (OSError, StopIteration):
                pass
    return total


def pin(pid, cpu):
    for path in glob.glob("/proc/%d/task/*" % pid):
        try:
            os.sched_setaffinity(int(os.path.basename(path)), {cpu})
        except (OSError, ValueError):
            pass


def prefer(pid, priority=1):
    """Real time, before whatever else runs on this machine: with builds beside us, losses would be theirs. What
    receives for a process goes before it, as the softirq of a NIC does."""
    for path in glob.glob("/proc/%d/task/*" % pid):
        try:
            os.sched_setscheduler(int(os.path.basename(path)), os.SCHED_RR, os.sched_param(priority))
        except (OSError, ValueError):
            pass


def median(rows, key):
    return statistics.median(r[key] for r in rows)


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), "?")
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) // (1 << 20)
    return "%d CPUs (%s), %d GiB, Linux %s" % (os.cpu_count(), model, memory, os.uname().release)


def table(head, rows):
    """Markdown, ready for docs/performance.md."""
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])
