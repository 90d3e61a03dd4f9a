"""What apps fill in at start-up: roads a case can be handed over to, kinds of notices.

What must not live here: any code of those floors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.channels.events import Group

# callable(*, incident, actor, note) -> number of the new case; runs in the caller's transaction.
handovers: dict[str, Callable[..., str]] = {}


def register_handover(name: str, start: Callable[..., str]) -> None:
    """Let cases be handed over to ``name`` (e.g. "mediation")."""
    handovers[name] = start


@dataclass(frozen=True)
class NoticeKind:
    """How a kind of notice reads, and where it leads when that is not the page of its case.

    ``group`` is what people choose it by for other channels than the bell; an urgent one does not
    wait there for the morning.
    """

    text: object
    level: str = "calm"
    url: Callable[[Mapping[str, Any]], str] | None = None
    group: str = Group.WORK
    urgent: bool = False


notice_kinds: dict[str, NoticeKind] = {}


def register_notice(
    kind: str,
    text: object,
    *,
    level: str = "calm",
    url: Any = None,
    group: str = Group.WORK,
    urgent: bool = False,
) -> None:
    """Say how notices of ``kind`` read; ``text`` is lazy, ``url`` makes a link of their data."""
    notice_kinds[kind] = NoticeKind(text, level, url, group, urgent)
