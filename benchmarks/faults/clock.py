"""A clock that can be set, for all processes of a fault run together.

What lives here: the file that holds by how much the clock is off, and the time it makes. What must
not: anything that asks the product; the harness reads the same file from outside.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

READ_EVERY = 0.02
_read_at = _offset = 0.0
# Each time this process set the clock: the real moment, and the seconds it is off since.
settings: list[tuple[float, float]] = []


def file() -> Path:
    """Return the file with the seconds the clock is off."""
    return Path(os.environ["GESHI_VAR"]) / "clock_off_by"


def set_offset(seconds: float) -> None:
    """Let the clock of every process be off by so many seconds from now on."""
    fresh = file().with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.replace(file())
    settings.append((time.time(), seconds))


def offset() -> float:
    """Return the seconds the clock is off, read at most every READ_EVERY seconds."""
    global _read_at, _offset
    now = time.monotonic()
    if now - _read_at > READ_EVERY:
        try:
            _offset = float(file().read_text())
        except FileNotFoundError:
            _offset = 0.0
        _read_at = now
    return _offset


def now() -> datetime:
    """Return what the product takes for the time, aware, in UTC."""
    return datetime.now(UTC) + timedelta(seconds=offset())
