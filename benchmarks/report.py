"""What the benchmark says at its end: the table, the slow statements, the machine."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SLOW = re.compile(r"duration: ([\d.]+) ms +(?:statement|execute [^:]*|parse [^:]*): (.*)", re.S)
_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.M)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\?(?:, ?\?)+")


def shape_of(statement: str) -> str:
    """Return the statement without its values, so that the same one is counted once."""
    bare = _LITERAL.sub("?", " ".join(statement.split()))
    return _LIST.sub("?…", bare)


def slow_statements(log: Path, offset: int) -> list[dict[str, Any]]:
    """Return [{shape, times, slowest ms}] of what PostgreSQL logged after ``offset`` bytes."""
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read().decode(errors="replace")
    found: dict[str, dict[str, Any]] = {}
    for entry in _ENTRY.split(text):
        if match := _SLOW.search(entry):
            shape = shape_of(match[2])
            row = found.setdefault(shape, {"shape": shape, "times": 0, "slowest": 0.0})
            row["times"] += 1
            row["slowest"] = max(row["slowest"], float(match[1]))
    return sorted(found.values(), key=lambda row: -row["slowest"])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a Markdown table; the first holds the titles."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def machine() -> dict[str, Any]:
    """Return what the figures depend on: cores, memory, and how busy the machine is already."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30, 1),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
