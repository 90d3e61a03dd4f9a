"""Processor time of the product's processes, which says what an answer costs on a busy machine.

What lives here: reading /proc. Linux only, like the rest of the scripts.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def spent(roots: Iterable[int]) -> float:
    """Return the seconds these processes and all below them have used so far."""
    children: dict[int, list[int]] = defaultdict(list)
    used: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(place.parent.name)
        children[int(fields[1])].append(pid)
        # User and system time, and that of children which ended.
        used[pid] = sum(map(int, fields[11:15]))
    waiting, total = list(roots), 0
    while waiting:
        pid = waiting.pop()
        total += used.get(pid, 0)
        waiting += children[pid]
    return total / TICK


def busy() -> float:
    """Return the seconds all cores together have worked since the machine started."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICK
