"""Who may say which article answers a question: one interface, the county's own the default.

What lives here: the interface and the knowledge base behind it, without a query. What must not:
a model outside (services/outside_model.py), and acting on what is proposed (services/triage.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from incidents.models import Article
from incidents.queries.knowledge import Found


@dataclass(frozen=True)
class Proposal:
    """One of the articles offered, how well it fits (0–1), and an answer worded from it, or ""."""

    article: Article
    fit: float
    words: str = ""


class Suggester(Protocol):
    """Chooses among articles found in the county's knowledge base, and never beyond them."""

    def propose(self, question: str, offered: Sequence[Found]) -> Proposal | None:
        """Return the article that answers, None if none does."""
        ...


class KnowledgeBase:
    """The county's own: the article whose words fit best."""

    def propose(self, question: str, offered: Sequence[Found]) -> Proposal | None:
        """Return the best of what was found, None when nothing was."""
        if not offered:
            return None
        best = max(offered, key=lambda found: found.score)
        return Proposal(best.article, best.score)
