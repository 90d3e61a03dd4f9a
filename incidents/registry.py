"""What upper floors fill in at start-up: roads a case can be handed over to.

What must not live here: any code of those floors.
"""

from collections.abc import Callable

# callable(*, incident, actor, note) -> number of the new case; runs in the caller's transaction.
handovers: dict[str, Callable[..., str]] = {}


def register_handover(name: str, start: Callable[..., str]) -> None:
    """Let cases be handed over to ``name`` (e.g. "mediation")."""
    handovers[name] = start
